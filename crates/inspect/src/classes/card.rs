//! Payment cards: number, verification code, PIN, and what stands on the magnetic stripe.

use super::check::{all_same, luhn, value};
use super::form::{Form, Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

/// The place of [`CARD`] among the classes.
pub(super) const PLACE: u8 = 0;

pub(super) const CARD: DataClass = DataClass {
    name: "card",
    title: "Payment card number",
    summary: "Issuer ranges and lengths of the large schemes with Luhn's check digit (ISO/IEC 7812); numbers that payment providers \
              publish for tests are marked",
    kind: ClassKind::Financial,
    region: None,
    strength: Strength::Checked,
    sensitivity: Sensitivity::Critical,
    keys: &[
        "card",
        "card number",
        "card no",
        "card num",
        "cardno",
        "cardnum",
        "credit card",
        "credit card number",
        "debit card",
        "creditcard",
        "creditcardnumber",
        "debitcard",
        "cc",
        "cc number",
        "cc num",
        "cc no",
        "ccn",
        "ccnum",
        "pan",
        "card pan",
        "primary account number",
        "payment card",
        "charge",
        "visa",
        "mastercard",
        "amex",
        "acct card",
        "kartennummer",
        "numero tarjeta",
        "tarjeta",
        "numero carte",
        "carte",
    ],
    example: ("cardNumber", "4539578763621486"),
    twin: "4539578763621487",
    gate: Gate::new(Forms::NUMBER, 12, 23).first(b"23456"),
    check: number,
};

pub(super) const CVV: DataClass = DataClass {
    name: "cvv",
    title: "Card verification code",
    summary: "Three or four digits under a name that says so; nobody may keep it once a payment is authorised (PCI DSS 3.3.1)",
    kind: ClassKind::Financial,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::Critical,
    keys: &[
        "cvv",
        "cvv2",
        "cvc",
        "cvc2",
        "csc",
        "cvn",
        "card verification",
        "card verification value",
        "card verification code",
        "card security code",
        "card code",
        "security code",
        "verification value",
    ],
    example: ("cvv", "737"),
    twin: "73717",
    gate: Gate::new(Forms::of(&[Form::Digits]), 3, 4),
    check: |_| Some(Evidence::Shape),
};

pub(super) const PIN: DataClass = DataClass {
    name: "card-pin",
    title: "PIN",
    summary: "Four to six digits under a name that says so; nobody may keep it once a payment is authorised (PCI DSS 3.3.1)",
    kind: ClassKind::Financial,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::Critical,
    keys: &["pin", "card pin", "pin number", "atm pin", "new pin", "old pin", "pin block"],
    example: ("cardPin", "4821"),
    twin: "48213077",
    gate: Gate::new(Forms::of(&[Form::Digits]), 4, 6),
    check: |_| Some(Evidence::Shape),
};

pub(super) const TRACK: DataClass = DataClass {
    name: "card-track",
    title: "Magnetic stripe of a card",
    summary: "Track 1 or 2 with its number, Luhn's check digit and date (ISO/IEC 7813); nobody may keep it once a payment is authorised (PCI DSS 3.3.1)",
    kind: ClassKind::Financial,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::Critical,
    keys: &["track", "track1", "track2", "track data", "magstripe", "swipe"],
    example: ("swipe", ";4539578763621486=29121010000012345?"),
    twin: ";4539578763621487=29121010000012345?",
    gate: Gate::new(Forms::ANY, 20, 65).first(b"%;"),
    check: track,
};

/// Numbers that payment providers publish for tests.
const TESTS: &[u64] = &[
    4_111_111_111_111_111,
    4_242_424_242_424_242,
    4_012_888_888_881_881,
    4_000_000_000_000_002,
    4_000_056_655_665_556,
    4_000_000_000_009_995,
    4_000_000_000_003_220,
    4_222_222_222_222,
    5_555_555_555_554_444,
    5_105_105_105_105_100,
    5_200_828_282_828_210,
    5_454_545_454_545_454,
    2_223_003_122_003_222,
    2_223_000_048_400_011,
    378_282_246_310_005,
    371_449_635_398_431,
    378_734_493_671_000,
    6_011_111_111_111_117,
    6_011_000_990_139_424,
    6_011_000_400_000_000,
    3_056_930_009_020_004,
    30_569_309_025_904,
    38_520_000_023_237,
    3_530_111_333_300_000,
    3_566_002_020_360_505,
    6_200_000_000_000_005,
];

/// Whether providers publish the number for tests.
pub(super) fn is_for_tests(digits: &[u8]) -> bool {
    digits.len() <= 19 && TESTS.contains(&value(digits))
}

fn number(value: &Value<'_>) -> Option<Evidence> {
    const GROUPS: &[&str] = &[
        "9999 9999 9999 9999",
        "9999-9999-9999-9999",
        "9999 999999 99999",
        "9999-999999-99999",
        "9999 999999 9999",
        "9999-999999-9999",
        "9999 9999 9999 9999 999",
        "9999-9999-9999-9999-999",
    ];
    let digits = value.digits();
    if !is_card(digits) {
        return None;
    }
    match value.is_plain() {
        _ if is_for_tests(digits) => Some(Evidence::Sure),
        true => Some(Evidence::Checked),
        false => GROUPS.iter().any(|groups| value.is_like(groups)).then_some(Evidence::Layout),
    }
}

/// Whether an issuer gives such numbers, and the check digit is right.
pub(super) fn is_card(digits: &[u8]) -> bool {
    let Some(first) = digits.get(..6) else { return false };
    let lengths = match super::check::value(first) {
        400_000..=499_999 => &[13, 16, 19][..],
        510_000..=559_999 | 222_100..=272_099 | 220_000..=220_499 => &[16],
        340_000..=349_999 | 370_000..=379_999 => &[15],
        300_000..=305_999 | 309_500..=309_599 | 360_000..=369_999 | 380_000..=399_999 => &[14, 16, 19],
        352_800..=358_999 | 601_100..=601_199 | 644_000..=659_999 => &[16, 17, 18, 19],
        620_000..=629_999 => &[16, 17, 18, 19],
        501_800..=501_899 | 502_000..=502_099 | 503_800..=503_899 | 589_300..=589_399 => {
            &[12, 13, 14, 15, 16, 17, 18, 19]
        }
        630_400..=630_499 | 675_900..=675_999 | 676_100..=676_399 => &[12, 13, 14, 15, 16, 17, 18, 19],
        _ => return false,
    };
    lengths.contains(&digits.len())
        && luhn(digits)
        && (is_for_tests(digits) || !digits.get(1..).is_none_or(all_same))
}

fn track(value: &Value<'_>) -> Option<Evidence> {
    let (rest, end) = match value.text {
        [b'%', b'B', rest @ ..] => (rest, b'^'),
        [b';', rest @ ..] => (rest, b'='),
        _ => return None,
    };
    let len = rest.iter().position(|byte| *byte == end).filter(|len| *len <= 19)?;
    let number = Value::new(rest.get(..len)?);
    let is_dated =
        end == b'^' || rest.get(len + 1..len + 5).is_some_and(|date| date.iter().all(u8::is_ascii_digit));
    (number.is_plain() && is_card(number.digits()) && is_dated).then_some(Evidence::Sure)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;
    use super::*;

    #[test]
    fn the_number_counts_by_name_layout_or_as_known_for_tests() {
        assert_eq!(found("payment.card.number", "4539578763621486"), ["card"]);
        assert_eq!(found("note", "4539 5787 6362 1486"), ["card"]);
        assert_eq!(found("note", "4539578763621486"), [""; 0]);
        assert_eq!(found("note", "4111111111111111"), ["card"]);
        assert_eq!(found("orderNumber", "4539-5787-6362-1486"), [""; 0]);
    }

    #[test]
    fn issuers_have_their_lengths() {
        for (text, is) in [
            ("378282246310005", true),
            ("3782822463100053", false),
            ("6759649826438453", true),
            ("9000000000000001", false),
            ("4000000000000000", false),
        ] {
            assert_eq!(is_card(Value::new(text.as_bytes()).digits()), is, "{text}");
        }
    }

    #[test]
    fn the_place_is_right() {
        assert_eq!(super::super::ClassId::of("card"), Some(super::super::ClassId(PLACE)));
    }

    #[test]
    fn tests_have_check_digits() {
        for number in TESTS {
            let text = number.to_string();
            assert!(luhn(Value::new(text.as_bytes()).digits()), "{number}");
        }
    }

    #[test]
    fn both_tracks_are_known() {
        assert_eq!(found("data", "%B4539578763621486^DOE/JANE^29121010000012345?"), ["card-track"]);
        assert_eq!(found("data", "%B4539578763621487^DOE/JANE^29121010000012345?"), [""; 0]);
    }
}
