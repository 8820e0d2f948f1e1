//! What every source of packets is to the pipeline.

use std::sync::{Arc, PoisonError, RwLock};

use tapwire_wire::{Packet, SourceId};

use crate::{Backlog, FileInterface, LinkNotice, Secrets, SourceError};

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
    /// Packets that the ring still held when the run ended.
    pub unread: u64,
    /// Times that an interface went away.
    pub outages: u64,
    /// How long interfaces were away, all together, in milliseconds.
    pub outage_ms: u64,
    /// Bytes of secrets that files carried along.
    pub secrets: u64,
    /// Bytes of secrets beyond what is kept.
    pub secrets_dropped: u64,
}

impl SourceStats {
    /// Adds what another lane counted of the same interfaces: they went away once, not once a lane.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.delivered += other.delivered;
        self.filtered += other.filtered;
        self.bytes += other.bytes;
        self.dropped_kernel += other.dropped_kernel;
        self.unread += other.unread;
        self.dropped_interface = self.dropped_interface.max(other.dropped_interface);
        self.outages = self.outages.max(other.outages);
        self.outage_ms = self.outage_ms.max(other.outage_ms);
        self.secrets += other.secrets;
        self.secrets_dropped += other.secrets_dropped;
    }
}

/// Names of interfaces and files by number, shared between threads: some become known only while files are read.
#[derive(Debug, Clone, Default)]
pub struct SourceNames(Arc<RwLock<Vec<Arc<str>>>>);

impl SourceNames {
    /// The interface or file of a packet, as events show it; empty for a number that was never used.
    pub fn get(&self, source: SourceId) -> Arc<str> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.get(usize::from(source.0)).map_or_else(|| Arc::from(""), Arc::clone)
    }

    /// All of them, by number.
    pub fn all(&self) -> Vec<String> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().map(|name| name.to_string()).collect()
    }

    /// Numbers a name; `None` when the numbers are used up.
    pub fn add(&self, name: &str) -> Option<SourceId> {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let id = u16::try_from(names.len()).ok()?;
        names.push(Arc::from(name));
        Some(SourceId(id))
    }

    /// Gives a number that was in use long ago to another name.
    pub(crate) fn reuse(&self, source: SourceId, name: &str) {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get_mut(usize::from(source.0)) {
            *known = Arc::from(name);
        }
    }
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

    /// What waits in the kernel for this source, by a reading that is at most some milliseconds old; nothing where there
    /// is no such buffer.
    fn backlog(&mut self) -> Backlog {
        Backlog::default()
    }

    /// Brings the counters up to date; live, those of the kernel are read only now and then.
    fn count(&mut self) {}

    /// Counters so far.
    fn stats(&self) -> SourceStats;

    /// Names of the interfaces or files that packets come from.
    fn names(&self) -> SourceNames;

    /// What to do when later stages cannot keep up.
    fn pressure(&self) -> Pressure;

    /// How far it has come; `None` where there is no end to come to.
    fn progress(&self) -> Option<Progress> {
        None
    }

    /// Whether it goes on until somebody ends it: what is known is then sent on while it waits.
    fn is_endless(&self) -> bool {
        self.pressure() == Pressure::Shed
    }

    /// Takes the further lanes of the same interfaces, for threads of their own.
    fn take_lanes(&mut self) -> Vec<Box<dyn Source>> {
        Vec::new()
    }

    /// Takes what interfaces did since the last call.
    fn take_link_notices(&mut self) -> Vec<LinkNotice> {
        Vec::new()
    }

    /// Takes the secrets that were met since the last call.
    fn take_secrets(&mut self) -> Vec<Secrets> {
        Vec::new()
    }
}
