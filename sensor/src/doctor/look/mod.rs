//! What a mirror's packets show beside what the stages count: looked at on their way in, so that sensing pays nothing
//! for what only a diagnosis needs.

mod clocks;
mod connections;
mod names;
mod trace;
mod twins;
mod wrapping;

pub(crate) use clocks::Clocks;
pub(crate) use connections::{Connections, Servers};
pub(crate) use names::Names;
pub(crate) use trace::Trace;
pub(crate) use wrapping::{Wrapping, as_packet, bare};

use std::collections::{BTreeMap, BTreeSet};
use tapwire_wire::{Config, Decoded, Decoder, Layer, LinkType, Packet, Segment};
use twins::Twins;
use wrapping::udp;

/// The largest Ethernet frame without its checksum, with two VLAN tags.
pub(crate) const LARGEST_FRAME: u32 = 1_522;

/// The usual port of QUIC, which carries HTTP/3.
const QUIC: u16 = 443;

/// Figures of all packets.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sizes {
    /// Packets seen.
    pub(crate) packets: u64,
    /// Their bytes on the wire.
    pub(crate) wire_bytes: u64,
    /// Their captured bytes.
    pub(crate) captured_bytes: u64,
    /// The most that was captured of a packet that was cut.
    pub(crate) snap_length: u32,
    /// TCP segments in packets above [`LARGEST_FRAME`].
    pub(crate) large: u64,
    /// The largest of them.
    pub(crate) largest: u32,
    /// Ethernet frames.
    pub(crate) frames: u64,
    /// Of those, to broadcast and multicast addresses.
    pub(crate) to_groups: u64,
    /// Bytes on the wire of UDP from or to port 443, and a port where a QUIC connection began.
    pub(crate) quic_bytes: u64,
    /// Packets of it.
    pub(crate) quic_packets: u64,
}

/// What was seen.
pub(crate) struct Look {
    decoder: Decoder,
    pub(crate) sizes: Sizes,
    pub(crate) clocks: Clocks,
    pub(crate) connections: Connections,
    pub(crate) names: Names,
    pub(crate) twins: Twins,
    /// Ports of servers that speak QUIC.
    pub(crate) quic_ports: BTreeSet<u16>,
    /// TCP segments by what they were wrapped in.
    pub(crate) wrapped: BTreeMap<Wrapping, u64>,
}

impl Look {
    /// Of nothing yet; `wire` as the sensor decodes.
    pub(crate) fn new(wire: &Config) -> Self {
        Self {
            decoder: Decoder::new(wire.clone()),
            sizes: Sizes::default(),
            clocks: Clocks::default(),
            connections: Connections::default(),
            names: Names::default(),
            twins: Twins::default(),
            quic_ports: BTreeSet::from([QUIC]),
            wrapped: BTreeMap::new(),
        }
    }

    /// Looks at a packet.
    pub(crate) fn packet(&mut self, packet: &Packet<'_>) {
        self.sizes.packet(packet);
        self.clocks.packet(packet);
        self.twins.packet(packet);
        match self.decoder.decode(packet) {
            Decoded::Segment(segment) => {
                self.sizes.segment(packet);
                if let Some(wrapping) = Wrapping::of(packet, &segment) {
                    *self.wrapped.entry(wrapping).or_default() += 1;
                }
                let trace = self.connections.segment(&segment);
                self.names.segment(&segment, trace);
            }
            Decoded::Skip(skip) if skip.layer == Layer::Udp => self.datagram(packet),
            Decoded::Skip(_) => {}
        }
    }

    fn datagram(&mut self, packet: &Packet<'_>) {
        let Some(udp) = udp(packet) else { return };
        if begins_quic(udp.payload) {
            // Clients have the higher ports. A set of ports cannot grow beyond all ports.
            self.quic_ports.insert(udp.source.min(udp.destination));
        }
        if self.quic_ports.contains(&udp.source) || self.quic_ports.contains(&udp.destination) {
            self.sizes.quic_packets += 1;
            self.sizes.quic_bytes += u64::from(packet.wire_len);
        }
    }

    /// Everything was seen.
    pub(crate) fn finish(&mut self) {
        self.connections.finish();
    }

    /// The packet's segment and what it is wrapped in; `None` for what is no wrapped TCP.
    pub(crate) fn unwrap<'s>(&'s mut self, packet: &Packet<'s>) -> Option<(Segment<'s>, Wrapping)> {
        let Decoded::Segment(segment) = self.decoder.decode(packet) else { return None };
        Wrapping::of(packet, &segment).map(|wrapping| (segment, wrapping))
    }
}

impl Sizes {
    fn packet(&mut self, packet: &Packet<'_>) {
        let captured = u32::try_from(packet.data.len()).unwrap_or(u32::MAX);
        self.packets += 1;
        self.wire_bytes += u64::from(packet.wire_len.max(captured));
        self.captured_bytes += u64::from(captured);
        if packet.wire_len > captured {
            self.snap_length = self.snap_length.max(captured);
        }
        if packet.link == LinkType::ETHERNET {
            self.frames += 1;
            // The lowest bit of the first byte marks a group address (IEEE 802, 8.2.2).
            self.to_groups += u64::from(packet.data.first().is_some_and(|byte| byte & 1 == 1));
        }
    }

    fn segment(&mut self, packet: &Packet<'_>) {
        if packet.wire_len > LARGEST_FRAME {
            self.large += 1;
            self.largest = self.largest.max(packet.wire_len);
        }
    }
}

/// Whether a datagram looks as the first one of a connection does: a long header of version 1 or 2 with the fixed bit
/// (RFC 9000, 17.2; RFC 9369, 3), in a datagram of 1,200 bytes or more (RFC 9000, 14.1).
fn begins_quic(payload: &[u8]) -> bool {
    matches!(payload, [first, 0, 0, 0, 1, ..] | [first, 0x6b, 0x33, 0x43, 0xcf, ..] if first & 0xc0 == 0xc0)
        && payload.len() >= 1_200
}
