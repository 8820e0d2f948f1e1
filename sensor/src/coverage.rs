//! Which share of each service's exchanges was seen, for the summary.

use crate::paper::{Paper, plain};
use crate::size::counted;
use serde_json::{Value, json};
use tapwire_event::{Redactor, seen_share};
use tapwire_inventory::{Coverage, HourCoverage, Interval, SeenShare, ServiceCoverage};
use tapwire_wire::Timestamp;

/// Services that are shown, those seen worst first; the rest is counted.
const SHOWN: usize = 10;

/// Writes a row for each service that was not wholly seen, or one that says that nothing is missing.
pub(crate) fn rows(coverage: &Coverage, redactor: &mut Redactor, paper: &mut Paper) {
    let services: Vec<ServiceCoverage> = coverage.services().collect();
    let mut partly: Vec<&ServiceCoverage> = services.iter().filter(|one| !one.seen.is_all()).collect();
    partly.sort_by(|left, right| left.seen.share.likely.total_cmp(&right.seen.share.likely));
    if partly.is_empty() {
        if !services.is_empty() {
            paper.row("share seen", "all, by every byte that was acknowledged");
        }
        return;
    }
    for service in partly.iter().take(SHOWN) {
        let name = plain(&redactor.shown_host(&service.service));
        let worst = service.worst.as_ref().map(worst).unwrap_or_default();
        paper.row("share seen", &format!("{name}: {}{worst}", seen_share(&service.seen)));
    }
    let more = partly.len().saturating_sub(SHOWN) as u64;
    if more > 0 {
        paper.row("share seen", &format!("and {}", counted(more, "more service")));
    }
    let whole = (services.len() - partly.len()) as u64;
    if whole > 0 {
        paper.row("share seen", &format!("all of {}", counted(whole, "other service")));
    }
}

fn worst(hour: &HourCoverage) -> String {
    let from = hour.hour.millis() / 3_600_000;
    let clock = |hour: i64| hour.rem_euclid(24);
    format!("; worst {:02}:00–{:02}:00 UTC: {}", clock(from), clock(from + 1), seen_share(&hour.seen))
}

/// Every service, sorted by name.
pub(crate) fn json(coverage: &Coverage, redactor: &mut Redactor) -> Vec<Value> {
    coverage.services().map(|service| one(&service, redactor)).collect()
}

fn one(service: &ServiceCoverage, redactor: &mut Redactor) -> Value {
    let mut value = seen(&service.seen);
    let worst = service.worst.as_ref().map(|hour| {
        let mut value = seen(&hour.seen);
        set(&mut value, "hour", json!(rfc3339(hour.hour)));
        value
    });
    set(&mut value, "service", json!(redactor.shown_host(&service.service)));
    set(&mut value, "worst_hour", json!(worst));
    value
}

fn set(value: &mut Value, key: &str, to: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), to);
    }
}

fn seen(seen: &SeenShare) -> Value {
    json!({
        "pairs": seen.pairs, "pairs_uncertain": seen.uncertain, "halves": seen.halves,
        "unseen": interval(seen.unseen), "share": interval(seen.share),
    })
}

fn interval(interval: Interval) -> Value {
    json!({"low": interval.low, "likely": interval.likely, "high": interval.high})
}

fn rfc3339(time: Timestamp) -> String {
    crate::summary::rfc3339(time)
}
