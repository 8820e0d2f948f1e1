//! Days in UTC, as file names.

use std::fmt;
use std::str::FromStr;

const MS_PER_DAY: i64 = 86_400_000;

/// One UTC day of the proleptic Gregorian calendar; shown as `2026-11-21`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// Since 1970-01-01.
    number: i64,
}

impl Day {
    /// The day of a time in milliseconds since 1970-01-01 UTC. Years beyond 0 to 9999 become the nearest of these.
    pub fn from_unix_ms(ms: i64) -> Self {
        Self { number: ms.div_euclid(MS_PER_DAY).clamp(FIRST, LAST) }
    }

    /// The first millisecond of the day since 1970-01-01 UTC.
    pub fn start_ms(self) -> i64 {
        self.number * MS_PER_DAY
    }

    /// Year, month from 1, day from 1. Years are counted from March, so that the leap day is the last one, in
    /// eras of 400 years, which all have 146,097 days.
    fn civil(self) -> (i64, i64, i64) {
        let shifted = self.number + DAYS_TO_1970;
        let (era, day_of_era) = (shifted.div_euclid(ERA), shifted.rem_euclid(ERA));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        (year, month, day)
    }

    fn from_civil(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let from_march = (month + 9) % 12;
        let day_of_year = (153 * from_march + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self { number: era * ERA + day_of_era - DAYS_TO_1970 }
    }
}

/// Days of 400 years.
const ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
/// 0000-01-01 and 9999-12-31.
const FIRST: i64 = -719_528;
const LAST: i64 = 2_932_896;

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// The text is no day of the calendar in the form `2026-11-21`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no day in the form 2026-11-21")]
pub struct NoDay;

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        let mut parts = text.split('-').map(|p| p.parse::<u16>().map(i64::from));
        let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoDay);
        };
        let given = Self::from_civil(year, month, day);
        // Whatever is no day, like 02-30, comes out as another one.
        if given.to_string() == text { Ok(given) } else { Err(NoDay) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        for (ms, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400_000, "2000-02-29"),
            (1_795_219_200_000, "2026-11-21"),
            (i64::MAX, "9999-12-31"),
            (i64::MIN, "0000-01-01"),
        ] {
            assert_eq!(Day::from_unix_ms(ms).to_string(), text);
        }
    }

    #[test]
    fn every_day_of_ten_thousand_years_reads_back_and_follows_the_one_before() {
        let mut before = None;
        for number in FIRST..=LAST {
            let day = Day { number };
            let (y, m, d) = day.civil();
            assert_eq!(Day::from_civil(y, m, d), day);
            assert!(before < Some((y, m, d)));
            before = Some((y, m, d));
        }
        assert_eq!("2026-11-21".parse(), Ok(Day::from_unix_ms(1_795_219_200_000)));
    }

    #[test]
    fn other_text_is_no_day() {
        for text in ["", "2026-11", "2026-02-30", "2026-13-01", "2026-1-1", "2026-11-21-1", "+026-11-21"] {
            assert_eq!(text.parse::<Day>(), Err(NoDay), "{text}");
        }
    }
}
