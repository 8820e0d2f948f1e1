//! All nouns to Event: outside formats and redaction. No other crate knows an outside format.
//!
//! A pure crate: no clock, no threads, no I/O. A [`Renderer`] writes exchanges, findings and the sensor's own reports as
//! lines into a byte buffer. Text of traffic leaves only through a [`Redactor`]; see `redact` for what it lets through.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod cef;
mod community;
mod coverage;
mod ecs;
mod eve;
pub mod fields;
mod finding_fields;
mod json;
mod known;
mod line;
mod number;
mod ocsf;
mod openapi;
mod pen;
mod redact;
mod render;
mod report;
mod sensor;
mod time;
mod tsv;
mod view;

pub use coverage::seen_share;
pub use fields::{ExchangeFields, FIELDS, FieldInfo, UnknownField, choose, value};
pub use finding_fields::{FindingFields, finding_value};
pub use known::KnownEndpoint;
pub use openapi::{Document, describe, shown_media_type};
pub use redact::{Fidelity, Generation, Profile, Redactor, Seal, Treatment};
pub use render::{Class, Detail, Format, Options, Renderer};
pub use report::{Change, Figure, Mark, MonthReport, Place, Row, Task};
pub use sensor::{SensorCode, SensorReport, Told};
pub use view::View;

#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../../inspect/src/transcript.rs"]
mod transcript;
