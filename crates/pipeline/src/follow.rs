//! A capture connection by connection: for whoever needs the packets themselves and not only what they say.
//!
//! The same stages as in a run decide, so connections have the same numbers and exchanges the same identities: reuse
//! of addresses and ports, resets that were ignored, late packets and expiry are judged in one place.

use crate::Config;
use crate::ShedLevel;
use crate::analyst::Names;
use crate::report::{Snapshot, WireCounters};
use crate::run::{Control, Watch};
use crate::secrets::give_carried;
use tapwire_capture::{FileInterface, Source, SourceError, Status};
use tapwire_flow::FlowTable;
use tapwire_protocol::{BodyPart, Connection, Exchange, ExchangeSink, Protocols};
use tapwire_wire::{Decoded, Decoder, Packet, PacketId, Segment, Timestamp};

/// What a packet is to its connection.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The connection's number, as [`tapwire_flow::FlowInfo::id`] and the exchanges have it.
    pub connection: u64,
    /// The packet's segment.
    pub segment: Segment<'a>,
    /// The packets before it that brought the first fragments of its datagram; none in the usual case.
    pub earlier: &'a [PacketId],
}

/// Hears a capture.
pub trait Follower {
    /// A packet; `member` is `None` when it is of no connection. Exchanges that ended with it were told before.
    fn packet(&mut self, packet: &Packet<'_>, interface: &FileInterface, member: Option<Member<'_>>);

    /// An exchange ended; `source` is the name of where it was captured.
    fn exchange(&mut self, exchange: &Exchange, source: &str);

    /// Whether to end before the capture does.
    fn is_done(&self) -> bool {
        false
    }
}

/// How following a capture ended.
#[derive(Debug, Default)]
pub struct Followed {
    /// Packets seen.
    pub packets: u64,
    /// What went wrong with sources; what came before was followed.
    pub errors: Vec<SourceError>,
    /// Whether `watch` stopped it.
    pub interrupted: bool,
    /// Connections of TLS of which nothing was decrypted.
    pub sealed: u64,
}

/// Senses `source` on this thread and tells `follower` of every packet and exchange. Bodies are not copied.
pub fn follow<F: Follower>(
    source: &mut dyn Source,
    config: &Config,
    follower: &mut F,
    watch: &mut dyn Watch,
) -> Followed {
    let protocol = tapwire_protocol::Config { body_bytes: 0, ..config.protocol.clone() };
    let sink = Ears { follower, sources: Names::new(source.names()) };
    let mut protocols = Protocols::new(protocol, sink);
    config.secrets.give(&mut protocols);
    let mut trail = Trail {
        decoder: Decoder::new(config.wire.clone()),
        earlier: Vec::new(),
        flows: FlowTable::new(config.flow.clone()),
        protocols,
        wire: WireCounters::default(),
        clock: Timestamp::MIN,
    };
    let mut followed = Followed::default();
    while !trail.protocols.sink().follower.is_done() {
        match source.dispatch_described(&mut |packet, interface| trail.packet(&packet, interface)) {
            Ok(Status::End) => break,
            Ok(_) => {}
            Err(error) => {
                let partial = error.is_partial();
                followed.errors.push(error);
                if !partial {
                    break;
                }
            }
        }
        // A file says them before the packets that they are for.
        for secrets in source.take_secrets() {
            give_carried(&secrets, &mut trail.protocols, trail.clock);
        }
        if watch.tick(trail.snapshot(source)) == Control::Stop {
            followed.interrupted = true;
            break;
        }
    }
    trail.flows.finish(&mut trail.protocols);
    trail.protocols.finish();
    followed.packets = trail.wire.packets;
    let tls = trail.protocols.tls_counters();
    followed.sealed = tls.connections.saturating_sub(tls.decrypted);
    followed
}

struct Trail<'f, F> {
    decoder: Decoder,
    /// The packets that the last one completes a datagram with.
    earlier: Vec<PacketId>,
    flows: FlowTable<Connection>,
    protocols: Protocols<Ears<'f, F>>,
    wire: WireCounters,
    /// Time of the last packet.
    clock: Timestamp,
}

impl<F: Follower> Trail<'_, F> {
    fn packet(&mut self, packet: &Packet<'_>, interface: &FileInterface) {
        self.wire.packet(packet);
        self.clock = packet.time;
        let member = match self.decoder.decode_traced(packet, &mut self.earlier) {
            Decoded::Segment(segment) => {
                self.flows.handle(&segment, &mut self.protocols);
                let connection = self.flows.connection(&segment.key);
                connection.map(|connection| Member { connection, segment, earlier: &self.earlier })
            }
            Decoded::Skip(_) => None,
        };
        self.protocols.sink().follower.packet(packet, interface, member);
    }

    fn snapshot(&self, source: &dyn Source) -> Snapshot {
        Snapshot {
            progress: source.progress(),
            packets: self.wire.packets,
            exchanges: self.protocols.counters().exchanges,
            shedding: ShedLevel::None,
        }
    }
}

struct Ears<'f, F> {
    follower: &'f mut F,
    sources: Names,
}

impl<F: Follower> ExchangeSink for Ears<'_, F> {
    fn exchange(&mut self, exchange: Exchange) {
        self.follower.exchange(&exchange, self.sources.of(&exchange));
    }

    fn body_part(&mut self, _part: BodyPart) {}
}
