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

impl Mute {
    /// Whether another one says the same.
    pub fn is(&self, other: &Self) -> bool {
        (&self.text, self.until, &self.why) == (&other.text, other.until, &other.why)
    }
}

/// Mutes that were taken out, of which it is known what they did.
const MOST_GONE: usize = 1_000;

/// All mutes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mutes {
    all: Vec<Muting>,
    /// Those that were taken out and did something.
    gone: Vec<Muting>,
}

impl Mutes {
    pub(crate) fn new(all: &[Mute]) -> Self {
        let mut mutes = Self::default();
        mutes.renew(all);
        mutes
    }

    /// Takes others in their place. What one did counts on where it is still there.
    pub(crate) fn renew(&mut self, all: &[Mute]) {
        let mut before: Vec<Muting> = self.all.drain(..).chain(self.gone.drain(..)).collect();
        for mute in all {
            let known = before.iter().position(|one| one.mute.is(mute)).map(|at| before.swap_remove(at));
            self.all.push(known.unwrap_or_else(|| Muting { mute: mute.clone(), muted: 0, expired: 0 }));
        }
        before.retain(|one| one.muted + one.expired > 0);
        before.truncate(MOST_GONE);
        self.gone = before;
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a finding is muted; the first that means it counts it.
    pub(crate) fn take(&mut self, finding: &Finding, view: &View<'_>) -> bool {
        let means = |mute: &Mute| mute.expr.matches(&|field| finding_value(finding, view, field));
        for muting in self.all.iter_mut().filter(|muting| means(&muting.mute)) {
            if finding.time < muting.mute.until {
                muting.muted += 1;
                return true;
            }
            muting.expired += 1;
        }
        false
    }

    /// What they did, those with them that were taken out.
    pub(crate) fn into_report(self) -> Vec<Muting> {
        self.all.into_iter().chain(self.gone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_event::FindingFields;

    fn mute(detector: &str) -> Mute {
        let text = format!("detector == {detector}");
        let expr = tapwire_expr::parse(&text, &FindingFields).unwrap();
        Mute { text, expr, until: Timestamp::from_parts(9, 0), why: "a test".to_owned() }
    }

    #[test]
    fn what_a_mute_did_counts_on_whether_it_stays_or_goes() {
        let mut mutes = Mutes::new(&[mute("cors"), mute("ssrf"), mute("injection")]);
        mutes.all[0].muted = 3;
        mutes.all[1].muted = 5;
        mutes.renew(&[mute("enumeration"), mute("ssrf")]);
        mutes.renew(&[mute("cors")]);
        let told = mutes.into_report().into_iter().map(|one| (one.mute.text, one.muted));
        let told: Vec<(String, u64)> = told.collect();
        assert_eq!(told, [("detector == cors".to_owned(), 3), ("detector == ssrf".to_owned(), 5)]);
    }
}
