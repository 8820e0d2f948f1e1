//! What a value looks like, told in one pass: it decides which classes are asked at all.

use crate::made::Made;
use std::cell::OnceCell;

/// Longest value that is taken for one thing; a longer one is text to search in.
pub(super) const LONGEST: usize = 64;
/// Digits kept of a value.
const MOST_DIGITS: usize = 24;

/// What a value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Form {
    /// Decimal digits.
    Digits,
    /// Digits in groups, with spaces and marks of phone numbers between them.
    Grouped,
    /// Letters and digits.
    Mixed,
    /// Letters; bytes beyond ASCII count as such.
    Word,
    /// One word with other marks.
    Token,
    /// One word with `@`.
    Mail,
    /// Several words.
    Text,
}

/// How many forms there are.
pub(super) const FORMS: usize = 7;

/// A set of forms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forms(u8);

impl Forms {
    pub(super) const NUMBER: Self = Self::of(&[Form::Digits, Form::Grouped]);
    pub(super) const CODE: Self =
        Self::of(&[Form::Digits, Form::Grouped, Form::Mixed, Form::Token, Form::Text]);
    pub(super) const ANY: Self = Self(u8::MAX);

    pub(super) const fn of(forms: &[Form]) -> Self {
        let mut set = 0;
        let mut rest = forms;
        while let [form, tail @ ..] = rest {
            set |= 1 << *form as u8;
            rest = tail;
        }
        Self(set)
    }

    pub(super) const fn has(self, form: usize) -> bool {
        self.0 >> form & 1 == 1
    }
}

impl Form {
    /// The form of a value that is not empty.
    pub(super) fn of(text: &[u8]) -> Self {
        Self::of_made(Made::of(text))
    }

    /// The form of a value by what it is made of.
    pub(super) const fn of_made(made: Made) -> Self {
        const KINDS: u32 = DIGIT | ANY_LETTER | SPACE | Made::GROUPS | MARK | AT;
        const LETTERS_AND_DIGITS: u32 = ANY_LETTER | DIGIT;
        match made.among(KINDS) {
            DIGIT => Self::Digits,
            kinds if kinds & (ANY_LETTER | MARK | AT) == 0 => Self::Grouped,
            ANY_LETTER => Self::Word,
            LETTERS_AND_DIGITS => Self::Mixed,
            kinds if kinds & SPACE != 0 => Self::Text,
            kinds if kinds & AT != 0 => Self::Mail,
            _ => Self::Token,
        }
    }
}

const DIGIT: u32 = Made::DIGIT;
const ANY_LETTER: u32 = Made::ANY_LETTER;
const SPACE: u32 = Made::SPACE;
const MARK: u32 = Made::MARK;
const AT: u32 = Made::AT;

/// A value that a class judges.
pub(crate) struct Value<'a> {
    /// Its text.
    pub(super) text: &'a [u8],
    /// Its digits, once somebody asks: most values are refused by less.
    digits: OnceCell<Digits>,
}

/// The digits of a text as numbers, and how many there are: beyond 24 they are not kept.
struct Digits {
    kept: [u8; MOST_DIGITS],
    count: usize,
}

impl Digits {
    fn of(text: &[u8]) -> Self {
        let mut kept = [0; MOST_DIGITS];
        let mut count = 0;
        for byte in text.iter().filter(|byte| byte.is_ascii_digit()) {
            if let Some(slot) = kept.get_mut(count) {
                *slot = byte - b'0';
            }
            count += 1;
        }
        Self { kept, count }
    }
}

impl<'a> Value<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, digits: OnceCell::new() }
    }

    fn all_digits(&self) -> &Digits {
        self.digits.get_or_init(|| Digits::of(self.text))
    }

    /// Its digits as numbers, and whether nothing stands between them but marks of groups; none beyond 24 digits.
    pub(super) fn digits(&self) -> &[u8] {
        let Digits { kept, count } = self.all_digits();
        kept.get(..*count).unwrap_or_default()
    }

    /// Its digits, when there are so many.
    pub(super) fn exactly<const N: usize>(&self) -> Option<[u8; N]> {
        self.digits().try_into().ok()
    }

    /// Whether the text is like the pattern: `9` stands for a digit, `A` for an upper-case letter, `a` for any letter, `*` for a letter or
    /// digit, and anything else for itself.
    pub(super) fn is_like(&self, pattern: &str) -> bool {
        is_like(self.text, pattern)
    }

    /// Whether digits stand without anything between them.
    pub(super) fn is_plain(&self) -> bool {
        self.all_digits().count == self.text.len()
    }

    /// Whether the digits are grouped like one of the patterns, or stand plain.
    pub(super) fn is_plain_or(&self, patterns: &[&str]) -> bool {
        self.is_plain() || patterns.iter().any(|pattern| self.is_like(pattern))
    }

    /// Its text when it is UTF-8.
    pub(super) fn str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.text).ok()
    }
}

/// See [`Value::is_like`].
pub(super) fn is_like(text: &[u8], pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.iter().zip(pattern.bytes()).all(|(byte, like)| match like {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            b'a' => byte.is_ascii_alphabetic(),
            b'*' => byte.is_ascii_alphanumeric(),
            _ => *byte == like,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told() {
        for (text, form) in [
            ("4111111111111111", Form::Digits),
            ("4111 1111-1111", Form::Grouped),
            ("+49 (30) 123.456/7", Form::Grouped),
            ("DE89370400440532013000", Form::Mixed),
            ("Müller", Form::Word),
            ("eyJ.eyJ.x_y", Form::Token),
            ("a@example.com", Form::Mail),
            ("Unter den Linden 1", Form::Text),
        ] {
            assert_eq!(Form::of(text.as_bytes()), form, "{text}");
        }
    }

    #[test]
    fn patterns_are_followed() {
        assert!(is_like(b"123-45-6789", "999-99-9999"));
        assert!(!is_like(b"123-456-789", "999-99-9999"));
        assert!(is_like(b"AB12cd", "AA99aa"));
        assert!(!is_like(b"Ab12cd", "AA99aa"));
    }

    #[test]
    fn too_many_digits_are_none() {
        assert_eq!(Value::new(&[b'1'; 25]).digits(), b"");
        assert_eq!(Value::new(b"1-2").digits(), [1, 2]);
    }
}
