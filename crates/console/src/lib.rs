//! The console: pages for people and a JSON API over what was learned, served on loopback.
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
mod export;
mod guard;
mod pages;
mod server;
mod table;
mod text;

pub use books::{
    Books, Caller, DataFlow, Endpoint, Figure, Finding, Incident, Level, Mark, Posture, Service, Snapshot,
    Spot,
};
pub use server::{Bad, pause, serve};
