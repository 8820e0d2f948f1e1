//! Literals, read as the kind of the field they are compared with.

use crate::Kind;
use jiff::civil::{Date, date};
use std::net::IpAddr;

/// A literal of the kind its field has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    Bool(bool),
    Number(i64),
    Text(Vec<u8>),
    Network(Network),
}

/// An address with the number of leading bits that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    fn read(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(widest);
        (prefix <= widest).then_some(Self { address, prefix })
    }

    /// Whether the address lies in the network. Families never mix.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.checked_shr(32 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = own.to_bits() ^ other.to_bits();
                differing.checked_shr(128 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Reads a literal for a field of that kind, or says what was expected.
pub(crate) fn read(text: &str, quoted: bool, kind: Kind) -> Result<Literal, &'static str> {
    match kind {
        Kind::Text | Kind::List => Ok(Literal::Text(text.as_bytes().to_vec())),
        Kind::Ip => Network::read(text)
            .map(Literal::Network)
            .ok_or("expected an address or network, such as 10.0.0.0/8"),
        Kind::Time => {
            time(text).map(Literal::Number).ok_or("expected a time, such as \"2026-01-01T12:00:00Z\"")
        }
        _ if quoted => Err("this field is no text: leave the quotes out"),
        Kind::Bool => text.parse().map(Literal::Bool).map_err(|_| "expected true or false"),
        Kind::Int => text.parse().map(Literal::Number).map_err(|_| "expected a whole number"),
        Kind::Duration => scaled(text, DURATIONS)
            .map(Literal::Number)
            .ok_or("expected a duration with its unit, such as 10ms"),
        Kind::Size => {
            scaled(text, SIZES).map(Literal::Number).ok_or("expected a size, such as 512, 3K or 1M")
        }
    }
}

/// Units of durations, in nanoseconds.
const DURATIONS: &[(&str, i64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Units of sizes, in bytes.
const SIZES: &[(&str, i64)] = &[
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
];

/// A decimal number with at most nine places, times its unit. Zero needs none.
fn scaled(text: &str, units: &[(&str, i64)]) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i64 = whole.parse().ok()?;
    if text == "0" {
        return Some(0);
    }
    let scale = units.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale)?;
    let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= 9)?;
    let parts: i64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let part = i128::from(parts) * i128::from(scale) / 10_i128.pow(places);
    i64::try_from(i128::from(whole) * i128::from(scale) + part).ok()
}

/// RFC 3339, or its date alone, in nanoseconds since the epoch. No zone means UTC.
pub fn time(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00"));
    let mut parts = date.splitn(3, '-');
    let year = i16::try_from(within(parts.next()?, 1, 9999)?).ok()?;
    let month = i8::try_from(within(parts.next()?, 1, 12)?).ok()?;
    let day = i8::try_from(within(parts.next()?, 1, 31)?).ok()?;
    let (clock, zone) = zone(clock)?;
    let midnight = Date::new(year, month, day).ok()?.duration_since(EPOCH).as_secs();
    (midnight - zone).checked_mul(1_000_000_000)?.checked_add(time_of_day(clock)?)
}

/// Splits off the zone, in seconds east of UTC.
fn zone(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = clock.rfind(['+', '-']) else { return Some((clock, 0)) };
    let (hours, minutes) = clock.get(at + 1..)?.split_once(':')?;
    let east = (within(hours, 0, 23)? * 60 + within(minutes, 0, 59)?) * 60;
    let sign = if clock.get(at..)?.starts_with('-') { -1 } else { 1 };
    Some((clock.get(..at)?, sign * east))
}

/// `12:00`, `12:00:30` or `12:00:30.5` in nanoseconds.
fn time_of_day(clock: &str) -> Option<i64> {
    let mut parts = clock.splitn(3, ':');
    let hour = within(parts.next()?, 0, 23)?;
    let minute = within(parts.next()?, 0, 59)?;
    let second = scaled(parts.next().unwrap_or("0"), SECONDS).filter(|second| *second < LEAP_END)?;
    Some((hour * 60 + minute) * 60_000_000_000 + second)
}

/// Seconds of a minute, in nanoseconds, and behind which there is none, leap seconds included (RFC 3339, 5.7).
const SECONDS: &[(&str, i64)] = &[("", 1_000_000_000)];
const LEAP_END: i64 = 61 * 1_000_000_000;

const EPOCH: Date = date(1970, 1, 1);

/// A whole number without sign, of that range.
fn within(text: &str, least: i64, most: i64) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && (least..=most).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str, kind: Kind) -> Option<i64> {
        match read(text, false, kind) {
            Ok(Literal::Number(number)) => Some(number),
            _ => None,
        }
    }

    #[test]
    fn units_scale() {
        assert_eq!(number("10ms", Kind::Duration), Some(10_000_000));
        assert_eq!(number("1.5s", Kind::Duration), Some(1_500_000_000));
        assert_eq!(number("0", Kind::Duration), Some(0));
        assert_eq!(number("10", Kind::Duration), None, "ten of what");
        assert_eq!(number("3K", Kind::Size), Some(3072));
        assert_eq!(number("512", Kind::Size), Some(512));
        assert_eq!(number("1.5M", Kind::Size), Some(1_572_864));
        assert_eq!(number("99999999999999999999G", Kind::Size), None);
        assert_eq!(number("9999999999G", Kind::Size), None, "does not fit");
    }

    #[test]
    fn times_are_utc_unless_they_say_otherwise() {
        let noon = 1_767_268_800_000_000_000;
        assert_eq!(number("2026-01-01T12:00:00Z", Kind::Time), Some(noon));
        assert_eq!(number("2026-01-01T12:00", Kind::Time), Some(noon));
        assert_eq!(number("2026-01-01T13:00:00.25+01:00", Kind::Time), Some(noon + 250_000_000));
        assert_eq!(number("1970-01-01", Kind::Time), Some(0));
        assert_eq!(number("2024-02-29", Kind::Time), Some(1_709_164_800_000_000_000));
        assert_eq!(number("2016-12-31T23:59:60Z", Kind::Time), Some(1_483_228_800_000_000_000));
        for wrong in [
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-02-31",
            "2026-04-31",
            "1900-02-29",
            "2026-01-01T25:00",
            "2026-01-01T12:00:61",
            "2026-01-01T12:00:99",
            "2026-01-01T12:00:5m",
            "2026-01-01T12:+5",
            "2026-01-01T12:00+25:99",
            "2026-01-01T12:00+23:60",
            "2026-01-01T12:00+9223372036854775807:00",
            "yesterday",
            "9999999-01-01",
        ] {
            assert_eq!(number(wrong, Kind::Time), None, "{wrong}");
        }
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let network = |text| Network::read(text).unwrap();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(network("10.0.0.0/8").contains(address("10.255.0.1")));
        assert!(!network("10.0.0.0/8").contains(address("11.0.0.1")));
        assert!(network("0.0.0.0/0").contains(address("11.0.0.1")));
        assert!(!network("0.0.0.0/0").contains(address("::1")));
        assert!(network("2001:db8::/32").contains(address("2001:db8:1::1")));
        assert!(network("10.0.0.7").contains(address("10.0.0.7")));
        assert!(Network::read("10.0.0.0/33").is_none());
    }
}
