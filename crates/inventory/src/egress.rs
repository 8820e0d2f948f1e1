//! What leaves one's own network: calls from inside to public services.

use crate::endpoint::{AuthCounts, Callers, StatusCounts, status};
use crate::usage::Origin;
use tapwire_inspect::Observation;
use tapwire_protocol::Untrusted;
use tapwire_wire::Timestamp;

/// Methods that are counted each; the rest is counted together.
const MAX_METHODS: usize = 8;
/// A longer one is no method.
const MAX_METHOD: usize = 16;

/// Calls from inside to one public service.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Egress {
    /// Packet time of the first.
    pub first_seen: Timestamp,
    /// Packet time of the last.
    pub last_seen: Timestamp,
    /// How many.
    pub calls: u64,
    /// By whom.
    pub callers: Callers,
    /// How callers proved who they are.
    pub auth: AuthCounts,
    /// What was answered.
    pub status: StatusCounts,
    /// Calls in clear text.
    pub clear: u64,
    /// Bytes of bodies that were sent.
    pub sent_bytes: u64,
    methods: Vec<(Box<str>, u64)>,
    /// Calls with further methods.
    pub other_methods: u64,
}

impl Egress {
    pub(crate) fn new(time: Timestamp) -> Self {
        Self {
            first_seen: time,
            last_seen: time,
            calls: 0,
            callers: Callers::default(),
            auth: AuthCounts::default(),
            status: StatusCounts::default(),
            clear: 0,
            sent_bytes: 0,
            methods: Vec::new(),
            other_methods: 0,
        }
    }

    /// Methods with their calls, in the order they came; at most eight.
    pub fn methods(&self) -> impl Iterator<Item = (&str, u64)> {
        self.methods.iter().map(|(method, calls)| (&**method, *calls))
    }

    pub(crate) fn add(&mut self, observation: &Observation, origin: &Origin) {
        let exchange = &observation.exchange;
        let time = exchange.started();
        self.first_seen = self.first_seen.min(time);
        self.last_seen = self.last_seen.max(time);
        self.calls += 1;
        self.callers.add(origin.caller);
        self.auth.add(observation);
        self.status.add(status(observation));
        self.clear += u64::from(exchange.flow.tls.is_none());
        self.sent_bytes += exchange.request.as_ref().map_or(0, |request| request.body.len);
        self.count(exchange.request_head().and_then(|head| head.method()));
    }

    fn count(&mut self, method: Option<Untrusted<'_>>) {
        let method = method.and_then(|method| std::str::from_utf8(method.bytes()).ok()).unwrap_or_default();
        if let Some((_, calls)) = self.methods.iter_mut().find(|(known, _)| **known == *method) {
            *calls += 1;
        } else if self.methods.len() < MAX_METHODS && (1..=MAX_METHOD).contains(&method.len()) {
            self.methods.push((method.into(), 1));
        } else {
            self.other_methods += 1;
        }
    }
}
