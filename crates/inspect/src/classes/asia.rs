//! Numbers of South Africa, South Korea, Turkey and Singapore.

use super::check::{day_and_month, luhn, weighted};
use super::form::{Form, Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const SOUTH_AFRICAN_ID: DataClass = DataClass {
    name: "za-id",
    title: "Identity number of South Africa",
    summary: "Thirteen digits with the date of birth, a digit for citizenship and Luhn's check digit",
    kind: ClassKind::NationalId,
    region: Some("za"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &["id number", "identity number", "sa id", "south african id", "national id", "rsa id", "idnumber"],
    example: ("idNumber", "8001015009087"),
    twin: "8001015009086",
    gate: Gate::new(Forms::NUMBER, 13, 16),
    check: south_african_id,
};

pub(super) const RRN: DataClass = DataClass {
    name: "kr-rrn",
    title: "Resident registration number of South Korea",
    summary: "Date of birth, a digit for century and sex, and six more; numbers from before October 2020 have a check digit",
    kind: ClassKind::NationalId,
    region: Some("kr"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &[
        "rrn",
        "resident registration",
        "resident registration number",
        "jumin",
        "jumin number",
        "resident number",
        "frn",
        "foreigner registration number",
    ],
    example: ("rrn", "900101-1234568"),
    twin: "901301-1234568",
    gate: Gate::new(Forms::NUMBER, 13, 14),
    check: rrn,
};

pub(super) const KIMLIK: DataClass = DataClass {
    name: "tr-kimlik",
    title: "Identity number of Turkey",
    summary: "Eleven digits, the last two of which are check digits",
    kind: ClassKind::NationalId,
    region: Some("tr"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &[
        "tckn",
        "tc kimlik",
        "tc kimlik no",
        "kimlik",
        "kimlik no",
        "tc no",
        "tckimlik",
        "tckimlikno",
        "national id",
        "turkish id",
    ],
    example: ("tcKimlikNo", "10000000146"),
    twin: "10000000147",
    gate: Gate::new(Forms::of(&[Form::Digits]), 11, 11).first(b"123456789"),
    check: kimlik,
};

pub(super) const NRIC: DataClass = DataClass {
    name: "sg-nric",
    title: "Identity number of Singapore (NRIC, FIN)",
    summary: "S, T, F, G or M, seven digits and a check letter",
    kind: ClassKind::NationalId,
    region: Some("sg"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &["nric", "nric number", "nric no", "fin", "fin number", "nric fin", "national id", "nricno"],
    example: ("nric", "S1234567D"),
    twin: "S1234567E",
    gate: Gate::new(Forms::of(&[Form::Mixed]), 9, 9).first(b"STFGMstfgm"),
    check: nric,
};

fn south_african_id(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 13] = value.exactly()?;
    let born = day_and_month(digits.get(4..6)?, digits.get(2..4)?);
    let fits = born && matches!(digits.get(10), Some(0..=2)) && luhn(&digits);
    (fits && value.is_plain_or(&["999999 9999 999", "999999 9999 99 9"])).then_some(Evidence::Checked)
}

fn rrn(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 13] = value.exactly()?;
    let born = day_and_month(digits.get(4..6)?, digits.get(2..4)?);
    let sex = *digits.get(6)?;
    let check = (11 - weighted(&digits, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    // The check digit of foreigners' numbers (5 to 8) is two more.
    let check = if (5..=8).contains(&sex) { (check + 2) % 10 } else { check };
    let checked = digits.last().map(|last| u32::from(*last)) == Some(check);
    if !born || !(1..=8).contains(&sex) || !value.is_plain_or(&["999999-9999999"]) {
        return None;
    }
    // Those given since have random digits, of people born before, too.
    Some(if checked { Evidence::Checked } else { Evidence::Shape })
}

fn kimlik(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 11] = value.exactly()?;
    let odd = weighted(&digits, &[7, 0, 7, 0, 7, 0, 7, 0, 7]);
    let even = weighted(&digits, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let sum = weighted(&digits, &[1; 10]);
    let tenth = (odd + 1000 - even) % 10;
    let fits = digits.get(9).map(|digit| u32::from(*digit)) == Some(tenth)
        && digits.get(10).map(|digit| u32::from(*digit)) == Some(sum % 10);
    fits.then_some(Evidence::Checked)
}

fn nric(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 7] = value.exactly()?;
    let (first, last) = (value.text.first()?.to_ascii_uppercase(), value.text.last()?.to_ascii_uppercase());
    let (added, letters): (u32, &[u8; 11]) = match first {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return None,
    };
    let at = usize::try_from((weighted(&digits, &[2, 7, 6, 5, 4, 3, 2]) + added) % 11).ok()?;
    (value.is_like("a9999999a") && letters.get(at) == Some(&last)).then_some(Evidence::Checked)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn thirteen_digits_are_mostly_times() {
        assert_eq!(found("idNumber", "8001015009087"), ["za-id"]);
        assert_eq!(found("createdAt", "8001015009087"), [""; 0]);
        assert_eq!(found("rrn", "900101-1234568"), ["kr-rrn"]);
        assert_eq!(found("ts", "9001011234568"), [""; 0]);
    }

    #[test]
    fn turkey_and_singapore_are_checked() {
        assert_eq!(found("tckn", "10000000146"), ["tr-kimlik"]);
        assert_eq!(found("trackingNumber", "10000000146"), [""; 0]);
        for text in ["S1234567D", "T1234567J", "F1234567N", "G1234567X"] {
            assert_eq!(found("nric", text), ["sg-nric"], "{text}");
        }
        assert_eq!(found("sku", "S1234567D"), [""; 0]);
    }
}
