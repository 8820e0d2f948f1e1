//! How much waits in a ring between kernel and sensor.
//!
//! The kernel counts what it puts in and the sensor what it takes out, so the number of packets that wait is known; how
//! many bytes they take is estimated from those taken lately. No clock is asked: stamps of an interface's own clock say
//! nothing about it.

/// What waits between the kernel and a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Packets in all rings.
    pub packets: u64,
    /// How full the fullest ring is, in percent: an estimate.
    pub percent: usize,
}

impl Backlog {
    /// With that of another ring.
    pub(crate) fn with(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, percent: self.percent.max(other.percent) }
    }
}

/// A 32-bit counter made whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counter {
    last: u32,
    pub(crate) total: u64,
}

impl Counter {
    /// Takes a reading; gives how far it advanced. Read often enough, that is less than half its range; more is a counter
    /// that was reset.
    pub(crate) fn update(&mut self, reading: u32) -> u64 {
        let advance = reading.wrapping_sub(self.last);
        self.last = reading;
        let advance = if advance <= u32::MAX / 2 { u64::from(advance) } else { 0 };
        self.total += advance;
        advance
    }
}

/// Bytes that a packet takes in a ring of TPACKET_V3 beside its own: its header, its address, and what aligns them.
const OVERHEAD: u64 = 88;

/// Packets after which older ones count half for the mean size.
const WINDOW: u64 = 8_192;

/// The ring of one interface.
#[derive(Debug)]
pub(crate) struct Ring {
    bytes: u64,
    received: Counter,
    pub(crate) dropped: Counter,
    /// Packets taken out.
    taken: u64,
    /// Packets taken lately, and their bytes.
    lately: (u64, u64),
    backlog: Backlog,
}

impl Ring {
    /// A ring of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            bytes: bytes as u64,
            received: Counter::default(),
            dropped: Counter::default(),
            taken: 0,
            lately: (0, 0),
            backlog: Backlog::default(),
        }
    }

    /// A packet of so many bytes was taken out.
    #[inline]
    pub(crate) fn take(&mut self, bytes: usize) {
        self.taken += 1;
        self.lately = (self.lately.0 + 1, self.lately.1 + bytes as u64);
        if self.lately.0 >= WINDOW {
            self.lately = (self.lately.0 / 2, self.lately.1 / 2);
        }
    }

    /// What the kernel counts: packets that reached the socket, and those of them that found no room.
    pub(crate) fn read(&mut self, received: u32, dropped: u32) -> Backlog {
        self.received.update(received);
        let lost = self.dropped.update(dropped);
        let packets = self.put().saturating_sub(self.taken);
        // Where packets were lost since the last reading the ring was full, whatever the estimate says.
        let percent = if lost > 0 { 100 } else { percent(packets, self.lately, self.bytes) };
        self.backlog = Backlog { packets, percent };
        self.backlog
    }

    /// The ring is empty. What the library takes out for itself, such as the second copy of the loopback's packets, is
    /// counted as taken by this.
    pub(crate) fn is_empty(&mut self) {
        self.taken = self.put();
        self.backlog = Backlog::default();
    }

    /// As it was read last.
    pub(crate) const fn backlog(&self) -> Backlog {
        self.backlog
    }

    /// Packets that found room.
    const fn put(&self) -> u64 {
        self.received.total.saturating_sub(self.dropped.total)
    }
}

/// How full a ring of `ring` bytes is with `waiting` packets like `lately`, packets and their bytes.
fn percent(waiting: u64, lately: (u64, u64), ring: u64) -> usize {
    let mean = lately.1 / lately.0.max(1) + OVERHEAD;
    let percent = waiting.saturating_mul(mean).saturating_mul(100) / ring.max(1);
    usize::try_from(percent).unwrap_or(100).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(ring: &mut Ring, packets: u32, bytes: usize) {
        (0..packets).for_each(|_| ring.take(bytes));
    }

    #[test]
    fn counters_go_on_across_the_wrap() {
        let mut counter = Counter::default();
        for reading in [10, u32::MAX - 5, u32::MAX / 2, u32::MAX - 1, 3] {
            counter.update(reading);
        }
        // The first jump and the step back to the middle are no advance; the last one wraps.
        assert_eq!(counter.total, 10 + u64::from(u32::MAX / 2) + 5);
    }

    #[test]
    fn what_waits_is_what_went_in_and_did_not_come_out() {
        let mut ring = Ring::new(1_000_000);
        assert_eq!(ring.read(0, 0), Backlog::default());
        taken(&mut ring, 100, 912);
        // A packet takes 1,000 bytes, so that 500 fill half.
        assert_eq!(ring.read(600, 0), Backlog { packets: 500, percent: 50 });
        taken(&mut ring, 400, 912);
        assert_eq!(ring.read(600, 0), Backlog { packets: 100, percent: 10 });
        assert_eq!(ring.backlog().packets, 100);
    }

    #[test]
    fn the_size_follows_the_packets_of_late() {
        let mut ring = Ring::new(1_000_000);
        taken(&mut ring, 20_000, 12);
        taken(&mut ring, 60_000, 1_912);
        let backlog = ring.read(80_100, 0);
        assert_eq!(backlog.packets, 100);
        assert!((19..=20).contains(&backlog.percent), "{backlog:?}");
    }

    #[test]
    fn a_ring_that_lost_packets_was_full() {
        let mut ring = Ring::new(64 << 20);
        taken(&mut ring, 10, 60);
        // What found no room is among what was received, and does not wait.
        assert_eq!(ring.read(25, 5), Backlog { packets: 10, percent: 100 });
        assert_eq!(ring.read(25, 5).percent, 0);
    }

    #[test]
    fn an_empty_ring_has_no_backlog_whatever_the_counters_say() {
        let mut ring = Ring::new(1_000);
        taken(&mut ring, 10, 60);
        assert!(ring.read(20, 0).packets > 0);
        ring.is_empty();
        assert_eq!(ring.backlog(), Backlog::default());
        assert_eq!(ring.read(21, 0).packets, 1);
    }

    #[test]
    fn no_number_overflows() {
        assert_eq!(percent(u64::MAX, (1, u64::MAX - OVERHEAD), 1), 100);
        assert_eq!(percent(1, (0, 0), 0), 100);
    }
}
