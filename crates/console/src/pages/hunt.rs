//! Hunting: a query is written, and what it found is drawn, listed and taken away.

use super::columns::{caller_address, endpoint_address, exchange_address, incident_address, service_address};
use super::frame;
use crate::books::Snapshot;
use crate::chart;
use crate::doors::Visitor;
use crate::hunt::{Answered, Limits, MOST_QUERY, MOST_TITLE, Query, Tables, arranged, is_number, is_time};
use crate::table::{Ask, PAGE, escaped, filter, head, pages};
use crate::text::{count, counted, figure};
use crate::users::Role;
use maud::{Markup, html};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Letters of a cell; the file has all of it.
const CELL: usize = 300;
/// Rows that bars are drawn of, and points of a line.
const BARS: usize = 40;
const POINTS: usize = 1_000;

/// What stands in the editor.
pub(crate) struct Editor<'a> {
    pub(crate) text: &'a str,
    /// Of a query that the user keeps.
    pub(crate) title: &'a str,
    /// What is wrong with the query; empty where nothing is.
    pub(crate) wrong: &'a str,
    pub(crate) visitor: &'a Visitor,
}

/// The page where there is nothing to ask.
pub(crate) fn no_hunt(snapshot: &Snapshot, why: &str) -> Markup {
    let body = html! {
        h1 { "Hunt" }
        section.empty {
            h2 { "No tables to ask" }
            p { (why) }
            p { "A run or replay with " code { "--data DIR" } " keeps every exchange, finding and incident in tables; then: " code { "tapwire serve --data DIR" } }
        }
    };
    frame(snapshot, "/hunt", "Hunt", &body)
}

/// The page on which a query is written.
pub(crate) fn hunt(snapshot: &Snapshot, tables: &dyn Tables, kept: &[Query], editor: &Editor<'_>) -> Markup {
    let Limits { rows, seconds, bytes } = tables.limits();
    let body = html! {
        h1 { "Hunt" }
        p.lead {
            "SQL over the tables that are kept. Queries only read; an answer has at most " (counted(rows as u64, "row")) " and "
            (bytes_told(bytes)) ", and is there within " (counted(seconds, "second")) ". Who asks what is noted in the audit log."
        }
        @if editor.visitor.role < Role::Analyst {
            p.empty { "You may read. To ask tables, which have every single call, ask for the role analyst." }
        } @else { (form(editor)) }
        div.columns {
            section { h2 { "Kept queries" } (queries(kept, editor.visitor)) }
            section { h2 { "Tables" } (described(tables)) }
        }
    };
    frame(snapshot, "/hunt", "Hunt", &body)
}

fn bytes_told(bytes: usize) -> String {
    if bytes >> 20 > 0 { format!("{} MiB", bytes >> 20) } else { format!("{} bytes", count(bytes as u64)) }
}

fn form(editor: &Editor<'_>) -> Markup {
    let lines = editor.text.lines().count().clamp(6, 20);
    html! {
        form.act.hunt method="post" action="/hunt" {
            input type="hidden" name="token" value=(editor.visitor.token);
            label { "Query"
                textarea name="query" rows=(lines) maxlength=(MOST_QUERY) spellcheck="false" autocapitalize="off" required
                    aria-describedby=[(!editor.wrong.is_empty()).then_some("wrong")] placeholder="SELECT service, count(*) AS calls FROM exchanges GROUP BY service" { (editor.text) }
            }
            @if !editor.wrong.is_empty() { pre.wrong id="wrong" role="alert" tabindex="0" { (editor.wrong) } }
            div.keep {
                button type="submit" { "Ask" }
                label { span.hidden { "Title to keep it under" } input type="text" name="title" maxlength=(MOST_TITLE) value=(editor.title) placeholder="Keep it as …"; }
                button.plain type="submit" name="action" value="keep" { "Keep" }
            }
        }
    }
}

fn queries(kept: &[Query], visitor: &Visitor) -> Markup {
    let own = kept.iter().filter(|query| !query.by.is_empty());
    let recipes = kept.iter().filter(|query| query.by.is_empty());
    let address = |query: &Query| format!("/hunt?kept={}", escaped(&query.title));
    html! {
        ul.places {
            @for query in own {
                li.own {
                    div { a.row href=(address(query)) { (query.title) } span.of { "kept by " (query.by) } }
                    @if visitor.role >= Role::Analyst {
                        form.act.inline method="post" action="/hunt" {
                            input type="hidden" name="token" value=(visitor.token);
                            input type="hidden" name="query" value="";
                            input type="hidden" name="title" value=(query.title);
                            button.plain type="submit" name="action" value="forget" { "Forget" span.hidden { " " (query.title) } }
                        }
                    }
                }
            }
            @for query in recipes { li { a.row href=(address(query)) { (query.title) } } }
        }
    }
}

fn described(tables: &dyn Tables) -> Markup {
    html! {
        ul.places {
            @for table in tables.described() {
                li {
                    details {
                        summary { code { (table.name) } span.of { (with_code(&table.what)) } }
                        dl.fields.more { @for (name, what) in &table.columns { div { dt { code { (name) } } dd { (with_code(what)) } } } }
                    }
                }
            }
        }
    }
}

/// A text in which what stands between backticks is code.
fn with_code(text: &str) -> Markup {
    html! { @for (at, part) in text.split('`').enumerate() { @if at % 2 == 1 { code { (part) } } @else { (part) } } }
}

/// What a query found.
pub(crate) fn answer(
    snapshot: &Snapshot,
    id: &str,
    answered: &Answered,
    ask: &Ask,
    visitor: &Visitor,
) -> Markup {
    let Answered { query, answer, took } = answered;
    let path = format!("/hunt/{id}");
    let rows = arranged(answer, ask);
    let editor = Editor { text: query, title: "", wrong: "", visitor };
    let body = html! {
        p.crumbs { a href="/hunt" { "Hunt" } }
        h1 { (counted(answer.rows.len() as u64, "row")) }
        p.lead {
            "Found in " (count(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))) " ms."
            @if !answer.cut.is_empty() { " " b { (answer.cut) } }
            " " a href=(format!("/hunt?query={}", escaped(query))) { "Address of this query" }
        }
        details open[answer.rows.is_empty()] { summary { "The query" } (form(&editor)) }
        @if answer.rows.is_empty() { p.empty { "Nothing is like that." } } @else {
            (drawn(&path, answered, &rows, ask))
            section { h2 { "Rows" } (listed(snapshot, &path, answered, &rows, ask)) }
        }
    };
    frame(snapshot, "/hunt", "Answer", &body)
}

fn listed(snapshot: &Snapshot, path: &str, answered: &Answered, rows: &[&[Value]], ask: &Ask) -> Markup {
    let columns = &answered.answer.columns;
    let names: Vec<(String, &str)> =
        columns.iter().enumerate().map(|(at, title)| (format!("c{at}"), title.as_str())).collect();
    let titles: Vec<(&str, &str)> = names.iter().map(|(name, title)| (name.as_str(), *title)).collect();
    let numbers: Vec<bool> = (0..columns.len()).map(|at| is_number(&answered.answer, at)).collect();
    let last = rows.len().div_ceil(PAGE).max(1) - 1;
    let whole = Ask { page: 0, ..ask.clone() };
    let file = |kind: &str| whole.address(&format!("{path}.{kind}"));
    html! {
        (filter(path, &titles, ask, "row", rows.len()))
        @if rows.is_empty() { p.empty { "No row has these words. " a href=(path) { "Show all" } "." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Table of rows" {
                table.list.rows.found {
                    thead { tr { @for ((name, title), is_number) in titles.iter().zip(&numbers) { (head(path, name, title, ask, is_number.then_some("number"))) } } }
                    tbody {
                        @for row in rows.iter().skip(ask.page.min(last) * PAGE).take(PAGE) {
                            @let day = day_of(columns, row);
                            tr { @for (at, cell) in row.iter().enumerate() {
                                @let title = columns.get(at).map_or("", String::as_str);
                                td class=[(numbers.get(at) == Some(&true)).then_some("number")] data-title=(title) { (told(snapshot, day, title, cell)) }
                            } }
                        }
                    }
                }
            }
            div.foot { (pages(path, ask, rows.len())) p.files { "All rows as " a href=(file("csv")) download { "CSV" } " or " a href=(file("json")) download { "JSON" } } }
        }
    }
}

/// A cell; what names something that has a page leads there.
fn told(snapshot: &Snapshot, day: &str, title: &str, cell: &Value) -> Markup {
    let text = match cell {
        Value::Null => return html! { span.of { "–" } },
        Value::String(text) => text,
        Value::Number(number) if number.is_f64() => {
            return html! { (figure(number.as_f64().unwrap_or_default())) };
        }
        other => return html! { (other) },
    };
    let address = match title {
        "endpoint" => {
            snapshot.endpoints.iter().find(|row| row.id == *text).map(|row| endpoint_address(&row.id))
        }
        "incident" => {
            snapshot.incidents.iter().find(|row| row.uid == *text).map(|row| incident_address(&row.uid))
        }
        "service" => {
            snapshot.services.iter().find(|row| row.name == *text).map(|row| service_address(&row.name))
        }
        "principal" => caller(snapshot, text),
        "uid" if snapshot.incidents.iter().any(|row| row.uid == *text) => Some(incident_address(text)),
        "uid" | "exchange" | "parent" if is_uid(text) => Some(exchange_address(text, day)),
        _ => None,
    };
    let shown = match text.char_indices().nth(CELL) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.clone(),
    };
    html! { @match address { Some(address) => { a href=(address) { (shown) } } None => (shown) } }
}

/// Whether it names an exchange or a finding: 128 bits in hexadecimal digits.
fn is_uid(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// When what a row tells of was, where a column says so: its exchange is looked for on that day first.
fn day_of<'a>(columns: &[String], row: &'a [Value]) -> &'a str {
    let cell = |name: &str| row.get(columns.iter().position(|column| column == name)?)?.as_str();
    cell("time").or_else(|| cell("day")).unwrap_or_default()
}

/// The page of who has that token.
fn caller(snapshot: &Snapshot, token: &str) -> Option<String> {
    let digits = token.rsplit_once(':')?.1;
    let is = |name: &str| name.rsplit_once('~').is_some_and(|(_, own)| own == digits);
    snapshot.callers.iter().find(|row| is(&row.name)).map(|row| caller_address(&row.name))
}

/// What is drawn of an answer: names or times of one column, numbers of another.
struct Drawing {
    kind: &'static str,
    x: usize,
    y: usize,
}

/// What is asked to be drawn, else what suits the columns; `None` where nothing does.
fn drawing(answered: &Answered, ask: &Ask) -> Option<Drawing> {
    let answer = &answered.answer;
    let all = 0..answer.columns.len();
    let numbers: Vec<usize> = all.clone().filter(|at| is_number(answer, *at)).collect();
    let chosen = |name: &str| ask.only(name)?.parse::<usize>().ok().filter(|at| *at < answer.columns.len());
    // Of columns with names, the first that tells most rows apart.
    let kinds = |at: &usize| {
        answer.rows.iter().filter_map(|row| row.get(*at)?.as_str()).collect::<BTreeSet<_>>().len()
    };
    let names = || all.clone().filter(|at| !numbers.contains(at)).max_by_key(|at| (kinds(at), Reverse(*at)));
    let x = chosen("x").or_else(|| all.clone().find(|at| is_time(answer, *at))).or_else(names).unwrap_or(0);
    let y = chosen("y").filter(|at| numbers.contains(at));
    let y = y.or_else(|| numbers.iter().copied().find(|at| *at != x))?;
    let kind = match ask.only("chart") {
        Some("line") => "line",
        Some("none") => "none",
        Some(_) => "bars",
        None if is_time(answer, x) => "line",
        None => "bars",
    };
    Some(Drawing { kind, x, y })
}

fn drawn(path: &str, answered: &Answered, rows: &[&[Value]], ask: &Ask) -> Markup {
    let Some(Drawing { kind, x, y }) = drawing(answered, ask) else { return html! {} };
    let columns = &answered.answer.columns;
    let title = |at: usize| columns.get(at).map_or("", String::as_str);
    let point = |row: &&[Value]| {
        let name = row.get(x).map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned));
        Some((name.unwrap_or_default(), row.get(y)?.as_f64()?))
    };
    let numbers = (0..columns.len()).filter(|at| is_number(&answered.answer, *at));
    html! {
        section {
            h2 { (title(y)) " by " (title(x)) }
            form.filter.chart method="get" action=(path) {
                @if !ask.words.is_empty() { input type="hidden" name="q" value=(ask.words); }
                @if let Some((name, rising)) = &ask.sort { input type="hidden" name="sort" value=(format!("{}{name}", if *rising { "" } else { "-" })); }
                label { "Draw " select name="chart" { @for one in ["bars", "line", "none"] { option value=(one) selected[one == kind] { (one) } } } }
                label { "of " select name="y" { @for at in numbers { option value=(at) selected[at == y] { (title(at)) } } } }
                label { "by " select name="x" { @for at in 0..columns.len() { option value=(at) selected[at == x] { (title(at)) } } } }
                noscript { button type="submit" { "Draw" } }
            }
            @match kind {
                "bars" => (chart::columns(&rows.iter().filter_map(point).take(BARS).collect::<Vec<_>>(), rows.len())),
                "line" => {
                    @let mut points: Vec<(String, f64)> = rows.iter().filter_map(point).take(POINTS).collect();
                    ({ points.sort_by(|one, other| one.0.cmp(&other.0)); "" })
                    (chart::series(title(y), &points, rows.len()))
                },
                _ => "",
            }
        }
    }
}
