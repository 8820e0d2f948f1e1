//! One look at all endpoints, in steps, so that no call waits for all of them.

use super::case::{Case, Cases};
use super::fields::{Tagged, View};
use super::posture::Offence;
use super::rules::{Acceptance, Rule, Rules};
use std::collections::BTreeMap;
use std::sync::Arc;
use tapwire_inventory::{Endpoint, EndpointId, Inventory, States};
use tapwire_wire::Timestamp;

/// Endpoints that a finding lists.
pub(super) const SHOWN: usize = 20;

/// What one policy found of one service.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Endpoints that do it, those with most hits first.
    pub(super) standing: Vec<Offence>,
    pub(super) total: u64,
    /// Endpoints that did it, and not in their last calls.
    pub(super) lingering: u64,
    /// Endpoints that do it, which somebody takes responsibility for.
    pub(super) excused: Option<Excused>,
    pub(super) hits: u64,
    pub(super) among: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
}

/// What is accepted of one policy and service.
#[derive(Debug)]
pub(super) struct Excused {
    /// By whom: the first that was met.
    pub(super) by: Arc<Acceptance>,
    /// How many endpoints.
    pub(super) count: u64,
    /// The first of them.
    pub(super) endpoints: Vec<u64>,
}

/// A look that is under way.
pub(super) struct Sweep {
    states: States,
    place: usize,
    /// By the rule's place and the service.
    pub(super) found: BTreeMap<(usize, Arc<str>), Tally>,
    /// Whether some endpoint could show what the rule at that place is about.
    pub(super) judged: Vec<bool>,
}

/// What a look is taken with.
pub(super) struct Eyes<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) rules: &'a Rules,
    pub(super) cases: &'a Cases,
    pub(super) verified_after: u32,
    pub(super) now: Timestamp,
}

impl Sweep {
    pub(super) fn new(inventory: &Inventory, rules: &Rules) -> Self {
        let judged = vec![false; rules.rules.len()];
        Self { states: inventory.states(), place: 0, found: BTreeMap::new(), judged }
    }

    /// Looks at so many places; whether that was the last of them.
    pub(super) fn step(&mut self, eyes: &Eyes<'_>, places: usize) -> bool {
        let end = self.place.saturating_add(places).min(eyes.inventory.endpoint_places());
        for place in self.place..end {
            if let Some(endpoint) = eyes.inventory.endpoint_at(place) {
                self.look(eyes, endpoint);
            }
        }
        self.place = end;
        end >= eyes.inventory.endpoint_places()
    }

    fn look(&mut self, eyes: &Eyes<'_>, endpoint: &Endpoint) {
        let Eyes { inventory, rules, .. } = *eyes;
        let states = std::mem::take(&mut self.states);
        let view = View { inventory, states: &states, endpoint, tagged: Tagged::of(endpoint) };
        for (index, rule) in rules.rules.iter().enumerate() {
            let could = rule.evidence.is_none_or(|mark| endpoint.history.among(mark) > 0);
            if let Some(judged) = self.judged.get_mut(index) {
                *judged |= could;
            }
            let case = eyes.cases.get(&rule.id, &endpoint.service);
            let again =
                rule.again.as_ref().filter(|_| case.is_some_and(|case| is_about(case, eyes, endpoint)));
            let expr = again.unwrap_or(&rule.expr);
            let holds = |window| expr.matches(&|field| view.value(field, window));
            if could && holds(eyes.verified_after) {
                let patience = case.map_or(eyes.verified_after, |case| case.patience(eyes.verified_after));
                let tally = self.found.entry((index, Arc::clone(&endpoint.service))).or_default();
                tally.add(eyes, rule, endpoint, holds(patience));
            }
        }
        self.states = states;
    }
}

/// Whether a finding was about an endpoint, or about what became it.
fn is_about(case: &Case, eyes: &Eyes<'_>, endpoint: &Endpoint) -> bool {
    let mut known = case.endpoints.iter().filter_map(|id| eyes.inventory.endpoint(EndpointId(*id)));
    known.any(|one| one.id == endpoint.id)
}

impl Tally {
    /// Whether no endpoint did it, lately or before.
    pub(super) const fn is_nothing(&self) -> bool {
        self.standing.is_empty() && self.excused.is_none() && self.lingering == 0
    }

    fn add(&mut self, eyes: &Eyes<'_>, rule: &Rule, endpoint: &Endpoint, stands: bool) {
        if !stands {
            self.lingering += 1;
            return;
        }
        let accepted = eyes.rules.accepted.iter();
        if let Some(accepted) = accepted.rev().find(|one| one.covers(&rule.id, endpoint, eyes.now)) {
            let new = || Excused { by: Arc::clone(accepted), count: 0, endpoints: Vec::new() };
            let excused = self.excused.get_or_insert_with(new);
            excused.count += 1;
            if excused.endpoints.len() < SHOWN {
                excused.endpoints.push(endpoint.id.0);
            }
            return;
        }
        let offence = offence(rule, endpoint);
        self.total += 1;
        self.hits += offence.hits;
        self.among += offence.among;
        let first = rule.evidence.and_then(|mark| Some(endpoint.history.get(mark)?.first()));
        let first = first.unwrap_or(endpoint.first_seen);
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        self.last = Some(self.last.map_or(offence.last, |known| known.max(offence.last)));
        let at = self.standing.partition_point(|known| known.hits >= offence.hits);
        if at < SHOWN {
            self.standing.insert(at, offence);
            self.standing.truncate(SHOWN);
        }
    }
}

fn offence(rule: &Rule, endpoint: &Endpoint) -> Offence {
    let counted = rule.evidence.and_then(|mark| {
        let count = endpoint.history.get(mark)?;
        Some((count.hits.into(), endpoint.history.among(mark).into(), count.last()))
    });
    let (hits, among, last) = counted.unwrap_or((endpoint.calls, endpoint.calls, endpoint.last_seen));
    Offence {
        id: endpoint.id,
        method: Arc::clone(&endpoint.method),
        template: Arc::clone(&endpoint.template),
        operation: endpoint.operation.clone(),
        hits,
        among,
        last,
    }
}
