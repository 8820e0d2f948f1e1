//! What stands in a followed directory, and what is known of each file.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tapwire_wire::SourceId;

use crate::reader::{CaptureReader, Mark};
use crate::{SourceError, files};

/// A plain file that has not changed for so long is at rest.
const AT_REST: Duration = Duration::from_millis(200);
/// A compressed one is read only when it is whole, and a compressor may pause.
const PACKED_AT_REST: Duration = Duration::from_secs(1);
/// A file that was last written so long ago is at rest when it is first seen.
const OLD: Duration = Duration::from_secs(2);
/// Beginnings of files that are remembered, so that a copy under another name is known.
const MAX_MARKS: usize = 1 << 16;

/// What the system says of a file; a change means that it was written to or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) inode: u64,
    pub(super) bytes: u64,
    /// Nanoseconds.
    modified: i128,
}

impl Stat {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { inode: metadata.ino(), bytes: metadata.len(), modified }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Without a whole packet as far as is known; to be looked into when it changed.
    New { looked_at: Option<Stat> },
    /// Its turn comes. So many of its packets were read before.
    Waiting { mark: Mark, read: u64 },
    /// Being read, under this name or another; growing is expected.
    Reading,
    /// Read to its end.
    Taken,
    /// No capture.
    Refused,
}

struct Entry {
    stat: Stat,
    since: Instant,
    old: bool,
    state: State,
    /// Whether it was taken before and has changed since.
    again: bool,
}

impl Entry {
    fn is_at_rest(&self, for_long: Duration) -> bool {
        self.old || self.since.elapsed() >= for_long
    }
}

/// A file whose turn it is.
pub(super) struct Turn {
    pub(super) path: PathBuf,
    pub(super) mark: Mark,
    /// Packets of it that were read before.
    pub(super) read: u64,
    /// Since when it has not changed.
    pub(super) since: Instant,
}

/// A file that was read.
#[derive(Debug, Clone, Copy)]
struct Known {
    packets: u64,
    /// A file of this number is the same one, and may have grown; another is a copy.
    inode: u64,
}

/// The files of a directory.
pub(super) struct Listing {
    directory: PathBuf,
    entries: BTreeMap<PathBuf, Entry>,
    /// How the file begins that is being read.
    reading: Option<Mark>,
    /// What was read, by how it begins.
    marks: BTreeMap<Mark, Known>,
    marks_by_age: VecDeque<Mark>,
}

impl Listing {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            entries: BTreeMap::new(),
            reading: None,
            marks: BTreeMap::new(),
            marks_by_age: VecDeque::new(),
        }
    }

    /// The directory.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Lists the directory anew and looks into what is new; `trouble` gets what is no capture though its name says so.
    pub(super) fn scan(&mut self, trouble: &mut VecDeque<SourceError>) -> io::Result<()> {
        let mut entries = BTreeMap::new();
        for found in fs::read_dir(&self.directory)? {
            let path = found?.path();
            // A file may go between being listed and being asked about.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_file() && !files::is_hidden(&path) {
                let entry = refreshed(self.entries.remove(&path), &metadata);
                entries.insert(path, entry);
            }
        }
        self.entries = entries;
        for (path, entry) in &mut self.entries {
            look_into(path, entry, self.reading, &self.marks, trouble);
        }
        Ok(())
    }

    /// Takes the file with the earliest first packet.
    pub(super) fn take_turn(&mut self) -> Option<Turn> {
        let waiting = self.entries.iter_mut().filter_map(|(path, entry)| match entry.state {
            State::Waiting { mark, read } => Some((mark, read, path, entry)),
            _ => None,
        });
        let earlier = |a: &Path, b: &Path| files::natural(&a.to_string_lossy(), &b.to_string_lossy());
        let (mark, read, path, entry) =
            waiting.min_by(|a, b| a.0.time.cmp(&b.0.time).then_with(|| earlier(a.2, b.2)))?;
        entry.state = State::Reading;
        entry.again = false;
        self.reading = Some(mark);
        let since = if entry.old { entry.since.checked_sub(OLD).unwrap_or(entry.since) } else { entry.since };
        Some(Turn { path: path.clone(), mark, read, since })
    }

    /// Whether a file that begins with `mark` and was last as `stat` says has a successor: a file with a later first
    /// packet, or one without packets that was made since.
    pub(super) fn has_newer(&self, mark: Mark, stat: Stat) -> bool {
        self.entries.values().any(|entry| match entry.state {
            State::New { .. } => entry.stat.modified > stat.modified,
            State::Waiting { mark: other, .. } => other.time > mark.time,
            State::Reading | State::Taken | State::Refused => false,
        })
    }

    /// The file being read, of this inode, is left: so many of its packets were read.
    pub(super) fn leave(&mut self, packets: u64, inode: u64, left: Left) {
        let Some(mark) = self.reading.take() else { return };
        for entry in self.entries.values_mut().filter(|entry| entry.state == State::Reading) {
            entry.again = left == Left::Overwritten;
            entry.state = match left {
                Left::Done => State::Taken,
                Left::Overwritten => State::New { looked_at: None },
            };
        }
        self.remember(mark, Known { packets, inode });
    }

    fn remember(&mut self, mark: Mark, known: Known) {
        if self.marks.insert(mark, known).is_none() {
            self.marks_by_age.push_back(mark);
        }
        if self.marks_by_age.len() > MAX_MARKS
            && let Some(oldest) = self.marks_by_age.pop_front()
        {
            self.marks.remove(&oldest);
        }
    }
}

/// How a file was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Read to its end, or to where it is damaged.
    Done,
    /// Something else stands under its name.
    Overwritten,
}

/// Whether a file has not changed since `since` for as long as makes it be at rest.
pub(super) fn is_at_rest(since: Instant) -> bool {
    since.elapsed() >= AT_REST
}

/// What is known of a file now, from what was known before.
fn refreshed(known: Option<Entry>, metadata: &Metadata) -> Entry {
    let stat = Stat::of(metadata);
    match known {
        Some(entry) if entry.stat == stat => entry,
        Some(entry) if entry.state == State::Reading => Entry { stat, since: Instant::now(), ..entry },
        Some(entry) => {
            let again = entry.again || entry.state == State::Taken;
            Entry { stat, since: Instant::now(), old: false, state: State::New { looked_at: None }, again }
        }
        None => {
            let old = metadata.modified().is_ok_and(|time| time.elapsed().is_ok_and(|age| age >= OLD));
            let state = State::New { looked_at: None };
            Entry { stat, since: Instant::now(), old, state, again: false }
        }
    }
}

/// Finds out how a file begins, once it has a packet, and whether that was read before under another name.
fn look_into(
    path: &Path,
    entry: &mut Entry,
    reading: Option<Mark>,
    marks: &BTreeMap<Mark, Known>,
    trouble: &mut VecDeque<SourceError>,
) {
    let State::New { looked_at } = entry.state else { return };
    if looked_at == Some(entry.stat) || entry.stat.bytes < 4 {
        return;
    }
    match first_packet(path, entry.is_at_rest(PACKED_AT_REST)) {
        Ok(Look::Mark(mark)) => {
            entry.state = match marks.get(&mark) {
                _ if reading == Some(mark) => State::Reading,
                Some(known) if !entry.again && known.inode != entry.stat.inode => State::Taken,
                known => State::Waiting { mark, read: known.map_or(0, |known| known.packets) },
            };
        }
        Ok(Look::NoPacketYet) => entry.state = State::New { looked_at: Some(entry.stat) },
        Ok(Look::NotWholeYet) => {}
        // Gone in the meantime.
        Err(SourceError::NotFound { .. }) => {}
        Err(error) => {
            entry.state = State::Refused;
            if files::named_like_one(path) {
                trouble.push_back(error);
            }
        }
    }
}

enum Look {
    Mark(Mark),
    NoPacketYet,
    /// Compressed, and perhaps still being written.
    NotWholeYet,
}

fn first_packet(path: &Path, at_rest: bool) -> Result<Look, SourceError> {
    let mut reader = CaptureReader::with_read_ahead(path, SourceId(0), 4096)?;
    if reader.input().is_compressed() {
        if !at_rest {
            return Ok(Look::NotWholeYet);
        }
    } else {
        reader = reader.growing();
    }
    Ok(reader.mark()?.map_or(Look::NoPacketYet, Look::Mark))
}
