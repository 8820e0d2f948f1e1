//! Targets: what a KPI should be, and by when.

use super::{Better, Kpi, Scope};

/// What a KPI should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Which.
    pub kpi: &'static Kpi,
    /// In its unit.
    pub value: f64,
    /// The last day on which it may be missed, by number: days since 1970-01-01, UTC.
    pub by: i64,
    /// For what. One for everything is that of every scope that has none of its own.
    pub scope: Scope,
}

/// How a figure stands to its target; what asks for more stands first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its day has passed, and it is missed.
    Overdue,
    /// It is missed, and there is time.
    Missed,
    /// It is met.
    Met,
}

impl Standing {
    /// As lists spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Missed => "missed",
            Self::Met => "met",
        }
    }
}

impl Target {
    /// How a figure stands to it on a day.
    pub fn standing(&self, figure: f64, today: i64) -> Standing {
        let met = match self.kpi.better {
            Better::More => figure >= self.value,
            Better::Less => figure <= self.value,
        };
        match (met, today > self.by) {
            (true, _) => Standing::Met,
            (false, true) => Standing::Overdue,
            (false, false) => Standing::Missed,
        }
    }
}

/// The target of a KPI in a scope: its own, else that of everything.
pub fn target_of<'t>(targets: &'t [Target], kpi: &Kpi, scope: &Scope) -> Option<&'t Target> {
    let of =
        |wanted: &Scope| targets.iter().find(|target| target.kpi.name == kpi.name && target.scope == *wanted);
    of(scope).or_else(|| of(&Scope::All))
}
