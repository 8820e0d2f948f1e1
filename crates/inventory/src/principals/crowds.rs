//! How many callers with a name of their own came from each network: whoever blocks an address blocks them all. Names are made
//! in seconds, so those that called for a day are counted by themselves.

use super::Network;
use super::record::{Known, Seconds, time};
use crate::PrincipalKind;
use crate::hashing::Keyed;
use std::collections::HashMap;
use tapwire_wire::Timestamp;

/// Networks that are counted, at most; a quarter of the callers where that is less.
const MOST: usize = 65_536;
const DAY: Seconds = 86_400;

/// Named callers by network.
pub(super) struct Crowds {
    counts: HashMap<Network, Count, Keyed>,
    most: usize,
    /// Some network found no room: what is not known may be somebody's.
    is_short: bool,
    /// The second of the first call of all.
    since: Option<Seconds>,
}

/// Named callers of one network, and those of them that called for a day.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    all: u32,
    settled: u32,
}

/// Named callers of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// How many are known.
    pub callers: u32,
    /// Of these, those whose last call came a day after their first and later.
    pub settled: u32,
    /// When the first call of all came: before a day is over nobody can have called for one.
    pub since: Option<Timestamp>,
    /// There may be more: more networks were seen than are counted.
    pub is_least: bool,
}

impl Crowds {
    pub(super) fn new(callers: usize, hashing: Keyed) -> Self {
        let most = (callers / 4).clamp(1, MOST);
        Self { counts: HashMap::with_hasher(hashing), most, is_short: false, since: None }
    }

    /// Bytes held, about.
    pub(super) fn held(&self) -> usize {
        self.counts.capacity() * 8 / 7 * (size_of::<(Network, Count)>() + 1)
    }

    /// A call came.
    pub(super) fn hear(&mut self, now: Seconds) {
        self.since = Some(self.since.map_or(now, |since| since.min(now)));
    }

    /// Somebody named came from there for the first time, who has called for a day or not.
    pub(super) fn enter(&mut self, network: Network, is_settled: bool) {
        if self.counts.len() >= self.most && !self.counts.contains_key(&network) {
            self.is_short = true;
            return;
        }
        let count = self.counts.entry(network).or_default();
        count.all = count.all.saturating_add(1);
        count.settled = count.settled.saturating_add(is_settled.into());
    }

    /// Somebody named has called for a day now.
    pub(super) fn settle(&mut self, known: &Known, but: Option<Network>) {
        for network in known.places.networks.iter().filter(|network| Some(*network) != but) {
            if let Some(count) = self.counts.get_mut(&network) {
                count.settled = count.settled.saturating_add(1);
            }
        }
    }

    /// Counts a caller that was kept before.
    pub(super) fn restore(&mut self, known: &Known) {
        self.hear(known.span.first);
        if known.kind != PrincipalKind::Network {
            let is_settled = is_settled(known);
            known.places.networks.iter().for_each(|network| self.enter(network, is_settled));
        }
    }

    /// A caller made room for another.
    pub(super) fn leave(&mut self, known: &Known) {
        if known.kind == PrincipalKind::Network {
            return;
        }
        let is_settled = is_settled(known);
        for network in known.places.networks.iter() {
            let Some(count) = self.counts.get_mut(&network) else { continue };
            count.all = count.all.saturating_sub(1);
            count.settled = count.settled.saturating_sub(is_settled.into());
            if count.all == 0 {
                self.counts.remove(&network);
            }
        }
    }

    pub(super) fn of(&self, network: Network) -> Crowd {
        let Count { all, settled } = self.counts.get(&network).copied().unwrap_or_default();
        Crowd { callers: all, settled, since: self.since.map(time), is_least: self.is_short }
    }
}

/// Whether a caller has called for a day.
pub(super) const fn is_settled(known: &Known) -> bool {
    known.span.last.saturating_sub(known.span.first) >= DAY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principals::record::{AgentFamily, Place};
    use std::net::IpAddr;

    fn network(third: u8) -> Network {
        Network::of(IpAddr::from([198, 51, third, 7]))
    }

    fn caller(kind: PrincipalKind, thirds: &[u8]) -> Known {
        let mut known = Known::new(kind);
        for third in thirds {
            known.places.add(&Place {
                network: network(*third),
                fingerprint: None,
                agent: AgentFamily::Curl,
            });
        }
        known
    }

    #[test]
    fn callers_come_and_go() {
        let mut crowds = Crowds::new(1_000, Keyed::new([3; 16]));
        let (one, two) = (caller(PrincipalKind::JwtSubject, &[1, 2]), caller(PrincipalKind::ApiKey, &[2]));
        for known in [&one, &two, &caller(PrincipalKind::Network, &[2])] {
            crowds.restore(known);
        }
        let count = |crowds: &Crowds| [1, 2, 3].map(|third| crowds.of(network(third)).callers);
        assert_eq!(count(&crowds), [1, 2, 0]);
        crowds.leave(&one);
        assert_eq!(count(&crowds), [0, 1, 0]);
    }

    #[test]
    fn networks_beyond_the_limit_are_said() {
        let mut crowds = Crowds::new(8, Keyed::new([3; 16]));
        (0..9).for_each(|third| crowds.enter(network(third), false));
        let told = |callers| Crowd { callers, settled: 0, since: None, is_least: true };
        assert_eq!(crowds.of(network(1)), told(1));
        assert_eq!(crowds.of(network(7)), told(0));
    }

    #[test]
    fn who_called_for_a_day_is_counted_by_itself() {
        let mut crowds = Crowds::new(1_000, Keyed::new([3; 16]));
        let (mut one, two) =
            (caller(PrincipalKind::JwtSubject, &[1, 2]), caller(PrincipalKind::ApiKey, &[2]));
        one.span.add(1_000);
        [&one, &two].into_iter().for_each(|known| crowds.restore(known));
        one.span.add(1_000 + DAY);
        crowds.settle(&one, None);
        let count = |crowds: &Crowds| [1, 2].map(|third| crowds.of(network(third)).settled);
        assert_eq!(count(&crowds), [1, 1]);
        crowds.leave(&one);
        assert_eq!(count(&crowds), [0, 0]);
        crowds.restore(&one);
        assert_eq!(count(&crowds), [1, 1]);
    }
}
