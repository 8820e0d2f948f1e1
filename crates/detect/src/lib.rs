//! Call to Finding: one file a detector, a registry, and the outcome of what was tried.
//!
//! A pure crate: no clock, no threads, no I/O.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod finding;

pub use finding::{Finding, Outcome, Severity};
