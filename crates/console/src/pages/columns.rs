//! The columns of every table, and what its rows are searched by.

mod incidents;

pub(crate) use incidents::{FINDINGS, INCIDENTS};

use crate::books::{Caller, DataFlow, Endpoint, Figure, Level, Posture, Snapshot};
use crate::chart;
use crate::table::{Ask, Column, Key, Searched, contains, escaped};
use crate::text::{count, micros, minute};
use maud::{Markup, html};

/// A level as a word with a colour.
pub(crate) fn level(level: Level) -> Markup {
    html! { span class=(format!("level {}", level.name())) { (level.name()) } }
}

/// Whether it worked, as a word with a colour.
pub(crate) fn outcome(name: &str) -> Markup {
    html! { span class=(format!("outcome {name}")) { (name) } }
}

/// Whether a level is the one of that name; `urgent` are the two worst.
fn is_level(level: Level, name: &str) -> bool {
    if name == "urgent" { level >= Level::High } else { level.name() == name }
}

/// Words in frames.
pub(crate) fn chips(words: &[String]) -> Markup {
    html! { @for word in words { span.chip { (word) } " " } }
}

/// Method and template as one name.
pub(crate) fn operation(method: &str, template: &str, operation: &str) -> Markup {
    html! {
        span class="method" { (method) } " " span.path { @for part in template.split_inclusive('/') { (part) wbr; } }
        @if !operation.is_empty() { " " span.operation { (operation) } }
    }
}

pub(crate) fn endpoint_address(id: &str) -> String {
    format!("/endpoints/{}", escaped(id))
}

/// The page of an exchange; its day says where to look first.
pub(crate) fn exchange_address(uid: &str, time: &str) -> String {
    let day = time.get(..10).map(|day| format!("?day={}", escaped(day))).unwrap_or_default();
    format!("/exchanges/{}{day}", escaped(uid))
}

/// The page of an incident.
pub(crate) fn incident_address(uid: &str) -> String {
    format!("/incidents/{}", escaped(uid))
}

/// The page of a caller.
pub(crate) fn caller_address(name: &str) -> String {
    format!("/callers/{}", escaped(name))
}

/// A caller by a token of events or incidents, with its page where it is known.
pub(crate) fn caller_of(snapshot: &Snapshot, token: &str) -> Markup {
    let digits = token.rsplit_once(':').map_or(token, |(_, digits)| digits);
    let known =
        snapshot.callers.iter().find(|one| one.name.rsplit_once('~').is_some_and(|(_, own)| own == digits));
    html! {
        @match known {
            Some(known) => { a.chip href=(caller_address(&known.name)) { (known.name) } }
            None => { span.chip { (token) } }
        }
    }
}

/// The query for the exchanges that a condition of SQL holds for, where they are kept in tables.
pub(crate) fn exchanges_address(snapshot: &Snapshot, condition: &str) -> Option<String> {
    let query = format!(
        "SELECT time, principal, client, method, path, status, latency, uid\nFROM exchanges WHERE {condition}\nORDER BY time DESC LIMIT 1000"
    );
    snapshot.has_tables.then(|| format!("/hunt?query={}", escaped(&query)))
}

/// The way there.
pub(crate) fn exchanges(snapshot: &Snapshot, condition: &str) -> Markup {
    html! { @if let Some(address) = exchanges_address(snapshot, condition) { a.exchanges href=(address) { "Its exchanges" } } }
}

/// The rows that a KPI counts, where a table has them.
pub(crate) fn rows_of(figure: &str) -> Option<&'static str> {
    Some(match figure {
        "shadow-traffic" => "/apis?state=shadow&sort=-calls",
        "orphans" => "/apis?state=orphan",
        "zombie-traffic" => "/apis?state=zombie&sort=-calls",
        "authentication-coverage" | "mixed-authentication" => "/apis?auth=none",
        "tls-coverage" => "/data?clear=yes",
        "sensitive-exposure" => "/data?answered=yes",
        "unauthenticated-sensitive" => "/data?credentials=none&answered=yes",
        "client-errors" | "server-errors" => "/apis?sort=-errors",
        "inventory-coverage" | "time-to-discover" | "owner-coverage" => "/apis",
        "time-to-detect" => "/posture",
        "time-to-remediate" => "/posture?state=verified",
        "alert-load" | "incident-precision" => "/incidents",
        "credential-hygiene" => "/callers",
        "capture-loss" | "unparsed" | "undecrypted" | "unpaired" => "/sensor",
        _ => return None,
    })
}

/// A KPI's value, which leads to what it counts.
pub(crate) fn value_of(figure: &Figure) -> Markup {
    html! { strong { @match rows_of(&figure.name) { Some(address) => a href=(address) { (figure.now) }, None => (figure.now) } } }
}

/// Who answers for something.
pub(crate) fn owner(name: &str) -> Markup {
    html! { @if name.is_empty() { span.of { "nobody is named" } } @else { (name) } }
}

/// The table of endpoints of one service.
pub(crate) fn service_address(name: &str) -> String {
    Ask { only: vec![("service".into(), name.to_owned())], ..Ask::default() }.address("/apis")
}

pub(crate) const ENDPOINTS: &[Column<Endpoint>] = &[
    Column {
        name: "name",
        title: "Endpoint",
        own: true,
        key: |row| Key::Text(&row.template),
        cell: |row| {
            html! {
                a.row href=(endpoint_address(&row.id)) { (operation(&row.method, &row.template, &row.operation)) }
                span.of { (row.service) @if !row.owner.is_empty() { " · " (row.owner) } " " span.time { "last " (minute(&row.last)) } }
            }
        },
    },
    Column {
        name: "exposure",
        title: "Exposure",
        own: true,
        key: |row| Key::Number(row.exposure.into()),
        cell: |row| chart::score(row.exposure),
    },
    Column {
        name: "threat",
        title: "Threat",
        own: true,
        key: |row| Key::Number(row.threat.into()),
        cell: |row| chart::score(row.threat),
    },
    Column {
        name: "calls",
        title: "Calls",
        own: true,
        key: |row| Key::Number(row.calls),
        cell: |row| html! { (count(row.calls)) span.of { (count(row.callers)) @if row.more_callers { "+" } @if row.callers == 1 { " caller" } @else { " callers" } } },
    },
    Column {
        name: "callers",
        title: "Callers",
        own: false,
        key: |row| Key::Number(row.callers),
        cell: |_| html! {},
    },
    Column {
        name: "errors",
        title: "Failed",
        own: true,
        key: |row| Key::Number(errors(row)),
        cell: |row| chart::answers(&row.status),
    },
    Column {
        name: "latency",
        title: "p50 / p99",
        own: true,
        key: |row| Key::Number(row.latency.map_or(0, |(half, _)| half)),
        cell: |row| html! { @match row.latency { Some((half, most)) => { (micros(half)) span.of { (micros(most)) } } None => span.of { "not seen" } } },
    },
    Column {
        name: "auth",
        title: "Proves with",
        own: true,
        key: |row| Key::Text(row.auth.first().map_or("", |(kind, _)| kind.as_str())),
        cell: |row| {
            html! { @for (kind, percent) in &row.auth { span class=(if kind == "none" { "chip warn" } else { "chip" }) { (kind) @if *percent < 100 { " " (percent) " %" } } " " } }
        },
    },
    Column {
        name: "classes",
        title: "Carries",
        own: true,
        key: |row| Key::Number(row.classes.len() as u64),
        cell: |row| chips(&row.classes),
    },
    Column {
        name: "last",
        title: "Last call",
        own: false,
        key: |row| Key::Text(&row.last),
        cell: |_| html! {},
    },
];

/// Answers that were refused or failed in a thousand.
fn errors(row: &Endpoint) -> u64 {
    let [_, _, _, refused, failed, _] = row.status;
    let all: u64 = row.status.iter().sum();
    (refused + failed).saturating_mul(1_000).checked_div(all).unwrap_or(0)
}

impl Searched for Endpoint {
    const FILE: &'static str = "endpoints";
    const FILTERS: &'static [&'static str] = &["service", "class", "state", "auth"];

    fn has_column(name: &str) -> bool {
        ENDPOINTS.iter().any(|column| column.name == name)
    }

    fn is(&self, name: &str, value: &str) -> Option<bool> {
        Some(match name {
            "service" => self.service == value,
            "class" => self.classes.iter().any(|class| class == value),
            "state" => self.states.iter().any(|state| state == value),
            "auth" => self.auth.iter().any(|(kind, _)| kind == value),
            _ => return None,
        })
    }

    fn has(&self, word: &str) -> bool {
        let texts = [&self.template, &self.service, &self.method, &self.operation, &self.owner, &self.id];
        let lists = self.classes.iter().chain(&self.states).chain(self.auth.iter().map(|(kind, _)| kind));
        texts.into_iter().chain(lists).any(|text| contains(text, word))
    }
}

pub(crate) const POSTURES: &[Column<Posture>] = &[
    Column {
        name: "level",
        title: "Level",
        own: true,
        key: |row| Key::Number(row.level as u64),
        cell: |row| level(row.level),
    },
    Column {
        name: "title",
        title: "What",
        own: true,
        key: |row| Key::Text(&row.title),
        cell: |row| {
            html! {
                details {
                    summary { (row.title) span.of { (row.service) " · " (row.reason) } }
                    div.more {
                        @if !row.accepted.is_empty() { p { b { "Accepted by " } (row.accepted) } }
                        @if !row.fix.is_empty() { p { b { "Fix: " } (row.fix) } }
                        @if !row.test.is_empty() { p { b { "Test: " } (row.test) } }
                        @if !row.references.is_empty() { p { b { "See: " } (row.references.join(", ")) } }
                        ul { @for (id, name) in &row.endpoints { li { a href=(endpoint_address(id)) { (name) } } } }
                        @let more = row.total.saturating_sub(row.endpoints.len() as u64);
                        @if more > 0 { p.of { "and " (count(more)) " more" } }
                    }
                }
            }
        },
    },
    Column {
        name: "endpoints",
        title: "Endpoints",
        own: true,
        key: |row| Key::Number(row.total),
        cell: |row| html! { (count(row.total)) },
    },
    Column {
        name: "state",
        title: "State",
        own: true,
        key: |row| Key::Text(&row.state),
        cell: |row| html! { (row.state) },
    },
    Column {
        name: "owner",
        title: "Owner",
        own: true,
        key: |row| Key::Text(&row.owner),
        cell: |row| owner(&row.owner),
    },
    Column {
        name: "since",
        title: "Since",
        own: true,
        key: |row| Key::Text(&row.since),
        cell: |row| html! { span.time { (minute(&row.since)) } },
    },
];

impl Searched for Posture {
    const FILE: &'static str = "postures";
    const FILTERS: &'static [&'static str] = &["policy", "service", "state", "stands", "level", "owner"];

    fn has_column(name: &str) -> bool {
        POSTURES.iter().any(|column| column.name == name)
    }

    fn is(&self, name: &str, value: &str) -> Option<bool> {
        Some(match name {
            "policy" => self.policy == value,
            "service" => self.service == value,
            "state" => self.state == value,
            "owner" => self.owner == value,
            "stands" => self.stands == (value == "yes"),
            "level" => is_level(self.level, value),
            _ => return None,
        })
    }

    fn has(&self, word: &str) -> bool {
        let texts = [&self.title, &self.policy, &self.service, &self.reason, &self.state, &self.owner];
        let names = self.endpoints.iter().map(|(_, name)| name);
        texts.into_iter().chain(names).chain(&self.references).any(|text| contains(text, word))
    }
}

pub(crate) const CALLERS: &[Column<Caller>] = &[
    Column {
        name: "name",
        title: "Caller",
        own: true,
        key: |row| Key::Text(&row.name),
        cell: |row| html! { a.row href=(caller_address(&row.name)) { span.path { (row.name) } } span.of { (row.services.join(", ")) } },
    },
    Column {
        name: "calls",
        title: "Calls",
        own: true,
        key: |row| Key::Number(row.calls),
        cell: |row| html! { (count(row.calls)) },
    },
    Column {
        name: "sessions",
        title: "Sessions",
        own: true,
        key: |row| Key::Number(row.sessions),
        cell: |row| html! { (count(row.sessions)) },
    },
    Column {
        name: "credentials",
        title: "Proves with",
        own: true,
        key: |row| Key::Text(row.credentials.first().map_or("", String::as_str)),
        cell: |row| chips(&row.credentials),
    },
    Column {
        name: "grants",
        title: "May",
        own: true,
        key: |row| Key::Text(row.grants.first().map_or("", String::as_str)),
        cell: |row| chips(&row.grants),
    },
    Column {
        name: "networks",
        title: "From",
        own: true,
        key: |row| Key::Text(row.networks.first().map_or("", String::as_str)),
        cell: |row| html! { (row.networks.join(", ")) },
    },
    Column {
        name: "agents",
        title: "With",
        own: true,
        key: |row| Key::Text(row.agents.first().map_or("", String::as_str)),
        cell: |row| html! { (row.agents.join(", ")) },
    },
    Column {
        name: "last",
        title: "Last call",
        own: true,
        key: |row| Key::Text(&row.last),
        cell: |row| html! { span.time { (minute(&row.last)) } },
    },
];

impl Searched for Caller {
    const FILE: &'static str = "callers";
    const FILTERS: &'static [&'static str] = &["service", "kind"];

    fn has_column(name: &str) -> bool {
        CALLERS.iter().any(|column| column.name == name)
    }

    fn is(&self, name: &str, value: &str) -> Option<bool> {
        Some(match name {
            "service" => self.services.iter().any(|service| service == value),
            "kind" => self.kind == value,
            _ => return None,
        })
    }

    fn has(&self, word: &str) -> bool {
        let lists = [&self.services, &self.grants, &self.credentials, &self.networks, &self.agents];
        contains(&self.name, word) || lists.into_iter().flatten().any(|text| contains(text, word))
    }
}

pub(crate) const FLOWS: &[Column<DataFlow>] = &[
    Column {
        name: "class",
        title: "Data",
        own: true,
        key: |row| Key::Text(&row.class),
        cell: |row| html! { span.chip { (row.class) } },
    },
    Column {
        name: "sensitivity",
        title: "Sensitivity",
        own: true,
        key: |row| Key::Text(&row.sensitivity),
        cell: |row| html! { (row.sensitivity) },
    },
    Column {
        name: "endpoint",
        title: "Endpoint",
        own: true,
        key: |row| Key::Text(&row.name),
        cell: |row| html! { a.row href=(endpoint_address(&row.endpoint)) { span.path { (row.name) } } span.of { (row.service) } },
    },
    Column {
        name: "sent",
        title: "Fields sent",
        own: true,
        key: |row| Key::Number(row.sent),
        cell: |row| html! { (count(row.sent)) },
    },
    Column {
        name: "answered",
        title: "Fields answered",
        own: true,
        key: |row| Key::Number(row.answered),
        cell: |row| html! { (count(row.answered)) },
    },
    Column {
        name: "risk",
        title: "Protection",
        own: true,
        key: |row| Key::Number(u64::from(row.open) * 2 + u64::from(row.clear)),
        cell: |row| {
            html! {
                @if row.open { span.chip.warn { "without credentials" } " " }
                @if row.clear { span.chip.warn { "clear text" } }
            }
        },
    },
];

impl Searched for DataFlow {
    const FILE: &'static str = "flows";
    const FILTERS: &'static [&'static str] = &["class", "service", "credentials", "clear", "answered"];

    fn has_column(name: &str) -> bool {
        FLOWS.iter().any(|column| column.name == name)
    }

    fn is(&self, name: &str, value: &str) -> Option<bool> {
        Some(match name {
            "class" => self.class == value,
            "service" => self.service == value,
            "credentials" => self.open == (value == "none"),
            "clear" => self.clear == (value == "yes"),
            "answered" => (self.answered > 0) == (value == "yes"),
            _ => return None,
        })
    }

    fn has(&self, word: &str) -> bool {
        [&self.class, &self.sensitivity, &self.name, &self.service]
            .into_iter()
            .any(|text| contains(text, word))
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, is_level};
    #[test]
    fn a_level_is_asked_for_as_answers_spell_it() {
        for level in Level::ALL {
            let spelled = serde_json::to_value(level).unwrap();
            assert!(is_level(level, spelled.as_str().unwrap()), "{spelled}");
        }
    }
}
