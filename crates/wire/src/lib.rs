//! Packet to Segment: link types, VLAN tags, tunnels, IPv4 and IPv6 with their fragments, and the TCP header.
//!
//! A pure crate: no clock, no threads, no files. A [`Decoder`] turns captured [`Packet`]s into the innermost TCP
//! [`Segment`]s or into a [`Skip`] that says which layer stopped and why; its only state are fragments that wait for the
//! rest of their datagram, and [`decode`] does without. Malformed input is a value, never an error.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod checksum;
mod config;
mod datagram;
mod decode;
mod ethertype;
mod fast;
mod fragments;
mod gre;
mod ip;
mod key;
mod link;
mod mpls;
mod nflog;
mod overlay;
mod packet;
mod ppp;
mod segment;
mod sequence;
mod skip;
mod tcp;
mod udp;
mod view;
mod walk;

pub use config::{Config, Tenant};
pub use datagram::{Datagram, datagram};
pub use decode::{Decoded, Decoder, decode};
pub use fragments::{FragmentCounters, FragmentFate};
pub use key::{Endpoint, FlowKey, Side, site};
pub use overlay::{Overlay, Tunnel, Tunnels};
pub use packet::{LinkType, Packet, PacketId, SourceId, Timestamp};
pub use segment::{Checksum, Segment, TcpFlags};
pub use sequence::SeqNumber;
pub use skip::{Layer, Skip, SkipReason};
