//! Outputs: standard output, files, HTTP collectors, nowhere.
//!
//! The output thread renders events once per format and redaction profile and hands the bytes to every sink as a
//! [`Batch`]. Sinks know bytes and counts, never events. Network sinks run on the tokio runtime that [`Network`]
//! holds; nothing else in the product uses tokio on the data path.
//!
//! What a full or failing destination means is declared by the source, as [`Pressure`]: behind a file a sink
//! blocks and its failure ends the run; behind a tap it never blocks, and what it cannot deliver is dropped and
//! counted by reason. At any time `accepted = delivered + dropped + queued`, and nothing is queued after
//! [`Sink::finish`].

mod config;
mod error;
mod file;
mod http;
mod null;
mod registry;
mod report;
mod secret;
mod stdout;

use std::sync::Arc;

pub use config::{Config, Http, Rotation};
pub use error::SinkError;
pub use file::FileSink;
pub use http::{HttpSink, Network};
pub use null::NullSink;
pub use registry::{Opened, SINKS, SinkInfo, check, open};
pub use report::{Counts, DropReason, Notice, SinkReport, Tally};
pub use secret::Secret;
pub use stdout::StreamSink;

/// Rendered events: whole lines, each ended by `\n`. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Batch {
    bytes: Arc<Vec<u8>>,
    events: u32,
}

impl Batch {
    /// Takes `bytes`, which hold `events` rendered events, one a line.
    pub fn new(bytes: Vec<u8>, events: u32) -> Self {
        Self { bytes: Arc::new(bytes), events }
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
}

impl Context {
    /// The default configuration under the given pressure.
    pub fn new(pressure: Pressure) -> Self {
        Self { pressure, network: Network::default(), config: Config::default() }
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
