//! The opening handshake (RFC 6455, 4): whether it is one, and what it agrees on.

use super::deflate::Agreed;
use crate::{Anomalies, Anomaly, Direction, Head, Version};
use sha1::{Digest, Sha1};

/// What a server appends to the client's key (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Terms {
    /// permessage-deflate, client's and server's direction; `None` without it.
    deflate: Option<[Agreed; 2]>,
    /// An extension was agreed on that is not read here, or the handshake was not seen: what frames carry may be
    /// anything.
    pub(super) unknown: bool,
}

impl Terms {
    /// Of a connection whose handshake was not seen: with the widest windows, whatever they hold.
    pub(super) fn unseen() -> Self {
        Self { deflate: Some([Agreed::default(); 2]), unknown: true }
    }

    /// How that direction compresses, when it may.
    pub(super) fn deflate(&self, direction: Direction) -> Option<Agreed> {
        let [client, server] = self.deflate?;
        Some(match direction {
            Direction::ToServer => client,
            Direction::ToClient => server,
        })
    }
}

/// Reads what a handshake agreed on and names what is odd about it. A request that was not seen is not blamed.
pub(crate) fn terms(request: Option<&Head>, response: &Head, anomalies: &mut Anomalies) -> Terms {
    // Over HTTP/2 there is neither key nor answer to it (RFC 8441, 5).
    if let Some(request) = request.filter(|request| request.version != Version::Http2) {
        let key = request.header(b"sec-websocket-key").map(|key| key.bytes().trim_ascii());
        let answer = response.header(b"sec-websocket-accept").map(|accept| accept.bytes().trim_ascii());
        match key {
            None => anomalies.insert(Anomaly::WebsocketKeyMissing),
            Some(key) if !is_key(key) => anomalies.insert(Anomaly::WebsocketKeyMissing),
            Some(_) => {}
        }
        if answer != Some(&accept(key.unwrap_or_default())) {
            anomalies.insert(Anomaly::WebsocketAcceptMismatch);
        }
    }
    let mut terms = Terms::default();
    for value in response.values(b"sec-websocket-extensions") {
        value.bytes().split(|byte| *byte == b',').for_each(|extension| terms.add(extension));
    }
    terms
}

/// A key is 16 bytes in base64 (RFC 6455, 4.1).
fn is_key(key: &[u8]) -> bool {
    let symbol = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key.iter().take(22).all(symbol)
}

/// What a server must answer to that key.
pub(crate) fn accept(key: &[u8]) -> [u8; 28] {
    let hash = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    base64(&hash)
}

/// 20 bytes in base64, with padding.
fn base64(bytes: &[u8]) -> [u8; 28] {
    const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = [b'='; 28];
    for (group, text) in bytes.chunks(3).zip(out.chunks_mut(4)) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for (symbol, shift) in text.iter_mut().zip([18, 12, 6, 0]).take(group.len() + 1) {
            *symbol = SYMBOLS.get((bits >> shift & 63) as usize).copied().unwrap_or(b'=');
        }
    }
    out
}

impl Terms {
    /// Adds one element of `Sec-WebSocket-Extensions`, as the server states it (RFC 7692, 7.1).
    fn add(&mut self, extension: &[u8]) {
        let mut parts = extension.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        if name.is_empty() {
            return;
        }
        if !name.eq_ignore_ascii_case(b"permessage-deflate") || self.deflate.is_some() {
            self.unknown = true;
            return;
        }
        let [mut client, mut server] = [Agreed::default(); 2];
        for parameter in parts {
            let (name, value) = match parameter.iter().position(|byte| *byte == b'=') {
                Some(at) => (parameter.get(..at), parameter.get(at + 1..)),
                None => (Some(parameter), None),
            };
            match name.unwrap_or_default().trim_ascii().to_ascii_lowercase().as_slice() {
                b"client_no_context_takeover" => client.takeover = false,
                b"server_no_context_takeover" => server.takeover = false,
                b"client_max_window_bits" => client.window_bits = bits(value),
                b"server_max_window_bits" => server.window_bits = bits(value),
                _ => self.unknown = true,
            }
        }
        self.deflate = Some([client, server]);
    }
}

/// A window's size; what cannot be read is taken for the widest, which reads everything.
fn bits(value: Option<&[u8]>) -> u8 {
    let text = value.unwrap_or_default().trim_ascii();
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    let bits = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    bits.filter(|bits| (8..=15).contains(bits)).unwrap_or(15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::{parse_request, parse_response};

    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    fn agreed(request: Option<&str>, response: &str) -> (Terms, Vec<Anomaly>) {
        let (mut asked, mut answered, mut read) = (Head::default(), Head::default(), Anomalies::default());
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", request.unwrap_or_default());
        parse_request(text.as_bytes(), &mut asked, &mut read);
        let text = format!("HTTP/1.1 101 Switching Protocols\r\n{response}\r\n");
        parse_response(text.as_bytes(), &mut answered, &mut read);
        let mut anomalies = Anomalies::default();
        let terms = terms(request.map(|_| &asked), &answered, &mut anomalies);
        (terms, anomalies.iter().collect())
    }

    #[test]
    fn rfc6455_1_3_the_accept_value() {
        assert_eq!(&accept(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(agreed(Some(KEY), ACCEPT), (Terms::default(), vec![]));
    }

    #[test]
    fn keys_and_answers_that_do_not_fit_are_named() {
        let mismatch = agreed(Some(KEY), "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n").1;
        assert_eq!(mismatch, [Anomaly::WebsocketAcceptMismatch]);
        assert_eq!(agreed(Some(KEY), "").1, [Anomaly::WebsocketAcceptMismatch]);
        let both = [Anomaly::WebsocketKeyMissing, Anomaly::WebsocketAcceptMismatch];
        assert_eq!(agreed(Some(""), ACCEPT).1, both);
        assert_eq!(agreed(Some("Sec-WebSocket-Key: short\r\n"), ACCEPT).1, both);
        assert_eq!(agreed(None, "").1, [], "a request that was not seen is not blamed");
    }

    #[test]
    fn rfc7692_7_1_parameters() {
        let header = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; Client_Max_Window_Bits=10\r\n";
        let (terms, _) = agreed(None, header);
        let client = Agreed { takeover: true, window_bits: 10 };
        assert_eq!(terms.deflate(Direction::ToServer), Some(client));
        assert_eq!(terms.deflate(Direction::ToClient), Some(Agreed { takeover: false, window_bits: 15 }));
        assert!(!terms.unknown);
        let quoted =
            agreed(None, "Sec-WebSocket-Extensions: permessage-deflate;server_max_window_bits=\"9\"\r\n").0;
        assert_eq!(quoted.deflate(Direction::ToClient).unwrap().window_bits, 9);
        let widest =
            agreed(None, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99\r\n").0;
        assert_eq!(widest.deflate(Direction::ToServer).unwrap().window_bits, 15);
    }

    #[test]
    fn other_extensions_are_told() {
        for header in
            ["x-webkit-deflate-frame", "permessage-deflate, bbf-usp-protocol", "permessage-deflate; x=1"]
        {
            assert!(agreed(None, &format!("Sec-WebSocket-Extensions: {header}\r\n")).0.unknown, "{header}");
        }
        assert_eq!(agreed(None, "Sec-WebSocket-Extensions: \r\n").0, Terms::default());
    }
}
