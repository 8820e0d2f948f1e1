//! Limits of detection.

/// Limits of detection.
///
/// Memory: a record costs about 100 bytes and the states of the detectors that were concerned, at most 1 KiB each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Scope keys with a record, all scopes together; beyond, one that was not used lately makes room.
    pub max_records: usize,
    /// Nanoseconds of packet time after which a quiet record is forgotten.
    pub forget_after: i64,
    /// Findings a day of packet time by what is unusual alone, and against no rule; what comes beyond them is counted.
    pub behaviour_findings_a_day: u32,
}

impl Default for Config {
    /// 100,000 records, 14 days: slow attacks take days; 20 findings.
    fn default() -> Self {
        Self { max_records: 100_000, forget_after: 14 * 86_400 * 1_000_000_000, behaviour_findings_a_day: 20 }
    }
}
