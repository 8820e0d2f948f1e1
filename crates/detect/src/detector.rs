//! What a detector is.

use crate::{Finding, Outcome, Severity};
use serde::Serialize;
use serde::de::DeserializeOwned;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;
use tapwire_inventory::state::{put, take};
use tapwire_inventory::{Call, Endpoint};
use tapwire_protocol::Uid;

/// What a detector keeps one state for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// A service's method on a path template, also where no endpoint was made of it.
    Endpoint,
    /// Who calls.
    Principal,
    /// The client's address, as trusted proxies tell it.
    Address,
    /// The credential that stands for a session.
    Session,
    /// The name that a login tries; who calls where that is not told.
    Login,
    /// The service.
    Service,
}

impl Scope {
    /// As `tapwire explain` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Principal => "principal",
            Self::Address => "address",
            Self::Session => "session",
            Self::Login => "login name",
            Self::Service => "service",
        }
    }
}

/// A detector, as `tapwire list detectors` and `tapwire explain` print it.
#[derive(Debug)]
pub struct DetectorInfo {
    /// The name in events.
    pub name: &'static str,
    /// The finding's title.
    pub title: &'static str,
    /// What it finds and why that is wrong, in a few sentences.
    pub summary: &'static str,
    /// The entry of the OWASP API Security Top 10, 2023.
    pub owasp: &'static str,
    /// The weakness, by CWE.
    pub cwe: &'static str,
    /// The technique, by MITRE ATT&CK, as number and name.
    pub attack: (&'static str, &'static str),
    /// What its severity depends on.
    pub severity: &'static str,
    /// What it keeps a state for.
    pub scope: Scope,
    /// What it must have seen before it judges.
    pub warm_up: &'static str,
    /// What to do about a finding, in a developer's words.
    pub next_steps: &'static [&'static str],
    /// Why it could not judge, when no call was judged.
    pub unjudged: &'static str,
    /// Whether a call can be judged at all; such calls are counted.
    pub judges: fn(&Call) -> bool,
    /// Whether a call needs this detector's state. Most do not, so most keys cost nothing.
    pub concerns: fn(&Call) -> bool,
    /// The state of one scope key: `StateKind::of::<TheDetector>()`.
    pub state: StateKind,
}

/// A detector's state for one scope key. It owns no table: what it keeps is small and bounded. It outlives the process: a
/// detector derives how its state is written and read, and a state that cannot be read any more begins anew.
pub trait Detector: Default + Serialize + DeserializeOwned + Send + 'static {
    /// Judges a call of this key.
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>);
}

/// A [`Detector`] as records hold it.
pub(crate) trait State: Send {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>);

    fn save(&self, out: &mut Vec<u8>);
}

impl<T: Detector> State for T {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        Detector::judge(self, case, out);
    }

    fn save(&self, out: &mut Vec<u8>) {
        put(self, out);
    }
}

/// How states of one detector are made and read.
#[derive(Debug, Clone, Copy)]
pub struct StateKind {
    pub(crate) new: fn() -> Box<dyn State>,
    pub(crate) load: fn(&[u8]) -> Option<Box<dyn State>>,
}

impl StateKind {
    /// Those of a detector.
    pub const fn of<T: Detector>() -> Self {
        Self { new: || Box::<T>::default(), load: loaded::<T> }
    }
}

fn loaded<T: Detector>(mut bytes: &[u8]) -> Option<Box<dyn State>> {
    let state: T = take(&mut bytes).ok()?;
    bytes.is_empty().then(|| Box::new(state) as Box<dyn State>)
}

/// A call before a detector.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The detector.
    pub detector: &'static DetectorInfo,
    /// The call.
    pub call: &'a Call,
    /// What is known of its endpoint, this call included.
    pub endpoint: Option<&'a Endpoint>,
    /// Calls that this detector has judged in this run, with this one.
    pub judged: u64,
}

impl Case<'_> {
    /// A finding that this call raises. `about` tells findings apart that one call raises for one key.
    pub fn finding(
        &self,
        about: &[u8],
        severity: Severity,
        outcome: Outcome,
        confidence: u8,
        reason: String,
    ) -> Finding {
        let exchange = self.call.observation.exchange.uid();
        Finding {
            detector: self.detector.name,
            uid: self.uid(about, exchange),
            time: self.call.observation.exchange.started(),
            severity,
            confidence,
            outcome,
            reason,
            endpoint: self.call.endpoint,
            incident: None,
            exchanges: vec![exchange],
        }
    }

    /// The exchange's identity makes the finding's: sensors that see the same traffic name it alike.
    fn uid(&self, about: &[u8], exchange: Uid) -> Uid {
        let mut hash = SipHasher24::new();
        hash.write(self.detector.name.as_bytes());
        hash.write_u8(0);
        hash.write(about);
        hash.write_u8(0);
        hash.write(&exchange.0);
        Uid(hash.finish128().as_bytes())
    }
}
