//! Where a message's body ends (RFC 9112, 6.3), and what a head says about its connection.

use super::bytes::{is_ows, is_separator, trim};
use crate::{Anomalies, Anomaly, Framing, Head, Version};

/// How a request's body is framed (RFC 9112, 6.3). Where servers answer 400 because the framing is faulty, the sensor
/// reads no body.
pub fn request_framing(head: &Head, anomalies: &mut Anomalies) -> Framing {
    let stated = Stated::read(head, anomalies);
    match (stated.coding, stated.length) {
        (Coding::Chunked, _) => Framing::Chunked,
        (Coding::Absent | Coding::Identity, Length::Bytes(bytes)) if bytes > 0 => Framing::Length(bytes),
        _ => Framing::None,
    }
}

/// How a response's body is framed (RFC 9112, 6.3). An unknown request method is taken for one that is neither HEAD nor
/// CONNECT.
pub fn response_framing(head: &Head, request_method: Option<&[u8]>, anomalies: &mut Anomalies) -> Framing {
    let stated = Stated::read(head, anomalies);
    let status = head.status.unwrap_or(200);
    let connected = request_method == Some(b"CONNECT") && (200..300).contains(&status);
    if connected || status == 101 {
        anomalies.insert(Anomaly::Tunnel);
    }
    if (connected || (100..200).contains(&status) || status == 204) && stated.has_body() {
        anomalies.insert(Anomaly::BodyWhereNoneMayBe);
    }
    match (stated.coding, stated.length) {
        _ if connected || status == 101 => Framing::Tunnel,
        _ if (100..200).contains(&status) || matches!(status, 204 | 304) => Framing::None,
        _ if request_method == Some(b"HEAD") => Framing::None,
        (Coding::Chunked, _) => Framing::Chunked,
        (Coding::Absent | Coding::Identity, Length::Bytes(0)) => Framing::None,
        (Coding::Absent | Coding::Identity, Length::Bytes(bytes)) => Framing::Length(bytes),
        _ => Framing::Close,
    }
}

/// Whether the connection stays open behind this message, as far as its head says (RFC 9112, 9.3).
pub fn keeps_open(head: &Head) -> bool {
    match head.version {
        Version::Http09 | Version::Http10 => {
            lists(head, b"connection", b"keep-alive") && !lists(head, b"connection", b"close")
        }
        _ => !lists(head, b"connection", b"close"),
    }
}

/// Whether a request waits for 100 (Continue) before it sends its body (RFC 9110, 10.1.1).
pub fn expects_continue(head: &Head) -> bool {
    head.version != Version::Http10 && lists(head, b"expect", b"100-continue")
}

/// The protocol that an Upgrade asks for or, in a 101, switches to: `websocket`, `h2c` or `other` (RFC 9110, 7.8).
pub fn upgrade(head: &Head) -> Option<&'static str> {
    let protocol = head.header(b"upgrade")?;
    if head.version == Version::Http10 || !lists(head, b"connection", b"upgrade") {
        return None;
    }
    let names = |known: &[u8]| elements(protocol.bytes()).any(|name| name.eq_ignore_ascii_case(known));
    Some(match () {
        () if names(b"websocket") => "websocket",
        () if names(b"h2c") => "h2c",
        () => "other",
    })
}

/// The elements of a comma-separated list without the white space around them, empty ones included.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(|element| trim(element, |byte| is_ows(byte) || matches!(byte, b'\r' | b'\n')))
}

fn lists(head: &Head, name: &[u8], element: &[u8]) -> bool {
    let mut values = head.values(name);
    values.any(|value| elements(value.bytes()).any(|listed| listed.eq_ignore_ascii_case(element)))
}

/// Bytes of the name.
const CONTENT_LENGTH: usize = 14;

/// Bytes of names that may be Transfer-Encoding to somebody: without its hyphen, or with some bytes more.
const TRANSFER_ENCODING: std::ops::RangeInclusive<usize> = 16..=24;

/// What a head states about its body.
#[derive(Default)]
struct Stated {
    length: Length,
    coding: Coding,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Length {
    #[default]
    Absent,
    Bytes(u64),
    /// Stated, but no number can be made of it.
    Unreadable,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Coding {
    #[default]
    Absent,
    /// The last coding is chunked.
    Chunked,
    /// Nothing but `identity`, which RFC 2616 had, or empty: as good as absent to those who let it pass.
    Identity,
    /// The last coding is another one.
    Other,
}

impl Stated {
    /// Reads Content-Length and Transfer-Encoding in one pass and names what is odd about them.
    fn read(head: &Head, anomalies: &mut Anomalies) -> Self {
        let mut stated = Self::default();
        for field in head.fields.iter().take(head.trailers_from.unwrap_or(head.fields.len())) {
            let (Some(name), Some(value)) = (field.name, field.value) else { continue };
            if name.len() != CONTENT_LENGTH && !TRANSFER_ENCODING.contains(&name.len()) {
                continue;
            }
            let (name, value) = (head.slice(name).bytes(), head.slice(value));
            if name.eq_ignore_ascii_case(b"content-length") {
                stated.content_length(value.bytes(), anomalies);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                stated.transfer_encoding(value.bytes(), anomalies);
            } else if resembles_transfer_encoding(name) {
                anomalies.insert(Anomaly::ObfuscatedTransferEncoding);
            }
        }
        stated.conclude(head.version, anomalies);
        stated
    }

    /// Whether a body is stated; a length of zero states none.
    fn has_body(&self) -> bool {
        self.coding != Coding::Absent || !matches!(self.length, Length::Absent | Length::Bytes(0))
    }

    /// The first value that is a number counts. Equal values may be taken for one (RFC 9110, 8.6).
    fn content_length(&mut self, value: &[u8], anomalies: &mut Anomalies) {
        if let (Length::Absent, Some(bytes)) = (self.length, plain_number(value)) {
            self.length = Length::Bytes(bytes);
            return;
        }
        for element in elements(value) {
            let length = read_length(element, anomalies);
            match self.length {
                Length::Absent => self.length = length,
                first => {
                    anomalies.insert(Anomaly::DuplicateContentLength);
                    if first != length {
                        anomalies.insert(Anomaly::ConflictingContentLength);
                    }
                    if first == Length::Unreadable {
                        self.length = length;
                    }
                }
            }
        }
    }

    fn transfer_encoding(&mut self, value: &[u8], anomalies: &mut Anomalies) {
        if self.coding != Coding::Absent {
            anomalies.insert(Anomaly::DuplicateTransferEncoding);
        }
        for element in elements(value) {
            let coding = read_coding(element, anomalies);
            if element.is_empty() && self.coding != Coding::Absent {
                continue;
            }
            if self.coding == Coding::Chunked {
                // Chunked must be applied once and last (RFC 9112, 6.1).
                anomalies.insert(Anomaly::ObfuscatedTransferEncoding);
            }
            self.coding = match (self.coding, coding) {
                (Coding::Absent | Coding::Identity, Coding::Identity) => Coding::Identity,
                (_, Coding::Identity) => Coding::Other,
                (_, last) => last,
            };
        }
    }

    fn conclude(&mut self, version: Version, anomalies: &mut Anomalies) {
        if self.coding == Coding::Absent {
            return;
        }
        if self.length != Length::Absent {
            anomalies.insert(Anomaly::LengthWithTransferEncoding);
        }
        if self.coding != Coding::Chunked {
            anomalies.insert(Anomaly::TransferEncodingNotChunked);
        }
        if matches!(version, Version::Http09 | Version::Http10) {
            anomalies.insert(Anomaly::TransferEncodingInHttp10);
        }
    }
}

/// A number of at most 18 digits and nothing else, as nearly all are.
fn plain_number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 {
        return None;
    }
    value.iter().try_fold(0, |sum: u64, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| sum * 10 + u64::from(digit))
    })
}

/// Reads one Content-Length. A plus sign or text behind the digits does not keep `strtol` and its like from reading a
/// number, so the sensor reads it too.
fn read_length(element: &[u8], anomalies: &mut Anomalies) -> Length {
    let unsigned = element.strip_prefix(b"+").unwrap_or(element);
    let digits = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits < element.len() {
        anomalies.insert(Anomaly::InvalidContentLength);
    }
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    match unsigned.iter().take(digits).try_fold(0, add) {
        Some(bytes) if digits > 0 => Length::Bytes(bytes),
        _ => {
            anomalies.insert(Anomaly::InvalidContentLength);
            Length::Unreadable
        }
    }
}

/// Reads one transfer coding. Controls around `chunked` are stripped by some servers and refused by others.
fn read_coding(element: &[u8], anomalies: &mut Anomalies) -> Coding {
    let bare = trim(element, |byte| is_separator(byte) || byte.is_ascii_control());
    let known = [&b"gzip"[..], b"x-gzip", b"deflate", b"compress", b"x-compress"];
    let chunked = bare.eq_ignore_ascii_case(b"chunked");
    if bare.len() < element.len() || !(chunked || known.iter().any(|name| name.eq_ignore_ascii_case(bare))) {
        anomalies.insert(Anomaly::ObfuscatedTransferEncoding);
    }
    match () {
        () if chunked => Coding::Chunked,
        () if bare.is_empty() || bare.eq_ignore_ascii_case(b"identity") => Coding::Identity,
        () => Coding::Other,
    }
}

/// Whether a field name would be Transfer-Encoding to a server that drops or maps bytes it does not like.
fn resembles_transfer_encoding(name: &[u8]) -> bool {
    if !matches!(name.first(), Some(b't' | b'T')) && name.first().is_some_and(u8::is_ascii_alphabetic) {
        return false;
    }
    let letters = name.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase);
    letters.eq(b"transferencoding".iter().copied())
}

#[cfg(test)]
mod tests {
    use super::super::{parse_request, parse_response};
    use super::Anomaly::*;
    use super::*;

    fn request(version: &str, fields: &[&str]) -> (Framing, Vec<Anomaly>) {
        let raw = format!("POST / HTTP/{version}\r\nHost: a\r\n{}\r\n\r\n", fields.join("\r\n"));
        let (mut head, mut ignored, mut anomalies) =
            (Head::default(), Anomalies::default(), Anomalies::default());
        parse_request(raw.as_bytes(), &mut head, &mut ignored);
        (request_framing(&head, &mut anomalies), anomalies.iter().collect())
    }

    fn response_to(method: &str, status: u16, fields: &[&str]) -> (Framing, Vec<Anomaly>) {
        let lines: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let raw = format!("HTTP/1.1 {status} Reason\r\n{lines}\r\n");
        let (mut head, mut ignored, mut anomalies) =
            (Head::default(), Anomalies::default(), Anomalies::default());
        parse_response(raw.as_bytes(), &mut head, &mut ignored);
        let method = (!method.is_empty()).then_some(method.as_bytes());
        (response_framing(&head, method, &mut anomalies), anomalies.iter().collect())
    }

    const CHUNKED: &str = "Transfer-Encoding: chunked";
    const LENGTH: &str = "Content-Length: 5";

    #[test]
    fn rfc9112_6_3_1_head_1xx_204_and_304_have_no_body() {
        for (method, status) in [("HEAD", 200), ("GET", 100), ("GET", 103), ("GET", 204), ("GET", 304)] {
            assert_eq!(response_to(method, status, &[]), (Framing::None, vec![]), "{method} {status}");
        }
        for fields in [LENGTH, CHUNKED] {
            assert_eq!(response_to("HEAD", 200, &[fields]), (Framing::None, vec![]));
            assert_eq!(response_to("GET", 304, &[fields]), (Framing::None, vec![]));
            assert_eq!(response_to("GET", 204, &[fields]), (Framing::None, vec![BodyWhereNoneMayBe]));
            assert_eq!(response_to("GET", 102, &[fields]), (Framing::None, vec![BodyWhereNoneMayBe]));
        }
        assert_eq!(response_to("GET", 204, &["Content-Length: 0"]), (Framing::None, vec![]));
    }

    #[test]
    fn rfc9112_6_3_2_connect_answered_with_2xx_is_a_tunnel() {
        assert_eq!(response_to("CONNECT", 200, &[]), (Framing::Tunnel, vec![Tunnel]));
        assert_eq!(
            response_to("CONNECT", 200, &[LENGTH]),
            (Framing::Tunnel, vec![BodyWhereNoneMayBe, Tunnel])
        );
        assert_eq!(response_to("CONNECT", 407, &[LENGTH]), (Framing::Length(5), vec![]));
        assert_eq!(response_to("GET", 101, &["Upgrade: websocket"]), (Framing::Tunnel, vec![Tunnel]));
    }

    #[test]
    fn rfc9112_6_3_3_transfer_encoding_overrides_content_length() {
        let both = [LENGTH, CHUNKED];
        assert_eq!(request("1.1", &both), (Framing::Chunked, vec![LengthWithTransferEncoding]));
        assert_eq!(response_to("GET", 200, &both), (Framing::Chunked, vec![LengthWithTransferEncoding]));
    }

    #[test]
    fn rfc9112_6_3_4_chunked_last_frames_the_body() {
        for field in [
            CHUNKED,
            "transfer-encoding:CHUNKED",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: gzip ,\tchunked",
        ] {
            assert_eq!(request("1.1", &[field]), (Framing::Chunked, vec![]), "{field}");
            assert_eq!(response_to("GET", 200, &[field]), (Framing::Chunked, vec![]), "{field}");
        }
    }

    #[test]
    fn rfc9112_6_3_4_not_ending_in_chunked_is_until_close_or_nothing() {
        let odd = vec![TransferEncodingNotChunked];
        assert_eq!(request("1.1", &["Transfer-Encoding: gzip"]), (Framing::None, odd.clone()));
        assert_eq!(response_to("GET", 200, &["Transfer-Encoding: gzip"]), (Framing::Close, odd));
        let odd = vec![TransferEncodingNotChunked, ObfuscatedTransferEncoding];
        for value in [
            "xchunked",
            "chunked, identity",
            "chunked, gzip",
            "\"chunked\"",
            "chunked;a=b",
            "chunkedchunked",
            "'chunked'",
            "chun ked",
        ] {
            let field = format!("Transfer-Encoding: {value}");
            assert_eq!(request("1.1", &[&field]).0, Framing::None, "{value}");
            let (framing, anomalies) = response_to("GET", 200, &[&field]);
            assert_eq!(framing, Framing::Close, "{value}");
            assert_eq!(anomalies, odd, "{value}");
        }
    }

    #[test]
    fn transfer_encodings_that_servers_read_differently_are_named() {
        let odd = [ObfuscatedTransferEncoding];
        for value in [
            "\x0bchunked",
            "chunked\x0c",
            "chunked, chunked",
            ", chunked",
            "chunked,",
            "identity, chunked",
            "foo, chunked",
        ] {
            let (framing, anomalies) = request("1.1", &[&format!("Transfer-Encoding: {value}")]);
            assert_eq!((framing, &anomalies[..]), (Framing::Chunked, &odd[..]), "{value:?}");
        }
        let twice = ["Transfer-Encoding: gzip", CHUNKED];
        assert_eq!(request("1.1", &twice), (Framing::Chunked, vec![DuplicateTransferEncoding]));
        assert_eq!(request("1.0", &[CHUNKED]), (Framing::Chunked, vec![TransferEncodingInHttp10]));
        for name in ["Transfer_Encoding", "Transfer-Encoding\0", "Transfer\x0b-Encoding"] {
            assert_eq!(
                request("1.1", &[&format!("{name}: chunked")]),
                (Framing::None, odd.to_vec()),
                "{name:?}"
            );
        }
    }

    #[test]
    fn rfc9112_5_2_a_folded_coding_is_read_as_one_value() {
        assert_eq!(request("1.1", &["Transfer-Encoding:", " chunked"]), (Framing::Chunked, vec![]));
        assert_eq!(request("1.1", &["Transfer-Encoding: gzip,", "\tchunked"]), (Framing::Chunked, vec![]));
        let folded = request("1.1", &["Transfer-Encoding: chunked", " abc"]);
        assert_eq!(folded, (Framing::None, vec![TransferEncodingNotChunked, ObfuscatedTransferEncoding]));
    }

    #[test]
    fn identity_leaves_the_length_in_force() {
        let odd = vec![LengthWithTransferEncoding, TransferEncodingNotChunked, ObfuscatedTransferEncoding];
        for value in ["identity", ""] {
            let fields = [&format!("Transfer-Encoding: {value}"), LENGTH];
            assert_eq!(request("1.1", &fields), (Framing::Length(5), odd.clone()), "{value:?}");
        }
        assert_eq!(request("1.1", &["Transfer-Encoding: gzip, identity", LENGTH]), (Framing::None, odd));
    }

    #[test]
    fn rfc9112_6_3_5_invalid_lengths_are_named() {
        for (value, framing) in [
            ("+5", Framing::Length(5)),
            ("5 5", Framing::Length(5)),
            ("5a", Framing::Length(5)),
            ("5.0", Framing::Length(5)),
            ("0x5", Framing::None),
            ("-5", Framing::None),
            ("five", Framing::None),
            ("", Framing::None),
            ("18446744073709551616", Framing::None),
        ] {
            let (read, anomalies) = request("1.1", &[&format!("Content-Length: {value}")]);
            assert_eq!((read, &anomalies[..]), (framing, &[InvalidContentLength][..]), "{value}");
        }
        assert_eq!(
            response_to("GET", 200, &["Content-Length: x"]),
            (Framing::Close, vec![InvalidContentLength])
        );
        let largest = request("1.1", &["Content-Length: 18446744073709551615"]);
        assert_eq!(largest, (Framing::Length(u64::MAX), vec![]));
    }

    #[test]
    fn rfc9110_8_6_repeated_lengths_are_named() {
        for fields in [&["Content-Length: 5, 5"][..], &[LENGTH, LENGTH], &["Content-Length: 05", LENGTH]] {
            assert_eq!(
                request("1.1", fields),
                (Framing::Length(5), vec![DuplicateContentLength]),
                "{fields:?}"
            );
        }
        let odd = vec![DuplicateContentLength, ConflictingContentLength];
        for fields in [&["Content-Length: 5, 6"][..], &[LENGTH, "Content-Length: 6"]] {
            assert_eq!(request("1.1", fields), (Framing::Length(5), odd.clone()), "{fields:?}");
            assert_eq!(response_to("GET", 200, fields), (Framing::Length(5), odd.clone()), "{fields:?}");
        }
    }

    #[test]
    fn rfc9112_6_3_6_to_8_the_length_or_nothing_decides() {
        assert_eq!(request("1.1", &["Content-Length:\t5\t"]), (Framing::Length(5), vec![]));
        assert_eq!(request("1.1", &["Content-Length: 0"]), (Framing::None, vec![]));
        assert_eq!(request("1.1", &["A: b"]), (Framing::None, vec![]));
        assert_eq!(response_to("GET", 200, &[LENGTH]), (Framing::Length(5), vec![]));
        assert_eq!(response_to("GET", 200, &["Content-Length: 0"]), (Framing::None, vec![]));
        assert_eq!(response_to("GET", 200, &[]), (Framing::Close, vec![]));
        assert_eq!(response_to("", 200, &[LENGTH]), (Framing::Length(5), vec![]));
    }

    fn head(version: &str, fields: &str) -> Head {
        let mut head = Head::default();
        let raw = format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n\r\n");
        parse_request(raw.as_bytes(), &mut head, &mut Anomalies::default());
        head
    }

    #[test]
    fn rfc9112_9_3_persistence() {
        for (version, fields, open) in [
            ("1.1", "A: b", true),
            ("1.1", "Connection: Close", false),
            ("1.1", "Connection: keep-alive, close", false),
            ("1.1", "Connection: foo\r\nconnection: close", false),
            ("1.0", "A: b", false),
            ("1.0", "Connection: Keep-Alive", true),
            ("1.0", "Connection: keep-alive, close", false),
        ] {
            assert_eq!(keeps_open(&head(version, fields)), open, "{version} {fields}");
        }
    }

    #[test]
    fn rfc9110_10_1_1_expectations() {
        assert!(expects_continue(&head("1.1", "Expect: 100-Continue")));
        assert!(!expects_continue(&head("1.0", "Expect: 100-continue")));
        assert!(!expects_continue(&head("1.1", "Expect: 200-ok")));
    }

    #[test]
    fn rfc9110_7_8_upgrades() {
        for (fields, protocol) in [
            ("Connection: Upgrade\r\nUpgrade: WebSocket", Some("websocket")),
            ("Connection: keep-alive, upgrade\r\nUpgrade: foo, h2c", Some("h2c")),
            ("Connection: upgrade\r\nUpgrade: TLS/1.2", Some("other")),
            ("Upgrade: websocket", None),
            ("Connection: upgrade", None),
        ] {
            assert_eq!(upgrade(&head("1.1", fields)), protocol, "{fields}");
        }
        assert_eq!(upgrade(&head("1.0", "Connection: upgrade\r\nUpgrade: h2c")), None);
    }
}
