//! Services that fall silent while their neighbours go on.
//!
//! A rule that does not cry wolf: only a service of steady traffic is judged, by its own largest pause, and only while
//! most of the other steady ones go on; when all stop at once it is the mirror that stopped, which the sensor says itself.

use std::sync::Arc;
use tapwire_wire::Timestamp;

/// Parts of the window that are looked at one by one.
const SLOTS: usize = 15;
/// How many times its usual largest pause a service is waited for.
const PATIENCE: i64 = 5;

const SECOND: i64 = 1_000_000_000;

/// When a service counts as silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// The time in which traffic must have been steady, in seconds; a 15th of it is one slot. 0: no service is judged.
    pub window: u32,
    /// Exchanges in every slot that make traffic steady.
    pub least: u32,
    /// The shortest silence that is told, in seconds.
    pub after: u32,
}

impl Silence {
    /// 15 minutes with at least 10 exchanges each, then two minutes without any.
    pub const USUAL: Self = Self { window: 900, least: 10, after: 120 };
}

/// A service that stopped, or goes on again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// Its name.
    pub service: Arc<str>,
    /// Packet time.
    pub time: Timestamp,
    /// How long nothing has come, in nanoseconds.
    pub quiet: i64,
    /// The largest pause before, in nanoseconds.
    pub usual: i64,
    /// Whether it goes on again.
    pub back: bool,
}

/// What is known of a service's rhythm.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse {
    /// Packet time of the latest exchange, in nanoseconds; 0 before the first.
    last: i64,
    /// The slot of that time, counted from 1970.
    slot: i64,
    counts: [u32; SLOTS],
    /// The largest pause that ended in each slot.
    pauses: [i64; SLOTS],
    silent: bool,
}

impl Pulse {
    /// Hears an exchange.
    fn beat(&mut self, time: i64, slot_nanos: i64) {
        let slot = time.div_euclid(slot_nanos);
        let pause = if self.last == 0 { 0 } else { time.saturating_sub(self.last) };
        self.turn_to(slot);
        let at = place(slot.min(self.slot));
        if let (Some(count), Some(largest)) = (self.counts.get_mut(at), self.pauses.get_mut(at)) {
            *count = count.saturating_add(1);
            *largest = pause.max(*largest);
        }
        self.last = self.last.max(time);
    }

    /// Forgets what has left the window.
    fn turn_to(&mut self, slot: i64) {
        if slot <= self.slot {
            return;
        }
        let passed = slot.saturating_sub(self.slot).min(SLOTS as i64);
        for back in 0..passed {
            let at = place(slot - back);
            if let (Some(count), Some(largest)) = (self.counts.get_mut(at), self.pauses.get_mut(at)) {
                (*count, *largest) = (0, 0);
            }
        }
        self.slot = slot;
    }

    /// Whether every slot before that of the latest exchange had its share: that one may have just begun.
    fn is_steady(&self, least: u32) -> bool {
        let now = place(self.slot);
        self.counts.iter().enumerate().all(|(at, count)| at == now || *count >= least)
    }

    fn largest_pause(&self) -> i64 {
        self.pauses.iter().copied().max().unwrap_or(0)
    }

    fn quiet(&self, now: i64) -> i64 {
        now.saturating_sub(self.last)
    }
}

/// Where a slot stands in the ring.
fn place(slot: i64) -> usize {
    usize::try_from(slot.rem_euclid(SLOTS as i64)).unwrap_or(0)
}

/// The pulses of all services, by their index.
#[derive(Debug)]
pub(crate) struct Pulses {
    config: Silence,
    pulses: Vec<Pulse>,
    /// Packet time of the last look at all of them.
    looked: i64,
}

impl Pulses {
    pub(crate) fn new(config: Silence) -> Self {
        Self { config, pulses: Vec::new(), looked: 0 }
    }

    /// Another service takes the place of that index.
    pub(crate) fn forget(&mut self, index: usize) {
        if let Some(pulse) = self.pulses.get_mut(index) {
            *pulse = Pulse::default();
        }
    }

    /// Hears an exchange of the service at `index`; tells indices of services that changed with how quiet they were, their
    /// usual largest pause, and whether they are back.
    pub(crate) fn beat(&mut self, index: usize, time: Timestamp) -> Vec<(usize, i64, i64, bool)> {
        let slot = i64::from(self.config.window) * SECOND / SLOTS as i64;
        if slot == 0 {
            return Vec::new();
        }
        if self.pulses.len() <= index {
            self.pulses.resize_with(index + 1, Pulse::default);
        }
        let now = time.nanos();
        let mut changed = Vec::new();
        if let Some(pulse) = self.pulses.get_mut(index) {
            if std::mem::take(&mut pulse.silent) {
                changed.push((index, pulse.quiet(now), pulse.largest_pause(), true));
            }
            pulse.beat(now, slot);
        }
        let since = now.saturating_sub(self.looked);
        // A clock that was set begins anew; often enough, a look costs little beside the exchanges in between.
        if since >= slot / 6 || since < -slot {
            self.looked = now;
            self.look(now, &mut changed);
        }
        changed
    }

    fn look(&mut self, now: i64, changed: &mut Vec<(usize, i64, i64, bool)>) {
        let least = self.config.least;
        let steady = |pulse: &&Pulse| pulse.is_steady(least);
        let (mut all, mut going_on) = (0, 0);
        for pulse in self.pulses.iter().filter(steady) {
            all += 1;
            going_on += usize::from(pulse.quiet(now) <= pulse.largest_pause().max(SECOND));
        }
        let after = i64::from(self.config.after) * SECOND;
        for (index, pulse) in self.pulses.iter_mut().enumerate() {
            let usual = pulse.largest_pause();
            let quiet = pulse.quiet(now);
            let overdue = quiet >= after.max(usual.saturating_mul(PATIENCE));
            // The others are all but this one: most of them, and at least one.
            let others_go_on = going_on > 0 && 2 * going_on >= all - 1;
            if overdue && !pulse.silent && others_go_on && pulse.is_steady(least) {
                pulse.silent = true;
                changed.push((index, quiet, usual, false));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000 * SECOND;

    /// Plays services that each have an exchange every so many seconds, of 30 minutes, unless `plays` says no.
    fn play(every: &[i64], plays: impl Fn(usize, i64) -> bool) -> Vec<(i64, usize, bool)> {
        let mut pulses = Pulses::new(Silence::USUAL);
        let mut told = Vec::new();
        for second in 0..2_400 {
            for (service, every) in every.iter().enumerate() {
                if second % every == 0 && plays(service, second) {
                    let time = Timestamp::from_nanos(START + second * SECOND);
                    let changed = pulses.beat(service, time);
                    told.extend(changed.iter().map(|(index, _, _, back)| (second, *index, *back)));
                }
            }
        }
        told
    }

    #[test]
    fn a_steady_service_that_stops_is_told_once_and_when_it_is_back() {
        let told = play(&[2, 3, 5], |service, second| service != 1 || !(1_200..1_500).contains(&second));
        let [(stopped, 1, false), (back, 1, true)] = told[..] else { panic!("{told:?}") };
        assert!((1_315..1_335).contains(&stopped), "two minutes after its last exchange: {stopped}");
        assert_eq!(back, 1_500);
    }

    #[test]
    fn when_all_stop_it_is_the_mirror() {
        assert_eq!(play(&[2, 3, 5], |_, second| !(1_200..1_500).contains(&second)), []);
        // All but a slow one that nobody relies on.
        assert_eq!(
            play(&[2, 3, 100], |service, second| service == 2 || !(1_200..1_500).contains(&second)),
            []
        );
    }

    #[test]
    fn most_that_stop_together_are_no_news_of_one() {
        let told = play(&[2, 2, 2, 2], |service, second| service == 0 || second < 1_200);
        assert_eq!(told, [], "three of four stopped: that is the mirror or the network");
    }

    #[test]
    fn a_service_that_pauses_by_habit_or_calls_seldom_is_not_missed() {
        // Every minute it rests for 40 s; then for 160 s, which is less than five times its habit.
        let rests = |service: usize, second: i64| {
            service != 1 || (second % 60 < 20 && !(1_200..1_290).contains(&second))
        };
        assert_eq!(play(&[1, 1], rests), []);
        assert_eq!(play(&[1, 10], |service, second| service != 1 || second < 1_200), [], "six a minute");
        assert_eq!(
            play(&[1, 1], |service, second| service != 1 || second < 600),
            [],
            "known for ten minutes"
        );
    }

    #[test]
    fn a_clock_that_jumps_does_not_confuse() {
        let mut pulses = Pulses::new(Silence::USUAL);
        for time in [START, START - 86_400 * SECOND, i64::MIN, i64::MAX, START, 0, -1] {
            for service in [0, 1] {
                assert_eq!(pulses.beat(service, Timestamp::from_nanos(time)), []);
            }
        }
    }
}
