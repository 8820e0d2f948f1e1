//! Several capture threads on one tap: each has its own flows, and packets that the kernel spread wrongly change lanes.
//!
//! The kernel keeps the two directions of a plain connection on one lane. It looks at the outer addresses of tunnels, where
//! the directions of one inner connection may differ: such packets go to the lane that owns the inner connection. A
//! packet that changes lanes is copied, once, and travels in batches over a bounded channel; a tap never waits, so what
//! finds no room there is dropped and counted.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tapwire_protocol::{BodyPart, Exchange};
use tapwire_wire::{FlowKey, LinkType, Packet, Segment, SourceId, Timestamp};

/// Packets that change lanes together.
const BATCH: usize = 32;
/// Batches that wait for a lane.
const CHANNEL: usize = 256;
/// Numbers of connections and messages within a lane lie below this bit, so that those of two lanes differ.
const LANE_SHIFT: u32 = 48;

/// A packet on its way to another lane.
struct Moved {
    time: Timestamp,
    link: LinkType,
    wire_len: u32,
    frame: u64,
    source: SourceId,
    data: Vec<u8>,
}

impl Moved {
    fn new(packet: &Packet<'_>) -> Self {
        let Packet { time, link, wire_len, frame, source, data } = *packet;
        Self { time, link, wire_len, frame, source, data: data.to_vec() }
    }

    fn packet(&self) -> Packet<'_> {
        let Self { time, link, wire_len, frame, source, ref data } = *self;
        Packet { time, link, data, wire_len, frame, source }
    }
}

/// What became of packets that the kernel gave to another lane than the one that owns their connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneCounters {
    /// Handed to their lane.
    pub handed_over: u64,
    /// Dropped, because their lane had no room: they were received and reached no decoder.
    pub lane_full: u64,
}

impl LaneCounters {
    pub(crate) const fn add(&mut self, other: Self) {
        self.handed_over += other.handed_over;
        self.lane_full += other.lane_full;
    }
}

/// A lane's way to the others.
pub(crate) struct Lane {
    number: usize,
    inbox: Receiver<Vec<Moved>>,
    /// To every lane; what is meant for this one never uses its own.
    outboxes: Vec<Sender<Vec<Moved>>>,
    pending: Vec<Vec<Moved>>,
    counters: LaneCounters,
}

/// So many lanes that reach each other; nothing where there is one.
pub(crate) fn connected(count: usize) -> Vec<Option<Lane>> {
    if count < 2 {
        return vec![None];
    }
    let (outboxes, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| bounded(CHANNEL)).unzip();
    let lane = |(number, inbox)| {
        let pending = (0..count).map(|_| Vec::new()).collect();
        let counters = LaneCounters::default();
        Some(Lane { number, inbox, outboxes: outboxes.clone(), pending, counters })
    };
    inboxes.into_iter().enumerate().map(lane).collect()
}

impl Lane {
    /// The lane that owns this packet's connection, where it is another one. Only tunnels can be spread wrongly; a segment
    /// that was put together from fragments stays, since its last packet alone says nothing elsewhere.
    pub(crate) fn owner(&self, packet: &Packet<'_>, segment: &Segment<'_>) -> Option<usize> {
        if segment.overlay.tunnels.is_empty() || !lies_in(packet.data, segment.payload) {
            return None;
        }
        let owner = owner(&segment.key, self.outboxes.len());
        (owner != self.number).then_some(owner)
    }

    /// Sends a packet to its lane, with others.
    pub(crate) fn hand_over(&mut self, packet: &Packet<'_>, to: usize) {
        let Some(pending) = self.pending.get_mut(to) else { return };
        pending.push(Moved::new(packet));
        if pending.len() >= BATCH {
            self.send(to);
        }
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) {
        (0..self.pending.len()).for_each(|to| self.send(to));
    }

    fn send(&mut self, to: usize) {
        let Some(pending) = self.pending.get_mut(to).filter(|pending| !pending.is_empty()) else { return };
        let batch = std::mem::take(pending);
        let count = batch.len() as u64;
        match self.outboxes.get(to).map(|outbox| outbox.try_send(batch)) {
            Some(Ok(())) => self.counters.handed_over += count,
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => {
                self.counters.lane_full += count;
            }
        }
    }

    /// Hands on packets that other lanes sent, as many as there are now.
    pub(crate) fn receive(&self, mut deliver: impl FnMut(&Packet<'_>)) {
        for batch in self.inbox.try_iter() {
            batch.iter().for_each(|moved| deliver(&moved.packet()));
        }
    }

    /// Sends the rest, and hands on what comes until every other lane has done the same.
    pub(crate) fn finish(&mut self, mut deliver: impl FnMut(&Packet<'_>)) -> LaneCounters {
        self.flush();
        self.outboxes.clear();
        for batch in self.inbox.iter() {
            batch.iter().for_each(|moved| deliver(&moved.packet()));
        }
        self.counters
    }
}

/// Both directions of a connection have one key, and so one owner.
fn owner(key: &FlowKey, lanes: usize) -> usize {
    let mut hasher = std::hash::DefaultHasher::new();
    key.hash(&mut hasher);
    usize::try_from(hasher.finish() % lanes.max(1) as u64).unwrap_or(0)
}

/// One without bytes may stand at the end.
fn lies_in(whole: &[u8], part: &[u8]) -> bool {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    whole.start <= part.start && part.end <= whole.end
}

/// Numbers what several lanes send to one analyst: exchanges in the order in which lanes finish them.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    exchanges: Arc<AtomicU64>,
    lane: u64,
}

impl Numbers {
    /// For each of so many lanes.
    pub(crate) fn of_lanes(count: usize) -> Vec<Self> {
        let exchanges = Arc::new(AtomicU64::new(0));
        (0..count as u64).map(|lane| Self { exchanges: Arc::clone(&exchanges), lane }).collect()
    }

    /// The first of so many numbers that follow each other.
    pub(crate) fn take(&self, count: u64) -> u64 {
        self.exchanges.fetch_add(count, Ordering::Relaxed) + 1
    }

    pub(crate) fn exchange(&self, exchange: &mut Exchange) {
        exchange.number = self.take(1);
        self.tag(&mut exchange.flow.id);
        for half in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            self.tag(&mut half.id.0);
        }
    }

    pub(crate) const fn part(&self, part: &mut BodyPart) {
        self.tag(&mut part.flow);
        self.tag(&mut part.message.0);
    }

    const fn tag(&self, id: &mut u64) {
        *id |= self.lane << LANE_SHIFT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(data: &[u8], frame: u64) -> Packet<'_> {
        let (time, link, source) = (Timestamp::MIN, LinkType::ETHERNET, SourceId(0));
        Packet { time, link, data, wire_len: u32::try_from(data.len()).unwrap(), frame, source }
    }

    #[test]
    fn what_was_put_together_lies_in_no_packet_though_it_is_empty() {
        let (packet, other) = (vec![0_u8; 60], vec![0_u8; 60]);
        assert!(lies_in(&packet, &packet[60..]) && lies_in(&packet, &packet[54..]));
        assert!(!lies_in(&packet, &other[40..40]) && !lies_in(&packet, &other[40..]));
    }

    #[test]
    fn what_finds_no_room_on_the_way_to_its_lane_is_dropped_and_counted() {
        let mut lanes: Vec<Lane> = connected(2).into_iter().flatten().collect();
        let (mut second, mut first) = (lanes.pop().unwrap(), lanes.pop().unwrap());
        let room = (BATCH * CHANNEL) as u64;
        for frame in 1..=room + 50 {
            first.hand_over(&packet(b"moved", frame), 1);
        }
        first.flush();
        assert_eq!(first.counters, LaneCounters { handed_over: room, lane_full: 50 });

        let mut frames = Vec::new();
        second.receive(|packet| frames.push(packet.frame));
        assert_eq!(frames, (1..=room).collect::<Vec<_>>(), "in their order");
        first.hand_over(&packet(b"again", 7), 1);
        first.flush();
        let ended = std::thread::scope(|scope| {
            let first = scope.spawn(|| first.finish(|_| ()));
            second.finish(|packet| frames.push(packet.frame));
            first.join().unwrap()
        });
        assert_eq!((frames.last(), frames.len() as u64), (Some(&7), room + 1), "there is room again");
        assert_eq!(ended, LaneCounters { handed_over: room + 1, lane_full: 50 });
    }
}
