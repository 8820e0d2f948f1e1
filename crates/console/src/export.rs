//! Tables as files: every row that is asked for, as JSON or as CSV by RFC 4180.

use crate::hunt::{self, Answer};
use crate::pages::columns;
use crate::server::{Shelf, unclear};
use crate::table::{Ask, Column, Searched, sorted};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// What has no place in a line.
const WHOLE: &str = "whole";
/// Bytes of a file: it is made in memory, which beside a run is the sensor's.
const MOST: usize = 32 << 20;

/// Parameters of an address.
type Parameters = Vec<(String, String)>;
/// Rows as they are written, made one by one, and the names of their members.
struct Rows<'r> {
    names: Vec<String>,
    rows: Box<dyn Iterator<Item = Value> + 'r>,
}

impl<'r> Rows<'r> {
    fn of<R: Serialize + Default + 'r>(rows: impl Iterator<Item = &'r R> + 'r) -> Self {
        let known = serde_json::to_value(R::default()).unwrap_or_default();
        let names = known.as_object().into_iter().flat_map(|row| row.keys());
        Self {
            names: names.filter(|name| *name != WHOLE).cloned().collect(),
            rows: Box::new(rows.filter_map(|row| serde_json::to_value(row).ok())),
        }
    }
}

pub(crate) async fn export(
    State(books): State<Shelf>,
    Path(file): Path<String>,
    Query(asked): Query<Parameters>,
) -> Response {
    let snapshot = books.snapshot();
    let Some((name, kind)) = file.split_once('.') else { return unknown() };
    let rows = match name {
        "endpoints" => values(snapshot.endpoints.iter(), columns::ENDPOINTS, asked),
        "incidents" => values(snapshot.listed(), columns::INCIDENTS, asked),
        "findings" => values(snapshot.findings.iter(), columns::FINDINGS, asked),
        "postures" => values(snapshot.postures.iter(), columns::POSTURES, asked),
        "callers" => values(snapshot.callers.iter(), columns::CALLERS, asked),
        "flows" => values(snapshot.flows.iter(), columns::FLOWS, asked),
        "figures" => Ok(Rows::of(snapshot.figures.iter().chain(&snapshot.blind_spots))),
        _ => return unknown(),
    };
    match (kind, rows) {
        (_, Err(why)) => unclear(why),
        ("csv", Ok(rows)) => answer("text/csv; charset=utf-8; header=present", &file, csv(rows, MOST)),
        ("json", Ok(rows)) => answer("application/json", &file, json(rows, MOST)),
        _ => unknown(),
    }
}

fn unknown() -> Response {
    (StatusCode::NOT_FOUND, "there is no such table; there are endpoints, incidents, findings, postures, callers, flows and figures, as .csv and .json\n").into_response()
}

fn answer(kind: &'static str, file: &str, text: Option<String>) -> Response {
    let Some(text) = text else {
        let why = "these rows are more than 32 MiB: ask for fewer by q or a filter, or read them with `tapwire inventory --json` and `tapwire sql`\n";
        return (StatusCode::UNPROCESSABLE_ENTITY, why).into_response();
    };
    // The name is one of those above.
    let kept = format!("attachment; filename=\"tapwire-{file}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, kept)], text).into_response()
}

fn values<'r, R: Searched + Serialize + Default + 'static>(
    rows: impl Iterator<Item = &'r R>,
    columns: &[Column<R>],
    asked: Parameters,
) -> Result<Rows<'r>, String> {
    let rows = sorted(rows, columns, &Ask::of::<R>(asked)?);
    Ok(Rows::of(rows.into_iter()))
}

/// An array; `None` where it would have more than so many bytes.
fn json(rows: Rows<'_>, most: usize) -> Option<String> {
    let mut text = "[".to_owned();
    for (at, row) in rows.rows.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&row.to_string());
        if text.len() > most {
            return None;
        }
    }
    Some(text + "]")
}

/// The head has every column, also where there is no row. `None` where it would have more than so many bytes.
fn csv(Rows { names, rows }: Rows<'_>, most: usize) -> Option<String> {
    let mut text = String::new();
    line(&mut text, names.iter().cloned());
    for row in rows {
        line(
            &mut text,
            names.iter().map(|name| {
                row.get(name).filter(|value| is_there(name, value)).map(cell).unwrap_or_default()
            }),
        );
        if text.len() > most {
            return None;
        }
    }
    Some(text)
}

/// Whether a value says something: that a figure has no target is no mark.
fn is_there(name: &str, value: &Value) -> bool {
    name != "mark" || value != "none"
}

/// What a query found, as CSV.
pub(crate) fn answer_csv(answer: &Answer, ask: &Ask) -> String {
    let mut text = String::new();
    line(&mut text, answer.columns.iter().cloned());
    for row in hunt::arranged(answer, ask) {
        line(&mut text, row.iter().map(cell));
    }
    text
}

/// The same as JSON: an array of objects whose members are in the order of the query.
pub(crate) fn answer_json(answer: &Answer, ask: &Ask) -> String {
    let names: Vec<String> =
        answer.columns.iter().map(|name| Value::from(name.as_str()).to_string()).collect();
    let object = |row: &[Value]| {
        let members: Vec<String> =
            names.iter().zip(row).map(|(name, value)| format!("{name}:{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let objects: Vec<String> = hunt::arranged(answer, ask).into_iter().map(object).collect();
    format!("[{}]", objects.join(",\n"))
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&quoted(&cell));
    }
    text.push_str("\r\n");
}

/// What is not there is an empty cell. A list within a list is one entry of it.
fn cell(value: &Value) -> String {
    let joined = |all: &[Value], by: &str| all.iter().map(cell).collect::<Vec<_>>().join(by);
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => {
            let entry = |one: &Value| one.as_array().map_or_else(|| cell(one), |parts| joined(parts, " "));
            all.iter().map(entry).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

/// Traffic names things; what a spreadsheet would calculate is marked as text.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains([',', '"', '\n', '\r', ';']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Default, Serialize)]
    struct Row {
        calls: u64,
        name: String,
        tags: Vec<String>,
        auth: Vec<(String, u8)>,
        latency: Option<(u64, u64)>,
        whole: Value,
    }

    fn rows<'r>(rows: &'r [Row]) -> Rows<'r> {
        Rows::of(rows.iter())
    }

    #[test]
    fn lists_are_joined_and_what_is_whole_is_left_out() {
        let row = Row {
            calls: 3,
            name: "a,\"b\"".into(),
            tags: vec!["x".into(), "y".into()],
            auth: vec![("jwt".into(), 90), ("none".into(), 10)],
            latency: None,
            whole: json!({"z": 1}),
        };
        let text = csv(rows(&[row]), MOST).unwrap();
        let head = "auth,calls,latency,name,tags\r\n";
        assert_eq!(text, format!("{head}\"jwt 90; none 10\",3,,\"a,\"\"b\"\"\",\"x; y\"\r\n"));
        assert_eq!(csv(rows(&[]), MOST).unwrap(), head, "a table without rows has its columns");
    }

    #[test]
    fn what_is_not_there_is_an_empty_cell() {
        use crate::books::{Endpoint, Figure};
        let text = csv(Rows::of([Endpoint::default()].iter()), MOST).unwrap();
        let head: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        let row: Vec<&str> = text.lines().nth(1).unwrap().split(',').collect();
        for (name, cell) in
            head.iter().zip(row).filter(|(name, _)| ["classes", "latency", "owner"].contains(name))
        {
            assert_eq!(cell, "", "{name}");
        }
        assert_eq!(head.len(), 18);
        let figures = csv(Rows::of([Figure::default()].iter()), MOST).unwrap();
        assert!(!figures.contains("none"), "no target is no word: {figures}");
    }

    #[test]
    fn a_file_is_bounded() {
        let all: Vec<Row> = (0..10).map(|calls| Row { calls, ..Row::default() }).collect();
        let whole: Vec<Value> = all.iter().map(|row| serde_json::to_value(row).unwrap()).collect();
        assert_eq!(super::json(rows(&all), MOST).unwrap(), Value::from(whole).to_string());
        assert_eq!((super::json(rows(&all), 50), csv(rows(&all), 20)), (None, None));
    }

    #[test]
    fn nothing_of_traffic_is_calculated() {
        for (cell, told) in
            [("=1+2", "'=1+2"), ("@SUM(A1)", "'@SUM(A1)"), ("-5", "-5"), ("-x", "'-x"), ("a=b", "a=b")]
        {
            assert_eq!(quoted(cell), told);
        }
    }
}
