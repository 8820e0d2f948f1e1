//! Tables as files: every row that is asked for, as JSON or as CSV by RFC 4180.

use crate::pages::columns;
use crate::server::{Asked, Shelf};
use crate::table::{Ask, Column, Searched, sorted};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// What has no place in a line.
const WHOLE: &str = "whole";

pub(crate) async fn export(
    State(books): State<Shelf>,
    Path(file): Path<String>,
    Query(asked): Asked,
) -> Response {
    let snapshot = books.snapshot();
    let ask = Ask::of(asked);
    let Some((name, kind)) = file.split_once('.') else { return unknown() };
    let rows = match name {
        "endpoints" => values(snapshot.endpoints.iter(), columns::ENDPOINTS, &ask),
        "incidents" => values(snapshot.incidents.iter(), columns::INCIDENTS, &ask),
        "findings" => values(snapshot.findings.iter(), columns::FINDINGS, &ask),
        "postures" => values(snapshot.postures.iter(), columns::POSTURES, &ask),
        "callers" => values(snapshot.callers.iter(), columns::CALLERS, &ask),
        "flows" => values(snapshot.flows.iter(), columns::FLOWS, &ask),
        "figures" => snapshot
            .figures
            .iter()
            .chain(&snapshot.blind_spots)
            .filter_map(|row| serde_json::to_value(row).ok())
            .collect(),
        _ => return unknown(),
    };
    match kind {
        "csv" => answer("text/csv; charset=utf-8; header=present", &file, csv(&rows)),
        "json" => answer("application/json", &file, Value::from(rows).to_string()),
        _ => unknown(),
    }
}

fn unknown() -> Response {
    (StatusCode::NOT_FOUND, "there is no such table; there are endpoints, incidents, findings, postures, callers, flows and figures, as .csv and .json\n").into_response()
}

fn answer(kind: &'static str, file: &str, text: String) -> Response {
    // The name is one of those above.
    let kept = format!("attachment; filename=\"tapwire-{file}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, kept)], text).into_response()
}

fn values<'r, R: Searched + Serialize + 'static>(
    rows: impl Iterator<Item = &'r R>,
    columns: &[Column<R>],
    ask: &Ask,
) -> Vec<Value> {
    sorted(rows, columns, ask).into_iter().filter_map(|row| serde_json::to_value(row).ok()).collect()
}

/// The names of the first row are the head: rows of one table have the same.
fn csv(rows: &[Value]) -> String {
    let names: Vec<&String> = rows
        .first()
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|row| row.keys())
        .filter(|name| *name != WHOLE)
        .collect();
    let mut text = String::new();
    line(&mut text, names.iter().map(|name| (*name).clone()));
    for row in rows {
        line(&mut text, names.iter().map(|name| row.get(name.as_str()).map(cell).unwrap_or_default()));
    }
    text
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

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(cell).collect::<Vec<_>>().join("; "),
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

    #[test]
    fn lists_are_joined_and_what_is_whole_is_left_out() {
        let rows = [json!({"calls": 3, "name": "a,\"b\"", "tags": ["x", "y"], "whole": {"z": 1}})];
        assert_eq!(csv(&rows), "calls,name,tags\r\n3,\"a,\"\"b\"\"\",\"x; y\"\r\n");
        assert_eq!(csv(&[]), "\r\n");
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
