//! Data: which classes there are, and where they flow.

use super::columns::FLOWS;
use super::{elsewhere, frame};
use crate::books::{DataFlow, Snapshot};
use crate::chart::{self, Ribbon};
use crate::table::{Ask, table};
use crate::text::{count, counted};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// Classes and services that the drawing has room for; the table has all.
const DRAWN: usize = 12;

pub(crate) fn data(snapshot: &Snapshot, ask: &Ask) -> Markup {
    let body = html! {
        h1 { "Data" }
        p.lead { "Which classes of data which endpoints take and give." }
        @if snapshot.is_collectors { (elsewhere::data()) }
        @else if snapshot.flows.is_empty() {
            p.empty { "No field was found to be of a data class. A field is tagged after three hits from two answers: listen for longer, or see what " code { "tapwire list data-classes" } " looks for." }
        } @else {
            @if ask.only.is_empty() && ask.words.is_empty() {
                section { h2 { "Classes" } (classes(&snapshot.flows)) }
                section.wide { h2 { "From class to service" } div.scroll.drawing tabindex="0" role="region" aria-label="From class to service" { (chart::flows(&ribbons(&snapshot.flows))) } }
            }
            section { h2 { "Endpoints" } (table("/data", snapshot.flows.iter(), FLOWS, ask, "flow")) }
        }
    };
    frame(snapshot, "/data", "Data", &body)
}

/// What is known of a class.
#[derive(Default)]
struct Class<'a> {
    sensitivity: &'a str,
    endpoints: BTreeSet<&'a str>,
    open: BTreeSet<&'a str>,
    clear: BTreeSet<&'a str>,
}

fn classes(flows: &[DataFlow]) -> Markup {
    let mut all: BTreeMap<&str, Class<'_>> = BTreeMap::new();
    for flow in flows {
        let class = all.entry(&flow.class).or_default();
        class.sensitivity = &flow.sensitivity;
        class.endpoints.insert(&flow.endpoint);
        if flow.open && flow.answered > 0 {
            class.open.insert(&flow.endpoint);
        }
        if flow.clear {
            class.clear.insert(&flow.endpoint);
        }
    }
    html! {
        ul.cards {
            @for (name, class) in &all {
                @let address = |rest: &str| Ask { only: vec![("class".into(), (*name).to_owned())], ..Ask::default() }.address("/data") + rest;
                li {
                    a.row href=(address("")) { (name) }
                    span.of { (class.sensitivity) " sensitivity, " (counted(class.endpoints.len() as u64, "endpoint")) }
                    @if !class.open.is_empty() { p { a.chip.warn href=(address("&credentials=none&answered=yes")) { (count(class.open.len() as u64)) " given without credentials" } } }
                    @if !class.clear.is_empty() { p { a.chip href=(address("&clear=yes")) { (count(class.clear.len() as u64)) " in clear text" } } }
                }
            }
        }
    }
}

/// Endpoints of each class and service, the most first.
fn ribbons(flows: &[DataFlow]) -> Vec<Ribbon> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for flow in flows {
        *counts.entry((&flow.class, &flow.service)).or_default() += 1;
    }
    let mut all: Vec<Ribbon> = counts
        .into_iter()
        .map(|((class, service), endpoints)| (class.to_owned(), service.to_owned(), endpoints))
        .collect();
    let room = |names: BTreeMap<String, u64>| -> BTreeSet<String> {
        let mut names: Vec<(String, u64)> = names.into_iter().collect();
        names.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
        names.into_iter().take(DRAWN).map(|(name, _)| name).collect()
    };
    let (mut classes, mut services) = (BTreeMap::new(), BTreeMap::new());
    for (class, service, endpoints) in &all {
        *classes.entry(class.clone()).or_default() += endpoints;
        *services.entry(service.clone()).or_default() += endpoints;
    }
    let (classes, services) = (room(classes), room(services));
    all.retain(|(class, service, _)| classes.contains(class) && services.contains(service));
    all
}
