//! Conversations, mutators and truth for the tests of the other crates; a dev-dependency only.
//!
//! A [`Capture`] comes from a fixture file or from a scripted [`Conversation`]. [`mutate`] changes it as mirrors and
//! networks do, [`truth`] says what could be known of the changed one, and [`sense`] what the sensor made of it. Every
//! exchange carries its own number in both halves, so that a pair of strangers shows.

#![forbid(unsafe_code)]
#![allow(clippy::cast_possible_truncation, reason = "lengths of test data are small by construction")]
#![allow(clippy::missing_panics_doc, reason = "a panic in a test's own tools is a failed test")]

mod capture;
mod conversation;
mod frame;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod http;
pub mod http2;
pub mod mutate;
pub mod peers;
mod random;
mod scene;
mod sense;
mod tls;
mod traffic;
pub mod truth;

pub use capture::{Capture, OwnedPacket};
pub use conversation::{Conversation, Sending, Turn};
pub use frame::{PSH, Tcp};
pub use http::{shop_turn, shop_turns};
pub use random::Random;
pub use scene::Scene;
pub use sense::{Exchanges, Facts, Row, Sensed, exchanges, sense, sense_keyed, sense_with};
pub use tls::{TlsPair, TlsSetup, TlsTurns};
pub use traffic::{Site, Traffic};
