//! TLS: what a connection says before it is encrypted, and what it says after with its keys.

mod bytes;
mod certificate;
mod cipher;
mod facts;
mod fingerprint;
mod hello;
mod keys;
mod schedule;
mod suite;

pub use certificate::Certificate;
pub use facts::Facts;
pub use fingerprint::{Transport, ja3, ja3s, ja4};
pub use hello::{ClientHello, HelloOutcome, ServerHello, client_hello};
pub use keys::{KeyCounters, KeyStore, RsaKeyError};
