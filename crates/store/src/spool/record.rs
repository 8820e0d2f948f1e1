//! A record of a segment: 36 bytes of header, then whole lines.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | magic, which no UTF-8 text holds |
//! | 4 | length of the lines |
//! | 8 | offset: how many events the spool took before this record |
//! | 8 | events |
//! | 1 | rank; 1: whether its lines were dropped; 2: zero |
//! | 4 | CRC32C of the lines |
//! | 4 | CRC32C of the header before it, without the magic |
//!
//! Numbers are little endian.

use super::Rank;
use crate::crc32c::Crc32c;

pub(super) const HEADER: usize = 36;
pub(super) const MAGIC: [u8; 4] = [0xfa, b'T', b'w', 0xfb];

/// A longer record was never written.
pub(super) const LONGEST: u32 = 64 << 20;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: u32,
    pub(super) offset: u64,
    pub(super) events: u64,
    pub(super) rank: Rank,
    /// Only a number of events that once stood here.
    pub(super) dropped: bool,
    pub(super) crc: u32,
}

impl Header {
    /// The header of `lines`.
    pub(super) fn of(offset: u64, events: u64, rank: Rank, lines: &[u8]) -> Self {
        let length = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        Self { length, offset, events, rank, dropped: false, crc: sum(lines) }
    }

    /// Takes the place of events that were dropped.
    pub(super) fn of_dropped(offset: u64, events: u64) -> Self {
        Self { length: 0, offset, events, rank: Rank::LOWEST, dropped: true, crc: sum(b"") }
    }

    /// The offset behind it.
    pub(super) const fn end(&self) -> u64 {
        self.offset.saturating_add(self.events)
    }

    /// Bytes in the file.
    pub(super) const fn size(&self) -> u64 {
        HEADER as u64 + self.length as u64
    }

    /// Whether `lines` are those it was written for.
    pub(super) fn holds(&self, lines: &[u8]) -> bool {
        self.length as usize == lines.len() && sum(lines) == self.crc
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let (magic, rest) = bytes.split_at_mut(4);
        let (fields, crc) = rest.split_at_mut(28);
        magic.copy_from_slice(&MAGIC);
        fields.copy_from_slice(&self.fields());
        crc.copy_from_slice(&sum(fields).to_le_bytes());
        bytes
    }

    /// `None` where no header stands.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let (magic, rest) = bytes.split_at(4);
        let (fields, check) = rest.split_at(28);
        let right = u32::from_le_bytes(check.try_into().ok()?) == sum(fields);
        let (length, rest) = fields.split_at(4);
        let (offset, rest) = rest.split_at(8);
        let (events, rest) = rest.split_at(8);
        let (flags, crc) = rest.split_at(4);
        let [rank, dropped, 0, 0] = *flags else { return None };
        let header = Self {
            length: u32::from_le_bytes(length.try_into().ok()?),
            offset: u64::from_le_bytes(offset.try_into().ok()?),
            events: u64::from_le_bytes(events.try_into().ok()?),
            rank: Rank::new(rank)?,
            dropped: dropped == 1,
            crc: u32::from_le_bytes(crc.try_into().ok()?),
        };
        (right && magic == MAGIC && dropped <= 1 && header.length <= LONGEST).then_some(header)
    }

    fn fields(&self) -> [u8; 28] {
        let mut bytes = [0; 28];
        let (length, rest) = bytes.split_at_mut(4);
        let (offset, rest) = rest.split_at_mut(8);
        let (events, rest) = rest.split_at_mut(8);
        let (flags, crc) = rest.split_at_mut(4);
        length.copy_from_slice(&self.length.to_le_bytes());
        offset.copy_from_slice(&self.offset.to_le_bytes());
        events.copy_from_slice(&self.events.to_le_bytes());
        flags.copy_from_slice(&[self.rank.0, u8::from(self.dropped), 0, 0]);
        crc.copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }
}

fn sum(bytes: &[u8]) -> u32 {
    let mut crc = Crc32c::NEW;
    crc.add(bytes);
    crc.sum()
}
