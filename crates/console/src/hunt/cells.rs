//! Rows of an answer, whose columns nobody knows beforehand: searched, sorted, and told apart by what they hold.

use super::Answer;
use crate::table::{Ask, Searched, contains};
use serde_json::Value;
use std::cmp::Ordering;

/// A row.
pub(crate) struct Cells;

impl Searched for Cells {
    const FILE: &'static str = "answer";
    const FILTERS: &'static [&'static str] = &["chart", "x", "y"];

    fn has_column(name: &str) -> bool {
        name.strip_prefix('c').is_some_and(|at| at.parse::<usize>().is_ok())
    }

    fn is(&self, _name: &str, _value: &str) -> Option<bool> {
        None
    }

    fn has(&self, _word: &str) -> bool {
        false
    }
}

/// Every row that is asked for, in order.
pub(crate) fn arranged<'a>(answer: &'a Answer, ask: &Ask) -> Vec<&'a [Value]> {
    let words: Vec<String> = ask.words.split_whitespace().map(str::to_lowercase).collect();
    let has = |row: &[Value], word: &str| {
        row.iter().any(|cell| match cell {
            Value::String(text) => contains(text, word),
            Value::Null => false,
            other => contains(&other.to_string(), word),
        })
    };
    let rows = answer.rows.iter().map(Vec::as_slice);
    let mut rows: Vec<&[Value]> = rows.filter(|row| words.iter().all(|word| has(row, word))).collect();
    let column = ask.sort.as_ref().and_then(|(name, rising)| Some((column_of(answer, name)?, *rising)));
    if let Some((at, rising)) = column {
        let cell = |row: &'a [Value]| row.get(at).unwrap_or(&Value::Null);
        rows.sort_by(|one, other| {
            let order = compared(cell(one), cell(other));
            if rising { order } else { order.reverse() }
        });
    }
    rows
}

/// The place of a column that is called `c0`, `c1`, …: names of SQL may be anything, and the same twice.
pub(crate) fn column_of(answer: &Answer, name: &str) -> Option<usize> {
    name.strip_prefix('c')?.parse().ok().filter(|at| *at < answer.columns.len())
}

/// As SQL sorts: null, then numbers, then texts.
fn compared(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Number(_), Value::Number(_)) => {
            one.as_f64().unwrap_or(0.0).total_cmp(&other.as_f64().unwrap_or(0.0))
        }
        _ => rank(one).cmp(&rank(other)),
    }
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::String(_) => 2,
        _ => 1,
    }
}

/// Whether a column holds numbers, and nothing else but null.
pub(crate) fn is_number(answer: &Answer, at: usize) -> bool {
    let mut cells =
        answer.rows.iter().filter_map(|row| row.get(at)).filter(|cell| !cell.is_null()).peekable();
    cells.peek().is_some() && cells.all(Value::is_number)
}

/// Whether a column holds days or times, and nothing else.
pub(crate) fn is_time(answer: &Answer, at: usize) -> bool {
    let is_day = |text: &str| {
        text.len() >= 10
            && text.bytes().take(10).enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
    };
    !answer.rows.is_empty()
        && answer.rows.iter().all(|row| row.get(at).and_then(Value::as_str).is_some_and(is_day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Answer {
        let row = |day: &str, calls: Value| vec![day.into(), calls];
        Answer {
            columns: vec!["day".into(), "n".into()],
            rows: vec![
                row("2026-11-02", json!(9)),
                row("2026-11-01", Value::Null),
                row("2026-11-03", json!(10.5)),
            ],
            cut: String::new(),
        }
    }

    #[test]
    fn rows_are_found_and_sorted_by_what_they_hold() {
        let answer = answer();
        let days = |words: &str, sort: Option<(&str, bool)>| -> Vec<String> {
            let sort = sort.map(|(name, rising)| (name.to_owned(), rising));
            let ask = Ask { words: words.into(), sort, ..Ask::default() };
            arranged(&answer, &ask)
                .iter()
                .filter_map(|row| row[0].as_str())
                .map(|day| day[8..].into())
                .collect()
        };
        assert_eq!(days("", Some(("c1", true))), ["01", "02", "03"]);
        assert_eq!(days("", Some(("c1", false))), ["03", "02", "01"]);
        assert_eq!(days("", Some(("c7", false))), ["02", "01", "03"]);
        assert_eq!(days("10.5", None), ["03"]);
        assert!(days("none", None).is_empty());
    }

    #[test]
    fn columns_are_told_apart() {
        let answer = answer();
        assert!(is_time(&answer, 0) && !is_time(&answer, 1) && !is_time(&Answer::default(), 0));
        assert!(is_number(&answer, 1) && !is_number(&answer, 0) && !is_number(&answer, 2));
    }
}
