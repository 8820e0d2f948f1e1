//! Which TTLs are usual for a sender.
//!
//! Every router takes one off, so what one host sends to another arrives with one value, or with neighbours where paths
//! have different lengths. What is made by somebody else on the path, or made to expire before its receiver, differs.

/// Paths of one sender differ by at most so many routers.
const SLACK: u8 = 5;

/// The TTLs in which segments of one direction came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ttls {
    low: u8,
    high: u8,
}

impl Default for Ttls {
    fn default() -> Self {
        Self { low: u8::MAX, high: 0 }
    }
}

impl Ttls {
    /// Whether it came before, or lies between two that did.
    pub(crate) const fn has(self, ttl: u8) -> bool {
        self.low <= ttl && ttl <= self.high
    }

    /// Whether it is clearly none of this sender's.
    pub(crate) const fn is_odd(self, ttl: u8) -> bool {
        let known = self.low <= self.high;
        known && (ttl.saturating_add(SLACK) < self.low || ttl > self.high.saturating_add(SLACK))
    }

    /// From now on it is usual.
    pub(crate) const fn admit(&mut self, ttl: u8) {
        if ttl < self.low {
            self.low = ttl;
        }
        if ttl > self.high {
            self.high = ttl;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_usual_and_others_are_odd() {
        let mut ttls = Ttls::default();
        assert!(!ttls.is_odd(3), "nothing is known yet");
        ttls.admit(60);
        assert!(!ttls.is_odd(55) && !ttls.is_odd(65) && ttls.is_odd(54) && ttls.is_odd(66));
        ttls.admit(128);
        assert!(ttls.has(64) && !ttls.has(59) && !ttls.is_odd(133) && ttls.is_odd(134));
    }
}
