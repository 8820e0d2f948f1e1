//! Requests and answers.

use crate::error::ObjectsError;
use rustls::crypto::ring::default_provider;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Until there is a connection, and until the next bytes come or go.
const CONNECT: Duration = Duration::from_secs(10);
const NEXT: Duration = Duration::from_secs(60);

/// What sends requests. It follows no redirects: a signature is for one place.
pub(crate) fn agent() -> Agent {
    let system = rustls_native_certs::load_native_certs().certs;
    let trusted = system.iter().map(|der| Certificate::from_der(der.as_ref()).to_owned());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::from(trusted))
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
        .build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(NEXT))
        .timeout_per_write(Some(NEXT))
        .user_agent("tapwire")
        .tls_config(tls)
        .build();
    Agent::new_with_config(config)
}

/// Whether the same may be tried again.
pub(crate) const fn is_worth_another_try(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// What a refusal means. `place` and `bucket` are where it was.
pub(crate) fn told(place: &str, bucket: &str, status: u16, body: &str) -> ObjectsError {
    let code = code(body);
    let place = place.to_owned();
    match (status, code.as_str()) {
        (404, "NoSuchBucket") => ObjectsError::NoBucket { place, bucket: bucket.to_owned() },
        (401 | 403, _) | (400, "InvalidAccessKeyId" | "ExpiredToken" | "InvalidToken") => {
            ObjectsError::Refused { place, code }
        }
        _ => ObjectsError::Answer { place, status, code },
    }
}

/// The store's word for an error: one word, whatever else it says.
fn code(body: &str) -> String {
    let word = first(body, "Code").unwrap_or_default();
    word.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

/// The texts of all elements of that name.
pub(crate) fn texts<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, behind) = rest.split_once(open.as_str())?;
        let (text, behind) = behind.split_once(close.as_str())?;
        rest = behind;
        Some(text)
    })
}

/// The text of the first of them.
pub(crate) fn first<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    texts(xml, name).next()
}

/// A text without XML's escapes.
pub(crate) fn plain(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_a_list() {
        let xml = "<L><IsTruncated>true</IsTruncated><Contents><Key>a&amp;b</Key><Size>1</Size></Contents>\
                   <Contents><Key>c</Key></Contents><Key>open";
        assert_eq!(texts(xml, "Key").map(plain).collect::<Vec<_>>(), ["a&b", "c"]);
        assert_eq!((first(xml, "IsTruncated"), first(xml, "Nothing")), (Some("true"), None));
        assert_eq!(plain("&lt;&amp;lt;&#39;"), "<&lt;'");
    }

    #[test]
    fn refusals_are_told_by_what_can_be_done() {
        let told = |status, body: &str| told("s3://lake/x", "lake", status, body).to_string();
        assert!(
            told(403, "<Code>SignatureDoesNotMatch</Code>")
                .contains("(SignatureDoesNotMatch): check AWS_ACCESS_KEY_ID")
        );
        assert!(told(404, "<Code>NoSuchBucket</Code>").contains("no bucket lake"));
        assert_eq!(
            told(500, "<Code>\u{1b}[31mInternal Error</Code>"),
            "s3://lake/x: the store answers 500 31mInternalError"
        );
        assert_eq!(told(418, ""), "s3://lake/x: the store answers 418 ");
    }
}
