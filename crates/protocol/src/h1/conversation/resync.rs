//! Behind a hole: where a message surely begins.

use super::Conversation;
use crate::h1::reader::Place;
use crate::h1::{Start, probe};
use crate::output::Output;
use crate::{Direction, ExchangeSink};
use tapwire_flow::{Chunk, StreamOffset};

impl Conversation {
    /// Behind a hole: looks for a place where a message surely begins.
    pub(super) fn lost<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        at: StreamOffset,
        rest: &[u8],
    ) -> usize {
        let anchored = self.anchor_within(direction, at, rest);
        let (skip, start) = match anchored {
            Some(skip) => (skip, probe(rest.get(skip..).unwrap_or_default())),
            None if rest.len() == chunk.bytes.len() && self.is_answer_to_more(direction, chunk) => {
                (0, probe(rest))
            }
            None => (rest.len(), Start::No),
        };
        let expected = match direction {
            Direction::ToServer => Start::Request,
            Direction::ToClient => Start::Response,
        };
        let begins = start == expected || anchored.is_some() && start == Start::Partial;
        if !begins {
            out.counters.lost_bytes += rest.len() as u64;
            return rest.len();
        }
        let reader = self.reader(direction);
        reader.place = Place::Boundary;
        reader.contiguous = false;
        out.counters.lost_bytes += skip as u64;
        skip
    }

    /// How far into `rest` a message begins, as the other direction's acknowledgements say.
    pub(super) fn anchor_within(&self, direction: Direction, at: StreamOffset, rest: &[u8]) -> Option<usize> {
        let end = at + rest.len() as u64;
        let within = |anchor: &StreamOffset| *anchor >= at && *anchor < end;
        let anchor = match direction {
            Direction::ToServer => self.next_request_at.filter(within),
            Direction::ToClient => self.pairer.anchors().find(within),
        }?;
        usize::try_from(anchor.since(at)).ok()
    }

    /// Whether this side had received more when it sent this chunk than when it sent the one before: what begins a
    /// message does, what continues one does not.
    pub(super) fn is_answer_to_more(&self, direction: Direction, chunk: &Chunk<'_>) -> bool {
        let reader = match direction {
            Direction::ToServer => &self.requests,
            Direction::ToClient => &self.responses,
        };
        match (reader.previous_peer_at, chunk.peer_at) {
            (Some(before), Some(now)) => now > before,
            _ => true,
        }
    }
}
