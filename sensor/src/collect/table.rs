//! The inventory of all sensors for people: with the words and columns of a sensor's own.

use super::inventory::{CLASSES, classes, kinds, rest};
use super::said::Said;
use crate::apis::{Columns, Row, answers, orphans_of, proofs, risk, with_operation, with_states};
use crate::paper::{Paper, plain};
use crate::size::{count, counted};
use crate::summary::milliseconds;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use tapwire_inventory::Score;
use tapwire_lake::{Seen, SeenEndpoint, Teller, Told};

/// What stands where no sensor has a name.
const NAMELESS: &str = "no name";
/// What stands in the place of a score that nobody said.
const UNRATED: &str = "-";

/// An endpoint with what sensors say of it.
type Rated<'a> = (&'a SeenEndpoint, Said);

/// Endpoints of one service, the worst first, and what is only described.
struct Service<'a> {
    tenant: Option<&'a str>,
    name: &'a str,
    calls: u64,
    endpoints: Vec<Rated<'a>>,
    orphans: Vec<&'a SeenEndpoint>,
}

impl Service<'_> {
    fn worst(&self) -> u64 {
        self.endpoints.first().map_or(0, |(_, said)| said.worst())
    }
}

/// Everything.
pub(super) fn table(found: &Seen) -> String {
    let mut paper = Paper::new(true);
    let services = services(found);
    let is_rated = services.iter().flat_map(|one| &one.endpoints).any(|(_, said)| said.is_rated);
    paper.heading(match is_rated {
        true => "APIs that sensors told of, with exposure and threat of each endpoint, 0 to 100",
        false => "APIs that sensors told of",
    });
    if services.is_empty() {
        paper.line("  not seen");
    }
    let shown: Vec<(&Service<'_>, Vec<Row>)> = services
        .iter()
        .map(|one| {
            (one, one.endpoints.iter().map(|(endpoint, said)| row(endpoint, said, is_rated)).collect())
        })
        .collect();
    let columns = Columns::of(shown.iter().flat_map(|(_, rows)| rows), paper.width());
    for (service, rows) in &shown {
        let tenant = service.tenant.map(|tenant| format!(", tenant {}", plain(tenant))).unwrap_or_default();
        let name = paper.strong(&plain(service.name));
        let how_many = counted(rows.len() as u64, "endpoint");
        paper.line(&format!("  {name}  {}, {how_many}{tenant}", counted(service.calls, "call")));
        for (row, (endpoint, _)) in rows.iter().zip(&service.endpoints) {
            paper.line(&columns.line(row));
            paper.hang("      from ", &places(endpoint).join(", "));
        }
        if !service.orphans.is_empty() {
            let names = service.orphans.iter().map(|one| (one.method.as_str(), one.template.as_str()));
            orphans_of(service.orphans.len(), names, &mut paper);
        }
    }
    below(found, &services, &mut paper);
    paper.into_text()
}

/// What is said below the table.
fn below(found: &Seen, services: &[Service<'_>], paper: &mut Paper) {
    let unrated = services.iter().flat_map(|one| &one.endpoints).filter(|(_, said)| !said.is_rated).count();
    if unrated > 0 {
        paper.hang(
            "  ",
            &format!(
                "{}: no sensor said states, exposure and threat (`run` does, `replay` with --only, older sensors do not)",
                counted(unrated as u64, "endpoint")
            ),
        );
    }
    rest(found).iter().for_each(|line| paper.line(&format!("  {line}")));
    if !found.merged.is_empty() {
        let words = counted(found.merged.len() as u64, "endpoint");
        paper.line(&format!("  {words} turned out to be values of a parameter, and stand there"));
    }
}

/// What is at risk most first, then what is called most.
fn services(found: &Seen) -> Vec<Service<'_>> {
    let mut all: BTreeMap<(Option<&str>, &str), Service<'_>> = BTreeMap::new();
    for one in &found.endpoints {
        let (tenant, name) = (one.tenant.as_deref(), one.service.as_str());
        let service = all.entry((tenant, name)).or_insert_with(|| Service {
            tenant,
            name,
            calls: 0,
            endpoints: Vec::new(),
            orphans: Vec::new(),
        });
        service.calls = service.calls.saturating_add(one.calls);
        match one.is_seen() {
            true => service.endpoints.push((one, Said::of(one))),
            false => service.orphans.push(one),
        }
    }
    let mut all: Vec<Service<'_>> = all.into_values().collect();
    for service in &mut all {
        service.endpoints.sort_by_key(|(one, said)| Reverse((said.worst(), one.calls)));
    }
    all.sort_by_key(|service| Reverse((service.worst(), service.calls)));
    all
}

fn row(one: &SeenEndpoint, said: &Said, is_rated: bool) -> Row {
    let points = |score| said.score(score).map_or_else(|| UNRATED.to_owned(), |one| one.points.to_string());
    Row {
        method: plain(&one.method),
        template: with_operation(&one.template, one.operation.as_deref()),
        calls: counted(one.calls, "call"),
        risk: if is_rated { risk(points(Score::Exposure), points(Score::Threat)) } else { String::new() },
        answers: told_answers(one),
        auth: with_states(said.states.iter().map(String::as_str), &credentials(one)),
    }
}

fn told_answers(one: &SeenEndpoint) -> String {
    let [first, second, third, fourth, fifth, unseen] = one.status;
    let told = answers(&[first, second, third, fourth, fifth], unseen, one.calls);
    match one.unclassed {
        0 => told,
        some if told.is_empty() => format!("{} of unknown class", count(some)),
        some => format!("{told}, {} of unknown class", count(some)),
    }
}

fn credentials(one: &SeenEndpoint) -> String {
    if one.calls == 0 {
        return "not seen".into();
    }
    let none = kinds(one).filter(|(kind, _)| *kind == "none").map(|(_, calls)| calls).sum();
    let shown: Vec<String> =
        kinds(one).filter(|(kind, _)| *kind != "none").map(|(kind, _)| plain(kind)).collect();
    proofs(shown.iter().map(String::as_str), none)
}

/// Sensors with their sites and calls.
fn places(one: &SeenEndpoint) -> Vec<String> {
    let place = |(teller, told): (&Teller, &Told)| {
        let name = if teller.name.is_empty() { NAMELESS } else { &teller.name };
        let site = teller.site.as_ref().map(|site| format!(" ({})", plain(site))).unwrap_or_default();
        format!("{}{site} {}", plain(name), count(told.calls))
    };
    one.sensors.iter().map(place).collect()
}

/// One endpoint.
pub(super) fn page(one: &SeenEndpoint, paper: &mut Paper) {
    let said = Said::of(one);
    let operation = one.operation.as_ref().map(|name| format!(" {}", plain(name))).unwrap_or_default();
    paper.heading(&format!("{} {}{operation}", plain(&one.method), plain(&one.template)));
    paper.row("service", &plain(&one.service));
    one.tenant.iter().for_each(|tenant| paper.row("tenant", &plain(tenant)));
    if let Some(owner) = one.owner.as_deref().or(said.text("owner")) {
        paper.row("owner", &plain(owner));
    }
    for (name, text) in said.texts.iter().filter(|(name, _)| *name != "owner") {
        paper.row(name, &plain(text));
    }
    if !said.tags.is_empty() {
        let tags: Vec<String> = said.tags.iter().map(|tag| plain(tag)).collect();
        paper.row("tags", &tags.join(", "));
    }
    paper.row("id", &plain(&one.id));
    if one.is_seen() {
        paper.row("seen", &format!("{} to {}", milliseconds(one.times.0), milliseconds(one.times.1)));
    }
    states(&said, paper);
    paper.row("calls", &calls(one));
    paper.row("sensors", &places(one).join(", "));
    let least = if one.callers.1 { " at least" } else { "" };
    paper.row("callers", &format!("{}{least}", count(one.callers.0)));
    for class in classes(one) {
        let number = |name: &str| count(class[name].as_u64().unwrap_or_default());
        let what = format!("{} sent, {} answered", number("request_values"), number("response_values"));
        paper.row(&plain(class["class"].as_str().unwrap_or_default()), &what);
    }
    for score in Score::ALL {
        let Some(scored) = said.score(score) else { continue };
        let reasons = scored.reasons.as_array().into_iter().flatten();
        let text = |one: &'_ Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let reasons: Vec<_> = reasons
            .map(|one| (text(one, "reason"), one["points"].as_u64().unwrap_or_default(), text(one, "seen")))
            .collect();
        let reasons = reasons.iter().map(|(name, points, seen)| (name.as_str(), *points, seen.as_str()));
        crate::risk::one(score, scored.points, reasons, paper);
    }
}

fn states(said: &Said, paper: &mut Paper) {
    let states: Vec<String> = said.states.iter().map(|state| plain(state)).collect();
    match said.is_rated {
        true => paper.row("states", &states.join(", ")),
        false => paper.row("states", "no sensor said them"),
    }
}

fn calls(one: &SeenEndpoint) -> String {
    let status = CLASSES.iter().zip(one.status).filter(|(_, calls)| *calls > 0);
    let unclassed = Some(("of unknown class", one.unclassed)).filter(|(_, calls)| *calls > 0);
    let status = status.map(|(name, calls)| (*name, calls)).chain(unclassed);
    let status: Vec<String> =
        status.map(|(name, calls)| format!("{} {}", count(calls), name.replace('_', " "))).collect();
    let auth: Vec<String> =
        kinds(one).map(|(kind, calls)| format!("{} {}", plain(kind), count(calls))).collect();
    let mut parts = vec![count(one.calls), status.join(", ")];
    if !auth.is_empty() {
        parts.push(format!("by {}", auth.join(", ")));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}
