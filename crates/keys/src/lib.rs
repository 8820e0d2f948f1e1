//! Where TLS secrets come from: lines of key logs in the format of NSS, from files that grow, FIFOs, local sockets, and senders on
//! other machines over mutual TLS.
//!
//! What comes out is whole lines, in batches; what they mean is the parser's business. Everything that held a secret is
//! overwritten when it is dropped, and nothing here prints one. [`Sources`] receives, [`forward`] sends.
//!
//! Each source has a thread of its own, so that a slow sender holds nobody up. A batch waits until the sensor takes it: a
//! source that is faster is read more slowly, and loses nothing here.

#![forbid(unsafe_code)]

mod address;
mod config;
mod error;
mod feed;
mod file;
mod forward;
mod lines;
mod listen;
mod sources;
mod tls;

pub use address::{Address, Target};
pub use config::Tls;
pub use error::KeyError;
pub use feed::Feed;
pub use forward::{Forward, Sent};
pub use sources::{Counters, Log, Sources, Tell};
