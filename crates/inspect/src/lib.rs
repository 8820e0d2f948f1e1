//! Exchange to Observation: what one exchange says by itself.
//!
//! A pure crate: no clock, no threads, no I/O. [`Inspector`] undoes content codings under caps, walks payloads with push
//! parsers (any split of the bytes gives the same result), finds credentials and types the path's segments. Its only
//! state is that of messages still open.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod observation;
mod token;

pub use observation::{
    Credential, CredentialKind, Observation, Parameter, PathSegment, Payload, PayloadState, Place, SegmentKind,
};
pub use token::{Domain, Token, TokenKey};
