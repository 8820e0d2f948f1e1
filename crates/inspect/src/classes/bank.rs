//! Accounts and banks: IBAN, BIC, and the routing numbers of the United States.

use super::check::{all_same, mod_97, value, weighted};
use super::form::{Form, Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const IBAN: DataClass = DataClass {
    name: "iban",
    title: "International bank account number",
    summary: "Country, its length by the registry of ISO 13616, and the remainder by 97",
    kind: ClassKind::Financial,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::High,
    keys: &["iban", "bank account", "account number", "account iban"],
    example: ("iban", "DE89370400440532013000"),
    twin: "DE89370400440532013001",
    gate: Gate::new(Forms::of(&[Form::Mixed, Form::Token, Form::Text]), 15, 42),
    check: iban,
};

pub(super) const BIC: DataClass = DataClass {
    name: "bic",
    title: "Bank identifier (BIC, SWIFT code)",
    summary: "Eight or eleven letters and digits with a country (ISO 9362), under a name that says so",
    kind: ClassKind::Financial,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::Low,
    keys: &["bic", "swift", "swift code", "bic code", "bank identifier code", "swift bic"],
    example: ("bic", "DEUTDEFF500"),
    twin: "DEUTQQFF500",
    gate: Gate::new(Forms::of(&[Form::Word, Form::Mixed]), 8, 11),
    check: bic,
};

pub(super) const ABA: DataClass = DataClass {
    name: "us-aba",
    title: "Routing number of a bank in the United States",
    summary: "Nine digits of a Federal Reserve range with check digit",
    kind: ClassKind::Financial,
    region: Some("us"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::Low,
    keys: &[
        "aba",
        "aba number",
        "routing",
        "routing number",
        "routing no",
        "rtn",
        "aba routing",
        "routing transit",
        "bank routing",
        "abarouting",
    ],
    example: ("routingNumber", "121000358"),
    twin: "121000359",
    gate: Gate::new(Forms::NUMBER, 9, 11).first(b"012368"),
    check: aba,
};

/// Countries with the length of their numbers.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

fn iban(value: &Value<'_>) -> Option<Evidence> {
    let &[a, b, c, d, ..] = value.text else { return None };
    let country = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
    let at = LENGTHS.binary_search_by(|(known, _)| (*known).cmp(&country)).ok()?;
    let (_, len) = LENGTHS.get(at)?;
    let marks = value.text.iter().filter(|byte| matches!(byte, b' ' | b'-')).count();
    let is_long = value.text.len() - marks == *len;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-');
    let mixed =
        value.text.iter().any(u8::is_ascii_lowercase) && value.text.iter().any(u8::is_ascii_uppercase);
    let fits = is_long && !mixed && c.is_ascii_digit() && d.is_ascii_digit() && value.text.iter().all(plain);
    let (head, tail) = value.text.split_at_checked(4)?;
    (fits && mod_97(tail.iter().chain(head).copied()) == 1).then_some(Evidence::Sure)
}

fn bic(value: &Value<'_>) -> Option<Evidence> {
    let layout = value.is_like("AAAAAA**") || value.is_like("AAAAAA*****");
    let country = value.text.get(4..6)?;
    (layout && is_country(country)).then_some(Evidence::Shape)
}

/// Countries of ISO 3166, and Kosovo, which banks write `XK`.
fn is_country(code: &[u8]) -> bool {
    const CODES: &[u8] = b"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCX\
        CYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKM\
        KNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPT\
        PWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";
    CODES.chunks(2).any(|known| known == code)
}

fn aba(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 9] = value.exactly()?;
    let bank = super::check::value(digits.get(..2)?);
    let is_range = matches!(bank, 1..=12 | 21..=32 | 61..=72 | 80);
    let sum = weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]);
    let fits = is_range && sum.is_multiple_of(10) && !all_same(&digits) && self::value(&digits) > 0;
    (fits && value.is_plain_or(&["9999-9999-9", "9999 9999 9"])).then_some(Evidence::Checked)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn ibans_count_under_any_name_in_any_grouping() {
        for text in [
            "GB82WEST12345698765432",
            "GB82 WEST 1234 5698 7654 32",
            "de89370400440532013000",
            "NO9386011117947",
        ] {
            assert_eq!(found("ref", text), ["iban"], "{text}");
        }
        for text in [
            "GB82WEST1234569876543",
            "GB82WEST12345698765423",
            "ZZ82WEST12345698765432",
            "GB8AWEST12345698765432",
        ] {
            assert_eq!(found("iban", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn lengths_are_sorted_and_possible() {
        assert!(LENGTHS.is_sorted_by(|(a, _), (b, _)| a < b));
        assert!(LENGTHS.iter().all(|(country, len)| (15..=34).contains(len) && is_country(*country)));
    }

    #[test]
    fn a_bic_needs_its_name() {
        assert_eq!(found("swiftCode", "COBADEFF"), ["bic"]);
        assert_eq!(found("word", "PASSWORD"), [""; 0]);
    }

    #[test]
    fn routing_numbers_need_a_name_or_a_column() {
        assert_eq!(found("routing_number", "0711-0130-7"), ["us-aba"]);
        assert_eq!(found("id", "121000358"), [""; 0]);
        assert_eq!(found("routing_number", "421042111"), [""; 0]);
    }
}
