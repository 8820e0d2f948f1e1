//! Times as text, and days.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, date};

const MS_PER_DAY: i64 = 86_400_000;
const EPOCH: Date = date(1970, 1, 1);

/// Years 0 to 9999, as days since 1970-01-01.
const DAYS: std::ops::RangeInclusive<i64> = -719_528..=2_932_896;

/// The UTC day of a time in milliseconds since 1970-01-01.
pub(crate) fn day_of(ms: i64) -> i64 {
    ms.div_euclid(MS_PER_DAY).clamp(*DAYS.start(), *DAYS.end())
}

/// `2026-11-21`.
pub(crate) fn day_text(day: i64) -> String {
    let date = EPOCH.saturating_add(SignedDuration::from_hours(day * 24));
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// `2026-11-21T19:04:50.969Z`, which sorts as the time does.
pub(crate) fn text(ms: i64) -> String {
    let of_day = ms.rem_euclid(MS_PER_DAY);
    let (seconds, ms_left) = (of_day / 1_000, of_day % 1_000);
    format!(
        "{}T{:02}:{:02}:{:02}.{ms_left:03}Z",
        day_text(day_of(ms)),
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// What [`text`] made of a time, in milliseconds again.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let time: DateTime = text.strip_suffix('Z')?.parse().ok()?;
    let ms = i64::try_from(time.duration_since(EPOCH.at(0, 0, 0, 0)).as_millis()).ok()?;
    (self::text(ms) == text).then_some(ms)
}

/// What [`day_text`] made of a day.
pub(crate) fn parse_day(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok()?;
    let day = day_of(date.duration_since(EPOCH).as_secs() * 1_000);
    (day_text(day) == text).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(text(1_795_287_890_969), "2026-11-21T19:04:50.969Z");
        assert_eq!(day_text(day_of(951_782_400_000)), "2000-02-29");
        assert_eq!(day_text(day_of(i64::MAX)), "9999-12-31");
    }

    #[test]
    fn days_of_ten_thousand_years_read_back() {
        // A step that meets every day of the year and every year of an era.
        for day in DAYS.step_by(37) {
            let ms = day * MS_PER_DAY + day.rem_euclid(MS_PER_DAY);
            assert_eq!(parse(&text(ms)), Some(ms));
            assert_eq!(parse_day(&day_text(day)), Some(day));
        }
        for odd in ["", "2026-11-21", "2026-02-30T00:00:00.000Z", "2026-11-21T19:04:50.969+"] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }
}
