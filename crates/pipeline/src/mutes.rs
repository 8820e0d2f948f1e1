//! Findings that nobody wants to hear of for a while.

use tapwire_detect::Finding;
use tapwire_event::{View, finding_value};
use tapwire_expr::Expr;
use tapwire_wire::Timestamp;

/// What is muted, until when, and why.
#[derive(Debug, Clone)]
pub struct Mute {
    /// The expression as it was written, over the fields of findings.
    pub text: String,
    /// The same, read.
    pub expr: Expr,
    /// Findings from this packet time on are told again.
    pub until: Timestamp,
    /// Why.
    pub why: String,
}

/// A mute, and what it did.
#[derive(Debug, Clone)]
pub struct Muting {
    /// The mute.
    pub mute: Mute,
    /// Findings that it kept from being told.
    pub muted: u64,
    /// Findings that it would have kept, had it not ended.
    pub expired: u64,
}

/// All mutes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mutes(Vec<Muting>);

impl Mutes {
    pub(crate) fn new(all: &[Mute]) -> Self {
        Self(all.iter().map(|mute| Muting { mute: mute.clone(), muted: 0, expired: 0 }).collect())
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a finding is muted; the first that means it counts it.
    pub(crate) fn take(&mut self, finding: &Finding, view: &View<'_>) -> bool {
        let means = |mute: &Mute| mute.expr.matches(&|field| finding_value(finding, view, field));
        for muting in self.0.iter_mut().filter(|muting| means(&muting.mute)) {
            if finding.time < muting.mute.until {
                muting.muted += 1;
                return true;
            }
            muting.expired += 1;
        }
        false
    }

    /// What they did.
    pub(crate) fn into_report(self) -> Vec<Muting> {
        self.0
    }
}
