//! Feeds the packet ring: the capture thread copies packets into blocks, a thread of its own seals and writes them.
//!
//! On a tap the ring is the first thing that is shed: a block that finds no room is dropped and counted, and so is
//! every packet while anything else is shed. A file waits.

use crate::ShedLevel;
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
}

impl Recorder {
    /// Starts the writer of `ring`.
    pub(crate) fn start(ring: PacketRing, pressure: Pressure) -> Self {
        let (blocks, written) = bounded(BLOCKS);
        let (recycle, empty) = bounded(BLOCKS);
        let (pin, pins) = bounded(PINS);
        let writer = std::thread::spawn(move || write(ring, &written, &pins, &recycle));
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
        }
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

/// The writer's thread: until the capture ends.
fn write(
    mut ring: PacketRing,
    blocks: &Receiver<Block>,
    pins: &Receiver<(u64, i64)>,
    recycle: &Sender<Block>,
) -> (RingCounters, Option<StoreError>) {
    let mut trouble = None;
    let mut note = |result: Result<(), StoreError>| {
        if let Err(error) = result {
            trouble.get_or_insert(error);
        }
    };
    for mut block in blocks {
        pins.try_iter().for_each(|(label, time)| note(ring.pin(label, time)));
        note(ring.append(&mut block));
        let _ = recycle.try_send(block);
    }
    pins.try_iter().for_each(|(label, time)| note(ring.pin(label, time)));
    let counters = *ring.counters();
    note(ring.finish().map(|_| ()));
    (counters, trouble)
}
