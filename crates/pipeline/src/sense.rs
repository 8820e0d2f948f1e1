//! The capture thread's work: packets in, exchanges out.

use crate::lanes::{Lane, LaneCounters};
use crate::recorder::{Belongs, Recorder};
use crate::report::WireCounters;
use crate::secrets::{give_carried, give_new};
use crate::{Config, Notice, ShedLevel};
use tapwire_capture::Secrets;
use tapwire_event::SensorReport;
use tapwire_flow::{FlowTable, Place};
use tapwire_keys::Feed;
use tapwire_protocol::tls::{Services, TlsCounters};
use tapwire_protocol::{Connection, ConnectionEnd, ExchangeSink, Protocols};
use tapwire_wire::{Decoded, Decoder, Layer, Packet, Segment, Skip, SkipReason, Timestamp, datagram};

/// Packets that are looked at together.
const BURST: usize = 16;

/// The way out behind the parsers.
pub(crate) trait Way: ExchangeSink {
    /// What it sheds now.
    fn level(&self) -> ShedLevel;

    /// The buffer between the kernel and the source is so full, in percent.
    fn ring(&mut self, percent: usize);

    /// Waits for some milliseconds where packets had better stay in that buffer; true when they still had better.
    fn waits(&mut self) -> bool;

    /// The level changed at this packet time.
    fn degraded(&mut self, from: ShedLevel, time: Timestamp);

    /// The sensor has something to say about itself.
    fn sensor(&mut self, report: SensorReport);

    /// The source was asked once: sends on what waits.
    fn between_batches(&mut self);

    /// What outputs have to tell.
    fn notices(&mut self) -> Vec<Notice>;
}

/// Decoding, reassembly and parsing, one after the other on one thread.
pub(crate) struct Sensing<W> {
    decoder: Decoder,
    flows: FlowTable<Connection>,
    protocols: Protocols<W>,
    wire: WireCounters,
    clock: Timestamp,
    /// What the parsers were told to shed.
    level: ShedLevel,
    body_bytes: usize,
    /// The way to other lanes, where there are any.
    lane: Option<Lane>,
    moved: LaneCounters,
}

impl<W: Way> Sensing<W> {
    pub(crate) fn new(config: &Config, lane: Option<Lane>, sink: W) -> Self {
        let Config { wire, flow, protocol, .. } = config.clone();
        let body_bytes = protocol.body_bytes;
        let mut protocols = Protocols::new(protocol, sink);
        config.secrets.give(&mut protocols);
        Self {
            level: ShedLevel::None,
            body_bytes,
            decoder: Decoder::new(wire),
            flows: FlowTable::new(flow),
            protocols,
            wire: WireCounters::default(),
            clock: Timestamp::MIN,
            lane,
            moved: LaneCounters::default(),
        }
    }

    /// Takes packets that lie side by side: what they need is fetched from memory together.
    /// Those of connections go to `recorder` too; where there are several lanes, nothing is recorded.
    pub(crate) fn packets(&mut self, packets: &[Packet<'_>], mut recorder: Option<&mut Recorder>) {
        if self.lane.is_some() {
            return self.share(packets);
        }
        if let [packet] = packets {
            // A tap has them one by one.
            let segment = self.decoder.plain(packet);
            let belongs = self.packet(packet, segment.as_ref(), None);
            return recorder.iter_mut().for_each(|recorder| recorder.packet(packet, belongs, self.level));
        }
        for burst in packets.chunks(BURST) {
            let mut segments = [None; BURST];
            for (segment, packet) in segments.iter_mut().zip(burst) {
                *segment = self.decoder.plain(packet);
            }
            let places = self.flows.expect(&segments, &self.protocols);
            for ((packet, segment), place) in burst.iter().zip(&segments).zip(places) {
                let belongs = self.packet(packet, segment.as_ref(), Some(place));
                if let Some(recorder) = recorder.as_deref_mut() {
                    recorder.packet(packet, belongs, self.level);
                }
            }
        }
    }

    /// Takes packets of this lane, and hands over those of others. What others handed over is older, so it comes first.
    fn share(&mut self, packets: &[Packet<'_>]) {
        let Some(mut lane) = self.lane.take() else { return };
        lane.receive(|packet| _ = self.take(packet, None));
        for packet in packets {
            if let Some(owner) = self.take(packet, Some(&lane)) {
                lane.hand_over(packet, owner);
            }
        }
        self.lane = Some(lane);
    }

    /// Takes a packet, unless another lane than this one owns its connection.
    fn take(&mut self, packet: &Packet<'_>, lane: Option<&Lane>) -> Option<usize> {
        let decoded = match self.decoder.plain(packet) {
            Some(segment) => Decoded::Segment(segment),
            None => self.decoder.decode(packet),
        };
        if let (Decoded::Segment(segment), Some(lane)) = (&decoded, lane)
            && let Some(owner) = lane.owner(packet, segment)
        {
            return Some(owner);
        }
        self.wire.packet(packet);
        self.clock = self.clock.max(packet.time);
        match decoded {
            Decoded::Segment(segment) => {
                self.wire.segments += 1;
                self.flows.handle(&segment, &mut self.protocols);
            }
            Decoded::Skip(skip) => self.skip(packet, skip),
        }
        self.follow();
        None
    }

    /// Secrets that have come.
    pub(crate) fn take_secrets(&mut self, feed: &Feed) {
        give_new(feed, &mut self.protocols);
        self.protocols.look_for_keys(self.clock);
    }

    /// Sends on what waits for other lanes, and takes what they sent.
    pub(crate) fn exchange_with_lanes(&mut self) {
        self.share(&[]);
        self.lane.iter_mut().for_each(Lane::flush);
    }

    /// What changed lanes.
    pub(crate) const fn lane_counters(&self) -> LaneCounters {
        self.moved
    }

    /// Gives what the packet is to its connection.
    fn packet(
        &mut self,
        packet: &Packet<'_>,
        segment: Option<&Segment<'_>>,
        place: Option<Place>,
    ) -> Belongs {
        self.wire.packet(packet);
        self.clock = self.clock.max(packet.time);
        let belongs = match segment {
            Some(segment) => {
                self.wire.segments += 1;
                match place {
                    Some(place) => self.flows.handle_at(segment, place, &mut self.protocols),
                    None => self.flows.handle(segment, &mut self.protocols),
                }
                Belongs::To(segment.key)
            }
            None => match self.decoder.decode(packet) {
                Decoded::Segment(segment) => {
                    self.wire.segments += 1;
                    self.flows.handle(&segment, &mut self.protocols);
                    Belongs::To(segment.key)
                }
                Decoded::Skip(skip) => {
                    self.skip(packet, skip);
                    Belongs::of(skip)
                }
            },
        };
        self.follow();
        belongs
    }

    /// A packet without a segment; it may begin a QUIC connection.
    fn skip(&mut self, packet: &Packet<'_>, skip: Skip) {
        self.wire.skip(skip);
        if skip.layer == Layer::Udp
            && skip.reason == SkipReason::NotTcp
            && let Some(datagram) = datagram(packet)
        {
            self.protocols.datagram(&datagram);
        }
    }

    /// Tells the parsers what to copy of bodies when the level has changed: between any two packets, so that no batch of
    /// the source can carry more in than there is room for.
    pub(crate) fn follow(&mut self) {
        let level = self.protocols.sink().level();
        if level == self.level {
            return;
        }
        let from = std::mem::replace(&mut self.level, level);
        let (bytes, parts) = level.body_limit(self.body_bytes);
        self.protocols.limit_bodies(bytes, parts);
        let clock = self.clock;
        self.protocols.sink().degraded(from, clock);
    }

    pub(crate) const fn level(&self) -> ShedLevel {
        self.level
    }

    /// Time passed without packets.
    pub(crate) fn quiet(&mut self, nanos: i64) {
        if self.clock > Timestamp::MIN {
            let now = self.clock + nanos;
            self.flows.advance(now, &mut self.protocols);
            self.protocols.look_for_keys(now);
        }
    }

    /// Waits for the other lanes to end, and ends every connection.
    pub(crate) fn finish(&mut self) {
        if let Some(mut lane) = self.lane.take() {
            self.moved = lane.finish(|packet| _ = self.take(packet, None));
        }
        self.flows.finish(&mut self.protocols);
        self.protocols.finish();
    }

    pub(crate) fn sink(&mut self) -> &mut W {
        self.protocols.sink()
    }

    pub(crate) const fn wire(&self) -> &WireCounters {
        &self.wire
    }

    pub(crate) const fn protocol(&self) -> &tapwire_protocol::Counters {
        self.protocols.counters()
    }

    pub(crate) fn counters(&self) -> (WireCounters, tapwire_flow::Counters, tapwire_protocol::Counters) {
        (self.counted(), self.flows.counters().clone(), *self.protocols.counters())
    }

    fn counted(&self) -> WireCounters {
        WireCounters { fragments: *self.decoder.fragments(), ..self.wire.clone() }
    }

    /// See [`Protocols::take_ends`].
    pub(crate) fn take_ends(&mut self) -> Vec<ConnectionEnd> {
        self.protocols.take_ends()
    }

    /// What came of TLS connections, and the services behind them.
    pub(crate) fn take_tls(&mut self) -> (TlsCounters, Services) {
        (self.protocols.tls_counters(), self.protocols.take_services())
    }

    /// Secrets that a file brings along.
    pub(crate) fn secrets(&mut self, secrets: &Secrets) {
        give_carried(secrets, &mut self.protocols, self.clock);
    }

    pub(crate) fn into_sink(self) -> W {
        self.protocols.into_sink()
    }
}
