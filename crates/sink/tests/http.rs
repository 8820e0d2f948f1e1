//! The HTTP collector's contract, against a scripted peer on loopback.

#![allow(missing_docs, reason = "a test binary")]

#[allow(dead_code, reason = "other tests need more of it")]
mod peer;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use peer::{Peer, Reply, nobody};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tapwire_sink::{
    Batch, Context, DropReason, Http, Notice, Pressure, Secret, Sink, SinkError, SinkReport, Tally, open,
};

fn context(pressure: Pressure, http: Http) -> Context {
    let mut context = Context::new(pressure);
    context.config.http = Http { backoff_ms: 1, ..http };
    context
}

fn sink(url: &str, pressure: Pressure, http: Http) -> Box<dyn Sink> {
    open(url, &context(pressure, http)).unwrap()
}

fn event(n: u32) -> String {
    format!("{{\"n\":{n}}}\n")
}

fn batch(numbers: std::ops::Range<u32>) -> Batch {
    let events = numbers.len().try_into().unwrap();
    Batch::new(numbers.map(event).collect::<String>().into_bytes(), events)
}

fn send(sink: &mut Box<dyn Sink>, batch: &Batch) {
    let _listening = sink.write(batch).unwrap();
}

fn assert_conserved(report: &SinkReport) {
    let c = report.counts;
    assert_eq!(c.accepted.events, c.delivered.events + c.dropped_total().events);
    assert_eq!(c.accepted.bytes, c.delivered.bytes + c.dropped_total().bytes);
    assert_eq!(c.queued(), Tally::default());
}

/// Waits until the sink has something to say.
fn notice(sink: &mut Box<dyn Sink>) -> Notice {
    for _ in 0..2000 {
        if let Some(notice) = sink.poll_notice() {
            return notice;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("no notice came");
}

#[test]
fn events_arrive_in_order_compressed_and_authorised() {
    let peer = Peer::start([]);
    let http = Http { batch_events: 10, token: Some(Secret::new("s3same")), ..Http::default() };
    let mut sink = sink(&peer.url(), Pressure::Block, http);
    (0..5).for_each(|n| send(&mut sink, &batch(n * 7..(n + 1) * 7)));
    let report = sink.finish();
    assert_eq!(report.error, None);
    assert_eq!(report.counts.delivered.events, 35);
    assert_conserved(&report);
    assert_eq!(peer.text(), (0..35).map(event).collect::<String>());
    for request in peer.requests() {
        assert!(request.head.starts_with("POST /in HTTP/1.1\r\n"));
        assert!(request.text().lines().count() <= 10);
        let expected = [
            ("host", peer.address.to_string()),
            ("authorization", "Bearer s3same".into()),
            ("content-type", "application/x-ndjson".into()),
            ("content-encoding", "gzip".into()),
            ("user-agent", format!("tapwire/{}", env!("CARGO_PKG_VERSION"))),
        ];
        for (name, value) in expected {
            assert_eq!(request.field(name), Some(value), "{name}");
        }
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_batch_larger_than_a_request_is_cut_between_events_and_one_larger_than_the_queue_passes() {
    let peer = Peer::start([]);
    let http = Http { batch_bytes: 100, queue_bytes: 50, gzip: false, ..Http::default() };
    let mut sink = sink(&peer.url(), Pressure::Block, http);
    send(&mut sink, &batch(0..500));
    send(&mut sink, &batch(500..501));
    assert_conserved(&sink.finish());
    assert_eq!(peer.text(), (0..501).map(event).collect::<String>());
    assert!(peer.requests().iter().all(|r| r.body.len() <= 100 && r.body.ends_with(b"}\n")));
}

#[test]
fn behind_a_file_a_small_queue_slows_the_source_and_loses_nothing() {
    let peer = Peer::start([]);
    let http = Http { queue_bytes: 64, batch_events: 4, ..Http::default() };
    let mut sink = sink(&peer.url(), Pressure::Block, http);
    (0..200).for_each(|n| send(&mut sink, &batch(n * 4..(n + 1) * 4)));
    let report = sink.finish();
    assert_eq!(report.counts.delivered.events, 800);
    assert_eq!(peer.text(), (0..800).map(event).collect::<String>());
}

#[test]
fn a_request_is_sent_again_after_trouble_that_may_pass() {
    use Reply::{Answer, CloseInBody, CloseUnanswered};
    for trouble in [Answer(500, ""), Answer(503, ""), Answer(408, ""), CloseInBody, CloseUnanswered] {
        let peer = Peer::start([trouble]);
        let mut sink = sink(&peer.url(), Pressure::Block, Http::default());
        send(&mut sink, &batch(0..3));
        let report = sink.finish();
        assert_eq!(report.error, None, "{trouble:?}");
        assert_eq!((report.counts.delivered.events, report.counts.retries), (3, 1), "{trouble:?}");
        assert_eq!(peer.requests().last().unwrap().text(), (0..3).map(event).collect::<String>());
    }
}

#[test]
fn a_refusal_is_final_and_says_what_to_try() {
    for (status, hint) in
        [(401, "check the token"), (404, "check the path"), (302, "redirects are not followed")]
    {
        let peer = Peer::start([Reply::Answer(status, "Location: http://127.0.0.1:1/\r\n")]);
        let url = format!("{}?key=hunter2", peer.url());
        let mut sink = sink(&url, Pressure::Block, Http { batch_events: 2, ..Http::default() });
        send(&mut sink, &batch(0..2));
        let Notice::Failing(error) = notice(&mut sink) else { panic!("it failed") };
        assert_eq!(sink.write(&batch(2..4)), Err(error.clone()));
        let text = error.to_string();
        let expected = format!("collector {} answered {status} (1 try): {hint}", peer.url());
        assert!(text.starts_with(&expected), "{text}");
        assert!(!text.contains("hunter2"));
        let report = sink.finish();
        assert_eq!(report.error, Some(error));
        assert_conserved(&report);
        assert_eq!(report.counts.dropped(DropReason::Refused).events, 2);
        assert_eq!(report.counts.dropped(DropReason::Stopped).events, 2);
        assert_eq!(peer.requests().len(), 1);
    }
}

#[test]
fn a_kept_connection_that_the_peer_closed_uses_up_no_try() {
    let peer = Peer::start([Reply::AnswerAndClose, Reply::AnswerAndClose]);
    let http = Http { tries: 1, batch_events: 1, ..Http::default() };
    let mut sink = sink(&peer.url(), Pressure::Block, http);
    send(&mut sink, &batch(0..3));
    let report = sink.finish();
    assert_eq!(report.error, None);
    assert_eq!(peer.text(), (0..3).map(event).collect::<String>());
    assert_eq!(peer.connections(), 3);
}

#[test]
fn a_peer_that_is_down_is_named_with_what_to_try() {
    let url = format!("http://{}/", nobody());
    let mut sink = sink(&url, Pressure::Block, Http::default());
    send(&mut sink, &batch(0..3));
    let report = sink.finish();
    let text = report.error.clone().unwrap().to_string();
    assert_eq!(text, format!("collector {url} refused the connection (3 tries): is it running?"));
    assert_conserved(&report);
    assert_eq!(report.counts.dropped(DropReason::Unreachable).events, 3);
    assert_eq!(report.counts.retries, 2);
}

#[test]
fn a_peer_that_never_answers_is_given_up_after_its_tries() {
    let peer = Peer::start([Reply::Wait, Reply::Wait]);
    let http = Http { tries: 2, timeout_ms: 100, ..Http::default() };
    let mut sink = sink(&peer.url(), Pressure::Block, http);
    send(&mut sink, &batch(0..1));
    let text = sink.finish().error.unwrap().to_string();
    assert!(text.contains("did not answer within 0.1 s (2 tries)"), "{text}");
    peer.release();
}

#[test]
fn behind_a_tap_a_slow_peer_costs_counted_events_and_never_waits() {
    let peer = Peer::start([Reply::Wait]);
    let http = Http { queue_bytes: 400, batch_events: 5, ..Http::default() };
    let mut sink = sink(&peer.url(), Pressure::Shed, http);
    (0..100).for_each(|n| send(&mut sink, &batch(n * 5..(n + 1) * 5)));
    assert!(matches!(notice(&mut sink), Notice::Failing(SinkError::TooSlow { queue_bytes: 400, .. })));
    assert_eq!(sink.poll_notice(), None, "said once, then counted");
    peer.release();
    let report = sink.finish();
    assert_conserved(&report);
    assert_eq!(report.counts.accepted.events, 500);
    assert!(report.counts.dropped(DropReason::QueueFull).events > 0);
    assert_eq!(report.counts.delivered.events, peer.text().lines().count() as u64);
}

#[test]
fn behind_a_tap_failures_are_counted_said_once_and_recovered_from() {
    let peer = Peer::start([Reply::Answer(500, ""), Reply::Answer(500, ""), Reply::Answer(401, "")]);
    let mut sink = sink(&peer.url(), Pressure::Shed, Http { tries: 2, batch_ms: 0, ..Http::default() });
    send(&mut sink, &batch(0..3));
    assert!(matches!(notice(&mut sink), Notice::Failing(SinkError::Refused { status: 500, tries: 2, .. })));
    send(&mut sink, &batch(3..5));
    while sink.report().counts.dropped_total().events < 5 {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(sink.poll_notice(), None, "a further failure is only counted");
    send(&mut sink, &batch(5..9));
    let Notice::Recovered { dropped, .. } = notice(&mut sink) else { panic!("it works again") };
    assert_eq!(dropped.events, 5);
    let report = sink.finish();
    assert_conserved(&report);
    assert_eq!((report.counts.delivered.events, report.counts.dropped(DropReason::Refused).events), (4, 5));
}

#[test]
fn behind_a_tap_the_end_does_not_wait_for_a_hanging_peer() {
    let peer = Peer::start([Reply::Wait]);
    let mut sink = sink(&peer.url(), Pressure::Shed, Http { finish_ms: 50, ..Http::default() });
    send(&mut sink, &batch(0..3));
    let report = sink.finish();
    assert_conserved(&report);
    assert_eq!(report.counts.dropped(DropReason::Stopped).events, 3);
    peer.release();
}

/// A small generator: the same seed gives the same script.
fn random(seed: &mut u64) -> u32 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    u32::try_from(*seed >> 33).unwrap()
}

#[test]
fn whatever_the_peer_does_the_ledger_says_what_arrived_and_order_holds() {
    use Reply::{Answer, AnswerAndClose, CloseInBody, CloseUnanswered};
    let replies =
        [Answer(200, ""), Answer(500, ""), Answer(401, ""), AnswerAndClose, CloseInBody, CloseUnanswered];
    for mut seed in 1..=30 {
        let script: Vec<_> =
            (0..40).map(|_| replies[usize::try_from(random(&mut seed)).unwrap() % replies.len()]).collect();
        let peer = Peer::start(script);
        let http = Http { tries: 2, batch_ms: 0, batch_events: 7, queue_bytes: 1000, ..Http::default() };
        let mut sink = sink(&peer.url(), Pressure::Shed, http);
        let mut next = 0;
        for _ in 0..60 {
            let more = random(&mut seed) % 10;
            send(&mut sink, &batch(next..next + more));
            next += more;
            if random(&mut seed).is_multiple_of(3) {
                thread::sleep(Duration::from_micros(200));
            }
        }
        let report = sink.finish();
        assert_conserved(&report);
        assert_eq!(report.counts.accepted.events, u64::from(next));
        let requests = peer.requests();
        let numbers = |r: &peer::Request| -> Vec<u32> {
            let number = |l: &str| l.trim_start_matches("{\"n\":").trim_end_matches('}').parse().unwrap();
            r.text().lines().map(number).collect()
        };
        let taken: Vec<u32> = requests.iter().filter(|r| r.answered == 200).flat_map(numbers).collect();
        assert!(taken.windows(2).all(|w| w[0] < w[1]), "in order, and none twice: {taken:?}");
        assert_eq!(report.counts.delivered.events, taken.len() as u64);
    }
}

#[test]
fn idle_taps_flush_what_waits() {
    let peer = Peer::start([]);
    let mut sink = sink(&peer.url(), Pressure::Shed, Http { batch_ms: 86_400_000, ..Http::default() });
    send(&mut sink, &batch(0..3));
    let _listening = sink.flush().unwrap();
    while sink.report().counts.queued().events > 0 {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(peer.text(), (0..3).map(event).collect::<String>());
}

/// An authority, and what it signed for 127.0.0.1: PEM certificate, PEM key, DER certificate, DER key.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

struct Signed {
    cert: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn sign(&self) -> Signed {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        Signed { cert: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    fn server(&self, ask_client: bool) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if ask_client {
            let mut roots = RootCertStore::empty();
            let (added, _) = roots.add_parsable_certificates([self.der()]);
            assert_eq!(added, 1);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let Signed { cert, key } = self.sign();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        builder.with_single_cert(vec![cert.der().clone()], key).unwrap()
    }

    fn der(&self) -> rustls::pki_types::CertificateDer<'static> {
        use rustls::pki_types::pem::PemObject;
        PemObject::from_pem_slice(self.pem.as_bytes()).unwrap()
    }
}

fn deliver_tls(peer: &Peer, http: Http) -> SinkReport {
    let url = format!("https://{}/", peer.address);
    let mut sink = sink(&url, Pressure::Block, http);
    send(&mut sink, &batch(0..3));
    let report = sink.finish();
    assert_conserved(&report);
    report
}

#[test]
fn https_trusts_the_given_authority_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let peer = Peer::start_tls(ours.server(false));
    let trusted = Http { ca_file: write("ours.pem", &ours.pem), ..Http::default() };
    assert_eq!(deliver_tls(&peer, trusted).error, None);
    assert_eq!(peer.text(), (0..3).map(event).collect::<String>());
    let untrusted = Http { ca_file: write("other.pem", &other.pem), ..Http::default() };
    let text = deliver_tls(&peer, untrusted).error.unwrap().to_string();
    assert!(text.contains("certificate that is not trusted"), "{text}");
    assert!(text.ends_with("(1 try): name its authority with `sink.http.ca_file`"), "{text}");
}

#[test]
fn an_authority_that_serves_itself_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let peer = Peer::start_tls(
        config.with_no_client_auth().with_single_cert(vec![own.der().clone()], private).unwrap(),
    );
    let path = dir.path().join("own.pem");
    std::fs::write(&path, own.pem()).unwrap();
    let http = Http { ca_file: Some(path), ..Http::default() };
    let text = deliver_tls(&peer, http).error.unwrap().to_string();
    assert!(text.contains("the certificate of an authority itself (CA:TRUE)"), "{text}");
    assert!(text.contains("sign one with CA:FALSE") && !text.contains("CaUsedAsEndEntity"), "{text}");
}

#[test]
fn mutual_tls_shows_the_client_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let path = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let Signed { cert, key } = authority.sign();
    let peer = Peer::start_tls(authority.server(true));
    let ca_file = path("ca.pem", authority.pem.clone());
    let without = Http { ca_file: ca_file.clone(), ..Http::default() };
    let text = deliver_tls(&peer, without).error.unwrap().to_string();
    assert!(text.contains("sink.http.client_cert"), "{text}");
    let (client_cert, client_key) = (path("c.pem", cert.pem()), path("k.pem", key.serialize_pem()));
    let with = Http { ca_file, client_cert, client_key, ..Http::default() };
    assert_eq!(deliver_tls(&peer, with).error, None);
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn tls_to_a_plain_port_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, Authority::new().pem).unwrap();
    // Answers the hello with something that is no TLS record.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            use std::io::{Read, Write};
            let _read = stream.read(&mut [0; 4096]);
            let _written = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            let _rest = stream.read(&mut [0; 4096]);
        }
    });
    let mut sink = sink(&url, Pressure::Block, Http { ca_file: Some(ca_file), ..Http::default() });
    send(&mut sink, &batch(0..1));
    let text = sink.finish().error.unwrap().to_string();
    assert!(text.ends_with("does not speak TLS there (1 try): is it an http:// address?"), "{text}");
}

#[test]
fn elastic_has_taken_only_what_its_own_whole_answer_says() {
    let url = |peer: &Peer| format!("elastic+http://{}/idx?pipeline=own", peer.address);
    let fine = Reply::Body("{\"errors\":false,\"items\":[]}");
    // A page of a proxy, an object that is no answer to _bulk, and one that breaks off.
    for wrong in [
        Reply::Body("<html>Log in</html>"),
        Reply::Body("{}"),
        Reply::BodyBrokenOff("{\"errors\":true,\"items\":[{\"create\":{\"status\":400}},"),
    ] {
        let peer = Peer::start([wrong, fine]);
        let mut sink = sink(&url(&peer), Pressure::Block, Http::default());
        send(&mut sink, &batch(0..3));
        let report = sink.finish();
        assert_conserved(&report);
        assert_eq!((report.counts.delivered.events, report.error), (3, None), "{wrong:?}");
        let requests = peer.requests();
        assert_eq!(requests.len(), 2, "{wrong:?}: sent again");
        let target = "/idx/_bulk?filter_path=errors,items.*.status&pipeline=own ";
        assert!(requests[0].head.contains(target), "{}", requests[0].head);
    }
    let peer = Peer::start([Reply::Body("<html>Log in</html>"); 3]);
    let mut sink = sink(&url(&peer), Pressure::Block, Http::default());
    send(&mut sink, &batch(0..3));
    let report = sink.finish();
    assert_eq!(report.counts.delivered.events, 0);
    let text = report.error.unwrap().to_string();
    assert!(text.contains("answered 200 with a body of another kind (3 tries)"), "{text}");
}
