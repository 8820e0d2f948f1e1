//! `acknowledged`: how far the receiver took the events.
//!
//! Two places of 20 bytes, written in turn: offset (u64), serial number (u64), CRC32C (u32). A torn one leaves the other,
//! so that at worst a few events are sent again.

use crate::crc32c::Crc32c;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const PLACE: usize = 20;

/// The mark and its file.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    serial: u64,
    /// Events before it were taken; `None` where no mark was ever set.
    pub(super) offset: Option<u64>,
}

impl Mark {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut newest = None;
        for place in [0, PLACE as u64] {
            let mut bytes = [0; PLACE];
            if file.read_exact_at(&mut bytes, place).is_ok() {
                newest = newest.max(parse(&bytes));
            }
        }
        let (serial, offset) = newest.map_or((0, None), |(serial, offset)| (serial, Some(offset)));
        Ok(Self { file, serial, offset })
    }

    pub(super) fn set(&mut self, offset: u64) -> io::Result<()> {
        self.serial += 1;
        self.offset = Some(offset);
        let mut bytes = [offset.to_le_bytes(), self.serial.to_le_bytes()].concat();
        bytes.extend(sum(&bytes).to_le_bytes());
        self.file.write_all_at(&bytes, self.serial % 2 * PLACE as u64)
    }
}

fn sum(bytes: &[u8]) -> u32 {
    let mut crc = Crc32c::NEW;
    crc.add(bytes);
    crc.sum()
}

/// Serial number and offset.
fn parse(bytes: &[u8; PLACE]) -> Option<(u64, u64)> {
    let (fields, crc) = bytes.split_at(16);
    let (offset, serial) = fields.split_at(8);
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
    let right = crc.try_into().map(u32::from_le_bytes).ok() == Some(sum(fields));
    let serial = number(serial).filter(|serial| right && *serial > 0)?;
    Some((serial, number(offset)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_mark_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acknowledged");
        assert_eq!(Mark::open(&path).unwrap().offset, None);
        let mut mark = Mark::open(&path).unwrap();
        for offset in [5, 9, 12] {
            mark.set(offset).unwrap();
            assert_eq!(Mark::open(&path).unwrap().offset, Some(offset));
        }
        // The third stands in the place of the first.
        for at in 20..40 {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(Mark::open(&path).unwrap().offset, Some(9), "byte {at}");
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
        }
    }
}
