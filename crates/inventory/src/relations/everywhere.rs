//! Whether answers are slow at other services, too: then it is the machine, the network or what services share, and nobody's calls
//! to one of them.

/// Answers that are looked at: of each of so many services, by a hash, the last few.
const PLACES: usize = 16;
const EACH: usize = 8;
/// Milliseconds that count as the same time.
const WINDOW: i64 = 60_000;
/// Answers of others from which on they say something, and one in how many of them has to be slow.
const FEW: usize = 10;
const SHARE: usize = 4;

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    service: u64,
    began: i64,
    slow: bool,
}

/// The last answers of several services.
#[derive(Debug, Default)]
pub(super) struct Everywhere {
    heard: [[Heard; EACH]; PLACES],
    next: [usize; PLACES],
}

impl Everywhere {
    /// An answer, by when its request came in milliseconds. `service` is a keyed hash.
    pub(super) fn hear(&mut self, service: u64, began: i64, slow: bool) {
        let place = usize::try_from(service % PLACES as u64).unwrap_or(0);
        let Some((heard, next)) = self.heard.get_mut(place).zip(self.next.get_mut(place)) else { return };
        *next = (*next + 1) % EACH;
        heard.get_mut(*next).into_iter().for_each(|one| *one = Heard { service, began, slow });
    }

    /// Whether many of the last answers of other services were slow.
    pub(super) fn is_slow_beside(&self, service: u64, now: i64) -> bool {
        let lately = |one: &&Heard| one.began > 0 && now.saturating_sub(one.began).abs() <= WINDOW;
        let others = self.heard.iter().flatten().filter(|one| one.service != service).filter(lately);
        let slow = others.clone().filter(|one| one.slow).count();
        let all = others.count();
        all >= FEW && slow * SHARE >= all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_in_many_places_is_nobodys_doing() {
        for (slow_elsewhere, told) in [(false, false), (true, true)] {
            let mut everywhere = Everywhere::default();
            (0..40).for_each(|nth| everywhere.hear(7, 1_000 + nth, true));
            assert!(!everywhere.is_slow_beside(7, 1_040), "its own answers say nothing of others");
            for nth in 0..12_u64 {
                everywhere.hear(8 + nth % 3, 1_000, slow_elsewhere && nth % 2 == 0);
            }
            assert_eq!(everywhere.is_slow_beside(7, 1_040), told);
            assert!(!everywhere.is_slow_beside(7, 1_040 + WINDOW * 2), "that is over");
        }
    }
}
