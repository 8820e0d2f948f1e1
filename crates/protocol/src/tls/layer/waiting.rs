//! Records that wait for their keys.

use super::{Blind, Emit, Layer};
use crate::Direction;
use crate::tls::Shared;
use crate::tls::cipher::HEAD;
use crate::tls::handshake::Readiness;
use crate::tls::lane::Lost;
use crate::tls::records::Mark;
use std::collections::VecDeque;
use tapwire_flow::{CloseReason, Evidence, StreamOffset};
use tapwire_wire::Timestamp;

/// What one connection may keep, in bytes. Of records beyond it is kept that there were some, so that those behind them can
/// be opened; up to twice as much.
pub(super) const MAX_BYTES: usize = 256 << 10;
/// For how long, in nanoseconds of packet time: keys that are two seconds late, and their way here.
const MAX_NANOS: i64 = 3_000_000_000;

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
    pub(super) fn bytes(&self) -> usize {
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
    /// Whether something waits for its keys.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Until when.
    pub(crate) fn waits_until(&self) -> Timestamp {
        self.waiting.as_ref().map_or(Timestamp::MIN, |waiting| waiting.since + MAX_NANOS)
    }

    /// What names the session whose keys it waits for.
    pub(crate) fn random(&self) -> Option<[u8; 32]> {
        self.handshake.random()
    }

    /// Whether what waits need not wait any longer.
    pub(crate) fn can_go_on(&mut self, shared: &Shared) -> bool {
        self.readiness(shared) == Readiness::Ready
    }

    /// Keeps a record until its keys come.
    pub(super) fn wait(&mut self, shared: &mut Shared, item: Item, time: Timestamp) {
        let held = self.waiting.as_ref().map_or(0, |waiting| waiting.bytes);
        let item = if held + item.bytes() > MAX_BYTES { without_body(shared, item) } else { item };
        let bytes = item.bytes();
        let is_full = shared.waiting + bytes > shared.config.waiting_bytes;
        if held + bytes > 2 * MAX_BYTES || is_full {
            shared.counters.no_room += (held + bytes) as u64;
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
            self.wait_no_more(shared, emit);
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

    /// The connection ends. Whether what waits goes on waiting, behind its end: then the end is told again later. Not where
    /// the capture ends too, or room was needed, and never twice.
    pub(super) fn must_wait_on(
        &mut self,
        shared: &mut Shared,
        reason: CloseReason,
        emit: &mut Emit<'_>,
    ) -> bool {
        if self.waiting.is_some() {
            self.try_waiting(shared, emit);
        }
        let may = matches!(reason, CloseReason::Fin | CloseReason::Reset | CloseReason::Replaced);
        may && self.waiting.is_some() && !std::mem::replace(&mut self.is_over, true)
    }

    /// Whatever keys there are now must do.
    pub(super) fn end_waiting(&mut self, shared: &mut Shared, emit: &mut Emit<'_>) {
        if self.waiting.is_some() {
            self.try_waiting(shared, emit);
        }
        self.wait_no_more(shared, emit);
    }

    /// Goes on without keys, or with those of one direction.
    fn wait_no_more(&mut self, shared: &mut Shared, emit: &mut Emit<'_>) {
        let has_keys = |from| self.handshake.has_keys(&shared.keys, from);
        self.is_partial = has_keys(Direction::ToServer) || has_keys(Direction::ToClient);
        if self.is_partial {
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

/// What is left of a record that cannot be kept: that it was there.
fn without_body(shared: &mut Shared, item: Item) -> Item {
    let Item::Record(from, _, at, body, marks) = item else { return item };
    shared.counters.no_room += body.len() as u64;
    let time = marks.first().map_or(Timestamp::MIN, |mark| mark.time);
    Item::Damaged(from, at, body.len(), time)
}
