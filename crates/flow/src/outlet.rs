//! The way from reassembly to the sink.

use crate::counters::Counters;
use crate::hashing::Hashing;
use crate::pool::Pool;
use crate::{Config, FlowInfo, StreamEvent, StreamSink};
use tapwire_wire::Timestamp;

/// What all connections of a table share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) counters: Counters,
    pub(crate) pool: Pool,
    pub(crate) hashing: Hashing,
    /// Waits in vain, one after the other, for sides of which their connection had shown no packet.
    pub(crate) vain_unheard: u8,
    /// Capture time of the packet being handled.
    pub(crate) time: Timestamp,
    /// The table's time in nanoseconds.
    pub(crate) now: i64,
}

/// One connection's listener and its state, with what all connections share.
pub(crate) struct Outlet<'a, T, S> {
    pub(crate) info: &'a FlowInfo,
    pub(crate) state: &'a mut T,
    pub(crate) sink: &'a mut S,
    pub(crate) shared: &'a mut Shared,
}

impl<T, S: StreamSink<T>> Outlet<'_, T, S> {
    pub(crate) fn event(&mut self, event: StreamEvent<'_>) {
        self.sink.event(self.info, self.state, event);
    }
}
