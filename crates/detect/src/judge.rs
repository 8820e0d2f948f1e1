//! Calls before all detectors.

use crate::detector::{Case, Scope};
use crate::records::{Key, Records};
use crate::{Config, DETECTORS, Finding};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;
use tapwire_inventory::{Call, Endpoint};

/// All detectors with their states.
pub struct Detectors {
    pub(crate) records: Records,
    /// Calls judged, by the detector's index in the registry.
    judged: Vec<u64>,
}

/// A detector that judged nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJudged {
    /// The detector's name.
    pub detector: &'static str,
    /// Why, in words that follow "not judged: ".
    pub reason: String,
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
}

impl Detectors {
    /// Every detector of [`DETECTORS`], without state.
    pub fn new(config: Config) -> Self {
        Self { records: Records::new(config), judged: vec![0; DETECTORS.len()] }
    }

    /// Judges a call, with what is known of its endpoint; what is wrong with it is added to `out`.
    pub fn judge(&mut self, call: &Call, endpoint: Option<&Endpoint>, out: &mut Vec<Finding>) {
        // What its heads say was judged with the exchange that carries it.
        if call.observation.exchange.child.is_some() {
            return;
        }
        let time = call.observation.exchange.started();
        for (index, (detector, judged)) in DETECTORS.iter().zip(&mut self.judged).enumerate() {
            if !(detector.judges)(call) {
                continue;
            }
            *judged += 1;
            if !(detector.concerns)(call) {
                continue;
            }
            let case = Case { detector, call, endpoint, judged: *judged };
            let record = key(detector.scope, call).and_then(|key| self.records.record(key, time));
            if let Some(state) = record.and_then(|record| record.state(index)) {
                state.judge(&case, out);
            }
        }
    }

    /// The detectors that have judged no call so far.
    pub fn not_judged(&self) -> Vec<NotJudged> {
        let idle = DETECTORS.iter().zip(&self.judged).filter(|(_, judged)| **judged == 0);
        idle.map(|(detector, _)| NotJudged { detector: detector.name, reason: detector.unjudged.to_owned() })
            .collect()
    }

    /// Calls that the detector of that name has judged.
    pub fn judged(&self, detector: &str) -> Option<u64> {
        let at = DETECTORS.iter().position(|known| known.name == detector)?;
        self.judged.get(at).copied()
    }

    /// What became of records so far.
    pub fn counters(&self) -> Counters {
        Counters {
            records: self.records.len() as u64,
            evicted_records: self.records.evicted,
            expired_records: self.records.expired,
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
            hash.write(&login.user.or(call.principal.map(|principal| principal.token))?.0);
        }
        Scope::Service => hash.write(call.service.as_deref()?.as_bytes()),
    }
    Some(Key(hash.finish128().as_u128()))
}

#[cfg(test)]
mod tests;
