//! Reads the ring, also while it is written.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ring::aead::LessSafeKey;

use super::block::Records;
use super::seal::Kind;
use super::segment::SegmentReader;
use super::{ROOM, key};
use crate::StoreError;

/// One segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Where it is.
    pub path: PathBuf,
    /// Counts segments in the order in which they were begun.
    pub number: u64,
    /// Whether it holds what findings pinned; its packets are older than those of the others.
    pub pinned: bool,
    /// Its length.
    pub bytes: u64,
}

impl SegmentFile {
    pub(crate) fn new(room: &Path, number: u64, pinned: bool) -> Self {
        let kind = if pinned { "pinned" } else { "packets" };
        Self { path: room.join(format!("{number:010}.{kind}")), number, pinned, bytes: 0 }
    }

    fn of(path: PathBuf, bytes: u64) -> Option<Self> {
        let pinned = match path.extension()?.to_str()? {
            "packets" => false,
            "pinned" => true,
            _ => return None,
        };
        let number = path.file_stem()?.to_str()?.parse().ok()?;
        Some(Self { path, number, pinned, bytes })
    }
}

/// The segments of a directory: pinned ones first, each kind oldest first, so that a connection's packets come in order.
pub(crate) fn segments(room: &Path) -> io::Result<Vec<SegmentFile>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(room)? {
        let entry = entry?;
        // The writer may have deleted it since.
        let Ok(about) = entry.metadata() else { continue };
        found.extend(SegmentFile::of(entry.path(), about.len()));
    }
    found.sort_by_key(|segment| (!segment.pinned, segment.number));
    Ok(found)
}

/// The packets under a data directory.
pub struct PacketReader {
    key: LessSafeKey,
    segments: Vec<SegmentFile>,
}

impl std::fmt::Debug for PacketReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.segments).finish()
    }
}

impl PacketReader {
    pub(crate) fn open(directory: &Path) -> Result<Self, StoreError> {
        let room = directory.join(ROOM);
        let segments = segments(&room).map_err(|e| StoreError::io("read the packets in", &room, &e))?;
        Ok(Self { key: key::read(directory)?, segments })
    }

    /// The segments, in the order in which their packets were captured.
    pub fn segments(&self) -> &[SegmentFile] {
        &self.segments
    }

    /// Opens a segment. With `labels` only what has one of them, or none in particular, is read.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn open_segment(
        &self,
        segment: &SegmentFile,
        labels: Option<&BTreeSet<u64>>,
    ) -> Result<Segment, StoreError> {
        let failed = |e: io::Error| StoreError::io("read packets from", &segment.path, &e);
        let reader = match SegmentReader::open(&segment.path, &self.key) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Segment::Gone),
            opened => opened.map_err(failed)?,
        };
        let Some(mut reader) = reader else { return Ok(Segment::Closed) };
        let first = reader.read().map_err(failed)?;
        let names = first.filter(|(kind, _)| *kind == Kind::Names);
        let names =
            names.map(|(_, bytes)| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect());
        let Some(names) = names else {
            // Of a segment that a kill left at its beginning nothing was lost.
            let empty = reader.unreadable() == 0 && reader.position() == 0;
            return Ok(if empty { Segment::Gone } else { Segment::Closed });
        };
        let blocks = match labels {
            None => None,
            Some(labels) => reader.index().map_err(failed)?.map(|index| {
                let wanted = index.entries.iter().filter(|(label, _)| *label == 0 || labels.contains(label));
                wanted.map(|(_, block)| *block).collect()
            }),
        };
        Ok(Segment::Open(Box::new(SegmentPackets {
            reader,
            names,
            blocks,
            labels: labels.cloned(),
            path: segment.path.clone(),
        })))
    }
}

/// What came of opening a segment.
#[derive(Debug)]
pub enum Segment {
    /// Its packets can be read.
    Open(Box<SegmentPackets>),
    /// Its writer deleted it, or wrote nothing to it.
    Gone,
    /// Its packets cannot be read: another key sealed it, or its beginning was changed.
    Closed,
}

/// The packets of one segment.
pub struct SegmentPackets {
    reader: SegmentReader,
    names: Vec<String>,
    /// Only these hold what is asked for; `None` when that is not known.
    blocks: Option<BTreeSet<u32>>,
    labels: Option<BTreeSet<u64>>,
    path: PathBuf,
}

impl std::fmt::Debug for SegmentPackets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SegmentPackets({})", self.path.display())
    }
}

impl SegmentPackets {
    /// Names of the sources, by the number that records have.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Bytes that could not be read so far: a kill left them, or they were changed.
    pub const fn unreadable(&self) -> u64 {
        self.reader.unreadable()
    }

    /// Hands on the packets of the next block that can be opened. `false` at the end, and behind the last whole block.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn next_block(&mut self, deliver: &mut dyn FnMut(super::Record<'_>)) -> Result<bool, StoreError> {
        let Self { reader, blocks, labels, path, .. } = self;
        let failed = |e: io::Error| StoreError::io("read packets from", path, &e);
        while blocks.as_ref().is_some_and(|blocks| !blocks.contains(&reader.position())) {
            if !reader.pass().map_err(failed)? {
                return Ok(false);
            }
        }
        let Some((kind, bytes)) = reader.read().map_err(failed)? else { return Ok(false) };
        if kind != Kind::Packets {
            return Ok(false);
        }
        let wanted = |label: u64| label == 0 || labels.as_ref().is_none_or(|labels| labels.contains(&label));
        Records::new(bytes).filter(|record| wanted(record.label)).for_each(deliver);
        Ok(true)
    }
}
