//! What a detector is.

use crate::{Finding, Outcome, Severity};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tapwire_inventory::state::{put, take};
use tapwire_inventory::{Call, Endpoint};

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
    /// How many there are.
    pub(crate) const COUNT: usize = Self::Service as usize + 1;

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
    /// Why it could not judge, when there was nothing for it to judge.
    pub unjudged: &'static str,
    /// What must have been seen before its judgement counts: who adds it up is the framework.
    pub needs: Needs,
    /// What those need to know of it who act on what it finds.
    pub nature: Nature,
    /// Whether a call has what this detector looks at; such calls are counted.
    pub judges: fn(&Call) -> bool,
    /// Whether a call needs this detector's state. Most do not, so most keys cost nothing. One that is not judged does where it
    /// begins none, and tells more of what was judged before.
    pub concerns: fn(&Call) -> bool,
    /// The state of one scope key: `StateKind::of::<TheDetector>()`.
    pub state: StateKind,
}

/// What sort of thing a detector finds, as data: nobody else asks for detectors by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nature {
    /// Over whom it is spread.
    pub spread: Spread,
    /// Whether it is what a service does wrong by itself: who called it is not to be shut out for that.
    pub of_the_service: bool,
    /// Whether it lives on many calls: a limit takes its worth away.
    pub of_many_calls: bool,
    /// Whether it is unusual and nothing else, so that it is told within the alert budget.
    pub is_behaviour: bool,
    /// Whether it judges connections on which nobody said a word, of which others ask nothing.
    pub hears_knocks: bool,
}

impl Nature {
    /// Of somebody who calls, by any number of calls.
    pub const USUAL: Self = Self {
        spread: Spread::Caller,
        of_the_service: false,
        of_many_calls: false,
        is_behaviour: false,
        hears_knocks: false,
    };
}

/// Whose calls make up what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// One caller's.
    Caller,
    /// Of many at one place, by design or since the place itself is at fault.
    Place,
    /// So, and all logins there belong to it.
    Logins,
    /// So, and all calls there without a name do.
    Anybody,
}

/// The warm-up of a detector, as data.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// How much of it; 0: a detector that judges from the first call on.
    pub least: u64,
    /// Of what, in words that follow a number.
    pub of: &'static str,
    /// How much of it is known at a call, with what is known of its endpoint.
    pub seen: fn(&Call, Option<&Endpoint>) -> u64,
}

impl Needs {
    /// One call is enough.
    pub const NOTHING: Self = Self { least: 0, of: "", seen: |_, _| 0 };
}

/// A detector's state for one scope key. It owns no table: what it keeps is small and bounded. It outlives the process: a
/// detector derives how its state is written and read, and a state that cannot be read any more begins anew.
pub trait Detector: Default + Serialize + DeserializeOwned + Send + 'static {
    /// Of what is written. A change of the state's fields raises it: bytes of another version may be read as something else.
    const VERSION: u32 = 0;

    /// Judges a call of this key.
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>);

    /// Whether a call may begin a state; others are judged only where there is one, and take no room.
    fn begins(_: &Call) -> bool {
        true
    }

    /// What of it is knowledge of a place, and stays when a pass that only learns is over: what was told in it was told to nobody.
    fn lessons(self) -> Option<Self> {
        None
    }
}

/// A [`Detector`] as records hold it.
pub(crate) trait State: Send {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>);

    fn save(&self, out: &mut Vec<u8>);

    fn lessons(self: Box<Self>) -> Option<Box<dyn State>>;
}

impl<T: Detector> State for T {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        Detector::judge(self, case, out);
    }

    fn save(&self, out: &mut Vec<u8>) {
        put(self, out);
    }

    fn lessons(self: Box<Self>) -> Option<Box<dyn State>> {
        Detector::lessons(*self).map(|lessons| Box::new(lessons) as Box<dyn State>)
    }
}

/// How states of one detector are made and read.
#[derive(Debug, Clone, Copy)]
pub struct StateKind {
    pub(crate) new: fn() -> Box<dyn State>,
    pub(crate) load: fn(&[u8]) -> Option<Box<dyn State>>,
    pub(crate) begins: fn(&Call) -> bool,
    pub(crate) version: u32,
}

impl StateKind {
    /// Those of a detector.
    pub const fn of<T: Detector>() -> Self {
        Self { new: || Box::<T>::default(), load: loaded::<T>, begins: T::begins, version: T::VERSION }
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
        // A connection on which nobody said a word has no exchange that could show it.
        let shown = self.call.knocks.is_none().then_some(exchange);
        Finding {
            detector: self.detector.name,
            rule: None,
            uid: Finding::identity(self.detector.name, about, exchange),
            time: self.call.observation.exchange.started(),
            severity,
            confidence,
            outcome,
            reason,
            endpoint: self.call.endpoint,
            incident: None,
            exchanges: shown.into_iter().collect(),
        }
    }
}
