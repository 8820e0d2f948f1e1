//! Which connections findings have pinned.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Connections that can be pinned at once.
const MAX_PINS: usize = 65_536;

/// A connection is over, or goes on without what was pinned, this long after: nanoseconds of packet time.
const KEPT_FOR: i64 = 3_600_000_000_000;

const FILE: &str = "pins";

/// Labels with the latest time at which they were pinned; in memory, and appended to a file.
pub(crate) struct Pins {
    labels: BTreeMap<u64, i64>,
    file: File,
}

impl Pins {
    /// Those of the directory. A torn last one is not one.
    pub(crate) fn open(room: &Path) -> io::Result<Self> {
        let path = room.join(FILE);
        let bytes = if path.exists() { fs::read(&path)? } else { Vec::new() };
        let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let pin = |pin: &[u8]| Some((number(pin)?, number(pin.get(8..)?)?.cast_signed()));
        let pins: Vec<(u64, i64)> = bytes.chunks_exact(16).filter_map(pin).collect();
        let latest = pins.iter().skip(pins.len().saturating_sub(MAX_PINS));
        let labels: BTreeMap<u64, i64> = latest.copied().collect();
        // Written anew, so that it does not grow from run to run.
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let kept: Vec<u8> = labels.iter().flat_map(|(label, time)| encoded(*label, *time)).collect();
        file.write_all(&kept)?;
        Ok(Self { labels, file })
    }

    /// Pins a connection. `false` when there are too many, and for one that is pinned already.
    pub(crate) fn add(&mut self, label: u64, time: i64) -> io::Result<bool> {
        let full = self.labels.len() >= MAX_PINS && !self.labels.contains_key(&label);
        if full {
            return Ok(false);
        }
        let fresh = self.labels.insert(label, time).is_none();
        self.file.write_all(&encoded(label, time))?;
        Ok(fresh)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    pub(crate) fn contains(&self, label: u64) -> bool {
        self.labels.contains_key(&label)
    }

    /// Everything up to this time has left the ring.
    pub(crate) fn expire(&mut self, oldest: i64) {
        self.labels.retain(|_, time| time.saturating_add(KEPT_FOR) > oldest);
    }
}

fn encoded(label: u64, time: i64) -> [u8; 16] {
    let mut bytes = [0; 16];
    let numbers = label.to_le_bytes().into_iter().chain(time.to_le_bytes());
    bytes.iter_mut().zip(numbers).for_each(|(place, byte)| *place = byte);
    bytes
}
