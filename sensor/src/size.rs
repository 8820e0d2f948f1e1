//! Sizes and counts as people write and read them.

/// Reads `1GiB`, `256M`, `64k`, `4096`: powers of 1,024.
pub(crate) fn parse_bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let shift = match unit.trim().to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    match number.parse::<usize>() {
        Ok(whole) => whole.checked_mul(1 << shift),
        // So many digits that they are no number here.
        Err(_) if !number.contains('.') => None,
        Err(_) => {
            let fraction: f64 = number.parse().ok()?;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let bytes = (fraction * (1_u64 << shift) as f64) as usize;
            Some(bytes)
        }
    }
}

/// `3.1 MiB`.
#[allow(clippy::cast_precision_loss, reason = "for people, three digits")]
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {name}") }
}

/// `12,345`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 connection`, `1,234 connections`.
pub(crate) fn counted(count: u64, one: &str) -> String {
    let grouped = self::count(count);
    // Days, and anomalies.
    match (count, one.strip_suffix('y').filter(|stem| !stem.ends_with('a'))) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{grouped} {stem}ies"),
        (_, None) => format!("{grouped} {one}s"),
    }
}

/// Whether `part` is more than half of `whole`.
pub(crate) const fn most(part: u64, whole: u64) -> bool {
    part.saturating_mul(2) > whole
}

/// `12.3 %`, or `not seen` where there was nothing to share; never 100.0 % or 0.0 % for what is not quite that.
#[allow(clippy::cast_precision_loss, reason = "for people, three digits")]
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "not seen".into();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    match (part, percent) {
        (0, _) => "0 %".into(),
        (_, p) if part == whole && p > 0.0 => "100 %".into(),
        (_, p) if p > 99.9 => "> 99.9 %".into(),
        (_, p) if p < 0.1 => "< 0.1 %".into(),
        (_, p) => format!("{p:.1} %"),
    }
}

/// `3 h 12 min`, `4.2 s`, `310 ms` from nanoseconds.
#[allow(clippy::cast_precision_loss, reason = "for people, three digits")]
pub(crate) fn duration(nanos: i64) -> String {
    let seconds = nanos.max(0) as f64 / 1e9;
    match seconds {
        s if s >= 172_800.0 => format!("{:.1} days", s / 86_400.0),
        s if s >= 3_600.0 => format!("{} h {} min", (s / 3_600.0).floor(), ((s % 3_600.0) / 60.0).floor()),
        s if s >= 60.0 => format!("{} min {:.0} s", (s / 60.0).floor(), (s % 60.0).floor()),
        s if s >= 1.0 => format!("{s:.1} s"),
        s => format!("{:.0} ms", s * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_bytes("1GiB"), Some(1 << 30));
        assert_eq!(parse_bytes("256MiB"), Some(256 << 20));
        assert_eq!(parse_bytes("64k"), Some(64 << 10));
        assert_eq!(parse_bytes("1.5 G"), Some(3 << 29));
        assert_eq!(parse_bytes("4096"), Some(4096));
        assert_eq!(parse_bytes("many"), None);
        assert_eq!(parse_bytes("9999999999999999999G"), None);
    }

    #[test]
    fn a_share_never_rounds_a_loss_away() {
        assert_eq!(share(9_999_999, 10_000_000), "> 99.9 %");
        assert_eq!(share(10, 10), "100 %");
        assert_eq!(share(0, 0), "not seen");
        assert_eq!(share(1, 1_000_000), "< 0.1 %");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(counted(1, "connection"), "1 connection");
        assert_eq!(counted(1_000, "anomaly"), "1,000 anomalies");
        assert_eq!(counted(2, "day"), "2 days");
    }
}
