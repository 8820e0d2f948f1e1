//! Which connections findings have pinned.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::files;

/// Connections that can be pinned at once.
const MAX_PINS: usize = 65_536;

/// A connection is over, or goes on without what was pinned, this long after: nanoseconds of packet time.
const KEPT_FOR: i64 = 3_600_000_000_000;

/// Findings of one connection within this time count as one.
const APART: i64 = 60_000_000_000;

const FILE: &str = "pins";

/// Labels with the latest time at which they were pinned; in memory, and appended to a file.
pub(crate) struct Pins {
    labels: BTreeMap<u64, i64>,
    path: PathBuf,
    file: File,
}

impl Pins {
    /// Those of the directory. A torn last one is not one.
    pub(crate) fn open(room: &Path) -> io::Result<Self> {
        let path = room.join(FILE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let pin = |pin: &[u8]| Some((number(pin)?, number(pin.get(8..)?)?.cast_signed()));
        let pins: Vec<(u64, i64)> = bytes.chunks_exact(16).filter_map(pin).collect();
        let latest = pins.iter().skip(pins.len().saturating_sub(MAX_PINS));
        let labels: BTreeMap<u64, i64> = latest.copied().collect();
        let file = write(&path, &labels)?;
        Ok(Self { labels, path, file })
    }

    /// Pins a connection. `false` when there are too many, and for one that is pinned already.
    pub(crate) fn add(&mut self, label: u64, time: i64) -> io::Result<bool> {
        let known = self.labels.get(&label).copied();
        let is_new = known.is_none_or(|known| time > known.saturating_add(APART));
        if !is_new || known.is_none() && self.labels.len() >= MAX_PINS {
            return Ok(false);
        }
        self.labels.insert(label, time);
        self.file.write_all(&encoded(label, time))?;
        Ok(known.is_none())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    pub(crate) fn contains(&self, label: u64) -> bool {
        self.labels.contains_key(&label)
    }

    /// Everything up to this time has left the ring. Where pins went with it the file is written anew, or it would grow for ever.
    pub(crate) fn expire(&mut self, oldest: i64) -> io::Result<()> {
        let before = self.labels.len();
        self.labels.retain(|_, time| time.saturating_add(KEPT_FOR) > oldest);
        if self.labels.len() < before {
            self.file = write(&self.path, &self.labels)?;
        }
        Ok(())
    }
}

/// Writes the file, whole whatever happens, and gives it to be appended to.
fn write(path: &Path, labels: &BTreeMap<u64, i64>) -> io::Result<File> {
    let unfinished = files::beside(path, files::UNFINISHED);
    let mut file = files::create_private(&unfinished)?;
    let bytes: Vec<u8> = labels.iter().flat_map(|(label, time)| encoded(*label, *time)).collect();
    file.write_all(&bytes)?;
    file.sync_all()?;
    files::put_in_place(&unfinished, path)?;
    OpenOptions::new().append(true).open(path)
}

fn encoded(label: u64, time: i64) -> [u8; 16] {
    let mut bytes = [0; 16];
    let numbers = label.to_le_bytes().into_iter().chain(time.to_le_bytes());
    bytes.iter_mut().zip(numbers).for_each(|(place, byte)| *place = byte);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = APART;

    fn bytes(room: &Path) -> u64 {
        fs::metadata(room.join(FILE)).unwrap().len()
    }

    #[test]
    fn the_file_holds_what_is_pinned_and_no_more() {
        let room = tempfile::tempdir().unwrap();
        let mut pins = Pins::open(room.path()).unwrap();
        for number in 0..1_000 {
            assert_eq!(pins.add(7, number).unwrap(), number == 0);
        }
        assert_eq!(bytes(room.path()), 16, "a connection with a thousand findings");
        assert!(!pins.add(7, 2 * MINUTE).unwrap() && pins.add(8, 90 * MINUTE).unwrap());
        assert_eq!(bytes(room.path()), 48);
        drop(pins);
        let mut pins = Pins::open(room.path()).unwrap();
        assert_eq!(bytes(room.path()), 32);
        pins.expire(61 * MINUTE).unwrap();
        assert!(pins.contains(7), "an hour after it was pinned again");
        pins.expire(63 * MINUTE).unwrap();
        assert!(!pins.contains(7) && pins.contains(8));
        assert_eq!(bytes(room.path()), 16);
        assert!(pins.add(9, 91 * MINUTE).unwrap());
        drop(pins);
        let pins = Pins::open(room.path()).unwrap();
        assert!(pins.contains(8) && pins.contains(9) && !pins.contains(7));
    }

    #[test]
    fn pins_that_cannot_be_read_are_not_none() {
        let room = tempfile::tempdir().unwrap();
        fs::create_dir(room.path().join(FILE)).unwrap();
        assert!(Pins::open(room.path()).is_err());
    }
}
