//! A month, by the numbers of its days.

use crate::failure::Failure;
use jiff::civil::Date;
use tapwire_wire::Timestamp;

/// A month of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month {
    first: Date,
}

impl Month {
    /// `2026-11`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let date = format!("{text}-01").parse().ok();
        let wrong = || Failure::new(format!("--month {text}: this is no month; write it like 2026-11"));
        date.filter(|_| text.len() == 7).map(|first| Self { first }).ok_or_else(wrong)
    }

    /// The month of a day.
    pub(crate) fn of(day: i64) -> Option<Self> {
        let date: Date = crate::kpis::date(day).parse().ok()?;
        Some(Self { first: date.first_of_month() })
    }

    /// The numbers of its first and its last day.
    pub(crate) fn days(self) -> (i64, i64) {
        let number = |date: Date| crate::kpis::day_of(&date.to_string()).unwrap_or(i64::MIN);
        (number(self.first), number(self.first.last_of_month()))
    }

    pub(crate) fn has(self, day: i64) -> bool {
        let (first, last) = self.days();
        (first..=last).contains(&day)
    }

    /// Whether a part of that span is in it.
    pub(crate) fn has_any(self, first: Timestamp, last: Timestamp) -> bool {
        let day = |time: Timestamp| time.millis().div_euclid(86_400_000);
        let (begin, end) = self.days();
        day(first) <= end && begin <= day(last)
    }

    /// The one before.
    pub(crate) fn before(self) -> Option<Self> {
        self.first.yesterday().ok().map(|day| Self { first: day.first_of_month() })
    }

    /// `November 2026`.
    pub(crate) fn name(self) -> String {
        const NAMES: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let at = usize::try_from(self.first.month() - 1).unwrap_or(0);
        format!("{} {}", NAMES.get(at).copied().unwrap_or_default(), self.first.year())
    }

    /// `2026-11`.
    pub(crate) fn code(self) -> String {
        format!("{:04}-{:02}", self.first.year(), self.first.month())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_its_days() {
        let month = Month::parse("2028-02").unwrap();
        let (first, last) = month.days();
        assert_eq!(
            (last - first + 1, month.name(), month.code()),
            (29, "February 2028".into(), "2028-02".into())
        );
        assert_eq!(Month::of(last), Some(month));
        assert_eq!(Month::parse("2026-01").unwrap().before(), Some(Month::parse("2025-12").unwrap()));
    }

    #[test]
    fn what_is_no_month_is_said() {
        for text in ["", "2026", "2026-13", "2026-1", "2026-11-02", "november"] {
            let error = Month::parse(text).unwrap_err().to_string();
            assert!(error.contains("write it like 2026-11"), "{error}");
        }
    }
}
