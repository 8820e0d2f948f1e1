//! What a text is made of, told in one pass: which formats it may have and which data classes it may be of follows from it.

/// Kinds of bytes that a text has, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Made(u32);

impl Made {
    pub(crate) const DIGIT: u32 = 1;
    /// `a` to `f` in either case.
    pub(crate) const HEX: u32 = 1 << 1;
    /// The other letters of ASCII.
    pub(crate) const LETTER: u32 = 1 << 2;
    pub(crate) const DASH: u32 = 1 << 3;
    pub(crate) const DOT: u32 = 1 << 4;
    pub(crate) const COLON: u32 = 1 << 5;
    pub(crate) const AT: u32 = 1 << 6;
    pub(crate) const SLASH: u32 = 1 << 7;
    pub(crate) const PLUS: u32 = 1 << 8;
    pub(crate) const EQUALS: u32 = 1 << 9;
    /// What else may stand in a URI.
    pub(crate) const OF_URI: u32 = 1 << 10;
    /// What no format has.
    pub(crate) const ELSE: u32 = 1 << 11;
    /// What stands in no word of an API: such words are the texts that are one of few.
    pub(crate) const NO_WORD: u32 = 1 << 12;
    /// A letter of any script: bytes beyond ASCII count as such.
    pub(crate) const ANY_LETTER: u32 = 1 << 13;
    pub(crate) const SPACE: u32 = 1 << 14;
    /// What stands between groups of digits, as in phone numbers.
    pub(crate) const GROUPS: u32 = 1 << 15;
    /// Other marks than those and `@`.
    pub(crate) const MARK: u32 = 1 << 16;
    /// What ends a word in running text.
    pub(crate) const BREAK: u32 = 1 << 17;

    /// What programs read: quotes, brackets, what parts commands.
    pub(crate) const ODD: u32 = 1 << 18;

    /// Nothing yet.
    pub(crate) const NOTHING: Self = Self(0);

    /// Adds the kinds of another byte.
    pub(crate) const fn add(&mut self, kinds: u32) {
        self.0 |= kinds;
    }

    /// What a text is made of.
    pub(crate) fn of(text: &[u8]) -> Self {
        Self(text.iter().fold(0, |made, byte| made | kinds(*byte)))
    }

    /// Whether one of these kinds is in it.
    pub(crate) const fn has(self, kinds: u32) -> bool {
        self.0 & kinds != 0
    }

    /// Whether nothing but these kinds is, of those that formats are told by.
    pub(crate) const fn only(self, kinds: u32) -> bool {
        self.0 & (Self::ELSE * 2 - 1) & !kinds == 0
    }

    /// Those of these kinds that are in it.
    pub(crate) const fn among(self, kinds: u32) -> u32 {
        self.0 & kinds
    }
}

/// The kinds that a byte is of.
pub(crate) fn kinds(byte: u8) -> u32 {
    KINDS.get(usize::from(byte)).copied().unwrap_or(0)
}

static KINDS: [u32; 256] = {
    let mut all = [0; 256];
    let mut byte = 0_u8;
    loop {
        #[allow(clippy::indexing_slicing, reason = "of bytes, at compile time")]
        {
            all[byte as usize] = of_formats(byte) | of_words(byte) | of_classes(byte);
        }
        if byte == u8::MAX {
            break all;
        }
        byte += 1;
    }
};

const fn of_formats(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => Made::DIGIT,
        b'a'..=b'f' | b'A'..=b'F' => Made::HEX,
        b'g'..=b'z' | b'G'..=b'Z' => Made::LETTER,
        b'-' => Made::DASH,
        b'.' => Made::DOT,
        b':' => Made::COLON,
        b'@' => Made::AT,
        b'/' => Made::SLASH,
        b'+' => Made::PLUS,
        b'=' => Made::EQUALS,
        b'_' | b'~' | b'%' | b'?' | b'#' | b'&' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' | b';'
        | b'[' | b']' => Made::OF_URI,
        _ => Made::ELSE,
    }
}

const fn of_words(byte: u8) -> u32 {
    let word = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'/' | b'+' | b'_' | b' ');
    let ends = matches!(
        byte,
        b' ' | b'\t'
            | b'\n'
            | b'\r'
            | b','
            | b';'
            | b'"'
            | b'\''
            | b'<'
            | b'>'
            | b'|'
            | b'='
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'&'
            | b'?'
    );
    let odd = matches!(
        byte,
        b'\''
            | b'"'
            | b'<'
            | b'>'
            | b';'
            | b'|'
            | b'&'
            | b'`'
            | b'$'
            | b'('
            | b'{'
            | b'\\'
            | b'*'
            | b'='
            | b'\r'
            | b'\n'
            | 0
    );
    (if word { 0 } else { Made::NO_WORD })
        | if ends { Made::BREAK } else { 0 }
        | if odd { Made::ODD } else { 0 }
}

const fn of_classes(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' | b'@' => 0,
        b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => Made::ANY_LETTER,
        b' ' | b'\t' | b'\n' | b'\r' => Made::SPACE,
        b'(' | b')' | b'+' | b'-' | b'.' | b'/' => Made::GROUPS,
        _ => Made::MARK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_of_one_kind_for_formats_and_of_one_for_classes() {
        for byte in 0..=u8::MAX {
            let of_formats = kinds(byte) & (Made::ELSE * 2 - 1);
            let of_classes =
                Made::DIGIT | Made::AT | Made::ANY_LETTER | Made::SPACE | Made::GROUPS | Made::MARK;
            assert_eq!(of_formats.count_ones(), 1, "{byte}");
            assert_eq!((kinds(byte) & of_classes).count_ones(), 1, "{byte}");
        }
    }

    #[test]
    fn a_text_is_made_of_what_its_bytes_are() {
        let made = Made::of(b"SKU-419575");
        assert!(made.only(Made::DIGIT | Made::HEX | Made::LETTER | Made::DASH));
        assert!(!made.has(Made::SPACE | Made::NO_WORD | Made::BREAK));
        assert!(Made::of(b"a b").has(Made::SPACE) && Made::of("\u{fc}".as_bytes()).has(Made::ANY_LETTER));
        assert!(Made::of(b"").only(0));
    }
}
