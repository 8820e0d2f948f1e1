//! Numbers and times for people.

/// 1,234,567.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 call`, `2 calls`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Microseconds in the unit that has few digits.
pub(crate) fn micros(micros: u64) -> String {
    match micros {
        0..=999 => format!("{micros} µs"),
        1_000..=9_999 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..=999_999 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// A time to the minute: `2026-11-22 09:14`; what is no time stays.
pub(crate) fn minute(time: &str) -> String {
    match (time.get(..10), time.get(10..11), time.get(11..16)) {
        (Some(day), Some("T"), Some(clock)) => format!("{day} {clock}"),
        _ => time.to_owned(),
    }
}

/// `from 2026-11-22 09:14 to 2026-11-22 09:20`, or `at 2026-11-22 09:14` where that is one minute.
pub(crate) fn period(first: &str, last: &str) -> String {
    let (first, last) = (minute(first), minute(last));
    if first == last { format!("at {first}") } else { format!("from {first} to {last}") }
}

/// A time to the second: `2026-11-22 09:14:07`; what is no time stays.
pub(crate) fn second(time: &str) -> String {
    match (time.get(..10), time.get(10..11), time.get(11..19)) {
        (Some(day), Some("T"), Some(clock)) => format!("{day} {clock}"),
        _ => time.to_owned(),
    }
}

/// A number of a query: whole ones in groups of three, others with three digits behind the point at most.
#[allow(clippy::cast_possible_truncation, reason = "whole numbers below 2^53 are whole")]
pub(crate) fn figure(number: f64) -> String {
    if number.fract() != 0.0 || number.abs() >= 9e15 {
        let text = format!("{number:.3}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", count((number as i64).unsigned_abs()))
}

/// A part of a whole in percent, without digits behind the point; what is not all is at most 99 and what is not nothing at least 1.
pub(crate) fn percent(part: u64, whole: u64) -> u64 {
    match (part, whole) {
        (_, 0) | (0, _) => 0,
        (part, whole) if part >= whole => 100,
        (part, whole) => u64::try_from(u128::from(part) * 100 / u128::from(whole)).unwrap_or(99).clamp(1, 99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_groups_of_three() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, -1234.0, 2.5, 0.33333].map(figure), ["0", "-1,234", "2.5", "0.333"]);
        assert_eq!((counted(1, "call"), counted(0, "call")), ("1 call".into(), "0 calls".into()));
    }

    #[test]
    fn times_keep_two_or_three_digits() {
        let told = [7, 1_250, 48_000, 2_340_000].map(micros);
        assert_eq!(told, ["7 µs", "1.2 ms", "48 ms", "2.3 s"]);
        assert_eq!(minute("2026-11-22T09:14:07.250Z"), "2026-11-22 09:14");
        assert_eq!(second("2026-11-22T09:14:07.250Z"), "2026-11-22 09:14:07");
        let period = |last| period("2026-11-22T09:14:07.250Z", last);
        assert_eq!(period("2026-11-22T09:14:59Z"), "at 2026-11-22 09:14");
        assert_eq!(period("2026-11-22T09:20:00Z"), "from 2026-11-22 09:14 to 2026-11-22 09:20");
        assert_eq!((minute("é"), second("é")), ("é".into(), "é".into()));
    }

    #[test]
    fn neither_all_nor_nothing_is_claimed_of_a_part() {
        assert_eq!(
            [(0, 0), (0, 5), (1, 1_000), (999, 1_000), (5, 5)].map(|(a, b)| percent(a, b)),
            [0, 0, 1, 99, 100]
        );
    }
}
