//! The fields of heads: path segments, parameters of the query string, cookies, and header fields that an API gave its
//! own meaning.

use super::standard::is_standard;
use super::{FieldIndex, FieldList, Fields, Step};
use crate::fields::Equipment;
use crate::payload::PathHash;
use crate::{Parameter, PathSegment, percent};
use tapwire_protocol::Head;

/// Bytes of a name or value that are decoded.
const KEPT: usize = super::ODD_BYTES;

/// Marks that keep parameters of one name apart by their place.
const SEGMENT: u8 = b'/';
const QUERY: u8 = b'?';
const HEADER: u8 = b':';
const COOKIE: u8 = b';';

/// Collects the fields of one head after the other.
#[derive(Default)]
pub(crate) struct HeadFields {
    fields: Fields,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl HeadFields {
    /// Looking for these data classes.
    pub(crate) fn new(equipment: &Equipment) -> Self {
        let mut heads = Self::default();
        heads.fields.equip(equipment);
        heads
    }

    /// Takes the memory of a list that nobody looks at any more.
    pub(crate) fn reuse(&mut self, list: Option<Box<FieldList>>) {
        list.into_iter().for_each(|list| self.fields.reuse(list));
    }

    /// Those of a request.
    pub(crate) fn of_request(
        &mut self,
        head: &Head,
        segments: &[PathSegment],
        parameters: &[Parameter],
    ) -> Option<Box<FieldList>> {
        self.segments(head, segments);
        for parameter in parameters {
            self.name.clear();
            percent::decode_form(head.slice(parameter.name).bytes(), KEPT, &mut self.name);
            self.value.clear();
            let raw = head.slice(parameter.value).bytes();
            percent::decode_form(raw, KEPT, &mut self.value);
            let is_cut = self.value.len() >= KEPT && raw.len() > KEPT;
            let left_out = raw.len().saturating_sub(KEPT * 3).max(is_cut.into());
            self.tell(Step::Query, QUERY, left_out);
        }
        for (name, value) in head.headers() {
            match name.bytes() {
                name if name.eq_ignore_ascii_case(b"cookie") => {
                    value.bytes().split(|byte| *byte == b';').for_each(|pair| self.cookie(pair));
                }
                name => self.header(name, value.bytes()),
            }
        }
        self.fields.take()
    }

    /// Those of a response: the cookies it sets and its header fields.
    pub(crate) fn of_response(&mut self, head: &Head) -> Option<Box<FieldList>> {
        for (name, value) in head.headers() {
            match name.bytes() {
                name if name.eq_ignore_ascii_case(b"set-cookie") => {
                    self.cookie(value.bytes().split(|byte| *byte == b';').next().unwrap_or_default());
                }
                name => self.header(name, value.bytes()),
            }
        }
        self.fields.take()
    }

    /// Each segment lies behind the one before it, which says what it is.
    fn segments(&mut self, head: &Head, segments: &[PathSegment]) {
        let mut before = FieldIndex::NOWHERE;
        for (at, segment) in segments.iter().enumerate() {
            let number = u8::try_from(at).unwrap_or(u8::MAX);
            let path = PathHash::ROOT.kind(SEGMENT).kind(number);
            before =
                self.fields.step(before, path, Step::Segment, super::digits(number.into(), &mut [0; 10]));
            let raw = head.slice(segment.range).bytes();
            if raw.contains(&b'%') {
                let text = percent::decode(raw, KEPT);
                self.fields.untyped(before, &text, text.len());
            } else {
                self.fields.untyped(before, raw, raw.len());
            }
        }
    }

    fn cookie(&mut self, pair: &[u8]) {
        let pair = pair.trim_ascii();
        let Some(equals) = memchr::memchr(b'=', pair) else { return };
        let (name, value) = pair.split_at_checked(equals).unwrap_or_default();
        self.name.clear();
        self.name.extend_from_slice(name);
        self.value.clear();
        self.value.extend_from_slice(value.get(1..).unwrap_or_default());
        self.tell(Step::Cookie, COOKIE, 0);
    }

    fn header(&mut self, name: &[u8], value: &[u8]) {
        if is_standard(name) {
            return;
        }
        self.name.clear();
        self.name.extend(name.iter().map(u8::to_ascii_lowercase));
        self.value.clear();
        self.value.extend_from_slice(value);
        self.tell(Step::Header, HEADER, 0);
    }

    fn tell(&mut self, step: Step, place: u8, left_out: usize) {
        if self.name.is_empty() {
            return;
        }
        let path = PathHash::ROOT.kind(place).member(&self.name, self.name.len());
        let at = self.fields.step(FieldIndex::NOWHERE, path, step, &self.name);
        self.fields.untyped(at, &self.value, self.value.len() + left_out);
    }
}

#[cfg(test)]
mod tests {
    use crate::fields::tests::lines;
    use crate::transcript::exchange;
    use crate::{Config, Inspector, Observation, TokenKey};

    fn observe(request: &str, response: &str) -> Observation {
        let mut inspector = Inspector::new(Config::new(TokenKey::new([7; 32])));
        inspector.exchange(exchange(1, request.as_bytes(), response.as_bytes()))
    }

    #[test]
    fn parameters_of_a_request_have_their_places() {
        let request = "GET /v1/users/42?page=2&q=a%20b&page=10&flag HTTP/1.1\r\nHost: shop\r\nAccept: */*\r\n\
            X-Tenant: acme\r\nCookie: sid=abc; theme=dark\r\n\r\n";
        let observation = observe(request, "");
        let list = observation.request_fields.expect("fields");
        assert_eq!(
            lines(&list),
            [
                "path.0 text×1 len 2..2 [\"v1\"]",
                "path.1 text×1 len 5..5 [\"users\"]",
                "path.2 text×1 integer 42..42 len 2..2 [\"42\"]",
                "query.page text×2 integer 2..10 len 1..2 [\"10\", \"2\"]",
                "query.q text×1 len 3..3 [\"a b\"]",
                "query.flag text×1 len 0..0 [\"\"]",
                "header.x-tenant text×1 len 4..4 [\"acme\"]",
                "cookie.sid text×1 len 3..3",
                "cookie.theme text×1 len 4..4",
            ]
        );
    }

    #[test]
    fn header_fields_of_a_response_are_those_of_the_api() {
        let response = "HTTP/1.1 200 OK\r\nDate: today\r\nContent-Type: text/plain\r\nX-RateLimit-Limit: 100\r\n\
            Access-Control-Allow-Origin: *\r\nSet-Cookie: id=1; Path=/\r\n\r\nok";
        let list = observe("GET / HTTP/1.1\r\nHost: shop\r\n\r\n", response).response_fields.expect("fields");
        assert_eq!(
            lines(&list),
            [
                "header.x-ratelimit-limit text×1 integer 100..100 len 3..3 [\"100\"]",
                "cookie.id text×1 integer 1..1 len 1..1"
            ]
        );
    }

    #[test]
    fn a_head_without_parameters_has_no_list() {
        let observation = observe("GET / HTTP/1.1\r\nHost: shop\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n");
        assert!(observation.request_fields.is_none() && observation.response_fields.is_none());
    }
}
