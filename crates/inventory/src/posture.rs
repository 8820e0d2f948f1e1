//! How long findings of posture took, as their judge says it: KPIs are made of it.

use std::iter::Sum;

/// How long the findings of a service took, all together. Packet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PostureTimes {
    /// From the first call that showed a finding to the look that told it, in milliseconds.
    pub waited: u64,
    /// Findings that were told as open.
    pub detected: u64,
    /// From being told as open to the look that verified their absence, in milliseconds.
    pub stood: u64,
    /// How often that was.
    pub remedied: u64,
}

impl PostureTimes {
    /// Of no finding.
    pub(crate) const NONE: Self = Self { waited: 0, detected: 0, stood: 0, remedied: 0 };
}

impl Sum for PostureTimes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            waited: sum.waited.saturating_add(one.waited),
            detected: sum.detected.saturating_add(one.detected),
            stood: sum.stood.saturating_add(one.stood),
            remedied: sum.remedied.saturating_add(one.remedied),
        })
    }
}
