//! Values that objects and persons have: each follows from numbers alone, so nothing needs to be stored.

/// One number of two; near numbers give far ones (the finalizer of SplitMix64).
pub(crate) const fn mix(a: u64, b: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number of a text (FNV-1a, 64 bits).
pub(crate) fn number_of(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// One of a list that is not empty.
pub(crate) fn choose<T: Copy>(list: &[T], hash: u64) -> T {
    list[(hash % list.len() as u64) as usize]
}

const FIRST: &[&str] = &[
    "Mara", "Jonas", "Wei", "Ines", "Tomasz", "Aylin", "Noor", "Petra", "Luca", "Signe", "Ravi", "Oksana",
    "Diego", "Freya", "Kofi", "Hana", "Emil", "Zoe", "Bram", "Leila", "Aoife", "Pavel", "Yuki", "Carmen",
    "Idris", "Nadia", "Felix", "Greta", "Hugo", "Salma", "Oskar", "Priya", "Theo", "Vera", "Anton", "Bianca",
    "Cem", "Dana",
];
const LAST: &[&str] = &[
    "Okafor",
    "Lindqvist",
    "Moreau",
    "Tanaka",
    "Brandt",
    "Castellano",
    "Novak",
    "Iversen",
    "Haddad",
    "Pereira",
    "Kowalczyk",
    "Whitfield",
    "Achterberg",
    "Singh",
    "Marchetti",
    "O'Neill",
    "D'Angelo",
    "Szabo",
    "Fontaine",
    "Ortega",
    "Yilmaz",
    "Bergstrom",
    "Dubois",
    "Keller",
    "Moretti",
    "Nakamura",
    "Petrov",
    "Quinn",
    "Rahman",
    "Schneider",
    "Union",
    "Drop",
    "Select",
    "Vasquez",
    "Winter",
    "Zimmer",
];
const STREETS: &[&str] = &[
    "Harbour Street",
    "Rue des Lilas",
    "Lindenallee",
    "Mill Lane",
    "Via Garibaldi",
    "Kungsgatan",
    "Calle Mayor",
    "Ocean Drive",
    "Station Road",
    "Birkenweg",
];
const CITIES: &[&str] = &[
    "Leeds", "Lyon", "Bremen", "Porto", "Turin", "Malmo", "Toledo", "Austin", "Cork", "Utrecht", "Graz",
    "Gdansk",
];
const WORDS: &[&str] = &[
    "amber", "basil", "canvas", "delta", "ember", "fable", "garnet", "harbor", "indigo", "juniper", "kettle",
    "lantern", "meadow", "nectar", "oak", "pepper", "quartz", "river", "saffron", "timber", "umber",
    "velvet", "willow", "yarrow", "zephyr", "cobalt", "linen", "maple", "onyx", "pearl", "slate", "tulip",
];

/// A human being; all about them follows from one number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person(pub(crate) u64);

impl Person {
    fn of(self, what: u64) -> u64 {
        mix(self.0, what)
    }

    pub(crate) fn first(self) -> &'static str {
        choose(FIRST, self.of(1))
    }

    pub(crate) fn last(self) -> &'static str {
        choose(LAST, self.of(2))
    }

    pub(crate) fn name(self) -> String {
        format!("{} {}", self.first(), self.last())
    }

    /// Distinct for distinct numbers, but for chance.
    pub(crate) fn email(self) -> String {
        let last: String = self.last().chars().filter(char::is_ascii_alphabetic).collect();
        let domain = choose(&["example.com", "example.org", "example.net"], self.of(3));
        let name = format!("{}.{}{}", self.first(), last, self.0 % 100_000_000);
        format!("{}@{domain}", name.to_ascii_lowercase())
    }

    pub(crate) fn phone(self) -> String {
        format!("+4420{:08}", 70_000_000 + self.of(4) % 9_999_999)
    }

    pub(crate) fn street(self) -> String {
        format!("{} {}", choose(STREETS, self.of(5)), 1 + self.of(6) % 180)
    }

    pub(crate) fn city(self) -> &'static str {
        choose(CITIES, self.of(7))
    }

    pub(crate) fn birth(self) -> String {
        format!("{}-{:02}-{:02}", 1940 + self.of(8) % 66, 1 + self.of(9) % 12, 1 + self.of(10) % 28)
    }

    /// Sixteen digits with Luhn's check digit.
    pub(crate) fn card(self) -> String {
        let body = format!("45320{:010}", self.of(11) % 10_000_000_000);
        let digits = body.bytes().rev().enumerate().map(|(place, digit)| {
            let digit = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        });
        let sum: u32 = digits.sum();
        format!("{body}{}", (10 - sum % 10) % 10)
    }

    /// German: two check digits by modulo 97 (ISO 13616).
    pub(crate) fn iban(self) -> String {
        let body = format!("37040044{:010}", self.of(12) % 10_000_000_000);
        // "DE00" behind the account, letters as numbers.
        let rest = format!("{body}131400")
            .bytes()
            .fold(0_u64, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97);
        format!("DE{:02}{body}", 98 - rest)
    }

    pub(crate) fn ssn(self) -> String {
        format!("{:03}-{:02}-{:04}", 100 + self.of(13) % 500, 1 + self.of(14) % 99, 1 + self.of(15) % 9_999)
    }

    /// Ten digits with the check digit of NHS numbers (modulo 11).
    pub(crate) fn nhs(self) -> String {
        for salt in 0.. {
            let body = format!("4{:08}", mix(self.of(16), salt) % 100_000_000);
            let sum: u64 = body
                .bytes()
                .zip((2..=10).rev())
                .map(|(digit, weight)| u64::from(digit - b'0') * weight)
                .sum();
            let check = (11 - sum % 11) % 11;
            if check != 10 {
                return format!("{body}{check}");
            }
        }
        String::new()
    }
}

/// Words that make a title, separated by `mark`.
pub(crate) fn words(hash: u64, count: u64, mark: &str) -> String {
    (0..count).map(|place| choose(WORDS, mix(hash, place))).collect::<Vec<_>>().join(mark)
}

/// Version 4, variant 1 (RFC 9562).
pub(crate) fn uuid(hash: u64) -> String {
    let (a, b) = (mix(hash, 101), mix(hash, 102));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        0x8000 | b >> 48 & 0x3fff,
        b & 0xffff_ffff_ffff
    )
}

/// Letters and digits that look random.
pub(crate) fn opaque(hash: u64, length: usize) -> String {
    const SYMBOLS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let symbol = |place: usize| char::from(choose(SYMBOLS, mix(hash, 7_000 + place as u64)));
    (0..length).map(symbol).collect()
}

/// Without padding (RFC 4648, 5).
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            out.push(char::from(SYMBOLS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

/// For query strings: everything but unreserved symbols as octets (RFC 3986).
pub(crate) fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Year, month, day, and seconds of the day.
fn calendar(seconds: i64) -> (i64, i64, i64, i64) {
    let (mut days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let mut year = 1970;
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while days >= 365 + i64::from(leap(year)) {
        days -= 365 + i64::from(leap(year));
        year += 1;
    }
    let months = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    (year, month as i64 + 1, days + 1, rest)
}

/// As RFC 3339.
pub(crate) fn date_time(seconds: i64) -> String {
    let (year, month, day, rest) = calendar(seconds);
    format!("{year}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// As RFC 9110, 5.6.7.
pub(crate) fn http_date(seconds: i64) -> String {
    let (year, month, day, rest) = calendar(seconds);
    let week =
        ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][seconds.div_euclid(86_400).rem_euclid(7) as usize];
    let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        [month as usize - 1];
    format!("{week}, {day:02} {name} {year} {:02}:{:02}:{:02} GMT", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_right() {
        for number in 0..200 {
            let person = Person(mix(number, 5));
            let luhn: u32 = person.card().bytes().rev().enumerate().fold(0, |sum, (place, digit)| {
                let digit = u32::from(digit - b'0') * (1 + (place as u32 & 1));
                sum + digit / 10 + digit % 10
            });
            assert_eq!(luhn % 10, 0);
            let iban = person.iban();
            let turned = format!("{}1314{}", &iban[4..], &iban[2..4]);
            let rest = turned.bytes().fold(0, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97);
            assert_eq!(rest, 1, "{iban}");
            let nhs: u32 =
                person.nhs().bytes().zip((1..=10).rev()).map(|(d, w)| u32::from(d - b'0') * w).sum();
            assert_eq!(nhs % 11, 0);
        }
    }

    #[test]
    fn base64url_is_that_of_rfc_4648() {
        let coded: Vec<String> = ["", "f", "fo", "foo", "foob"].map(|text| base64url(text.as_bytes())).into();
        assert_eq!(coded, ["", "Zg", "Zm8", "Zm9v", "Zm9vYg"]);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date_time(1_709_208_000), "2024-02-29T12:00:00Z");
    }
}
