//! SQL over the tables: SQLite's language, over our files.
//!
//! Each table is a virtual table of SQLite. It opens only files whose days and times the query can want, and of them
//! decodes only columns that the query asks for, a row group at a time.

mod answer;
mod bounds;
mod event;
mod linear;
mod scan;
mod statements;
mod vtab;

pub use statements::Statements;

use crate::error::LakeError;
use crate::log::Snapshot;
use crate::place::Place;
use crate::schema::{Column, DAY, EXTRA, Kind, TABLES, Table, VIEWS};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};
use std::fmt::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

pub use bounds::Bounds;

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Absent.
    Null,
    /// A whole number.
    Int(i64),
    /// Another number.
    Real(f64),
    /// Text, also lists and objects as JSON, and times.
    Text(String),
}

/// A piece of an answer.
#[derive(Debug)]
pub enum Answer<'a> {
    /// Names of columns, once, before any row.
    Columns(&'a [String]),
    /// A row.
    Row(&'a [Cell]),
}

/// A table of a lake, as a query sees it.
pub(crate) struct Source {
    pub(crate) table: &'static Table,
    pub(crate) place: Place,
    pub(crate) snapshot: Snapshot,
}

/// Reads a lake as it is at one moment, also while a [`crate::Lake`] writes it.
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// The lake of that data directory, or in that store.
    ///
    /// # Errors
    /// There is none; its log cannot be read.
    pub fn open(place: impl Into<Place>) -> Result<Self, LakeError> {
        let place = place.into();
        let sources = place.snapshots()?.into_iter().map(|(table, snapshot)| {
            Arc::new(Source { table, place: place.clone(), snapshot: snapshot.unwrap_or_default() })
        });
        let sources = sources.collect();
        let connection = connect(sources).map_err(|error| LakeError::Query(error.to_string()))?;
        Ok(Self { connection })
    }

    /// The same with the functions `token(NAME)` and `token(ISSUER, SUBJECT)`: the token by which events know who is called
    /// so, as `token` makes it of the text; nothing where the key of the tables is not known, which is told.
    ///
    /// # Errors
    /// The function cannot be made.
    pub fn with_tokens(
        self,
        token: impl Fn(&str) -> Option<String> + Send + 'static,
    ) -> Result<Self, LakeError> {
        event::register_tokens(&self.connection, token)
            .map_err(|error| LakeError::Query(error.to_string()))?;
        Ok(self)
    }

    /// Hands out the answer to a query; stops early where `take` breaks.
    ///
    /// # Errors
    /// The query is wrong, with the place where that is known; a file cannot be read.
    pub fn query(
        &self,
        text: &str,
        take: &mut dyn FnMut(Answer<'_>) -> ControlFlow<()>,
    ) -> Result<(), LakeError> {
        let failed = |error: rusqlite::Error| LakeError::Query(told(&error));
        let mut statement = self.connection.prepare(text).map_err(failed)?;
        if !statement.readonly() {
            return Err(LakeError::Query(
                "only queries: tables are written by tapwire run and replay".into(),
            ));
        }
        hand_out(&mut statement, take).map_err(failed)
    }
}

fn hand_out(
    statement: &mut Statement<'_>,
    take: &mut dyn FnMut(Answer<'_>) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    if take(Answer::Columns(&columns)).is_break() {
        return Ok(());
    }
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let cells = (0..columns.len()).map(|at| row.get_ref(at).map(cell)).collect::<Result<Vec<_>, _>>()?;
        if take(Answer::Row(&cells)).is_break() {
            break;
        }
    }
    Ok(())
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) | ValueRef::Blob(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
    }
}

/// What is wrong, with a caret under the place where SQLite names one.
fn told(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, sql, offset, .. } => {
            let Ok(offset) = usize::try_from(*offset) else { return msg.clone() };
            let before = sql.get(..offset).unwrap_or(sql);
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let line = sql.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
            let caret = " ".repeat(before.get(line_start..).unwrap_or_default().chars().count());
            format!("{msg}\n    {line}\n    {caret}^")
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    }
}

/// A database in memory that has the tables and the views and nothing else.
fn connect(sources: Vec<Arc<Source>>) -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    event::register(&connection)?;
    for source in sources {
        vtab::register(&connection, source)?;
    }
    for view in VIEWS {
        connection.execute_batch(&format!("CREATE VIEW {} AS {}", view.name, view.query))?;
    }
    connection.execute_batch(&events_view())?;
    // No other database, so that no query makes a file.
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    Ok(connection)
}

/// Every event of every table as it was told; rows that were made are none.
fn events_view() -> String {
    let mut text = String::from("CREATE VIEW events AS ");
    for (at, table) in TABLES.iter().filter(|table| !table.classes.is_empty()).enumerate() {
        let union = if at > 0 { " UNION ALL " } else { "" };
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name).chain([EXTRA]).collect();
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "{union}SELECT {DAY}, time, '{0}' AS table_name, event('{0}', {1}) AS event FROM {0}",
            table.name,
            columns.join(", ")
        );
    }
    text
}

/// The name and kind of a column by its place: those of the table, then [`EXTRA`], then [`DAY`].
pub(crate) fn column_at(table: &Table, at: usize) -> Option<(&'static str, Kind)> {
    let own = table.columns.get(at).map(|Column { name, kind, .. }| (*name, *kind));
    own.or_else(|| match at - table.columns.len() {
        0 => Some((EXTRA, Kind::Json)),
        _ => None,
    })
}
