//! What of a URL may leave: host, path, query, and what is left of the others.

use super::facts::NameFacts;
use super::{Redactor, shape, split_at_byte};
use crate::view::{Target, without_user};
use memchr::memchr;
use tapwire_inspect::Domain;

/// Longest host name (RFC 1035) with brackets and port.
const LONGEST_HOST: usize = 263;

impl Redactor {
    pub(super) fn write_host(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let host = without_user(text);
        // No early exit, so that the compiler makes it a vector loop.
        let plain = |all: bool, b: &u8| {
            let (letter, digit) = ((b | 0x20).wrapping_sub(b'a') < 26, b.wrapping_sub(b'0') < 11);
            let mark = (*b == b'.') | (*b == b'-') | (*b == b'_') | (*b == b'[') | (*b == b']');
            all & (letter | digit | mark)
        };
        if host.len() <= LONGEST_HOST && host.iter().fold(true, plain) {
            out.extend_from_slice(host);
        } else {
            self.value(host, out);
        }
    }

    pub(super) fn write_path(&mut self, path: &[u8], out: &mut Vec<u8>) {
        let mut before: &[u8] = b"";
        for (at, segment) in path.split(|b| *b == b'/').enumerate() {
            if at > 0 {
                out.push(b'/');
            }
            self.write_segment(before, segment, out);
            before = segment;
        }
    }

    fn write_segment(&mut self, before: &[u8], segment: &[u8], out: &mut Vec<u8>) {
        if self.is_never_kept(before) && !segment.is_empty() {
            return Self::drop_value(out);
        }
        // Neither holds a parameter or an escape.
        if is_word(segment) || (shape::is_short_word(segment) && !self.is_told_by(before, segment)) {
            return out.extend_from_slice(segment);
        }
        let base = memchr(b';', segment).unwrap_or(segment.len());
        let (base, parameters) = segment.split_at_checked(base).unwrap_or((segment, b""));
        self.write_segment_base(before, base, out);
        for parameter in parameters.split(|b| *b == b';').skip(1) {
            out.push(b';');
            self.write_parameter(parameter, out);
        }
    }

    fn write_segment_base(&mut self, before: &[u8], base: &[u8], out: &mut Vec<u8>) {
        if is_word(base) {
            out.extend_from_slice(base);
        } else if self.leads_to_secret(before) {
            self.replace(Domain::Credential, base, out);
        } else {
            self.write_if(before, base, out, shape::is_open);
        }
    }

    /// Whether the segment before says that a harmless one is none.
    fn is_told_by(&mut self, before: &[u8], segment: &[u8]) -> bool {
        self.leads_to_secret(before) || self.is_of_class(before, segment)
    }

    fn leads_to_secret(&mut self, before: &[u8]) -> bool {
        if memchr(b'%', before).is_none() {
            return self.names.leads_to_secret(before);
        }
        let decoded = self.decode(before);
        let leads = self.names.leads_to_secret(&decoded);
        self.decoded = decoded;
        leads
    }

    /// What a name says, percent-encoded or not.
    pub(super) fn by_name<T>(&mut self, name: &[u8], tell: impl FnOnce(NameFacts) -> T) -> T {
        if memchr(b'%', name).is_none() {
            return tell(self.names.facts(name));
        }
        let decoded = self.decode(name);
        let told = tell(self.names.facts(&decoded));
        self.decoded = decoded;
        told
    }

    /// Writes the text as it is when its percent-decoded form may leave, by its shape and by the name before it, else that
    /// form's token.
    fn write_if(
        &mut self,
        name: &[u8],
        text: &[u8],
        out: &mut Vec<u8>,
        may_leave: impl FnOnce(&[u8]) -> bool,
    ) {
        if memchr(b'%', text).is_none() {
            let leaves = may_leave(text) && !self.is_of_class(name, text);
            return if leaves { out.extend_from_slice(text) } else { self.value(text, out) };
        }
        let decoded = self.decode(text);
        if may_leave(&decoded) && !self.is_of_class(name, &decoded) {
            out.extend_from_slice(text)
        } else {
            self.value(&decoded, out)
        }
        self.decoded = decoded;
    }

    /// Percent-decodes into the buffer kept for it, which the caller gives back.
    pub(super) fn decode(&mut self, text: &[u8]) -> Vec<u8> {
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let mut rest = text;
        while let Some((&byte, tail)) = rest.split_first() {
            let escaped = (byte == b'%').then(|| hex_pair(tail)).flatten();
            decoded.push(escaped.unwrap_or(byte));
            rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
        }
        decoded
    }

    pub(super) fn write_query(&mut self, query: &[u8], out: &mut Vec<u8>) {
        for (at, parameter) in query.split(|b| *b == b'&').enumerate() {
            if at > 0 {
                out.push(b'&');
            }
            self.write_parameter(parameter, out);
        }
    }

    fn write_parameter(&mut self, parameter: &[u8], out: &mut Vec<u8>) {
        let Some((name, value)) = split_at_byte(b'=', parameter) else {
            return self.write_name(parameter, out);
        };
        let facts = self.by_name(name, |facts| facts);
        if facts.open && memchr(b'%', name).is_none() {
            out.extend_from_slice(name);
        } else {
            self.write_if(b"", name, out, shape::is_open);
        }
        out.push(b'=');
        match facts.domain {
            _ if facts.never_kept => Self::drop_value(out),
            Some(domain) => self.replace_decoded(domain, value, out),
            None => self.write_if(name, value, out, shape::is_open_value),
        }
    }

    fn replace_decoded(&mut self, domain: Domain, text: &[u8], out: &mut Vec<u8>) {
        let decoded = self.decode(text);
        self.replace(domain, &decoded, out);
        self.decoded = decoded;
    }

    /// A parameter's, cookie's or header's name.
    pub(super) fn write_name(&mut self, name: &[u8], out: &mut Vec<u8>) {
        if memchr(b'%', name).is_none() && self.names.facts(name).open {
            out.extend_from_slice(name);
        } else {
            self.write_if(b"", name, out, shape::is_open);
        }
    }

    pub(super) fn write_url(&mut self, url: &[u8], out: &mut Vec<u8>) {
        let target = Target::parse(url);
        if let Some(authority) = target.authority {
            // The scheme is letters and digits, or there would be no authority.
            out.extend_from_slice(memchr(b':', url).and_then(|at| url.get(..at + 3)).unwrap_or_default());
            self.write_host(authority, out);
        }
        let bare_origin = target.authority.is_some() && url.len() == out.len() && target.query.is_none();
        if let Some(path) = target.path.filter(|_| !bare_origin) {
            self.write_path(path, out);
        }
        if let Some(query) = target.query {
            out.push(b'?');
            self.write_query(query, out);
        }
        // OAuth's implicit grant answers with its token in the fragment.
        if let Some((_, fragment)) = split_at_byte(b'#', url) {
            out.push(b'#');
            self.write_query(fragment, out);
        }
    }
}

/// Most segments of paths are words.
fn is_word(segment: &[u8]) -> bool {
    segment.len() <= 24 && segment.iter().all(|b| b.is_ascii_lowercase() || *b == b'-')
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(..2)?)
        .ok()
        .filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}
