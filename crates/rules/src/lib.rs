//! Rule text to Finding: users' Sigma rules over Calls.
//!
//! A pure crate: no clock, no threads, no I/O. [`load`] reads the texts of rule files and says what applies, what does not
//! and why, and what is broken and where; the [`Judge`] it gives takes each [`Call`](tapwire_inventory::Call) after the
//! detectors. [`FIELDS`] are the names that rules can use beside those of `tapwire list fields`; they are built without the
//! feature `sigma`, too.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod names;
mod subject;
mod taxonomy;

pub use names::{Lookup, Names};
pub use subject::Subject;
pub use taxonomy::{FIELDS, RuleField, Taxonomy};

#[cfg(feature = "sigma")]
mod applies;
#[cfg(feature = "sigma")]
mod cases;
#[cfg(feature = "sigma")]
mod documents;
#[cfg(feature = "sigma")]
mod event;
#[cfg(feature = "sigma")]
mod groups;
#[cfg(feature = "sigma")]
mod judge;
#[cfg(feature = "sigma")]
mod load;
#[cfg(feature = "sigma")]
mod percentiles;
#[cfg(feature = "sigma")]
mod reads;
#[cfg(feature = "sigma")]
mod saved;
#[cfg(feature = "sigma")]
mod stored;

#[cfg(feature = "sigma")]
pub use cases::{Case, Moment, NONE_JUDGED, TestFile};
#[cfg(feature = "sigma")]
pub use judge::Judge;
#[cfg(feature = "sigma")]
pub use load::{Entry, Fault, Kind, Loaded, RuleFile, Skipped, load};
#[cfg(feature = "sigma")]
pub use reads::KEYWORDS;
#[cfg(feature = "sigma")]
pub use stored::StoredCall;

#[cfg(all(test, feature = "sigma"))]
mod tests;
#[cfg(all(test, feature = "sigma"))]
#[path = "../../inspect/src/transcript.rs"]
mod transcript;
