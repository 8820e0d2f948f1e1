//! Which detectors could judge, and what the others waited for: computed from what each says that it needs.

use crate::detector::{DetectorInfo, Needs};
use tapwire_inventory::{Call, Endpoint};

/// A detector that could not judge, or not everything, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJudged {
    /// The detector's name.
    pub detector: &'static str,
    /// Why, in words that follow "not judged: ".
    pub reason: String,
    /// Calls that it judged with all that it needs; 0: it judged nothing.
    pub judged: u64,
    /// Calls that it looked at before it knew enough.
    pub early: u64,
    /// The most that was known of what it needs; `None` where it needs nothing, or had nothing to look at.
    pub seen: Option<u64>,
    /// How much it needs.
    pub needed: u64,
}

/// What one detector could judge in a run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    /// Calls looked at with all that is needed.
    pub(crate) judged: u64,
    /// Calls looked at before.
    early: u64,
    /// The most that was known at one of these.
    most: u64,
}

impl Look {
    /// Counts a call that the detector looks at.
    pub(crate) fn at(&mut self, needs: &Needs, call: &Call, endpoint: Option<&Endpoint>) {
        let seen = if needs.least == 0 { 0 } else { (needs.seen)(call, endpoint) };
        if seen >= needs.least {
            self.judged += 1;
        } else {
            self.early += 1;
            self.most = self.most.max(seen);
        }
    }

    /// Calls looked at.
    pub(crate) const fn calls(&self) -> u64 {
        self.judged + self.early
    }

    /// What it could not judge; `None` where it judged every call it looked at.
    pub(crate) fn not_judged(&self, detector: &DetectorInfo) -> Option<NotJudged> {
        let Needs { least, of, .. } = detector.needs;
        let reason = match (self.judged, self.early) {
            (0, 0) => detector.unjudged.to_owned(),
            (_, 0) => return None,
            (0, early) => {
                format!("{} {of} seen, {least} needed ({} waited)", self.most, calls(early))
            }
            (judged, early) => {
                format!("{} of {} came before {least} {of} were seen", early, calls(judged + early))
            }
        };
        let seen = (self.early > 0).then_some(if self.judged > 0 { least } else { self.most });
        Some(NotJudged {
            detector: detector.name,
            reason,
            judged: self.judged,
            early: self.early,
            seen,
            needed: least,
        })
    }
}

fn calls(count: u64) -> String {
    crate::tally::times(count, "call")
}
