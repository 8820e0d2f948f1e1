//! What can be wrong with a mirror: the types, and the one list of all ailments.

use super::look::Look;
use super::observed::Refused;
use super::{arrival, copies, damage, loss, unread};
use tapwire_capture::Pressure;
use tapwire_pipeline::Report;

/// How much an ailment harms, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    /// Nothing can be said of most exchanges.
    Blind,
    /// Some exchanges are missing, or parts of them.
    Loses,
    /// What arrives cannot be read here.
    Unread,
    /// Everything is seen, at a cost that could be spared.
    Costs,
    /// Worth knowing, and no reason to change the mirror.
    Harmless,
}

impl Harm {
    /// As JSON and lists name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Loses => "loses",
            Self::Unread => "unread",
            Self::Costs => "costs",
            Self::Harmless => "harmless",
        }
    }
}

/// An ailment that can be told.
pub(crate) struct Ailment {
    /// Its name in JSON, lists and `explain`.
    pub(crate) name: &'static str,
    /// In a few words, for people.
    pub(crate) title: &'static str,
    /// How much it harms.
    pub(crate) harm: Harm,
    /// What it means for what is sensed.
    pub(crate) means: &'static str,
    /// What to do about it, where the case does not say it better.
    pub(crate) remedy: &'static str,
    /// From which figure on it is told.
    pub(crate) told: &'static str,
    /// Looks for it.
    pub(crate) judge: fn(&Case<'_>) -> Option<Symptom>,
}

/// What is known of a mirror when it is judged.
pub(crate) struct Case<'a> {
    /// Counters of every stage.
    pub(crate) report: &'a Report,
    /// What the packets showed.
    pub(crate) look: &'a Look,
    /// What the operator's filter kept away.
    pub(crate) refused: Option<&'a Refused>,
    /// The operator's filter.
    pub(crate) filter: Option<&'a str>,
    /// Live or not.
    pub(crate) pressure: Pressure,
    /// Bytes of the capture ring of each interface.
    pub(crate) ring: u64,
}

/// An ailment's figure.
pub(crate) struct Symptom {
    /// A sentence with the figure, without its full stop.
    pub(crate) figure: String,
    /// A remedy for this case.
    pub(crate) remedy: Option<String>,
}

impl From<String> for Symptom {
    fn from(figure: String) -> Self {
        Self { figure, remedy: None }
    }
}

/// An ailment that a mirror has.
pub(crate) struct Found {
    pub(crate) ailment: &'static Ailment,
    pub(crate) figure: String,
    pub(crate) remedy: String,
}

/// Every ailment, by family; within a harm, in the order in which to mend them.
const FAMILIES: &[&[Ailment]] =
    &[arrival::AILMENTS, loss::AILMENTS, damage::AILMENTS, unread::AILMENTS, copies::AILMENTS];

/// Every ailment, the most harmful first.
pub(crate) fn ailments() -> Vec<&'static Ailment> {
    let mut all: Vec<_> = FAMILIES.iter().copied().flatten().collect();
    all.sort_by_key(|ailment| ailment.harm);
    all
}

/// What this mirror has, the most harmful first.
pub(crate) fn diagnose(case: &Case<'_>) -> Vec<Found> {
    let found = |ailment: &'static Ailment| {
        let Symptom { figure, remedy } = (ailment.judge)(case)?;
        Some(Found { ailment, figure, remedy: remedy.unwrap_or_else(|| ailment.remedy.to_owned()) })
    };
    ailments().into_iter().filter_map(found).collect()
}

/// Loss and damage matter from 1 in 1,000 on.
pub(crate) const fn notable(part: u64, whole: u64) -> bool {
    part > 0 && part.saturating_mul(1000) >= whole
}

/// Whether `part` is at least so many percent of `whole`.
pub(crate) const fn percent(percent: u64, part: u64, whole: u64) -> bool {
    part > 0 && part.saturating_mul(100) >= whole.saturating_mul(percent)
}
