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
    let mut values = head.headers().filter(|(field, _)| field.is(name));
    values.any(|(_, value)| elements(value.bytes()).any(|listed| listed.eq_ignore_ascii_case(element)))
}

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
        for (name, value) in head.headers() {
            let name = name.bytes();
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
    if !(16..=24).contains(&name.len()) {
        return false;
    }
    let letters = name.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase);
    letters.eq(b"transferencoding".iter().copied())
}
