//! Exchange to Observation: what one exchange says by itself.
//!
//! A pure crate: no clock, no threads, no I/O. [`Inspector`] undoes content codings under caps, walks payloads with push
//! parsers (any split of the bytes gives the same result), finds credentials and types the path's segments. Its only
//! state is that of messages still open.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod attempts;
mod body;
pub mod classes;
mod config;
mod content;
mod credential;
mod descriptor;
pub mod fields;
mod ids;
mod inspector;
mod made;
mod marks;
mod observation;
mod open;
pub mod payload;
mod percent;
mod segment;
pub mod style;
mod target;
mod token;
#[cfg(test)]
mod transcript;

pub use attempts::{Attempt, AttemptKind, Evidence, name_words, place_hash, plain_name};
pub use config::Config;
pub use credential::{Claims, Grant, Grants, Issuance, Issued, IssuedKind, Word};
pub use descriptor::{Descriptors, NotDescriptors};
pub use ids::{IdKey, IdValue};
pub use inspector::{Counters, Inspector, request_authority};
pub use marks::{Mark, Marks};
pub use observation::{
    Credential, CredentialKind, KeySample, Observation, Parameter, PathSegment, Payload, PayloadState, Place,
    SegmentKind, Used,
};
pub use payload::{PAYLOADS, PayloadFormat};
pub use percent::decode as percent_decode;
pub use style::{Fact, Facts, Name, Operation, STYLES, Said, Style};
pub use token::{Domain, Token, TokenKey, Tokens};
