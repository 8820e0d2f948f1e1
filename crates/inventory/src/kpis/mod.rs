//! KPIs: how well APIs are known, protected and watched, in figures with a formula.
//!
//! A figure is a numerator and a denominator, so that scopes add up: what is counted of two services is counted of both
//! together. Where the denominator is zero it is [not judged](Value::NotJudged) and says why.
//! [`Kpis`] is all of them by now, for everything and for each service, owner and tag; [`Series`] has a point for each day.
//!
//! To add one: its line at the end of [`KPIS`]; series that were kept before it have no figure of it.

mod ground;
mod reckoning;
mod registry;
mod series;
mod table;
mod target;

pub use registry::KPIS;
pub use series::{MAX_DAYS, Series, SeriesCounters};
pub use table::{Contributor, Kpis, Sensed, worst};
pub use target::{Standing, Target, target_of};

pub(crate) use ground::{Area, Ground};
pub(crate) use reckoning::Reckoning;

use std::sync::Arc;

/// A KPI, as `tapwire list kpis` and `tapwire explain` print it.
#[derive(Debug)]
pub struct Kpi {
    /// Its name in commands, configuration and output.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Of what a figure is.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// Whether it describes what is, or what came to pass in a time.
    pub span: Span,
    /// What the denominator counts, in the plural.
    pub of: &'static str,
    /// How it is computed, in a sentence.
    pub formula: &'static str,
    /// Why it is not judged where there is nothing to divide by, in words that follow "not judged: ".
    pub unjudged: &'static str,
    /// What makes it better.
    pub advice: &'static str,
    pub(crate) measure: Measure,
}

/// What a figure is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share, in percent.
    Percent,
    /// How many in the last seven days.
    PerWeek,
    /// How many a day, on average.
    PerDay,
    /// Seconds, on average.
    Seconds,
}

impl Unit {
    /// As figures carry it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Percent => "%",
            Self::PerWeek => "a week",
            Self::PerDay => "a day",
            Self::Seconds => "s",
        }
    }

    /// Whether all scopes have the same denominator, a time.
    const fn is_rate(self) -> bool {
        matches!(self, Self::PerWeek | Self::PerDay)
    }

    /// By what a quotient is multiplied: percent, and seconds from milliseconds.
    const fn scale(self) -> f64 {
        match self {
            Self::Percent => 100.0,
            Self::PerWeek | Self::PerDay => 1.0,
            Self::Seconds => 0.001,
        }
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The more the better.
    More,
    /// The less the better.
    Less,
}

impl Better {
    /// As lists spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Less => "less",
        }
    }
}

/// What a figure tells of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// What is at its end.
    State,
    /// What came to pass in it.
    Flow,
}

/// How a KPI is computed.
#[derive(Debug)]
pub(crate) enum Measure {
    /// The sum over endpoints.
    Endpoint(fn(&Ground<'_>) -> Part),
    /// The sum over services.
    Service(fn(&Area<'_>) -> Part),
    /// The sum over services of what the run says of how they were seen.
    Seen(fn(&Area<'_>) -> Part),
    /// A figure of the sensor, which has no scope.
    Sensor(fn(&Sensed) -> Part),
}

/// Numerator and denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// What counts.
    pub numerator: u64,
    /// Of what; zero where there was nothing to judge.
    pub denominator: u64,
}

impl Part {
    /// Nothing to judge.
    pub const NONE: Self = Self { numerator: 0, denominator: 0 };

    /// Numerator of denominator.
    pub const fn of(numerator: u64, denominator: u64) -> Self {
        Self { numerator, denominator }
    }

    /// One, judged so.
    pub const fn one(counts: bool) -> Self {
        Self { numerator: counts as u64, denominator: 1 }
    }

    /// One, unless it could not be judged.
    pub const fn maybe(counts: Option<bool>) -> Self {
        match counts {
            Some(counts) => Self::one(counts),
            None => Self::NONE,
        }
    }

    /// Both together.
    const fn plus(self, other: Self, unit: Unit) -> Self {
        let denominator = if !unit.is_rate() {
            self.denominator + other.denominator
        } else if self.denominator > other.denominator {
            self.denominator
        } else {
            other.denominator
        };
        Self { numerator: self.numerator + other.numerator, denominator }
    }
}

/// A figure, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Numerator and denominator, the latter above zero.
    Judged(Part),
    /// Why not, in words that follow "not judged: ".
    NotJudged(&'static str),
}

impl Value {
    /// Numerator and denominator, where it is judged.
    pub const fn part(self) -> Option<Part> {
        match self {
            Self::Judged(part) => Some(part),
            Self::NotJudged(_) => None,
        }
    }
}

impl PartialEq for Kpi {
    /// Names are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Kpi {
    /// The KPI of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KPIS.iter().find(|known| known.name == name)
    }

    /// Whether it is of the sensor alone, and so has no scope.
    pub const fn is_sensors(&self) -> bool {
        matches!(self.measure, Measure::Sensor(_))
    }

    /// Whether it tells what the sensor did not see. That is counted for a run, and not day by day.
    pub const fn is_blind_spot(&self) -> bool {
        matches!(self.measure, Measure::Sensor(_) | Measure::Seen(_))
    }

    /// The figure in its unit.
    #[allow(clippy::cast_precision_loss, reason = "for people, three digits")]
    pub fn figure(&self, part: Part) -> f64 {
        part.numerator as f64 * self.unit.scale() / part.denominator.max(1) as f64
    }

    /// How much of a part stands against the KPI: what would have to change for the best figure.
    pub const fn against(&self, part: Part) -> u64 {
        match self.better {
            Better::More => part.denominator.saturating_sub(part.numerator),
            Better::Less => part.numerator,
        }
    }

    const fn value(&self, part: Part) -> Value {
        if part.denominator == 0 { Value::NotJudged(self.unjudged) } else { Value::Judged(part) }
    }
}

/// What a figure is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Scope {
    /// Everything.
    All,
    /// A service, by its name.
    Service(Arc<str>),
    /// What somebody answers for; `None`: what nobody does.
    Owner(Option<Arc<str>>),
    /// What carries a tag. What carries two counts for both, so that tags do not add up to everything.
    Tag(Arc<str>),
}

impl Scope {
    /// By what it is told from its like.
    pub const fn by(&self) -> Option<By> {
        match self {
            Self::All => None,
            Self::Service(_) => Some(By::Service),
            Self::Owner(_) => Some(By::Owner),
            Self::Tag(_) => Some(By::Tag),
        }
    }
}

/// Into which scopes everything is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Services.
    Service,
    /// Owners.
    Owner,
    /// Tags.
    Tag,
}

#[cfg(test)]
mod tests;
