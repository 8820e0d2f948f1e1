//! Peers: callers of one role at one endpoint, and what an hour of theirs looks like.

use super::cell::{Cell, Measure};
use super::spread::Spread;
use crate::EndpointId;
use std::cmp::Ordering;
use tapwire_wire::Timestamp;

/// Callers of a group, and hours of theirs, from which on an hour can be judged.
pub(super) const PEERS: u32 = 200;
/// How far above 99 of 100 hours an hour must be.
const FACTOR: u64 = 4;
/// Days after which a group that nobody of calls makes room for another, where there is none.
const QUIET: u32 = 28;
/// Days whose hours count for a suggested limit.
const DAYS: usize = 7;
/// Callers, known before the hour, whose hours may be unusual on the same day before it is drift, and one in how many of those
/// that called. New callers that act alike are no release: what those who came before do tells.
const FEW: u32 = 8;
const SHARE: u32 = 20;
/// One in how many of the callers of an hour may have got more from the service than 99 of 100 hours hold, without asking for more, before
/// that is its doing, and nobody's who asks.
const RAISED_SHARE: u32 = 4;

/// Distinct callers, by linear counting.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Crowd([u64; 16]);

impl Crowd {
    fn add(&mut self, hash: u64) {
        let bit = hash >> 54;
        if let Some(word) = self.0.get_mut((bit >> 6) as usize) {
            *word |= 1 << (bit & 63);
        }
    }

    fn absorb(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Right to some percent up to 3,000, at most 7,000.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7,098")]
    fn count(&self) -> u32 {
        let empty = self.0.iter().map(|word| word.count_zeros()).sum::<u32>();
        (1_024.0 * (1_024.0 / f64::from(empty.max(1))).ln()).round() as u32
    }
}

/// The day that is under way.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Today {
    day: u32,
    active: Crowd,
    odd: [u32; 5],
}

impl Today {
    fn absorb(&mut self, other: &Self) {
        match self.day.cmp(&other.day) {
            Ordering::Equal => {
                self.active.absorb(other.active);
                self.odd
                    .iter_mut()
                    .zip(other.odd)
                    .for_each(|(mine, theirs)| *mine = mine.saturating_add(theirs));
            }
            Ordering::Less => *self = *other,
            Ordering::Greater => {}
        }
    }
}

/// The hour that is under way, of callers that were known before it.
#[derive(Debug, Clone, Copy, Default)]
struct Now {
    hour: u32,
    active: u32,
    /// How many got more than is usual, of each measure that is up to the service.
    raised: [u32; 5],
}

impl Now {
    fn absorb(&mut self, other: &Self) {
        match self.hour.cmp(&other.hour) {
            Ordering::Equal => {
                self.active = self.active.saturating_add(other.active);
                self.raised
                    .iter_mut()
                    .zip(other.raised)
                    .for_each(|(mine, theirs)| *mine = mine.saturating_add(theirs));
            }
            Ordering::Less => *self = *other,
            Ordering::Greater => {}
        }
    }
}

/// Many callers changed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    /// Where.
    pub endpoint: EndpointId,
    /// What.
    pub measure: Measure,
    /// When it was seen that they were many.
    pub time: Timestamp,
    /// How many, by then.
    pub callers: u32,
    /// Of how many that called on that day, or within that hour, about.
    pub of: u32,
    /// What was usual: 99 of 100 hours had no more.
    pub usual: u64,
}

/// An hour that is far above those of peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unusual {
    /// What of it.
    pub measure: Measure,
    /// How much so far.
    pub seen: u64,
    /// 99 of 100 hours of peers had no more.
    pub usual: u64,
    /// Hours of peers that had at least as much.
    pub above: u32,
    /// Hours of peers that it is compared with.
    pub hours: u32,
    /// How many peers these are, about.
    pub peers: u32,
    /// Minutes into the hour.
    pub minutes: u32,
}

impl Unusual {
    /// How probable it is that a peer's hour is like that: conformal, so right whatever the values are like, as long as this hour
    /// is one of them.
    pub fn p(&self) -> f64 {
        f64::from(self.above + 1) / f64::from(self.hours + 1)
    }
}

/// Peers.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Group {
    /// What tells it apart from others: a hash of endpoint and role.
    pub(super) key: u64,
    /// The day on which it took the place of another; 0 where it did not.
    since: u32,
    pub(super) endpoint: EndpointId,
    spreads: [Spread; 5],
    /// 99 of 100 hours have no more. Not stored: it is found again.
    #[serde(skip, default = "unknown")]
    usual: [u64; 5],
    limits: [u64; 5],
    /// The hours from which on each counts: those before a drift say nothing any more.
    from: [u32; 5],
    crowd: Crowd,
    today: Today,
    /// Not stored: it is one hour.
    #[serde(skip)]
    now: Now,
    /// Calls of an hour by the day, the last first.
    days: Vec<(u32, Spread)>,
    /// Hours that were unusual: they count for no limit.
    pub(super) odd_hours: u32,
}

const fn unknown() -> [u64; 5] {
    [u64::MAX; 5]
}

impl Group {
    pub(super) fn new(key: u64, endpoint: EndpointId, since: u32) -> Self {
        Self {
            key,
            since,
            endpoint,
            spreads: Default::default(),
            usual: unknown(),
            limits: [u64::MAX; 5],
            from: [0; 5],
            crowd: Crowd::default(),
            today: Today::default(),
            now: Now::default(),
            days: Vec::new(),
            odd_hours: 0,
        }
    }

    /// Whether nobody of it called for long, on a day.
    pub(super) const fn is_over(&self, day: u32) -> bool {
        self.today.day.saturating_add(QUIET) < day
    }

    /// How many callers and hours are known, the fewer of both.
    pub(super) fn known(&self) -> u32 {
        self.crowd.count().min(self.spreads.first().map_or(0, |calls| calls.count))
    }

    /// A caller calls on a day.
    pub(super) fn active(&mut self, caller: u64, day: u32) {
        if self.today.day != day {
            self.today = Today { day, ..Today::default() };
        }
        self.today.active.add(caller);
    }

    /// An hour of a caller begins.
    pub(super) const fn begins(&mut self, hour: u32, known_before: bool) {
        if self.now.hour != hour {
            self.now = Now { hour, active: 0, raised: [0; 5] };
        }
        self.now.active = self.now.active.saturating_add(known_before as u32);
    }

    /// An hour of a caller is over.
    pub(super) fn learn(&mut self, cell: &Cell) {
        // It was one of the group that had this place before.
        if (cell.hour / 24).saturating_add(QUIET / 2) < self.since {
            return;
        }
        if cell.odd != 0 {
            self.odd_hours = self.odd_hours.saturating_add(1);
            return;
        }
        for ((measure, spread), from) in Measure::ALL.into_iter().zip(&mut self.spreads).zip(&self.from) {
            if cell.hour >= *from {
                spread.add(cell.value(measure));
            }
        }
        self.crowd.add(cell.caller);
        self.keep(cell);
        // Quantiles move slowly: what they cost is paid for by 16 hours together.
        let count = self.spreads.first().map_or(0, |calls| calls.count);
        if count >= PEERS && (count.is_multiple_of(16) || count == PEERS) {
            self.renew_limits();
        }
    }

    /// What is known is all there will be.
    pub(super) fn renew_limits(&mut self) {
        if self.crowd.count() < PEERS {
            return;
        }
        self.renew_usual();
        for ((measure, usual), limit) in Measure::ALL.into_iter().zip(self.usual).zip(&mut self.limits) {
            if usual < u64::MAX {
                *limit = usual.saturating_mul(FACTOR).max(measure.floor());
            }
        }
    }

    pub(super) fn renew_usual(&mut self) {
        if self.crowd.count() >= PEERS {
            let learned =
                self.usual.iter_mut().zip(&self.spreads).filter(|(_, spread)| spread.count >= PEERS);
            learned.for_each(|(usual, spread)| *usual = spread.p99());
        }
    }

    fn keep(&mut self, cell: &Cell) {
        let day = cell.hour / 24;
        let at = match self.days.iter().position(|(known, _)| *known == day) {
            Some(at) => at,
            None => {
                self.days.push((day, Spread::default()));
                self.days.sort_by_key(|(day, _)| std::cmp::Reverse(*day));
                self.days.truncate(DAYS);
                let Some(at) = self.days.iter().position(|(known, _)| *known == day) else { return };
                at
            }
        };
        if let Some((_, spread)) = self.days.get_mut(at) {
            spread.add(cell.calls.into());
        }
    }

    /// As it was, with no more days than are kept.
    pub(super) fn restored(mut self) -> Self {
        self.days.truncate(DAYS);
        self.renew_usual();
        self
    }

    /// What is usual is that of another, too; of a measure that drifted in one of both, that since the later drift.
    pub(super) fn absorb(&mut self, other: &Self) {
        let mine = self.spreads.iter_mut().zip(&mut self.from);
        for ((spread, from), (theirs, their_from)) in mine.zip(other.spreads.iter().zip(&other.from)) {
            match (*from).cmp(their_from) {
                Ordering::Equal => spread.absorb(theirs),
                Ordering::Less => (*spread, *from) = (theirs.clone(), *their_from),
                Ordering::Greater => {}
            }
        }
        self.crowd.absorb(other.crowd);
        self.today.absorb(&other.today);
        self.now.absorb(&other.now);
        self.odd_hours = self.odd_hours.saturating_add(other.odd_hours);
        self.renew_limits();
    }

    /// Calls of an hour, in the last seven days with calls.
    pub(super) fn week(&self, into: &mut Spread) {
        self.days.iter().for_each(|(_, spread)| into.absorb(spread));
    }

    /// What is usual is learned anew, from that hour on.
    pub(super) fn forget(&mut self, measure: Measure, hour: u32) {
        let at = measure as usize;
        self.spreads.iter_mut().skip(at).take(1).for_each(|spread| *spread = Spread::default());
        for limits in [&mut self.usual, &mut self.limits] {
            limits.iter_mut().skip(at).take(1).for_each(|limit| *limit = u64::MAX);
        }
        for counts in [&mut self.today.odd, &mut self.now.raised] {
            counts.iter_mut().skip(at).take(1).for_each(|count| *count = 0);
        }
        self.from.iter_mut().skip(at).take(1).for_each(|from| *from = hour);
    }

    /// Whether a caller asks for half of what is usual at most: what it gets more is not its doing, and many who ask for more cannot pass for that.
    fn asks_no_more(&self, cell: &Cell) -> bool {
        let usual = self.usual.first().map_or(0, |calls| *calls / 2);
        u64::from(cell.calls) <= usual.max(1)
    }

    /// Whether an hour is unusual, where that is to be told now; or that too many are.
    pub(super) fn judge(
        &mut self,
        cell: &mut Cell,
        second: u16,
        time: Timestamp,
        known_before: bool,
    ) -> Result<Option<Unusual>, Drift> {
        for (at, measure) in Measure::ALL.into_iter().enumerate() {
            let (bit, limit) = (1_u8 << at, self.limits.get(at).copied().unwrap_or(u64::MAX));
            if cell.told & bit != 0 || limit == u64::MAX {
                continue;
            }
            let seen = cell.value(measure);
            if self.usual.get(at).is_some_and(|usual| seen > *usual)
                && self.asks_no_more(cell)
                && let Some(raised) = measure.raised()
                && cell.told & raised == 0
            {
                cell.told |= raised;
                let counts = self.now.raised.iter_mut().skip(at).take(1);
                counts.for_each(|count| *count = count.saturating_add(known_before.into()));
            }
            if seen < limit {
                continue;
            }
            if cell.odd & bit == 0 {
                if cell.odd == 0 {
                    cell.since = second;
                }
                cell.odd |= bit;
                let odd = self.today.odd.iter_mut().skip(at).take(1);
                odd.for_each(|count| *count = count.saturating_add(known_before.into()));
            }
            let odd = self.today.odd.get(at).copied().unwrap_or(0);
            let of = self.today.active.count().max(odd);
            let spread = self.spreads.get(at);
            let usual = spread.map_or(0, Spread::p99);
            let raised = self.now.raised.get(at).copied().unwrap_or(0);
            let many = [(odd, of, SHARE), (raised, self.now.active, RAISED_SHARE)];
            if let Some((callers, of, _)) =
                many.into_iter().find(|(callers, of, share)| *callers > FEW.max(of / share))
            {
                cell.told |= bit;
                return Err(Drift { endpoint: self.endpoint, measure, time, callers, of, usual });
            }
            // Whoever is first of many is not known as such at once: a release reaches others within minutes.
            if second.saturating_sub(cell.since) < 600 && seen < limit.saturating_mul(8) {
                continue;
            }
            cell.told |= bit;
            return Ok(Some(Unusual {
                measure,
                seen,
                usual,
                above: spread.map_or(0, |spread| spread.at_least(seen)),
                hours: spread.map_or(0, |spread| spread.count),
                peers: self.crowd.count(),
                minutes: u32::from(second / 60),
            }));
        }
        Ok(None)
    }
}
