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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{ConfigArgs, SenseArgs};
    use crate::sense::pipeline_config;
    use crate::settings::Effective;
    use tapwire_capture::{Source, SourceError, SourceNames, SourceStats, Status};
    use tapwire_inspect::TokenKey;
    use tapwire_pipeline::{ShedLevel, Unwatched, run};
    use tapwire_wire::Packet;

    /// A source that has nothing.
    struct Nothing;

    impl Source for Nothing {
        fn dispatch(&mut self, _: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
            Ok(Status::End)
        }

        fn stats(&self) -> SourceStats {
            SourceStats::default()
        }

        fn names(&self) -> SourceNames {
            SourceNames::default()
        }

        fn pressure(&self) -> Pressure {
            Pressure::Block
        }
    }

    fn names_of(report: &Report) -> Vec<&'static str> {
        let look = Look::new(&tapwire_wire::Config::default());
        let case = Case {
            report,
            look: &look,
            refused: None,
            filter: None,
            pressure: Pressure::Shed,
            ring: 64 << 20,
        };
        diagnose(&case).iter().map(|found| found.ailment.name).collect()
    }

    #[test]
    fn a_machine_that_is_too_slow_and_a_table_that_is_full_are_told() {
        let effective = Effective::load(&ConfigArgs::default()).unwrap();
        let args = SenseArgs { analysis: crate::cli::OnOff::Off, ..SenseArgs::default() };
        let config = pipeline_config(&effective, &args, TokenKey::new([0; 32]), Pressure::Block).unwrap();
        let mut report = run(&mut Nothing, &config, Vec::new(), &mut Unwatched);
        assert_eq!(names_of(&report), ["no-packets"]);
        (report.wire.packets, report.wire.segments) = (9, 9);
        assert_eq!(names_of(&report), Vec::<&str>::new());
        report.shedding.worst = ShedLevel::ALL.iter().copied().max().unwrap_or_default();
        report.flow.evicted = 1;
        assert_eq!(names_of(&report), ["too-slow", "table-full"]);
    }

    #[test]
    fn every_ailment_has_one_name_and_says_what_to_do() {
        let mut names: Vec<_> = ailments().iter().map(|ailment| ailment.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ailments().len());
        for ailment in ailments() {
            assert!(!ailment.means.ends_with('.') && !ailment.remedy.ends_with('.'), "{}", ailment.name);
            assert!(!ailment.told.is_empty() && !ailment.title.is_empty());
        }
    }
}
