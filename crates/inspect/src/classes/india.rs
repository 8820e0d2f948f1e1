//! Numbers of India.

use super::check::{all_same, verhoeff};
use super::form::{Form, Forms, Value, is_like};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const AADHAAR: DataClass = DataClass {
    name: "in-aadhaar",
    title: "Aadhaar number of India",
    summary: "Twelve digits from 2 on, with Verhoeff's check digit",
    kind: ClassKind::NationalId,
    region: Some("in"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &["aadhaar", "aadhar", "aadhaar number", "aadhaar no", "uid number", "uidai", "adhaar"],
    example: ("aadhaar", "2341 2341 2346"),
    twin: "2341 2341 2345",
    gate: Gate::new(Forms::NUMBER, 12, 14).first(b"23456789"),
    check: aadhaar,
};

pub(super) const PAN: DataClass = DataClass {
    name: "in-pan",
    title: "Permanent account number of India",
    summary: "Five letters, the fourth of which says what the holder is, four digits and a letter, under a name that says so",
    kind: ClassKind::NationalId,
    region: Some("in"),
    strength: Strength::Named,
    sensitivity: Sensitivity::High,
    keys: &[
        "pan",
        "pan number",
        "pan no",
        "pan card",
        "permanent account number",
        "income tax pan",
        "tax id",
        "panno",
    ],
    example: ("panNumber", "ABCPK1234F"),
    twin: "ABCXK1234F",
    gate: Gate::new(Forms::of(&[Form::Mixed]), 10, 10),
    check: |value| is_pan(value.text).then_some(Evidence::Shape),
};

pub(super) const GSTIN: DataClass = DataClass {
    name: "in-gstin",
    title: "Goods and services tax number of India",
    summary: "State, permanent account number, Z and a check character modulo 36",
    kind: ClassKind::NationalId,
    region: Some("in"),
    strength: Strength::Certain,
    sensitivity: Sensitivity::Low,
    keys: &["gstin", "gst", "gst number", "gst no", "gstin number"],
    example: ("gstin", "27AAPFU0939F1ZV"),
    twin: "27AAPFU0939F1ZW",
    gate: Gate::new(Forms::of(&[Form::Mixed]), 15, 15).first(b"01239"),
    check: gstin,
};

fn aadhaar(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 12] = value.exactly()?;
    let palindrome = digits.iter().eq(digits.iter().rev());
    let given = digits.first().is_some_and(|first| *first >= 2) && !all_same(&digits) && !palindrome;
    (given && verhoeff(&digits) && value.is_plain_or(&["9999 9999 9999", "9999-9999-9999"]))
        .then_some(Evidence::Checked)
}

fn is_pan(text: &[u8]) -> bool {
    let mut upper = [0; 10];
    let Some(()) = (text.len() == 10).then(|| upper.copy_from_slice(text)) else { return false };
    upper.make_ascii_uppercase();
    let holder = upper.get(3).is_some_and(|holder| b"ABCFGHJLPTK".contains(holder));
    is_like(&upper, "AAAAA9999A") && holder && upper.get(5..9) != Some(b"0000")
}

fn gstin(value: &Value<'_>) -> Option<Evidence> {
    let mut upper = [0; 15];
    if value.text.len() != upper.len() {
        return None;
    }
    upper.copy_from_slice(value.text);
    upper.make_ascii_uppercase();
    let state = super::check::value(value.digits().get(..2)?);
    let known = matches!(state, 1..=38 | 96 | 97 | 99);
    let layout =
        is_like(&upper, "99AAAAA9999A*A*") && upper.get(13) == Some(&b'Z') && upper.get(12) != Some(&b'0');
    (known && layout && is_pan(upper.get(2..12)?) && is_checked(&upper)).then_some(Evidence::Sure)
}

/// Each value counts once or twice, in turn, as the sum of its two places to the base of 36.
fn is_checked(text: &[u8; 15]) -> bool {
    let number = |byte: u8| {
        u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'A').wrapping_add(10) })
    };
    let sum: u32 = text
        .iter()
        .take(14)
        .enumerate()
        .map(|(at, byte)| number(*byte) * if at % 2 == 0 { 1 } else { 2 })
        .map(|product| product / 36 + product % 36)
        .sum();
    text.last().map(|last| number(*last)) == Some((36 - sum % 36) % 36)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn aadhaar_needs_a_name() {
        assert_eq!(found("aadhaarNumber", "234123412346"), ["in-aadhaar"]);
        assert_eq!(found("orderNo", "234123412346"), [""; 0]);
        assert_eq!(found("aadhaar", "222222222222"), [""; 0]);
    }

    #[test]
    fn pan_is_no_card() {
        assert_eq!(found("pan", "ABCPK1234F"), ["in-pan"]);
        assert_eq!(found("pan", "4539578763621486"), ["card"]);
        assert_eq!(found("sku", "ABCPK1234F"), [""; 0]);
    }

    #[test]
    fn gstin_counts_under_any_name() {
        assert_eq!(found("x", "27AAPFU0939F1ZV"), ["in-gstin"]);
        assert_eq!(found("gstin", "47AAPFU0939F1ZV"), [""; 0]);
    }
}
