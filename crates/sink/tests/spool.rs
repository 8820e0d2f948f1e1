//! Delivery by way of the spool, against a scripted peer on loopback.

#![allow(missing_docs, reason = "a test binary")]

#[allow(dead_code, reason = "other tests need more of it")]
mod peer;

use std::path::Path;
use std::thread;
use std::time::Duration;

use peer::{Peer, Reply, nobody};
use tapwire_sink::{Batch, Context, DropReason, Http, Mark, Notice, Pressure, Sink, SinkReport, Tally, open};
use tapwire_store::Store;

fn sink(url: &str, data: &Path, pressure: Pressure, http: Http, cap: u64) -> Box<dyn Sink> {
    let mut context = Context::new(pressure);
    context.config.http = Http { backoff_ms: 1, backoff_max_ms: 20, ..http };
    context.config.spool.bytes = cap;
    context.spools = Some(Store::open(data).unwrap().spools());
    context.name = Some("peer".into());
    open(url, &context).unwrap()
}

fn tap(url: &str, data: &Path) -> Box<dyn Sink> {
    let http = Http { batch_ms: 0, batch_events: 7, finish_ms: 500, tries: 2, ..Http::default() };
    sink(url, data, Pressure::Shed, http, 1 << 20)
}

fn event(n: u32) -> String {
    format!("{{\"n\":{n}}}\n")
}

fn events(numbers: std::ops::Range<u32>) -> String {
    numbers.map(event).collect()
}

fn send(sink: &mut Box<dyn Sink>, numbers: std::ops::Range<u32>) {
    let count = numbers.len().try_into().unwrap();
    let _listening = sink.write(&Batch::new(events(numbers).into_bytes(), count)).unwrap();
}

fn assert_conserved(report: &SinkReport) {
    let c = report.counts;
    let sum = |f: fn(Tally) -> u64| {
        assert_eq!(f(c.accepted) + f(c.resumed), f(c.delivered) + f(c.dropped_total()) + f(c.kept), "{c:?}");
    };
    sum(|t| t.events);
    sum(|t| t.bytes);
}

/// Waits until the sink has delivered so many events.
fn delivered(sink: &dyn Sink, events: u64) {
    for _ in 0..2000 {
        if sink.report().counts.delivered.events >= events {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("{:?}", sink.report());
}

#[test]
fn a_peer_that_is_down_costs_nothing_and_the_next_run_delivers() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = tap(&format!("http://{}/in", nobody()), dir.path());
    send(&mut first, 0..50);
    let report = first.finish();
    assert_conserved(&report);
    assert_eq!((report.counts.kept.events, report.counts.dropped_total().events), (50, 0));
    let peer = Peer::start([]);
    let mut second = tap(&peer.url(), dir.path());
    send(&mut second, 50..60);
    let report = second.finish();
    assert_conserved(&report);
    assert_eq!((report.counts.resumed.events, report.counts.delivered.events), (50, 60));
    assert_eq!(peer.text(), events(0..60));
    assert_eq!(tap(&peer.url(), dir.path()).finish().counts.resumed.events, 0);
}

#[test]
fn a_peer_that_comes_back_gets_everything_in_order_and_it_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let trouble = [500, 503, 401, 404, 400, 500, 500].map(|status| Reply::Answer(status, ""));
    let peer = Peer::start(trouble);
    let mut sink = tap(&peer.url(), dir.path());
    send(&mut sink, 0..30);
    delivered(&*sink, 30);
    let Some(Notice::Delayed(error)) = sink.poll_notice() else { panic!("it is said that it is late") };
    assert!(error.to_string().contains("answered 503 (2 tries)"), "{error}");
    assert!(matches!(sink.poll_notice(), Some(Notice::Recovered { dropped, .. }) if dropped.events == 0));
    let report = sink.finish();
    assert_conserved(&report);
    let taken: String =
        peer.requests().iter().filter(|r| r.answered == 200).map(peer::Request::text).collect();
    assert_eq!(taken, events(0..30));
}

#[test]
fn a_request_that_is_too_large_is_halved_and_only_what_never_fits_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    // 7 events: refused whole, then 3 (taken), 4 (refused), 2 (taken), 2 (refused), 1 (refused for good), 1 (taken).
    let too_large = Reply::Answer(413, "");
    let taken = Reply::Answer(200, "");
    let peer = Peer::start([too_large, taken, too_large, taken, too_large, too_large, taken]);
    let mut sink = tap(&peer.url(), dir.path());
    send(&mut sink, 0..7);
    delivered(&*sink, 6);
    let report = sink.finish();
    assert_conserved(&report);
    assert_eq!(report.counts.dropped(DropReason::Refused).events, 1);
    let got: Vec<String> =
        peer.requests().iter().filter(|r| r.answered == 200).map(peer::Request::text).collect();
    assert_eq!(got, [events(0..3), events(3..5), event(6)]);
    assert_eq!(tap(&peer.url(), dir.path()).finish().counts.resumed.events, 0, "the offset went on");
}

#[test]
fn a_slow_peer_never_makes_the_tap_wait_and_what_matters_outlives_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start([Reply::Wait]);
    let http = Http { batch_ms: 0, batch_events: 7, finish_ms: 60_000, ..Http::default() };
    let mut sink = sink(&peer.url(), dir.path(), Pressure::Shed, http, 128 << 10);
    let padding = "x".repeat(500);
    for n in 0..600 {
        let finding = n % 100 == 50;
        let line = format!("{{\"n\":{n},\"finding\":{finding},\"padding\":\"{padding}\"}}\n");
        let mark = Mark { event: 0, begin: 0, end: line.len(), rank: 3 };
        let batch = Batch::new(line.into_bytes(), 1);
        let batch = if finding { batch.marked(&[mark]) } else { batch };
        let _listening = sink.write(&batch).unwrap();
    }
    assert!(matches!(sink.poll_notice(), Some(Notice::Failing(_))));
    peer.release();
    let report = sink.finish();
    assert_conserved(&report);
    assert!(report.counts.dropped(DropReason::SpoolFull).events > 200);
    let text = peer.text();
    assert_eq!(text.matches("\"finding\":true").count(), 6, "no finding was dropped");
    assert_eq!(text.lines().count() as u64, report.counts.delivered.events);
}

#[test]
fn behind_a_file_a_full_spool_waits_and_a_peer_that_fails_leaves_the_rest_for_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start([]);
    let http = Http { batch_ms: 0, tries: 2, ..Http::default() };
    let mut first = sink(&peer.url(), dir.path(), Pressure::Block, http.clone(), 128 << 10);
    (0..400).for_each(|n| send(&mut first, n * 100..(n + 1) * 100));
    let report = first.finish();
    assert_conserved(&report);
    assert_eq!((report.counts.delivered.events, report.error), (40_000, None));
    assert_eq!(peer.text(), events(0..40_000));
    let down = format!("http://{}/in", nobody());
    let mut second = sink(&down, dir.path(), Pressure::Block, http, 128 << 10);
    send(&mut second, 0..10);
    let report = second.finish();
    assert_conserved(&report);
    assert_eq!(report.counts.kept.events, 10);
    assert!(report.error.unwrap().to_string().contains("refused the connection (2 tries)"));
}

/// A small generator: the same seed gives the same script.
fn random(seed: &mut u64) -> u32 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    u32::try_from(*seed >> 33).unwrap()
}

#[test]
fn whatever_the_peer_does_over_several_runs_everything_arrives_in_order() {
    use Reply::{Answer, AnswerAndClose, CloseInBody, CloseUnanswered};
    let replies = [
        Answer(200, ""),
        Answer(500, ""),
        Answer(401, ""),
        Answer(429, "Retry-After: 0\r\n"),
        AnswerAndClose,
        CloseInBody,
        CloseUnanswered,
    ];
    for mut seed in 1..=20 {
        let dir = tempfile::tempdir().unwrap();
        let script: Vec<_> =
            (0..60).map(|_| replies[usize::try_from(random(&mut seed)).unwrap() % replies.len()]).collect();
        let peer = Peer::start(script);
        let mut next = 0;
        for run in 0..4 {
            let mut sink = tap(&peer.url(), dir.path());
            for _ in 0..random(&mut seed) % 8 {
                let more = 1 + random(&mut seed) % 20;
                send(&mut sink, next..next + more);
                next += more;
            }
            if run < 3 {
                // As a kill would: nothing is waited for.
                drop(sink);
            } else {
                delivered_all(&mut sink);
                assert_conserved(&sink.finish());
            }
        }
        let mut expected = 0;
        for line in peer.requests().iter().filter(|r| r.answered == 200).flat_map(|r| lines(&r.text())) {
            assert!(line <= expected, "seed {seed}: {line} came before {expected}");
            expected = expected.max(line + 1);
        }
        assert_eq!(expected, next, "everything arrived");
    }
}

fn lines(text: &str) -> Vec<u32> {
    text.lines().map(|l| l.trim_start_matches("{\"n\":").trim_end_matches('}').parse().unwrap()).collect()
}

fn delivered_all(sink: &mut Box<dyn Sink>) {
    // A sink begins when it is used: what a run before left goes out with the first look at what there is to tell.
    let _told = sink.poll_notice();
    let counts = sink.report().counts;
    delivered(&**sink, counts.accepted.events + counts.resumed.events);
}

#[test]
fn an_event_that_is_refused_costs_itself_alone() {
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start([Reply::Poison("\"n\":5}")]);
    let mut sink = tap(&peer.url(), dir.path());
    send(&mut sink, 0..20);
    delivered(&*sink, 19);
    let report = sink.finish();
    assert_conserved(&report);
    assert_eq!(report.counts.dropped(DropReason::Refused).events, 1);
    let mut got: Vec<u32> =
        peer.requests().iter().filter(|r| r.answered == 200).flat_map(|r| lines(&r.text())).collect();
    got.sort_unstable();
    assert_eq!(got, (0..20).filter(|n| *n != 5).collect::<Vec<_>>());
    assert_eq!(tap(&peer.url(), dir.path()).finish().counts.resumed.events, 0, "the offset went on");
}

#[test]
fn a_receiver_that_refuses_everything_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let refusing = Peer::start([Reply::Poison("\"n\"")]);
    let mut first = tap(&refusing.url(), dir.path());
    send(&mut first, 0..20);
    while !matches!(first.poll_notice(), Some(Notice::Delayed(_))) {
        thread::sleep(Duration::from_millis(5));
    }
    let report = first.finish();
    assert_conserved(&report);
    assert_eq!((report.counts.kept.events, report.counts.dropped_total().events), (20, 0));
    let peer = Peer::start([]);
    let mut second = tap(&peer.url(), dir.path());
    delivered_all(&mut second);
    assert_eq!(peer.text(), events(0..20));
}

#[test]
fn without_room_for_a_spool_there_is_none_and_what_finds_no_room_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start([]);
    let http = Http { batch_ms: 0, ..Http::default() };
    let mut none = sink(&peer.url(), dir.path(), Pressure::Block, http.clone(), 0);
    send(&mut none, 0..5);
    let report = none.finish();
    assert_eq!((report.counts.delivered.events, report.error), (5, None));
    // Smaller than a single record.
    let mut tiny = sink(&peer.url(), dir.path(), Pressure::Block, http, 10);
    send(&mut tiny, 0..5);
    let report = tiny.finish();
    assert_conserved(&report);
    assert_eq!(report.counts.dropped(DropReason::SpoolFull).events, 5);
    let text = report.error.unwrap().to_string();
    assert!(text.contains("has reached its 10 bytes"), "{text}");
}

#[test]
fn two_destinations_never_share_a_spool() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (Peer::start([]), format!("http://{}/in", nobody()));
    let mut context = Context::new(Pressure::Shed);
    context.config.http = Http { batch_ms: 0, backoff_max_ms: 20, finish_ms: 200, ..Http::default() };
    context.spools = Some(Store::open(dir.path()).unwrap().spools());
    let mut one = open(&format!("{}?a=1", first.url()), &context).unwrap();
    let mut other = open(&format!("{}?a=2", first.url()), &context).unwrap();
    send(&mut one, 0..5);
    send(&mut other, 5..10);
    assert_eq!(one.finish().counts.delivered.events + other.finish().counts.delivered.events, 10);
    context.name = Some("same".into());
    let _open = open(&second, &context).unwrap();
    let text = open(&second, &context).map(|_| ()).unwrap_err().to_string();
    assert!(text.contains("same: is written by another output"), "{text}");
}
