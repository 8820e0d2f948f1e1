//! Times as text, and days.

const MS_PER_DAY: i64 = 86_400_000;

/// Years 0 to 9999, as days since 1970-01-01.
const DAYS: std::ops::RangeInclusive<i64> = -719_528..=2_932_896;

/// The UTC day of a time in milliseconds since 1970-01-01.
pub(crate) fn day_of(ms: i64) -> i64 {
    ms.div_euclid(MS_PER_DAY).clamp(*DAYS.start(), *DAYS.end())
}

/// Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar. Years are counted from March, so
/// that the leap day is the last one, in eras of 400 years.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// `2026-11-21`.
pub(crate) fn day_text(day: i64) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
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
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let ms = days * MS_PER_DAY + seconds * 1_000 + number(20, 23)?;
    (self::text(ms) == text).then_some(ms)
}

/// What [`day_text`] made of a day.
pub(crate) fn parse_day(text: &str) -> Option<i64> {
    parse(&format!("{text}T00:00:00.000Z")).map(day_of)
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
