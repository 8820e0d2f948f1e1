//! Numbers of Australia.

use super::check::{all_same, weighted};
use super::form::{Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const TFN: DataClass = DataClass {
    name: "au-tfn",
    title: "Tax file number of Australia",
    summary: "Nine digits whose weighted sum is divisible by 11",
    kind: ClassKind::NationalId,
    region: Some("au"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &["tfn", "tax file", "tax file number", "taxfilenumber"],
    example: ("tfn", "876 543 210"),
    twin: "876 543 211",
    gate: Gate::new(Forms::NUMBER, 9, 11),
    check: tfn,
};

pub(super) const ABN: DataClass = DataClass {
    name: "au-abn",
    title: "Business number of Australia",
    summary: "Eleven digits whose weighted sum is divisible by 89",
    kind: ClassKind::NationalId,
    region: Some("au"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::Low,
    keys: &["abn", "business number", "australian business number", "abn number"],
    example: ("abn", "51 824 753 556"),
    twin: "52 824 753 556",
    gate: Gate::new(Forms::NUMBER, 11, 14).first(b"123456789"),
    check: abn,
};

pub(super) const MEDICARE: DataClass = DataClass {
    name: "au-medicare",
    title: "Medicare number of Australia",
    summary: "Ten or eleven digits from 2 to 6 on, the ninth of which is a check digit",
    kind: ClassKind::Health,
    region: Some("au"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &["medicare", "medicare number", "medicare card", "medicare no", "medicarenumber"],
    example: ("medicareNumber", "2123 45670 1"),
    twin: "2123 45671 1",
    gate: Gate::new(Forms::NUMBER, 10, 14).first(b"23456"),
    check: medicare,
};

fn tfn(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 9] = value.exactly()?;
    let sum = weighted(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]);
    let fits = sum.is_multiple_of(11) && !all_same(&digits);
    (fits && value.is_plain_or(&["999 999 999", "999-999-999"])).then_some(Evidence::Checked)
}

fn abn(value: &Value<'_>) -> Option<Evidence> {
    let mut digits: [u8; 11] = value.exactly()?;
    if let Some(first) = digits.first_mut() {
        *first = first.checked_sub(1)?;
    }
    let fits = weighted(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89);
    (fits && value.is_plain_or(&["99 999 999 999", "99-999-999-999"])).then_some(Evidence::Checked)
}

fn medicare(value: &Value<'_>) -> Option<Evidence> {
    let digits = value.digits();
    let [first, .., issue] = digits.get(..10)? else { return None };
    let sum = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
    let fits = matches!(digits.len(), 10 | 11)
        && (2..=6).contains(first)
        && digits.get(8).map(|check| u32::from(*check)) == Some(sum);
    let layout = value.is_plain_or(&[
        "9999 99999 9",
        "9999 99999 9 9",
        "9999-99999-9",
        "9999-99999-9-9",
        "9999 99999 99",
    ]);
    (fits && layout && *issue > 0).then_some(Evidence::Checked)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn all_three_need_a_name() {
        assert_eq!(found("taxFileNumber", "876543210"), ["au-tfn"]);
        assert_eq!(found("id", "876543210"), [""; 0]);
        assert_eq!(found("company.abn", "51824753556"), ["au-abn"]);
        assert_eq!(found("trackingNumber", "51824753556"), [""; 0]);
        assert_eq!(found("medicare", "2123456701"), ["au-medicare"]);
        assert_eq!(found("time", "2123456701"), [""; 0]);
    }
}
