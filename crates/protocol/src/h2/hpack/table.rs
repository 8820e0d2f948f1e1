//! The dynamic table (RFC 7541, 2.3.2 and 4), of which the older part may be unknown.

use std::collections::VecDeque;
use std::ops::Range;

/// What an entry costs beside its text (RFC 7541, 4.1).
pub(super) const OVERHEAD: usize = 32;

/// Bytes of a table that are kept, counted as the RFC does; older entries of a larger one are unknown.
pub(super) const MAX_TABLE: usize = 64 << 10;

/// What a table is limited to before anything is said (RFC 9113, 6.5.2).
const INITIAL: usize = 4_096;

/// What lies behind the oldest entry that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    None,
    /// Entries, or none: they were inserted unseen.
    Unknown,
}

/// A header field; `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    pub(super) name: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where its name begins, counted from the first byte ever inserted. Its value follows.
    start: u64,
    name: u32,
    value: u32,
    knows_name: bool,
    knows_value: bool,
}

impl Entry {
    const fn len(&self) -> usize {
        self.name as usize + self.value as usize
    }

    /// Too little by what is unknown of it: then older entries are kept that the peer has dropped, and never names.
    const fn size(&self) -> usize {
        self.len() + OVERHEAD
    }
}

/// The name of an entry to be inserted: text, or that of an entry that is there. `None` is unknown.
#[derive(Debug, Clone)]
pub(super) enum Name<'a> {
    Text(&'a [u8]),
    Of(usize),
}

/// Entries from the oldest to the newest, their text in one buffer. Its `Debug` shows no content.
pub(super) struct Table {
    entries: VecDeque<Entry>,
    text: Vec<u8>,
    /// How many bytes have been dropped in front of `text`.
    dropped: u64,
    /// As the RFC counts.
    size: usize,
    /// What the peer limits it to; `None` is unknown.
    limit: Option<usize>,
    tail: Tail,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} entries, {} bytes, tail {:?})", self.entries.len(), self.size, self.tail)
    }
}

impl Table {
    /// Of a connection's beginning.
    pub(super) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            text: Vec::new(),
            dropped: 0,
            size: 0,
            limit: Some(INITIAL),
            tail: Tail::None,
        }
    }

    pub(super) const fn tail(&self) -> Tail {
        self.tail
    }

    /// Entries were inserted unseen: what was there is somewhere behind them.
    pub(super) fn forget(&mut self) {
        self.clear();
        self.limit = None;
        self.tail = Tail::Unknown;
    }

    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// The entry so many places behind the newest; `None` when no such entry is known.
    pub(super) fn get(&self, nth: usize) -> Option<Pair<'_>> {
        let entry = self.entry(nth)?;
        let at = self.place(entry);
        let (name, value) = self.text.get(at)?.split_at_checked(entry.name as usize)?;
        Some(Pair { name: entry.knows_name.then_some(name), value: entry.knows_value.then_some(value) })
    }

    fn entry(&self, nth: usize) -> Option<&Entry> {
        self.entries.get(self.entries.len().checked_sub(nth + 1)?)
    }

    fn place(&self, entry: &Entry) -> Range<usize> {
        let start = usize::try_from(entry.start - self.dropped).unwrap_or(usize::MAX);
        start..start.saturating_add(entry.len())
    }

    /// A size update (RFC 7541, 6.3).
    pub(super) fn limit(&mut self, limit: usize) {
        self.limit = Some(limit);
        self.evict(0);
        if limit < OVERHEAD {
            self.tail = Tail::None;
        }
    }

    /// Inserts an entry, and drops what it leaves no room for (RFC 7541, 4.4). An entry that alone is too large empties
    /// the table.
    pub(super) fn insert(&mut self, name: Option<Name<'_>>, value: Option<&[u8]>) {
        let start = self.dropped + self.text.len() as u64;
        let (knows_name, name) = self.append_name(name);
        self.text.extend_from_slice(value.unwrap_or_default());
        let narrow = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let (knows_value, value) = (value.is_some(), narrow(value.map_or(0, <[u8]>::len)));
        let entry = Entry { start, name: narrow(name), value, knows_name, knows_value };
        self.evict(entry.size());
        if entry.size() <= self.room() {
            self.size += entry.size();
            self.entries.push_back(entry);
        } else {
            self.tail = if self.peer_keeps_more() { Tail::Unknown } else { Tail::None };
        }
        self.compact();
    }

    fn append_name(&mut self, name: Option<Name<'_>>) -> (bool, usize) {
        match name {
            None => (false, 0),
            Some(Name::Text(text)) => {
                self.text.extend_from_slice(text);
                (true, text.len())
            }
            Some(Name::Of(nth)) => {
                let Some(entry) = self.entry(nth).copied().filter(|entry| entry.knows_name) else {
                    return (false, 0);
                };
                let (at, len) = (self.place(&entry).start, entry.name as usize);
                if at + len > self.text.len() {
                    return (false, 0);
                }
                self.text.extend_from_within(at..at + len);
                (true, len)
            }
        }
    }

    /// What is kept at most.
    fn room(&self) -> usize {
        self.limit.unwrap_or(MAX_TABLE).min(MAX_TABLE)
    }

    /// Drops the oldest entries until there is room for so many bytes, or nothing is left.
    fn evict(&mut self, coming: usize) {
        let room = self.room();
        while self.size + coming > room {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.size -= oldest.size();
            if self.peer_keeps_more() {
                self.tail = Tail::Unknown;
            }
        }
    }

    /// Whether the peer may have entries for which there is no room here.
    fn peer_keeps_more(&self) -> bool {
        self.limit.is_none_or(|limit| limit > MAX_TABLE)
    }

    /// Gives back the text of dropped entries once it is more than that of the others.
    fn compact(&mut self) {
        let live = self.entries.front().map_or(self.text.len(), |oldest| self.place(oldest).start);
        if live > 1_024 && live * 2 > self.text.len() {
            self.text.drain(..live);
            self.dropped += live as u64;
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.dropped += self.text.len() as u64;
        self.text.clear();
        self.size = 0;
    }
}
