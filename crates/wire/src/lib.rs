//! Packet to Segment: link types, VLAN tags, IPv4 and IPv6, and the TCP header.
//!
//! A pure crate: no clock, no threads, no files. [`decode`] turns one captured [`Packet`] into the innermost TCP
//! [`Segment`] or into a [`Skip`] that says which layer stopped and why. Malformed input is a value, never an error.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod checksum;
mod decode;
mod fast;
mod ip;
mod key;
mod link;
mod packet;
mod segment;
mod sequence;
mod skip;
mod tcp;
mod view;

pub use decode::{Decoded, decode};
pub use key::{Endpoint, FlowKey, Side};
pub use packet::{LinkType, Packet, SourceId, Timestamp};
pub use segment::{Checksum, Segment, TcpFlags};
pub use sequence::SeqNumber;
pub use skip::{Layer, Skip, SkipReason};
