//! Streams that are open for long: reported as ongoing, and told as children from there on.

use super::Conversation;
use super::bodies::Piece;
use crate::h1::reader::Origin;
use crate::h2::reader::Block;
use crate::h2::streams::{Progress, Stream};
use crate::output::Output;
use crate::stream::{ONGOING_AFTER, Ongoing};
use crate::{Direction, ExchangeSink, Message, Seen};
use tapwire_flow::StreamOffset;
use tapwire_wire::{SeqNumber, Timestamp};

/// Clocks step back: the time is asked for again no sooner than this, in nanoseconds.
const SOONEST: i64 = 1_000_000_000;

impl Conversation {
    /// Asks to be told the time while a response is open.
    pub(super) fn watch<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>) {
        if !self.watched {
            self.watch_for(out, ONGOING_AFTER);
        }
    }

    fn watch_for<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, nanos: i64) {
        self.watched = true;
        *out.alarm = Some(nanos.clamp(SOONEST, ONGOING_AFTER));
    }

    /// The time has come that was asked for: streams that have been open for so long are reported now.
    pub(super) fn time<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, now: Timestamp) {
        self.watched = false;
        let mut soonest = None;
        for index in 0..self.streams.len() {
            let Some(left) = self.streams.get(index).and_then(|stream| left(stream, now)) else { continue };
            if left > 0 {
                soonest = Some(soonest.map_or(left, |soonest: i64| soonest.min(left)));
            } else {
                self.report_ongoing(out, index);
            }
        }
        if let Some(soonest) = soonest {
            self.watch_for(out, soonest);
        }
    }

    fn report_ongoing<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, index: usize) {
        let Some(place) = self.streams.get(index) else { return };
        let mut stream = std::mem::replace(place, Stream::new(place.id));
        for half in [&mut stream.request, &mut stream.response] {
            if let (Progress::Open, Some(message)) = (half.progress, &mut half.message) {
                message.seen = Seen::Ongoing;
            }
        }
        if let Some(mut exchange) = self.exchange_of(out, &mut stream) {
            stream.ongoing = Some(Box::new(Ongoing::of(&mut exchange)));
            stream.anomalies = crate::Anomalies::default();
            out.exchange(exchange);
        }
        if let Some(place) = self.streams.get(index) {
            *place = stream;
        }
        self.streams.recount(index);
    }

    pub(super) fn is_ongoing(&mut self, index: Option<usize>) -> bool {
        index.and_then(|index| self.streams.get(index)).is_some_and(|stream| stream.ongoing.is_some())
    }

    /// Content of a stream that was reported.
    pub(super) fn more<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        index: usize,
        piece: Piece<'_>,
    ) {
        out.counters.body_bytes += piece.bytes.len() as u64;
        let (origin, losses) = (self.start_of(out, direction, &piece), self.reader(direction).losses);
        let Some(stream) = self.streams.get(index) else { return };
        let missed = std::mem::replace(&mut stream.half(direction).losses, losses) != losses;
        if let Some(ongoing) = &mut stream.ongoing {
            if missed {
                // What came while frames were lost may have been its.
                ongoing.gap(out, direction, 0);
            }
            ongoing.bytes(out, direction, origin, piece.bytes);
        }
        self.streams.recount(index);
    }

    /// Trailers of a stream that was reported.
    pub(super) fn put_last_trailers<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        block: &Block,
        index: Option<usize>,
        message: Box<Message>,
    ) {
        let Some(index) = index else { return out.give_back(message) };
        let stream = self.streams.get(index);
        match stream.and_then(|stream| stream.ongoing.as_mut()) {
            Some(ongoing) if direction == Direction::ToClient => ongoing.put_trailers(message),
            _ => out.give_back(message),
        }
        if block.ends_stream {
            self.end_half(out, direction, index);
        }
    }

    /// Tells the end of a stream that was reported.
    pub(super) fn end_ongoing<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        stream: &Stream,
        mut ongoing: Ongoing,
    ) {
        ongoing.finish(stream.response.progress == Progress::Ended);
        ongoing.note(stream.anomalies);
        let origin = self.here(out, Direction::ToClient);
        ongoing.end(out, origin);
    }

    /// Where the piece stands, which is of the frame that came last.
    pub(super) fn start_of<E>(
        &mut self,
        out: &Output<'_, E>,
        direction: Direction,
        piece: &Piece<'_>,
    ) -> Origin {
        let frame = self.here(out, direction);
        Origin { at: frame.at + piece.from, ..frame }
    }

    /// Where the frame stands that came last.
    pub(super) fn here<E>(&mut self, out: &Output<'_, E>, direction: Direction) -> Origin {
        let reader = self.reader(direction);
        let (time, frame) = reader.seen;
        let unknown = Origin {
            at: StreamOffset::first(SeqNumber(0)),
            peer_at: None,
            previous_peer_at: None,
            contiguous: true,
            after_missing_message: false,
            time,
            frame,
            source: out.flow.source,
        };
        Origin { time, frame, ..reader.origin.unwrap_or(unknown) }
    }
}

/// Nanoseconds until an open stream has been open for long; `None` for one that is not waited for.
fn left(stream: &Stream, now: Timestamp) -> Option<i64> {
    let waits = stream.response.progress == Progress::Open && stream.ongoing.is_none() && !stream.tunnel;
    let response = stream.response.message.as_ref().filter(|_| waits)?;
    Some(ONGOING_AFTER.saturating_sub(now.since(response.started)))
}
