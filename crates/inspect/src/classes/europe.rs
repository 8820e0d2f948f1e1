//! Numbers of Spain, Italy, France, Germany, the Netherlands and Poland.

use super::check::{all_same, day_and_month, mod_11_10, value, weighted};
use super::form::{Form, Forms, Value, is_like};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const SPANISH_NIF: DataClass = DataClass {
    name: "es-nif",
    title: "Tax number of a person in Spain (NIF, NIE)",
    summary: "Eight digits, or X, Y or Z and seven, with a check letter modulo 23",
    kind: ClassKind::NationalId,
    region: Some("es"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &[
        "nif",
        "nie",
        "dni",
        "dni number",
        "numero dni",
        "documento",
        "numero documento",
        "documento identidad",
        "nif number",
        "tax id",
    ],
    example: ("dni", "12345678Z"),
    twin: "12345678A",
    gate: Gate::new(Forms::of(&[Form::Mixed, Form::Token]), 9, 11).first(b"0123456789XYZxyz"),
    check: nif,
};

pub(super) const CODICE_FISCALE: DataClass = DataClass {
    name: "it-codice-fiscale",
    title: "Tax code of a person in Italy",
    summary: "Sixteen places with letters of the name, date and place of birth, and a check letter",
    kind: ClassKind::NationalId,
    region: Some("it"),
    strength: Strength::Certain,
    sensitivity: Sensitivity::High,
    keys: &["codice fiscale", "codicefiscale", "cf", "fiscal code", "tax code"],
    example: ("codiceFiscale", "RSSMRA85T10A562S"),
    twin: "RSSMRA85T10A562T",
    gate: Gate::new(Forms::of(&[Form::Mixed]), 16, 16),
    check: codice_fiscale,
};

pub(super) const NIR: DataClass = DataClass {
    name: "fr-nir",
    title: "Social security number of France (NIR)",
    summary: "Thirteen places with sex, year and month of birth, and a key modulo 97",
    kind: ClassKind::NationalId,
    region: Some("fr"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &[
        "nir",
        "numero securite sociale",
        "securite sociale",
        "insee",
        "numero secu",
        "social security number",
        "nss",
        "numero ss",
    ],
    example: ("nir", "1 85 05 78 006 084 91"),
    twin: "1 85 05 78 006 084 92",
    gate: Gate::new(Forms::CODE, 15, 21).first(b"12"),
    check: nir,
};

pub(super) const STEUER_ID: DataClass = DataClass {
    name: "de-steuer-id",
    title: "Tax number of a person in Germany",
    summary: "Eleven digits, one or two of which come more than once, with a check digit modulo 11,10",
    kind: ClassKind::NationalId,
    region: Some("de"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &[
        "steuer id",
        "steuerid",
        "steueridentifikationsnummer",
        "identifikationsnummer",
        "idnr",
        "steuer identifikationsnummer",
        "tax id",
        "tin",
        "steuernummer",
        "steuer idnr",
    ],
    example: ("steuerId", "86095742719"),
    twin: "86095742718",
    gate: Gate::new(Forms::NUMBER, 11, 14).first(b"123456789"),
    check: steuer_id,
};

pub(super) const BSN: DataClass = DataClass {
    name: "nl-bsn",
    title: "Citizen service number of the Netherlands",
    summary: "Nine digits whose weighted sum is divisible by 11",
    kind: ClassKind::NationalId,
    region: Some("nl"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &["bsn", "burgerservicenummer", "sofinummer", "citizen service number", "bsn nummer", "bsn number"],
    example: ("bsn", "111222333"),
    twin: "111222334",
    gate: Gate::new(Forms::NUMBER, 9, 11),
    check: bsn,
};

pub(super) const PESEL: DataClass = DataClass {
    name: "pl-pesel",
    title: "Personal number of Poland (PESEL)",
    summary: "Eleven digits with the date of birth and a check digit",
    kind: ClassKind::NationalId,
    region: Some("pl"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &["pesel", "numer pesel", "pesel number"],
    example: ("pesel", "44051401359"),
    twin: "44051401358",
    gate: Gate::new(Forms::of(&[Form::Digits]), 11, 11),
    check: pesel,
};

fn nif(value: &Value<'_>) -> Option<Evidence> {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let mut plain = [0; 9];
    let letters = value.text.iter().filter(|byte| **byte != b'-');
    if letters.clone().count() != plain.len()
        || value.text.len() > 10 + usize::from(value.text.get(1) == Some(&b'-'))
    {
        return None;
    }
    plain.iter_mut().zip(letters).for_each(|(to, from)| *to = from.to_ascii_uppercase());
    let end = *plain.last()?;
    if let Some(first) = plain.first_mut() {
        *first = match *first {
            b'X' => b'0',
            b'Y' => b'1',
            b'Z' => b'2',
            digit => digit,
        };
    }
    let number = is_like(&plain, "99999999A").then(|| Value::new(plain.get(..8).unwrap_or_default()))?;
    let at = usize::try_from(self::value(number.digits()) % 23).ok()?;
    (LETTERS.get(at) == Some(&end)).then_some(Evidence::Checked)
}

fn codice_fiscale(value: &Value<'_>) -> Option<Evidence> {
    /// What a character counts on odd places: 0 to 9 as A to J.
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let mut upper = [0; 16];
    if value.text.len() != upper.len() {
        return None;
    }
    upper.copy_from_slice(value.text);
    upper.make_ascii_uppercase();
    // Two persons with one code: digits become letters of this list.
    let digit = |byte: &u8| byte.is_ascii_digit() || b"LMNPQRSTUV".contains(byte);
    let layout = upper.iter().enumerate().all(|(at, byte)| match at {
        6 | 7 | 9 | 10 | 12..=14 => digit(byte),
        8 => b"ABCDEHLMPRST".contains(byte),
        _ => byte.is_ascii_uppercase(),
    });
    if !layout {
        return None;
    }
    let mut sum = 0;
    for (at, byte) in upper.iter().take(15).enumerate() {
        let number = if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
        sum += if at % 2 == 0 { *ODD.get(usize::from(number))? } else { number.into() };
    }
    (upper.last().map(|last| u32::from(last - b'A')) == Some(sum % 26)).then_some(Evidence::Sure)
}

/// Corsica's `2A` and `2B` count as 19 and 18.
fn nir(value: &Value<'_>) -> Option<Evidence> {
    let mut plain = [0; 15];
    let letters = value.text.iter().filter(|byte| !matches!(byte, b' ' | b'-' | b'.'));
    if letters.clone().count() != plain.len() {
        return None;
    }
    plain.iter_mut().zip(letters).for_each(|(to, from)| *to = from.to_ascii_uppercase());
    match plain.get(5..7)? {
        b"2A" => plain.get_mut(5..7)?.copy_from_slice(b"19"),
        b"2B" => plain.get_mut(5..7)?.copy_from_slice(b"18"),
        _ => {}
    }
    let number = Value::new(&plain);
    let digits: [u8; 15] = number.exactly()?;
    let (body, key) = digits.split_at_checked(13)?;
    let month = self::value(body.get(3..5)?);
    let fits = matches!(month, 1..=12 | 20..=42 | 50..=99) && 97 - self::value(body) % 97 == self::value(key);
    let grouped = value.is_like("9 99 99 ** 999 999 99");
    fits.then_some(if grouped { Evidence::Sure } else { Evidence::Checked })
}

fn steuer_id(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 11] = value.exactly()?;
    let (body, check) = digits.split_at_checked(10)?;
    let counts = (0..10_u8).map(|digit| body.iter().filter(|other| **other == digit).count());
    let more = counts.clone().filter(|count| *count > 1).count();
    let most = counts.max().unwrap_or_default();
    let layout = value.is_plain_or(&["99 999 999 999"]);
    let fits =
        digits.first() != Some(&0) && (1..=2).contains(&more) && most <= 3 && check == [mod_11_10(body)];
    (layout && fits).then_some(Evidence::Checked)
}

fn bsn(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 9] = value.exactly()?;
    let sum = weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]);
    let last = u32::from(*digits.last()?);
    let fits = sum >= last && (sum - last).is_multiple_of(11) && !all_same(&digits);
    (fits && value.is_plain_or(&["9999.99.999", "999 999 999"])).then_some(Evidence::Checked)
}

/// The century is in the month: 1800 adds 80, 2000 adds 20, and so on.
fn pesel(value: &Value<'_>) -> Option<Evidence> {
    let mut digits: [u8; 11] = value.exactly()?;
    let sum = weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
    let check = (10 - sum % 10) % 10;
    if let Some(tens) = digits.get_mut(2) {
        *tens %= 2;
    }
    let born = day_and_month(digits.get(4..6)?, digits.get(2..4)?);
    (born && digits.last().map(|last| u32::from(*last)) == Some(check)).then_some(Evidence::Checked)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn spain_has_letters_for_check_digits() {
        for text in ["12345678Z", "X1234567L", "X-1234567-L", "12345678-z"] {
            assert_eq!(found("nif", text), ["es-nif"], "{text}");
        }
        assert_eq!(found("sku", "12345678Z"), [""; 0]);
    }

    #[test]
    fn italy_and_france_are_checked() {
        assert_eq!(found("x", "rssmra85t10a562s"), ["it-codice-fiscale"]);
        assert_eq!(found("x", "RSSMRA85X10A562S"), [""; 0]);
        assert_eq!(found("nir", "185057800608491"), ["fr-nir"]);
        assert_eq!(found("x", "1 85 05 78 006 084 91"), ["fr-nir"]);
        assert_eq!(found("imei", "185057800608491"), [""; 0]);
    }

    #[test]
    fn eleven_and_nine_digits_need_a_name() {
        assert_eq!(found("steuerIdentifikationsnummer", "86 095 742 719"), ["de-steuer-id"]);
        assert_eq!(found("id", "86095742719"), [""; 0]);
        assert_eq!(found("burgerservicenummer", "111222333"), ["nl-bsn"]);
        assert_eq!(found("orderNumber", "111222333"), [""; 0]);
        assert_eq!(found("pesel", "44051401359"), ["pl-pesel"]);
        assert_eq!(found("pesel", "44351401359"), [""; 0]);
    }
}
