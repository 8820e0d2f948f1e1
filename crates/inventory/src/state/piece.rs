//! Entries of a checkpoint, one behind the other in a piece.

use super::Unfit;
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What one piece weighs at most, unless its first entry weighs more: a caller and a node weigh 1, an endpoint as much as the
/// fields of its schemas. So much is written within a millisecond.
pub(crate) const HEAVY: usize = 2048;

/// Places that the keys of a table are spread over.
pub(crate) const PLACES: usize = 1 << 16;

/// A stretch of a table that moves its records as calls come: those whose keys a hash puts into some of the places. Whatever
/// moves between two pieces, a record that stays is in one of them.
pub(crate) struct Stretch {
    from: usize,
    until: usize,
}

impl Stretch {
    /// From a place on, as wide as a piece has room for, where so many records are spread over all places.
    pub(crate) fn new(from: usize, records: usize) -> Self {
        let wide = (PLACES * HEAVY / records.max(1)).max(1);
        Self { from, until: from.saturating_add(wide).min(PLACES) }
    }

    /// Whether the record of a key is in it.
    pub(crate) const fn has(&self, key: u64) -> bool {
        let place = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize;
        self.from <= place && place < self.until
    }

    /// Where the next one begins: behind the last at [`PLACES`].
    pub(crate) const fn end(&self) -> usize {
        self.until
    }
}

/// The end of a piece.
struct Tail<'a>(&'a mut Vec<u8>);

impl Flavor for Tail<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Adds an entry. None of ours can fail to be written; one that did would be left out whole.
pub fn put<T: Serialize + ?Sized>(entry: &T, out: &mut Vec<u8>) {
    let before = out.len();
    if postcard::serialize_with_flavor(entry, Tail(out)).is_err() {
        out.truncate(before);
    }
}

/// Adds entries, each with its weight, until the piece is full; how many they were, `None` when these were the last.
pub fn put_some<T: Serialize>(
    entries: impl Iterator<Item = T>,
    weight: impl Fn(&T) -> usize,
    out: &mut Vec<u8>,
) -> Option<usize> {
    let (mut count, mut heavy) = (0, 0);
    for entry in entries {
        if heavy >= HEAVY {
            return Some(count);
        }
        heavy += weight(&entry);
        put(&entry, out);
        count += 1;
    }
    None
}

/// Takes the next entry.
///
/// # Errors
/// It is none.
pub fn take<T: DeserializeOwned>(piece: &mut &[u8]) -> Result<T, Unfit> {
    let (entry, rest) = postcard::take_from_bytes(piece).map_err(|_| Unfit::Unreadable)?;
    *piece = rest;
    Ok(entry)
}

/// Takes entries to the end of the piece; those for which `keep` says no are counted.
///
/// # Errors
/// One of them is none.
pub fn take_all<T: DeserializeOwned>(
    mut piece: &[u8],
    mut keep: impl FnMut(T) -> bool,
) -> Result<u64, Unfit> {
    let mut left_out = 0;
    while !piece.is_empty() {
        let before = piece.len();
        left_out += u64::from(!keep(take(&mut piece)?));
        // Entries of no bytes would never end.
        if piece.len() == before {
            return Err(Unfit::Unreadable);
        }
    }
    Ok(left_out)
}
