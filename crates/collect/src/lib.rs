//! Receives rendered events of many sensors: `Request → Batch → tables`.
//!
//! A batch is taken whole or not at all. It is checked before anything is kept of it: who sends, how large it is, that each
//! line is an event of a schema that is known. What is taken gets the labels of its sensor's record, whatever it said
//! itself. Then it goes into a journal on disk, and only when that is written is it acknowledged. A thread of its own leaves
//! out what came before and puts the rest into the tables, which it knows by the trait [`Tables`] only; when they have it for
//! good, the journal lets go of it.
//!
//! What waits is bounded: where the tables are behind, a sensor is told to come back. No content of an event stands in an
//! answer, a log line or an error.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod batch;
mod connections;
mod desk;
mod event;
mod journal;
mod json;
mod patient;
mod roll;
mod seen;
mod server;
mod tally;
mod tls;
mod writer;

pub use desk::{Delivered, Desk, Limits, Opening};
pub use event::{NEWEST_SCHEMA, OLDEST_SCHEMA};
pub use journal::Recovered;
pub use roll::{Enrolled, Keeper, LONGEST_DAYS, Place, Roll, Standing, Unfit};
pub use server::{PATH, Public, Stop, pause, serve};
pub use tally::{Tallies, Tally};
pub use tls::Tls;
pub use writer::{Fresh, Tables};
