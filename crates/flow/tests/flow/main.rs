//! The flow table from packets to events.

mod common;
mod model;
mod reassembly;
mod table;
