//! What is told of an incident: that it began, that it grew, that it is over.

use super::Incident;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// In what an incident grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Growth(u8);

impl Growth {
    /// It began.
    pub const OPENED: Self = Self(1);
    /// A finding is worse than all before.
    pub const SEVERITY: Self = Self(2);
    /// A finding came further than all before.
    pub const OUTCOME: Self = Self(4);
    /// A detector found something for the first time.
    pub const DETECTOR: Self = Self(8);
    /// There are ten times as many findings.
    pub const COUNT: Self = Self(16);

    const NAMES: [(Self, &'static str); 5] = [
        (Self::OPENED, "opened"),
        (Self::SEVERITY, "severity"),
        (Self::OUTCOME, "outcome"),
        (Self::DETECTOR, "detector"),
        (Self::COUNT, "count"),
    ];

    pub(super) const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// In nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// As events spell it.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(one, _)| self.0 & one.0 != 0).map(|(_, name)| name)
    }
}

/// What happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It began.
    Opened,
    /// It grew.
    Grew,
    /// It is over.
    Closed,
}

impl Change {
    /// As events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Grew => "grew",
            Self::Closed => "closed",
        }
    }
}

/// What is told of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The identity of what is told: another one for anything else that is told of it.
    pub event: Uid,
    /// What happened.
    pub change: Change,
    /// In what it grew, or why it is over, as events spell it.
    pub why: Vec<&'static str>,
    /// Packet time of it.
    pub time: Timestamp,
    /// The incident as it is then.
    pub incident: Incident,
}

impl Told {
    pub(super) fn of(incident: &Incident, growth: Growth, time: Timestamp) -> Self {
        let change = if growth.0 & Growth::OPENED.0 != 0 { Change::Opened } else { Change::Grew };
        Self::new(incident, change, growth.names().collect(), time)
    }

    pub(super) fn closed(incident: &Incident, why: &'static str, time: Timestamp) -> Self {
        Self::new(incident, Change::Closed, vec![why], time)
    }

    fn new(incident: &Incident, change: Change, why: Vec<&'static str>, time: Timestamp) -> Self {
        Self { event: event(incident, change), change, why, time, incident: incident.clone() }
    }
}

/// It says the same wherever and however often the same traffic is seen, and something else for other content.
fn event(incident: &Incident, change: Change) -> Uid {
    let mut hash = SipHasher24::new();
    hash.write(&incident.uid.0);
    hash.write(change.name().as_bytes());
    hash.write_u64(incident.findings);
    hash.write_u32(incident.told);
    hash.write(&incident.worst.finding.0);
    hash.write(&incident.latest.finding.0);
    hash.write_i64(incident.last.nanos());
    Uid(hash.finish128().as_bytes())
}
