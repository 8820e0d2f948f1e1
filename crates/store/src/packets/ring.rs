//! Writes the ring: segments until the budget is used, then the oldest goes, and what findings pinned in it stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ring::aead::LessSafeKey;

use super::block::{Block, Records};
use super::pins::Pins;
use super::reader::{SegmentFile, segments};
use super::seal::Kind;
use super::segment::{SegmentReader, SegmentWriter};
use super::{ROOM, key};
use crate::{StoreError, files};

/// Bytes of a usual segment; of a small budget a sixteenth, so that little is lost with the oldest.
const SEGMENT: u64 = 64 << 20;

/// Packets of findings are copied out of a segment in pieces of about this size.
const PIECE: usize = 1 << 20;

/// Of the budget, this part is for what findings pinned, 1/n.
const PINNED_SHARE: u64 = 4;

/// What became of packets behind the ring's door. `written = in the ring + evicted`; what was pinned is in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RingCounters {
    /// Packets written.
    pub written: u64,
    /// Bytes of them, with what is kept about each.
    pub written_bytes: u64,
    /// Packets that could not be written.
    pub failed: u64,
    /// Segments begun.
    pub segments: u64,
    /// Segments deleted because the budget was used up.
    pub evicted_segments: u64,
    /// Packets of findings that were kept from a segment that was deleted.
    pub pinned: u64,
    /// Bytes of deleted segments that may have held packets of findings, and could not be read or copied out.
    pub unrescued_bytes: u64,
    /// Segments of pinned packets that were deleted because their share of the budget was used up.
    pub evicted_pinned_segments: u64,
    /// Connections that findings pinned.
    pub pins: u64,
    /// Findings that could not pin: too many connections are pinned.
    pub refused_pins: u64,
}

/// The one writer of the ring.
pub struct PacketRing {
    room: PathBuf,
    key: LessSafeKey,
    names: Vec<String>,
    /// Bytes of a segment, of the ring, and of what is pinned.
    segment_bytes: u64,
    ring_budget: u64,
    pinned_budget: u64,
    segments: Vec<SegmentFile>,
    current: Option<Writing>,
    pinned: Option<Writing>,
    pins: Pins,
    next: u64,
    counters: RingCounters,
}

impl std::fmt::Debug for PacketRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PacketRing({}, {:?})", self.room.display(), self.counters)
    }
}

struct Writing {
    about: SegmentFile,
    writer: SegmentWriter,
}

impl PacketRing {
    /// Opens the ring of a data directory; what an earlier run left counts towards the budget.
    pub(crate) fn open(directory: &Path, budget: u64, names: &[String]) -> Result<Self, StoreError> {
        let room = directory.join(ROOM);
        files::private_directory(&room)?;
        let key = key::read_or_make(directory)?;
        let failed = |e: io::Error| StoreError::io("open the packets in", &room, &e);
        let segments = segments(&room).map_err(failed)?;
        let pins = Pins::open(&room).map_err(failed)?;
        let next = segments.iter().map(|segment| segment.number + 1).max().unwrap_or(1);
        let pinned_budget = budget / PINNED_SHARE;
        Ok(Self {
            key,
            names: names.to_vec(),
            segment_bytes: SEGMENT.min(budget / 16).max(1),
            ring_budget: budget - pinned_budget,
            pinned_budget,
            segments,
            current: None,
            pinned: None,
            pins,
            next,
            counters: RingCounters::default(),
            room,
        })
    }

    /// What happened so far.
    pub const fn counters(&self) -> &RingCounters {
        &self.counters
    }

    /// Writes a block and empties it. Where that fails its packets are counted, and the next block begins a new segment. Where
    /// nothing could be rescued of what goes for it, it is written all the same.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn append(&mut self, block: &mut Block) -> Result<(), StoreError> {
        let (packets, bytes) = (block.packets(), block.len() as u64);
        if packets == 0 {
            return Ok(());
        }
        let mut rescued = Ok(());
        let written = self.make_room(bytes, &mut rescued).and_then(|()| self.write(block));
        block.clear();
        match written {
            Ok(()) => {
                self.counters.written += packets;
                self.counters.written_bytes += bytes;
                rescued.map_err(|error| StoreError::io("keep packets of findings in", &self.room, &error))
            }
            Err(error) => {
                self.counters.failed += packets;
                // What is in the file can be read up to there, and counts until it is deleted.
                self.segments.extend(self.current.take().map(|open| {
                    let bytes = open.writer.bytes();
                    SegmentFile { bytes, ..open.about }
                }));
                Err(StoreError::io("write packets to", &self.room, &error))
            }
        }
    }

    /// A finding is about this connection: its packets outlive their segments. `time` is that of the finding's packets.
    ///
    /// # Errors
    /// The path and the system's reason; until the end of the run it is pinned nevertheless.
    pub fn pin(&mut self, label: u64, time: i64) -> Result<(), StoreError> {
        let known = self.pins.contains(label);
        match self.pins.add(label, time) {
            Ok(true) => self.counters.pins += 1,
            Ok(false) if known => {}
            Ok(false) => self.counters.refused_pins += 1,
            Err(error) => return Err(StoreError::io("pin packets in", &self.room, &error)),
        }
        Ok(())
    }

    /// Finishes the segments that are being written.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn finish(mut self) -> Result<RingCounters, StoreError> {
        let room = self.room.clone();
        let failed = |e: io::Error| StoreError::io("write packets to", &room, &e);
        for writing in [self.current.take(), self.pinned.take()].into_iter().flatten() {
            writing.writer.finish().map_err(failed)?;
        }
        Ok(self.counters)
    }

    fn write(&mut self, block: &mut Block) -> io::Result<()> {
        if let Some(full) = self.current.take_if(|current| current.writer.bytes() >= self.segment_bytes) {
            self.close(full)?;
        }
        if self.current.is_none() {
            self.current = Some(self.begin(false)?);
            self.counters.segments += 1;
        }
        self.current.as_mut().map_or(Ok(()), |current| current.writer.append(block))
    }

    fn begin(&mut self, pinned: bool) -> io::Result<Writing> {
        let about = SegmentFile::new(&self.room, self.next, pinned);
        self.next += 1;
        let writer = SegmentWriter::create(&about.path, &self.key, about.number, &self.names)?;
        Ok(Writing { about, writer })
    }

    fn close(&mut self, writing: Writing) -> io::Result<()> {
        let Writing { mut about, writer } = writing;
        about.bytes = writer.finish()?;
        self.segments.push(about);
        Ok(())
    }

    fn used(&self, pinned: bool) -> u64 {
        let open = if pinned { &self.pinned } else { &self.current };
        let closed = self.segments.iter().filter(|segment| segment.pinned == pinned);
        closed.map(|segment| segment.bytes).sum::<u64>() + open.as_ref().map_or(0, |open| open.writer.bytes())
    }

    /// Deletes the oldest segments until there is room for so many more bytes. `rescued` is why something in them was not kept.
    fn make_room(&mut self, bytes: u64, rescued: &mut io::Result<()>) -> io::Result<()> {
        while self.used(false) + bytes > self.ring_budget {
            let Some(oldest) = self.take_oldest(false) else { break };
            match self.rescue(&oldest) {
                Ok(unread) => self.counters.unrescued_bytes += unread,
                Err(error) => {
                    self.counters.unrescued_bytes += oldest.bytes;
                    *rescued = Err(error);
                }
            }
            remove(&oldest.path)?;
            self.counters.evicted_segments += 1;
        }
        Ok(())
    }

    fn take_oldest(&mut self, pinned: bool) -> Option<SegmentFile> {
        let of_kind = self.segments.iter().enumerate().filter(|(_, segment)| segment.pinned == pinned);
        let (at, _) = of_kind.min_by_key(|(_, segment)| segment.number)?;
        Some(self.segments.remove(at))
    }

    /// Copies what is pinned out of a segment that is about to be deleted. Gives the bytes that could not be read, in which
    /// something may have been pinned.
    fn rescue(&mut self, segment: &SegmentFile) -> io::Result<u64> {
        if self.pins.is_empty() {
            return Ok(0);
        }
        let mut reader = match SegmentReader::open(&segment.path, &self.key) {
            Ok(Some(reader)) => reader,
            Ok(None) => return Ok(segment.bytes),
            // Whoever deleted it by hand wanted it gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(segment.bytes),
            Err(error) => return Err(error),
        };
        let index = reader.index()?;
        let first = index.as_ref().and_then(|index| index.span).map(|(first, _)| first);
        let expired = first.map_or(Ok(()), |first| self.pins.expire(first));
        let blocks = index.map(|index| {
            let pinned = index.entries.iter().filter(|(label, _)| self.pins.contains(*label));
            pinned.map(|(_, block)| *block).collect::<std::collections::BTreeSet<u32>>()
        });
        let mut kept = Block::default();
        loop {
            let wanted = blocks.as_ref().is_none_or(|blocks| blocks.contains(&reader.position()));
            if !wanted {
                if reader.pass()? { continue } else { break }
            }
            let Some((kind, bytes)) = reader.read()? else { break };
            if kind == Kind::Packets {
                Records::new(bytes)
                    .filter(|record| self.pins.contains(record.label))
                    .for_each(|r| kept.push(&r));
            }
            // All at once may be more than a block holds.
            if kept.len() >= PIECE {
                self.keep_pinned(&mut kept)?;
            }
        }
        self.keep_pinned(&mut kept)?;
        expired.map(|()| reader.unreadable())
    }

    fn keep_pinned(&mut self, kept: &mut Block) -> io::Result<()> {
        if kept.is_empty() {
            return Ok(());
        }
        let bytes = kept.len() as u64;
        if let Some(full) = self.pinned.take_if(|pinned| pinned.writer.bytes() + bytes >= self.segment_bytes)
        {
            self.close(full)?;
        }
        while self.used(true) + bytes > self.pinned_budget {
            let Some(oldest) = self.take_oldest(true) else { break };
            remove(&oldest.path)?;
            self.counters.evicted_pinned_segments += 1;
        }
        if self.pinned.is_none() {
            self.pinned = Some(self.begin(true)?);
        }
        self.pinned.as_mut().map_or(Ok(()), |pinned| pinned.writer.append(kept))?;
        self.counters.pinned += kept.packets();
        kept.clear();
        Ok(())
    }
}

/// Deletes a segment, which may be gone already.
fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::super::block::Record;
    use super::*;

    #[test]
    fn what_is_pinned_may_be_more_of_a_segment_than_a_block_holds() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = PacketRing::open(folder.path(), 1 << 30, &[]).unwrap();
        (ring.segment_bytes, ring.ring_budget) = (76 << 20, 90 << 20);
        ring.pin(4, 0).unwrap();
        let data = vec![0x5a; 1 << 16];
        let mut block = Block::with_capacity(1 << 20);
        for frame in 0..1_600 {
            // All of the first segment is pinned.
            let label = if frame < 1_200 { 4 } else { 5 };
            let (time, link, wire_len, source) = (0, 1, 99, 1);
            block.push(&Record { time, label, frame, link, wire_len, source, data: &data });
            if block.len() >= 1 << 20 {
                ring.append(&mut block).unwrap();
            }
        }
        let counters = *ring.counters();
        assert_eq!((counters.evicted_segments, counters.unrescued_bytes), (1, 0), "{counters:?}");
        assert_eq!(counters.pinned, 1_200, "{counters:?}");
    }
}
