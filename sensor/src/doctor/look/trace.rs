//! What one connection's packets show.

use super::connections::Connections;
use tapwire_protocol::proxy::{self, ProxyOutcome};
use tapwire_wire::{Endpoint, FlowKey, Segment, SeqNumber, Side, SourceId, TcpFlags, Timestamp};

/// One connection.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(crate) key: FlowKey,
    pub(crate) opened: Timestamp,
    pub(crate) active: Timestamp,
    /// Its first packet had SYN.
    pub(crate) from_syn: bool,
    /// Every packet had SYN or RST.
    pub(crate) only_syn: bool,
    /// Who sent the SYN.
    client: Option<Side>,
    /// What its ClientHello asks for: a number of [`Names`](super::Names).
    pub(crate) name: Option<u32>,
    pub(crate) lower: Half,
    pub(crate) upper: Half,
}

/// One direction of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Half {
    pub(crate) packets: u64,
    pub(crate) payload: u64,
    /// VLAN of its packets: `None` for no packet yet, `Some(None)` for untagged ones.
    pub(crate) vlan: Option<Option<u16>>,
    /// Its packets have several VLANs, or some have none.
    pub(crate) mixed: bool,
    /// The end of what was seen or acknowledged of its bytes.
    reached: Option<SeqNumber>,
    /// Bytes before that which were not seen, the latest last.
    holes: Vec<Hole>,
    /// What the peer acknowledged first and last.
    acknowledged: Option<(SeqNumber, SeqNumber)>,
}

/// Bytes that were not seen.
#[derive(Debug, Clone)]
struct Hole {
    from: SeqNumber,
    to: SeqNumber,
    /// When and where they were acknowledged all the same.
    acknowledged: Option<(Timestamp, SourceId)>,
}

impl Hole {
    fn len(&self) -> u64 {
        u64::try_from(self.to.distance(self.from)).unwrap_or(0)
    }
}

/// Holes of one direction that are watched.
const MAX_HOLES: usize = 8;

/// How far back a direction may reach of which only an acknowledgement was seen.
const BEFORE: u32 = 1 << 20;

/// What a segment showed about its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late {
    /// Nanoseconds after its receiver acknowledged it.
    pub(crate) nanos: i64,
    /// When it was acknowledged.
    pub(crate) since: Timestamp,
    /// Its payload bytes.
    pub(crate) bytes: u64,
    /// The acknowledgement came from another source.
    pub(crate) from_another_source: bool,
}

impl Trace {
    pub(crate) fn new(segment: &Segment<'_>) -> Self {
        Self {
            key: segment.key,
            opened: segment.time,
            active: segment.time,
            from_syn: segment.flags.has(TcpFlags::SYN),
            only_syn: true,
            client: None,
            name: None,
            lower: Half::default(),
            upper: Half::default(),
        }
    }

    pub(crate) const fn half(&self, side: Side) -> &Half {
        match side {
            Side::Lower => &self.lower,
            Side::Upper => &self.upper,
        }
    }

    const fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Lower => &mut self.lower,
            Side::Upper => &mut self.upper,
        }
    }

    /// Takes a segment of it.
    pub(crate) fn segment(&mut self, segment: &Segment<'_>, counts: &mut Connections) {
        let flags = segment.flags;
        self.active = self.active.max(segment.time);
        self.only_syn &= flags.has(TcpFlags::SYN) || flags.has(TcpFlags::RST);
        if flags.has(TcpFlags::SYN) {
            let answers = segment.ack.is_some();
            self.client = Some(if answers { segment.side.peer() } else { segment.side });
        }
        let first = self.half(segment.side).payload == 0 && !segment.payload.is_empty();
        if first && matches!(proxy::parse(segment.payload), ProxyOutcome::Complete { .. }) {
            counts.proxied += 1;
        }
        if let Some(late) = self.half_mut(segment.side).segment(segment) {
            counts.late(late);
        }
        if let Some(ack) = segment.ack {
            let missing = self.half_mut(segment.side.peer()).acknowledged(ack, segment);
            counts.missing(segment.time, missing);
        }
    }

    /// Which side is the server: who answered the SYN, or whose port is the smaller one.
    pub(crate) fn server(&self) -> Side {
        match self.client {
            Some(client) => client.peer(),
            None if self.key.endpoint(Side::Lower).port < self.key.endpoint(Side::Upper).port => Side::Lower,
            None => Side::Upper,
        }
    }

    pub(crate) fn server_endpoint(&self) -> Endpoint {
        *self.key.endpoint(self.server())
    }

    pub(crate) const fn payload(&self) -> u64 {
        self.lower.payload + self.upper.payload
    }

    /// The side of which nothing was seen although the other spoke.
    pub(crate) fn silent(&self) -> Option<Side> {
        let speaks = |half: &Half| half.payload > 0 && half.packets >= 3;
        match (self.lower.packets, self.upper.packets) {
            (0, _) if speaks(&self.upper) => Some(Side::Lower),
            (_, 0) if speaks(&self.lower) => Some(Side::Upper),
            _ => None,
        }
    }

    /// Bytes of the side of which nothing was seen that the other acknowledged.
    pub(crate) fn silent_bytes(&self) -> u64 {
        self.silent().map_or(0, |side| self.half(side).acknowledged_bytes())
    }

    /// The VLANs of the two directions, where both are known and each is of one kind.
    pub(crate) const fn vlans(&self) -> Option<(Option<u16>, Option<u16>)> {
        match (self.lower.vlan, self.upper.vlan) {
            (Some(lower), Some(upper)) if !self.lower.mixed && !self.upper.mixed => Some((lower, upper)),
            _ => None,
        }
    }
}

impl Half {
    fn segment(&mut self, segment: &Segment<'_>) -> Option<Late> {
        self.packets += 1;
        self.payload += segment.payload.len() as u64 + u64::from(segment.cut);
        match self.vlan {
            None => self.vlan = Some(segment.vlan),
            Some(vlan) => self.mixed |= vlan != segment.vlan,
        }
        let length = u32::try_from(segment.payload.len()).unwrap_or(0).saturating_add(segment.cut);
        let marks = u32::from(segment.flags.has(TcpFlags::SYN)) + u32::from(segment.flags.has(TcpFlags::FIN));
        let end = segment.seq.add(length.saturating_add(marks));
        let reached = *self.reached.get_or_insert(segment.seq);
        if segment.seq.distance(reached) > 0 {
            self.note(Hole { from: reached, to: segment.seq, acknowledged: None });
        }
        if end.distance(reached) > 0 {
            self.reached = Some(end);
        }
        let (since, source) = self.fill(segment.seq, end).filter(|_| length > 0)?;
        let nanos = segment.time.since(since);
        let from_another_source = source != segment.source;
        (nanos > 0).then_some(Late { nanos, since, bytes: u64::from(length), from_another_source })
    }

    fn note(&mut self, hole: Hole) {
        if self.holes.len() >= MAX_HOLES {
            self.holes.remove(0);
        }
        self.holes.push(hole);
    }

    /// Closes the hole that these bytes begin in; gives when and where they were acknowledged, if they were.
    fn fill(&mut self, from: SeqNumber, to: SeqNumber) -> Option<(Timestamp, SourceId)> {
        let within = |hole: &Hole| from.distance(hole.from) >= 0 && from.distance(hole.to) < 0;
        let at = self.holes.iter().position(within)?;
        let hole = self.holes.get_mut(at)?;
        let acknowledged = hole.acknowledged;
        hole.from = to;
        if hole.to.distance(to) <= 0 {
            self.holes.remove(at);
        }
        acknowledged
    }

    /// The peer has these bytes. Gives how many of them turn out to be missing.
    fn acknowledged(&mut self, ack: SeqNumber, by: &Segment<'_>) -> u64 {
        let acknowledged = Some((by.time, by.source));
        let mut missing = 0;
        self.acknowledged = Some((self.acknowledged.map_or(ack, |(first, _)| first), ack));
        for hole in &mut self.holes {
            if hole.acknowledged.is_none() && ack.distance(hole.to) >= 0 {
                hole.acknowledged = acknowledged;
                missing += hole.len();
            }
        }
        let from = self.reached.unwrap_or(SeqNumber(ack.0.wrapping_sub(BEFORE)));
        if ack.distance(from) > 0 {
            let hole = Hole { from, to: ack, acknowledged };
            missing += if self.reached.is_some() { hole.len() } else { 0 };
            self.note(hole);
            self.reached = Some(ack);
        }
        missing
    }

    /// Bytes that the peer acknowledged while it was watched.
    fn acknowledged_bytes(&self) -> u64 {
        self.acknowledged.map_or(0, |(first, last)| u64::try_from(last.distance(first)).unwrap_or(0))
    }
}
