//! Who sends what nobody should send gets a clear refusal, and the others notice nothing.

use crate::client::{Collector, TIME, answer, event, post};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// Sends and expects a status and words.
fn refused(address: SocketAddr, token: &str, headers: &[(&str, &str)], body: &[u8], status: u16, why: &str) {
    let answer = post(address, token, headers, body);
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains(why), "{answer:?}");
    assert!(!answer.body.contains("planted"), "what was sent is in the answer: {answer:?}");
}

/// A gigabyte of spaces as sixteen members, as RFC 1952 section 2.2 allows it.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    (0..64).for_each(|_| encoder.write_all(&[b' '; 1 << 20]).expect("memory"));
    encoder.finish().expect("memory").repeat(16)
}

#[test]
fn each_refusal_is_clear_and_keeps_nothing() {
    let mut collector = Collector::start();
    let (address, token) = (collector.address(), collector.enrol("bad", &["--tenant", "own"]));
    let good = collector.enrol("good", &[]);
    let one = event(1);
    refused(address, "", &[], one.as_bytes(), 401, "no sensor has this token");
    refused(address, "0123planted", &[], one.as_bytes(), 401, "no sensor has this token");
    let garbage = format!("{}{}planted\n", event(2), event(3));
    refused(address, &token, &[], garbage.as_bytes(), 400, "line 3: this is no JSON object");
    refused(address, &token, &[("Content-Encoding", "gzip")], b"planted", 400, "no gzip");
    refused(address, &token, &[("Content-Encoding", "br")], b"planted", 415, "plain or gzip");
    let old = one.replace("1.8.0", "1.5.0");
    refused(
        address,
        &token,
        &[],
        old.as_bytes(),
        422,
        "an old schema: this collector takes 1.6 to 1.8; upgrade the sensor",
    );
    let new = one.replace("1.8.0", "1.9.0");
    refused(address, &token, &[], new.as_bytes(), 422, "upgrade the collector first");
    let twice = one.replace("\"sequence\":1", "\"tenant_uid\":\"planted\",\"tenant_uid\":\"planted\"");
    refused(address, &token, &[], twice.as_bytes(), 400, "two of one name");
    // A gigabyte that is a megabyte on its way.
    let bomb = bomb();
    assert!(bomb.len() < 4 << 20, "{}", bomb.len());
    refused(address, &token, &[("Content-Encoding", "gzip")], &bomb, 413, "too large");
    refused(address, &token, &[], &vec![b'x'; 5 << 20], 413, "too large");
    let long = one.replace("shop", &"x".repeat(2 << 20));
    refused(address, &token, &[], long.as_bytes(), 400, "longer than");
    // Two versions older is taken, and whose it is, is the collector's to say.
    let elsewhere = one.replace("1.8.0", "1.6.0").replace("\"sequence\":1", "\"tenant_uid\":\"other\"");
    assert_eq!(post(address, &token, &[], elsewhere.as_bytes()).accepted(), 1);
    assert_eq!(post(address, &good, &[], event(9).as_bytes()).accepted(), 1);
    collector.stop();
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), 2);
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges WHERE tenant = 'own'"), 1);
    let listed = collector.list();
    assert_eq!(
        (&listed[0]["refused_batches"], &listed[1]["refused_batches"]),
        (&9.into(), &0.into()),
        "{listed:?}"
    );
}

#[test]
fn a_sensor_that_was_revoked_or_whose_token_ended_sends_no_more() {
    let mut collector = Collector::start();
    let (address, one, two) = (collector.address(), collector.enrol("one", &[]), collector.enrol("two", &[]));
    assert_eq!(post(address, &one, &[], event(1).as_bytes()).accepted(), 1);
    let _ran = collector.tapwire(&["sensor", "revoke", "one"]).ok("revoke");
    refused(address, &one, &[], event(2).as_bytes(), 401, "revoked");
    let path = collector.data().join("sensors.json");
    let mut kept: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("sensors")).expect("JSON");
    kept["two"]["expires_ms"] = 1.into();
    fs::write(&path, kept.to_string()).expect("a writable file");
    refused(address, &two, &[], event(3).as_bytes(), 401, "expired");
    let renewed = collector.enrol("two", &["--renew"]);
    refused(address, &two, &[], event(3).as_bytes(), 401, "no sensor has this token");
    assert_eq!(post(address, &renewed, &[], event(3).as_bytes()).accepted(), 1);
    // A list that nobody can read lets nobody in, and is said.
    fs::write(&path, "nothing").expect("a writable file");
    refused(address, &renewed, &[], event(4).as_bytes(), 503, "cannot read its list of sensors");
    let _said = collector.wait_for("no sensor may send until it can be read");
    collector.stop();
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), 2);
}

#[test]
fn slow_senders_hold_up_nobody() {
    let mut collector = Collector::start();
    let (address, token) = (collector.address(), collector.enrol("good", &[]));
    let slow = collector.enrol("slow", &[]);
    // More than one network may have: heads and bodies that never come.
    let mut open = Vec::new();
    for at in 0..100 {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nAuthorization: Bearer {slow}\r\n"
        );
        let end = if at % 2 == 0 { "\r\n{" } else { "" };
        stream.write_all(format!("{head}{end}").as_bytes()).expect("a writable connection");
        open.push(stream);
    }
    for uid in 0..20 {
        assert_eq!(post(address, &token, &[], event(uid).as_bytes()).accepted(), 1);
    }
    // Each of them is let go: with an answer where a request was begun.
    let statuses: Vec<u16> = open
        .iter_mut()
        .filter_map(|stream| {
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            answer(stream).ok().map(|answer| answer.status)
        })
        .collect();
    assert!(statuses.contains(&408) && statuses.contains(&429), "{statuses:?}");
    collector.stop();
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), 20);
}

#[test]
fn events_of_many_days_make_their_sensor_wait() {
    let mut collector = Collector::with(&["--set", "collect.commit=86400"]);
    let (address, bad, good) =
        (collector.address(), collector.enrol("bad", &[]), collector.enrol("good", &[]));
    let of_day = |day: u64| {
        let (now, days) =
            (*TIME + i64::try_from(day).expect("a small number"), 86_400_000 * day.cast_signed());
        event(day).replace(&now.to_string(), &(now - days).to_string())
    };
    let batch = |number: u64| -> String { (16 * number..16 * number + 16).map(of_day).collect() };
    for number in [0, 1, 0] {
        assert_eq!(post(address, &bad, &[], batch(number).as_bytes()).accepted(), 16);
    }
    refused(address, &bad, &[], batch(2).as_bytes(), 429, "come back");
    assert_eq!(post(address, &good, &[], batch(2).as_bytes()).accepted(), 16);
    collector.stop();
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), 48);
}

#[test]
fn a_full_journal_makes_sensors_wait() {
    // Nothing is committed meanwhile, so the journal only grows.
    let mut collector = Collector::with(&[
        "--set",
        "collect.commit=86400",
        "--set",
        "collect.journal=64MiB",
        "--set",
        "memory=256MiB",
    ]);
    let (address, token) = (collector.address(), collector.enrol("loud", &[]));
    let batch = |first: u64| -> String {
        (first..first + 6).map(|uid| event(uid).replace("shop", &"x".repeat(600_000))).collect()
    };
    let mut taken = 0;
    let last = loop {
        let answer = post(address, &token, &[], batch(taken).as_bytes());
        if answer.status != 200 {
            break answer;
        }
        taken += answer.accepted();
        assert!(taken < 1_000, "it never says no");
    };
    assert_eq!(last.status, 429, "{last:?}");
    assert!(last.head.contains("retry-after: 1"), "{last:?}");
    assert!(taken >= 50, "{taken}");
    collector.stop();
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), taken);
    // There is room again, and nothing of it comes back.
    collector.again();
    assert_eq!(post(address, &token, &[], batch(5_000).as_bytes()).accepted(), 6);
    collector.stop();
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), taken + 6);
}

/// Asks and asks, and reads no answer.
#[test]
fn who_reads_no_answer_is_let_go() {
    let collector = Collector::start();
    let mut stream = TcpStream::connect(collector.address()).expect("a connection");
    let (ended, end) = std::sync::mpsc::channel();
    let many = "GET /nowhere HTTP/1.1\r\nHost: collector\r\n\r\n".repeat(1_000);
    // What it says fills the way to the collector when that waits for it to read.
    std::thread::spawn(move || {
        while stream.write_all(many.as_bytes()).is_ok() {}
        let _nobody_waits = ended.send(());
    });
    end.recv_timeout(PATIENCE).expect("the connection to be ended");
}
