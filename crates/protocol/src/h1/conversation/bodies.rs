//! Bodies: what lies between a head and the end of its message.

use super::Conversation;
use crate::h1::pairing::{Ended, Method};
use crate::h1::reader::Place;
use crate::h1::{ChunkPart, ChunkedDecoder, MAX_TRAILERS, Start, append_trailers, probe};
use crate::output::Output;
use crate::{Anomalies, Direction, ExchangeSink, Framing, Message, Seen};
use tapwire_flow::{Chunk, StreamOffset};

impl Conversation {
    pub(super) fn begin_body(
        &mut self,
        direction: Direction,
        mut message: Box<Message>,
        framing: Framing,
        head_end: StreamOffset,
    ) {
        message.body.framing = framing;
        let reader = self.reader(direction);
        let cut = message.seen != Seen::Complete;
        reader.open = Some(message);
        if cut {
            // Where a message ends whose head was cut is not known, whatever is left of the head says.
            self.close_open(direction, None);
            return;
        }
        reader.place = match framing {
            Framing::None | Framing::Tunnel | Framing::Length(0) => {
                self.finish(direction, Some(head_end));
                if framing == Framing::Tunnel {
                    let inner = matches!(self.requests.place, Place::TunnelStart);
                    self.responses.place = if inner { Place::TunnelStart } else { Place::Tunnel };
                }
                return;
            }
            Framing::Length(len) => Place::Length(len),
            Framing::Chunked => Place::Chunked(Default::default()),
            Framing::Close => Place::UntilClose,
        };
    }

    pub(super) fn length<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        rest: &[u8],
        remaining: u64,
    ) -> usize {
        let take = usize::try_from(remaining).unwrap_or(usize::MAX).min(rest.len());
        self.body(out, direction, rest.get(..take).unwrap_or_default());
        let reader = self.reader(direction);
        let end = reader.next.map(|at| at + take as u64);
        let left = remaining - take as u64;
        reader.place = Place::Length(left);
        if left == 0 {
            self.finish(direction, end);
        }
        take
    }

    /// An answer may have been framed before its request was known, or without ever knowing it. One to HEAD states a
    /// length and has no body. Without the request it shows when the server, having received more from the client,
    /// begins with another status line.
    pub(super) fn is_bodiless_after_all(&self, chunk: &Chunk<'_>, rest: &[u8]) -> bool {
        let Some(open) = self.unbegun_response() else { return false };
        match self.pairer.method_answered_by(open.id) {
            Some((method, _)) => method == Method::Head,
            None => {
                rest.len() == chunk.bytes.len()
                    && open.peer_at < chunk.peer_at
                    && probe(rest) == Start::Response
            }
        }
    }

    /// The open response, when not a byte of its body has come.
    fn unbegun_response(&self) -> Option<&Message> {
        let begun =
            matches!(self.responses.place, Place::Chunked(decoder) if decoder != ChunkedDecoder::new());
        self.responses.open.as_deref().filter(|open| open.body.len == 0 && !begun)
    }

    /// At the end: an answer to HEAD, framed before its request was known, is complete.
    pub(super) fn finish_bodiless(&mut self) {
        let asked = self.unbegun_response().and_then(|open| self.pairer.method_answered_by(open.id));
        if matches!(asked, Some((Method::Head, _))) {
            let end = self.responses.next;
            self.finish(Direction::ToClient, end);
        }
    }

    pub(super) fn chunked<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        at: StreamOffset,
        rest: &[u8],
    ) -> usize {
        let goes_on = self.ongoing.is_some();
        let reader = self.reader(direction);
        // Of an answer that was reported: nothing is told of its framing any more.
        let mut untold = Anomalies::default();
        let anomalies = match &mut reader.open {
            Some(open) => {
                open.goes_on(reader.seen);
                Some(&mut open.anomalies)
            }
            None => goes_on.then_some(&mut untold),
        };
        let (Place::Chunked(decoder), Some(anomalies)) = (&mut reader.place, anomalies) else {
            reader.lose();
            return 0;
        };
        let step = decoder.feed(rest, anomalies);
        let used = step.consumed.min(rest.len());
        match step.part {
            ChunkPart::Framing => {
                out.counters.framing_bytes += used as u64;
                used
            }
            ChunkPart::Trailer(line) => {
                out.counters.framing_bytes += used as u64;
                let room = (MAX_TRAILERS as usize).saturating_sub(reader.held.len());
                reader.held.extend_from_slice(line.get(..room).unwrap_or(line));
                used
            }
            ChunkPart::Data(bytes) => {
                out.counters.framing_bytes += (used - bytes.len().min(used)) as u64;
                self.body(out, direction, bytes);
                used
            }
            ChunkPart::End => {
                out.counters.framing_bytes += used as u64;
                if let Some(open) = reader.open.as_mut().filter(|_| !reader.held.is_empty()) {
                    append_trailers(&mut open.head, &reader.held, &mut open.anomalies);
                }
                reader.drop_held();
                self.finish(direction, Some(at + used as u64));
                used
            }
            ChunkPart::Broken => {
                out.counters.framing_bytes += used as u64;
                self.truncate(direction);
                used
            }
        }
    }

    /// Body bytes without their transfer coding.
    pub(super) fn body<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        bytes: &[u8],
    ) {
        if direction == Direction::ToClient
            && self.ongoing.is_some()
            && let Some(at) = self.responses.next
        {
            return self.more(out, at, bytes);
        }
        let reader = self.reader(direction);
        match &mut reader.open {
            Some(open) => {
                open.goes_on(reader.seen);
                out.body(open, bytes);
            }
            None => out.counters.lost_bytes += bytes.len() as u64,
        }
    }

    /// The open message ended; `end` is one past its last byte, where framing tells.
    pub(super) fn finish(&mut self, direction: Direction, end: Option<StreamOffset>) {
        self.close_open(direction, end);
        self.finish_ongoing(direction, true);
        let reader = self.reader(direction);
        reader.place = Place::Boundary;
        reader.contiguous = true;
        reader.next = end.or(reader.next);
    }

    pub(super) fn close_open(&mut self, direction: Direction, end: Option<StreamOffset>) {
        if let Some(message) = self.reader(direction).open.take() {
            self.pairer.end(message.id, Ended { message, end });
        }
    }
}
