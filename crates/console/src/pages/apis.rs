//! Services with their endpoints.

use super::columns::{ENDPOINTS, service_address};
use super::{frame, nothing_seen};
use crate::books::{Service, Snapshot};
use crate::chart;
use crate::table::{Ask, escaped, table};
use crate::text::{count, counted, minute};
use maud::{Markup, html};

/// Services that stand above the table; more are found by their name.
const SHOWN: usize = 24;

pub(crate) fn apis(snapshot: &Snapshot, mut ask: Ask) -> Markup {
    ask.sort.get_or_insert_with(|| ("exposure".to_owned(), false));
    let chosen = ask.only("service").map(str::to_owned);
    let service = chosen.as_deref().and_then(|name| snapshot.services.iter().find(|one| one.name == name));
    let rows =
        snapshot.endpoints.iter().filter(|row| chosen.as_ref().is_none_or(|name| row.service == *name));
    let body = html! {
        @match service {
            Some(service) => (head(service)),
            None => { h1 { "APIs" } (services(snapshot)) }
        }
        @if snapshot.endpoints.is_empty() { (nothing_seen()) } @else { (table("/apis", rows, ENDPOINTS, &ask, "endpoint")) }
    };
    let title = service.map_or("APIs", |service| service.name.as_str());
    frame(snapshot, "/apis", title, &body)
}

fn head(service: &Service) -> Markup {
    html! {
        p.crumbs { a href="/apis" { "APIs" } }
        h1 { (service.name) }
        p.lead {
            (counted(service.calls, "call")) ", " (counted(service.endpoints, "endpoint")) ", first seen " (minute(&service.first))
            @if !service.owner.is_empty() { ", owner " b { (service.owner) } }
            @if !service.zone.is_empty() { ", zone " b { (service.zone) } }
            ". " a href=(format!("/openapi/{}", escaped(&service.name))) { "OpenAPI 3.1 of what was seen" }
        }
    }
}

fn services(snapshot: &Snapshot) -> Markup {
    let mut all: Vec<&Service> = snapshot.services.iter().collect();
    all.sort_by_key(|service| std::cmp::Reverse((service.exposure.max(service.threat), service.calls)));
    let more = all.len().saturating_sub(SHOWN);
    html! {
        ul.cards {
            @for service in all.into_iter().take(SHOWN) {
                li {
                    a.row href=(service_address(&service.name)) { (service.name) }
                    span.of { (counted(service.calls, "call")) ", " (counted(service.endpoints, "endpoint")) }
                    dl {
                        div { dt { "Exposure" } dd { (chart::score(service.exposure)) } }
                        div { dt { "Threat" } dd { (chart::score(service.threat)) } }
                        div { dt { "Findings" } dd { @match service.findings { 0 => "0", findings => a href=(format!("/incidents?service={}", escaped(&service.name))) { (count(findings)) } } } }
                    }
                }
            }
        }
        @if more > 0 { p.of { "and " (counted(more as u64, "more service")) ": filter by name" } }
    }
}
