//! What a request and its connection say.

use super::{Mark, Marks};
use crate::{CredentialKind, Observation, Place};
use tapwire_protocol::Head;
use tapwire_protocol::tls::Facts;

/// A JSON Web Token that lives longer is long-lived: a day, in seconds.
const LONG: i64 = 86_400;
/// A certificate that ends so soon needs a new one: 14 days, in seconds.
const SOON: i64 = 14 * 86_400;

/// Parts of the names of cipher suites that no longer protect (RFC 9325, 4.1).
const WEAK: &[&str] = &["RC4", "_DES_", "DES40", "3DES", "_NULL", "EXPORT", "_anon_", "RC2"];

pub(super) fn mark(marks: &mut Marks, observation: &Observation) {
    let exchange = &observation.exchange;
    let status = exchange.response_head().and_then(|head| head.status);
    marks.set(Mark::Answered, exchange.response.is_some());
    marks.set(Mark::Ok, matches!(status, Some(200..=299)));
    marks.set(Mark::Succeeded, matches!(status, Some(200..=299)));
    marks.set(Mark::Failed, matches!(status, Some(400..=599)));
    match exchange.flow.tls.as_deref() {
        Some(facts) => connection(marks, facts, exchange.started().nanos() / 1_000_000_000),
        None => {
            let told = exchange.request_head().is_some_and(came_over_tls);
            marks.set(Mark::ClearText, !told);
        }
    }
    credentials(marks, observation);
}

fn connection(marks: &mut Marks, facts: &Facts, now: i64) {
    marks.set(Mark::Encrypted, true);
    marks.set(Mark::OldTls, matches!(facts.version, Some("SSL 3.0" | "TLS 1.0" | "TLS 1.1")));
    let weak = |cipher: &str| WEAK.iter().any(|part| cipher.contains(part));
    marks.set(Mark::WeakCipher, facts.cipher.as_deref().is_some_and(weak));
    if let Some(ends) = facts.certificate.as_ref().and_then(|certificate| certificate.not_after) {
        marks.set(Mark::Certified, true);
        marks.set(Mark::CertificateOver, ends < now);
        marks.set(Mark::CertificateEnds, ends >= now && ends - now < SOON);
    }
}

/// Whether a proxy in front says that the client's own connection was encrypted.
fn came_over_tls(head: &Head) -> bool {
    let https = |name: &[u8]| head.header(name).is_some_and(|value| value.is(b"https"));
    if https(b"x-forwarded-proto") || https(b"x-forwarded-scheme") {
        return true;
    }
    let proto = |part: &[u8]| part.trim_ascii().eq_ignore_ascii_case(b"proto=https");
    head.header(b"forwarded").is_some_and(|value| value.bytes().split(|byte| b";,".contains(byte)).any(proto))
}

fn credentials(marks: &mut Marks, observation: &Observation) {
    let ok = marks.contains(Mark::Ok);
    let facts = observation.exchange.flow.tls.as_deref();
    let certified = facts.is_some_and(|facts| facts.client_certificate.is_some());
    let logs_in = observation.issuance.is_some();
    marks.set(Mark::Open, ok && observation.credentials.is_empty() && !certified && !logs_in);
    for credential in &observation.credentials {
        let basic = credential.kind == CredentialKind::Basic && credential.place == Place::Header;
        marks.set(Mark::Basic, basic);
        let Some(claims) = credential.claims.as_deref().filter(|_| ok) else { continue };
        marks.set(Mark::Tokened, true);
        marks.set(Mark::TokenUnsigned, claims.is_unsigned());
        marks.set(Mark::TokenEndless, claims.expires.is_none());
        marks.set(Mark::TokenLong, claims.lifetime().is_some_and(|seconds| seconds > LONG));
    }
}
