//! Who somebody is, and how to reach them.

use super::check::{day_and_month, value as number};
use super::form::{Form, Forms, Value, is_like};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const EMAIL: DataClass = DataClass {
    name: "email",
    title: "E-mail address",
    summary: "A local part, and a domain whose last label has letters only; those of machines (`git@`, files such as `logo@2x.png`) are left out",
    kind: ClassKind::Personal,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::Medium,
    keys: &["email", "e mail", "mail", "email address", "emailaddress", "mailto", "correo"],
    example: ("contact", "jane.doe@example.com"),
    twin: "jane.doe@example.c",
    gate: Gate::new(Forms::of(&[Form::Mail]), 6, 65),
    check: |value| is_email(value.text).then_some(Evidence::Sure),
};

pub(super) const PHONE: DataClass = DataClass {
    name: "phone",
    title: "Phone number",
    summary: "With + and a country's code it counts under any name, otherwise 7 to 15 digits in the usual groups under a name that says so",
    kind: ClassKind::Personal,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::Medium,
    keys: &[
        "phone",
        "phone number",
        "phone no",
        "telephone",
        "telephone number",
        "tel",
        "mobile",
        "mobile number",
        "mobile no",
        "mobile phone",
        "cell",
        "cell phone",
        "cellphone",
        "msisdn",
        "fax",
        "fax number",
        "contact number",
        "home phone",
        "work phone",
        "phonenumber",
        "mobilenumber",
        "whatsapp",
        "sms",
        "telefon",
        "telefono",
        "celular",
        "telefone",
        "handy",
        "call",
    ],
    example: ("phone", "(415) 555-0132"),
    twin: "(415) 55-0",
    gate: Gate::new(Forms::of(&[Form::Digits, Form::Grouped, Form::Token, Form::Text]), 7, 24)
        .first(b"+0123456789(t"),
    check: phone,
};

pub(super) const NAME: DataClass = DataClass {
    name: "person-name",
    title: "Name of a person",
    summary: "Words under a name that says so: no list of names is kept",
    kind: ClassKind::Personal,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::Medium,
    keys: &[
        "first name",
        "firstname",
        "last name",
        "lastname",
        "surname",
        "given name",
        "givenname",
        "family name",
        "familyname",
        "full name",
        "fullname",
        "middle name",
        "middlename",
        "maiden name",
        "customer name",
        "patient name",
        "employee name",
        "cardholder",
        "cardholder name",
        "card holder",
        "card holder name",
        "name on card",
        "account holder",
        "holder name",
        "beneficiary name",
        "contact name",
        "recipient name",
        "passenger name",
        "guest name",
        "person name",
        "legal name",
        "display name",
        "user full name",
        "user name full",
        "customer.name",
        "patient.name",
        "person.name",
        "contact.name",
        "employee.name",
        "recipient.name",
        "passenger.name",
        "guest.name",
        "nombre completo",
        "apellido",
        "vorname",
        "nachname",
        "nom famille",
        "prenom",
        "student name",
        "member name",
        "driver name",
        "tenant name full",
        "applicant name",
        "borrower name",
        "shipping name",
        "billing name",
        "insured name",
        "doctor name",
        "physician name",
        "witness name",
        "sender name",
        "receiver name",
        "buyer name",
    ],
    example: ("firstName", "Jane"),
    twin: "jane_doe_42",
    gate: Gate::new(Forms::of(&[Form::Word, Form::Text, Form::Token]), 3, 64),
    check: name,
};

pub(super) const BIRTH_DATE: DataClass = DataClass {
    name: "birth-date",
    title: "Date of birth",
    summary: "A date from 1900 on under a name that says so",
    kind: ClassKind::Personal,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::High,
    keys: &[
        "birth date",
        "birthdate",
        "date of birth",
        "dateofbirth",
        "dob",
        "birthday",
        "birth day",
        "born",
        "born on",
        "date birth",
        "geburtsdatum",
        "fecha nacimiento",
        "date naissance",
        "data nascimento",
        "bday",
    ],
    example: ("dateOfBirth", "1984-02-29"),
    twin: "1984-13-29",
    gate: Gate::new(Forms::of(&[Form::Digits, Form::Grouped, Form::Token, Form::Text, Form::Mixed]), 8, 30)
        .first(b"0123456789"),
    check: birth_date,
};

/// A local part and a domain (RFC 5321, 4.1.2), without quoted strings and address literals, which nobody has.
pub(super) fn is_email(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"mailto:").unwrap_or(text);
    let Some(at) = memchr::memchr(b'@', text) else { return false };
    let Some((local, domain)) = text.split_at_checked(at) else { return false };
    is_local_part(local) && is_domain(domain.get(1..).unwrap_or_default())
}

fn is_local_part(local: &[u8]) -> bool {
    let machine: &[&[u8]] = &[b"git", b"svn", b"hg", b"npm"];
    (1..=64).contains(&local.len())
        && local.iter().all(|byte| {
            byte.is_ascii_alphanumeric() || *byte >= 0x80 || b"!#$%&'*+-/=?^_`{|}~.".contains(byte)
        })
        && !local.starts_with(b".")
        && !local.ends_with(b".")
        && !machine.contains(&local)
}

fn is_domain(domain: &[u8]) -> bool {
    const FILES: &[&[u8]] = &[
        b"png",
        b"jpg",
        b"jpeg",
        b"gif",
        b"svg",
        b"webp",
        b"js",
        b"css",
        b"ico",
        b"html",
        b"json",
        b"local",
        b"internal",
    ];
    let label = |label: &[u8]| {
        (1..=63).contains(&label.len())
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte >= 0x80)
            && !label.starts_with(b"-")
            && !label.ends_with(b"-")
    };
    let Some(last) = domain.rsplit(|byte| *byte == b'.').next() else { return false };
    domain.len() <= 253
        && domain.contains(&b'.')
        && domain.split(|byte| *byte == b'.').all(label)
        && last.len() >= 2
        && (last.starts_with(b"xn--") || last.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80))
        && !FILES.contains(&last.to_ascii_lowercase().as_slice())
}

/// ITU-T E.164: at most fifteen digits, of which one to three are the country's.
fn phone(value: &Value<'_>) -> Option<Evidence> {
    let text = value.text.strip_prefix(b"tel:").unwrap_or(value.text);
    let (text, extension) = split_extension(text);
    let digits = value.digits().get(..value.digits().len().checked_sub(extension)?)?;
    let is_written = text
        .iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b' ' | b'-' | b'.' | b'(' | b')' | b'/'));
    let groups = text.iter().filter(|byte| !byte.is_ascii_digit()).count();
    if !is_written
        || !(7..=15).contains(&digits.len())
        || groups > 8
        || super::check::all_same(digits)
        || is_date(text)
    {
        return None;
    }
    if let Some(rest) = text.strip_prefix(b"+") {
        let spare = digits.len() >= 8 && !rest.contains(&b'+') && !rest.starts_with(b" ");
        return (spare && is_country(digits)).then_some(Evidence::Layout);
    }
    let dotted = text.iter().filter(|byte| **byte == b'.').count() == 1;
    if is_like(text, "(999) 999-9999") || is_like(text, "(999)999-9999") {
        return Some(Evidence::Layout);
    }
    let fits = !text.contains(&b'+') && !dotted && (groups == 0 || digits.len() >= 7);
    fits.then_some(Evidence::Shape)
}

/// A number without its `x123`, `ext. 123`, and how many digits that has.
fn split_extension(text: &[u8]) -> (&[u8], usize) {
    let Some(at) = text.iter().position(|byte| matches!(byte, b'x' | b'e' | b'E')) else { return (text, 0) };
    let Some((number, extension)) = text.split_at_checked(at) else { return (text, 0) };
    let digits = extension.iter().filter(|byte| byte.is_ascii_digit()).count();
    let mark = extension.iter().all(|byte| byte.is_ascii_digit() || b"xextE. ".contains(byte));
    if mark && (1..=6).contains(&digits) { (number.trim_ascii_end(), digits) } else { (text, 0) }
}

/// Country codes of ITU-T E.164 with three digits begin with these two; 0 begins none, 1 and 7 stand alone.
fn is_country(digits: &[u8]) -> bool {
    let [first, second, third, ..] = *digits else { return false };
    match first {
        0 => false,
        // North America: neither area nor exchange begins with 0 or 1.
        1 => digits.len() == 11 && second >= 2 && digits.get(4).is_some_and(|exchange| *exchange >= 2),
        7 => digits.len() == 11,
        2 => matches!((second, third), (0 | 7, _) | (1, 1 | 2 | 3 | 6 | 8) | (2..=6, _) | (9, 0 | 1 | 7..=9)),
        3 => !matches!((second, third), (7, 9) | (8, 3 | 4 | 8)),
        4 => !matches!((second, third), (2, 2 | 4..=9)),
        5 => true,
        6 => !matches!((second, third), (9, 3..=9)),
        8 => !matches!((second, third), (3 | 9, _) | (0, 1..=7 | 9) | (5, 1 | 4 | 7..=9)),
        _ => !matches!((second, third), (9, 0 | 1 | 7 | 9) | (6, 9) | (7, 8)),
    }
}

/// A date is written with the same marks.
fn is_date(text: &[u8]) -> bool {
    ["9999-99-99", "99-99-9999", "99.99.9999", "99/99/9999", "9999/99/99", "9999.99.99", "99.99.99.99"]
        .iter()
        .any(|like| is_like(text, like))
}

/// Letters of any script with what stands in names; a slug or a sentence is none.
fn name(value: &Value<'_>) -> Option<Evidence> {
    let marks = value.text.iter().filter(|byte| !byte.is_ascii_alphabetic() && **byte < 0x80);
    let written = marks.clone().all(|byte| matches!(byte, b' ' | b'.' | b'\'' | b'-' | b','));
    let words = value.text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).count();
    let letters = value.text.len() - marks.count();
    let placeholder: &[&[u8]] = &[
        b"null",
        b"none",
        b"undefined",
        b"unknown",
        b"string",
        b"n/a",
        b"anonymous",
        b"true",
        b"false",
        b"test",
        b"admin",
    ];
    let stands = !placeholder.iter().any(|word| word.eq_ignore_ascii_case(value.text));
    // A sentence is written small.
    let most = if value.text.iter().any(|byte| byte.is_ascii_uppercase() || *byte >= 0x80) { 6 } else { 3 };
    (written && stands && words <= most && letters >= 2 && !value.text.starts_with(b"-"))
        .then_some(Evidence::Shape)
}

/// Year, month and day in the usual orders, with a time of day behind it or not; the year may not be later than 2039.
fn birth_date(value: &Value<'_>) -> Option<Evidence> {
    let date = value.text.split(|byte| matches!(byte, b'T' | b' ')).next()?;
    let digits = Value::new(date);
    let digits: [u8; 8] = digits.exactly()?;
    let year_first = is_like(date, "99999999")
        || ["9999-99-99", "9999/99/99", "9999.99.99"].iter().any(|like| is_like(date, like));
    let year_last = ["99/99/9999", "99.99.9999", "99-99-9999"].iter().any(|like| is_like(date, like));
    let (a, b) = digits.split_at_checked(4)?;
    let (year, rest) = match (year_first, year_last) {
        (true, _) => (a, b),
        (_, true) => (b, a),
        _ => return None,
    };
    let (c, d) = rest.split_at_checked(2)?;
    let is_day = day_and_month(d, c) || (year_last && day_and_month(c, d));
    ((1900..2040).contains(&number(year)) && is_day).then_some(Evidence::Shape)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn addresses_of_people_count_under_any_name() {
        for text in ["a.b+c@mail.example.co.uk", "mailto:jane@example.org", "ümlaut@exämple.de"] {
            assert_eq!(found("x", text), ["email"], "{text}");
        }
        for text in [
            "logo@2x.png",
            "@alice",
            "git@github.com",
            "a@b",
            "a@b..com",
            "a@-b.com",
            "user@10.0.0.1",
            ".a@example.com",
            "a@@example.com",
        ] {
            assert_eq!(found("email", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn phones_count_with_a_country_or_a_name() {
        for text in
            ["+49 30 901820", "+14155550132", "+44 20 7946 0018", "tel:+33-1-70-18-99-00", "+91 98765 43210"]
        {
            assert_eq!(found("x", text), ["phone"], "{text}");
        }
        for text in [
            "4155550132",
            "555-123-4567",
            "+0123456789",
            "+1 155 555 0132",
            "+12.5",
            "2026-01-01",
            "192.168.1.20",
        ] {
            assert_ne!(found("ref", text), ["phone"], "{text}");
        }
        assert_eq!(found("contact.mobile", "07700 900123"), ["phone"]);
        assert_eq!(found("phone", "(415) 555-0132 x55"), ["phone"]);
        assert_eq!(found("phone", "2026-01-01"), [""; 0]);
    }

    #[test]
    fn names_need_a_name() {
        assert_eq!(found("lastName", "O'Brien-Müller"), ["person-name"]);
        assert_eq!(found("patient.name", "Jane Doe"), ["person-name"]);
        assert_eq!(found("product.name", "Jane Doe"), [""; 0]);
        assert_eq!(found("fileName", "report"), [""; 0]);
        assert_eq!(found("firstName", "null"), [""; 0]);
    }

    #[test]
    fn birth_dates_need_a_name_and_a_day() {
        for text in ["1984-02-29", "29.02.1984", "02/29/1984", "19840229", "1984-02-29T00:00:00Z"] {
            assert_eq!(found("dob", text), ["birth-date"], "{text}");
        }
        for text in ["1884-02-28", "1984-02-30", "2984-01-01", "yesterday"] {
            assert_eq!(found("dob", text), [""; 0], "{text}");
        }
        assert_eq!(found("createdAt", "1984-02-29"), [""; 0]);
    }
}
