//! When listeners asked to be told the time.

use std::collections::BTreeMap;

/// Connections that may wait to be told the time; a request beyond is refused. With their shares of nodes they take a
/// megabyte.
const MAX_ALARMS: usize = 1 << 14;

/// Which connection is to be told, by time. A connection that has ended stays until its time.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    slots: BTreeMap<(i64, u64), u32>,
}

impl Alarms {
    /// The connection of that number, in `slot`, wants to be told at `at`; `false` when there is no room.
    pub(crate) fn set(&mut self, at: i64, number: u64, slot: u32) -> bool {
        let room = self.slots.len() < MAX_ALARMS;
        if room {
            self.slots.insert((at, number), slot);
        }
        room
    }

    /// The next connection whose time has come at `now`, and its slot.
    pub(crate) fn due(&mut self, now: i64) -> Option<(u64, u32)> {
        let first = self.slots.first_entry().filter(|first| first.key().0 <= now)?;
        let ((_, number), slot) = first.remove_entry();
        Some((number, slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_told_in_the_order_of_their_times_and_numbers() {
        let mut alarms = Alarms::default();
        assert!(alarms.set(20, 1, 7) && alarms.set(10, 3, 8) && alarms.set(10, 2, 9));
        assert_eq!(alarms.due(9), None);
        let told: Vec<_> = std::iter::from_fn(|| alarms.due(20)).collect();
        assert_eq!(told, [(2, 9), (3, 8), (1, 7)]);
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut alarms = Alarms::default();
        assert!((0..MAX_ALARMS as u64).all(|number| alarms.set(1, number, 0)));
        assert!(!alarms.set(1, u64::MAX, 0));
        assert!(alarms.due(1).is_some() && alarms.set(1, u64::MAX, 0));
    }
}
