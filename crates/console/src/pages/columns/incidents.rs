//! Columns of incidents and of findings.

use super::{exchange_address, incident_address, is_level, level, outcome};
use crate::books::{Finding, Incident};
use crate::table::{Column, Key, Searched, contains};
use crate::text::{count, minute};
use maud::html;

pub(crate) const INCIDENTS: &[Column<Incident>] = &[
    Column {
        name: "level",
        title: "Level",
        own: true,
        key: |row| Key::Number(row.level as u64),
        cell: |row| level(row.level),
    },
    Column {
        name: "title",
        title: "Incident",
        own: true,
        key: |row| Key::Text(&row.title),
        cell: |row| {
            html! {
                a.row href=(incident_address(&row.uid)) { (row.title) }
                span.of { (row.service) " · " (row.who) }
            }
        },
    },
    Column {
        name: "outcome",
        title: "Outcome",
        own: true,
        key: |row| Key::Text(&row.outcome),
        cell: |row| outcome(&row.outcome),
    },
    Column {
        name: "findings",
        title: "Findings",
        own: true,
        key: |row| Key::Number(row.findings),
        cell: |row| html! { (count(row.findings)) },
    },
    Column {
        name: "first",
        title: "First",
        own: true,
        key: |row| Key::Text(&row.first),
        cell: |row| html! { span.time { (minute(&row.first)) } },
    },
    Column {
        name: "last",
        title: "Last",
        own: true,
        key: |row| Key::Text(&row.last),
        cell: |row| html! { span.time { (minute(&row.last)) } },
    },
    Column {
        name: "state",
        title: "State",
        own: true,
        key: |row| Key::Text(row.state()),
        cell: |row| html! { (row.state()) @if !row.verdict.is_empty() { span.of { "judged " (row.verdict) } } },
    },
];

impl Searched for Incident {
    const FILE: &'static str = "incidents";
    const FILTERS: &'static [&'static str] = &["state", "level", "outcome", "service", "verdict"];

    fn has_column(name: &str) -> bool {
        INCIDENTS.iter().any(|column| column.name == name)
    }

    fn is(&self, name: &str, value: &str) -> Option<bool> {
        Some(match name {
            "state" => self.state() == value,
            "verdict" => value == if self.verdict.is_empty() { "none" } else { &self.verdict },
            "level" => is_level(self.level, value),
            "outcome" => self.outcome == value,
            "service" => self.service == value,
            _ => return None,
        })
    }

    fn has(&self, word: &str) -> bool {
        let texts = [&self.title, &self.who, &self.service, &self.outcome, &self.uid];
        texts.into_iter().any(|text| contains(text, word)) || contains(self.level.name(), word)
    }
}

pub(crate) const FINDINGS: &[Column<Finding>] = &[
    Column {
        name: "level",
        title: "Level",
        own: true,
        key: |row| Key::Number(row.level as u64),
        cell: |row| level(row.level),
    },
    Column {
        name: "time",
        title: "Time",
        own: true,
        key: |row| Key::Text(&row.time),
        cell: |row| {
            html! {
                @if row.exchange.is_empty() || row.time.is_empty() { span.time { (minute(&row.time)) } }
                @else { a.time href=(exchange_address(&row.exchange, &row.time)) { (minute(&row.time)) } }
            }
        },
    },
    Column {
        name: "detector",
        title: "Detector",
        own: true,
        key: |row| Key::Text(if row.rule.is_empty() { &row.detector } else { &row.rule }),
        cell: |row| html! { @if row.rule.is_empty() { (row.detector) } @else { (row.rule) span.of { (row.detector) } } },
    },
    Column {
        name: "outcome",
        title: "Outcome",
        own: true,
        key: |row| Key::Text(&row.outcome),
        cell: |row| outcome(&row.outcome),
    },
    Column {
        name: "reason",
        title: "Why",
        own: true,
        key: |row| Key::Text(&row.reason),
        cell: |row| html! { (row.reason) },
    },
];

impl Searched for Finding {
    const FILE: &'static str = "findings";
    const FILTERS: &'static [&'static str] = &["incident", "level", "outcome", "detector"];

    fn has_column(name: &str) -> bool {
        FINDINGS.iter().any(|column| column.name == name)
    }

    fn is(&self, name: &str, value: &str) -> Option<bool> {
        Some(match name {
            "incident" => self.incident == value,
            "level" => is_level(self.level, value),
            "outcome" => self.outcome == value,
            "detector" => self.detector == value,
            _ => return None,
        })
    }

    fn has(&self, word: &str) -> bool {
        [&self.detector, &self.rule, &self.reason, &self.outcome, &self.incident, &self.exchange]
            .into_iter()
            .any(|text| contains(text, word))
    }
}
