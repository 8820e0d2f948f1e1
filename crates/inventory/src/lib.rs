//! Observation to Call: everything learned about services and endpoints, and the call placed in it.
//!
//! A pure crate: no clock, no threads, no I/O. [`Inventory`] is the single place where learning happens; it is written
//! by one thread, in the order of the exchanges' numbers.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod agents;
mod bits;
mod call;
mod carried;
mod carriers;
mod conduct;
mod config;
pub mod context;
mod coverage;
mod egress;
mod endpoint;
mod endpoints;
mod hashing;
mod history;
mod hours;
mod inventory;
mod knocks;
pub mod kpis;
mod network;
mod openapi;
mod posture;
mod principals;
mod probing;
mod proofs;
mod pulse;
mod relations;
mod risk;
pub mod schemas;
pub mod state;
mod template;
mod templates;
#[cfg(test)]
#[path = "../../inspect/src/transcript.rs"]
mod transcript;
mod usage;

pub use agents::{AgentCounters, Agents, Definition, Model, Names, Offer, OfferKind, Offers, Server};
pub use call::{Call, EndpointId, Principal, PrincipalKind};
pub use carried::Carried;
pub use conduct::Conduct;
pub use config::Config;
pub use coverage::{Coverage, CoverageCounters, HourCoverage, Interval, SeenShare, ServiceCoverage};
pub use egress::Egress;
pub use endpoint::{AuthCounts, Callers, Endpoint, ResponseShape, Service, StatusCounts};
pub use history::{History, MarkCount};
pub use hours::{
    Declared, Drift, ENOUGH_PEERS, HourCounters, Hours, Measure, QuotaUse, Standing, Suggested, Unusual, Whom,
};
pub use inventory::{Counters, Inventory};
pub use knocks::{Knocks, Ports};
pub use openapi::{
    Difference, DifferenceKind, Documented, FieldStep, Given, Orphan, Side, Spot, State, StateSet, States,
};
pub use posture::PostureTimes;
pub use principals::{
    AddressSource, AgentFamily, Caller, ClientAddress, Crowd, Fellows, From, KnownBy, KnownCaller,
    KnownSession, Network, Principals, Strange, TokenFact, TokenFacts,
};
pub use proofs::{Proof, Proofs};
pub use pulse::{Silence, Silent};
pub use relations::{
    Basis, Fetched, Forgotten, Login, Minted, Object, Owned, Properties, Property, Relations, Strain, Tried,
    Usual,
};
pub use risk::{FACTORS, Factor, Moment, Rated, Reason, Risks, Score};
pub use schemas::{AnswerSchema, BodySchema, ClassCount, CodeCount, Node, Schema, Schemas};
pub use templates::is_own_word;
pub use usage::{
    Adherence, Happened, Left, LimitField, Quantiles, RateLimit, RateLimits, Sides, Sketch, Usage,
};
