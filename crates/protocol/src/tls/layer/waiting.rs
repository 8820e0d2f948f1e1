//! Records that wait for their keys.

use super::{Blind, Emit, Layer};
use crate::Direction;
use crate::tls::Shared;
use crate::tls::cipher::HEAD;
use crate::tls::handshake::Readiness;
use crate::tls::lane::Lost;
use crate::tls::records::Mark;
use crate::tls::shared::MAX_WAITING;
use std::collections::VecDeque;
use tapwire_flow::{Evidence, StreamOffset};
use tapwire_wire::Timestamp;

/// What one connection may keep, in bytes, and for how long, in nanoseconds of packet time.
const MAX_BYTES: usize = 256 << 10;
const MAX_NANOS: i64 = 2_000_000_000;

/// What happened in a direction, in order.
#[derive(Debug)]
pub(super) enum Item {
    /// A protected record: head, offset, body, segments.
    Record(Direction, [u8; HEAD], StreamOffset, Vec<u8>, Vec<Mark>),
    /// One with bytes missing: offset and length of its body.
    Damaged(Direction, StreamOffset, usize, Timestamp),
    /// Bytes in which records may begin and end.
    Lost(Direction, Lost),
    Fin(Direction),
    Evidence(Direction, StreamOffset, Evidence),
}

impl Item {
    fn bytes(&self) -> usize {
        let more = match self {
            Self::Record(_, _, _, body, marks) => body.capacity() + marks.capacity() * size_of::<Mark>(),
            _ => 0,
        };
        size_of::<Self>() + more
    }

    const fn is_record(&self) -> bool {
        matches!(self, Self::Record(..) | Self::Damaged(..))
    }
}

/// What waits, in order.
#[derive(Debug)]
pub(super) struct Waiting {
    items: VecDeque<Item>,
    bytes: usize,
    since: Timestamp,
}

impl Waiting {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an item; gives its bytes.
    pub(super) fn push(&mut self, item: Item) -> usize {
        let bytes = item.bytes();
        self.bytes += bytes;
        self.items.push_back(item);
        bytes
    }
}

impl Layer {
    /// Keeps a record until its keys come.
    pub(super) fn wait(&mut self, shared: &mut Shared, item: Item, time: Timestamp) {
        let bytes = item.bytes();
        let held = self.waiting.as_ref().map_or(0, |waiting| waiting.bytes);
        let is_full = shared.waiting + bytes > MAX_WAITING;
        if held + bytes > MAX_BYTES || is_full {
            shared.counters.no_room += u64::from(is_full) * (held + bytes) as u64;
            shared.counters.blind += 1;
            return self.give_up(shared, Blind::NoKeys);
        }
        let fresh = || Box::new(Waiting { items: VecDeque::new(), bytes: 0, since: time });
        shared.waiting += self.waiting.get_or_insert_with(fresh).push(item);
    }

    /// Looks whether what waits can go on.
    pub(super) fn look_for_keys(&mut self, shared: &mut Shared, now: Timestamp, emit: &mut Emit<'_>) {
        let Some(waiting) = &self.waiting else { return };
        let since = waiting.since;
        // Before a ServerHello nothing can be opened, whatever keys there are.
        let now_known = (shared.keys.generation(), self.handshake.has_server_hello());
        if now_known != self.looked_with {
            self.try_waiting(shared, emit);
        }
        if self.waiting.is_some() && now.since(since) > MAX_NANOS {
            self.give_up(shared, Blind::NoKeys);
        }
    }

    fn try_waiting(&mut self, shared: &mut Shared, emit: &mut Emit<'_>) {
        match self.readiness(shared) {
            Readiness::Ready => {
                let Some(waiting) = self.waiting.take() else { return };
                shared.waiting = shared.waiting.saturating_sub(waiting.bytes);
                for item in waiting.items {
                    self.item(shared, item, emit);
                }
            }
            Readiness::Hopeless => {
                self.give_up(shared, Blind::Hopeless);
            }
            Readiness::NoKeys => {}
        }
    }

    /// The connection ends: whatever keys there are now must do.
    pub(super) fn end_waiting(&mut self, shared: &mut Shared, emit: &mut Emit<'_>) {
        if self.waiting.is_some() {
            self.try_waiting(shared, emit);
        }
        if self.waiting.is_some() {
            self.give_up(shared, Blind::NoKeys);
        }
    }

    fn give_up(&mut self, shared: &mut Shared, why: Blind) {
        if let Some(waiting) = self.waiting.take() {
            shared.waiting = shared.waiting.saturating_sub(waiting.bytes);
            shared.counters.blind += waiting.items.iter().filter(|item| item.is_record()).count() as u64;
        }
        self.become_blind(shared, why);
    }
}
