//! The packet ring as a source of packets.

use crate::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use tapwire_capture::{Pressure, Progress, Source, SourceError, SourceNames, SourceStats, Status};
use tapwire_store::{PacketReader, Reader, Segment, SegmentPackets, StoreError};
use tapwire_wire::{LinkType, Packet, SourceId, Timestamp};

/// Packets kept under a data directory, in the order in which they were captured.
pub(crate) struct RingSource {
    packets: PacketReader,
    directory: PathBuf,
    /// Only these connections.
    labels: Option<BTreeSet<u64>>,
    /// Every name that a segment has; segments of different runs number them differently.
    names: SourceNames,
    /// The segment that is read, with the number of each of its names.
    current: Option<(Box<SegmentPackets>, Vec<u16>)>,
    next: usize,
    stats: SourceStats,
}

impl RingSource {
    /// Opens the ring; with `labels` only what those connections need is read.
    pub(crate) fn open(data: &Path, labels: Option<BTreeSet<u64>>) -> Result<Self, Failure> {
        let packets = Reader::open(data)?.packets().map_err(|error| no_packets(data, &error))?;
        if packets.segments().is_empty() {
            return Err(Failure::new(format!(
                "--data {}: no packets are kept there; set packets.budget, or name captures",
                data.display()
            )));
        }
        let mut names: BTreeMap<String, ()> = BTreeMap::new();
        for segment in packets.segments() {
            if let Segment::Open(opened) = packets.open_segment(segment, None)? {
                names.extend(opened.names().iter().map(|name| (name.clone(), ())));
            }
        }
        let numbered = SourceNames::default();
        for name in names.keys() {
            let _ = numbered.add(name);
        }
        Ok(Self {
            packets,
            directory: data.to_owned(),
            labels,
            names: numbered,
            current: None,
            next: 0,
            stats: SourceStats::default(),
        })
    }

    fn failed(&self, error: &StoreError) -> SourceError {
        SourceError::Io { path: self.directory.clone(), source: io::Error::other(error.to_string()) }
    }

    /// What of the segment before the next one cannot be read.
    fn unreadable(&self, what: &'static str) -> SourceError {
        let before = self.next.checked_sub(1).and_then(|at| self.packets.segments().get(at));
        let path = before.map_or_else(|| self.directory.clone(), |segment| segment.path.clone());
        SourceError::Unreadable { path, what }
    }

    /// Opens the next segment that is still there; `false` behind the last.
    fn open_next(&mut self) -> Result<bool, SourceError> {
        while let Some(segment) = self.packets.segments().get(self.next) {
            self.next += 1;
            let opened = self.packets.open_segment(segment, self.labels.as_ref());
            let opened = opened.map_err(|error| self.failed(&error))?;
            if matches!(opened, Segment::Closed) {
                return Err(self.unreadable("another key sealed it, or its beginning was changed"));
            }
            if let Segment::Open(opened) = opened {
                let known = self.names.all();
                let at = |name: &String| known.iter().position(|known| known == name);
                let number =
                    |name: &String| at(name).and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX);
                let numbers = opened.names().iter().map(number).collect();
                self.current = Some((opened, numbers));
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn no_packets(data: &Path, error: &StoreError) -> Failure {
    Failure::new(format!("--data {}: no packets can be read there: {error}", data.display()))
}

impl Source for RingSource {
    fn dispatch(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
        if self.current.is_none() && !self.open_next()? {
            return Ok(Status::End);
        }
        let Some((segment, numbers)) = &mut self.current else { return Ok(Status::End) };
        let stats = &mut self.stats;
        let read = segment.next_block(&mut |record| {
            stats.received += 1;
            stats.delivered += 1;
            stats.bytes += record.data.len() as u64;
            deliver(Packet {
                time: Timestamp::from_nanos(record.time),
                link: LinkType(record.link),
                data: record.data,
                wire_len: record.wire_len,
                frame: record.frame,
                source: SourceId(numbers.get(usize::from(record.source)).copied().unwrap_or(u16::MAX)),
            });
        });
        let unreadable = segment.unreadable();
        if !read.map_err(|error| self.failed(&error))? {
            self.current = None;
            if unreadable > 0 {
                return Err(self.unreadable(
                    "parts of it were changed, or its writer was killed; what they held is missing",
                ));
            }
        }
        Ok(Status::More)
    }

    fn stats(&self) -> SourceStats {
        self.stats
    }

    fn names(&self) -> SourceNames {
        self.names.clone()
    }

    fn pressure(&self) -> Pressure {
        Pressure::Block
    }

    fn progress(&self) -> Option<Progress> {
        let segments = self.packets.segments();
        let passed = segments.iter().take(self.next).map(|segment| segment.bytes);
        let all = segments.iter().map(|segment| segment.bytes);
        Some(Progress { bytes_read: passed.sum(), bytes_total: Some(all.sum()) })
    }
}
