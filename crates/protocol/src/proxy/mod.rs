//! The PROXY protocol, versions 1 and 2: one header in front of a stream that names its client.

mod v1;
mod v2;

use crate::ProxyHeader;

/// What the beginning of a stream is to the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyOutcome {
    /// Something else.
    NotProxy,
    /// Too few bytes to say, or to read the header.
    Partial,
    /// A header of `len` bytes; the stream proper follows.
    Complete {
        /// What it says.
        header: ProxyHeader,
        /// Its length in bytes.
        len: usize,
    },
    /// A header that cannot be read.
    Invalid {
        /// Its length in bytes where that is known; it may be more than the bytes at hand.
        len: Option<usize>,
    },
}

/// Reads a PROXY protocol header at the beginning of a stream.
pub fn parse(bytes: &[u8]) -> ProxyOutcome {
    match v2::parse(bytes) {
        ProxyOutcome::NotProxy => v1::parse(bytes),
        answer => answer,
    }
}

/// Whether `bytes` begins with `prefix`; `None` when it is too short to say.
fn begins_with(bytes: &[u8], prefix: &[u8]) -> Option<bool> {
    let len = bytes.len().min(prefix.len());
    match bytes.get(..len) == prefix.get(..len) {
        true if len < prefix.len() => None,
        equal => Some(equal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Anomaly, h1};
    use proptest::prelude::*;

    #[test]
    fn other_protocols_are_no_proxy_headers() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\n",
            b"\x16\x03\x01\x02\x00",
            b"\r\n\r\nGET /",
            b"PROXIED",
        ] {
            assert_eq!(parse(bytes), ProxyOutcome::NotProxy);
        }
        assert_eq!(parse(b"PROXY / HTTP/1.1\r\n\r\n"), ProxyOutcome::NotProxy);
    }

    #[test]
    fn beginnings_are_partial() {
        for bytes in [
            &b""[..],
            b"P",
            b"PROXY",
            b"PROXY ",
            b"\r\n\r\n",
            b"\r\n\r\n\0\r\nQUIT\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11",
        ] {
            assert_eq!(parse(bytes), ProxyOutcome::Partial, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes);
            parse(&[b"PROXY ", bytes.as_slice()].concat());
            parse(&[b"\r\n\r\n\0\r\nQUIT\n", bytes.as_slice()].concat());
        }
    }

    #[test]
    fn what_follows_a_header_is_untouched() {
        let stream = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let ProxyOutcome::Complete { len, .. } = parse(stream) else { panic!("a header") };
        assert_eq!(h1::probe(&stream[len..]), h1::Start::Request);
        assert_eq!(Anomaly::InvalidProxyHeader.name(), "invalid-proxy-header");
    }
}
