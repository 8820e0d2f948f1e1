//! What every source of packets is to the pipeline.

use tapwire_wire::{Packet, SourceId};

use crate::{FileInterface, SourceError};

/// What a call of [`Source::dispatch`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Packets were delivered, or could be at once.
    More,
    /// Nothing came for a while; time passes and timers may expire.
    Idle,
    /// There is nothing left.
    End,
}

/// What the pipeline does when it cannot keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// A file waits: the result is complete and repeatable.
    Block,
    /// A tap does not: work is shed, and counted.
    Shed,
}

/// Counters since the source was opened. `received = delivered + filtered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceStats {
    /// Packets that reached this process.
    pub received: u64,
    /// Packets handed on.
    pub delivered: u64,
    /// Packets that the capture filter refused; live, the kernel filters before it counts.
    pub filtered: u64,
    /// Captured bytes of the packets handed on.
    pub bytes: u64,
    /// Packets that the kernel lost because the ring was full.
    pub dropped_kernel: u64,
    /// Packets that the interface or its driver lost.
    pub dropped_interface: u64,
}

/// How far a source of known size has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read, of compressed files the compressed ones.
    pub bytes_read: u64,
    /// All bytes, unless one input is a stream.
    pub bytes_total: Option<u64>,
}

/// A source of packets: files, standard input, or interfaces.
pub trait Source: Send {
    /// Hands packets to `deliver`, as many as are at hand and at most some thousand.
    ///
    /// A packet borrows the source's own buffer and is gone when `deliver` returns. Live, it waits up to 100 ms.
    ///
    /// # Errors
    /// When a file is damaged or an interface fails. What came before was delivered. Where
    /// [`SourceError::is_partial`] holds, the source may be called again and goes on with its other files.
    fn dispatch(&mut self, deliver: &mut dyn FnMut(Packet<'_>)) -> Result<Status, SourceError>;

    /// The same, several packets at once where the source has them side by side, so that the receiver can look ahead.
    ///
    /// # Errors
    /// Those of [`Source::dispatch`].
    fn dispatch_bursts(&mut self, deliver: &mut dyn FnMut(&[Packet<'_>])) -> Result<Status, SourceError> {
        self.dispatch(&mut |packet| deliver(&[packet]))
    }

    /// The same, with the interface that each packet was captured on as its file describes it. Sources that describe none
    /// have one, without a name.
    ///
    /// # Errors
    /// Those of [`Source::dispatch`].
    fn dispatch_described(
        &mut self,
        deliver: &mut dyn FnMut(Packet<'_>, &FileInterface),
    ) -> Result<Status, SourceError> {
        self.dispatch(&mut |packet| deliver(packet, &FileInterface::UNNAMED))
    }

    /// Counters so far.
    fn stats(&self) -> SourceStats;

    /// The interface or file of a packet, as events show it; empty for a number that this source never used.
    fn name(&self, source: SourceId) -> &str;

    /// How many interfaces or files there are: every [`SourceId`] below this is one.
    fn count(&self) -> usize;

    /// What to do when later stages cannot keep up.
    fn pressure(&self) -> Pressure;

    /// How far it has come; `None` for interfaces.
    fn progress(&self) -> Option<Progress>;
}
