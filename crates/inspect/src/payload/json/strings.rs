//! The insides of strings: keys and values.

use super::{Json, KEPT, State};
use crate::percent;

impl Json {
    /// The inside of a string, up to its end, an escape or the end of the input.
    pub(super) fn text<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (plain, rest) = bytes.split_at_checked(plain_len(bytes)).unwrap_or((bytes, &[]));
        if !self.key && self.text_len == 0 && rest.first() == Some(&b'"') {
            // Here whole and without escapes, as nearly all values are: it is looked at where it lies.
            self.want(plain);
            self.surrogate = None;
            self.fields.text(self.field, plain, plain.len());
            self.value_ended();
            return rest.get(1..).unwrap_or_default();
        }
        self.keep(plain);
        let Some((&byte, rest)) = rest.split_first() else { return &[] };
        if byte == b'"' {
            self.surrogate = None;
        }
        match byte {
            b'"' if self.key => {
                let text = std::mem::take(&mut self.text);
                self.key_ended(&text, self.text_len, false);
                self.text = text;
            }
            b'"' => {
                self.fields.text(self.field, &self.text, self.text_len);
                self.value_ended();
            }
            b'\\' => self.state = State::Escape,
            _ => self.state = State::Invalid,
        }
        rest
    }

    /// Keeps decoded bytes of a key or a value.
    fn keep(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.surrogate = None;
        }
        let room = KEPT.saturating_sub(self.text.len()).min(bytes.len());
        self.text.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.text_len += bytes.len();
        if !self.key {
            self.want(bytes);
        }
    }

    /// Hands on decoded bytes of a value that is wanted.
    fn want(&mut self, bytes: &[u8]) {
        if self.gather.is_open() {
            self.gather.bytes(bytes);
        } else if self.login.is_open() {
            self.login.value(bytes);
        }
    }

    pub(super) fn escape<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some((&byte, rest)) = bytes.split_first() else { return bytes };
        self.state = State::Text;
        match byte {
            b'"' | b'\\' | b'/' => self.keep(&[byte]),
            b'b' => self.keep(b"\x08"),
            b'f' => self.keep(b"\x0c"),
            b'n' => self.keep(b"\n"),
            b'r' => self.keep(b"\r"),
            b't' => self.keep(b"\t"),
            b'u' => {
                self.unit = 0;
                self.state = State::Unicode(4);
            }
            _ => self.state = State::Invalid,
        }
        rest
    }

    pub(super) fn unicode<'a>(&mut self, bytes: &'a [u8], left: u8) -> &'a [u8] {
        let Some((&byte, rest)) = bytes.split_first() else { return bytes };
        let Some(digit) = percent::nibble(byte) else {
            self.state = State::Invalid;
            return rest;
        };
        self.unit = self.unit << 4 | u16::from(digit);
        self.state = if left > 1 { State::Unicode(left - 1) } else { State::Text };
        if left == 1 {
            self.utf16_unit();
        }
        rest
    }

    /// A leading surrogate waits for the next unit; one that stands alone is kept as nothing.
    fn utf16_unit(&mut self) {
        let lead = self.surrogate.take();
        if (0xd800..0xdc00).contains(&self.unit) {
            self.surrogate = Some(self.unit);
            return;
        }
        let units = [lead.unwrap_or_default(), self.unit];
        let units = if lead.is_some() { units.as_slice() } else { units.get(1..).unwrap_or_default() };
        for decoded in char::decode_utf16(units.iter().copied()).flatten() {
            self.keep(decoded.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// How many bytes of a string come before a quote, a backslash or a control character; eight at a time.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = has_zero(word ^ (ONES * 0x22)) | has_zero(word ^ (ONES * 0x5c)) | control;
        if found != 0 {
            // A borrow can only mark bytes behind a true one, so the lowest mark is exact.
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let before = words.len() * 8;
    let stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    before + tail.iter().position(stop).unwrap_or(tail.len())
}
