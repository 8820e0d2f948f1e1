//! The console: pages for people and a JSON API over what was learned, on loopback, or over TLS to those that log in.
//!
//! It knows no other crate. What it shows comes in through [`Books`] as rows whose texts have gone through redaction; here
//! they are only sorted, filtered, counted and drawn. Every page works without script; the script adds filtering while one
//! types, and fresh figures.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod api;
mod books;
mod chart;
mod connections;
mod doors;
mod export;
mod guard;
mod hunt;
mod looks;
mod metrics;
mod pages;
mod server;
mod table;
mod text;
mod tls;
mod users;
mod visit;

pub use books::{
    Action, Books, Caller, DataFlow, Endpoint, Exchange, Figure, Finding, Incident, Level, Mark, Output,
    Part, Posture, Service, Snapshot, Spot, Tap, Told, Verdict,
};
pub use connections::PATIENCE;
pub use doors::Keeper;
pub use hunt::{Answer, Limits, MOST_QUERY, MOST_TITLE, Query, Table, Tables};
pub use server::{Access, Bad, pause, serve, serve_patiently};
pub use tls::Tls;
pub use users::{LEAST_PASSWORD, Role, Roll, Unfit};
