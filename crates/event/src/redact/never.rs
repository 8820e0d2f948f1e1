//! What leaves in no form and in no mode: verification codes, PINs and magnetic stripes of cards (PCI DSS 3.3.1).

use super::{Redacted, Redactor, card};

/// Stands where something was left out.
const DROPPED: &[u8] = b"dropped:";

/// Shortest text on a magnetic stripe: a sentinel, 12 digits, a separator and what follows.
const LEAST_TRACK: usize = 16;

impl Redactor {
    /// Nothing of a value, but that there was one.
    pub(super) fn dropped(scratch: &mut Vec<u8>) -> Redacted<'_> {
        scratch.clear();
        Self::drop_value(scratch);
        Redacted(scratch)
    }

    pub(super) fn drop_value(out: &mut Vec<u8>) {
        out.extend_from_slice(DROPPED);
    }

    /// A text as it is but for values that must not be kept, told by the name before them or by their form, and for what
    /// no number of a card may show.
    pub(super) fn write_what_may_be_kept(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut kept = Vec::with_capacity(text.len());
        self.write_pieces(text, &mut kept);
        card::truncate(&kept, out);
    }

    /// A text for the holder of the private key alone. A card's number may be kept encrypted (PCI DSS 3.5.1), what proves that
    /// the card is at hand may not.
    pub(super) fn write_sealed(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut kept = Vec::with_capacity(text.len());
        self.write_pieces(text, &mut kept);
        match &self.seal {
            Some(seal) => seal.write(&kept, out),
            None => Self::drop_value(out),
        }
    }

    /// Words between delimiters: `name=value`, `/name/value`, `"name": "value"`.
    fn write_pieces(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut before: &[u8] = b"";
        for piece in text.split_inclusive(|byte| is_delimiter(*byte)) {
            let (word, end) = match piece.split_last() {
                Some((last, word)) if is_delimiter(*last) => (word, Some(*last)),
                _ => (piece, None),
            };
            if !word.is_empty() && (self.is_never_kept(before) || is_track(word)) {
                Self::drop_value(out);
            } else if !self.write_escaped(word, out) {
                out.extend_from_slice(word);
            }
            out.extend(end);
            before = match end {
                Some(b'=' | b'/' | b':') if !word.is_empty() => word,
                // Behind the quote that ends a name, and around the colon behind it.
                Some(b'"' | b'\'' | b'\\') if !word.is_empty() && !self.is_never_kept(before) => word,
                Some(b'"' | b'\'' | b'\\' | b':' | b' ' | b'=') if word.is_empty() => before,
                _ => b"",
            };
        }
    }

    /// A word that holds delimiters under percent signs, decoded, if something in it must not be kept.
    fn write_escaped(&mut self, word: &[u8], out: &mut Vec<u8>) -> bool {
        if !word.contains(&b'%') {
            return false;
        }
        let decoded = self.decode(word);
        let mut kept = Vec::new();
        // Each decoding takes bytes away, so that this ends.
        if decoded.len() < word.len() {
            self.write_pieces(&decoded.clone(), &mut kept);
        }
        let spoilt = !kept.is_empty() && kept != decoded;
        self.decoded = decoded;
        if spoilt {
            out.extend_from_slice(&kept);
        }
        spoilt
    }

    /// Whether the value behind that name must not be kept.
    pub(super) fn is_never_kept(&mut self, name: &[u8]) -> bool {
        !name.is_empty() && self.by_name(name, |facts| facts.never_kept)
    }
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(
        byte,
        b'/' | b'?' | b'&' | b';' | b'#' | b'=' | b',' | b' ' | b':' | b'"' | b'\'' | b'\\' | b'{' | b'}'
    )
}

/// `%B…^NAME^…?` or `;…=…?`, the tracks of ISO/IEC 7813, as a client may send them percent-encoded or not.
fn is_track(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"%25").or_else(|| text.strip_prefix(b"%")).unwrap_or(text);
    let Some(number) = text.strip_prefix(b"B").filter(|_| text.len() >= LEAST_TRACK) else { return false };
    let length = digits(number);
    let behind = number.get(length..).unwrap_or_default();
    (12..=19).contains(&length) && (behind.starts_with(b"^") || behind.starts_with(b"%5E"))
}
