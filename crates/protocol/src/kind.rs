//! What connections speak, for counting those that are not read.

/// What a connection speaks, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// No payload, or nothing that could be recognised yet.
    Unknown,
    /// HTTP/1.
    Http1,
    /// HTTP/2.
    Http2,
    /// TLS or SSL.
    Tls,
    /// SSH.
    Ssh,
    /// WebSocket behind an upgrade.
    WebSocket,
    /// Nothing known.
    Other,
}

impl Kind {
    /// Every kind, in the order of the counters.
    pub const ALL: [Self; 7] =
        [Self::Unknown, Self::Http1, Self::Http2, Self::Tls, Self::Ssh, Self::WebSocket, Self::Other];

    /// As summaries spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Http1 => "http/1",
            Self::Http2 => "http/2",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
            Self::WebSocket => "websocket",
            Self::Other => "other",
        }
    }

    /// The kind that these first bytes of a chunk prove, when they are no HTTP.
    pub(crate) fn of_first_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"SSH-") { Some(Self::Ssh) } else { None }
    }
}
