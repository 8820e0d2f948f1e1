//! The table's time: packet time that never runs backwards.

use tapwire_wire::{SourceId, Timestamp};

/// A larger step of packet time than this, either way, is another capture or a clock that was set, not silence:
/// nanoseconds.
const REBASE: i64 = 3_600 * 1_000_000_000;

/// Joins the packet times of all sources to one time that never runs backwards.
///
/// A source whose times step by more than an hour against it is shifted so that the step vanishes: nothing expires
/// because a file from another day follows or a clock was set.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Nanoseconds; `None` before the first packet.
    now: Option<i64>,
    /// For each source what to add to its packet times.
    shifts: Vec<i64>,
    last: SourceId,
}

impl Clock {
    /// Hears a packet's time and gives the table's.
    pub(crate) fn observe(&mut self, source: SourceId, time: Timestamp) -> i64 {
        self.last = source;
        let at = usize::from(source.0);
        if self.shifts.len() <= at {
            self.shifts.resize(at + 1, 0);
        }
        let Some(shift) = self.shifts.get_mut(at) else { return 0 };
        let nanos = time.nanos();
        let Some(now) = self.now else {
            self.now = Some(nanos);
            return nanos;
        };
        let step = nanos.saturating_add(*shift).saturating_sub(now);
        if step.unsigned_abs() > REBASE.unsigned_abs() {
            *shift = now.saturating_sub(nanos);
        } else if step > 0 {
            self.now = Some(now + step);
        }
        self.now()
    }

    /// Hears that the source of the last packet would now stamp `time`.
    pub(crate) fn advance(&mut self, time: Timestamp) -> i64 {
        self.observe(self.last, time)
    }

    /// Nanoseconds.
    pub(crate) fn now(&self) -> i64 {
        self.now.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * SECOND)
    }

    #[test]
    fn never_runs_backwards() {
        let mut clock = Clock::default();
        assert_eq!(clock.observe(SourceId(0), at(100)), 100 * SECOND);
        assert_eq!(clock.observe(SourceId(0), at(90)), 100 * SECOND);
        assert_eq!(clock.observe(SourceId(0), at(101)), 101 * SECOND);
    }

    #[test]
    fn a_step_of_over_an_hour_either_way_passes_no_time() {
        let mut clock = Clock::default();
        clock.observe(SourceId(0), at(10_000));
        assert_eq!(clock.observe(SourceId(0), at(20_000)), 10_000 * SECOND);
        assert_eq!(clock.observe(SourceId(0), at(20_005)), 10_005 * SECOND);
        assert_eq!(clock.observe(SourceId(0), at(5)), 10_005 * SECOND);
        assert_eq!(clock.observe(SourceId(0), at(7)), 10_007 * SECOND);
        assert_eq!(clock.observe(SourceId(3), at(1_000_000)), 10_007 * SECOND);
        assert_eq!(clock.advance(at(1_000_001)), 10_008 * SECOND);
    }
}
