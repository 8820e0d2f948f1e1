//! Where the bytes of chosen exchanges lie: an event names the packet with a message's last byte, and only that packet
//! tells its sequence number.

use super::choose::{Chosen, Half, Mark, Spot};
use super::places::{Connection, Places, Stretch, connections};
use std::collections::{BTreeMap, HashMap};
use tapwire_capture::FileInterface;
use tapwire_pipeline::{Follower, Member};
use tapwire_protocol::{Exchange, Uid};
use tapwire_wire::{Packet, Side, Timestamp};

/// A PROXY header is no longer: version 2 with all that a sender may append usually fits into 536 bytes, and the first
/// packet is taken whole.
const LONGEST_PREFACE: u64 = 536;

/// Half `half` of spot `spot`.
#[derive(Debug, Clone, Copy)]
struct Which {
    spot: usize,
    half: usize,
}

/// When each side of a connection began to speak last: counted packets.
#[derive(Debug, Clone, Copy, Default)]
struct Turns {
    speaker: Option<Side>,
    lower: Option<u64>,
    upper: Option<u64>,
    /// Turns so far, both sides together.
    count: u64,
}

impl Turns {
    fn spoke(&mut self, side: Side, number: u64) {
        if self.speaker.replace(side) != Some(side) {
            self.count += 1;
            *match side {
                Side::Lower => &mut self.lower,
                Side::Upper => &mut self.upper,
            } = Some(number);
        }
    }

    const fn of(&self, side: Side) -> Option<u64> {
        match side {
            Side::Lower => self.lower,
            Side::Upper => self.upper,
        }
    }
}

/// What is known of a half so far.
#[derive(Debug, Clone, Copy, Default)]
struct Located {
    stretch: Option<Stretch>,
    /// Its first and last packet, counted along the connection.
    window: Option<(u64, u64)>,
}

/// Finds the stretches and windows of chosen exchanges while the capture passes.
pub(crate) struct Locator<'s> {
    spots: &'s [Spot],
    connections: BTreeMap<u64, Connection>,
    marks: HashMap<(u64, Mark), Vec<Which>>,
    located: Vec<Vec<Located>>,
    turns: BTreeMap<u64, Turns>,
    /// When the last answer of a connection ended.
    answered: BTreeMap<u64, Timestamp>,
    /// The sides whose first bytes are wanted too.
    prefaced: BTreeMap<u64, Side>,
    /// Whether a datagram of their connections came in fragments.
    in_fragments: bool,
}

impl<'s> Locator<'s> {
    pub(crate) fn new(chosen: &'s Chosen) -> Self {
        let spots = chosen.spots.as_slice();
        let mut marks: HashMap<(u64, Mark), Vec<Which>> = HashMap::new();
        for (spot, about) in spots.iter().enumerate() {
            for (half, place) in about.halves.iter().enumerate() {
                for mark in [place.first, place.last] {
                    marks.entry((about.connection, mark)).or_default().push(Which { spot, half });
                }
            }
        }
        Self {
            spots,
            connections: connections(chosen),
            marks,
            located: spots.iter().map(|spot| vec![Located::default(); spot.halves.len()]).collect(),
            turns: BTreeMap::new(),
            answered: BTreeMap::new(),
            prefaced: spots.iter().filter_map(|spot| Some((spot.connection, spot.proxied?))).collect(),
            in_fragments: false,
        }
    }

    /// Whether packets are wanted that are fragments.
    pub(crate) const fn in_fragments(&self) -> bool {
        self.in_fragments
    }

    /// What was found, for another pass from the beginning.
    pub(crate) fn into_places(mut self, exact: bool) -> Places {
        for (spot, halves) in self.spots.iter().zip(&self.located) {
            let Some(connection) = self.connections.get_mut(&spot.connection) else { continue };
            for (half, located) in spot.halves.iter().zip(halves) {
                let stretch = located.stretch.map(|stretch| (stretch, spot.uid));
                connection.direction(half.side).stretches.extend(stretch);
            }
            let windows = || halves.iter().filter_map(|half| half.window);
            let (first, last) =
                (windows().map(|(first, _)| first).min(), windows().map(|(_, last)| last).max());
            connection.windows.extend(first.zip(last));
            connection.entire |= !spot.whole;
        }
        self.connections.values_mut().for_each(settle);
        Places::new(self.connections, exact)
    }

    fn see(&mut self, packet: &Packet<'_>, member: &Member<'_>) {
        let Some(connection) = self.connections.get_mut(&member.connection) else { return };
        connection.packets += 1;
        self.in_fragments |= !member.earlier.is_empty();
        let number = connection.packets;
        let direction = connection.direction(member.segment.side);
        let place = direction.unwrapping.place(member.segment.seq);
        let mut stretch = Stretch::of(&member.segment, place);
        if self.prefaced.get(&member.connection) == Some(&member.segment.side)
            && direction.preface.is_none()
            && !member.segment.payload.is_empty()
        {
            let to = super::places::Place(stretch.from.0 + LONGEST_PREFACE);
            direction.preface = Some(Stretch { from: stretch.from, to });
        }
        let mark = Mark { frame: packet.frame, time: packet.time };
        for which in self.marks.get(&(member.connection, mark)).map(Vec::as_slice).unwrap_or_default() {
            let Some(spot) = self.spots.get(which.spot) else { continue };
            let Some(half) = spot.halves.get(which.half) else { continue };
            let located = self.located.get_mut(which.spot).and_then(|halves| halves.get_mut(which.half));
            let Some(located) = located.filter(|_| half.side == member.segment.side) else { continue };
            if mark == half.first {
                let direction = connection.direction(member.segment.side);
                let from = direction.unwrapping.learn(stretch.from, half.at);
                stretch =
                    Stretch { to: super::places::Place(from.0 + (stretch.to.0 - stretch.from.0)), from };
            }
            // The message of the peer before this one acknowledges all that came before, which proves the pair.
            let turns = self.turns.get(&member.connection);
            let before = turns.and_then(|turns| turns.of(half.side.peer())).filter(|_| mark == half.first);
            // Before the first that was seen is nothing, or the rest of a message: only what follows proves it.
            let early = turns.is_none_or(|turns| turns.count < 3) && mark == half.first;
            connection.entire |= spot.joined_late && early;
            let number = before.unwrap_or(number);
            located.see(half, stretch, number);
        }
        if !member.segment.payload.is_empty() {
            self.turns.entry(member.connection).or_default().spoke(member.segment.side, number);
        }
    }
}

impl Located {
    fn see(&mut self, half: &Half, packet: Stretch, number: u64) {
        let to = self.stretch.map_or(packet.to, |known| known.to.max(packet.to));
        self.stretch = Some(Stretch { from: half.at, to });
        let (first, last) = self.window.unwrap_or((number, number));
        self.window = Some((first.min(number), last.max(number)));
    }
}

/// Sorts what was found and goes back to the connection's beginning.
fn settle(connection: &mut Connection) {
    connection.packets = 0;
    for side in [Side::Lower, Side::Upper] {
        let direction = connection.direction(side);
        direction.unwrapping = direction.unwrapping.again();
        direction.stretches.sort_unstable_by_key(|(stretch, uid): &(Stretch, Uid)| (*stretch, *uid));
    }
    connection.windows.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(connection.windows.len());
    for (first, last) in std::mem::take(&mut connection.windows) {
        match merged.last_mut().filter(|(_, end)| first <= *end) {
            Some((_, end)) => *end = last.max(*end),
            None => merged.push((first, last)),
        }
    }
    connection.windows = merged;
}

impl Follower for Locator<'_> {
    fn packet(&mut self, packet: &Packet<'_>, _interface: &FileInterface, member: Option<Member<'_>>) {
        if let Some(member) = member {
            self.see(packet, &member);
        }
    }

    /// A client that sends its next request before the answer has ended does not wait. What its acknowledgements say proves
    /// nothing, so that its answers are told apart by counting, from the beginning.
    fn exchange(&mut self, exchange: &Exchange, _source: &str) {
        let Some(connection) = self.connections.get_mut(&exchange.flow.id) else { return };
        let before = self.answered.get(&exchange.flow.id).copied().unwrap_or(Timestamp::MIN);
        if let Some(request) = &exchange.request {
            connection.entire |= request.started < before;
        }
        if let Some(response) = &exchange.response {
            self.answered.insert(exchange.flow.id, before.max(response.ended));
        }
    }
}
