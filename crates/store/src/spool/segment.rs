//! A file of records, named by the offset of its first event.

use super::record::{HEADER, Header, LONGEST, MAGIC};
use super::{Amount, RANKS, Rank};
use crate::files;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub(super) const SUFFIX: &str = ".spool";

/// One file.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// Offset of the first event, and behind the last.
    pub(super) first: u64,
    pub(super) end: u64,
    /// Bytes of the file.
    pub(super) length: u64,
    /// Lines that are still to be read, by rank.
    pub(super) unread: [Amount; RANKS],
    /// Something of it may not be on the disk yet.
    pub(super) unsynced: bool,
}

/// What a walk over the headers found beside records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holes {
    /// Bytes that are no record, with records behind them.
    pub(super) bytes: u64,
    /// Events that stood there.
    pub(super) events: u64,
}

impl Segment {
    pub(super) fn create(directory: &Path, first: u64) -> io::Result<Self> {
        let path = directory.join(format!("{first:020}{SUFFIX}"));
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        Ok(Self { path, file, first, end: first, length: 0, unread: Default::default(), unsynced: true })
    }

    /// Opens a file of a former run; what is to be read begins at `from`.
    pub(super) fn open(path: PathBuf, first: u64, from: u64) -> io::Result<(Self, Holes)> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let length = file.metadata()?.len();
        let mut segment =
            Self { path, file, first, end: first, length, unread: Default::default(), unsynced: false };
        let holes = segment.count(from)?;
        Ok((segment, holes))
    }

    /// Counts what is to be read from `from` on, by the headers.
    pub(super) fn count(&mut self, from: u64) -> io::Result<Holes> {
        let mut holes = Holes::default();
        self.unread = Default::default();
        let (mut at, mut end) = (0, self.first);
        while let Some((place, header)) = self.next_header(at)? {
            // What stood before the first event to be read was delivered.
            if header.offset > from {
                holes.bytes += place - at;
                holes.events += header.offset.saturating_sub(end.max(from));
            }
            end = header.end().max(end);
            at = place + header.size();
            let bytes = self.bytes_behind(place, &header, from)?;
            self.counts(&header, from, bytes);
        }
        self.end = end;
        Ok(holes)
    }

    /// Whether bytes stand where a header would: a torn write has none there.
    pub(super) fn has_something_at(&self, at: u64) -> io::Result<bool> {
        let mut bytes = [0; HEADER];
        let there = usize::try_from(self.length.saturating_sub(at)).unwrap_or(HEADER).min(HEADER);
        let bytes = bytes.get_mut(..there).unwrap_or_default();
        self.file.read_exact_at(bytes, at)?;
        Ok(bytes.iter().any(|byte| *byte != 0))
    }

    /// Where its records end: behind the last header.
    pub(super) fn end_of_records(&self) -> io::Result<u64> {
        let mut at = 0;
        let mut whole = 0;
        while let Some((place, header)) = self.next_header(at)? {
            at = place + header.size();
            whole = at;
        }
        Ok(whole)
    }

    fn counts(&mut self, header: &Header, from: u64, bytes: u64) {
        let read = from.saturating_sub(header.offset).min(header.events);
        if let (false, Some(unread)) = (header.dropped, self.unread.get_mut(header.rank.index())) {
            unread.add(Amount { events: header.events - read, bytes });
        }
    }

    /// Bytes of a record's lines from `from` on. Only of a record that was read in part are the lines looked at.
    fn bytes_behind(&self, at: u64, header: &Header, from: u64) -> io::Result<u64> {
        let length = u64::from(header.length);
        match from.saturating_sub(header.offset) {
            0 => Ok(length),
            read if read >= header.events => Ok(0),
            read => {
                Ok(self.lines(at, header)?.map_or(length, |lines| length - first_lines(&lines, read) as u64))
            }
        }
    }

    /// The next record at or behind a place, and where it stands. Behind damage the next whole one.
    pub(super) fn next_header(&self, at: u64) -> io::Result<Option<(u64, Header)>> {
        if at >= self.length {
            return Ok(None);
        }
        match self.header(at)? {
            Some(header) => Ok(Some((at, header))),
            None => self.resume(at + 1),
        }
    }

    fn header(&self, at: u64) -> io::Result<Option<Header>> {
        let mut bytes = [0; HEADER];
        if at + HEADER as u64 > self.length {
            return Ok(None);
        }
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(Header::parse(&bytes).filter(|header| at + header.size() <= self.length))
    }

    /// Looks for a whole record from a place on.
    pub(super) fn resume(&self, mut at: u64) -> io::Result<Option<(u64, Header)>> {
        let mut window = vec![0; 64 << 10];
        while at < self.length {
            let left = usize::try_from(self.length - at).unwrap_or(usize::MAX).min(window.len());
            let view = window.get_mut(..left).unwrap_or_default();
            self.file.read_exact_at(view, at)?;
            for place in (0..left).filter(|place| view.get(*place..*place + 4) == Some(&MAGIC)) {
                let place = at + place as u64;
                if let Some(header) = self.header(place)?
                    && self.lines(place, &header)?.is_some()
                {
                    return Ok(Some((place, header)));
                }
            }
            // A magic may begin in the last three bytes.
            at += if left < window.len() { left } else { left - 3 } as u64;
        }
        Ok(None)
    }

    /// The lines of a record; `None` where they are not those it was written with.
    pub(super) fn lines(&self, at: u64, header: &Header) -> io::Result<Option<Vec<u8>>> {
        let mut lines = vec![0; header.length.min(LONGEST) as usize];
        if at + header.size() > self.length {
            return Ok(None);
        }
        self.file.read_exact_at(&mut lines, at + HEADER as u64)?;
        Ok(header.holds(&lines).then_some(lines))
    }

    /// Appends a record. A write that failed half way is taken back.
    pub(super) fn append(&mut self, header: Header, lines: &[u8]) -> io::Result<()> {
        let head = header.to_bytes();
        let written = self
            .file
            .write_all_at(lines, self.length + HEADER as u64)
            // The header last: what a kill cuts in between has none.
            .and_then(|()| self.file.write_all_at(&head, self.length));
        if written.is_err() {
            // Where even this fails the tail is no record, and what follows begins a new file.
            let _shortened = self.file.set_len(self.length);
            return written;
        }
        self.unsynced = true;
        self.length += header.size();
        self.end = header.end();
        self.counts(&header, header.offset, header.length.into());
        Ok(())
    }

    /// Drops the lines of `rank` from `from` on: writes the file anew with a note in their place. What was dropped.
    pub(super) fn thin(&mut self, rank: Rank, from: u64) -> io::Result<Amount> {
        let unfinished = files::beside(&self.path, files::UNFINISHED);
        let mut out = io::BufWriter::with_capacity(1 << 18, files::create_private(&unfinished)?);
        let (mut at, mut gone, mut dropped) = (0, None::<Header>, Amount::default());
        while let Some((place, header)) = self.next_header(at)? {
            at = place + header.size();
            let goes = header.rank == rank && header.offset >= from;
            if header.dropped || goes {
                if !header.dropped {
                    dropped.add(Amount { events: header.events, bytes: header.length.into() });
                }
                gone = Some(joined(gone, &header));
                continue;
            }
            if let Some(note) = gone.take() {
                out.write_all(&note.to_bytes())?;
            }
            if let Some(lines) = self.lines(place, &header)? {
                out.write_all(&header.to_bytes())?;
                out.write_all(&lines)?;
            }
        }
        if let Some(note) = gone {
            out.write_all(&note.to_bytes())?;
        }
        // What it replaces may have been on the disk for long.
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        files::put_in_place(&unfinished, &self.path)?;
        self.reopen(from)?;
        Ok(dropped)
    }

    /// The file has other records under its name now.
    fn reopen(&mut self, from: u64) -> io::Result<()> {
        let end = self.end;
        let path = std::mem::take(&mut self.path);
        *self = Self::open(path, self.first, from)?.0;
        self.end = end;
        Ok(())
    }

    /// Whether nothing but notes of dropped events is left in it.
    pub(super) fn is_empty(&self) -> bool {
        self.length == HEADER as u64
    }

    /// Takes the events of the next file, which is empty too, into its own note.
    pub(super) fn absorb(&mut self, next: &Self) -> io::Result<()> {
        let note = Header::of_dropped(self.first, next.end - self.first);
        self.file.write_all_at(&note.to_bytes(), 0)?;
        self.end = next.end;
        fs::remove_file(&next.path)
    }

    pub(super) fn left(&self) -> Amount {
        let mut left = Amount::default();
        self.unread.iter().for_each(|amount| left.add(*amount));
        left
    }
}

fn joined(note: Option<Header>, more: &Header) -> Header {
    let first = note.map_or(more.offset, |note| note.offset);
    Header::of_dropped(first, more.end() - first)
}

/// Bytes of the first `count` lines.
pub(super) fn first_lines(lines: &[u8], count: u64) -> usize {
    let ends = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    ends.take(count).last().map_or(0, |(at, _)| at + 1)
}
