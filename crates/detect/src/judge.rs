//! Calls before all detectors.

use crate::budget::Budget;
use crate::detector::{Case, Scope};
use crate::records::{Key, Records};
use crate::warmth::{Look, NotJudged};
use crate::{Config, DETECTORS, Finding};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;
use tapwire_inventory::{Call, Endpoint};

/// All detectors with their states.
pub struct Detectors {
    pub(crate) records: Records,
    /// What each could judge, by its index in the registry.
    looks: Vec<Look>,
    pub(crate) budget: Budget,
    config: Config,
}

/// What became of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Records held now.
    pub records: u64,
    /// Records that made room for others.
    pub evicted_records: u64,
    /// Records forgotten after their time.
    pub expired_records: u64,
    /// Findings of behaviour beyond the day's budget, which were not told.
    pub over_budget: u64,
}

impl Detectors {
    /// Every detector of [`DETECTORS`], without state.
    pub fn new(config: Config) -> Self {
        Self {
            records: Records::new(config),
            looks: vec![Look::default(); DETECTORS.len()],
            budget: Budget::new(&config),
            config,
        }
    }

    /// Judges a call, with what is known of its endpoint; what is wrong with it is added to `out`.
    pub fn judge(&mut self, call: &Call, endpoint: Option<&Endpoint>, out: &mut Vec<Finding>) {
        // What its heads say was judged with the exchange that carries it.
        if call.observation.exchange.child.is_some() {
            return;
        }
        let time = call.observation.exchange.started();
        let mut keys = Keys::default();
        for (index, (detector, look)) in DETECTORS.iter().zip(&mut self.looks).enumerate() {
            if call.knocks.is_some() && !detector.nature.hears_knocks {
                continue;
            }
            // What is not judged may tell more of what was.
            if (detector.judges)(call) {
                look.at(&detector.needs, call, endpoint);
            } else if (detector.state.begins)(call) {
                continue;
            }
            if !(detector.concerns)(call) {
                continue;
            }
            let case = Case { detector, call, endpoint, judged: look.calls() };
            let Some(key) = keys.of(detector.scope, call) else { continue };
            let begins = (detector.state.begins)(call);
            if !begins && !self.records.has(key, index) {
                continue;
            }
            let record = self.records.record(key, time);
            let before = out.len();
            if let Some(state) = record.and_then(|record| record.state(index)) {
                state.judge(&case, out);
            }
            if detector.nature.is_behaviour && out.len() > before {
                self.budget.keep(time, before, out);
            }
        }
    }

    /// The detectors that could not judge all calls they look at, or had none to look at, and why.
    pub fn not_judged(&self) -> Vec<NotJudged> {
        DETECTORS.iter().zip(&self.looks).filter_map(|(detector, look)| look.not_judged(detector)).collect()
    }

    /// What is known of places, for a pass that tells nothing.
    pub fn lessons(&self) -> Self {
        Self { records: self.records.lessons(), ..Self::new(self.config) }
    }

    /// A pass that told nothing is over: what it knows of places is taken over, and what single callers did in it forgotten.
    pub fn take_lessons(&mut self, mut pass: Self) {
        pass.records.keep_lessons();
        self.records.take(pass.records);
    }

    /// Calls that the detector of that name has judged.
    pub fn judged(&self, detector: &str) -> Option<u64> {
        let at = DETECTORS.iter().position(|known| known.name == detector)?;
        self.looks.get(at).map(|look| look.judged)
    }

    /// What became of records so far.
    pub fn counters(&self) -> Counters {
        Counters {
            records: self.records.len() as u64,
            evicted_records: self.records.evicted,
            expired_records: self.records.expired,
            over_budget: self.budget.held,
        }
    }
}

/// The keys of one call: several detectors share a scope.
#[derive(Default)]
struct Keys {
    known: [Option<Option<Key>>; Scope::COUNT],
}

impl Keys {
    fn of(&mut self, scope: Scope, call: &Call) -> Option<Key> {
        match self.known.get_mut(scope as usize) {
            Some(known) => *known.get_or_insert_with(|| key(scope, call)),
            None => key(scope, call),
        }
    }
}

/// The record a call belongs to in a scope.
fn key(scope: Scope, call: &Call) -> Option<Key> {
    let mut hash = SipHasher24::new();
    hash.write_u8(scope as u8);
    match scope {
        Scope::Endpoint => {
            let method = call.observation.exchange.request_head()?.method();
            hash.write(call.service.as_deref()?.as_bytes());
            hash.write_u8(0);
            hash.write(method.map_or(&b""[..], |method| method.bytes()));
            hash.write_u8(0);
            hash.write(call.template.as_deref()?.as_bytes());
        }
        Scope::Principal => hash.write(&call.principal?.token.0),
        Scope::Address => match call.caller.address?.ip {
            std::net::IpAddr::V4(v4) => hash.write(&v4.octets()),
            std::net::IpAddr::V6(v6) => hash.write(v6.octets().get(..8)?),
        },
        Scope::Session => hash.write(&call.caller.session?.0),
        Scope::Login => {
            let login = call.relations.login?;
            // The same name at another service is another account.
            hash.write(call.service.as_deref().unwrap_or_default().as_bytes());
            hash.write_u8(0);
            hash.write(&login.user.or(call.principal.map(|principal| principal.token))?.0);
        }
        Scope::Service => hash.write(call.service.as_deref()?.as_bytes()),
    }
    Some(Key(hash.finish128().as_u128()))
}

#[cfg(test)]
mod tests;
