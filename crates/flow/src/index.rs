//! From a key's hash to a slot: open addressing with linear probing.

use std::hint::black_box;

/// An empty cell.
const EMPTY: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// The low half of the key's hash, which also places it when the index grows.
    hash: u32,
    slot: u32,
}

/// A hash index over slots that are kept elsewhere. It holds no keys: the caller says whether a slot's key is the one
/// that is looked for. Nothing iterates over it, so its order never reaches the output.
#[derive(Debug)]
pub(crate) struct Index {
    /// A power of two of cells, at most three quarters full.
    cells: Vec<Cell>,
    len: usize,
}

impl Index {
    /// Bytes an entry at the worst: while the cells are doubled, the old ones and twice as many new ones are there for
    /// three quarters of the old.
    pub(crate) const ENTRY: usize = size_of::<Cell>() * 4;

    pub(crate) fn new() -> Self {
        Self { cells: vec![Cell { hash: 0, slot: EMPTY }; 64], len: 0 }
    }

    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let cell = self.cells.get(at)?;
            if cell.slot == EMPTY {
                return None;
            }
            if cell.hash == hash && is_it(cell.slot) {
                return Some(cell.slot);
            }
            at = self.next(at);
        }
    }

    /// Reads the cell where the search for `hash` begins.
    pub(crate) fn touch(&self, hash: u32) {
        black_box(self.cells.get(self.home(hash)).map(|cell| cell.slot));
    }

    /// The first slot under this hash, which is nearly always the one looked for.
    pub(crate) fn guess(&self, hash: u32) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds a slot whose key is not in the index.
    pub(crate) fn insert(&mut self, hash: u32, slot: u32) {
        if (self.len + 1) * 4 > self.cells.len() * 3 {
            self.grow();
        }
        self.place(Cell { hash, slot });
        self.len += 1;
    }

    /// Removes a slot and closes the hole it leaves, so that no tombstones pile up.
    pub(crate) fn remove(&mut self, hash: u32, slot: u32) {
        let mut at = self.home(hash);
        while let Some(cell) = self.cells.get(at).copied() {
            if cell.slot == EMPTY {
                return;
            }
            if cell.slot == slot {
                break;
            }
            at = self.next(at);
        }
        self.len = self.len.saturating_sub(1);
        self.close(at);
    }

    /// Moves later cells of the probe sequence back over the hole at `hole`.
    fn close(&mut self, mut hole: usize) {
        let mut at = self.next(hole);
        while let Some(cell) = self.cells.get(at).copied()
            && cell.slot != EMPTY
        {
            let from_home = at.wrapping_sub(self.home(cell.hash)) & self.mask();
            if from_home >= at.wrapping_sub(hole) & self.mask() {
                self.set(hole, cell);
                hole = at;
            }
            at = self.next(at);
        }
        self.set(hole, Cell { hash: 0, slot: EMPTY });
    }

    fn grow(&mut self) {
        let doubled = vec![Cell { hash: 0, slot: EMPTY }; self.cells.len() * 2];
        let old = std::mem::replace(&mut self.cells, doubled);
        for cell in old.into_iter().filter(|cell| cell.slot != EMPTY) {
            self.place(cell);
        }
    }

    fn place(&mut self, cell: Cell) {
        let mut at = self.home(cell.hash);
        while self.cells.get(at).is_some_and(|taken| taken.slot != EMPTY) {
            at = self.next(at);
        }
        self.set(at, cell);
    }

    fn set(&mut self, at: usize, cell: Cell) {
        if let Some(place) = self.cells.get_mut(at) {
            *place = cell;
        }
    }

    fn mask(&self) -> usize {
        self.cells.len() - 1
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & self.mask()
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & self.mask()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_a_map_under_insertions_and_removals_with_colliding_hashes() {
        let mut index = Index::new();
        let mut model = std::collections::BTreeMap::new();
        let mut random = 1_u64;
        for step in 0..6_000_u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let slot = u32::try_from(random >> 52).unwrap();
            let hash = slot / 7 % 97;
            if model.remove(&slot).is_some() {
                index.remove(hash, slot);
            } else {
                index.insert(hash, slot);
                model.insert(slot, hash);
            }
            if step % 500 == 0 {
                for slot in 0..4_096 {
                    let hash = slot / 7 % 97;
                    let found = index.find(hash, |candidate| candidate == slot);
                    assert_eq!(found.is_some(), model.contains_key(&slot));
                }
            }
        }
    }
}
