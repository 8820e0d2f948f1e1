//! The same packet in two files: a capture that was given twice, or one that another contains.

use std::collections::VecDeque;
use tapwire_wire::{Packet, SourceId, Timestamp};

/// Packets of one time that are compared.
const KEPT: usize = 32;

/// Packets that came again from another source, at the same nanosecond and with the same bytes.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    recent: VecDeque<(Timestamp, u64, SourceId)>,
    sources: u16,
    /// Of those, how many.
    pub(crate) count: u64,
}

impl Twins {
    pub(crate) fn packet(&mut self, packet: &Packet<'_>) {
        self.sources = self.sources.max(packet.source.0);
        let print = fingerprint(packet.data);
        if self.recent.back().is_some_and(|(time, ..)| *time != packet.time) {
            self.recent.clear();
        }
        let is_twin =
            |(_, other, source): &(Timestamp, u64, SourceId)| *other == print && *source != packet.source;
        if self.sources > 0
            && let Some(at) = self.recent.iter().position(is_twin)
        {
            self.count += 1;
            self.recent.remove(at);
            return;
        }
        if self.recent.len() < KEPT {
            self.recent.push_back((packet.time, print, packet.source));
        }
    }
}

/// FNV-1a over the headers and the length.
fn fingerprint(data: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ data.len() as u64;
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    data.iter().take(96).fold(start, mix)
}
