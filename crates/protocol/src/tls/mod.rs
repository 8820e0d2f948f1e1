//! TLS: what a connection says before it is encrypted.

mod hello;

pub use hello::{ClientHello, HelloOutcome, client_hello};
