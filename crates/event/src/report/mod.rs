//! A month of APIs as one printable page of HTML: no script, nothing that is loaded from elsewhere.
//!
//! What comes in is text for people: names that came out of traffic have gone through the [`Redactor`](crate::Redactor).
//! Everything is escaped here, whatever it is.

mod page;
mod trend;

/// A month, for people.
#[derive(Debug, Clone, Default)]
pub struct MonthReport {
    /// The month, `November 2026`.
    pub month: String,
    /// What of it was seen, in a sentence.
    pub seen: String,
    /// How much there is, as a number and what it counts.
    pub tiles: Vec<(String, String)>,
    /// KPIs, what misses its target first.
    pub figures: Vec<Figure>,
    /// What the sensor did not see.
    pub blind_spots: Vec<Figure>,
    /// What is not judged: the names, and why.
    pub not_judged: Vec<(String, String)>,
    /// What to do, the most urgent first.
    pub tasks: Vec<Task>,
    /// By what the last table is divided: `owner` or `service`.
    pub divided_by: &'static str,
    /// Its columns, but the first.
    pub columns: Vec<String>,
    /// Its lines.
    pub rows: Vec<Row>,
    /// Who wrote it, and of what.
    pub made: String,
}

/// A figure of the month.
#[derive(Debug, Clone, Default)]
pub struct Figure {
    /// What people call it.
    pub title: String,
    /// Its name in commands.
    pub name: String,
    /// With its unit.
    pub now: String,
    /// Of what.
    pub of: String,
    /// As a share from 0 to 1, where it is one.
    pub share: Option<f64>,
    /// Against the month before.
    pub change: Change,
    /// What it should be, and by when; empty where nothing is said.
    pub target: String,
    /// How it stands to that.
    pub mark: Mark,
    /// A value for each day of the month, from 0 to 1; `None` where there is none.
    pub trend: Vec<Option<f64>>,
}

/// A difference to the month before.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// `+2.1 points`; why there is none.
    pub text: String,
    /// Whether it is for the better.
    pub better: Option<bool>,
}

/// How a figure stands to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// It has none.
    #[default]
    None,
    /// It meets it.
    Met,
    /// It misses it, and there is time.
    Missed,
    /// It misses it, and the day has passed.
    Overdue,
}

/// Something to do.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// What.
    pub what: String,
    /// Why: the figure.
    pub why: String,
    /// Where, the worst first.
    pub places: Vec<Place>,
    /// How many more places there are.
    pub more: usize,
}

/// A place of something to do.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The operation or service.
    pub name: String,
    /// What speaks against it.
    pub what: String,
    /// Who answers for it, where that is known.
    pub owner: String,
}

/// A line of the table by owner.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The owner.
    pub name: String,
    /// A figure for each column, with how it stands to its target.
    pub cells: Vec<(String, Mark)>,
}

impl Mark {
    /// In words, so that nothing is told by colour alone.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Overdue => "overdue",
        }
    }

    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Overdue => "overdue",
        }
    }
}

impl MonthReport {
    /// The page.
    pub fn html(&self) -> String {
        page::page(self).into_string()
    }
}

#[cfg(test)]
mod tests;
