//! Functions of SQLite that compare each letter of one text with each of another: two texts of a megabyte keep them busy for
//! hours, and an interrupt is not heard meanwhile. Here are the same in time that grows with the texts.

use memchr::memmem::Finder;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Longest pattern of LIKE and GLOB: each letter of it may be compared with each of a text.
const LONGEST_PATTERN: i32 = 500;
/// Functions that have no such form, with the number of their arguments.
const LEFT_OUT: [(&str, i32); 3] = [("json_patch", 2), ("jsonb_patch", 2), ("unhex", 2)];

/// Replaces them on that connection, whose values have at most so many bytes.
pub(super) fn replace(connection: &Connection, longest: usize) -> Result<()> {
    connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN)?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("instr", 2, flags, |context| Ok(place(context)))?;
    connection.create_scalar_function("replace", 3, flags, move |context| replaced(context, longest))?;
    for (name, ends) in [("trim", (true, true)), ("ltrim", (true, false)), ("rtrim", (false, true))] {
        connection.create_scalar_function(name, 2, flags, move |context| Ok(trimmed(context, ends)))?;
    }
    for (name, arguments) in LEFT_OUT {
        connection.create_scalar_function(name, arguments, flags, move |_| -> Result<Option<String>> {
            let why = format!("{name}: is not available here: ask with `tapwire sql`");
            Err(Error::UserFunctionError(why.into()))
        })?;
    }
    Ok(())
}

/// The text of an argument; `None` where it is absent.
fn text<'a>(context: &'a Context<'_>, at: usize) -> Option<Cow<'a, str>> {
    match context.get_raw(at) {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into()),
        // As SQLite, which writes 1.0.
        ValueRef::Real(number) => Some(format!("{number:?}").into()),
        ValueRef::Text(text) | ValueRef::Blob(text) => Some(String::from_utf8_lossy(text)),
    }
}

/// Where the second text begins in the first one, in letters from 1 on; of two blobs, in bytes.
fn place(context: &Context<'_>) -> Option<i64> {
    if let (ValueRef::Blob(all), ValueRef::Blob(part)) = (context.get_raw(0), context.get_raw(1)) {
        let found = Finder::new(part).find(all);
        return Some(found.map_or(0, |at| count(at + 1)));
    }
    let (all, part) = (text(context, 0)?, text(context, 1)?);
    let found = Finder::new(part.as_bytes()).find(all.as_bytes());
    Some(found.map_or(0, |at| count(all.get(..at).unwrap_or_default().chars().count() + 1)))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The first text with the third in every place of the second.
fn replaced(context: &Context<'_>, longest: usize) -> Result<Option<String>> {
    let (Some(all), Some(part)) = (text(context, 0), text(context, 1)) else { return Ok(None) };
    if part.is_empty() {
        return Ok(Some(all.into_owned()));
    }
    let Some(by) = text(context, 2) else { return Ok(None) };
    let finder = Finder::new(part.as_bytes());
    let places = finder.find_iter(all.as_bytes()).count();
    // Before it is made: a few megabytes become terabytes.
    if all.len() - places * part.len() + places.saturating_mul(by.len()) > longest {
        return Err(Error::UserFunctionError("replace: string or blob too big".into()));
    }
    Ok(Some(all.replace(part.as_ref(), &by)))
}

/// The first text without letters of the second at its beginning, its end, or both.
fn trimmed(context: &Context<'_>, (begin, end): (bool, bool)) -> Option<String> {
    let (all, letters) = (text(context, 0)?, text(context, 1)?);
    let letters: BTreeSet<char> = letters.chars().collect();
    let mut rest = all.as_ref();
    if begin {
        rest = rest.trim_start_matches(|letter| letters.contains(&letter));
    }
    if end {
        rest = rest.trim_end_matches(|letter| letters.contains(&letter));
    }
    Some(rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(connection: &Connection, query: &str) -> std::result::Result<String, String> {
        let value = |row: &rusqlite::Row<'_>| row.get_ref(0).map(|value| format!("{value:?}"));
        connection.query_row(query, [], value).map_err(|error| error.to_string())
    }

    #[test]
    fn they_answer_as_sqlite_does() {
        let (ours, sqlites) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
        replace(&ours, 1 << 20).unwrap();
        let values = [
            "NULL", "''", "'a'", "'aa'", "'äbä'", "'ä'", "'b'", "'xaxbx'", "'%a_'", "x''", "x'61'", "12",
            "1.5",
        ];
        for one in values {
            for other in values {
                let mut calls: Vec<String> = ["instr", "trim", "ltrim", "rtrim"]
                    .map(|function| format!("{function}({one}, {other})"))
                    .to_vec();
                calls.extend(values.map(|third| format!("replace({one}, {other}, {third})")));
                for call in calls {
                    let query = format!("SELECT {call}");
                    assert_eq!(answer(&ours, &query), answer(&sqlites, &query), "{call}");
                }
            }
        }
    }

    #[test]
    fn what_grows_beyond_bounds_is_not_made() {
        let connection = Connection::open_in_memory().unwrap();
        replace(&connection, 1 << 20).unwrap();
        let large = "SELECT replace(hex(zeroblob(100000)), '0', hex(zeroblob(100000)))";
        assert!(answer(&connection, large).unwrap_err().contains("too big"));
        for query in
            ["SELECT json_patch('{}', '{}')", "SELECT unhex('61', ' ')", "SELECT 'a' LIKE hex(zeroblob(500))"]
        {
            assert!(answer(&connection, query).is_err(), "{query}");
        }
    }
}
