//! Which fragments belong to chosen exchanges: only the packet that completes a datagram tells of what connection the
//! others are, and by then they have passed.

use super::places::Places;
use crate::failure::Failure;
use std::collections::HashMap;
use tapwire_capture::FileInterface;
use tapwire_pipeline::{Follower, Member};
use tapwire_protocol::{Exchange, Uid};
use tapwire_wire::{Packet, PacketId};

/// Fragments that one carving may write: some 400 MiB to remember them.
const MOST: usize = 1 << 22;

/// The wanted packets that complete no datagram, each with the exchanges of which it carries bytes.
pub(crate) type Fragments = HashMap<PacketId, Vec<Uid>>;

/// Finds the fragments of what is wanted while the capture passes.
pub(crate) struct Gatherer {
    places: Places,
    found: Fragments,
}

impl Gatherer {
    pub(crate) fn new(places: Places) -> Self {
        Self { places, found: Fragments::new() }
    }

    /// What was found. Fails when it is too much to be remembered.
    pub(crate) fn into_fragments(self) -> Result<Fragments, Failure> {
        if self.is_full() {
            return Err(Failure::new(format!(
                "carve: more than {MOST} packets are fragments of what is asked for: carve fewer exchanges at a time"
            )));
        }
        Ok(self.found)
    }

    fn is_full(&self) -> bool {
        self.found.len() > MOST
    }
}

impl Follower for Gatherer {
    fn packet(&mut self, _packet: &Packet<'_>, _interface: &FileInterface, member: Option<Member<'_>>) {
        let Some(member) = member else { return };
        let part = self.places.part(member.connection, &member.segment);
        for earlier in member.earlier.iter().filter(|_| part.wanted) {
            self.found.entry(*earlier).or_default().extend(&part.carries);
        }
    }

    fn exchange(&mut self, _exchange: &Exchange, _source: &str) {}

    fn is_done(&self) -> bool {
        self.is_full()
    }
}
