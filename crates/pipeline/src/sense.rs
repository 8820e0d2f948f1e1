//! The capture thread's work: packets in, exchanges out.

use crate::report::WireCounters;
use tapwire_flow::FlowTable;
use tapwire_protocol::{Connection, ExchangeSink, Protocols};
use tapwire_wire::{Decoded, Packet, Timestamp, decode};

/// Decoding, reassembly and parsing, one after the other on one thread.
pub(crate) struct Sensing<E> {
    flows: FlowTable<Connection>,
    protocols: Protocols<E>,
    wire: WireCounters,
    clock: Timestamp,
}

impl<E: ExchangeSink> Sensing<E> {
    pub(crate) fn new(flow: tapwire_flow::Config, protocol: tapwire_protocol::Config, sink: E) -> Self {
        Self {
            flows: FlowTable::new(flow),
            protocols: Protocols::new(protocol, sink),
            wire: WireCounters::default(),
            clock: Timestamp::MIN,
        }
    }

    pub(crate) fn packet(&mut self, packet: Packet<'_>) {
        self.wire.packet(&packet);
        self.clock = self.clock.max(packet.time);
        match decode(&packet) {
            Decoded::Segment(segment) => {
                self.wire.segments += 1;
                self.flows.handle(&segment, &mut self.protocols);
            }
            Decoded::Skip(skip) => self.wire.skip(skip),
        }
    }

    /// Time passed without packets.
    pub(crate) fn quiet(&mut self, nanos: i64) {
        if self.clock > Timestamp::MIN {
            self.flows.advance(self.clock + nanos, &mut self.protocols);
        }
    }

    pub(crate) fn finish(&mut self) {
        self.flows.finish(&mut self.protocols);
    }

    pub(crate) fn sink(&mut self) -> &mut E {
        self.protocols.sink()
    }

    pub(crate) fn limit_bodies(&mut self, bytes: usize, parts: bool) {
        self.protocols.limit_bodies(bytes, parts);
    }

    pub(crate) const fn wire(&self) -> &WireCounters {
        &self.wire
    }

    pub(crate) const fn protocol(&self) -> &tapwire_protocol::Counters {
        self.protocols.counters()
    }

    pub(crate) fn counters(&self) -> (WireCounters, tapwire_flow::Counters, tapwire_protocol::Counters) {
        (self.wire.clone(), self.flows.counters().clone(), *self.protocols.counters())
    }

    pub(crate) fn into_sink(self) -> E {
        self.protocols.into_sink()
    }
}
