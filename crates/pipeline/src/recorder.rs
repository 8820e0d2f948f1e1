//! Feeds the packet ring: the capture thread copies packets into blocks, a thread of its own seals and writes them.
//!
//! On a tap the ring is the first thing that is shed: a block that finds no room is dropped and counted, and so is
//! every packet while anything else is shed. A file waits.

use crate::keeper::SAY_EVERY;
use crate::{Notice, ShedLevel};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tapwire_capture::Pressure;
use tapwire_store::{Block, PacketRing, Record, RingCounters, StoreError};
use tapwire_wire::{FlowKey, Packet, Side, Skip, SkipReason, Timestamp};

/// Bytes of a block: a tag and a write for some hundred packets.
const BLOCK: usize = 256 << 10;

/// Blocks between the two threads: 8 MiB, which outlast a disk that stands still for some milliseconds.
const BLOCKS: usize = 32;

/// Pins that may wait for the writer; more findings at once than that are a flood.
const PINS: usize = 4_096;
/// Notices that wait to be told.
const NOTICES: usize = 8;

/// How old a packet may get before its block is written, on a tap.
const OLDEST: Duration = Duration::from_secs(1);

/// What became of the packets that passed the ring. `offered = ring.written + ring.failed + behind + shed`.
#[derive(Debug, Default)]
pub struct PacketCounters {
    /// Packets of connections, and fragments of them: what is kept.
    pub offered: u64,
    /// Packets of no connection: not kept.
    pub no_connection: u64,
    /// Dropped because the writer was behind.
    pub behind: u64,
    /// Dropped because other work was being shed.
    pub shed: u64,
    /// What the ring counted.
    pub ring: RingCounters,
    /// The first trouble with writing.
    pub error: Option<StoreError>,
}

/// The label of a connection's packets in the ring: the same in every version, since packets outlive the program.
pub fn packet_label(key: &FlowKey) -> u64 {
    let mut hash = SipHasher13::new();
    for side in [Side::Lower, Side::Upper] {
        let end = key.endpoint(side);
        hash.write(end.octets());
        hash.write(&end.port.to_be_bytes());
    }
    hash.write(&key.tenant.to_be_bytes());
    hash.finish().max(1)
}

/// What a packet belongs to, as the ring sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Belongs {
    /// A connection.
    To(FlowKey),
    /// A connection that only another fragment names.
    Somewhere,
    /// No connection.
    Nowhere,
}

impl Belongs {
    /// Of a packet that is no segment by itself.
    pub(crate) fn of(skip: Skip) -> Self {
        match skip.reason {
            // What contradicts the fragments before it is evidence.
            SkipReason::Fragment | SkipReason::FragmentDropped => Self::Somewhere,
            _ => Self::Nowhere,
        }
    }
}

/// Names connections that findings are about to the ring.
#[derive(Debug, Clone)]
pub(crate) struct Pinner(Sender<(u64, i64)>);

impl Pinner {
    pub(crate) fn pin(&self, key: &FlowKey, time: Timestamp) {
        // Where so many wait that this is full, the oldest of a flood of findings are pinned.
        let _ = self.0.try_send((packet_label(key), time.nanos()));
    }
}

/// The capture thread's end.
pub(crate) struct Recorder {
    block: Block,
    begun: Instant,
    /// The connection of the last packet: packets come in bursts.
    last: Option<(FlowKey, u64)>,
    blocks: Sender<Block>,
    empty: Receiver<Block>,
    pressure: Pressure,
    counters: PacketCounters,
    pinner: Pinner,
    writer: JoinHandle<(RingCounters, Option<StoreError>)>,
    notices: Receiver<Notice>,
}

impl Recorder {
    /// Starts the writer of `ring`.
    pub(crate) fn start(ring: PacketRing, pressure: Pressure) -> Self {
        let (blocks, written) = bounded(BLOCKS);
        let (recycle, empty) = bounded(BLOCKS);
        let (pin, pins) = bounded(PINS);
        let (tell, notices) = bounded(NOTICES);
        let writer = std::thread::spawn(move || Writing::new(ring, tell).write(&written, &pins, &recycle));
        Self {
            block: Block::with_capacity(BLOCK),
            begun: Instant::now(),
            last: None,
            blocks,
            empty,
            pressure,
            counters: PacketCounters::default(),
            pinner: Pinner(pin),
            writer,
            notices,
        }
    }

    /// What a person should know at once.
    pub(crate) fn notices(&self) -> impl Iterator<Item = Notice> {
        self.notices.try_iter()
    }

    pub(crate) fn pinner(&self) -> Pinner {
        self.pinner.clone()
    }

    /// A packet, and what it belongs to.
    pub(crate) fn packet(&mut self, packet: &Packet<'_>, belongs: Belongs, level: ShedLevel) {
        if matches!(belongs, Belongs::Nowhere) {
            self.counters.no_connection += 1;
            return;
        }
        self.counters.offered += 1;
        if level > ShedLevel::None {
            self.counters.shed += 1;
            return;
        }
        let label = match belongs {
            Belongs::To(key) => self.label(key),
            Belongs::Somewhere | Belongs::Nowhere => 0,
        };
        self.keep(packet, label);
    }

    fn label(&mut self, key: FlowKey) -> u64 {
        match self.last {
            Some((last, label)) if last == key => label,
            _ => {
                let label = packet_label(&key);
                self.last = Some((key, label));
                label
            }
        }
    }

    fn keep(&mut self, packet: &Packet<'_>, label: u64) {
        if self.block.len() + packet.data.len() + 64 > BLOCK {
            self.send();
        }
        self.block.push(&Record {
            time: packet.time.nanos(),
            label,
            frame: packet.frame,
            link: packet.link.0,
            wire_len: packet.wire_len,
            source: packet.source.0,
            data: packet.data,
        });
    }

    /// Between batches of packets: what has waited long enough goes.
    pub(crate) fn tick(&mut self) {
        if self.pressure == Pressure::Shed && self.begun.elapsed() >= OLDEST {
            self.send();
        }
    }

    fn send(&mut self) {
        self.begun = Instant::now();
        if self.block.is_empty() {
            return;
        }
        let fresh = self.empty.try_recv().unwrap_or_else(|_| Block::with_capacity(BLOCK));
        let block = std::mem::replace(&mut self.block, fresh);
        let unsent = match self.pressure {
            Pressure::Block => self.blocks.send(block).err().map(|unsent| unsent.0),
            Pressure::Shed => match self.blocks.try_send(block) {
                Ok(()) => None,
                Err(TrySendError::Full(block) | TrySendError::Disconnected(block)) => Some(block),
            },
        };
        if let Some(mut block) = unsent {
            self.counters.behind += block.packets();
            block.clear();
            self.block = block;
        }
    }

    /// Writes the rest, and waits until that is done.
    pub(crate) fn finish(mut self) -> PacketCounters {
        self.pressure = Pressure::Block;
        self.send();
        let Self { mut counters, blocks, pinner, writer, .. } = self;
        drop((blocks, pinner));
        if let Ok((ring, error)) = writer.join() {
            counters.ring = ring;
            counters.error = error;
        }
        counters
    }
}

/// The writer's thread.
struct Writing {
    ring: PacketRing,
    /// The first trouble, for the report.
    trouble: Option<StoreError>,
    tell: Sender<Notice>,
    /// When it was said last that packets are not kept, and how many had failed before these.
    said: Option<(Instant, u64)>,
}

impl Writing {
    const fn new(ring: PacketRing, tell: Sender<Notice>) -> Self {
        Self { ring, trouble: None, tell, said: None }
    }

    /// Until the capture ends.
    fn write(
        mut self,
        blocks: &Receiver<Block>,
        pins: &Receiver<(u64, i64)>,
        recycle: &Sender<Block>,
    ) -> (RingCounters, Option<StoreError>) {
        for mut block in blocks {
            self.pin(pins);
            self.append(&mut block);
            let _ = recycle.try_send(block);
        }
        self.pin(pins);
        let counters = *self.ring.counters();
        let last = self.ring.finish().err();
        (counters, self.trouble.or(last))
    }

    fn pin(&mut self, pins: &Receiver<(u64, i64)>) {
        for (label, time) in pins.try_iter() {
            if let Err(error) = self.ring.pin(label, time) {
                self.trouble.get_or_insert(error);
            }
        }
    }

    fn append(&mut self, block: &mut Block) {
        let failed = self.ring.counters().failed;
        let result = self.ring.append(block);
        let now_failed = self.ring.counters().failed;
        if now_failed == failed
            && let Some((_, before)) = self.said.take()
        {
            let _ = self.tell.try_send(Notice::PacketsKept(now_failed - before));
        }
        let Err(error) = result else { return };
        let is_due = self.said.is_none_or(|(said, _)| said.elapsed() >= SAY_EVERY);
        if now_failed > failed && is_due {
            let before = self.said.map_or(failed, |(_, before)| before);
            self.said = Some((Instant::now(), before));
            let _ = self.tell.try_send(Notice::PacketsUnkept(error.clone()));
        }
        self.trouble.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_store::Store;

    fn block() -> Block {
        let mut block = Block::with_capacity(1_000);
        let data = &[7; 100];
        block.push(&Record { time: 1, label: 1, frame: 1, link: 1, wire_len: 100, source: 0, data });
        block
    }

    #[test]
    fn that_packets_are_not_kept_is_said_at_once_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let ring = store.packet_ring(1 << 20, &["eth0".to_owned()]).unwrap();
        let (tell, told) = bounded(NOTICES);
        let mut writing = Writing::new(ring, tell);
        let room = folder.path().join("packets");
        std::fs::rename(&room, folder.path().join("away")).unwrap();
        (0..3).for_each(|_| writing.append(&mut block()));
        let notice = told.try_recv().unwrap().to_string();
        assert!(notice.starts_with("packets are not kept: cannot write packets to "), "{notice}");
        assert!(told.is_empty());
        std::fs::rename(folder.path().join("away"), &room).unwrap();
        (0..3).for_each(|_| writing.append(&mut block()));
        assert_eq!(told.try_recv().unwrap().to_string(), "packets are kept again; 3 were not");
        assert!(told.is_empty());
    }
}
