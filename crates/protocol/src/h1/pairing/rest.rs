//! What is left of pairing while nothing is open.

use super::Pairer;
use tapwire_flow::StreamOffset;

/// What pairing remembers of a connection on which nothing is open.
#[derive(Debug)]
pub(crate) struct Memory {
    /// The anchor of the last request; the outer `None` before the first.
    anchor: Option<StreamOffset>,
    asked: bool,
    synced: bool,
    pipelines: bool,
}

impl Pairer {
    /// What has to be remembered for the next message, when the last ones have these serials and ended in the ordinary
    /// way.
    pub(crate) fn memory(&self, request: u64, response: u64) -> Option<Memory> {
        let ordinary = self.is_idle()
            && !self.changed
            && self.last_request == self.last_paired
            && self.last_request.is_none_or(|(serial, _)| serial == request)
            && self.synced.is_none_or(|synced| synced == (request, response));
        ordinary.then(|| Memory {
            anchor: self.last_request.and_then(|(_, anchor)| anchor),
            asked: self.last_request.is_some(),
            synced: self.synced.is_some(),
            pipelines: self.pipelines,
        })
    }

    /// Goes on with what was remembered.
    pub(crate) fn remembering(memory: Memory, serials: (u64, u64)) -> Self {
        let last = memory.asked.then_some((serials.0, memory.anchor));
        Self {
            synced: memory.synced.then_some(serials),
            last_request: last,
            last_paired: last,
            pipelines: memory.pipelines,
            ..Self::default()
        }
    }
}
