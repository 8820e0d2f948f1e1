//! Bytes of API descriptions to one model: OpenAPI 2.0 (Swagger), 3.0 and 3.1, as JSON or YAML, in one file or several.
//!
//! A pure crate that knows no other: no files, no clock. Who has the files gives them to a [`Reader`] by name, asks it which
//! further ones they refer to, and gets the [`Description`]s with a [`Fault`] for everything that could not be read. A
//! fault names the file and the place in it, and costs no more than what stands there.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod at;
mod document;
mod fault;
mod limits;
mod model;
mod operation;
mod reader;
mod reference;
mod schema;
mod security;
mod server;
mod yaml;

pub use fault::{Fault, Place};
pub use limits::{Bound, Limits, Numbers, Range, Texts};
pub use model::{
    Body, Content, Description, Dialect, Operation, Parameter, ParameterPlace, PathItem, Response,
    SecurityScheme, StatusRange,
};
pub use reader::{Reader, Reading};
pub use schema::{Kinds, Look, Rest, Schema, SchemaId, Schemas, Step};
pub use server::Server;

#[cfg(test)]
mod tests;
