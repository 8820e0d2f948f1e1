//! What was seen of hosts, as far as there is room.

use std::collections::{BTreeSet, VecDeque};

/// At most `MOST`, of which the one added first makes room: what is not remembered is found out again.
#[derive(Debug)]
pub(crate) struct Remembered<T, const MOST: usize> {
    all: BTreeSet<T>,
    order: VecDeque<T>,
}

impl<T, const MOST: usize> Default for Remembered<T, MOST> {
    fn default() -> Self {
        Self { all: BTreeSet::new(), order: VecDeque::new() }
    }
}

impl<T: Copy + Ord, const MOST: usize> Remembered<T, MOST> {
    pub(crate) fn add(&mut self, one: T) {
        if !self.all.insert(one) {
            return;
        }
        self.order.push_back(one);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
    }

    pub(crate) fn has(&self, one: &T) -> bool {
        self.all.contains(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_takes_what_comes_and_forgets_the_oldest() {
        let mut remembered = Remembered::<u32, 3>::default();
        [1, 2, 1, 3, 4].into_iter().for_each(|one| remembered.add(one));
        assert_eq!([1, 2, 3, 4].map(|one| remembered.has(&one)), [false, true, true, true]);
    }
}
