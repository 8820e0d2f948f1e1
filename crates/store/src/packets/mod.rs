//! The packet ring: what a sensor captured, kept for as long as there is room, so that a claim can be proven later.
//!
//! `packets/` holds segments `NUMBER.packets`, oldest first, and `NUMBER.pinned` with what findings pinned. A segment:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `TWPKTS01` |
//! | 8 | the segment's number |
//! | 12 | nonce of the wrapped key |
//! | 48 | the segment's own random key, sealed by `packets.key`, bound to the 16 bytes before |
//! | | blocks |
//! | 8 | where the index block begins, once the segment is finished |
//!
//! A block is a kind (1 byte: packets, names, index), 3 zero bytes, the length of what follows, and that many sealed bytes. Its
//! nonce is its position among the blocks, which never comes twice with a key that only one segment has; kind and length
//! are authenticated with it. Numbers are little endian; the seal is AES-256-GCM.
//!
//! A block of packets is records one after another: time in nanoseconds (8), label of the connection (8), frame (8), link
//! type (4), length on the wire (4), captured length (4), source (2), zero (2), then the captured bytes. The index has the first
//! and the last time (8 each), the number of packets (8), and pairs of label (8) and block (4), sorted. Names are those of the
//! sources, one a line.
//!
//! What a kill left is read up to the last whole block. Nothing here knows what packets mean: a label is a number.

mod block;
mod key;
mod pins;
mod reader;
mod ring;
mod seal;
mod segment;

pub use block::{Block, Record, Records};
pub use reader::{PacketReader, Segment, SegmentFile, SegmentPackets};
pub use ring::{PacketRing, RingCounters};

/// The directory under `--data`.
pub(crate) const ROOM: &str = "packets";
