//! Call to Finding: one file a detector, a registry, and the outcome of what was tried.
//!
//! A pure crate: no clock, no threads, no I/O.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod budget;
mod config;
mod detector;
mod detectors;
mod facts;
mod finding;
pub mod incidents;
mod judge;
pub mod policies;
pub mod radius;
mod records;
mod refusal;
mod rules;
mod saved;
mod tally;
#[cfg(test)]
#[path = "../../inspect/src/transcript.rs"]
mod transcript;
mod warmth;

pub use config::Config;
pub use detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, Spread, StateKind};
pub use detectors::DETECTORS;
pub use finding::{Finding, Outcome, Severity};
pub use incidents::{Incident, Incidents, Moment, Told};
pub use judge::{Counters, Detectors};
pub use policies::{POLICIES, Policies, PolicyInfo, Posture, Stage};
pub use rules::{CallRules, HeldGroups, RULE, RuleCounters, RuleInfo, RulePieces};
pub use saved::{Cursor, Loading};
pub use warmth::NotJudged;
