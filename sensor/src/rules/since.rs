//! From when and until when: `-30d`, a day, RFC 3339.

use crate::failure::Failure;
use tapwire_wire::Timestamp;

/// A time as options say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// So many nanoseconds before the newest there is.
    Before(i64),
    /// That time.
    At(Timestamp),
}

impl Since {
    /// Reads it; `option` is what it was given to.
    pub(super) fn read(option: &str, text: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::new(format!(
                "{option} {text}: write it like -30d, -12h, 2026-01-31 or 2026-01-31T12:00:00Z (UTC without a zone)"
            ))
        };
        if let Some(ago) = text.strip_prefix('-') {
            let (number, unit) = ago.split_at_checked(ago.len().saturating_sub(1)).ok_or_else(wrong)?;
            let unit = match unit {
                "d" => 86_400,
                "h" => 3_600,
                "m" => 60,
                "s" => 1,
                _ => return Err(wrong()),
            };
            let number = number.parse::<i64>().map_err(|_| wrong())?;
            return Ok(Self::Before(number.saturating_mul(unit).saturating_mul(1_000_000_000)));
        }
        tapwire_expr::time(text).map(|nanos| Self::At(Timestamp::from_nanos(nanos))).ok_or_else(wrong)
    }

    /// The time, where the newest there is has that one.
    pub(super) fn before(&self, last: Timestamp) -> Timestamp {
        match self {
            Self::Before(ago) => Timestamp::from_nanos(last.nanos().saturating_sub(*ago)),
            Self::At(time) => *time,
        }
    }
}
