//! One segment's file, written and read.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::aead::LessSafeKey;

use super::block::Block;
use super::seal::{BLOCK_HEADER, HEADER, Kind, Seal, sealed_len};

/// Where the blocks of a segment are, by label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) span: Option<(i64, i64)>,
    pub(crate) packets: u64,
    /// Label and position of a block, sorted.
    pub(crate) entries: BTreeSet<(u64, u32)>,
}

impl Index {
    fn add(&mut self, block: &Block, position: u32) {
        self.packets += block.packets();
        self.span = match (self.span, block.span) {
            (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
            (known, new) => known.or(new),
        };
        self.entries.extend(block.labels.iter().map(|label| (*label, position)));
    }

    fn encode(&self) -> Vec<u8> {
        let (first, last) = self.span.unwrap_or_default();
        let mut bytes = Vec::with_capacity(24 + self.entries.len() * 12);
        bytes.extend(first.to_le_bytes());
        bytes.extend(last.to_le_bytes());
        bytes.extend(self.packets.to_le_bytes());
        for (label, block) in &self.entries {
            bytes.extend(label.to_le_bytes());
            bytes.extend(block.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let long = |at: usize| bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let entry = |entry: &[u8]| {
            let (label, block) = (entry.first_chunk()?, entry.last_chunk()?);
            Some((u64::from_le_bytes(*label), u32::from_le_bytes(*block)))
        };
        let entries = bytes.get(24..)?.chunks_exact(12).map(entry).collect::<Option<_>>()?;
        let packets = long(16)?;
        let span = (packets > 0).then_some((long(0)?.cast_signed(), long(8)?.cast_signed()));
        Some(Self { span, packets, entries })
    }
}

/// A segment that is being written.
pub(crate) struct SegmentWriter {
    file: File,
    seal: Seal,
    blocks: u32,
    bytes: u64,
    index: Index,
}

impl SegmentWriter {
    /// Begins the file at `path`, for its owner only.
    pub(crate) fn create(path: &Path, key: &LessSafeKey, number: u64, names: &[String]) -> io::Result<Self> {
        let (seal, header) = Seal::fresh(key, number)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&header)?;
        let bytes = header.len() as u64;
        let mut segment = Self { file, seal, blocks: 0, bytes, index: Index::default() };
        let mut names = names.join("\n").into_bytes();
        segment.write(Kind::Names, &mut names)?;
        Ok(segment)
    }

    /// Bytes in the file.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Seals and writes a block; what is in it afterwards is of no use.
    pub(crate) fn append(&mut self, block: &mut Block) -> io::Result<()> {
        let position = self.blocks;
        self.write(Kind::Packets, &mut block.bytes)?;
        self.index.add(block, position);
        Ok(())
    }

    fn write(&mut self, kind: Kind, bytes: &mut Vec<u8>) -> io::Result<()> {
        let head = self.seal.seal(kind, self.blocks.into(), bytes)?;
        // Taken before the write: a nonce must not come twice, whatever became of the bytes.
        self.blocks = self.blocks.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        self.file.write_all(&head)?;
        self.file.write_all(bytes)?;
        self.bytes += (head.len() + bytes.len()) as u64;
        Ok(())
    }

    /// Writes the index, and has the system write all to the disk. Gives the length of the file.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        let at = self.bytes;
        self.write(Kind::Index, &mut self.index.encode())?;
        self.file.write_all(&at.to_le_bytes())?;
        self.file.sync_data()?;
        Ok(self.bytes + 8)
    }
}

/// A segment that is being read.
pub(crate) struct SegmentReader {
    file: File,
    seal: Seal,
    /// Where the next block begins, and its number.
    next: (u64, u32),
    end: u64,
    buffer: Vec<u8>,
    /// Bytes that are no block that can be opened.
    unreadable: u64,
}

impl SegmentReader {
    /// Opens the file; `None` when it is no whole header, or another key wrapped it.
    pub(crate) fn open(path: &Path, key: &LessSafeKey) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        let mut header = [0; HEADER];
        if end < HEADER as u64 {
            return Ok(None);
        }
        file.read_exact(&mut header)?;
        let Some(seal) = Seal::unwrap(key, &header) else { return Ok(None) };
        Ok(Some(Self { file, seal, next: (HEADER as u64, 0), end, buffer: Vec::new(), unreadable: 0 }))
    }

    /// The position of the next block.
    pub(crate) const fn position(&self) -> u32 {
        self.next.1
    }

    /// Goes past the next block; `false` at the end.
    pub(crate) fn pass(&mut self) -> io::Result<bool> {
        let Some((_, len)) = self.head()? else { return Ok(false) };
        self.go_on(len);
        Ok(true)
    }

    /// Bytes met so far that are no block that can be opened: a kill left them, or they were changed.
    pub(crate) const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Opens the next block that can be opened: each is authenticated with its position, so that one that was changed
    /// says nothing about the others. `None` at the end, and where a kill ended the file.
    pub(crate) fn read(&mut self) -> io::Result<Option<(Kind, &[u8])>> {
        let (kind, len) = loop {
            let Some((head, len)) = self.head()? else {
                self.unreadable += self.end.saturating_sub(self.next.0);
                self.next.0 = self.end;
                return Ok(None);
            };
            let position = self.next.1;
            self.buffer.resize(len, 0);
            self.file.read_exact(&mut self.buffer)?;
            self.go_on(len);
            let opened = self.seal.open(head, position.into(), &mut self.buffer);
            if let Some((kind, bytes)) = opened {
                break (kind, bytes.len());
            }
            self.unreadable += (BLOCK_HEADER + len) as u64;
        };
        Ok(Some((kind, self.buffer.get(..len).unwrap_or_default())))
    }

    const fn go_on(&mut self, len: usize) {
        self.next = (self.next.0 + (BLOCK_HEADER + len) as u64, self.next.1 + 1);
    }

    fn head(&mut self) -> io::Result<Option<([u8; BLOCK_HEADER], usize)>> {
        let (at, _) = self.next;
        if at + BLOCK_HEADER as u64 > self.end {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(at))?;
        let mut head = [0; BLOCK_HEADER];
        self.file.read_exact(&mut head)?;
        let len = sealed_len(head).filter(|len| at + (BLOCK_HEADER + len) as u64 <= self.end);
        Ok(len.map(|len| (head, len)))
    }

    /// The index of a finished segment. It is sealed at the position behind the last block, so the blocks are passed once.
    pub(crate) fn index(&mut self) -> io::Result<Option<Index>> {
        if self.end < (HEADER + 8) as u64 {
            return Ok(None);
        }
        let mut at = [0; 8];
        self.file.seek(SeekFrom::Start(self.end - 8))?;
        self.file.read_exact(&mut at)?;
        let (at, begin, unreadable) = (u64::from_le_bytes(at), self.next, self.unreadable);
        while self.next.0 < at {
            if !self.pass()? {
                break;
            }
        }
        let index = if self.next.0 == at {
            self.read()?.filter(|(kind, _)| *kind == Kind::Index).and_then(|(_, bytes)| Index::decode(bytes))
        } else {
            None
        };
        (self.next, self.unreadable) = (begin, unreadable);
        Ok(index)
    }
}
