//! The first page: what needs attention, what is there, and what was not seen.

use super::columns::{incident_address, level, service_address, value_of};
use super::{elsewhere, frame, nothing_seen};
use crate::books::{CLOSED, DISMISSED, Endpoint, Figure, Incident, Level, Mark, Posture, Service, Snapshot};
use crate::chart::{self, Bar};
use crate::table::escaped;
use crate::text::{count, counted, minute, period};
use maud::{Markup, html};

const INCIDENTS: usize = 6;
const POSTURES: usize = 6;
const ENDPOINTS: usize = 8;
const FIGURES: usize = 8;
const SERVICES: usize = 8;

pub(crate) fn overview(snapshot: &Snapshot) -> Markup {
    let body = html! {
        h1 { "Overview" }
        @if !snapshot.first.is_empty() { p.lead { "Calls " (period(&snapshot.first, &snapshot.last)) " UTC, from " (snapshot.source) "." } }
        @if snapshot.endpoints.is_empty() && snapshot.incidents.is_empty() { (nothing_seen()) }
        @else {
            (tiles(snapshot))
            div.columns {
                section { h2 { "Needs attention" } (attention(snapshot)) }
                section { h2 { "Posture" } (postures(snapshot)) }
            }
            div.columns {
                section { h2 { @if snapshot.hours.len() > 1 { "Calls an hour" } @else { "Calls a day" } } (traffic(snapshot)) @if snapshot.hours.len() > 1 && snapshot.days.len() > 1 { h2 { "Calls a day" } (chart::days(&snapshot.days, "day")) } }
                section { h2 { "Services" } (services(snapshot)) }
            }
            section { h2 { "Most exposed" } (exposed(snapshot)) }
            @if !snapshot.is_collectors { div.columns {
                section { h2 { "Key figures" } (figures(&snapshot.figures)) p { a href="/governance" { "All figures, day by day" } } }
                section {
                    h2 { "Blind spots" }
                    p.of { "What the sensor did not get or could not read is in no figure." }
                    @if snapshot.blind_spots.is_empty() { (super::sensor::not_kept()) }
                    (figures(&snapshot.blind_spots))
                    p { a href="/sensor" { "What could not be judged, and why" } ": " (count(snapshot.not_judged.len() as u64)) }
                }
            } }
        }
    };
    frame(snapshot, "/", "Overview", &body)
}

fn tiles(snapshot: &Snapshot) -> Markup {
    let urgent = snapshot.open().filter(|incident| incident.level >= Level::High).count() as u64;
    let calls = snapshot.services.iter().map(|service| service.calls).sum();
    let bare = snapshot.flows.iter().filter(|flow| flow.open && flow.answered > 0).map(|flow| &flow.endpoint);
    let bare = bare.collect::<std::collections::BTreeSet<_>>().len() as u64;
    let tile = |number: u64, what: &str, address: &str, bad: bool| {
        let (one, many) = what.split_once('|').unwrap_or((what, what));
        let what = if number == 1 { one } else { many };
        html! { li { a href=(address) class=[bad.then_some("bad")] { strong { (count(number)) } span { (what) } } } }
    };
    html! {
        ul.tiles {
            @if !snapshot.is_collectors { (tile(urgent, "urgent incident open|urgent incidents open", "/incidents?state=open&level=urgent", urgent > 0)) }
            @if !snapshot.is_collectors { (tile(bare, "endpoint gives sensitive data without credentials|endpoints give sensitive data without credentials", "/data?credentials=none&answered=yes", bare > 0)) }
            (tile(snapshot.endpoints.len() as u64, "endpoint|endpoints", "/apis", false))
            (tile(snapshot.services.len() as u64, "service|services", "/apis", false))
            (tile(calls, "call|calls", "/apis?sort=-calls", false))
            @if !snapshot.is_collectors { (tile(snapshot.callers.len() as u64, "caller|callers", "/callers", false)) }
        }
    }
}

fn attention(snapshot: &Snapshot) -> Markup {
    let mut open: Vec<&Incident> = snapshot.open().collect();
    open.sort_by(|one, other| (other.level, &other.last).cmp(&(one.level, &one.last)));
    let more = open.len().saturating_sub(INCIDENTS);
    html! {
        @if snapshot.is_collectors { (elsewhere::incidents()) } @else if open.is_empty() { (none_open(snapshot)) }
        ol.feed {
            @for incident in open.into_iter().take(INCIDENTS) {
                li {
                    (level(incident.level))
                    div {
                        a.row href=(incident_address(&incident.uid)) { (incident.title) }
                        span.of {
                            (incident.outcome) " · " (counted(incident.findings, "finding")) " · " (incident.service) " · "
                            (incident.who) " · last " (minute(&incident.last))
                        }
                    }
                }
            }
        }
        @if more > 0 { p { a href="/incidents?state=open" { "and " (count(more as u64)) " more" } } }
    }
}

/// That none is open is not that there was none.
fn none_open(snapshot: &Snapshot) -> Markup {
    let of = |state: &'static str| snapshot.incidents.iter().filter(move |one| one.state() == state);
    let (over, dismissed) = (of(CLOSED).count() as u64, of(DISMISSED).count() as u64);
    let urgent = of(CLOSED).filter(|one| one.level >= Level::High).count() as u64;
    html! {
        p.empty {
            "No incident is open. "
            @if over > 0 {
                a href="/incidents?state=closed" { (counted(over, "incident")) " of before" } " "
                @if over == 1 { "is" } @else { "are" } " over: nothing came for four hours"
                @if urgent > 0 { "; " a href="/incidents?state=closed&level=urgent" { (count(urgent)) " of them " @if urgent == 1 { "was" } @else { "were" } " urgent" } }
                ". "
            }
            @if dismissed > 0 { a href="/incidents?state=dismissed" { (count(dismissed)) " judged false or benign" } ". " }
            a href="/sensor" { "What could not be judged" } "."
        }
    }
}

fn postures(snapshot: &Snapshot) -> Markup {
    let standing: Vec<&Posture> = snapshot.postures.iter().filter(|posture| posture.stands).collect();
    let more = standing.len().saturating_sub(POSTURES);
    html! {
        @if snapshot.is_collectors { (elsewhere::policies()) }
        @else if standing.is_empty() { p.empty { "No policy is violated, of those that could be judged. " a href="/sensor" { "Those that could not" } "." } }
        ol.feed {
            @for posture in standing.into_iter().take(POSTURES) {
                li {
                    (level(posture.level))
                    div {
                        a.row href=(format!("/posture?policy={}&service={}", escaped(&posture.policy), escaped(&posture.service))) { (posture.title) }
                        span.of { (posture.service) " · " (counted(posture.total, "endpoint")) }
                    }
                }
            }
        }
        @if more > 0 { p { a href="/posture?stands=yes" { "and " (count(more as u64)) " more" } } }
    }
}

fn traffic(snapshot: &Snapshot) -> Markup {
    html! {
        @if snapshot.hours.len() > 1 { (chart::days(&snapshot.hours, "hour")) }
        @else if snapshot.days.is_empty() { p.empty { "Days are counted from the first midnight (UTC) on that calls were seen over." } }
        @else { (chart::days(&snapshot.days, "day")) }
    }
}

/// Services by calls.
fn services(snapshot: &Snapshot) -> Markup {
    let mut all: Vec<&Service> = snapshot.services.iter().collect();
    all.sort_by_key(|service| std::cmp::Reverse(service.calls));
    let more = all.len().saturating_sub(SERVICES);
    let bars: Vec<Bar<'_>> = all
        .iter()
        .take(SERVICES)
        .map(|service| Bar {
            name: &service.name,
            address: Some(service_address(&service.name)),
            length: service.calls,
            told: counted(service.calls, "call"),
            class: "fill",
        })
        .collect();
    html! {
        (chart::bars(&bars))
        @if more > 0 { p { a href="/apis" { "and " (count(more as u64)) " more" } } }
    }
}

fn exposed(snapshot: &Snapshot) -> Markup {
    let mut all: Vec<&Endpoint> = snapshot.endpoints.iter().collect();
    let worst = |row: &Endpoint| (row.exposure.max(row.threat), row.calls);
    let shown = ENDPOINTS.min(all.len());
    if shown > 0 && shown < all.len() {
        all.select_nth_unstable_by(shown - 1, |one, other| worst(other).cmp(&worst(one)));
    }
    all.truncate(shown);
    all.sort_by(|one, other| worst(other).cmp(&worst(one)).then_with(|| one.id.cmp(&other.id)));
    html! {
        div.scroll tabindex="0" role="region" aria-label="Most exposed endpoints" {
            table.list.rows {
                thead { tr { th scope="col" { "Endpoint" } th.number scope="col" { "Exposure" } th.number scope="col" { "Threat" } th.number scope="col" { "Calls" } th scope="col" { "Carries" } } }
                tbody {
                    @for row in all {
                        tr {
                            td {
                                a.row href=(format!("/endpoints/{}", escaped(&row.id))) { (super::columns::operation(&row.method, &row.template, &row.operation)) }
                                span.of { a href=(service_address(&row.service)) { (row.service) } }
                            }
                            td.number data-title="Exposure" { (chart::score(row.exposure)) }
                            td.number data-title="Threat" { (chart::score(row.threat)) }
                            td.number data-title="Calls" { (count(row.calls)) }
                            td data-title="Carries" { (super::columns::chips(&row.classes)) }
                        }
                    }
                }
            }
        }
    }
}

fn figures(all: &[Figure]) -> Markup {
    html! {
        dl.figures {
            @for figure in all.iter().take(FIGURES) {
                div {
                    dt { (figure.title) span.of { (figure.of) } }
                    dd {
                        (mark(figure.mark))
                        (value_of(figure))
                        @if figure.trend.iter().flatten().count() > 1 { (chart::line(&figure.trend)) }
                    }
                }
            }
        }
    }
}

/// How a figure stands to its target, in a word.
pub(super) fn mark(mark: Mark) -> Markup {
    html! {
        @match mark {
            Mark::None => "",
            Mark::Met => { span.mark.met { "met" } },
            Mark::Missed => { span.mark.missed { "missed" } },
            Mark::Overdue => { span.mark.overdue { "overdue" } },
        }
    }
}
