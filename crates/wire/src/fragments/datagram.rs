//! One datagram in parts.

use crate::PacketId;
use crate::fragments::{Fragment, FragmentKey, MAX_DATAGRAM, Origin};
use crate::walk::Walk;

/// Fragments lie at multiples of eight bytes (RFC 791, 3.1; RFC 8200, 4.5).
pub(crate) const BLOCK: usize = 8;
const WORDS: usize = (MAX_DATAGRAM + 1) / BLOCK / 64;

/// Packets of a datagram that are known again: enough for the largest datagram in fragments of 32 bytes.
const MAX_PACKETS: usize = 2_048;

/// What a fragment brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// Bytes that were missing.
    Fresh,
    /// Only bytes that were there, the same.
    Nothing,
    /// Only bytes that were there and differ, or an end that cannot be.
    Conflict,
}

/// A datagram that is being put together, or that was.
pub(crate) struct Datagram {
    pub(crate) key: FragmentKey,
    pub(crate) origin: Option<Origin>,
    /// Packet time of its first fragment, or of its completion; nanoseconds.
    pub(crate) since: i64,
    pub(crate) bytes: Vec<u8>,
    covered: [u64; WORDS],
    blocks: usize,
    /// Its length, once the last fragment has come.
    pub(crate) total: Option<usize>,
    /// The furthest end of any fragment.
    end: usize,
    /// The first byte that a cut fragment did not bring.
    cut_at: usize,
    /// Fragments in it.
    pub(crate) fragments: u64,
    /// The packets that it came in, where anybody asks for them.
    pub(crate) packets: Vec<PacketId>,
    pub(crate) conflict: bool,
    pub(crate) complete: bool,
}

impl Datagram {
    /// An empty one, in the buffer of another.
    pub(crate) fn new(key: FragmentKey, since: i64, mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self {
            key,
            origin: None,
            since,
            bytes,
            covered: [0; WORDS],
            blocks: 0,
            total: None,
            end: 0,
            cut_at: usize::MAX,
            fragments: 0,
            packets: Vec::new(),
            conflict: false,
            complete: false,
        }
    }

    /// Takes a fragment, which ends within 64 KiB. Bytes that are there already stay as they are.
    pub(crate) fn add(&mut self, fragment: &Fragment<'_>, walk: &Walk) -> Added {
        let end = usize::from(fragment.offset) + fragment.transport.view.stated;
        if !self.may_end(end, fragment.more) {
            self.conflict = true;
            return Added::Conflict;
        }
        self.end = self.end.max(end);
        if !fragment.more {
            self.total = Some(end);
        }
        if usize::from(fragment.offset) == 0 {
            self.origin.get_or_insert(fragment.origin(walk));
        }
        if fragment.transport.view.cut() > 0 {
            self.cut_at = self.cut_at.min(usize::from(fragment.offset) + fragment.transport.view.data.len());
        }
        let added = self.copy(fragment);
        if added != Added::Conflict && self.is_covered() {
            self.complete = true;
        }
        added
    }

    /// Notes the packets of a fragment that said anything new.
    pub(crate) fn came_in(&mut self, packets: &[PacketId]) {
        let room = MAX_PACKETS.saturating_sub(self.packets.len());
        self.packets.extend(packets.iter().take(room));
    }

    fn may_end(&self, end: usize, more: bool) -> bool {
        match self.total {
            Some(total) => end == total || (more && end < total),
            None => more || end >= self.end,
        }
    }

    fn copy(&mut self, fragment: &Fragment<'_>) -> Added {
        let data = fragment.transport.view.data;
        let reach = usize::from(fragment.offset) + data.len();
        if self.bytes.len() < reach {
            self.bytes.resize(reach, 0);
        }
        let (mut fresh, mut differs) = (false, false);
        for at in (0..fragment.transport.view.stated).step_by(BLOCK) {
            let new = data.get(at.min(data.len())..(at + BLOCK).min(data.len())).unwrap_or_default();
            let place = usize::from(fragment.offset) + at;
            let Some(old) = self.bytes.get_mut(place.min(reach)..(place + new.len()).min(reach)) else {
                continue;
            };
            if self.covered.get(place / BLOCK / 64).is_none_or(|word| word >> (place / BLOCK % 64) & 1 == 0) {
                old.copy_from_slice(new);
                self.blocks += 1;
                if let Some(word) = self.covered.get_mut(place / BLOCK / 64) {
                    *word |= 1 << (place / BLOCK % 64);
                }
                fresh = true;
            } else if place + new.len() <= self.cut_at && old != new {
                differs = true;
            }
        }
        self.conflict |= differs;
        match (fresh, differs) {
            (true, _) => Added::Fresh,
            (false, true) => Added::Conflict,
            (false, false) => Added::Nothing,
        }
    }

    fn is_covered(&self) -> bool {
        self.origin.is_some() && self.total.is_some_and(|total| self.blocks == total.div_ceil(BLOCK))
    }

    /// The bytes up to the first that was not captured.
    pub(crate) fn captured(&self) -> &[u8] {
        self.bytes.get(..self.cut_at).unwrap_or(&self.bytes)
    }

    /// Whether this complete datagram holds the very bytes of a fragment.
    pub(crate) fn repeats(&self, fragment: &Fragment<'_>) -> bool {
        let end = usize::from(fragment.offset) + fragment.transport.view.stated;
        let known = self.captured().get(usize::from(fragment.offset)..).unwrap_or_default();
        let length = known.len().min(fragment.transport.view.data.len());
        self.may_end(end, fragment.more) && known.get(..length) == fragment.transport.view.data.get(..length)
    }
}
