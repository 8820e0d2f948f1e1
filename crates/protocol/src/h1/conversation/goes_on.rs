//! Answers that are open for long: reported as ongoing, and told as children from there on.

use super::Conversation;
use crate::h1::pairing::Ended;
use crate::h1::reader::Origin;
use crate::output::Output;
use crate::stream::ONGOING_AFTER;
use crate::{Direction, ExchangeSink, Seen};
use tapwire_flow::StreamOffset;
use tapwire_wire::{SeqNumber, SourceId, Timestamp};

/// Clocks step back: the time is asked for again no sooner than this, in nanoseconds.
const SOONEST: i64 = 1_000_000_000;

impl Conversation {
    /// Asks to be told the time while an answer is open. Nearly all have ended by then.
    pub(super) fn watch<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>) {
        if !self.watched && self.responses.open.is_some() {
            self.watch_for(out, ONGOING_AFTER);
        }
    }

    fn watch_for<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, nanos: i64) {
        self.watched = true;
        *out.alarm = Some(nanos);
    }

    /// The time has come that was asked for: an answer that has been open for so long is reported now.
    pub(super) fn time<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, now: Timestamp) {
        self.watched = false;
        let Some(open) = &self.responses.open else { return };
        let left = ONGOING_AFTER.saturating_sub(now.since(open.started));
        if left > 0 {
            return self.watch_for(out, left.clamp(SOONEST, ONGOING_AFTER));
        }
        // Not while the request goes on too, nor while its answer is waited for behind others.
        if !self.pairer.may_go_on(open.id) {
            return self.watch_for(out, ONGOING_AFTER);
        }
        if let Some(mut message) = self.responses.open.take() {
            message.seen = Seen::Ongoing;
            self.pairer.end(message.id, Ended { message, end: None });
            self.settle(out, false);
        }
    }

    /// Content of an answer that was reported.
    pub(super) fn more<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, at: StreamOffset, bytes: &[u8]) {
        out.counters.body_bytes += bytes.len() as u64;
        let origin = self.here(out.flow.source, at);
        if let Some(ongoing) = &mut self.ongoing {
            ongoing.bytes(out, Direction::ToClient, origin, bytes);
            ongoing.reached(at + bytes.len() as u64);
        }
    }

    /// Tells the end of an answer that was reported, once it is there.
    pub(super) fn end_ongoing<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>) {
        if let Some(ongoing) = self.ongoing.take_if(|ongoing| ongoing.is_over()) {
            let end = self.responses.next;
            self.account.go_on_to(end, ongoing.is_whole());
            let at = end.unwrap_or_else(|| StreamOffset::first(SeqNumber(0)));
            ongoing.end(out, self.here(out.flow.source, at));
        }
    }

    /// The answer that was reported has ended, or where it ends is not known.
    pub(super) fn finish_ongoing(&mut self, direction: Direction, whole: bool) {
        if let (Direction::ToClient, Some(ongoing)) = (direction, &mut self.ongoing) {
            ongoing.finish(whole);
        }
    }

    /// Where bytes of the server stand that came last.
    fn here(&self, source: SourceId, at: StreamOffset) -> Origin {
        let reader = &self.responses;
        Origin {
            at,
            peer_at: None,
            previous_peer_at: None,
            contiguous: true,
            after_missing_message: false,
            time: reader.seen.0,
            frame: reader.seen.1,
            source,
        }
    }
}
