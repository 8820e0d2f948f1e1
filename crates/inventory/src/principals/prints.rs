//! Fingerprints of TLS (JA4), and from how many addresses each came: one that hardly anybody has tells that two addresses are
//! one actor's, and one that browsers have tells nothing.

use crate::bits::Bits;
use crate::state::{Unfit, put_some, take_all};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::IpAddr;

/// Fingerprints that are kept. One more, and all begin anew.
const MOST: usize = 4_096;

/// How a caller's fingerprint of TLS stands to those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fellows {
    /// Addresses that came with the same one and of which nothing was found, its own left out: at least so many, up to 64.
    pub honest: u32,
    /// Addresses that came with whatever one: at least so many, up to 2,048.
    pub of: u32,
}

/// Addresses of one fingerprint, each as one of 64 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Addresses {
    seen: u64,
    found: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Prints {
    by_print: BTreeMap<u32, Addresses>,
    all: Bits,
    forgotten: u64,
}

impl Prints {
    /// Hears of a fingerprint at an address, given as its keyed hash.
    pub(super) fn hear(&mut self, fingerprint: u32, address: u64) -> Fellows {
        if self.by_print.len() >= MOST && !self.by_print.contains_key(&fingerprint) {
            // Without all addresses nobody's fingerprint may be called seldom.
            self.forgotten += self.by_print.len() as u64;
            (self.by_print, self.all) = (BTreeMap::new(), Bits::default());
        }
        self.all.add(address);
        let own = 1 << (address & 63);
        let known = self.by_print.entry(fingerprint).or_default();
        known.seen |= own;
        Fellows { honest: (known.seen & !known.found & !own).count_ones(), of: self.all.len() }
    }

    /// Something was found of who came with it from that address.
    pub(super) fn found(&mut self, fingerprint: u32, address: u64) {
        if let Some(known) = self.by_print.get_mut(&fingerprint) {
            known.found |= 1 << (address & 63);
        }
    }

    /// Fingerprints that were forgotten for want of room.
    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn save(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        // The addresses of all stand in front, under a number that no other entry has.
        let words = (0_u64..).zip(self.all.words()).map(|(at, word)| (ALL | at, *word, 0));
        let prints = self.by_print.iter().map(|(print, known)| (u64::from(*print), known.seen, known.found));
        put_some(words.chain(prints).skip(from), |_| 1, out)
    }

    /// Takes fingerprints; how many found no room.
    pub(super) fn load(&mut self, piece: &[u8]) -> Result<u64, Unfit> {
        take_all(piece, |(print, seen, found): (u64, u64, u64)| match u32::try_from(print) {
            Ok(print) => {
                let room = self.by_print.len() < MOST;
                self.by_print.extend(room.then_some((print, Addresses { seen, found })));
                room
            }
            Err(_) => self.all.set_word(print & !ALL, seen),
        })
    }
}

/// Marks a word of the addresses of all.
const ALL: u64 = 1 << 40;

/// The place of an address: of IPv6 its first 64 bits.
pub(super) fn place(hashing: &impl BuildHasher, address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => hashing.hash_one(v4.to_bits()),
        IpAddr::V6(v6) => hashing.hash_one(v6.to_bits() >> 64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(address: u64) -> u64 {
        address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
    }

    #[test]
    fn who_has_the_same_fingerprint_and_did_nothing_is_counted() {
        let mut prints = Prints::default();
        (0..100).for_each(|address| _ = prints.hear(7, spread(address)));
        let common = prints.hear(7, spread(0));
        assert!(common.honest > 40 && common.of > 90, "{common:?}");
        assert_eq!(prints.hear(9, spread(200)).honest, 0);
        assert_eq!(prints.hear(9, spread(201)).honest, 1, "of the first nothing was found");
        prints.found(9, spread(200));
        assert_eq!(prints.hear(9, spread(201)).honest, 0);
    }

    #[test]
    fn fingerprints_that_are_made_up_make_none_seldom() {
        let mut prints = Prints::default();
        (0..100).for_each(|address| _ = prints.hear(7, spread(address)));
        let last = (0..5_000).map(|print| prints.hear(1_000 + print, spread(0))).last();
        assert_eq!(
            prints.hear(7, spread(300)).of,
            2,
            "how many addresses there are is forgotten, too: {last:?}"
        );
        assert_eq!(prints.forgotten(), 4_096);
    }

    #[test]
    fn what_is_kept_goes_on() {
        let (mut before, mut after) = (Prints::default(), Prints::default());
        (0..100).for_each(|address| _ = before.hear(7, spread(address)));
        before.found(7, spread(3));
        let mut piece = Vec::new();
        assert_eq!(before.save(0, &mut piece), None);
        assert_eq!(after.load(&piece), Ok(0));
        assert_eq!(after.hear(7, spread(500)), before.hear(7, spread(500)));
        assert_eq!(after.by_print, before.by_print);
    }
}
