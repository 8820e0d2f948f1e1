//! Numbers.

use super::{Json, KEPT, State};
use crate::fields::Kind;

/// Where in a number (RFC 8259, 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Begin,
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Number {
    pub(super) const fn next(self, byte: u8) -> Option<Self> {
        use Number::{Begin, Exponent, ExponentDigits, ExponentSign, Fraction, Integer, Minus, Point, Zero};
        match (self, byte) {
            (Begin, b'-') => Some(Minus),
            (Begin | Minus, b'0') => Some(Zero),
            (Begin | Minus, b'1'..=b'9') | (Integer, b'0'..=b'9') => Some(Integer),
            (Zero | Integer, b'.') => Some(Point),
            (Point | Fraction, b'0'..=b'9') => Some(Fraction),
            (Zero | Integer | Fraction, b'e' | b'E') => Some(Exponent),
            (Exponent, b'+' | b'-') => Some(ExponentSign),
            (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => Some(ExponentDigits),
            _ => None,
        }
    }

    pub(super) const fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }
}

impl Json {
    pub(super) fn number<'a>(&mut self, bytes: &'a [u8], mut number: Number) -> &'a [u8] {
        let mut rest = bytes;
        if number == Number::Begin
            && let Some((digits, kind)) = whole_number(bytes)
        {
            self.number_ended(kind, digits);
            self.value_ended();
            return bytes.get(digits.len()..).unwrap_or_default();
        }
        while let Some((&byte, tail)) = rest.split_first() {
            match number.next(byte) {
                Some(next) => number = next,
                None => {
                    if number.may_end() {
                        self.number_ended(number, read(bytes, rest));
                        self.value_ended();
                    } else {
                        self.state = State::Invalid;
                    }
                    return rest;
                }
            }
            rest = tail;
        }
        let digits = read(bytes, rest);
        self.wanted_digits(digits);
        self.keep_digits(digits);
        self.state = State::Number(number);
        rest
    }

    fn wanted_digits(&mut self, digits: &[u8]) {
        if self.gather.is_open() {
            self.gather.bytes(digits);
        } else if self.login.takes_numbers() {
            self.login.value(digits);
        }
    }

    /// Keeps what was read of a number that goes on in another piece.
    fn keep_digits(&mut self, digits: &[u8]) {
        let room = KEPT.saturating_sub(self.text.len()).min(digits.len());
        self.text.extend_from_slice(digits.get(..room).unwrap_or_default());
    }

    pub(super) fn number_ended(&mut self, number: Number, digits: &[u8]) {
        self.wanted_digits(digits);
        let whole = matches!(number, Number::Zero | Number::Integer);
        let kind = if whole { Kind::Integer } else { Kind::Number };
        if self.text.is_empty() {
            let digits = digits.get(..KEPT).unwrap_or(digits);
            self.fields.number(self.field, kind, digits);
        } else {
            self.keep_digits(digits);
            self.fields.number(self.field, kind, &self.text);
        }
    }
}

/// A number without exponent that is here whole: something follows it.
fn whole_number(bytes: &[u8]) -> Option<(&[u8], Number)> {
    let digits = |from: usize| {
        let rest = bytes.get(from..)?;
        Some(rest.iter().position(|byte| !byte.is_ascii_digit())? + from)
    };
    let begin = usize::from(bytes.first() == Some(&b'-'));
    let end = digits(begin)?;
    if end == begin || bytes.get(begin) == Some(&b'0') && end > begin + 1 {
        return None;
    }
    let (end, kind) = match bytes.get(end)? {
        b'.' => (digits(end + 1).filter(|last| *last > end + 1)?, Number::Fraction),
        _ => (end, Number::Integer),
    };
    if matches!(bytes.get(end)?, b'e' | b'E') {
        return None;
    }
    Some((bytes.get(..end)?, kind))
}

/// What stands before `rest` in `bytes`.
fn read<'a>(bytes: &'a [u8], rest: &[u8]) -> &'a [u8] {
    bytes.get(..bytes.len() - rest.len()).unwrap_or_default()
}
