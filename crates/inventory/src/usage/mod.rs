//! How an endpoint is used: how fast and how large its answers are, from where it is called, what it advertises, and what
//! happened to it lately. At most about 500 bytes an endpoint.

mod limits;
mod quota;
mod recent;
mod sketch;

pub use limits::{Left, LimitField, RateLimit, RateLimits};
pub use quota::Adherence;
pub use recent::Happened;
pub(crate) use recent::{Day, Recent};
pub use sketch::{Quantiles, Sketch};

use crate::context::Side;
use tapwire_inspect::Observation;

/// Where a call comes from, as far as an endpoint needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    /// A hash of the caller.
    pub(crate) caller: u64,
    /// Where its address belongs.
    pub(crate) side: Side,
    /// Whether it stands on a list.
    pub(crate) is_listed: bool,
    /// Whether its caller mostly asks for what does not exist.
    pub(crate) is_probing: bool,
    /// Whether it came through a gateway, where some are named.
    pub(crate) through_gateway: Option<bool>,
    /// Whether it leaves one's own network.
    pub(crate) is_egress: bool,
}

/// Calls by where their client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Sides {
    counts: [u64; 4],
}

impl Sides {
    /// Calls from there.
    pub const fn of(&self, side: Side) -> u64 {
        let [internal, partner, public, unknown] = self.counts;
        match side {
            Side::Internal => internal,
            Side::Partner => partner,
            Side::Public => public,
            Side::Unknown => unknown,
        }
    }

    fn add(&mut self, side: Side) {
        if let Some(count) = self.counts.get_mut(side as usize) {
            *count += 1;
        }
    }

    fn absorb(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine += theirs);
    }
}

/// How an endpoint is used.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Microseconds from a request's last byte to its answer's first.
    pub latency: Sketch<24>,
    /// Bytes of bodies of requests, as they were sent.
    pub request_bytes: Sketch<8>,
    /// Bytes of bodies of answers, as they were sent.
    pub response_bytes: Sketch<16>,
    /// From where it is called.
    pub clients: Sides,
    /// Calls that leave one's own network.
    pub egress: u64,
    /// Limits that it advertises.
    pub limits: RateLimits,
    pub(crate) recent: Recent,
}

impl Usage {
    /// Learns from a call.
    pub(crate) fn add(&mut self, observation: &Observation, origin: &Origin) {
        let exchange = &observation.exchange;
        if let Some(nanos) = exchange.latency() {
            self.latency.add(nanos / 1_000);
        }
        if let Some(request) = &exchange.request {
            self.request_bytes.add(request.body.len);
        }
        if let Some(response) = &exchange.response {
            self.response_bytes.add(response.body.len);
            self.limits.add(&response.head, origin.caller, response.ended);
        }
        self.clients.add(origin.side);
        self.egress += u64::from(origin.is_egress);
        self.recent.add(observation, origin);
    }

    /// Takes in how an endpoint was used that turned out to be this one.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.latency.absorb(&other.latency);
        self.request_bytes.absorb(&other.request_bytes);
        self.response_bytes.absorb(&other.response_bytes);
        self.clients.absorb(&other.clients);
        self.egress += other.egress;
        self.limits.absorb(&other.limits);
        self.recent.absorb(&other.recent);
    }
}
