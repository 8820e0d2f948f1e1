//! Numbers.

use super::{Json, KEPT, State};
use crate::fields::{Kind, MAX_EXACT, quotient};

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

    /// What a number is that ends here.
    pub(super) const fn kind(self) -> Kind {
        if matches!(self, Self::Zero | Self::Integer) { Kind::Integer } else { Kind::Number }
    }

    pub(super) const fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }
}

impl Json {
    pub(super) fn number<'a>(&mut self, bytes: &'a [u8], mut number: Number) -> &'a [u8] {
        let mut rest = bytes;
        if number == Number::Begin
            && let Some((digits, kind, value)) = whole_number(bytes)
        {
            self.number_ended(kind, digits, value);
            self.value_ended();
            return bytes.get(digits.len()..).unwrap_or_default();
        }
        while let Some((&byte, tail)) = rest.split_first() {
            match number.next(byte) {
                Some(next) => number = next,
                None => {
                    if number.may_end() {
                        self.number_ended(number, read(bytes, rest), None);
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

    pub(super) fn number_ended(&mut self, number: Number, digits: &[u8], value: Option<f64>) {
        self.wanted_digits(digits);
        let kind = number.kind();
        if self.text.is_empty() {
            let digits = digits.get(..KEPT).unwrap_or(digits);
            self.fields.number(self.field, kind, digits, value);
        } else {
            self.keep_digits(digits);
            self.fields.number(self.field, kind, &self.text, None);
        }
    }
}

/// A number without exponent that is here whole, as something follows it, and its value where that is read at once.
pub(super) fn whole_number(bytes: &[u8]) -> Option<(&[u8], Number, Option<f64>)> {
    let begin = usize::from(bytes.first() == Some(&b'-'));
    let (len, mut sum) = digits(bytes.get(begin..)?, 0);
    let mut end = begin + len;
    if len == 0 || len > 1 && bytes.get(begin) == Some(&b'0') {
        return None;
    }
    let (mut kind, mut fraction) = (Number::Integer, 0);
    if *bytes.get(end)? == b'.' {
        (fraction, sum) = digits(bytes.get(end + 1..)?, sum);
        (kind, end) = (Number::Fraction, end + 1 + fraction);
        if fraction == 0 {
            return None;
        }
    }
    if matches!(bytes.get(end)?, b'e' | b'E') {
        return None;
    }
    let value = if end - begin <= MAX_EXACT { quotient(sum, fraction, begin > 0) } else { None };
    Some((bytes.get(..end)?, kind, value))
}

/// How many digits there are in front, and the number that they make behind `sum`.
fn digits(bytes: &[u8], mut sum: u64) -> (usize, u64) {
    let mut len = 0;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        sum = sum.wrapping_mul(10).wrapping_add(digit.into());
        len += 1;
    }
    (len, sum)
}

/// What stands before `rest` in `bytes`.
fn read<'a>(bytes: &'a [u8], rest: &[u8]) -> &'a [u8] {
    bytes.get(..bytes.len() - rest.len()).unwrap_or_default()
}
