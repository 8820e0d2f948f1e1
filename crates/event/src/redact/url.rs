//! What of a URL may leave: host, path, query, and what is left of the others.

use super::facts::NameFacts;
use super::{Redactor, shape, split_at_byte};
use crate::view::Target;
use memchr::memchr;
use tapwire_inspect::Domain;
use tapwire_protocol::without_user;

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
        if host.len() > LONGEST_HOST || !host.iter().fold(true, plain) || shape::begins_as_key(host) {
            self.value(host, out);
        } else if shape::is_key_in_host(host) {
            self.write_labels(host, out);
        } else {
            out.extend_from_slice(host);
        }
    }

    /// Of a host with a key among its labels only that is taken out: the rest says whose it is.
    fn write_labels(&mut self, host: &[u8], out: &mut Vec<u8>) {
        for (at, label) in host.split(|b| *b == b'.').enumerate() {
            if at > 0 {
                out.push(b'.');
            }
            match shape::is_key_in_host(label) {
                true => self.value(label, out),
                false => out.extend_from_slice(label),
            }
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

    /// Percent-decodes into the buffer kept for it, which the caller gives back; what was encoded again, again.
    pub(super) fn decode(&mut self, text: &[u8]) -> Vec<u8> {
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        for byte in text {
            decoded.push(*byte);
            while let Some((kept, byte)) = last_escape(&decoded) {
                decoded.truncate(kept);
                decoded.push(byte);
            }
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

/// How much stands before an escape at the end, and what that stands for.
fn last_escape(text: &[u8]) -> Option<(usize, u8)> {
    match text.split_last_chunk::<3>()? {
        (rest, [b'%', high, low]) => Some((rest.len(), hex_pair(*high, *low)?)),
        _ => None,
    }
}

/// The byte of two hexadecimal digits.
pub(super) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(hex(high)? * 16 + hex(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Fidelity;
    use tapwire_inspect::TokenKey;

    fn redactor() -> Redactor {
        Redactor::new(TokenKey::new([7; 32]), Fidelity::Default)
    }

    #[test]
    fn a_host_that_holds_a_key_is_a_value() {
        for host in [
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc.example",
            "AKIAIOSFODNN7EXAMPLE",
            "akiaiosfodnn7example.example",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijklmnopqrstuvwxyz012345",
        ] {
            assert!(redactor().shown_host(host).starts_with("tok:"), "{host}");
        }
        for host in [
            "shop.example:8443",
            "ip-10-131-201-132.eu-west-1.compute.internal",
            "prodeastus2storage01.blob.core.windows.net",
            "0123456789ABCDEF0123456789ABCDEF.gr7.us-east-1.eks.amazonaws.com",
            "d111111abcdef8.cloudfront.net",
            "web-7d4b9c6f5-x2x7k.shop.svc.cluster.local",
            "xn--80ak6aa92e.com",
            "192.168.100.200:8080",
            "[2001:db8::1]:8443",
            "eyjafjallajokull.example",
        ] {
            assert_eq!(redactor().shown_host(host), host);
        }
        // Names that clouds make up are keys by their shape; whose they are stays.
        let host = "uxc4pjj3v5gdrhzl6ygrd6ogzm.appsync-api.eu-west-1.amazonaws.com";
        let shown = redactor().shown_host(host);
        assert!(
            shown.starts_with("tok:") && shown.ends_with(".appsync-api.eu-west-1.amazonaws.com"),
            "{shown}"
        );
    }

    #[test]
    fn what_was_encoded_again_is_decoded_again() {
        let told = |text: &[u8]| redactor().decode(text);
        assert_eq!(told(b"%2534%2535%2533%2539"), b"4539");
        assert_eq!(told(b"%25252534"), b"4");
        assert_eq!(told(b"%zz%2"), b"%zz%2");
    }
}
