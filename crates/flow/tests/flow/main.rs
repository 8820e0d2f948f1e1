//! The flow table from packets to events.

mod causality;
mod common;
mod knocks;
mod loss;
mod model;
mod order;
mod reassembly;
mod shortcuts;
mod table;
mod tombstone;
