//! Several capture files as one source, in time order.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use tapwire_wire::{Packet, SourceId, Timestamp};

use crate::format::FileInterface;
use crate::intake::Intake;
use crate::reader::{CaptureReader, READ_AHEAD, Stop};
use crate::{Pressure, Progress, Secrets, Source, SourceError, SourceNames, SourceStats, Status, files};

/// Packets handed on in one call.
const BATCH: usize = 4096;
/// Buffers of files that are read side by side share this, down to [`SMALLEST_READ_AHEAD`] each.
const SHARED_READ_AHEAD: usize = 16 * READ_AHEAD;
const SMALLEST_READ_AHEAD: usize = 4 << 10;
/// Files that are read side by side hold this many handles; the others open theirs again when they read on.
const MAX_HANDLES: usize = 256;

/// Opens capture files and directories as one source. `-` is standard input; `filter` has tcpdump's syntax.
///
/// Every file is looked into at once, so that a wrong name is told before the first packet is read.
///
/// # Errors
/// When a path does not exist, is not a capture, a directory holds none, or the filter does not compile.
pub fn open_files(paths: &[PathBuf], filter: Option<&str>) -> Result<MergedFiles, SourceError> {
    let paths = files::list(paths)?;
    if paths.len() > usize::from(u16::MAX) {
        return Err(SourceError::TooManyFiles { count: paths.len(), limit: usize::from(u16::MAX) });
    }
    let mut merged = MergedFiles::new(&paths, filter)?;
    for path in paths {
        merged.enlist(path)?;
    }
    Ok(merged)
}

/// Capture files, delivered in order of time.
///
/// A file waits unopened until the time of its first packet, so that rotated files are read one after another and
/// thousands need no thousand handles; files that overlap are merged by packet. Ties go to the file given first.
pub struct MergedFiles {
    files: Vec<Listed>,
    /// When each file that is not yet exhausted goes on.
    heads: BinaryHeap<Reverse<(Timestamp, u16)>>,
    /// The file being read, and up to which time.
    current: Option<(u16, Timestamp)>,
    open: usize,
    /// Files that hold a handle, the longest first.
    handles: VecDeque<u16>,
    /// Trouble met while looking into the files, told when reading begins.
    deferred: VecDeque<SourceError>,
    intake: Intake,
    names: SourceNames,
    finished_bytes: u64,
    total_bytes: Option<u64>,
}

/// A file and its reader while it is open.
struct Listed {
    path: PathBuf,
    reader: Option<Box<CaptureReader>>,
    /// Whether it stands in the list of those that hold a handle.
    holds: bool,
}

impl MergedFiles {
    /// The files, directories as listed.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }
}

impl Source for MergedFiles {
    fn dispatch(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
        self.pass_on(&mut |packets, _| packets.iter().for_each(|packet| deliver(*packet)))
    }

    fn dispatch_bursts(&mut self, deliver: &mut dyn FnMut(&[Packet<'_>])) -> Result<Status, SourceError> {
        self.pass_on(&mut |packets, _| deliver(packets))
    }

    fn dispatch_described(
        &mut self,
        deliver: &mut dyn FnMut(Packet<'_>, &FileInterface),
    ) -> Result<Status, SourceError> {
        self.pass_on(&mut |packets, interface| {
            packets.iter().for_each(|packet| deliver(*packet, interface));
        })
    }

    fn stats(&self) -> SourceStats {
        self.intake.stats()
    }

    fn names(&self) -> SourceNames {
        self.names.clone()
    }

    fn pressure(&self) -> Pressure {
        Pressure::Block
    }

    fn progress(&self) -> Option<Progress> {
        let open = |file: &Listed| file.reader.as_ref().map_or(0, |reader| reader.bytes_read());
        let bytes_read = self.finished_bytes + self.files.iter().map(open).sum::<u64>();
        Some(Progress { bytes_read, bytes_total: self.total_bytes })
    }

    fn take_secrets(&mut self) -> Vec<Secrets> {
        self.intake.take_secrets()
    }
}

impl MergedFiles {
    /// Hands on a batch, merged by time.
    fn pass_on<D: FnMut(&[Packet<'_>], &FileInterface)>(
        &mut self,
        deliver: &mut D,
    ) -> Result<Status, SourceError> {
        if let Some(error) = self.deferred.pop_front() {
            return Err(error);
        }
        let mut left = BATCH;
        while left > 0 {
            let Some((id, until)) = self.current.take().or_else(|| self.next_file()) else {
                return Ok(Status::End);
            };
            match self.read(id, until, &mut left, deliver) {
                Ok(Stop::Bound(time)) => self.heads.push(Reverse((time, id))),
                Ok(Stop::Batch) => {
                    self.current = Some((id, until));
                    return Ok(Status::More);
                }
                Ok(Stop::End) => self.close(id),
                Err(error) => {
                    self.close(id);
                    return Err(error);
                }
            }
        }
        Ok(Status::More)
    }

    fn new(paths: &[PathBuf], filter: Option<&str>) -> Result<Self, SourceError> {
        Ok(Self {
            files: Vec::with_capacity(paths.len()),
            heads: BinaryHeap::with_capacity(paths.len()),
            current: None,
            open: 0,
            deferred: VecDeque::new(),
            handles: VecDeque::new(),
            intake: Intake::new(filter)?,
            names: SourceNames::default(),
            finished_bytes: 0,
            total_bytes: Some(0),
        })
    }

    /// Looks into a file for its first packet's time, and closes it again. Standard input stays open, and comes first:
    /// waiting for its first packet here would hold up the whole start.
    fn enlist(&mut self, path: PathBuf) -> Result<(), SourceError> {
        let name = name_of(&path);
        let Some(id) = self.names.add(&name) else { return Ok(()) };
        let stream = is_stream(&path);
        let bytes = if stream { None } else { fs::metadata(&path).ok().map(|meta| meta.len()) };
        self.total_bytes = self.total_bytes.zip(bytes).map(|(total, bytes)| total.saturating_add(bytes));
        let read_ahead = if stream { READ_AHEAD } else { 4096 };
        let mut reader = CaptureReader::with_read_ahead(&path, id, read_ahead)?;
        let kept = if stream {
            self.heads.push(Reverse((Timestamp::MIN, id.0)));
            Some(Box::new(reader.naming_interfaces(&name, &self.names)))
        } else {
            self.first_head(&mut reader, id)?;
            None
        };
        self.open += usize::from(kept.is_some());
        self.files.push(Listed { path, reader: kept, holds: false });
        Ok(())
    }

    /// A file without packets comes first: it may hold the secrets of others.
    fn first_head(&mut self, reader: &mut CaptureReader, id: SourceId) -> Result<(), SourceError> {
        match reader.peek() {
            Ok(time) => self.heads.push(Reverse((time.unwrap_or(Timestamp::MIN), id.0))),
            Err(error) if error.is_partial() => self.deferred.push_back(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The file whose turn it is, and until when.
    fn next_file(&mut self) -> Option<(u16, Timestamp)> {
        let Reverse((_, id)) = self.heads.pop()?;
        let until = match self.heads.peek() {
            None => Timestamp::from_nanos(i64::MAX),
            Some(Reverse((time, other))) if id < *other => *time,
            // The other file wins ties.
            Some(Reverse((time, _))) => *time + -1,
        };
        Some((id, until))
    }

    fn read<D: FnMut(&[Packet<'_>], &FileInterface)>(
        &mut self,
        id: u16,
        until: Timestamp,
        left: &mut usize,
        deliver: &mut D,
    ) -> Result<Stop, SourceError> {
        let Self { files, open, intake, names, .. } = self;
        let Some(file) = files.get_mut(usize::from(id)) else { return Ok(Stop::End) };
        let reader = file.open(SourceId(id), open, names)?;
        let stop = intake.read(reader, until, left, deliver);
        let takes_handle = !file.holds && reader_holds(file);
        if takes_handle {
            file.holds = true;
            self.handles.push_back(id);
            self.bound_handles();
        }
        stop
    }

    /// The file that has held its handle longest gives it back, where there are too many.
    fn bound_handles(&mut self) {
        if self.handles.len() <= MAX_HANDLES {
            return;
        }
        let Some(file) = self.handles.pop_front().and_then(|id| self.files.get_mut(usize::from(id))) else {
            return;
        };
        file.holds = false;
        file.reader.iter_mut().for_each(|reader| reader.rest());
    }

    fn close(&mut self, id: u16) {
        let Some(file) = self.files.get_mut(usize::from(id)) else { return };
        if let Some(reader) = file.reader.take() {
            self.finished_bytes += reader.bytes_read();
            self.open -= 1;
        }
    }
}

impl Listed {
    /// The reader, opened now if it is not yet.
    fn open(
        &mut self,
        id: SourceId,
        open: &mut usize,
        names: &SourceNames,
    ) -> Result<&mut CaptureReader, SourceError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let read_ahead = (SHARED_READ_AHEAD / (*open + 1)).clamp(SMALLEST_READ_AHEAD, READ_AHEAD);
                let reader = CaptureReader::with_read_ahead(&self.path, id, read_ahead)?;
                *open += 1;
                Box::new(reader.naming_interfaces(&names.get(id), names))
            }
        };
        Ok(self.reader.insert(reader))
    }
}

fn reader_holds(file: &Listed) -> bool {
    file.reader.as_ref().is_some_and(|reader| reader.input().holds_handle())
}

/// Whether the path can be read only once and from front to back: standard input, a named pipe, `<(…)`.
fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-" || fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

/// A file's name as events show it: without its directory, so that the same capture gives the same events anywhere.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned()
}
