//! How many callers with a name of their own came from each network: whoever blocks an address blocks them all.

use super::Network;
use super::record::Known;
use crate::PrincipalKind;
use crate::hashing::Keyed;
use std::collections::HashMap;

/// Networks that are counted, at most; a quarter of the callers where that is less.
const MOST: usize = 65_536;

/// Named callers by network.
pub(super) struct Crowds {
    counts: HashMap<Network, u32, Keyed>,
    most: usize,
    /// Some network found no room: what is not known may be somebody's.
    is_short: bool,
}

/// Named callers of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// How many are known.
    pub callers: u32,
    /// There may be more: more networks were seen than are counted.
    pub is_least: bool,
}

impl Crowds {
    pub(super) fn new(callers: usize, hashing: Keyed) -> Self {
        let most = (callers / 4).clamp(1, MOST);
        Self { counts: HashMap::with_hasher(hashing), most, is_short: false }
    }

    /// Bytes held, about.
    pub(super) fn held(&self) -> usize {
        self.counts.capacity() * 8 / 7 * (size_of::<(Network, u32)>() + 1)
    }

    /// Somebody named came from there for the first time.
    pub(super) fn enter(&mut self, network: Network) {
        if let Some(count) = self.counts.get_mut(&network) {
            *count = count.saturating_add(1);
        } else if self.counts.len() < self.most {
            self.counts.insert(network, 1);
        } else {
            self.is_short = true;
        }
    }

    /// Counts a caller that was kept before.
    pub(super) fn restore(&mut self, known: &Known) {
        if known.kind != PrincipalKind::Network {
            known.places.networks.iter().for_each(|network| self.enter(network));
        }
    }

    /// A caller made room for another.
    pub(super) fn leave(&mut self, known: &Known) {
        if known.kind == PrincipalKind::Network {
            return;
        }
        for network in known.places.networks.iter() {
            let Some(count) = self.counts.get_mut(&network) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&network);
            }
        }
    }

    pub(super) fn of(&self, network: Network) -> Crowd {
        let callers = self.counts.get(&network).copied().unwrap_or(0);
        Crowd { callers, is_least: self.is_short }
    }
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
        (0..9).for_each(|third| crowds.enter(network(third)));
        assert_eq!(crowds.of(network(1)), Crowd { callers: 1, is_least: true });
        assert_eq!(crowds.of(network(7)), Crowd { callers: 0, is_least: true });
    }
}
