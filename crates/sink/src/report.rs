//! Delivery counters, and what is told to people.

use std::fmt;

use crate::SinkError;

/// An amount of events and of their bytes as rendered (before compression).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events.
    pub events: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Tally {
    /// The amount that `events` events of `bytes` bytes are.
    pub fn of(events: u32, bytes: usize) -> Self {
        Self { events: u64::from(events), bytes: bytes as u64 }
    }

    /// Adds to it.
    pub fn add(&mut self, more: Tally) {
        self.events += more.events;
        self.bytes += more.bytes;
    }

    pub(crate) fn minus(self, less: Tally) -> Tally {
        let events = self.events.saturating_sub(less.events);
        Tally { events, bytes: self.bytes.saturating_sub(less.bytes) }
    }
}

/// Why events did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The queue of a network sink was full: the peer is slow or down.
    QueueFull,
    /// No connection or no answer, after all tries.
    Unreachable,
    /// The peer answered that it does not take the events.
    Refused,
    /// The file could not be written (disk full).
    WriteFailed,
    /// The reading program ended.
    ReaderGone,
    /// The sink had failed before, or its time to finish was over.
    Stopped,
    /// The spool was full: the oldest of the least important events.
    SpoolFull,
    /// Their place in the spool cannot be read.
    Damaged,
}

impl DropReason {
    /// Every reason, in the order of reports.
    pub const ALL: [DropReason; 8] = [
        DropReason::QueueFull,
        DropReason::Unreachable,
        DropReason::Refused,
        DropReason::WriteFailed,
        DropReason::ReaderGone,
        DropReason::Stopped,
        DropReason::SpoolFull,
        DropReason::Damaged,
    ];

    /// The label in metrics and in the sensor's own events.
    pub fn name(self) -> &'static str {
        match self {
            DropReason::QueueFull => "queue-full",
            DropReason::Unreachable => "unreachable",
            DropReason::Refused => "refused",
            DropReason::WriteFailed => "write-failed",
            DropReason::ReaderGone => "reader-gone",
            DropReason::Stopped => "stopped",
            DropReason::SpoolFull => "spool-full",
            DropReason::Damaged => "damaged",
        }
    }
}

/// The ledger of a sink: `accepted + resumed = delivered + Σ dropped + kept + queued`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to the sink.
    pub accepted: Tally,
    /// Left in the spool by a former run.
    pub resumed: Tally,
    /// Waits in the spool for the next run. 0 until the end.
    pub kept: Tally,
    /// Written, or acknowledged by the peer with 2xx. Behind a buffer: given to the buffer.
    pub delivered: Tally,
    dropped: [Tally; DropReason::ALL.len()],
    /// Requests sent again.
    pub retries: u64,
}

impl Counts {
    /// What was dropped for one reason.
    pub fn dropped(&self, reason: DropReason) -> Tally {
        self.dropped.get(reason as usize).copied().unwrap_or_default()
    }

    /// What was dropped for any reason.
    pub fn dropped_total(&self) -> Tally {
        let mut total = Tally::default();
        self.dropped.iter().for_each(|t| total.add(*t));
        total
    }

    /// What is neither delivered nor dropped yet.
    pub fn queued(&self) -> Tally {
        let mut taken = self.accepted;
        taken.add(self.resumed);
        taken.minus(self.delivered).minus(self.dropped_total()).minus(self.kept)
    }

    /// Counts what was handed to the sink.
    pub fn accept(&mut self, amount: Tally) {
        self.accepted.add(amount);
    }

    /// Counts what was written.
    pub fn deliver(&mut self, amount: Tally) {
        self.delivered.add(amount);
    }

    /// Counts what will not arrive.
    pub fn drop_for(&mut self, reason: DropReason, amount: Tally) {
        if let Some(tally) = self.dropped.get_mut(reason as usize) {
            tally.add(amount);
        }
    }
}

/// What became of the events of one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkReport {
    /// The destination without credentials and query.
    pub destination: String,
    /// The ledger.
    pub counts: Counts,
    /// Under [`crate::Pressure::Block`] why the sink failed; under `Shed` the last error, which may be over.
    pub error: Option<SinkError>,
    /// When that was, and whether it is over; not of an error that ended it.
    pub lapse: Option<Lapse>,
    /// What came up while it finished, when nobody asked any more.
    pub notices: Vec<Notice>,
}

/// The last failure of an output that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// When it failed, in nanoseconds since 1970.
    pub at: i64,
    /// Whether events were taken since.
    pub is_over: bool,
}

impl Lapse {
    /// One that begins now.
    pub(crate) fn now() -> Self {
        Self { at: crate::delay::now(), is_over: false }
    }
}

/// A change in how delivery goes, to be shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Events are being dropped from here on.
    Failing(SinkError),
    /// Events wait in the spool from here on.
    Delayed(SinkError),
    /// To be known, and nothing to wait for.
    Told(SinkError),
    /// Delivery works again.
    Recovered {
        /// The destination without credentials and query.
        destination: String,
        /// Dropped since `Failing`.
        dropped: Tally,
    },
}

/// What is told of an output that fails: once that it does, and once that it works again.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    error: Option<SinkError>,
    /// Dropped since it began to fail.
    failing: Option<Tally>,
    lapse: Option<Lapse>,
    notice: Option<Notice>,
}

impl Trouble {
    /// Events could not be written.
    pub fn failed(&mut self, error: SinkError, dropped: Tally) {
        if self.failing.is_none() {
            self.notice = Some(Notice::Failing(error.clone()));
        }
        self.failing.get_or_insert_default().add(dropped);
        self.lapse = Some(Lapse::now());
        self.error = Some(error);
    }

    /// Events were written.
    pub fn worked(&mut self, destination: &str) {
        if let Some(dropped) = self.failing.take() {
            self.lapse.iter_mut().for_each(|lapse| lapse.is_over = true);
            self.notice = Some(Notice::Recovered { destination: destination.to_owned(), dropped });
        }
    }

    /// The last error, which may be over.
    pub const fn error(&self) -> Option<&SinkError> {
        self.error.as_ref()
    }

    /// When that was, and whether it is over.
    pub const fn lapse(&self) -> Option<Lapse> {
        self.lapse
    }

    /// What is to be told, if anything is.
    pub const fn poll(&mut self) -> Option<Notice> {
        self.notice.take()
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Failing(error) => {
                write!(f, "{error}; events are dropped and counted until it works again")
            }
            Notice::Delayed(error) => {
                write!(f, "{error}; events wait in the spool until it works again")
            }
            Notice::Told(error) => write!(f, "{error}"),
            Notice::Recovered { destination, dropped } if dropped.events == 0 => {
                write!(f, "{destination} takes events again; none were dropped meanwhile")
            }
            Notice::Recovered { destination, dropped } => {
                write!(f, "{destination} takes events again; {} were dropped meanwhile", dropped.events)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_place_and_name() {
        let mut counts = Counts::default();
        for (n, reason) in (1..).zip(DropReason::ALL) {
            counts.drop_for(reason, Tally::of(n, 10));
        }
        for (n, reason) in (1..).zip(DropReason::ALL) {
            assert_eq!(counts.dropped(reason).events, n, "{}", reason.name());
        }
        assert_eq!(counts.dropped_total(), Tally { events: 36, bytes: 80 });
    }
}
