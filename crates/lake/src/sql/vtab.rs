//! A table of the lake as a virtual table of SQLite.
//!
//! SQLite reaches the two structures here by the address of their first member, which is its own: that is what makes the
//! traits unsafe to implement, and all that is unsafe here.
#![allow(unsafe_code)]

use super::Source;
use super::scan::{Bound, Field, Scan, Sense};
use crate::batch::Values;
use crate::schema::{DAY, EXTRA, Kind};
use crate::time;
use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConnection, VTabCursor, sqlite3_vtab,
    sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Error, Result};
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;

/// Rows of a table before anything is known of it.
const MANY_ROWS: f64 = 1e6;

pub(super) fn register(connection: &Connection, source: Arc<Source>) -> Result<()> {
    const MODULE: Module<'static, LakeTable> = Module::eponymous_only_module();
    let name = source.table.name;
    connection.create_module(name, &MODULE, Some(source))
}

#[repr(C)]
struct LakeTable {
    /// SQLite's own, and first.
    base: sqlite3_vtab,
    source: Arc<Source>,
}

#[repr(C)]
struct LakeCursor {
    /// SQLite's own, and first.
    base: sqlite3_vtab_cursor,
    scan: Scan,
    source: Arc<Source>,
}

// SAFETY: `base` is the first member and the layout is C's.
unsafe impl VTab<'_> for LakeTable {
    type Aux = Arc<Source>;
    type Cursor = LakeCursor;

    fn connect(
        _db: &mut VTabConnection,
        aux: Option<&Arc<Source>>,
        _module: &[u8],
        _database: &[u8],
        _table: &[u8],
        _args: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let source = aux.ok_or_else(|| Error::ModuleError("no table".into()))?;
        let declared =
            CString::new(declaration(source)).map_err(|error| Error::ModuleError(error.to_string()))?;
        Ok((Cow::Owned(declared), Self { base: sqlite3_vtab::default(), source: Arc::clone(source) }))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let day = self.source.table.columns.len() + 1;
        let mut plan = String::new();
        for (constraint, mut usage) in info.constraints_and_usages() {
            let field = match usize::try_from(constraint.column()) {
                // Tables have `time` first.
                Ok(0) => 't',
                Ok(at) if at == day => 'd',
                _ => continue,
            };
            let Some(sense) = sense(&constraint.operator()).filter(|_| constraint.is_usable()) else {
                continue;
            };
            plan.extend([field, sense]);
            // SQLite still looks at each row: the files only leave out what cannot be wanted.
            usage.set_argv_index(c_int::try_from(plan.len() / 2).unwrap_or(c_int::MAX));
        }
        // Each bound is worth a tenth, so that joins begin with the bounded table.
        let bounds = u32::try_from(plan.len() / 2).unwrap_or(u32::MAX);
        info.set_estimated_cost(MANY_ROWS / 10_f64.powf(f64::from(bounds)));
        info.set_idx_str(&plan);
        Ok(true)
    }

    fn open(&mut self) -> Result<LakeCursor> {
        let source = Arc::clone(&self.source);
        Ok(LakeCursor { base: sqlite3_vtab_cursor::default(), scan: Scan::new(Arc::clone(&source)), source })
    }
}

fn declaration(source: &Source) -> String {
    let kind = |kind: Kind| match kind {
        Kind::Int | Kind::Bool => "INTEGER",
        Kind::Real => "REAL",
        Kind::Text | Kind::Time | Kind::List | Kind::Json => "TEXT",
    };
    let columns = source.table.columns.iter();
    let mut columns: Vec<String> =
        columns.map(|column| format!("{} {}", column.name, kind(column.kind))).collect();
    columns.push(format!("{EXTRA} TEXT"));
    columns.push(format!("{DAY} TEXT"));
    format!("CREATE TABLE x ({})", columns.join(", "))
}

const fn sense(operator: &IndexConstraintOp) -> Option<char> {
    match operator {
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ => Some('='),
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GE | IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GT => {
            Some('>')
        }
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LE | IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LT => {
            Some('<')
        }
        _ => None,
    }
}

/// The bounds of a plan with the values that they got; what is no text bounds nothing.
fn bounds(plan: &str, values: &Filters<'_>) -> Vec<Bound> {
    let letters: Vec<char> = plan.chars().collect();
    let pairs = letters.chunks(2).zip(values.iter());
    let bounds = pairs.filter_map(|(pair, value)| {
        let field = if pair.first() == Some(&'t') { Field::Time } else { Field::Day };
        let sense = match pair.get(1)? {
            '=' => Sense::Equal,
            '>' => Sense::From,
            _ => Sense::To,
        };
        Some(Bound { field, sense, text: value.as_str().ok()?.to_owned() })
    });
    bounds.collect()
}

// SAFETY: `base` is the first member and the layout is C's.
unsafe impl VTabCursor for LakeCursor {
    fn filter(&mut self, _number: c_int, plan: Option<&str>, values: &Filters<'_>) -> Result<()> {
        let bounds = bounds(plan.unwrap_or_default(), values);
        self.scan.begin(&bounds).map_err(|error| Error::ModuleError(error.to_string()))
    }

    fn next(&mut self) -> Result<()> {
        self.scan.next().map_err(|error| Error::ModuleError(error.to_string()))
    }

    fn eof(&self) -> bool {
        self.scan.is_over()
    }

    fn column(&self, context: &mut Context, at: c_int) -> Result<()> {
        let at = usize::try_from(at).unwrap_or_default();
        if at > self.source.table.columns.len() {
            return context.set_result(self.scan.day());
        }
        let is_time = self.source.table.columns.get(at).is_some_and(|column| column.kind == Kind::Time);
        let values = self.scan.column(at).map_err(|error| Error::ModuleError(error.to_string()))?;
        let row = self.scan.row();
        match values.as_ref() {
            None => context.set_result(rusqlite::types::Null),
            Some(Values::Ints(ints)) => match ints.get(row).copied().flatten() {
                Some(ms) if is_time => context.set_result(time::text(ms)),
                number => context.set_result(number),
            },
            Some(Values::Reals(reals)) => context.set_result(reals.get(row).copied().flatten()),
            Some(Values::Bools(bools)) => context.set_result(bools.get(row).copied().flatten()),
            Some(Values::Texts(texts)) => {
                context.set_result(texts.get(row).and_then(|text| std::str::from_utf8(text).ok()))
            }
            Some(Values::Lists(lists)) => context.set_result(lists.get(row).map(|list| {
                let texts: Vec<_> = list.map(String::from_utf8_lossy).collect();
                serde_json::to_string(&texts).unwrap_or_default()
            })),
        }
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.scan.number())
    }
}
