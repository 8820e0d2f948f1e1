//! Encrypted traffic with the real binary: the same exchanges in clear text and in TLS, keys from every kind of source, late
//! keys, and each recipe of `docs/encrypted-traffic.md` with the software it is for. Without root, or without that software,
//! a test says that it is skipped.

#[path = "encrypted/equal.rs"]
mod equal;
#[path = "encrypted/host.rs"]
mod host;
#[path = "encrypted/keyless.rs"]
mod keyless;
#[path = "encrypted/late.rs"]
mod late;
#[path = "encrypted/recipes.rs"]
mod recipes;
#[path = "encrypted/senders.rs"]
mod senders;
