//! Days in UTC, as file names.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::{Date, date};

/// One UTC day of the proleptic Gregorian calendar; shown as `2026-11-21`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day of a time in milliseconds since 1970-01-01 UTC. Years beyond 0 to 9999 become the nearest of these.
    pub fn from_unix_ms(ms: i64) -> Self {
        let time = EPOCH.at(0, 0, 0, 0).saturating_add(SignedDuration::from_millis(ms));
        Self(time.date().clamp(FIRST, LAST))
    }

    /// The first millisecond of the day since 1970-01-01 UTC.
    pub fn start_ms(self) -> i64 {
        self.0.duration_since(EPOCH).as_secs() * 1_000
    }
}

const EPOCH: Date = date(1970, 1, 1);
const FIRST: Date = date(0, 1, 1);
const LAST: Date = date(9999, 12, 31);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

/// The text is no day of the calendar in the form `2026-11-21`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no day in the form 2026-11-21")]
pub struct NoDay;

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        let day = Self(text.parse().map_err(|_| NoDay)?);
        // Other forms of the same day are other names of files.
        if day.to_string() == text { Ok(day) } else { Err(NoDay) }
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
        for day in FIRST.series(jiff::ToSpan::day(1)).take_while(|day| *day <= LAST).map(Day) {
            assert_eq!(Day::from_unix_ms(day.start_ms()), day);
            assert_eq!(Day::from_unix_ms(day.start_ms() + 86_399_999), day);
            assert_eq!(day.to_string().parse(), Ok(day));
            assert!(before < Some(day.start_ms()));
            before = Some(day.start_ms());
        }
    }

    #[test]
    fn other_text_is_no_day() {
        for text in ["", "2026-11", "2026-02-30", "2026-13-01", "2026-1-1", "2026-11-21-1", "+026-11-21"] {
            assert_eq!(text.parse::<Day>(), Err(NoDay), "{text}");
        }
    }
}
