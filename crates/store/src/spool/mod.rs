//! `spool/NAME/`: rendered events that wait for a receiver.
//!
//! Segments of records, written at the end and read at the front. An event's *offset* is how many events the spool took
//! before it; `acknowledged` holds the offset up to which the receiver took them. Segments that are wholly taken are
//! removed. Beyond its cap the spool drops the oldest events of the lowest [`Rank`] and leaves a note of how many in
//! their place, so that what is missing without a note is known to be damage.
//!
//! A kill at any byte loses nothing whose append returned: a torn record at the end is cut off, and events that were
//! taken but not yet marked are read again. A record that was damaged on disk is passed over, and its segment kept
//! aside as `*.damaged`.

mod mark;
mod record;
mod segment;
mod sync;
#[cfg(test)]
mod tests;

use crate::{StoreError, files};
use mark::Mark;
use record::{HEADER, Header, LONGEST};
use segment::{SUFFIX, Segment, first_lines};
use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) const ROOM: &str = "spool";

/// How many ranks there are.
pub const RANKS: usize = 4;

/// Damaged segments that are kept for a look.
const MOST_ASIDE: usize = 4;

/// How much an event matters when room is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(u8);

impl Rank {
    /// What goes first.
    pub const LOWEST: Self = Self(0);
    /// What goes last.
    pub const HIGHEST: Self = Self(3);

    /// 0 to 3.
    pub const fn new(rank: u8) -> Option<Self> {
        if rank <= Self::HIGHEST.0 { Some(Self(rank)) } else { None }
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An amount of events, and of their lines in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Events.
    pub events: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, more: Self) {
        self.events += more.events;
        self.bytes += more.bytes;
    }

    fn sub(&mut self, less: Self) {
        self.events = self.events.saturating_sub(less.events);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }
}

/// What the receiver gets next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Offset of its first event.
    pub offset: u64,
    /// How many events its lines are.
    pub events: u64,
    /// Whole lines.
    pub lines: Vec<u8>,
}

/// What became of lines that were appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// They wait.
    Kept,
    /// There is no room, and nothing less important to drop.
    NoRoom,
}

/// What a spool cannot deliver any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment, or where it was put aside.
    pub path: PathBuf,
    /// Events that cannot be read, where known.
    pub events: u64,
    /// Bytes of the file that are no record.
    pub bytes: u64,
}

/// Opens spools in the directory of a [`Store`](crate::Store), which nobody else writes as long as this is there.
#[derive(Clone, Debug)]
pub struct Spools {
    directory: PathBuf,
    // Closing the last one releases the directory.
    lock: Arc<File>,
    /// Names of those that are open: a second writer would overwrite what the first one keeps.
    open: Arc<Mutex<BTreeSet<String>>>,
}

/// The name of an open spool; it is free again when this is gone.
#[derive(Debug)]
struct Taken {
    name: String,
    open: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

impl Spools {
    pub(crate) fn new(directory: &Path, lock: Arc<File>) -> Self {
        Self { directory: directory.join(ROOM), lock, open: Arc::default() }
    }

    /// The spool `name` (a–z, 0–9, `-`), which takes at most `cap` bytes of disk.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn open(&self, name: &str, cap: u64) -> Result<Spool, StoreError> {
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !plain || name.is_empty() {
            return Err(StoreError::Name(name.to_owned()));
        }
        if !self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
            return Err(StoreError::Twice(name.to_owned()));
        }
        let taken = Taken { name: name.to_owned(), open: Arc::clone(&self.open) };
        let directory = self.directory.join(name);
        files::private_directory(&directory)?;
        let opened = Spool::open(directory.clone(), cap, Some(Arc::clone(&self.lock)));
        let mut spool = opened.map_err(|e| StoreError::io("open the spool", &directory, &e))?;
        spool.taken = Some(taken);
        Ok(spool)
    }

    /// Spools that nobody has opened and in which events wait, with how many.
    pub fn left_behind(&self) -> Vec<(PathBuf, Amount)> {
        let waiting = |name: String| {
            // One that is open, or cannot be, is somebody else's to tell of.
            let spool = self.open(&name, u64::MAX).ok()?;
            let left = spool.unread();
            (left.events > 0).then(|| (self.directory.join(name), left))
        };
        self.names().into_iter().filter_map(waiting).collect()
    }

    /// Names of the spools that exist, whoever they were for.
    pub fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// Where the reader stands in the segment that holds `cursor`.
#[derive(Clone, Copy, Debug)]
struct Place {
    first: u64,
    at: u64,
}

/// Events that wait for one receiver.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    cap: u64,
    /// Never empty; the last one is written.
    segments: VecDeque<Segment>,
    mark: Mark,
    acknowledged: u64,
    /// Offset of the next event to read.
    cursor: u64,
    place: Option<Place>,
    dropped: Amount,
    /// Events that have an offset and were not taken, since the last record.
    skipped: u64,
    damage: Vec<Damage>,
    dirty: bool,
    _lock: Option<Arc<File>>,
    taken: Option<Taken>,
}

impl Spool {
    fn open(directory: PathBuf, cap: u64, lock: Option<Arc<File>>) -> io::Result<Self> {
        let mark = Mark::open(&directory.join("acknowledged"))?;
        let found = found(&directory)?;
        let begin = found.first().map_or(0, |(first, _)| *first);
        let from = mark.offset.unwrap_or(begin);
        let mut spool = Self {
            directory,
            cap,
            segments: VecDeque::new(),
            mark,
            acknowledged: from,
            cursor: from,
            place: None,
            dropped: Amount::default(),
            skipped: 0,
            damage: Vec::new(),
            dirty: false,
            _lock: lock,
            taken: None,
        };
        for (first, path) in found {
            spool.take_up(first, path)?;
        }
        spool.repair_end()?;
        spool.forget_taken();
        Ok(spool)
    }

    /// A segment of a former run.
    fn take_up(&mut self, first: u64, path: PathBuf) -> io::Result<()> {
        let (segment, holes) = Segment::open(path, first, self.cursor)?;
        let before = self.segments.back().map_or(first.min(self.cursor), |last| last.end);
        // A kill while two notes were joined leaves the second one behind.
        if segment.end <= before && !self.segments.is_empty() {
            return fs::remove_file(&segment.path);
        }
        let missing = first.saturating_sub(before.max(self.cursor)) + holes.events;
        if missing > 0 || holes.bytes > 0 {
            self.set_aside(&segment.path, missing, holes.bytes);
        }
        self.segments.push_back(segment);
        Ok(())
    }

    /// Cuts off what a kill left of the last append, and goes on in a new segment. A record whose header is sound was
    /// written whole, for the header comes last: if its lines are not, that is damage, which is found when it is read.
    fn repair_end(&mut self) -> io::Result<()> {
        let room = self.has_room_aside();
        if let Some(last) = self.segments.back_mut() {
            let whole = last.end_of_records()?;
            if whole < last.length {
                let torn = last.length - whole;
                let aside = files::beside(&last.path, ".damaged");
                if room && !aside.exists() && last.has_something_at(whole)? {
                    // A copy is for a look only.
                    let _copied = fs::copy(&last.path, aside);
                }
                last.file.set_len(whole)?;
                last.length = whole;
                last.count(self.cursor)?;
                let path = last.path.clone();
                self.damage.push(Damage { path, events: 0, bytes: torn });
            }
        }
        self.begin_segment()
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        // Where the mark is ahead of everything, the files are those of an older copy: they were taken.
        let end = self.segments.back().map_or(self.cursor, |last| last.end).max(self.acknowledged);
        if self.segments.back().is_some_and(|last| last.length == 0 && last.first == end) {
            return Ok(());
        }
        let segment = Segment::create(&self.directory, end)?;
        self.segments.push_back(segment);
        Ok(())
    }

    /// Takes whole lines, `events` of them, of one rank. Makes room by dropping older lines of this rank or a lower one.
    ///
    /// # Errors
    /// The path and the system's reason; the spool is as before.
    pub fn append(&mut self, rank: Rank, events: u64, lines: &[u8]) -> Result<Appended, StoreError> {
        let appended = self.try_append(rank, events, lines);
        appended.map_err(|e| StoreError::io("write", &self.directory, &e))
    }

    fn try_append(&mut self, rank: Rank, events: u64, lines: &[u8]) -> io::Result<Appended> {
        let note = if self.skipped > 0 { HEADER } else { 0 };
        let more = (note + HEADER + lines.len()) as u64;
        if lines.is_empty() {
            return Ok(Appended::Kept);
        }
        if lines.len() > LONGEST as usize || !self.make_room(rank, more)? {
            return Ok(Appended::NoRoom);
        }
        if self.segments.back().is_none_or(|last| last.length > 0 && last.length + more > self.segment_size())
        {
            self.begin_segment()?;
        }
        let Some(last) = self.segments.back_mut() else { return Ok(Appended::NoRoom) };
        if self.skipped > 0 {
            last.append(Header::of_dropped(last.end, self.skipped), b"")?;
            self.skipped = 0;
        }
        last.append(Header::of(last.end, events, rank, lines), lines)?;
        self.dirty = true;
        Ok(Appended::Kept)
    }

    /// Gives offsets to events that were lost before the spool could take them, so that those behind them keep their own.
    pub const fn skip(&mut self, events: u64) {
        self.skipped += events;
    }

    /// The offset of the next event to be appended: how many there were in all runs.
    pub fn end(&self) -> u64 {
        self.segments.back().map_or(self.cursor, |last| last.end) + self.skipped
    }

    /// Whether lines of that many bytes fit without dropping any.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.length() + (HEADER + bytes) as u64 <= self.cap
    }

    /// A sixteenth of the cap: what is dropped at once.
    fn segment_size(&self) -> u64 {
        (self.cap / 16).clamp(64 << 10, 16 << 20)
    }

    fn length(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    fn make_room(&mut self, rank: Rank, more: u64) -> io::Result<bool> {
        if self.length() + more > self.cap && self.segments.back().is_some_and(|s| s.end <= self.acknowledged)
        {
            self.begin_segment()?;
            self.forget_taken();
        }
        for lower in (0..=rank.0).map(Rank) {
            let mut index = 0;
            while self.length() + more > self.cap && index < self.segments.len() {
                let before = self.segments.len();
                self.thin(index, lower)?;
                // Two that became one are not looked at again.
                index += 1 - before.saturating_sub(self.segments.len()).min(1);
            }
        }
        Ok(self.length() + more <= self.cap)
    }

    fn thin(&mut self, index: usize, rank: Rank) -> io::Result<()> {
        let (cursor, last) = (self.cursor, index + 1 == self.segments.len());
        let Some(segment) = self.segments.get_mut(index) else { return Ok(()) };
        if segment.unread.get(rank.index()).is_none_or(|unread| unread.events == 0) {
            return Ok(());
        }
        let before = segment.left();
        let dropped = segment.thin(rank, cursor)?;
        let lost = before.events.saturating_sub(dropped.events + segment.left().events);
        if lost > 0 {
            self.damage.push(Damage { path: segment.path.clone(), events: lost, bytes: 0 });
        }
        self.dropped.add(dropped);
        if self.place.is_some_and(|place| place.first == segment.first) {
            self.place = None;
        }
        if last {
            return self.begin_segment();
        }
        self.join(index)
    }

    /// Two segments of nothing but notes become one.
    fn join(&mut self, index: usize) -> io::Result<()> {
        let Some(before) = index.checked_sub(1) else { return Ok(()) };
        let both = self.segments.get(before).zip(self.segments.get(index));
        if !both.is_some_and(|(a, b)| a.is_empty() && b.is_empty()) {
            return Ok(());
        }
        if let (Some(next), Some(kept)) = (self.segments.remove(index), self.segments.get_mut(before)) {
            kept.absorb(&next)?;
            if self.place.is_some_and(|place| place.first >= kept.first) {
                self.place = None;
            }
        }
        Ok(())
    }

    /// The next events in the order they were taken; `None` where nothing waits to be read.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn read(&mut self) -> Result<Option<Entry>, StoreError> {
        let entry = self.try_read();
        entry.map_err(|e| StoreError::io("read", &self.directory, &e))
    }

    fn try_read(&mut self) -> io::Result<Option<Entry>> {
        loop {
            self.settle_passed();
            let Some(index) = self.segments.iter().position(|segment| segment.end > self.cursor) else {
                return Ok(None);
            };
            let Some(segment) = self.segments.get_mut(index) else { return Ok(None) };
            let at = self.place.filter(|place| place.first == segment.first).map_or(0, |place| place.at);
            match next_record(segment, at, self.cursor)? {
                Next::Damaged { from, entry } => {
                    let (path, bytes) = (segment.path.clone(), from);
                    self.set_aside(&path, 0, bytes);
                    self.passed(index, entry);
                }
                Next::Record(header, lines, behind) => {
                    self.place = Some(Place { first: segment.first, at: behind });
                    if let Some(entry) = self.entry(index, &header, lines) {
                        return Ok(Some(entry));
                    }
                }
                Next::End => self.leave(index),
            }
        }
    }

    fn passed(&mut self, index: usize, at: u64) {
        if let Some(segment) = self.segments.get(index) {
            self.place = Some(Place { first: segment.first, at });
        }
    }

    /// Takes a record as read.
    fn entry(&mut self, index: usize, header: &Header, mut lines: Vec<u8>) -> Option<Entry> {
        let offset = header.offset.max(self.cursor);
        let read = offset - header.offset;
        self.cursor = header.end().max(self.cursor);
        if header.dropped {
            return None;
        }
        if read > 0 {
            let skipped = first_lines(&lines, read);
            lines.drain(..skipped);
        }
        let events = header.events.saturating_sub(read);
        let unread = self.segments.get_mut(index).and_then(|s| s.unread.get_mut(header.rank.index()));
        if let Some(unread) = unread {
            unread.sub(Amount { events, bytes: lines.len() as u64 });
        }
        Some(Entry { offset, events, lines })
    }

    /// A damaged record may have been the last but one, so that the one behind it ended the segment.
    fn settle_passed(&mut self) {
        for index in 0..self.segments.len() {
            let passed = |segment: &Segment| segment.end <= self.cursor && segment.left().events > 0;
            if self.segments.get(index).is_some_and(passed) {
                self.leave(index);
            }
        }
    }

    /// What was to be read in a segment and was not found is lost.
    fn leave(&mut self, index: usize) {
        let Some(segment) = self.segments.get_mut(index) else { return };
        let lost = segment.left();
        segment.unread = Default::default();
        self.cursor = segment.end.max(self.cursor);
        let path = segment.path.clone();
        if lost.events > 0 {
            self.damage.push(Damage { path, events: lost.events, bytes: lost.bytes });
        }
    }

    /// The receiver took everything before `offset`.
    ///
    /// # Errors
    /// The path and the system's reason: some events may be sent again.
    pub fn acknowledge(&mut self, offset: u64) -> Result<(), StoreError> {
        self.acknowledged = offset.max(self.acknowledged);
        let set = self.mark.set(self.acknowledged);
        self.forget_taken();
        set.map_err(|e| StoreError::io("write", &self.directory, &e))
    }

    fn forget_taken(&mut self) {
        let taken = self.acknowledged;
        while self.segments.len() > 1 && self.segments.front().is_some_and(|segment| segment.end <= taken) {
            let Some(segment) = self.segments.pop_front() else { return };
            // What stays is removed with the next start.
            let _removed = fs::remove_file(&segment.path);
        }
    }

    /// What is still to be read.
    pub fn unread(&self) -> Amount {
        let mut left = Amount::default();
        self.segments.iter().for_each(|segment| left.add(segment.left()));
        left
    }

    /// What was dropped for want of room since this was last asked.
    pub fn take_dropped(&mut self) -> Amount {
        std::mem::take(&mut self.dropped)
    }

    /// What was found damaged since this was last asked.
    pub fn take_damage(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damage)
    }

    /// The file to have written to the disk, where something was appended since this was last asked.
    pub fn take_unsynced(&mut self) -> Option<File> {
        let last = self.segments.back().filter(|_| std::mem::take(&mut self.dirty));
        last.and_then(|segment| segment.file.try_clone().ok())
    }

    fn has_room_aside(&self) -> bool {
        let kept = fs::read_dir(&self.directory).map_or(0, |entries| {
            entries.flatten().filter(|e| e.file_name().to_string_lossy().ends_with(".damaged")).count()
        });
        kept < MOST_ASIDE
    }

    /// Keeps a copy of a damaged segment, which is read on and removed in its time.
    fn set_aside(&mut self, path: &Path, events: u64, bytes: u64) {
        let aside = files::beside(path, ".damaged");
        let linked = self.has_room_aside() && (aside.exists() || fs::hard_link(path, &aside).is_ok());
        let path = if linked { aside } else { path.to_owned() };
        self.damage.push(Damage { path, events, bytes });
    }
}

/// What stands at a place of a segment.
enum Next {
    Record(Header, Vec<u8>, u64),
    /// `from` bytes are no record; `entry` is where the next one is.
    Damaged {
        from: u64,
        entry: u64,
    },
    End,
}

fn next_record(segment: &Segment, mut at: u64, cursor: u64) -> io::Result<Next> {
    loop {
        let Some((place, header)) = segment.next_header(at)? else {
            return Ok(if at < segment.length {
                Next::Damaged { from: segment.length - at, entry: segment.length }
            } else {
                Next::End
            });
        };
        // What stood before the next event to be read was delivered.
        if place > at && header.offset > cursor {
            return Ok(Next::Damaged { from: place - at, entry: place });
        }
        if header.end() <= cursor {
            at = place + header.size();
            continue;
        }
        let behind = place + header.size();
        return Ok(match segment.lines(place, &header)? {
            Some(lines) => Next::Record(header, lines, behind),
            None => Next::Damaged { from: header.size(), entry: behind },
        });
    }
}

/// The segments of a directory, oldest first; what a kill left unfinished is removed.
fn found(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if files::is_unfinished(&name) {
            fs::remove_file(&path)?;
        } else if let Some(first) = name.strip_suffix(SUFFIX).and_then(|first| first.parse().ok()) {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}
