//! TLS: what a connection says before it is encrypted, and what it says after with its keys.

mod bytes;
mod certificate;
mod cipher;
mod estimate;
mod facts;
mod fingerprint;
mod handshake;
mod hello;
mod keys;
mod lane;
pub(crate) mod layer;
mod parked;
mod quic;
mod records;
mod schedule;
mod shared;
mod suite;
mod summary;

pub use certificate::Certificate;
pub use estimate::Estimate;
pub use facts::Facts;
pub use fingerprint::{Transport, ja3, ja3s, ja4};
pub use hello::{ClientHello, HelloOutcome, ServerHello, client_hello};
pub use keys::{KeyCounters, KeyStore, RsaKeyError};
pub(crate) use layer::Layer;
pub(crate) use parked::Parked;
pub(crate) use quic::may_begin as may_begin_quic;
pub(crate) use shared::Shared;
pub use shared::{TlsConfig, TlsCounters};
pub use summary::{Services, TlsService};

/// The content type of records of a handshake (RFC 8446, 5.1), and so the first byte that a client sends.
pub(crate) const HANDSHAKE: u8 = 22;

/// Whether these first bytes of a chunk are those of a TLS record (RFC 8446, 5.1); `None` where they are too few to tell a
/// handshake's beginning.
pub(crate) fn probe(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [20..=24, 3, 0..=4, high, low, ..] => {
            Some((*high, *low) != (0, 0) && records::is_length(*high, *low))
        }
        [22] | [22, 3] | [22, 3, 0..=4] | [22, 3, 0..=4, _] => None,
        _ => Some(false),
    }
}
