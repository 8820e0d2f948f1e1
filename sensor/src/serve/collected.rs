//! What the console shows of a collector's directory: the endpoints that its sensors told of.

use super::COLLECTED;
use super::rows::percent;
use crate::collect::Said;
use crate::summary::milliseconds;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tapwire_console::{Endpoint as Row, Service, Snapshot};
use tapwire_inventory::{Score, is_own_word};
use tapwire_lake::{Seen, SeenEndpoint, Wanted, seen};

/// What stands where a sensor has states.
const UNRATED: &str = "unrated";
/// Why.
const WHY: &str = "no sensor said it: `run` does, `replay` with --only, older sensors do not";

/// Endpoints as they were read last.
#[derive(Default)]
pub(super) struct Collected(Seen);

impl Collected {
    /// Of that directory, tenants together: a page has one endpoint of an id.
    pub(super) fn read(data: &Path) -> Result<Self, String> {
        let wanted = Wanted { together: true, ..Wanted::default() };
        seen(data, &wanted, is_own_word).map(Self).map_err(|error| error.to_string())
    }

    /// Everything that lists show.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot { source: COLLECTED.into(), ..Snapshot::default() };
        let mut services: BTreeMap<&str, (Service, (i64, i64))> = BTreeMap::new();
        // As with a sensor, what is only described is on no page.
        for one in self.0.endpoints.iter().filter(|one| one.is_seen()) {
            let said = Said::of(one);
            let row = row(one, &said);
            let (service, times) =
                services.entry(&one.service).or_insert_with(|| (Service::default(), one.times));
            service.exposure = service.exposure.max(row.exposure);
            service.threat = service.threat.max(row.threat);
            if let Some(zone) = said.text("zone").filter(|_| service.zone.is_empty()) {
                zone.clone_into(&mut service.zone);
            }
            service.calls = service.calls.saturating_add(one.calls);
            service.endpoints += 1;
            if service.owner.is_empty() {
                service.owner.clone_from(&row.owner);
            }
            snapshot.endpoints.push(row);
            *times = (times.0.min(one.times.0), times.1.max(one.times.1));
        }
        let named = |(name, (service, (first, last))): (&str, (Service, (i64, i64)))| Service {
            name: name.to_owned(),
            first: milliseconds(first),
            last: milliseconds(last),
            ..service
        };
        snapshot.services = services.into_iter().map(named).collect();
        let all = &snapshot.services;
        let first = all.iter().map(|service| service.first.clone()).min().unwrap_or_default();
        let last = all.iter().map(|service| service.last.clone()).max().unwrap_or_default();
        (snapshot.first, snapshot.last) = (first, last);
        snapshot
    }

    /// The endpoint of that id with all that is known of it.
    pub(super) fn endpoint(&self, id: &str) -> Option<Value> {
        let merged = self.0.merged.iter().find(|(old, _)| old == id).map(|(_, new)| new.as_str());
        let id = merged.unwrap_or(id);
        let one = self.0.endpoints.iter().find(|one| one.id == id && one.is_seen())?;
        let mut whole = crate::collect::object(one);
        // Of another kind than a sensor's, which counts fields.
        let classes = whole["data_classes"].take();
        whole["data_values"] = classes;
        for score in ["exposure_reasons", "threat_reasons"] {
            if whole.get(score).is_none() {
                whole[score] = json!([{"reason": "not judged", "seen": WHY, "points": 0}]);
            }
        }
        Some(whole)
    }
}

fn row(one: &SeenEndpoint, said: &Said) -> Row {
    let classes = one.sent.keys().chain(one.answers.keys()).cloned();
    let mut classes: Vec<String> = classes.collect();
    classes.sort();
    classes.dedup();
    let points = |score| u8::try_from(said.points(score)).unwrap_or(u8::MAX);
    let kind = |kind: &str| if kind == "network" { "none".to_owned() } else { kind.to_owned() };
    Row {
        id: one.id.clone(),
        service: one.service.clone(),
        method: one.method.clone(),
        template: one.template.clone(),
        operation: one.operation.clone().unwrap_or_default(),
        calls: one.calls,
        callers: one.callers.0,
        more_callers: one.callers.1,
        status: one.status,
        auth: one.auth.iter().map(|(name, calls)| (kind(name), percent(*calls, one.calls))).collect(),
        classes,
        states: if said.is_rated { said.states.clone() } else { vec![UNRATED.into()] },
        exposure: points(Score::Exposure),
        threat: points(Score::Threat),
        owner: one.owner.as_deref().or(said.text("owner")).unwrap_or_default().to_owned(),
        latency: None,
        first: milliseconds(one.times.0),
        last: milliseconds(one.times.1),
    }
}
