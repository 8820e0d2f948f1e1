//! The fields of a header block as a head (RFC 9113, 8.2 and 8.3), and what is odd about them.

use crate::h1::bytes::{is_target_byte, is_token, is_token_byte, range};
use crate::h1::{MAX_FIELDS, MAX_HEAD, is_forbidden};
use crate::{Anomalies, Anomaly, Field, Framing, Head, Range, Untrusted};

/// What a header block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// The head of a request.
    Request,
    /// The head of a response, interim or final.
    Response,
    /// What comes behind a body.
    Trailers,
}

/// Pseudo-header fields (RFC 9113, 8.3; RFC 8441, 4), as bits.
mod pseudo {
    pub(super) const METHOD: u8 = 1;
    pub(super) const SCHEME: u8 = 2;
    pub(super) const AUTHORITY: u8 = 4;
    pub(super) const PATH: u8 = 8;
    pub(super) const PROTOCOL: u8 = 16;
    pub(super) const STATUS: u8 = 32;
}

/// Fills a head from the fields of a block, in order.
pub(super) struct Fields<'a> {
    head: &'a mut Head,
    anomalies: &'a mut Anomalies,
    section: Section,
    /// Pseudo-header fields that came, of those that are known.
    pseudo: u8,
    /// A field that is no pseudo-header field came, or may have come.
    regular: bool,
    /// A field whose name is unknown came.
    unknown: bool,
    authority: Option<Range>,
    host: Option<Range>,
    length: Option<u64>,
}

/// What was read of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Summary {
    /// No pseudo-header field came, nor can have.
    pub(super) plain: bool,
    /// How long the body is said to be.
    pub(super) framing: Framing,
}

impl<'a> Fields<'a> {
    pub(super) fn new(head: &'a mut Head, anomalies: &'a mut Anomalies, section: Section) -> Self {
        if section == Section::Trailers {
            head.trailers_from.get_or_insert(head.fields.len());
        }
        Self {
            head,
            anomalies,
            section,
            pseudo: 0,
            regular: false,
            unknown: false,
            authority: None,
            host: None,
            length: None,
        }
    }

    /// The next field.
    pub(super) fn add(&mut self, name: Option<&[u8]>, value: Option<&[u8]>) {
        if name.is_none() || value.is_none() {
            self.anomalies.insert(Anomaly::UnknownFields);
        }
        match name {
            Some(name) if name.first() == Some(&b':') => self.pseudo(name, value),
            Some(name) => self.regular(name, value),
            None => {
                self.unknown = true;
                self.keep(None, value);
            }
        }
    }

    fn pseudo(&mut self, name: &[u8], value: Option<&[u8]>) {
        let (bit, section) = match name {
            b":method" => (pseudo::METHOD, Section::Request),
            b":scheme" => (pseudo::SCHEME, Section::Request),
            b":authority" => (pseudo::AUTHORITY, Section::Request),
            b":path" => (pseudo::PATH, Section::Request),
            b":protocol" => (pseudo::PROTOCOL, Section::Request),
            b":status" => (pseudo::STATUS, Section::Response),
            _ => return self.invalid_pseudo(name, value),
        };
        if section != self.section || self.regular {
            return self.invalid_pseudo(name, value);
        }
        if self.pseudo & bit != 0 {
            self.anomalies.insert(Anomaly::DuplicatePseudoHeader);
            self.keep(Some(name), value);
            return;
        }
        self.pseudo |= bit;
        let Some(value) = value else { return };
        self.note_value(value);
        match bit {
            pseudo::METHOD => self.method(value),
            pseudo::PATH => self.path(value),
            pseudo::STATUS => self.status(value),
            // The rest of the house knows the authority as Host.
            pseudo::AUTHORITY => self.authority = self.keep(Some(b"host"), Some(value)),
            pseudo::PROTOCOL => drop(self.keep(Some(name), Some(value))),
            _ => {}
        }
    }

    /// Kept among the others, for whoever reads the evidence.
    fn invalid_pseudo(&mut self, name: &[u8], value: Option<&[u8]>) {
        self.anomalies.insert(Anomaly::InvalidPseudoHeader);
        value.into_iter().for_each(|value| self.note_value(value));
        self.keep(Some(name), value);
    }

    fn method(&mut self, value: &[u8]) {
        if !is_token(value) {
            self.anomalies.insert(Anomaly::InvalidMethod);
        }
        self.head.method = self.text(value);
    }

    fn path(&mut self, value: &[u8]) {
        if value.contains(&b' ') {
            self.anomalies.insert(Anomaly::TargetWithSpaces);
        }
        let odd = |byte: &u8| !is_target_byte(*byte) && *byte != b' ';
        if value.is_empty() || value.iter().any(odd) {
            self.anomalies.insert(Anomaly::InvalidTarget);
        }
        self.head.target = self.text(value);
    }

    fn status(&mut self, value: &[u8]) {
        self.head.status = match value {
            [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => {
                Some(value.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
            }
            _ => None,
        };
        // RFC 9113, 8.6: there is no switching of protocols.
        if self.head.status.is_none_or(|status| status == 101) {
            self.anomalies.insert(Anomaly::InvalidStatus);
        }
    }

    fn regular(&mut self, name: &[u8], value: Option<&[u8]>) {
        self.regular = true;
        self.note_name(name);
        value.into_iter().for_each(|value| self.note_value(value));
        let kept = self.keep(Some(name), value);
        match (name, value) {
            (b"connection" | b"keep-alive" | b"proxy-connection" | b"upgrade", _) => {
                self.anomalies.insert(Anomaly::ConnectionSpecificField);
            }
            (b"te", Some(value)) if !value.eq_ignore_ascii_case(b"trailers") => {
                self.anomalies.insert(Anomaly::ConnectionSpecificField);
            }
            (b"transfer-encoding", _) => self.anomalies.insert(Anomaly::TransferEncodingInHttp2),
            (b"host", _) if self.host.is_some() => self.anomalies.insert(Anomaly::DuplicateHost),
            (b"host", _) => self.host = kept,
            (b"content-length", Some(value)) => self.content_length(value),
            _ => {}
        }
        if self.section == Section::Trailers && is_forbidden(Untrusted::new(name)) {
            self.anomalies.insert(Anomaly::ForbiddenTrailer);
        }
    }

    fn content_length(&mut self, value: &[u8]) {
        let number = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let Some(length) = number.and_then(|text| text.parse().ok()) else {
            return self.anomalies.insert(Anomaly::InvalidContentLength);
        };
        match self.length {
            None => self.length = Some(length),
            Some(before) => {
                self.anomalies.insert(Anomaly::DuplicateContentLength);
                if before != length {
                    self.anomalies.insert(Anomaly::ConflictingContentLength);
                }
            }
        }
    }

    /// RFC 9113, 8.2.1: a token without upper-case letters.
    fn note_name(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.anomalies.insert(Anomaly::InvalidFieldName);
        }
        if name.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'-' | b'0'..=b'9' | b'_')) {
            return;
        }
        for byte in name {
            match byte {
                b'A'..=b'Z' => self.anomalies.insert(Anomaly::UppercaseFieldName),
                b'\r' | b'\n' => self.anomalies.insert(Anomaly::LineBreakInField),
                0 => self.anomalies.insert(Anomaly::NulInHead),
                byte if is_token_byte(*byte) => {}
                _ => self.anomalies.insert(Anomaly::InvalidFieldName),
            }
        }
    }

    /// RFC 9113, 8.2.1: no NUL, CR or LF.
    fn note_value(&mut self, value: &[u8]) {
        let control = value.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == 0x7f));
        for byte in value.iter().filter(|byte| control && byte.is_ascii_control()) {
            match byte {
                b'\r' | b'\n' => self.anomalies.insert(Anomaly::LineBreakInField),
                0 => self.anomalies.insert(Anomaly::NulInHead),
                b'\t' => {}
                _ => self.anomalies.insert(Anomaly::InvalidByteInHead),
            }
        }
    }

    /// Keeps a field when there is room; gives where its value is.
    fn keep(&mut self, name: Option<&[u8]>, value: Option<&[u8]>) -> Option<Range> {
        let fits = self.head.fields.len() < MAX_FIELDS;
        let size = name.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        if !fits || self.head.text.len() + size > MAX_HEAD {
            self.anomalies.insert(Anomaly::OversizedHead);
            return None;
        }
        let name = name.and_then(|name| self.text(name));
        let value = value.and_then(|value| self.text(value));
        self.head.fields.push(Field { name, value });
        value
    }

    fn text(&mut self, bytes: &[u8]) -> Option<Range> {
        if self.head.text.len() + bytes.len() > MAX_HEAD {
            self.anomalies.insert(Anomaly::OversizedHead);
            return None;
        }
        let start = self.head.text.len();
        self.head.text.extend_from_slice(bytes);
        Some(range(start, self.head.text.len()))
    }

    /// The block has ended. What is missing is only said of one that is `whole`.
    pub(super) fn finish(mut self, whole: bool) -> Summary {
        match self.section {
            Section::Request => self.finish_request(whole),
            Section::Response if whole && !self.unknown && self.pseudo & pseudo::STATUS == 0 => {
                self.anomalies.insert(Anomaly::MissingPseudoHeader);
            }
            _ => {}
        }
        if self.head.trailers_from == Some(self.head.fields.len()) {
            self.head.trailers_from = None;
        }
        let framing = self.length.map_or(Framing::Close, Framing::Length);
        Summary { plain: self.pseudo == 0 && !self.unknown, framing }
    }

    fn finish_request(&mut self, whole: bool) {
        let has = |bits: u8| self.pseudo & bits == bits;
        let connect = self.head.method().is_some_and(|method| method.bytes() == b"CONNECT");
        // RFC 9113, 8.5, and RFC 8441, 4.
        let needed = if connect && !has(pseudo::PROTOCOL) {
            pseudo::METHOD | pseudo::AUTHORITY
        } else {
            pseudo::METHOD | pseudo::SCHEME | pseudo::PATH
        };
        let (lacks, unaddressed) = (!has(needed), !has(pseudo::AUTHORITY) && self.host.is_none());
        if connect && self.head.target.is_none() {
            self.head.target = self.authority;
        }
        if whole && !self.unknown {
            if lacks {
                self.anomalies.insert(Anomaly::MissingPseudoHeader);
            }
            if unaddressed {
                self.anomalies.insert(Anomaly::MissingHost);
            }
        }
        if let (Some(authority), Some(host)) = (self.authority, self.host)
            && !self.head.slice(authority).is(self.head.slice(host).bytes())
        {
            self.anomalies.insert(Anomaly::ConflictingHost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(section: Section, fields: &[(&str, &str)]) -> (Head, Vec<Anomaly>, Summary) {
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        let mut reading = Fields::new(&mut head, &mut anomalies, section);
        for (name, value) in fields {
            reading.add(Some(name.as_bytes()), Some(value.as_bytes()));
        }
        let summary = reading.finish(true);
        (head, anomalies.iter().collect(), summary)
    }

    const GET: [(&str, &str); 4] =
        [(":method", "GET"), (":scheme", "http"), (":path", "/a?b"), (":authority", "a.test")];

    fn with(more: &[(&str, &str)]) -> Vec<Anomaly> {
        read(Section::Request, &[&GET[..], more].concat()).1
    }

    #[test]
    fn rfc9113_8_3_1_a_request() {
        let (head, anomalies, summary) =
            read(Section::Request, &[&GET[..], &[("content-length", "12")]].concat());
        assert_eq!(anomalies, []);
        assert_eq!(head.method().unwrap().bytes(), b"GET");
        assert_eq!(head.target().unwrap().bytes(), b"/a?b");
        assert_eq!(head.header(b"host").unwrap().bytes(), b"a.test");
        assert_eq!((head.fields.len(), summary.framing), (2, Framing::Length(12)));
    }

    #[test]
    fn rfc9113_8_3_2_a_response() {
        let (head, anomalies, summary) = read(Section::Response, &[(":status", "404"), ("server", "a")]);
        assert_eq!((head.status, anomalies, summary.framing), (Some(404), vec![], Framing::Close));
        assert_eq!(read(Section::Response, &[("server", "a")]).1, [Anomaly::MissingPseudoHeader]);
        assert_eq!(read(Section::Response, &[(":status", "+20")]).1, [Anomaly::InvalidStatus]);
    }

    #[test]
    fn rfc9113_8_3_pseudo_header_fields_come_once_and_first() {
        assert_eq!(with(&[(":path", "/b")]), [Anomaly::DuplicatePseudoHeader]);
        assert_eq!(with(&[(":status", "200")]), [Anomaly::InvalidPseudoHeader]);
        assert_eq!(with(&[(":new", "1")]), [Anomaly::InvalidPseudoHeader]);
        assert_eq!(with(&[("a", "b"), (":protocol", "x")]), [Anomaly::InvalidPseudoHeader]);
        assert_eq!(read(Section::Request, &GET[..3]).1, [Anomaly::MissingHost]);
        assert_eq!(read(Section::Request, &GET[1..]).1, [Anomaly::MissingPseudoHeader]);
    }

    #[test]
    fn rfc9113_8_5_connect_has_neither_scheme_nor_path() {
        let (head, anomalies, _) = read(Section::Request, &[(":method", "CONNECT"), (":authority", "a:443")]);
        assert_eq!((head.target().unwrap().bytes(), anomalies), (&b"a:443"[..], vec![]));
    }

    #[test]
    fn rfc8441_4_extended_connect_has_all() {
        let fields = [&[(":method", "CONNECT"), (":protocol", "websocket")], &GET[1..]].concat();
        let (head, anomalies, _) = read(Section::Request, &fields);
        assert_eq!((head.target().unwrap().bytes(), anomalies), (&b"/a?b"[..], vec![]));
        assert_eq!(head.header(b":protocol").unwrap().bytes(), b"websocket");
    }

    #[test]
    fn rfc9113_8_2_signs_of_smuggling_are_named() {
        for (field, anomaly) in [
            (("X-Up", "1"), Anomaly::UppercaseFieldName),
            (("a b", "1"), Anomaly::InvalidFieldName),
            (("a:b", "1"), Anomaly::InvalidFieldName),
            (("", "1"), Anomaly::InvalidFieldName),
            (("a", "1\r\nb: 2"), Anomaly::LineBreakInField),
            (("a\n", "1"), Anomaly::LineBreakInField),
            (("a", "1\0"), Anomaly::NulInHead),
            (("a", "\x01"), Anomaly::InvalidByteInHead),
            (("connection", "close"), Anomaly::ConnectionSpecificField),
            (("te", "gzip"), Anomaly::ConnectionSpecificField),
            (("transfer-encoding", "chunked"), Anomaly::TransferEncodingInHttp2),
            (("content-length", "+1"), Anomaly::InvalidContentLength),
            (("host", "b.test"), Anomaly::ConflictingHost),
        ] {
            assert_eq!(with(&[field]), [anomaly], "{field:?}");
        }
        assert_eq!(with(&[("te", "trailers"), ("host", "A.test"), ("x", "a\tb")]), []);
        let smuggled =
            [(":method", "GET / HTTP/1.1"), (":scheme", "http"), (":path", "/a b"), (":authority", "a")];
        assert_eq!(read(Section::Request, &smuggled).1, [Anomaly::TargetWithSpaces, Anomaly::InvalidMethod]);
    }

    #[test]
    fn rfc9113_8_1_trailers_have_no_pseudo_header_fields() {
        let (head, anomalies, summary) = read(Section::Trailers, &[("grpc-status", "0")]);
        assert_eq!((head.trailers_from, anomalies, summary.plain), (Some(0), vec![], true));
        assert_eq!(read(Section::Trailers, &[(":status", "200")]).1, [Anomaly::InvalidPseudoHeader]);
        assert_eq!(read(Section::Trailers, &[("host", "a")]).1, [Anomaly::ForbiddenTrailer]);
        assert_eq!(read(Section::Trailers, &[]).0.trailers_from, None);
    }

    #[test]
    fn what_is_unknown_is_kept_as_unknown_and_nothing_is_said_to_be_missing() {
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        let mut reading = Fields::new(&mut head, &mut anomalies, Section::Request);
        reading.add(None, None);
        reading.add(None, Some(b"x"));
        assert!(!reading.finish(true).plain);
        assert_eq!(anomalies.iter().collect::<Vec<_>>(), [Anomaly::UnknownFields]);
        assert_eq!((head.fields.len(), head.headers().count()), (2, 0));
    }

    #[test]
    fn a_head_has_limits() {
        let long = "x".repeat(40_000);
        let (head, anomalies, _) =
            read(Section::Response, &[(":status", "200"), ("a", &long), ("b", &long), ("c", "d")]);
        assert_eq!((head.fields.len(), anomalies), (2, vec![Anomaly::OversizedHead]));
    }
}
