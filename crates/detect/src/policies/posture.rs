//! A finding of posture, as it is told.

use super::Stage;
use super::rules::{Acceptance, Rule};
use std::sync::Arc;
use tapwire_inventory::EndpointId;
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// What an event says has happened to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Created,
    /// It goes on, and something about it is different.
    Updated,
    /// It is over.
    Closed,
    /// Nothing that is worth an event: how it stands when the traffic ended.
    Unchanged,
}

/// An endpoint that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// The endpoint.
    pub id: EndpointId,
    /// Its method.
    pub method: Arc<str>,
    /// Its path template.
    pub template: Arc<str>,
    /// What is called, where one path has many.
    pub operation: Option<Arc<str>>,
    /// Calls that showed it.
    pub hits: u64,
    /// Calls that could have shown it.
    pub among: u64,
    /// Packet time of the last that did.
    pub last: Timestamp,
}

/// What a policy says of a service.
#[derive(Debug, Clone)]
pub struct Posture {
    /// The policy.
    pub rule: Arc<Rule>,
    /// The service. From traffic: it leaves only through redaction.
    pub service: Arc<str>,
    /// The finding's identity: the same for the same policy and service, in every event and on every sensor.
    pub uid: Uid,
    /// The event's identity.
    pub event: Uid,
    /// Packet time of the look that made the event.
    pub time: Timestamp,
    /// Packet time at which it was first told.
    pub opened: Timestamp,
    /// Where it stands.
    pub stage: Stage,
    /// What has happened to it.
    pub change: Change,
    /// One sentence: what was seen, in how many of which calls, within which time. Holds no content of traffic.
    pub reason: String,
    /// Endpoints that it is about, those with most calls first; at most 20.
    pub endpoints: Vec<Offence>,
    /// How many there are.
    pub total: u64,
    /// Who accepted it.
    pub accepted: Option<Arc<Acceptance>>,
}
