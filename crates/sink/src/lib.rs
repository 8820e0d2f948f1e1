//! Outputs: standard output, files, receivers on the network, nowhere.
//!
//! The output thread renders events once per format and redaction profile and hands the bytes to every sink as a
//! [`Batch`]. Sinks know bytes and counts, never events. Network sinks run on the tokio runtime that [`Network`]
//! holds; nothing else in the product uses tokio on the data path.
//!
//! What a full or failing destination means is declared by the source, as [`Pressure`]: behind a file a sink
//! blocks and its failure ends the run; behind a tap it never blocks, and what it cannot deliver is dropped and
//! counted by reason. Where there is a
//! data directory, a spool on disk stands before each receiver on the network: a slow or failing one costs nothing
//! but its room. At any time `accepted + resumed = delivered + dropped + kept + queued`, and nothing is queued after
//! [`Sink::finish`].

mod config;
mod courier;
mod delay;
mod error;
mod file;
mod http;
mod kafka;
mod network;
mod null;
mod queue;
mod registry;
mod report;
mod secret;
mod stdout;
mod syslog;

use std::sync::Arc;

use tapwire_store::Spools;

pub use config::{Config, Http, Rotation, SpoolSize, Syslog};
pub use delay::{Delays, Outputs, Standing, Watched};
pub use error::SinkError;
pub use file::FileSink;
pub use kafka::{Consumer, Fetched, Places, Round};
pub use network::Network;
pub use null::NullSink;
pub use registry::{Opened, Reach, SINKS, SinkInfo, check, open, place, reach};
pub use report::{Counts, DropReason, Lapse, Notice, SinkReport, Tally, Trouble};
pub use secret::Secret;
pub use stdout::StreamSink;

/// Rendered events: whole lines, each ended by `\n`. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Batch {
    bytes: Arc<Vec<u8>>,
    events: u32,
    marks: Arc<[Mark]>,
    captured: Option<i64>,
}

/// An event of a batch that matters more than others when room is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How many events of the batch stand before it.
    pub event: u32,
    /// Where its line begins and ends, in bytes.
    pub begin: usize,
    /// Behind its line end.
    pub end: usize,
    /// 1 to 3; events without a mark have 0 and go first.
    pub rank: u8,
}

impl Batch {
    /// Takes `bytes`, which hold `events` rendered events, one a line.
    pub fn new(bytes: Vec<u8>, events: u32) -> Self {
        Self { bytes: Arc::new(bytes), events, marks: Arc::default(), captured: None }
    }

    /// The same with events that matter more, in their order.
    #[must_use]
    pub fn marked(mut self, marks: &[Mark]) -> Self {
        self.marks = marks.into();
        self
    }

    /// The same with when the last packet of its oldest event was captured, in nanoseconds since 1970: a tap's, so that it can
    /// be said how long events take.
    #[must_use]
    pub fn captured(mut self, nanos: Option<i64>) -> Self {
        self.captured = nanos;
        self
    }

    /// Its lines in runs of the same rank: rank, events, lines.
    fn runs(&self) -> Vec<(u8, u32, &[u8])> {
        let bytes = |from: usize, to: usize| self.bytes.get(from..to).unwrap_or_default();
        let mut runs = Vec::new();
        let (mut at, mut told) = (0, 0);
        for mark in self.marks.iter() {
            runs.push((0, mark.event.saturating_sub(told), bytes(at, mark.begin)));
            runs.push((mark.rank, 1, bytes(mark.begin, mark.end)));
            (at, told) = (mark.end, mark.event + 1);
        }
        runs.push((0, self.events.saturating_sub(told), bytes(at, self.bytes.len())));
        runs.retain(|(_, events, lines)| *events > 0 && !lines.is_empty());
        runs
    }

    /// The rendered lines.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many events the lines hold.
    pub fn events(&self) -> u32 {
        self.events
    }
}

/// Whether anybody still reads what a sink writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reader {
    /// More may be written.
    Listening,
    /// The reading program has ended (`tapwire … | head`): stop quietly, this is no failure.
    Gone,
}

/// What a sink does when its destination cannot keep up or fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    /// The source is a file: wait for the destination, and end with an error when it fails.
    Block,
    /// The source is a tap: never wait; drop, count, and say so once.
    Shed,
}

/// What the program gives to every sink that it opens.
#[derive(Clone, Debug)]
pub struct Context {
    /// Declared by the source.
    pub pressure: Pressure,
    /// The runtime of network sinks; started by the first one.
    pub network: Network,
    /// The effective configuration.
    pub config: Config,
    /// Where events wait for receivers on the network; without it they wait in memory.
    pub spools: Option<Spools>,
    /// Where outputs on the network can be looked at while they run.
    pub outputs: Outputs,
    /// The output's own name, which its spool has, too; without it the destination names it.
    pub name: Option<String>,
}

impl Context {
    /// The default configuration under the given pressure.
    pub fn new(pressure: Pressure) -> Self {
        Self {
            pressure,
            network: Network::default(),
            config: Config::default(),
            spools: None,
            outputs: Outputs::default(),
            name: None,
        }
    }
}

/// A destination of rendered events.
///
/// `write` and `flush` fail only under [`Pressure::Block`], and for good: the caller stops and calls `finish`.
pub trait Sink: Send {
    /// Whether it throws everything away: the caller may then hand it batches of events without their bytes.
    fn discards(&self) -> bool {
        false
    }

    /// Takes a batch. Under [`Pressure::Block`] this waits until there is room.
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError>;

    /// Sends on what is buffered without waiting for its delivery. Taps call it when they are idle.
    /// One that buffers nothing has nothing to do.
    fn flush(&mut self) -> Result<Reader, SinkError> {
        Ok(Reader::Listening)
    }

    /// The number of the next event where numbers go on from run to run: the receiver finds no gap between two runs.
    fn next_sequence(&self) -> Option<u64> {
        None
    }

    /// What the operator should read: once when delivery begins to fail, once when it works again.
    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }

    /// The counters so far.
    fn report(&self) -> SinkReport;

    /// Delivers what is buffered, or drops and counts it, and gives the final counters.
    fn finish(self: Box<Self>) -> SinkReport {
        self.report()
    }
}
