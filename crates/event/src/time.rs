//! Packet time as text. Always UTC: a sensor's zone is nobody's business.

use crate::number;
use tapwire_wire::Timestamp;

/// A date and time of day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    year: i64,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    nanos: u32,
}

impl Civil {
    /// From nanoseconds since the epoch, by the days-to-civil rule of the proleptic Gregorian calendar.
    pub(crate) fn new(time: Timestamp) -> Self {
        let seconds = time.nanos().div_euclid(1_000_000_000);
        let nanos = time.nanos().rem_euclid(1_000_000_000);
        let (days, second_of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Days since 0000-03-01, so that a leap day ends its year; an era is 400 years.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: small(month),
            day: small(day_of_year - (153 * month_from_march + 2) / 5 + 1),
            hour: small(second_of_day / 3_600),
            minute: small(second_of_day / 60 % 60),
            second: small(second_of_day % 60),
            nanos: u32::try_from(nanos).unwrap_or(0),
        }
    }

    /// `2026-01-01T12:00:00`, then the fraction to `digits` places.
    pub(crate) fn date_time(self, out: &mut Vec<u8>, digits: u32) {
        self.seconds(out);
        fraction(out, self.nanos, digits);
    }

    fn seconds(self, out: &mut Vec<u8>) {
        number::padded(out, self.year.unsigned_abs(), 4);
        out.push(b'-');
        number::padded(out, self.month.into(), 2);
        out.push(b'-');
        number::padded(out, self.day.into(), 2);
        out.push(b'T');
        self.of_day(out);
    }

    fn of_day(self, out: &mut Vec<u8>) {
        number::padded(out, self.hour.into(), 2);
        out.push(b':');
        number::padded(out, self.minute.into(), 2);
        out.push(b':');
        number::padded(out, self.second.into(), 2);
        out.push(b'.');
    }

    /// `12:00:00.123`, with the fraction to `digits` places (at most 8).
    pub(crate) fn clock(self, out: &mut Vec<u8>, digits: u32) {
        self.of_day(out);
        fraction(out, self.nanos, digits);
    }
}

/// The first `digits` places, at most 8, of a part of a second.
fn fraction(out: &mut Vec<u8>, nanos: u32, digits: u32) {
    let digits = digits.min(8);
    number::padded(out, u64::from(nanos / 10_u32.pow(9 - digits)), digits);
}

/// Writes dates and remembers the last second's: most events share it with the one before.
#[derive(Debug)]
pub(crate) struct Calendar {
    second: i64,
    /// `2026-01-01T12:00:00.`
    text: [u8; 20],
}

impl Default for Calendar {
    fn default() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00." }
    }
}

impl Calendar {
    /// As [`Civil::date_time`], to the microsecond.
    pub(crate) fn micros(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        let second = time.nanos().div_euclid(1_000_000_000);
        let nanos = time.nanos().rem_euclid(1_000_000_000);
        if second != self.second {
            self.second = second;
            let mut text = Vec::with_capacity(self.text.len());
            Civil::new(time).seconds(&mut text);
            // Timestamps end in the year 2262: four digits always.
            self.text = text.first_chunk().copied().unwrap_or(self.text);
        }
        out.extend_from_slice(&self.text);
        fraction(out, u32::try_from(nanos).unwrap_or(0), 6);
    }
}

fn small(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seconds: i64, nanos: i64) -> String {
        let mut out = Vec::new();
        Civil::new(Timestamp::from_parts(seconds, nanos)).date_time(&mut out, 6);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_moments() {
        assert_eq!(text(0, 0), "1970-01-01T00:00:00.000000");
        assert_eq!(text(1_767_268_800, 123_456_789), "2026-01-01T12:00:00.123456");
        assert_eq!(text(951_782_400, 0), "2000-02-29T00:00:00.000000");
        assert_eq!(text(951_868_799, 999_999_999), "2000-02-29T23:59:59.999999");
        assert_eq!(text(-1, 0), "1969-12-31T23:59:59.000000");
    }

    #[test]
    fn a_remembered_second_reads_as_a_computed_one() {
        let mut calendar = Calendar::default();
        for nanos in [0, 1, -1, 999_999_999, 1_000_000_000, 1_767_268_800_123_456_789, i64::MIN, i64::MAX] {
            let (mut remembered, mut computed, time) = (Vec::new(), Vec::new(), Timestamp::from_nanos(nanos));
            calendar.micros(&mut remembered, time);
            calendar.micros(&mut remembered, time);
            Civil::new(time).date_time(&mut computed, 6);
            assert_eq!(remembered, computed.repeat(2));
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for nanos in [i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            Civil::new(Timestamp::from_nanos(nanos)).date_time(&mut out, 8);
            assert!(!out.is_empty());
        }
    }
}
