//! What of the values of known headers may leave.

use super::{Redactor, names, shape, split_at_byte};
use tapwire_inspect::Domain;

impl Redactor {
    /// Words between the delimiters of header values, each replaced where it could be a key or an address, and where the
    /// word before it says that it is a secret: `token=…`.
    pub(super) fn write_words(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let (mut is_secret, mut never_kept) = (false, false);
        for piece in text.split_inclusive(|b| is_delimiter(*b)) {
            let (word, end) = match piece.split_last() {
                Some((last, word)) if is_delimiter(*last) => (word, Some(*last)),
                _ => (piece, None),
            };
            if never_kept && !word.is_empty() {
                Self::drop_value(out);
            } else if is_secret && !word.is_empty() {
                self.replace(Domain::Credential, word, out);
            } else if shape::is_open(word) {
                out.extend_from_slice(word)
            } else {
                self.value(word, out)
            }
            out.extend(end);
            is_secret = end == Some(b'=') && names::is_secret(word);
            never_kept = end == Some(b'=') && names::is_never_kept(word);
        }
    }

    pub(super) fn write_media_type(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for (at, part) in text.split(|b| *b == b';').enumerate() {
            let part = part.trim_ascii();
            if at == 0 {
                self.write_words(part, out);
            } else if part.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"charset=")) {
                out.extend_from_slice(b"; ");
                self.write_words(part, out);
            }
        }
    }

    pub(super) fn write_trace(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let plain =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'.' | b';' | b'=' | b'/');
        if text.len() <= 128 && text.iter().all(plain) {
            out.extend_from_slice(text)
        } else {
            self.value(text, out)
        }
    }

    pub(super) fn write_credentials(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let scheme =
            |word: &[u8]| word.len() <= 20 && word.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-');
        match split_at_byte(b' ', text).filter(|(word, _)| scheme(word)) {
            Some((word, secret)) => {
                out.extend_from_slice(word);
                out.push(b' ');
                self.replace(Domain::Credential, secret.trim_ascii(), out);
            }
            None => self.replace(Domain::Credential, text, out),
        }
    }

    pub(super) fn write_cookies(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for (at, pair) in text.split(|b| *b == b';').enumerate() {
            if at > 0 {
                out.extend_from_slice(b"; ");
            }
            self.write_cookie(pair.trim_ascii(), out);
        }
    }

    fn write_cookie(&mut self, pair: &[u8], out: &mut Vec<u8>) {
        match split_at_byte(b'=', pair) {
            Some((name, value)) => {
                self.write_name(name, out);
                out.push(b'=');
                if self.is_never_kept(name) {
                    Self::drop_value(out);
                } else {
                    self.replace(Domain::Credential, value, out);
                }
            }
            None => self.replace(Domain::Credential, pair, out),
        }
    }

    pub(super) fn write_set_cookie(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let (pair, attributes) = split_at_byte(b';', text).unwrap_or((text, b""));
        self.write_cookie(pair.trim_ascii(), out);
        for attribute in attributes.split(|b| *b == b';').map(<[u8]>::trim_ascii).filter(|a| !a.is_empty()) {
            out.extend_from_slice(b"; ");
            if is_cookie_attribute(attribute) {
                self.write_words(attribute, out)
            } else {
                self.value(attribute, out)
            }
        }
    }
}

/// The attributes of RFC 6265bis.
fn is_cookie_attribute(attribute: &[u8]) -> bool {
    let name = split_at_byte(b'=', attribute).map_or(attribute, |(name, _)| name);
    let known: [&[u8]; 8] =
        [b"expires", b"max-age", b"domain", b"path", b"secure", b"httponly", b"samesite", b"partitioned"];
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b',' | b';' | b'=' | b'(' | b')' | b'"' | b'<' | b'>' | b'\'')
}
