//! Numbers of the United States, the United Kingdom and Canada.

use super::check::{all_same, luhn, value, weighted};
use super::form::{Form, Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const SSN: DataClass = DataClass {
    name: "us-ssn",
    title: "Social security number of the United States",
    summary: "Nine digits in possible ranges; there is no check digit, so a name has to say so",
    kind: ClassKind::NationalId,
    region: Some("us"),
    strength: Strength::Named,
    sensitivity: Sensitivity::High,
    keys: &[
        "ssn",
        "social security",
        "social security number",
        "social security no",
        "socialsecurity",
        "socialsecuritynumber",
        "ssn number",
        "us ssn",
        "tax id",
        "tin",
        "taxpayer id",
        "ss number",
        "social",
    ],
    example: ("ssn", "536-22-8471"),
    twin: "666-22-8471",
    gate: Gate::new(Forms::NUMBER, 9, 11),
    check: ssn,
};

pub(super) const ITIN: DataClass = DataClass {
    name: "us-itin",
    title: "Individual taxpayer number of the United States",
    summary: "Nine digits that begin with 9, with a group of the ranges given for it",
    kind: ClassKind::NationalId,
    region: Some("us"),
    strength: Strength::Named,
    sensitivity: Sensitivity::High,
    keys: &[
        "itin",
        "individual taxpayer",
        "taxpayer identification",
        "tax id",
        "tin",
        "taxpayer id",
        "taxpayer number",
    ],
    example: ("itin", "911-70-1234"),
    twin: "911-69-1234",
    gate: Gate::new(Forms::NUMBER, 9, 11).first(b"9"),
    check: itin,
};

pub(super) const EIN: DataClass = DataClass {
    name: "us-ein",
    title: "Employer number of the United States",
    summary: "Nine digits behind a prefix that is given out, under a name that says so",
    kind: ClassKind::NationalId,
    region: Some("us"),
    strength: Strength::Named,
    sensitivity: Sensitivity::Low,
    keys: &[
        "ein",
        "fein",
        "employer id",
        "employer identification",
        "employer identification number",
        "federal tax id",
    ],
    example: ("ein", "12-3456789"),
    twin: "07-3456789",
    gate: Gate::new(Forms::NUMBER, 9, 10),
    check: ein,
};

pub(super) const NHS: DataClass = DataClass {
    name: "uk-nhs",
    title: "NHS number",
    summary: "Ten digits with check digit modulo 11",
    kind: ClassKind::Health,
    region: Some("gb"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &["nhs", "nhs number", "nhs no", "nhsnumber", "national health service"],
    example: ("nhsNumber", "943 476 5919"),
    twin: "943 476 5918",
    gate: Gate::new(Forms::NUMBER, 10, 12),
    check: nhs,
};

pub(super) const NINO: DataClass = DataClass {
    name: "uk-nino",
    title: "National insurance number of the United Kingdom",
    summary: "Two letters of those given out, six digits and a letter from A to D; grouped it counts under any name",
    kind: ClassKind::NationalId,
    region: Some("gb"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &[
        "nino",
        "national insurance",
        "national insurance number",
        "ni number",
        "ni no",
        "nationalinsurancenumber",
    ],
    example: ("nino", "AB 12 34 56 C"),
    twin: "BG 12 34 56 C",
    gate: Gate::new(Forms::of(&[Form::Mixed, Form::Text]), 9, 13)
        .first(b"ABCEGHJKLMNOPRSTWXYZabceghjklmnoprstwxyz"),
    check: nino,
};

pub(super) const CANADIAN_SIN: DataClass = DataClass {
    name: "ca-sin",
    title: "Social insurance number of Canada",
    summary: "Nine digits with Luhn's check digit",
    kind: ClassKind::NationalId,
    region: Some("ca"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &[
        "sin",
        "social insurance",
        "social insurance number",
        "sin number",
        "nas",
        "socialinsurancenumber",
    ],
    example: ("sin", "130 692 544"),
    twin: "130 692 545",
    gate: Gate::new(Forms::NUMBER, 9, 11).first(b"12345679"),
    check: sin,
};

/// Area 000, 666 and 900 to 999, group 00 and serial 0000 are never given (SSA), nor are those of advertisements.
fn ssn(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 9] = value.exactly()?;
    let (area, group, serial) = parts(&digits)?;
    let given = !matches!(area, 0 | 666 | 900..) && group > 0 && serial > 0;
    let known = matches!(self::value(&digits), 78_051_120 | 219_099_999 | 123_456_789 | 987_654_321)
        || all_same(&digits);
    (given && !known && value.is_plain_or(&["999-99-9999", "999 99 9999", "999.99.9999"]))
        .then_some(Evidence::Shape)
}

fn parts(digits: &[u8; 9]) -> Option<(u64, u64, u64)> {
    Some((value(digits.get(..3)?), value(digits.get(3..5)?), value(digits.get(5..)?)))
}

fn itin(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 9] = value.exactly()?;
    let (area, group, _) = parts(&digits)?;
    let given = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    (given && value.is_plain_or(&["999-99-9999", "999 99 9999"])).then_some(Evidence::Shape)
}

fn ein(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 9] = value.exactly()?;
    let prefix = self::value(digits.get(..2)?);
    let given = !matches!(prefix, 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97);
    (given && !all_same(&digits) && value.is_plain_or(&["99-9999999"])).then_some(Evidence::Shape)
}

fn nhs(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 10] = value.exactly()?;
    let check = (11 - weighted(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    let fits = digits.last().map(|last| u32::from(*last)) == Some(check) && !all_same(&digits);
    (fits && value.is_plain_or(&["999 999 9999", "999-999-9999"])).then_some(Evidence::Checked)
}

fn nino(value: &Value<'_>) -> Option<Evidence> {
    let mut plain = [0; 9];
    let letters = value.text.iter().filter(|byte| **byte != b' ');
    if letters.clone().count() != plain.len() {
        return None;
    }
    plain.iter_mut().zip(letters).for_each(|(to, from)| *to = from.to_ascii_uppercase());
    let [a, b, .., end] = plain;
    let given = super::form::is_like(&plain, "AA999999A")
        && !matches!(a, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V')
        && !matches!(b, b'D' | b'F' | b'I' | b'O' | b'Q' | b'U' | b'V')
        && !matches!(&[a, b], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        && matches!(end, b'A'..=b'D');
    let grouped = value.is_like("AA 99 99 99 A");
    given.then_some(if grouped { Evidence::Layout } else { Evidence::Checked })
}

fn sin(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 9] = value.exactly()?;
    let fits = luhn(&digits) && !all_same(&digits) && !matches!(digits.first(), Some(0 | 8));
    (fits && value.is_plain_or(&["999 999 999", "999-999-999"])).then_some(Evidence::Checked)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn social_security_numbers_need_a_name() {
        assert_eq!(found("user.ssn", "536228471"), ["us-ssn"]);
        assert_eq!(found("orderId", "536-22-8471"), [""; 0]);
        for never in
            ["000-22-8471", "900-22-8471", "536-00-8471", "536-22-0000", "078-05-1120", "123-45-6789"]
        {
            assert_eq!(found("ssn", never), [""; 0], "{never}");
        }
    }

    #[test]
    fn taxpayer_numbers_are_told_apart() {
        assert_eq!(found("taxId", "911-70-1234"), ["us-itin"]);
        assert_eq!(found("taxId", "536-22-8471"), ["us-ssn"]);
        assert_eq!(found("ein", "12-3456789"), ["us-ein"]);
    }

    #[test]
    fn nhs_and_nino_are_checked() {
        assert_eq!(found("patient.nhs", "9434765919"), ["uk-nhs"]);
        assert_eq!(found("timestamp", "9434765919"), [""; 0]);
        assert_eq!(found("x", "AB 12 34 56 C"), ["uk-nino"]);
        assert_eq!(found("sku", "AB123456C"), [""; 0]);
        assert_eq!(found("nationalInsuranceNumber", "ab123456c"), ["uk-nino"]);
        assert_eq!(found("nino", "AB123456E"), [""; 0]);
    }

    #[test]
    fn a_sin_is_checked() {
        assert_eq!(found("sin", "130692544"), ["ca-sin"]);
        assert_eq!(found("sin", "000000000"), [""; 0]);
    }
}
