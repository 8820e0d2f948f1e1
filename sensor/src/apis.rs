//! The APIs of a summary: services with their busiest endpoints, as one table.

use crate::paper::{Paper, fit, plain};
use crate::risk::both;
use crate::schema::about;
use crate::size::{self, counted};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Display;
use tapwire_event::Redactor;
use tapwire_inventory::{Endpoint, Inventory, Orphan, Risks, Service, State, StateSet};

/// Services, and endpoints of one that stands alone, that are shown; the rest is counted.
const SHOWN: usize = 10;

/// Endpoints of each service where there are many.
const SHOWN_OF_MANY: usize = 5;

/// Templates of this width are worth more than the column of credentials.
const USUAL: usize = 32;

/// A template is not cut below this, however narrow the screen.
const NARROWEST: usize = 16;

/// A line of the table.
pub(crate) struct Row {
    pub(crate) method: String,
    pub(crate) template: String,
    pub(crate) calls: String,
    /// Exposure and threat, where they are told.
    pub(crate) risk: String,
    pub(crate) answers: String,
    pub(crate) auth: String,
}

/// Widths of the columns, the same for all services.
pub(crate) struct Columns {
    method: usize,
    template: usize,
    calls: usize,
    risk: usize,
    answers: usize,
    auth: usize,
}

/// Writes the table of a summary: what is called most.
pub(crate) fn page(inventory: &Inventory, redactor: &mut Redactor, paper: &mut Paper) {
    let limit = if inventory.services().count() > 2 { SHOWN_OF_MANY } else { SHOWN };
    paper.heading("APIs");
    let table = Table { most: SHOWN, limit, is_rated: false };
    table.write(inventory, redactor, paper);
}

/// Writes the table of everything, what is at risk most first.
pub(crate) fn all(inventory: &Inventory, redactor: &mut Redactor, paper: &mut Paper) {
    paper.heading("APIs, with exposure and threat of each endpoint, 0 to 100");
    let table = Table { most: usize::MAX, limit: usize::MAX, is_rated: true };
    table.write(inventory, redactor, paper);
}

/// What a table shows.
#[derive(Clone, Copy)]
struct Table {
    /// Services.
    most: usize,
    /// Endpoints of each.
    limit: usize,
    /// Exposure and threat, and sorted by them.
    is_rated: bool,
}

/// Endpoints of one service with their scores, in the order of their rows.
type Rated<'a> = Vec<(&'a Endpoint, [u8; 2])>;

impl Table {
    /// Services with their endpoints, in the order of the table.
    fn order<'a>(self, inventory: &'a Inventory, risks: &Risks<'_>) -> Vec<(&'a Service, Rated<'a>)> {
        let mut by_service: BTreeMap<&str, Rated<'a>> = BTreeMap::new();
        for endpoint in inventory.endpoints() {
            let points =
                if self.is_rated { both(risks, endpoint).map(|(_, rated)| rated.points) } else { [0; 2] };
            by_service.entry(&endpoint.service).or_default().push((endpoint, points));
        }
        let worst = |points: &[u8; 2]| *points.iter().max().unwrap_or(&0);
        let mut all: Vec<_> = inventory
            .services()
            .map(|service| {
                let mut mine = by_service.remove(&*service.name).unwrap_or_default();
                mine.sort_by_key(|(endpoint, points)| Reverse((worst(points), endpoint.calls)));
                (service, mine)
            })
            .collect();
        let of = |mine: &Rated<'_>| mine.first().map_or(0, |(_, points)| worst(points));
        all.sort_by_key(|(service, mine)| Reverse((of(mine), service.calls)));
        all
    }

    fn write(self, inventory: &Inventory, redactor: &mut Redactor, paper: &mut Paper) {
        let Self { most, limit, .. } = self;
        let risks = inventory.risks();
        let services = self.order(inventory, &risks);
        if services.is_empty() {
            paper.line("  not seen");
            return;
        }
        let orphans = inventory.orphans();
        let shown: Vec<(&Service, Vec<Row>)> = services
            .iter()
            .take(most)
            .map(|(service, endpoints)| (*service, self.rows(endpoints, &risks, redactor)))
            .collect();
        let columns = Columns::of(shown.iter().flat_map(|(_, rows)| rows), paper.width());
        for (service, rows) in &shown {
            let name = paper.strong(&plain(&redactor.shown_host(&service.name)));
            let endpoints = u64::from(service.endpoints);
            paper.line(&format!(
                "  {name}  {}, {}",
                counted(service.calls, "call"),
                counted(endpoints, "endpoint")
            ));
            let said = about(&inventory.about_service(&service.name));
            if !said.is_empty() {
                let said: Vec<String> = said.iter().map(|(what, text)| format!("{what} {text}")).collect();
                paper.hang("    ", &said.join(", "));
            }
            rows.iter().for_each(|row| paper.line(&columns.line(row)));
            let more = endpoints.saturating_sub(rows.len() as u64);
            if more > 0 {
                paper.line(&format!("    and {}", counted(more, "more endpoint")));
            }
            let mine = orphans.iter().filter(|orphan| orphan.service == service.name).collect::<Vec<_>>();
            unseen(&mine, limit, paper);
        }
        let more = services.len().saturating_sub(most) as u64;
        if more > 0 {
            paper.line(&format!("  and {}", counted(more, "more service")));
        }
    }

    fn rows(
        self,
        endpoints: &[(&Endpoint, [u8; 2])],
        risks: &Risks<'_>,
        redactor: &mut Redactor,
    ) -> Vec<Row> {
        let shown = endpoints.iter().take(self.limit);
        let row = |(endpoint, [exposure, threat]): &(&Endpoint, [u8; 2])| {
            let risk = if self.is_rated { risk(*exposure, *threat) } else { String::new() };
            row(endpoint, risks.states(endpoint), risk, redactor)
        };
        shown.map(row).collect()
    }
}

/// Both scores, as a column.
pub(crate) fn risk(exposure: impl Display, threat: impl Display) -> String {
    format!("{exposure:>3} {threat:>3}")
}

fn row(endpoint: &Endpoint, states: StateSet, risk: String, redactor: &mut Redactor) -> Row {
    Row {
        method: plain(&redactor.shown_method(&endpoint.method)),
        template: place(endpoint, redactor),
        calls: counted(endpoint.calls, "call"),
        risk,
        answers: answers(&endpoint.status.classes, endpoint.status.unseen, endpoint.calls),
        auth: with_states(states.iter().map(State::name), &credentials(endpoint)),
    }
}

/// What is described of a service and was not seen.
fn unseen(mine: &[&Orphan], limit: usize, paper: &mut Paper) {
    if mine.is_empty() {
        return;
    }
    let names = mine.iter().map(|orphan| (&*orphan.method, &*orphan.template));
    orphans_of(mine.len(), names.take(limit), paper);
}

/// Writes how many operations of a service are described and were not seen, with the method and template of some.
pub(crate) fn orphans_of<'o>(
    count: usize,
    names: impl Iterator<Item = (&'o str, &'o str)>,
    paper: &mut Paper,
) {
    paper.line(&format!("    described and not seen (orphan): {}", counted(count as u64, "operation")));
    for (method, template) in names {
        paper.line(&format!("      {} {}", plain(method), plain(template)));
    }
}

fn place(endpoint: &Endpoint, redactor: &mut Redactor) -> String {
    let operation = endpoint.operation.as_ref().map(|operation| redactor.shown_operation(operation));
    with_operation(&redactor.shown_path(&endpoint.template), operation.as_deref())
}

/// The template, with the operation where one path has many; with gRPC the path says it already.
pub(crate) fn with_operation(template: &str, operation: Option<&str>) -> String {
    let (template, operation) = (plain(template), operation.map(plain));
    let told = |operation: &String| {
        template.strip_suffix(operation.as_str()).is_some_and(|path| path.ends_with('/'))
    };
    match operation.filter(|operation| !told(operation)) {
        Some(operation) => format!("{template} {operation}"),
        None => template,
    }
}

/// Answers by class, 1xx to 5xx, with those not seen.
pub(crate) fn answers(classes: &[u64; 5], unseen: u64, calls: u64) -> String {
    let [_, ok, redirected, refused, failed] = *classes;
    let answers = [(ok, "2xx"), (redirected, "3xx"), (refused, "4xx"), (failed, "5xx"), (unseen, "not seen")];
    let mut some = answers.into_iter().filter(|(count, _)| *count > 0).peekable();
    if let Some((_, class)) = some.peek().filter(|(count, _)| *count == calls && *count > 1) {
        return format!("all {class}");
    }
    some.map(|(count, class)| format!("{} {class}", size::count(count))).collect::<Vec<_>>().join(", ")
}

/// The states that say more than that nothing was described, and how callers proved who they are.
pub(crate) fn with_states<'s>(states: impl Iterator<Item = &'s str>, credentials: &str) -> String {
    let usual = [State::Documented, State::Undocumented].map(State::name);
    let notable = states.filter(|state| !usual.contains(state));
    notable.map(|state| format!("{state}, ")).collect::<String>() + credentials
}

fn credentials(endpoint: &Endpoint) -> String {
    let kinds = endpoint.auth.iter().filter(|(_, calls)| *calls > 0);
    proofs(kinds.map(|(kind, _)| kind.name()), endpoint.auth.none)
}

/// Kinds of credentials, with the calls that had none.
pub(crate) fn proofs<'k>(kinds: impl Iterator<Item = &'k str>, none: u64) -> String {
    let kinds: Vec<&str> = kinds.collect();
    match (kinds.is_empty(), none) {
        (true, _) => "no credentials".into(),
        (false, 0) => kinds.join(", "),
        (false, without) => format!("{}, {} without", kinds.join(", "), size::count(without)),
    }
}

impl Columns {
    pub(crate) fn of<'r>(rows: impl Iterator<Item = &'r Row> + Clone, width: usize) -> Self {
        let widest = |of: fn(&Row) -> &str| {
            rows.clone().map(|row| console::measure_text_width(of(row))).max().unwrap_or(0)
        };
        let (method, calls) = (widest(|row| &row.method).min(10), widest(|row| &row.calls));
        let risk = widest(|row| &row.risk);
        let (answers, auth) = (widest(|row| &row.answers).min(32), widest(|row| &row.auth).min(48));
        // On a narrow screen credentials go first, then the ends of templates.
        let gap = if risk == 0 { 0 } else { 2 };
        let fixed = 4 + risk + gap + method + 1 + 2 + calls + 2 + answers + 2;
        let wanted = widest(|row| &row.template);
        let auth = if fixed + wanted.min(USUAL) + auth > width { 0 } else { auth };
        let template = wanted.min(width.saturating_sub(fixed + auth)).max(NARROWEST);
        Self { method, template, calls, risk, answers, auth }
    }

    pub(crate) fn line(&self, row: &Row) -> String {
        format!(
            "    {}{}{} {}  {:>calls$}  {}  {}",
            row.risk,
            if self.risk == 0 { "" } else { "  " },
            pad(&row.method, self.method),
            pad(&row.template, self.template),
            row.calls,
            pad(&row.answers, self.answers),
            if self.auth == 0 { String::new() } else { fit(&row.auth, self.auth) },
            calls = self.calls,
        )
    }
}

fn pad(text: &str, width: usize) -> String {
    console::pad_str(&fit(text, width), width, console::Alignment::Left, None).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(template: &str, answers: &str) -> Row {
        Row {
            method: "GET".into(),
            template: template.into(),
            calls: "1,244 calls".into(),
            risk: String::new(),
            answers: answers.into(),
            auth: "jwt".into(),
        }
    }

    #[test]
    fn a_long_template_is_cut_and_keeps_the_columns() {
        let rows = [row("/orders/{orderId}", "836 2xx, 3 not seen"), row(&"/very/long".repeat(20), "1 2xx")];
        let columns = Columns::of(rows.iter(), 80);
        let lines: Vec<String> = rows.iter().map(|row| columns.line(row)).collect();
        let place = |line: &String| {
            line.chars().collect::<String>().find("1,244").map(|at| line[..at].chars().count())
        };
        assert_eq!(place(&lines[0]), place(&lines[1]));
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        assert!(lines[1].contains('…'));
    }
}
