//! Hunting: people ask tables by SQL. What a query found is held for a while, so that it can be sorted, drawn and downloaded
//! without asking again.

mod api;
mod cells;
mod desk;
mod held;

pub(crate) use api::routes;
pub(crate) use cells::{Cells, arranged, is_number, is_time};
pub(crate) use desk::{answer, ask, hunt};
pub(crate) use held::{Answered, Held};

use serde_json::Value;

/// Bytes of a query: it comes in a form of 16 KiB, in which a byte may be written as three.
pub const MOST_QUERY: usize = 5_000;
/// Bytes of the name of a query that is kept.
pub const MOST_TITLE: usize = 100;

/// Tables that SQL asks.
pub trait Tables: Send + Sync {
    /// Every table and view, for who writes a query.
    fn described(&self) -> Vec<Table>;

    /// What a query may take.
    fn limits(&self) -> Limits;

    /// The answer to a query, which only reads, within the limits. Takes as long as they allow.
    ///
    /// # Errors
    /// What is wrong with the query, with a caret under the place where that is known.
    fn ask(&self, query: &str) -> Result<Answer, String>;

    /// Queries that are kept: those that come with the product, then users' own.
    fn kept(&self) -> Vec<Query>;

    /// Keeps a query of a user under its title; one of that title is replaced.
    ///
    /// # Errors
    /// Why it cannot be kept, in a line.
    fn keep(&self, query: &Query) -> Result<(), String>;

    /// Forgets a user's query.
    ///
    /// # Errors
    /// Why it cannot be, in a line.
    fn forget(&self, title: &str) -> Result<(), String>;
}

/// What a query may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows of an answer.
    pub rows: usize,
    /// Seconds until it has to be there.
    pub seconds: u64,
    /// Bytes of an answer.
    pub bytes: usize,
}

/// A table or view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What its rows are.
    pub what: String,
    /// Names of columns with what they hold; of a view none.
    pub columns: Vec<(String, String)>,
}

/// What a query found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Names of columns; two may have the same.
    pub columns: Vec<String>,
    /// Rows of null, numbers and texts.
    pub rows: Vec<Vec<Value>>,
    /// Which limit left rows out, in words; empty where these are all.
    pub cut: String,
}

/// A query that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// What it asks, in words.
    pub title: String,
    /// In SQL.
    pub text: String,
    /// Who keeps it; empty for those that come with the product.
    pub by: String,
}
