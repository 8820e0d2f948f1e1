//! Governance: how figures went, and what became of each policy.

use super::columns::{level, owner, service_address, value_of};
use super::overview::mark;
use super::{elsewhere, frame};
use crate::books::{Figure, Level, Posture, Snapshot};
use crate::chart;
use crate::table::{Ask, escaped};
use crate::text::{count, counted, minute};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// The life of a finding of posture, with what each stage says.
const STAGES: [(&str, &str); 5] = [
    ("open", "violated, and nobody has accepted it"),
    ("regressed", "was gone and is back"),
    ("accepted", "somebody answers for it until a day"),
    ("fixed", "not seen in the last calls, which are too few to be sure"),
    ("verified", "not seen in so many calls that it counts as gone"),
];
/// Services of a policy that are named.
const SERVICES: usize = 3;

pub(crate) fn governance(snapshot: &Snapshot) -> Markup {
    let body = html! {
        h1 { "Governance" }
        p.lead { "What policies demand, who answers for what does not meet them, and how the figures went. " code { "tapwire explain NAME" } " has the rule of each policy and the formula of each figure." }
        @if snapshot.is_collectors { (elsewhere::policies()) } @else { (judged(snapshot)) }
    };
    frame(snapshot, "/governance", "Governance", &body)
}

fn judged(snapshot: &Snapshot) -> Markup {
    html! {
        section {
            h2 { "Findings of policies by where they stand" }
            (stages(&snapshot.postures))
        }
        section {
            h2 { "Policies" }
            @if snapshot.postures.is_empty() { p.empty { "No policy was ever violated, of those that could be judged. " a href="/sensor" { "What could not be judged" } "." } }
            @else { (policies(snapshot)) (files("postures")) }
        }
        section {
            h2 { "Figures" }
            @if snapshot.figures.is_empty() { p.empty { "Nothing could be judged: no call was seen." } }
            @else { (figures(snapshot)) (files("figures")) }
        }
    }
}

fn files(name: &str) -> Markup {
    html! {
        p.files { "All rows as " a href=(format!("/export/{name}.csv")) download { "CSV" } " or " a href=(format!("/export/{name}.json")) download { "JSON" } }
    }
}

fn posture_address(name: &str, value: &str) -> String {
    Ask { only: vec![(name.to_owned(), value.to_owned())], ..Ask::default() }.address("/posture")
}

fn stages(all: &[Posture]) -> Markup {
    html! {
        ul.tiles {
            @for (stage, meaning) in STAGES {
                @let those = all.iter().filter(|one| one.state == stage).count() as u64;
                @let bad = those > 0 && matches!(stage, "open" | "regressed");
                li { a href=(posture_address("state", stage)) class=[bad.then_some("bad")] { strong { (count(those)) } span { (stage) ": " (meaning) } } }
            }
        }
    }
}

/// What is known of one policy.
#[derive(Default)]
struct Policy<'a> {
    title: &'a str,
    level: Level,
    services: BTreeSet<&'a str>,
    owners: BTreeSet<&'a str>,
    endpoints: u64,
    stages: BTreeMap<&'a str, u64>,
    since: &'a str,
    accepted: BTreeSet<&'a str>,
}

fn policies(snapshot: &Snapshot) -> Markup {
    let mut all: BTreeMap<&str, Policy<'_>> = BTreeMap::new();
    for one in &snapshot.postures {
        let policy = all.entry(&one.policy).or_default();
        (policy.title, policy.level) = (&one.title, one.level);
        policy.services.insert(&one.service);
        policy.owners.extend(Some(one.owner.as_str()).filter(|owner| !owner.is_empty()));
        policy.accepted.extend(Some(one.accepted.as_str()).filter(|who| !who.is_empty()));
        policy.endpoints += if one.stands { one.total } else { 0 };
        *policy.stages.entry(&one.state).or_default() += 1;
        if policy.since.is_empty() || one.since.as_str() < policy.since {
            policy.since = &one.since;
        }
    }
    let mut all: Vec<(&str, Policy<'_>)> = all.into_iter().collect();
    all.sort_by_key(|(_, policy)| std::cmp::Reverse((policy.level, policy.endpoints)));
    html! {
        div.scroll tabindex="0" role="region" aria-label="Policies" {
            table.list.rows {
                thead { tr { th scope="col" { "Policy" } th scope="col" { "Level" } th scope="col" { "Where it stands" } th scope="col" { "Services" } th scope="col" { "Owner" } th.number scope="col" { "Endpoints" } th scope="col" { "Since" } } }
                tbody { @for (name, policy) in &all { (row(name, policy)) } }
            }
        }
    }
}

fn row(name: &str, policy: &Policy<'_>) -> Markup {
    let more = policy.services.len().saturating_sub(SERVICES);
    let owners: Vec<&str> = policy.owners.iter().copied().collect();
    html! {
        tr {
            td {
                a.row href=(posture_address("policy", name)) { (policy.title) }
                span.of { code { (name) } @for who in &policy.accepted { " · accepted by " (who) } }
            }
            td data-title="Level" { (level(policy.level)) }
            td data-title="Where it stands" { @for (stage, those) in &policy.stages {
                a.chip href=(format!("/posture?policy={}&state={}", escaped(name), escaped(stage))) { (stage) " " (count(*those)) } " "
            } }
            td data-title="Services" {
                @for (at, service) in policy.services.iter().take(SERVICES).enumerate() { @if at > 0 { ", " } a href=(service_address(service)) { (service) } }
                @if more > 0 { " and " (counted(more as u64, "more service")) }
            }
            td data-title="Owner" { (owner(&owners.join(", "))) }
            td.number data-title="Endpoints" { (count(policy.endpoints)) }
            td data-title="Since" { span.time { (minute(policy.since)) } }
        }
    }
}

fn figures(snapshot: &Snapshot) -> Markup {
    let first = snapshot.days.first().map_or("", |(day, _)| day.as_str());
    let last = snapshot.days.last().map_or("", |(day, _)| day.as_str());
    let is_known = snapshot.figures.iter().any(|figure| figure.trend.iter().flatten().count() > 1);
    html! {
        @if !is_known { p.of { "Of one day so far: from the second on, a line is drawn of each." } }
        ul.cards.figures { @for figure in &snapshot.figures { li { (card(figure, first, last)) } } }
    }
}

fn card(figure: &Figure, first: &str, last: &str) -> Markup {
    let known = figure.trend.iter().flatten().count();
    html! {
        b { (figure.title) }
        span.of { (figure.of) " · " code { (figure.name) } }
        p.now { (value_of(figure)) " " (mark(figure.mark)) @if !figure.target.is_empty() { span.of.inline { " " (figure.target) } } }
        @if known > 1 {
            (chart::line(&figure.trend))
            span.of.ends { span { (first) } span { (last) } }
        }
    }
}
