//! Two scores of an endpoint, kept apart: exposure, what it is, and threat, what is happening to it. Each is 0 to 100 and
//! comes with its reasons; both follow from what is learned, whenever they are asked for, and from nothing else.

mod exposure;
mod threat;

use crate::openapi::{StateSet, States};
use crate::usage::Day;
use crate::{Endpoint, Inventory};

/// A score is at most this.
const MOST: u8 = 100;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Score {
    /// What an endpoint is.
    Exposure,
    /// What is happening to it.
    Threat,
}

impl Score {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Exposure, Self::Threat];

    /// As events and lists spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exposure => "exposure",
            Self::Threat => "threat",
        }
    }

    /// What it says, in a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Exposure => {
                "what an endpoint is: who can reach it, who may call it without a proof, what it carries, whether anybody \
                 wrote it down"
            }
            Self::Threat => {
                "what is happening to an endpoint, on the last day of traffic and the one before it"
            }
        }
    }
}

/// Something that adds to a score.
#[derive(Debug, PartialEq, Eq)]
pub struct Factor {
    /// Its name.
    pub name: &'static str,
    /// To which of the two.
    pub score: Score,
    /// The most points that it gives.
    pub most: u8,
    /// When it gives points, and how many.
    pub meaning: &'static str,
}

/// Everything that adds to a score, in the order in which reasons of equally many points are told. What they give together is
/// cut at 100.
pub static FACTORS: &[&Factor] = &[
    &exposure::PUBLIC,
    &exposure::PARTNER,
    &exposure::OPEN,
    &exposure::SENSITIVE,
    &exposure::OPEN_SENSITIVE,
    &exposure::SHADOW,
    &exposure::UNDOCUMENTED,
    &exposure::ZOMBIE,
    &exposure::NON_PRODUCTION,
    &exposure::CLEAR_TEXT,
    &exposure::WRITES,
    &exposure::PRIVILEGED,
    &threat::FINDINGS,
    &threat::LISTED,
    &threat::DENIED,
    &threat::FAILING,
    &threat::PROBED,
    &threat::UNKNOWN,
    &threat::THROTTLED,
];

/// Why a score is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What adds to it.
    pub factor: &'static Factor,
    /// How much.
    pub points: u8,
    /// What was seen. Holds no content of traffic.
    pub seen: String,
}

/// A score with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rated {
    /// 0 to 100: what the reasons give together, at most 100.
    pub points: u8,
    /// The weightiest first.
    pub reasons: Vec<Reason>,
}

impl Rated {
    fn of(mut reasons: Vec<Reason>) -> Self {
        reasons.retain(|reason| reason.points > 0);
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.points));
        let sum = reasons.iter().map(|reason| u32::from(reason.points)).sum::<u32>();
        Self { points: u8::try_from(sum).unwrap_or(MOST).min(MOST), reasons }
    }
}

/// What endpoints are rated by at one moment: it holds on while they are gone through in several steps.
#[derive(Debug, Default)]
pub struct Moment {
    states: States,
    today: Day,
}

/// Rates endpoints, by what is known at one moment.
pub struct Risks<'a> {
    inventory: &'a Inventory,
    moment: Moment,
}

impl<'a> Risks<'a> {
    pub(crate) fn new(inventory: &'a Inventory) -> Self {
        let latest = inventory.services().map(|service| service.last_seen).max();
        let today = latest.map_or_else(Day::default, Day::of);
        Self::of(inventory, Moment { states: inventory.states(), today })
    }

    pub(crate) const fn of(inventory: &'a Inventory, moment: Moment) -> Self {
        Self { inventory, moment }
    }

    /// The moment, for the next step.
    pub fn into_moment(self) -> Moment {
        self.moment
    }

    /// The states of an endpoint, by which it is rated.
    pub fn states(&self, endpoint: &Endpoint) -> StateSet {
        self.moment.states.of(self.inventory, endpoint)
    }

    /// What an endpoint is.
    pub fn exposure(&self, endpoint: &Endpoint) -> Rated {
        Rated::of(exposure::reasons(self.inventory, endpoint, self.states(endpoint)))
    }

    /// What is happening to it.
    pub fn threat(&self, endpoint: &Endpoint) -> Rated {
        Rated::of(threat::reasons(&endpoint.usage.recent.on(self.moment.today)))
    }
}

/// A share of a factor's points, rounded up, so that what is there is never nothing.
fn share(factor: &'static Factor, part: u64, whole: u64) -> u8 {
    if whole == 0 {
        return 0;
    }
    let points = (part.min(whole) * u64::from(factor.most)).div_ceil(whole);
    u8::try_from(points).unwrap_or(factor.most)
}

#[cfg(test)]
mod tests;
