//! Changes that mirrors, networks and files make to a capture: one function a property, all seeded.
//!
//! Packets keep the frame number of the packet they come from, so that [`truth`](crate::truth) can tell what is left.

mod content;
mod encapsulate;
mod loss;
mod noise;
mod order;
mod segmentation;
mod tunnel;

pub use content::{chunked, gzipped, header_case, with_length};
pub use encapsulate::{Container, Link, encapsulate, through_file};
pub use loss::{
    bursty, from_packet, gilbert_elliott, lossy, one_side, snap, until_packet, without, without_fin,
    without_pure_acks, without_syn,
};
pub use noise::{flip_bits, noise};
pub use order::{delay_side, duplicate, interleave, jump, permute, scale_time};
pub use segmentation::{resegment, wrap_at};
pub use tunnel::{Route, Wrapping, carry};

use crate::{OwnedPacket, Tcp};

/// The packet with its TCP segment built anew as plain Ethernet, after `change`. Cut packets and other protocols stay.
fn rebuilt(packet: &OwnedPacket, change: impl FnOnce(&mut Tcp)) -> OwnedPacket {
    match packet.segment() {
        Some(segment) if segment.cut == 0 => {
            let mut tcp = Tcp::of(&segment);
            change(&mut tcp);
            let frame = OwnedPacket::ethernet(packet.time, tcp.ethernet());
            OwnedPacket { frame: packet.frame, source: packet.source, ..frame }
        }
        _ => packet.clone(),
    }
}
