//! What the calls of an endpoint said of how its service is built: how often, when, and whether they still do.

use tapwire_inspect::{Mark, Marks};
use tapwire_wire::Timestamp;

/// Marks that others are counted among.
const BASES: usize = 10;

/// How often a mark came, among the calls in which it could have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MarkCount {
    /// The mark's place in [`Mark::ALL`].
    mark: u8,
    /// Calls that had it.
    pub hits: u32,
    /// Calls that could have had it, since the last that did.
    pub since: u32,
    /// Of the last 64 calls that could have had it, the ones that did; the lowest bit is the last call.
    recent: u64,
    /// Packet time of the first, in seconds.
    first: u32,
    /// Packet time of the last, in seconds.
    last: u32,
}

impl MarkCount {
    /// Packet time of the first call that had it, to the second.
    pub fn first(&self) -> Timestamp {
        Timestamp::from_parts(self.first.into(), 0)
    }

    /// Packet time of the last call that had it, to the second.
    pub fn last(&self) -> Timestamp {
        Timestamp::from_parts(self.last.into(), 0)
    }
}

/// The marks of an endpoint's calls. A mark that never came takes no room.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct History {
    /// Calls with each mark that others are counted among, in the order of their bits.
    among: [u32; BASES],
    counts: Vec<MarkCount>,
}

impl History {
    /// How often a mark came; `None` where it never did.
    pub fn get(&self, mark: Mark) -> Option<&MarkCount> {
        self.counts.iter().find(|count| count.mark == mark as u8)
    }

    /// Calls in which a mark could have come.
    pub fn among(&self, mark: Mark) -> u32 {
        base(mark).and_then(|at| self.among.get(at)).copied().unwrap_or(0)
    }

    /// Whether a mark came within the last `window` calls in which it could have come.
    pub fn lately(&self, mark: Mark, window: u32) -> bool {
        self.get(mark).is_some_and(|count| count.since < window)
    }

    /// Percent of the last calls, at most 64, in which a mark could have come and did; `None` where it could not.
    pub fn share(&self, mark: Mark) -> Option<u32> {
        let of = self.among(mark).min(64);
        let hits = self.get(mark).map_or(0, |count| count.recent.count_ones());
        (of > 0).then(|| (hits * 100).div_ceil(of).min(100))
    }

    /// Takes in a call.
    pub(crate) fn add(&mut self, marks: Marks, time: Timestamp) {
        let second = u32::try_from(time.nanos().div_euclid(1_000_000_000)).unwrap_or(0);
        for count in &mut self.counts {
            let Some(mark) = Mark::ALL.get(usize::from(count.mark)).copied() else { continue };
            if marks.contains(mark) {
                count.hit(second);
            } else if marks.contains(mark.among()) {
                count.since = count.since.saturating_add(1);
                count.recent <<= 1;
            }
        }
        for mark in marks.iter() {
            if mark.among() == mark {
                self.count_base(mark);
            } else if self.get(mark).is_none() {
                let mark = mark as u8;
                self.counts.push(MarkCount {
                    mark,
                    hits: 1,
                    since: 0,
                    recent: 1,
                    first: second,
                    last: second,
                });
            }
        }
    }

    fn count_base(&mut self, mark: Mark) {
        if let Some(calls) = base(mark).and_then(|at| self.among.get_mut(at)) {
            *calls = calls.saturating_add(1);
        }
    }

    /// Takes in that of an endpoint that turned out to be this one.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.among.iter_mut().zip(other.among).for_each(|(mine, theirs)| *mine = mine.saturating_add(theirs));
        for theirs in &other.counts {
            match self.counts.iter_mut().find(|mine| mine.mark == theirs.mark) {
                Some(mine) => mine.absorb(theirs),
                None => self.counts.push(*theirs),
            }
        }
    }
}

impl MarkCount {
    const fn hit(&mut self, second: u32) {
        self.hits = self.hits.saturating_add(1);
        self.since = 0;
        self.recent = self.recent << 1 | 1;
        if second > self.last {
            self.last = second;
        }
        if second < self.first {
            self.first = second;
        }
    }

    /// How their calls stood among each other is not known: the one that came last says what is still so.
    fn absorb(&mut self, other: &Self) {
        if other.last > self.last {
            (self.since, self.recent) = (other.since, other.recent);
        }
        self.hits = self.hits.saturating_add(other.hits);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// The place of the mark that another is counted among.
fn base(mark: Mark) -> Option<usize> {
    let among = mark.among();
    let place = match among {
        Mark::Called => 0,
        Mark::Answered => 1,
        Mark::Succeeded => 2,
        Mark::Failed => 3,
        Mark::Encrypted => 4,
        Mark::SessionSet => 5,
        Mark::SessionSetEncrypted => 6,
        Mark::Tokened => 7,
        Mark::Certified => 8,
        _ => return None,
    };
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(all: &[Mark]) -> Marks {
        let mut marks = Marks::default();
        all.iter().for_each(|mark| marks.set(*mark, true));
        marks
    }

    fn played(calls: &[&[Mark]]) -> History {
        let mut history = History::default();
        for (second, call) in (100..).zip(calls) {
            history.add(marks(call), Timestamp::from_parts(second, 0));
        }
        history
    }

    const OPEN: &[Mark] = &[Mark::Called, Mark::Succeeded, Mark::Open];
    const CLOSED: &[Mark] = &[Mark::Called, Mark::Succeeded];
    const REFUSED: &[Mark] = &[Mark::Called, Mark::Failed];

    #[test]
    fn every_mark_is_counted_among_one_that_has_a_place() {
        for mark in Mark::ALL {
            assert!(base(*mark).is_some_and(|at| at < BASES), "{mark:?}");
        }
    }

    #[test]
    fn only_calls_that_could_have_it_count() {
        let history = played(&[CLOSED, OPEN, REFUSED, REFUSED, CLOSED]);
        let count = history.get(Mark::Open).unwrap();
        assert_eq!((count.hits, count.since, history.among(Mark::Open)), (1, 1, 3));
        assert_eq!(
            (count.first(), count.last()),
            (Timestamp::from_parts(101, 0), Timestamp::from_parts(101, 0))
        );
        assert_eq!(history.share(Mark::Open), Some(34), "one of three");
        assert!(history.lately(Mark::Open, 2) && !history.lately(Mark::Open, 1));
        assert_eq!(history.share(Mark::TokenEndless), None);
    }

    #[test]
    fn what_comes_again_is_lately_again() {
        let mut calls = vec![OPEN];
        calls.extend(std::iter::repeat_n(CLOSED, 200));
        assert!(!played(&calls).lately(Mark::Open, 200));
        assert_eq!(played(&calls).share(Mark::Open), Some(0));
        calls.push(OPEN);
        assert!(played(&calls).lately(Mark::Open, 1));
    }

    #[test]
    fn endpoints_that_turn_out_to_be_one_add_up() {
        let mut one = played(&[OPEN, CLOSED]);
        one.absorb(&played(&[CLOSED, OPEN, OPEN]));
        let count = one.get(Mark::Open).unwrap();
        assert_eq!((count.hits, count.since, one.among(Mark::Open)), (3, 0, 5));
    }
}
