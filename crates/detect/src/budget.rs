//! The alert budget: what is only unusual is told so often a day, and counted beyond.

use crate::{Config, Finding};
use tapwire_wire::Timestamp;

const DAY: i64 = 86_400_000_000_000;

/// Findings of behaviour of the day that is under way, in packet time.
pub(crate) struct Budget {
    a_day: u32,
    day: i64,
    told: u32,
    /// Findings that were not told.
    pub(crate) held: u64,
}

impl Budget {
    pub(crate) const fn new(config: &Config) -> Self {
        Self { a_day: config.behaviour_findings_a_day, day: i64::MIN, told: 0, held: 0 }
    }

    /// The day that is under way, and how many findings it has had.
    pub(crate) const fn spent(&self) -> (i64, u32) {
        (self.day, self.told)
    }

    /// Goes on with a day that was under way.
    pub(crate) const fn go_on(&mut self, (day, told): (i64, u32)) {
        (self.day, self.told) = (day, told);
    }

    /// Leaves of the findings behind `before` those that the day has room for.
    pub(crate) fn keep(&mut self, time: Timestamp, before: usize, out: &mut Vec<Finding>) {
        let day = time.nanos().div_euclid(DAY);
        if day > self.day {
            (self.day, self.told) = (day, 0);
        }
        let new = out.len().saturating_sub(before);
        let room = usize::try_from(self.a_day.saturating_sub(self.told)).unwrap_or(new).min(new);
        out.truncate(before + room);
        self.told = self.told.saturating_add(u32::try_from(room).unwrap_or(0));
        self.held += (new - room) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outcome, Severity};
    use tapwire_protocol::Uid;

    #[test]
    fn a_day_has_its_findings_and_the_next_one_others() {
        let mut budget = Budget::new(&Config { behaviour_findings_a_day: 2, ..Config::default() });
        let finding = Finding {
            detector: "unusual-usage",
            uid: Uid([0; 16]),
            time: Timestamp::from_parts(0, 0),
            severity: Severity::Medium,
            confidence: 70,
            outcome: Outcome::Likely,
            reason: String::new(),
            endpoint: None,
            incident: None,
            rule: None,
            exchanges: Vec::new(),
        };
        let mut told = |day: i64| {
            let mut out = vec![finding.clone(); 2];
            budget.keep(Timestamp::from_parts(day * 86_400 + 60, 0), 1, &mut out);
            out.len() - 1
        };
        assert_eq!([told(5), told(5), told(5), told(4), told(6)], [1, 1, 0, 0, 1]);
        assert_eq!(budget.held, 2);
    }
}
