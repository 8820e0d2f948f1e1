//! A directory that another program rotates captures in, read as it grows.

mod listing;

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tapwire_wire::{Packet, SourceId, Timestamp};

use self::listing::{Left, Listing, Stat, Turn, is_at_rest};
use crate::intake::Intake;
use crate::merge::name_of;
use crate::reader::{CaptureReader, Mark, READ_AHEAD, Stop};
use crate::{Pressure, Progress, Secrets, Source, SourceError, SourceNames, SourceStats, Status};

/// Packets handed on in one call.
const BATCH: usize = 4096;
/// How often the directory is listed, and a file that has no more asked again.
const POLL: Duration = Duration::from_millis(200);
/// First bytes of a file that are compared to see that it was written anew.
const BEGINNING: usize = 64;

/// Follows `directory`: every capture in it, in the order of their first packets, and those to come.
///
/// A file is done when a newer one exists and it has not grown for 200 ms. A file that is deleted while it is read is read
/// to its end. One that comes again under another name, perhaps compressed, is known by its first packet. Compressed
/// files are read when they have not changed for a second. `filter` has tcpdump's syntax.
///
/// # Errors
/// When `directory` is none or cannot be listed, or the filter does not compile.
pub fn follow(directory: &Path, filter: Option<&str>) -> Result<FollowedDirectory, SourceError> {
    if directory.exists() && !directory.is_dir() {
        return Err(SourceError::NotADirectory { path: directory.to_owned() });
    }
    let mut followed = FollowedDirectory {
        listing: Listing::new(directory),
        current: None,
        intake: Intake::new(filter)?,
        names: SourceNames::default(),
        files: 0,
        trouble: VecDeque::new(),
        listed: Instant::now(),
        finished_bytes: 0,
    };
    let failed = |error| SourceError::from_io(directory, error);
    followed.listing.scan(&mut followed.trouble).map_err(failed)?;
    Ok(followed)
}

/// A directory of captures that grows; see [`follow`].
pub struct FollowedDirectory {
    listing: Listing,
    current: Option<Current>,
    intake: Intake,
    names: SourceNames,
    /// Files opened.
    files: u64,
    /// What is to be told.
    trouble: VecDeque<SourceError>,
    listed: Instant,
    finished_bytes: u64,
}

/// The file being read.
struct Current {
    path: PathBuf,
    reader: Box<CaptureReader>,
    mark: Mark,
    /// As it was when reading found no more; `None` while there is more. And since when.
    stat: Option<Stat>,
    since: Instant,
    /// Its first bytes when it was opened.
    beginning: ([u8; BEGINNING], usize),
}

impl Source for FollowedDirectory {
    fn dispatch(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError> {
        self.pass_on(&mut |packets| packets.iter().for_each(|packet| deliver(*packet)))
    }

    fn dispatch_bursts(&mut self, deliver: &mut dyn FnMut(&[Packet<'_>])) -> Result<Status, SourceError> {
        self.pass_on(&mut |packets| deliver(packets))
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
        let reading = self.current.as_ref().map_or(0, |current| current.reader.bytes_read());
        Some(Progress { bytes_read: self.finished_bytes + reading, bytes_total: None })
    }

    fn is_endless(&self) -> bool {
        true
    }

    fn take_secrets(&mut self) -> Vec<Secrets> {
        self.intake.take_secrets()
    }
}

const LAST: Timestamp = Timestamp::from_nanos(i64::MAX);

impl FollowedDirectory {
    /// Hands on a batch of the file being read.
    fn pass_on<D: FnMut(&[Packet<'_>])>(&mut self, deliver: &mut D) -> Result<Status, SourceError> {
        if let Some(error) = self.trouble.pop_front() {
            return Err(error);
        }
        if self.current.is_none() && !self.open_next()? {
            self.pause();
            self.look()?;
            return Ok(Status::Idle);
        }
        let mut left = BATCH;
        if self.current.as_ref().is_some_and(|current| current.stat.is_some() && current.was_overwritten()) {
            return Err(self.overwritten());
        }
        let Some(current) = &mut self.current else { return Ok(Status::Idle) };
        let read =
            self.intake.read(&mut current.reader, LAST, &mut left, &mut |packets: &[Packet<'_>], _: &_| {
                deliver(packets)
            });
        match read {
            Ok(Stop::End) if left == BATCH => self.at_end(),
            Ok(_) => Ok(Status::More),
            Err(_) if current.was_overwritten() => Err(self.overwritten()),
            Err(error) => {
                self.close(Left::Done);
                Err(error)
            }
        }
    }

    fn look(&mut self) -> Result<(), SourceError> {
        self.listed = Instant::now();
        self.listing.scan(&mut self.trouble).map_err(|source| SourceError::DirectoryGone {
            path: self.listing.directory().to_owned(),
            source,
        })
    }

    /// Waits until it is time to look again.
    fn pause(&self) {
        std::thread::sleep(POLL.saturating_sub(self.listed.elapsed()));
    }

    /// Opens the file whose turn it is; false where there is none yet.
    fn open_next(&mut self) -> Result<bool, SourceError> {
        while let Some(turn) = self.listing.take_turn() {
            match self.open(turn) {
                Ok(current) => {
                    self.current = Some(current);
                    return Ok(true);
                }
                Err(error) => {
                    self.listing.leave(0, 0, Left::Done);
                    // The oldest files go first where a ring of files is small.
                    if !matches!(error, SourceError::NotFound { .. }) {
                        return Err(error);
                    }
                }
            }
        }
        Ok(false)
    }

    fn open(&mut self, turn: Turn) -> Result<Current, SourceError> {
        let Turn { path, mark, read, since } = turn;
        let name = name_of(&path);
        let reader = CaptureReader::with_read_ahead(&path, SourceId(0), READ_AHEAD)?;
        let id = self.number(&name);
        let mut reader = Box::new(reader.numbered(id).naming_interfaces(&name, &self.names));
        if !reader.input().is_compressed() {
            reader = Box::new(reader.growing());
        }
        reader.skip_packets(read)?;
        let mut beginning = [0; BEGINNING];
        let known = reader.input().first_bytes(&mut beginning);
        Ok(Current { path, reader, mark, stat: None, since, beginning: (beginning, known) })
    }

    /// A number for a file. Those of long ago are used again: nothing on its way is as old.
    fn number(&mut self, name: &str) -> SourceId {
        self.files += 1;
        self.names.add(name).unwrap_or_else(|| {
            let id = SourceId(u16::try_from(self.files % u64::from(u16::MAX)).unwrap_or_default());
            self.names.reuse(id, name);
            id
        })
    }

    fn overwritten(&mut self) -> SourceError {
        let current = self.current.as_ref();
        let (path, packets) =
            current.map(|current| (current.path.clone(), current.reader.packets())).unwrap_or_default();
        self.close(Left::Overwritten);
        SourceError::Overwritten { path, packets }
    }

    /// Nothing more is at hand of the file being read: it may grow or be done.
    fn at_end(&mut self) -> Result<Status, SourceError> {
        if self.listed.elapsed() >= POLL {
            self.look()?;
        }
        if !self.is_done() {
            self.pause();
            return Ok(Status::Idle);
        }
        let ended = self.current.as_mut().map(|current| current.reader.end());
        self.close(Left::Done);
        ended.transpose().map(|_| Status::More)
    }

    fn is_done(&mut self) -> bool {
        let Some(current) = &mut self.current else { return true };
        if current.reader.input().is_compressed() {
            return true;
        }
        let Some(stat) = current.reader.input().metadata().map(|metadata| Stat::of(&metadata)) else {
            return true;
        };
        if current.stat.replace(stat).is_some_and(|before| before != stat) {
            current.since = Instant::now();
        }
        let read_all = stat.bytes <= current.reader.bytes_read();
        read_all && is_at_rest(current.since) && self.listing.has_newer(current.mark, stat)
    }

    fn close(&mut self, left: Left) {
        let Some(current) = self.current.take() else { return };
        self.finished_bytes += current.reader.bytes_read();
        let inode = current.reader.input().metadata().map_or(0, |metadata| metadata.ino());
        self.listing.leave(current.reader.packets(), inode, left);
    }
}

impl Current {
    /// Whether the file was cut short or begins otherwise than when it was opened: a ring of files came round.
    fn was_overwritten(&self) -> bool {
        let input = self.reader.input();
        let mut now = [0; BEGINNING];
        let (before, known) = &self.beginning;
        let same = input.first_bytes(&mut now) >= *known && now.get(..*known) == before.get(..*known);
        let shorter = input.metadata().is_some_and(|metadata| metadata.len() < input.bytes_read());
        !same || shorter
    }
}
