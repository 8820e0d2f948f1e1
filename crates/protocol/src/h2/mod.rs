//! HTTP/2 (RFC 9113): frames and header compression as pure functions over bytes, and the connection over them.

pub mod frame;
pub mod hpack;
