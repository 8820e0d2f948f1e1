//! What frames that are read when they are whole say.

use super::{Conversation, MAX_BLOCK};
use crate::h2::frame::{FrameHead, flag, kind, settings, without_padding, word};
use crate::h2::reader::{Block, Unfinished};
use crate::output::Output;
use crate::{Anomaly, Direction, ExchangeSink, Seen};

/// CONTINUATION frames of one block that are no chance any more.
const MANY_CONTINUATIONS: u16 = 64;

/// CONTINUATION frames of one block that are read.
const MAX_CONTINUATIONS: u16 = 1_024;

/// Identifiers of settings (RFC 9113, 6.5.2).
mod setting {
    pub(super) const HEADER_TABLE_SIZE: u16 = 1;
    pub(super) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(super) const MAX_FRAME_SIZE: u16 = 5;
}

impl Conversation {
    pub(super) fn frame<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        head: &FrameHead,
        payload: &[u8],
    ) {
        match head.kind {
            kind::HEADERS | kind::PUSH_PROMISE => self.begin_block(out, direction, head, payload),
            kind::CONTINUATION => self.continue_block(out, direction, head, payload),
            kind::RST_STREAM => self.reset(out, direction, head.stream, word(payload)),
            kind::SETTINGS if head.has(flag::ACK) => self.acknowledge(direction),
            kind::SETTINGS => self.settings(direction, payload),
            _ => {}
        }
    }

    /// HEADERS or PUSH_PROMISE (RFC 9113, 6.2 and 6.6).
    fn begin_block<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        head: &FrameHead,
        payload: &[u8],
    ) {
        let Some((block, fragment)) = self.block_of(direction, head, payload) else {
            let reader = self.reader(direction);
            reader.pending.insert(Anomaly::InvalidPadding);
            reader.hpack.forget();
            if !head.has(flag::END_HEADERS) {
                reader.given_up = Some(head.stream);
            }
            return;
        };
        if head.has(flag::END_HEADERS) {
            self.block(out, direction, &block, fragment, Seen::Complete);
        } else {
            let unfinished = Unfinished { block, bytes: fragment.to_vec(), frames: 1 };
            self.reader(direction).unfinished = Some(Box::new(unfinished));
        }
    }

    /// What a frame with a block says in front of it, and its part of the block; `None` when they do not fit.
    pub(super) fn block_of<'a>(
        &mut self,
        direction: Direction,
        head: &FrameHead,
        payload: &'a [u8],
    ) -> Option<(Block, &'a [u8])> {
        let origin = self.reader(direction).origin?;
        let promise = head.kind == kind::PUSH_PROMISE;
        let fragment = without_padding(head, payload)?;
        let (stream, fragment) = match () {
            () if promise => (word(fragment)? & 0x7fff_ffff, fragment.get(4..)?),
            () if head.has(flag::PRIORITY) => (head.stream, fragment.get(5..)?),
            () => (head.stream, fragment),
        };
        let ends_stream = !promise && head.has(flag::END_STREAM);
        Some((Block { stream, carrier: head.stream, promise, ends_stream, origin }, fragment))
    }

    /// RFC 9113, 6.10.
    fn continue_block<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        head: &FrameHead,
        payload: &[u8],
    ) {
        let reader = self.reader(direction);
        let Some(mut unfinished) = reader.unfinished.take() else {
            // Its block is missing, or there never was one.
            if !reader.has_losses() {
                reader.pending.insert(Anomaly::MisplacedFrame);
            }
            return reader.hpack.forget();
        };
        unfinished.frames += 1;
        if unfinished.frames == MANY_CONTINUATIONS {
            reader.pending.insert(Anomaly::ContinuationFlood);
        }
        let Unfinished { block, bytes, frames } = unfinished.as_mut();
        if *frames >= MAX_CONTINUATIONS || bytes.len() + payload.len() > MAX_BLOCK {
            reader.given_up = (!head.has(flag::END_HEADERS)).then_some(head.stream);
            reader.pending.insert(Anomaly::OversizedHead);
            return self.block(out, direction, block, bytes, Seen::Capped);
        }
        bytes.extend_from_slice(payload);
        if head.has(flag::END_HEADERS) {
            self.block(out, direction, block, bytes, Seen::Complete);
        } else {
            reader.unfinished = Some(unfinished);
        }
    }

    /// A frame that is longer than what is held of any.
    pub(super) fn give_up_block<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        head: &FrameHead,
    ) {
        if !head.carries_block() {
            return;
        }
        let reader = self.reader(direction);
        reader.pending.insert(Anomaly::OversizedHead);
        reader.given_up = (!head.has(flag::END_HEADERS)).then_some(head.stream);
        match reader.unfinished.take() {
            Some(before) => self.block(out, direction, &before.block, &before.bytes, Seen::Capped),
            None => reader.hpack.forget(),
        }
    }

    /// The block that was arriving will not become whole.
    pub(super) fn flush_block<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, direction: Direction) {
        if let Some(unfinished) = self.reader(direction).unfinished.take() {
            self.block(out, direction, &unfinished.block, &unfinished.bytes, Seen::Truncated);
        }
    }

    /// What one side says of how it wants to be spoken to (RFC 9113, 6.5).
    pub(super) fn settings(&mut self, direction: Direction, payload: &[u8]) {
        for (identifier, value) in settings(payload) {
            let spoken_to = self.reader(other(direction));
            match identifier {
                setting::HEADER_TABLE_SIZE => spoken_to.hpack.allow(value),
                setting::MAX_FRAME_SIZE => {
                    spoken_to.allowed = spoken_to.allowed.map(|allowed| allowed.max(value));
                }
                setting::MAX_CONCURRENT_STREAMS if direction == Direction::ToClient => {
                    self.announced = Some(value);
                }
                _ => {}
            }
        }
    }

    /// The client keeps to what the server said last; it need not have before.
    fn acknowledge(&mut self, direction: Direction) {
        if direction == Direction::ToServer {
            self.allowed = self.announced;
        }
    }
}

pub(super) const fn other(direction: Direction) -> Direction {
    match direction {
        Direction::ToServer => Direction::ToClient,
        Direction::ToClient => Direction::ToServer,
    }
}
