//! Everything under `--data`.
//!
//! | path | what | how it survives a kill |
//! |---|---|---|
//! | `version` | the format of the directory | written once, by rename |
//! | `lock` | held by the one writer | released by the kernel |
//! | `state/NAME` | checkpoints of bytes that the pure crates give | written beside, synced, renamed; CRC32C |
//! | `events/DAY.ndjson.zst` | rendered events of one UTC day | one zstd frame per append, with the beginnings of the uids in it; a torn one is cut off |
//! | `audit.jsonl` | who carved which packets, and what users of the console did | appended, one write a line |
//! | `captures.jsonl` | which captures replays took in | written beside, synced, renamed |
//! | `feedback.jsonl`, `mutes.jsonl` | what people say of incidents | appended, one write a line |
//! | `users.json`, `queries.json` | who may log in to the console, and queries that users keep there | written beside, synced, renamed |
//! | `sensors.json` | who may send to a collector | written beside, synced, renamed |
//! | `collected.json` | counters of what they sent | written beside, synced, renamed |
//! | `spool/NAME/` | events that wait for a receiver; those that a collector has acknowledged | a torn record is cut off, damage passed over and kept aside |
//! | `packets/` | the packet ring, encrypted | read up to the last whole block |
//! | `packets.key` | wraps the keys of its segments | written beside, synced, renamed |
//! | `token.key` | the key of tokens, unless another is given | linked into place when whole |
//!
//! One [`Store`] writes; any number of [`Reader`]s read beside it. Nothing here knows what the bytes mean, but that a uid is a text of hexadecimal digits.

mod audit;
mod checkpoint;
mod crc32c;
mod day;
mod directories;
mod error;
mod events;
mod files;
mod member;
mod packets;
mod signing;
mod spool;
mod token_key;
mod uids;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use audit::AuditLog;
pub use checkpoint::{Checkpoint, Checkpoints, Loaded, Pieces};
pub use crc32c::Crc32c;
pub use day::{Day, NoDay};
pub use directories::Directories;
pub use error::StoreError;
pub use events::{DayFile, DayReader, Piece, Recovered};
pub use packets::{
    Block, PacketReader, PacketRing, Record, Records, RingCounters, Segment, SegmentFile, SegmentPackets,
};
pub use signing::{SigningKey, is_signed};
pub use spool::{Amount, Appended, Damage, Entry, RANKS, Rank, Spool, Spools};
pub use token_key::{Origin, TokenKey, token_key};

use events::DayWriter;

/// Format of the whole directory. A change that old versions cannot read raises it. Format 1 had events in gzip, which
/// are read still.
const FORMAT: u32 = 2;
const OLDEST_FORMAT: u32 = 1;
const VERSION_FILE: &str = "version";
const LOCK_FILE: &str = "lock";

/// The one writer of a data directory.
#[derive(Debug)]
pub struct Store {
    reader: Reader,
    day: Option<DayWriter>,
    // Closing the last one releases the directory.
    lock: Arc<File>,
}

/// Refuses a URL, which would become a directory of that name.
///
/// # Errors
/// It is one.
pub fn is_here(directory: &Path) -> Result<(), StoreError> {
    match directory.to_str() {
        Some(text) if text.contains("://") => Err(StoreError::Url { path: directory.into() }),
        _ => Ok(()),
    }
}

/// Makes `directory` a data directory, where it is none yet, for a file that stands in it before there was a run.
///
/// # Errors
/// It holds something else, or a newer format; the system's reason.
pub fn prepare(directory: &Path) -> Result<(), StoreError> {
    is_here(directory)?;
    files::private_directory(directory)?;
    match read_version(directory)? {
        // A run that writes it raises an older format.
        Some(OLDEST_FORMAT..=FORMAT) => Ok(()),
        _ => settle_version(directory),
    }
}

/// Replaces the file at `path`, in one piece, for the owner of its directory only.
///
/// # Errors
/// The path and the system's reason; the file is as before.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    files::write_durably(path, &[bytes])
}

/// Reads a data directory, also while a [`Store`] writes it.
#[derive(Clone, Debug)]
pub struct Reader {
    directory: PathBuf,
}

impl Store {
    /// Opens `directory` for writing; makes it, for its owner only, where there is none.
    ///
    /// # Errors
    /// Another process writes it; it holds something else, or a newer format; it is a URL; the system's reason.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        is_here(directory)?;
        files::private_directory(directory)?;
        let lock = lock(directory)?;
        settle_version(directory)?;
        for room in [checkpoint::ROOM, events::ROOM] {
            files::private_directory(&directory.join(room))?;
        }
        Ok(Self { reader: Reader { directory: directory.to_owned() }, day: None, lock: Arc::new(lock) })
    }

    /// What can be read.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The packet ring of this directory, of `budget` bytes. `names` are those of the sources of packets.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn packet_ring(&self, budget: u64, names: &[String]) -> Result<PacketRing, StoreError> {
        PacketRing::open(&self.reader.directory, budget, names)
    }

    /// Writes and reads checkpoints of what was learned.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.reader.clone(), Arc::clone(&self.lock))
    }

    /// Opens what waits for receivers.
    pub fn spools(&self) -> Spools {
        Spools::new(&self.reader.directory, Arc::clone(&self.lock))
    }

    /// Appends rendered events, whole lines, to those of `day`. The first append to a day also repairs what a
    /// kill may have left, and tells it.
    ///
    /// # Errors
    /// The path and the system's reason; the day's file ends as before.
    pub fn append_events(&mut self, day: Day, lines: &[u8]) -> Result<Option<Recovered>, StoreError> {
        let mut recovered = None;
        let writer = match self.day.take().filter(|w| w.day() == day) {
            Some(writer) => self.day.insert(writer),
            None => {
                let (writer, cut) = DayWriter::open(&self.reader.directory, day)?;
                recovered = cut;
                self.day.insert(writer)
            }
        };
        writer.append(lines)?;
        Ok(recovered)
    }

    /// Has the system write what was appended to the disk.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.day.as_mut().map_or(Ok(()), DayWriter::sync)
    }
}

impl Reader {
    /// Opens an existing data directory.
    ///
    /// # Errors
    /// There is none; it holds something else, or a newer format.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        is_here(directory)?;
        match read_version(directory)? {
            Some(OLDEST_FORMAT..=FORMAT) => Ok(Self { directory: directory.to_owned() }),
            Some(newer) => Err(StoreError::Newer { path: directory.into(), found: newer, known: FORMAT }),
            None if directory.is_dir() => Err(StoreError::Foreign { path: directory.into() }),
            None => Err(StoreError::Missing { path: directory.into() }),
        }
    }

    /// The directory, as given.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The checkpoint `name`; a damaged one stays where it is.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn load(&self, name: &str) -> Result<Loaded, StoreError> {
        checkpoint::load(&self.directory, name)
    }

    /// The key of tokens that is kept there; none is made.
    ///
    /// # Errors
    /// The file holds no key; the path and the system's reason.
    pub fn token_key(&self) -> Result<TokenKey, StoreError> {
        token_key::of_directory(&self.directory)
    }

    /// The packets that are kept.
    ///
    /// # Errors
    /// There are none; the path and the system's reason.
    pub fn packets(&self) -> Result<PacketReader, StoreError> {
        PacketReader::open(&self.directory)
    }

    /// The days that have events, oldest first.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn days(&self) -> Result<Vec<DayFile>, StoreError> {
        events::days(&self.directory)
    }

    /// The events of one day, in the order they were appended.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn day(&self, day: Day) -> Result<DayReader, StoreError> {
        DayReader::open(&self.directory, day)
    }

    /// Those of its events among which one may name a uid that begins so, in lower case: a piece that cannot is passed over
    /// without being decompressed. Of fewer than six digits, all.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn day_naming(&self, day: Day, uid: &str) -> Result<DayReader, StoreError> {
        self.day(day).map(|reader| reader.naming(uid))
    }
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_FILE);
    let failed = |e: &std::io::Error| StoreError::io("lock", &path, e);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(|e| failed(&e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Without its number the message is still true.
            let _unknown = file.read_to_string(&mut holder);
            let holder = holder.trim().parse().ok();
            return Err(StoreError::InUse { path: directory.into(), holder });
        }
        Err(TryLockError::Error(e)) => return Err(failed(&e)),
    }
    file.set_len(0).map_err(|e| failed(&e))?;
    writeln!(file, "{}", std::process::id()).map_err(|e| failed(&e))?;
    Ok(file)
}

/// A directory that holds files but no version is somebody else's: events must not land between them.
fn settle_version(directory: &Path) -> Result<(), StoreError> {
    match read_version(directory)? {
        Some(FORMAT) => Ok(()),
        Some(OLDEST_FORMAT..FORMAT) => write_version(directory),
        Some(found) => Err(StoreError::Newer { path: directory.into(), found, known: FORMAT }),
        None if holds_only_ours(directory)? => write_version(directory),
        None => Err(StoreError::Foreign { path: directory.into() }),
    }
}

fn write_version(directory: &Path) -> Result<(), StoreError> {
    let text = format!("tapwire data {FORMAT}\n");
    files::write_durably(&directory.join(VERSION_FILE), &[text.as_bytes()])
}

fn read_version(directory: &Path) -> Result<Option<u32>, StoreError> {
    let path = directory.join(VERSION_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let number = text.strip_prefix("tapwire data ").and_then(|n| n.trim().parse().ok());
            number.map(Some).ok_or_else(|| StoreError::Foreign { path: directory.into() })
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io("read", &path, &e)),
    }
}

fn holds_only_ours(directory: &Path) -> Result<bool, StoreError> {
    let failed = |e| StoreError::io("read", directory, &e);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        let ours = [LOCK_FILE, token_key::FILE, "lost+found"].contains(&&*name);
        if !ours && !files::is_unfinished(&name) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_directory_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/data");
        let mut store = Store::open(&data).unwrap();
        let mut checkpoint = store.checkpoints().begin("inventory").unwrap();
        checkpoint.piece(b"x").unwrap();
        checkpoint.finish().unwrap();
        store.append_events(Day::from_unix_ms(0), b"{}\n").unwrap();
        for inner in ["", "state", "events"] {
            assert_eq!(mode(&data.join(inner)), 0o700, "{inner}");
        }
        for file in ["version", "lock", "state/inventory", "events/1970-01-01.ndjson.zst"] {
            assert_eq!(mode(&data.join(file)), 0o600, "{file}");
        }
    }

    #[test]
    fn a_second_writer_is_told_who_holds_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path()).unwrap();
        let text = Store::open(dir.path()).unwrap_err().to_string();
        assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
        Reader::open(dir.path()).unwrap();
        drop(first);
        Store::open(dir.path()).unwrap();
    }

    #[test]
    fn a_foreign_or_newer_directory_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("letters.txt"), "x").unwrap();
        assert!(matches!(Store::open(dir.path()), Err(StoreError::Foreign { .. })));
        assert!(matches!(Reader::open(dir.path()), Err(StoreError::Foreign { .. })));
        assert!(!dir.path().join("state").exists());
        let newer = tempfile::tempdir().unwrap();
        fs::write(newer.path().join("version"), "tapwire data 99\n").unwrap();
        assert!(matches!(Store::open(newer.path()), Err(StoreError::Newer { found: 99, .. })));
        assert!(matches!(Reader::open(&dir.path().join("none")), Err(StoreError::Missing { .. })));
        assert!(matches!(Store::open(Path::new("s3://lake/site")), Err(StoreError::Url { .. })));
        assert!(!Path::new("s3:").exists());
    }

    #[test]
    fn a_file_may_stand_there_before_there_was_a_run() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        prepare(&data).unwrap();
        write_private(&data.join("users.json"), b"{}").unwrap();
        let _run = Store::open(&data).unwrap();
        prepare(&data).unwrap();
        fs::write(dir.path().join("letters.txt"), "x").unwrap();
        assert!(matches!(prepare(dir.path()), Err(StoreError::Foreign { .. })));
    }

    #[test]
    fn a_kill_during_the_first_open_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        for left in ["lock", "version.new", "token.key"] {
            fs::write(dir.path().join(left), "tap").unwrap();
        }
        Store::open(dir.path()).unwrap();
    }
}
