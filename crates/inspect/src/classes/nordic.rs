//! Numbers of Sweden, Finland, Norway and Denmark: all begin with the date of birth.

use super::check::{day_and_month, luhn, value, weighted};
use super::form::{Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const PERSONNUMMER: DataClass = DataClass {
    name: "se-personnummer",
    title: "Personal number of Sweden",
    summary: "Date of birth, three digits and Luhn's check digit; days of coordination numbers are 60 more",
    kind: ClassKind::NationalId,
    region: Some("se"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &[
        "personnummer",
        "personal number",
        "samordningsnummer",
        "swedish personal identity number",
        "personal identity number",
        "pnr",
    ],
    example: ("personnummer", "811218-9876"),
    twin: "811218-9875",
    gate: Gate::new(Forms::NUMBER, 10, 13),
    check: personnummer,
};

pub(super) const HETU: DataClass = DataClass {
    name: "fi-hetu",
    title: "Personal identity code of Finland",
    summary: "Date of birth, a sign of the century, three digits and a check character modulo 31",
    kind: ClassKind::NationalId,
    region: Some("fi"),
    strength: Strength::Certain,
    sensitivity: Sensitivity::High,
    keys: &["hetu", "henkilotunnus", "personal identity code", "henkilötunnus"],
    example: ("hetu", "131052-308T"),
    twin: "131052-308U",
    gate: Gate::new(Forms::CODE, 11, 11).first(b"0123"),
    check: hetu,
};

pub(super) const FODSELSNUMMER: DataClass = DataClass {
    name: "no-fodselsnummer",
    title: "National identity number of Norway",
    summary: "Date of birth, three digits and two check digits modulo 11",
    kind: ClassKind::NationalId,
    region: Some("no"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &[
        "fodselsnummer",
        "fødselsnummer",
        "fnr",
        "personnummer",
        "national identity number",
        "d number",
        "foedselsnummer",
    ],
    example: ("fodselsnummer", "15108695088"),
    twin: "15108695089",
    gate: Gate::new(Forms::NUMBER, 11, 12),
    check: fodselsnummer,
};

pub(super) const CPR: DataClass = DataClass {
    name: "dk-cpr",
    title: "Personal number of Denmark (CPR)",
    summary: "Date of birth and four digits; there is no check digit since 2007, so a name has to say so",
    kind: ClassKind::NationalId,
    region: Some("dk"),
    strength: Strength::Named,
    sensitivity: Sensitivity::High,
    keys: &["cpr", "cpr number", "cpr nummer", "cprnummer", "cpr nr", "personnummer"],
    example: ("cprNummer", "070761-4285"),
    twin: "320761-4285",
    gate: Gate::new(Forms::NUMBER, 10, 11).first(b"0123"),
    check: cpr,
};

fn personnummer(value: &Value<'_>) -> Option<Evidence> {
    let all = value.digits();
    let digits = match all.len() {
        12 if matches!(self::value(all.get(..2)?), 18..=20) => all.get(2..)?,
        10 => all,
        _ => return None,
    };
    let mut day = [*digits.get(4)?, *digits.get(5)?];
    if let [tens, _] = &mut day
        && *tens >= 6
    {
        *tens -= 6;
    }
    let fits = day_and_month(&day, digits.get(2..4)?) && luhn(digits);
    let layouts = ["999999-9999", "999999+9999", "99999999-9999", "99999999+9999"];
    let grouped = layouts.iter().any(|layout| value.is_like(layout));
    (fits && (grouped || value.is_plain())).then_some(Evidence::Checked)
}

fn hetu(value: &Value<'_>) -> Option<Evidence> {
    const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let (date, rest) = value.text.split_at_checked(6)?;
    let [century, number @ .., check] = rest else { return None };
    let digits = Value::new(date);
    let born = day_and_month(digits.digits().get(..2)?, digits.digits().get(2..4)?);
    let numbers = date.iter().chain(number).all(u8::is_ascii_digit) && number.len() == 3;
    if !born || !numbers || !b"+-ABCDEFUVWXY".contains(&century.to_ascii_uppercase()) {
        return None;
    }
    let sum = date.iter().chain(number).fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let expected = CHECKS.get(usize::try_from(sum % 31).ok()?)?;
    (check.to_ascii_uppercase() == *expected).then_some(Evidence::Sure)
}

fn fodselsnummer(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 11] = value.exactly()?;
    let first = weighted(&digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
    let second = weighted(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
    let mut day = [*digits.first()?, *digits.get(1)?];
    let mut month = [*digits.get(2)?, *digits.get(3)?];
    // Persons who only stay for a while have 40 more in the day, test persons 40 or 80 more in the month.
    day[0] %= 4;
    month[0] %= 4;
    let fits = first.is_multiple_of(11) && second.is_multiple_of(11) && day_and_month(&day, &month);
    (fits && value.is_plain_or(&["999999 99999"])).then_some(Evidence::Checked)
}

fn cpr(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 10] = value.exactly()?;
    let born = day_and_month(digits.get(..2)?, digits.get(2..4)?);
    (born && value.is_plain_or(&["999999-9999", "999999 9999"])).then_some(Evidence::Shape)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn sweden_and_norway_are_checked() {
        assert_eq!(found("personnummer", "19811218-9876"), ["se-personnummer"]);
        assert_eq!(found("phone2", "8112189876"), [""; 0]);
        assert_eq!(found("personnummer", "811318-9876"), [""; 0]);
        assert_eq!(found("fnr", "15108695088"), ["no-fodselsnummer"]);
        assert_eq!(found("trackingId", "15108695088"), [""; 0]);
    }

    #[test]
    fn finland_counts_under_any_name() {
        assert_eq!(found("x", "131052-308T"), ["fi-hetu"]);
        assert_eq!(found("x", "131052A308T"), ["fi-hetu"]);
        assert_eq!(found("hetu", "131052/308T"), [""; 0]);
        assert_eq!(found("hetu", "321052-308T"), [""; 0]);
    }

    #[test]
    fn denmark_needs_a_name() {
        assert_eq!(found("cpr", "0707614285"), ["dk-cpr"]);
        assert_eq!(found("batch", "070761-4285"), [""; 0]);
    }
}
