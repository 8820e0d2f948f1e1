//! Mutual TLS: only sensors with a certificate of one's own authority get to show a token.

use crate::client::Collector;
use crate::{fixture, told};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;
use std::path::Path;
use tapwire_tests::{Ran, Tapwire};

/// Writes an authority, and certificates of the collector and of two sensors.
fn certificates(folder: &Path) {
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a writable folder");
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write("ca.pem", params.self_signed(&key).expect("an authority").pem());
    write("ca.key", key.serialize_pem());
    let issuer = Issuer::new(params, key);
    for (name, of) in [("collector", "localhost"), ("sensor", "north"), ("other", "south")] {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![of.into()]).expect("parameters");
        write(&format!("{name}.pem"), params.signed_by(&key, &issuer).expect("a certificate").pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

#[test]
fn an_authority_is_no_collector() {
    let folder = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let arguments =
        ["collect", "--listen", "127.0.0.1:0", "--data", &file("data"), "--tls-cert", &file("ca.pem")];
    let ran = Tapwire::new(arguments).args(["--tls-key", &file("ca.key")]).run();
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("authority itself (CA:TRUE)"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

#[test]
fn sensors_show_a_certificate_and_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let mut collector = Collector::with(&[
        "--tls-cert",
        &file("collector.pem"),
        "--tls-key",
        &file("collector.key"),
        "--client-ca",
        &file("ca.pem"),
    ]);
    let token = collector.enrol("north", &[]);
    fs::write(folder.path().join("token"), &token).expect("a token file");
    fs::write(folder.path().join("wrong"), "0".repeat(64)).expect("a token file");
    let url = format!("https://localhost:{}/v1/events", collector.address().port());
    let send = |token: &str, more: &[String]| -> Ran {
        let settings = [
            format!("sink.http.token_file={}", file(token)),
            format!("sink.http.ca_file={}", file("ca.pem")),
        ];
        let settings = settings.iter().chain(more).flat_map(|setting| ["--set", setting.as_str()]);
        Tapwire::replay(&fixture("basic-rest")).args(["--events", &url]).args(settings).run()
    };
    let shown = [
        format!("sink.http.client_cert={}", file("sensor.pem")),
        format!("sink.http.client_key={}", file("sensor.key")),
    ];
    assert_eq!(send("token", &[]).code, Some(2), "without a certificate");
    assert_eq!(send("wrong", &shown).code, Some(2), "without a token");
    let others = shown.clone().map(|setting| setting.replace("sensor.", "other."));
    assert_eq!(send("token", &others).code, Some(2), "with the certificate of another");
    let line = collector.wait_for("the certificate is another's");
    assert!(line.contains("sensor north"), "{line}");
    let _ran = send("token", &shown).ok("with both");
    collector.stop();
    let exchanges = told("basic-rest").iter().filter(crate::is_exchange).count() as u64;
    assert_eq!(collector.number("SELECT count(*) AS n FROM exchanges"), exchanges);
}
