//! Which packets of a connection belong to which chosen exchange.

use super::choose::Chosen;
use std::collections::BTreeMap;
use tapwire_flow::StreamOffset;
use tapwire_protocol::Uid;
use tapwire_wire::{Segment, SeqNumber, Side, TcpFlags};

/// A position in one direction's stream: the sequence number, unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place(pub(crate) u64);

/// One round of sequence numbers.
const ROUND: u64 = 1 << 32;

impl Place {
    /// Of a byte of an exchange.
    pub(crate) const fn of(at: StreamOffset) -> Self {
        Self(ROUND + at.since(StreamOffset::first(SeqNumber(0))))
    }

    /// Whole rounds from `self` to the same sequence number nearest to `other`.
    fn rounds_to(self, other: Self) -> i64 {
        let distance = other.0.cast_signed() - self.0.cast_signed();
        (distance + (ROUND / 2).cast_signed()).div_euclid(ROUND.cast_signed())
    }

    const fn shifted(self, rounds: i64) -> Self {
        Self(self.0.saturating_add_signed(rounds.saturating_mul(ROUND.cast_signed())))
    }
}

/// Unwraps the sequence numbers of one direction, as they come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unwrapping {
    last: Option<Place>,
    /// What the flow table, which may have begun elsewhere, counts more.
    rounds: i64,
}

impl Unwrapping {
    /// Where a segment's first byte stands.
    pub(crate) fn place(&mut self, seq: SeqNumber) -> Place {
        let fresh = Place(ROUND + u64::from(seq.0));
        let near = |last: Place| fresh.shifted(fresh.rounds_to(last));
        let place = self.last.map_or(fresh, near);
        self.last = Some(place);
        place.shifted(self.rounds)
    }

    /// Learns from a segment that is known to hold the byte at `at`.
    pub(crate) fn learn(&mut self, place: Place, at: Place) -> Place {
        let rounds = place.rounds_to(at);
        self.rounds += rounds;
        place.shifted(rounds)
    }

    /// The same direction from its beginning, with what was learned.
    pub(crate) const fn again(self) -> Self {
        Self { last: None, rounds: self.rounds }
    }
}

/// The stretch of a direction that a packet or a message takes up; the end is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stretch {
    pub(crate) from: Place,
    pub(crate) to: Place,
}

impl Stretch {
    /// Of a segment at `place`. SYN and FIN take one number each (RFC 9293, 3.4); that of SYN is before the first byte.
    pub(crate) fn of(segment: &Segment<'_>, place: Place) -> Self {
        let syn = u64::from(segment.flags.has(TcpFlags::SYN));
        let bytes = segment.payload.len() as u64 + u64::from(segment.cut);
        Self { from: place, to: Place(place.0 + syn + bytes) }
    }

    const fn is_empty(&self) -> bool {
        self.from.0 >= self.to.0
    }

    const fn overlaps(&self, other: &Self) -> bool {
        self.from.0 < other.to.0 && other.from.0 < self.to.0
    }
}

/// What a packet is to the chosen exchanges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Whether the packet is wanted.
    pub(crate) wanted: bool,
    /// The exchanges of which it carries bytes.
    pub(crate) carries: Vec<Uid>,
}

/// One direction of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Direction {
    pub(crate) unwrapping: Unwrapping,
    /// Stretches of chosen messages by where they begin, each with its exchange.
    pub(crate) stretches: Vec<(Stretch, Uid)>,
    /// Packets in front of the first message that are needed to understand it.
    pub(crate) preface: Option<Stretch>,
}

impl Direction {
    /// The exchanges of which a packet carries bytes.
    fn carried(&self, packet: Stretch) -> Vec<Uid> {
        if packet.is_empty() {
            return Vec::new();
        }
        let behind = self.stretches.partition_point(|(stretch, _)| stretch.from < packet.to);
        let before = self.stretches.get(..behind).unwrap_or_default().iter().rev();
        // Messages follow each other, so those that end before the packet have none before them that reach it; but the
        // last packet of one may hold the beginning of the next.
        let near = before.take_while(|(stretch, _)| stretch.to.0 + LONGEST_PACKET > packet.from.0);
        near.filter(|(stretch, _)| stretch.overlaps(&packet)).map(|(_, uid)| *uid).collect()
    }

    /// Whether a SYN, FIN or RST stands at the edge of a chosen message.
    fn is_edge(&self, segment: &Segment<'_>, packet: Stretch) -> bool {
        let ends = segment.flags.0 & (TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) != 0;
        let touches = |(stretch, _): &(Stretch, Uid)| stretch.from == packet.to || stretch.to == packet.from;
        let behind = self.stretches.partition_point(|(stretch, _)| stretch.from <= packet.to);
        ends && self.stretches.get(behind.saturating_sub(2)..behind).unwrap_or_default().iter().any(touches)
    }
}

/// No segment is longer, with what an interface has joined.
const LONGEST_PACKET: u64 = 1 << 18;

/// A connection with chosen exchanges.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    pub(crate) directions: [Direction; 2],
    /// From the first to the last packet of each exchange, counted along the connection; sorted, without overlaps.
    pub(crate) windows: Vec<(u64, u64)>,
    /// Packets so far.
    pub(crate) packets: u64,
    /// Whether all of it is wanted in any case: only from its beginning can be told which answer belongs to which request.
    pub(crate) entire: bool,
}

impl Connection {
    /// That side's direction.
    pub(crate) const fn direction(&mut self, side: Side) -> &mut Direction {
        let [lower, upper] = &mut self.directions;
        match side {
            Side::Lower => lower,
            Side::Upper => upper,
        }
    }

    fn part(&mut self, segment: &Segment<'_>, exact: bool) -> Part {
        self.packets += 1;
        let (packets, entire) = (self.packets, self.entire);
        let direction = self.direction(segment.side);
        let place = direction.unwrapping.place(segment.seq);
        let stretch = Stretch::of(segment, place);
        let carries = direction.carried(stretch);
        let before = direction.preface.is_some_and(|preface| preface.overlaps(&stretch));
        let wanted = !exact || entire || !carries.is_empty() || before || direction.is_edge(segment, stretch);
        Part { wanted: wanted || self.is_within(packets), carries }
    }

    fn is_within(&self, packet: u64) -> bool {
        let next = self.windows.partition_point(|(_, last)| *last < packet);
        self.windows.get(next).is_some_and(|(first, _)| *first <= packet)
    }
}

/// All connections with chosen exchanges.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    connections: BTreeMap<u64, Connection>,
    exact: bool,
}

impl Places {
    pub(crate) const fn new(connections: BTreeMap<u64, Connection>, exact: bool) -> Self {
        Self { connections, exact }
    }

    /// What the connection's next packet is.
    pub(crate) fn part(&mut self, connection: u64, segment: &Segment<'_>) -> Part {
        let exact = self.exact;
        self.connections.get_mut(&connection).map_or_else(Part::default, |found| found.part(segment, exact))
    }
}

/// The connections of what is chosen, nothing located yet.
pub(crate) fn connections(chosen: &Chosen) -> BTreeMap<u64, Connection> {
    let of_exchanges = chosen.spots.iter().map(|spot| (spot.connection, Connection::default()));
    let entire = || Connection { entire: true, ..Connection::default() };
    of_exchanges.chain(chosen.wordless.connections.iter().map(|number| (*number, entire()))).collect()
}
