//! Room that sensors share: whoever invents much hides nobody.

use std::collections::HashMap;

/// Room for so much, of which each may have as much as is still free. So one alone has half of it, of two that want all each has a
/// third, and whoever comes later finds some.
#[derive(Debug)]
pub(super) struct Shares {
    free: usize,
    held: HashMap<u64, usize>,
}

impl Shares {
    pub(super) fn of(room: usize) -> Self {
        Self { free: room, held: HashMap::new() }
    }

    /// Takes so much for one of them, where its share has it.
    pub(super) fn takes(&mut self, who: u64, more: usize) -> bool {
        let held = self.held.get(&who).copied().unwrap_or_default();
        let Some(free) = self.free.checked_sub(more).filter(|free| held <= *free) else { return false };
        self.free = free;
        self.held.insert(who, held + more);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_takes_all_it_can_leaves_as_much() {
        let mut room = Shares::of(1_000);
        let mut take = |who: u64| (0..2_000).filter(|_| room.takes(who, 1)).count();
        assert_eq!([take(1), take(2), take(1), take(3)], [500, 250, 0, 125]);
    }
}
