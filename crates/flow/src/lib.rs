//! Segment to StreamEvent: the flow table, reassembly, gaps, overlap evidence, timers and the memory budget.
//!
//! A pure crate: deterministic, no clock, no threads, no I/O. Time is the packets' own. [`FlowTable::handle`] takes a
//! segment and pushes [`StreamEvent`]s into a [`StreamSink`]; in-order payload is lent on, never copied. A SYN is never
//! required, and bytes on the two sides of a hole are never joined.
//!
//! Chunks keep the causal order of the two directions, although mirrors do not: a chunk is delivered once the other
//! direction was delivered or declared lost up to its `peer_at`. The wait for that is bounded, so after real loss a
//! response may come before the gap that stands for its request.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod alarms;
mod assembly;
mod calm;
mod causality;
mod clock;
mod cold;
mod config;
mod conversation;
mod counters;
mod event;
mod half;
mod hashing;
mod held;
mod index;
mod offset;
mod outlet;
mod pair;
mod pool;
mod queues;
mod recent;
mod record;
mod senders;
mod table;
mod tombstone;
mod ttl;
mod unusual;

pub use config::Config;
pub use counters::{Counters, SourceCounters};
pub use event::{
    Chunk, CloseReason, Evidence, FlowInfo, Gap, Knock, KnockAnswer, Patience, StreamEvent, StreamSink,
};
pub use offset::StreamOffset;
pub use table::{FlowTable, Place};
