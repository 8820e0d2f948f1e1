//! HTTP/2 (RFC 9113): frames and header compression as pure functions over bytes, and the connection over them.
//!
//! A connection may be joined in the middle and may have holes. Then some header fields are unknown, and none is wrong:
//! see [`hpack`].

pub(crate) mod conversation;
mod fields;
pub mod frame;
pub mod hpack;
mod reader;
pub(crate) mod search;
mod streams;
