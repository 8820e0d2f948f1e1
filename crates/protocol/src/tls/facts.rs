//! What is known of a TLS connection, as its exchanges carry it.

use super::certificate::Certificate;
use crate::Anomalies;

/// What is known of a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The server that the client asked for.
    pub sni: Option<String>,
    /// The protocol inside: what the server chose where that is visible, else what the client offers first.
    pub alpn: Option<String>,
    /// Whether the server's choice is known.
    pub alpn_chosen: bool,
    /// The version, such as `TLS 1.3`.
    pub version: Option<&'static str>,
    /// The cipher suite's name.
    pub cipher: Option<String>,
    /// Fingerprint of the client's hello.
    pub ja3: Option<String>,
    /// Fingerprint of the server's hello.
    pub ja3s: Option<String>,
    /// Fingerprint of the client's hello.
    pub ja4: Option<String>,
    /// The server's certificate, where it is visible or was decrypted.
    pub certificate: Option<Certificate>,
    /// The client's certificate (mutual TLS), likewise.
    pub client_certificate: Option<Certificate>,
    /// The client goes on with an earlier session.
    pub resumed: bool,
    /// Whether its records were decrypted.
    pub decrypted: bool,
    /// Why some were not.
    pub anomalies: Anomalies,
}

/// A protocol's name, where it can be shown.
pub(super) fn protocol_name(name: &[u8]) -> Option<String> {
    let shown = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/');
    let is_name = !name.is_empty() && name.len() <= 32 && name.iter().all(shown);
    is_name.then(|| name.iter().copied().map(char::from).collect())
}
