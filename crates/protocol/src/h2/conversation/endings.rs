//! Ends of streams, holes, and the end of the connection.

use super::Conversation;
use super::bodies::keeps_length;
use super::frames::other;
use crate::h1::conversation::anomaly_of;
use crate::h2::frame::{FrameHead, flag, kind};
use crate::h2::reader::{Data, Place};
use crate::h2::streams::{Half, Progress, Stream};
use crate::output::Output;
use crate::{Anomaly, Direction, Exchange, ExchangeSink, Pairing, Seen, Unseen};
use tapwire_flow::{Chunk, CloseReason, Evidence, Gap, StreamOffset};
use tapwire_wire::{Side, Timestamp};

/// Resets by the client, before an answer, within [`WINDOW`], that are an attack.
const RAPID: u16 = 100;

/// Nanoseconds.
const WINDOW: i64 = 1_000_000_000;

/// Responses that wait for a request that may still come.
const MAX_WAITING: usize = 64;

/// How often the client has reset streams lately.
#[derive(Debug, Default)]
pub(super) struct Resets {
    since: Timestamp,
    count: u16,
}

impl Resets {
    /// One more; whether they are too many.
    fn note(&mut self, now: Timestamp) -> bool {
        if self.count == 0 || now.since(self.since) > WINDOW {
            *self = Self { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count >= RAPID
    }
}

impl Conversation {
    /// RFC 9113, 6.4. `None` is a code that was lost.
    pub(super) fn reset<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        id: u32,
        code: Option<u32>,
    ) {
        let Some(index) = self.streams.find(id) else { return };
        self.streams.remember_reset(id);
        let now = self.reader(direction).seen.0;
        let Some(stream) = self.streams.get(index) else { return };
        let answered = stream.response.progress == Progress::Ended;
        // RFC 9113, 8.1: a server that has answered asks the client so to stop.
        if direction == Direction::ToServer || code != Some(0) || !answered {
            stream.anomalies.insert(Anomaly::StreamReset);
        }
        let unanswered = stream.response.progress == Progress::Idle;
        if direction == Direction::ToServer && unanswered && self.resets.note(now) {
            stream.anomalies.insert(Anomaly::RapidReset);
        }
        self.finish(out, index);
    }

    /// The last frame of one direction of a stream has come.
    pub(super) fn end_half<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        index: usize,
    ) {
        let (losses, seen) = (self.reader(direction).losses, self.reader(direction).seen);
        let Some(stream) = self.streams.get(index) else { return };
        if stream.tunnel {
            let id = stream.id;
            if !self.hang_up(direction, index) {
                return;
            }
            // The other direction of a tunnel may go on, and is no news.
            self.streams.remember_reset(id);
            return self.finish(out, index);
        }
        let asked = stream.request.message.as_ref().and_then(|request| request.head.method());
        let of_head = asked.is_some_and(|method| method.bytes() == b"HEAD");
        let half = stream.half(direction);
        half.progress = Progress::Ended;
        if let Some(message) = &mut half.message {
            message.goes_on(seen);
            let bodiless = of_head || matches!(message.head.status, Some(204 | 304));
            let fits = keeps_length(message, bodiless);
            if half.losses != losses && (!fits || message.body.framing == crate::Framing::Close) {
                message.seen = Seen::Truncated;
            } else if !fits && message.seen == Seen::Complete {
                message.anomalies.insert(Anomaly::ContentLengthMismatch);
            }
        }
        half.losses = losses;
        self.settle(out, index);
    }

    /// Reports a stream when nothing more of it can come.
    fn settle<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, index: usize) {
        let losses = self.requests.losses;
        let Some(stream) = self.streams.get(index) else { return };
        if stream.response.progress != Progress::Ended {
            return;
        }
        let over = match stream.request.progress {
            Progress::Ended => true,
            // Its end may be among what was lost.
            Progress::Open => stream.request.losses != losses,
            Progress::Idle => !may_come(stream, &self.requests) || self.waiting >= MAX_WAITING,
        };
        if over {
            self.finish(out, index);
        } else if stream.request.progress == Progress::Idle && !std::mem::replace(&mut stream.waits, true) {
            self.waiting += 1;
        }
    }

    /// Responses whose request cannot come any more.
    pub(super) fn settle_waiting<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>) {
        while self.waiting > 0 {
            let over = |stream: &Stream| stream.waits && !may_come(stream, &self.requests);
            let Some(index) = self.streams.iter().position(over) else { return };
            self.finish(out, index);
        }
    }

    /// The stream is over: it is reported as far as it is known.
    pub(super) fn finish<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, index: usize) {
        let Some(mut stream) = self.streams.remove(index) else { return };
        self.waiting -= usize::from(stream.waits && self.waiting > 0);
        self.report(out, &mut stream);
        self.streams.tidy();
    }

    /// Reports the exchange that opened a tunnel; the stream goes on.
    pub(super) fn report_tunnel<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, index: usize) {
        if let Some(mut opened) = self.take_opened(index) {
            self.report(out, &mut opened);
        }
    }

    /// The two messages that opened a tunnel, as a stream of their own.
    pub(super) fn take_opened(&mut self, index: usize) -> Option<Stream> {
        let stream = self.streams.get(index)?;
        let mut opened = Stream::new(stream.id);
        (opened.anomalies, opened.interim) = (stream.anomalies, stream.interim);
        for direction in [Direction::ToServer, Direction::ToClient] {
            let message = stream.half(direction).message.take();
            *opened.half(direction) = Half { progress: Progress::Ended, message, losses: 0 };
        }
        self.streams.recount(index);
        Some(opened)
    }

    fn report<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, stream: &mut Stream) {
        if let Some(mut socket) = stream.socket.take() {
            return socket.close(out, stream.anomalies);
        }
        if let Some(ongoing) = stream.ongoing.take() {
            return self.end_ongoing(out, stream, *ongoing);
        }
        if let Some(exchange) = self.exchange_of(out, stream) {
            out.exchange(exchange);
        }
    }

    /// What is known of a stream, with its messages.
    pub(super) fn exchange_of<E: ExchangeSink>(
        &mut self,
        out: &Output<'_, E>,
        stream: &mut Stream,
    ) -> Option<Exchange> {
        for half in [&mut stream.request, &mut stream.response] {
            if let (Progress::Open, Some(message)) = (half.progress, &mut half.message)
                && message.seen == Seen::Complete
            {
                message.seen = Seen::Truncated;
            }
        }
        let (request, response) = (stream.request.message.take(), stream.response.message.take());
        if request.is_none() && response.is_none() {
            return None;
        }
        if request.is_none() && !self.requests.has_losses() {
            stream.anomalies.insert(Anomaly::UnsolicitedResponse);
        }
        let mut exchange = Exchange {
            number: 0,
            flow: out.stamp(self.client, self.proxy),
            request,
            response,
            interim: stream.interim,
            pairing: Pairing::Certain,
            anomalies: stream.anomalies,
            stream: Some(stream.id),
            child: None,
            protocols: &["http/2"],
            unseen: Unseen::default(),
            ends: Vec::new(),
        };
        self.account.enter(&mut exchange);
        Some(exchange)
    }

    /// Bytes that will not come.
    pub(crate) fn gap<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, gap: &Gap) {
        let direction = self.direction(gap.side);
        let len = u32::try_from(gap.len).unwrap_or(u32::MAX);
        match self.reader(direction).place {
            Place::Data(data) if len <= data.left => self.miss_data(out, direction, data, len),
            Place::Skip(left, of_block) if len <= left => self.skip(direction, left - len, of_block),
            Place::Whole(head, left) if len <= left => {
                self.miss_whole(out, direction, &head);
                self.skip(direction, left - len, head.carries_block());
            }
            place => {
                match place {
                    Place::Data(data) => self.miss_data(out, direction, data, data.left),
                    Place::Whole(head, _) => self.miss_whole(out, direction, &head),
                    _ => {}
                }
                self.flush_block(out, direction);
                self.lose(direction);
            }
        }
        self.account.miss(direction == Direction::ToServer, gap.len);
        self.reader(direction).next = Some(gap.at + gap.len);
        if direction == Direction::ToServer {
            self.settle_waiting(out);
        }
    }

    /// Part of a DATA frame is missing; where it ends is known all the same.
    fn miss_data<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        mut data: Data,
        len: u32,
    ) {
        let missed = u64::from(len.min(data.body()));
        if let Some(index) = self.streams.find(data.head.stream)
            && let Some(stream) = self.streams.get(index)
            && let Some(socket) = &mut stream.socket
        {
            socket.gap(out, direction, missed);
        } else if let Some(index) = self.streams.find(data.head.stream)
            && let Some(stream) = self.streams.get(index)
            && let Some(ongoing) = &mut stream.ongoing
        {
            ongoing.gap(out, direction, missed);
        } else if let Some(index) = self.streams.find(data.head.stream)
            && let Some(stream) = self.streams.get(index)
            && let Some(message) = stream.half(direction).message.as_deref_mut()
        {
            message.missed_bytes += missed;
            message.body.missed += missed;
            message.body.len += missed;
            message.body.cut = true;
            message.seen = Seen::Truncated;
        }
        data.padding = data.padding.or(Some(0)).map(|padding| padding.min(data.left - len));
        data.left -= len;
        self.reader(direction).place = Place::Data(data);
        if data.left == 0 {
            self.end_data(out, direction, &data.head);
        }
    }

    /// Part of a frame is missing that would have been read.
    fn miss_whole<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        head: &FrameHead,
    ) {
        let mut held = std::mem::take(&mut self.reader(direction).held);
        match head.kind {
            kind::HEADERS | kind::PUSH_PROMISE => {
                let (cut, seen) = without_pad_length(head, &mut held);
                match self.block_of(direction, &cut, &held) {
                    Some((block, bytes)) => self.block(out, direction, &block, bytes, seen),
                    None => self.reader(direction).hpack.forget(),
                }
            }
            kind::CONTINUATION => {
                if let Some(unfinished) = &mut self.reader(direction).unfinished {
                    unfinished.bytes.append(&mut held);
                }
                self.flush_block(out, direction);
                self.reader(direction).hpack.forget();
            }
            kind::RST_STREAM => self.reset(out, direction, head.stream, None),
            _ => self.forget_settings(direction),
        }
        if head.carries_block() && !head.has(flag::END_HEADERS) {
            self.reader(direction).given_up = Some(head.stream);
        }
    }

    /// What that side wants may have been said unseen.
    fn forget_settings(&mut self, direction: Direction) {
        let spoken_to = self.reader(other(direction));
        spoken_to.allowed = None;
        spoken_to.hpack.allow(u32::MAX);
        self.allowed = None;
        self.announced = None;
    }

    /// Where the next frame begins is not known.
    pub(super) fn lose(&mut self, direction: Direction) {
        let reader = self.reader(direction);
        reader.place = Place::Lost;
        reader.hpack.forget();
        reader.losses = reader.losses.saturating_add(1);
        reader.held = Vec::new();
        reader.given_up = None;
        reader.search = None;
        reader.odd = 0;
        self.forget_settings(direction);
    }

    /// Behind a hole: looks for the next frame.
    pub(super) fn search<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        at: StreamOffset,
        rest: &[u8],
    ) -> usize {
        out.counters.lost_bytes += rest.len() as u64;
        self.unread += if self.guessed { rest.len() as u64 } else { 0 };
        if self.replaying {
            return rest.len();
        }
        let reader = self.reader(direction);
        let longest = reader.longest;
        let search = reader.search.get_or_insert_with(Box::default);
        let Some(place) = search.add(chunk, at, rest, longest) else { return rest.len() };
        let Some(found) = reader.search.take() else { return rest.len() };
        reader.place = Place::Head;
        self.replaying = true;
        out.counters.lost_bytes -= (found.len() - place) as u64;
        found.replay(chunk.side, place, |chunk| self.data(out, chunk, 0));
        self.replaying = false;
        rest.len()
    }

    /// A fact about the bytes of one side.
    pub(crate) fn evidence(&mut self, side: Side, evidence: Evidence) {
        let (direction, anomaly) = (self.direction(side), anomaly_of(evidence));
        let stream = match self.reader(direction).place {
            Place::Data(data) => self.streams.find(data.head.stream),
            _ => None,
        };
        match stream.and_then(|index| self.streams.get(index)) {
            Some(stream) => stream.anomalies.insert(anomaly),
            None => self.reader(direction).pending.insert(anomaly),
        }
    }

    /// The connection is over: everything open is reported as far as it is known.
    pub(crate) fn close<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, _: CloseReason) {
        if self.refuted {
            return;
        }
        for direction in [Direction::ToServer, Direction::ToClient] {
            if let Place::Whole(head, _) = self.reader(direction).place {
                self.miss_whole(out, direction, &head);
            }
            self.flush_block(out, direction);
        }
        while self.streams.len() > 0 {
            self.finish(out, 0);
        }
        let time = self.requests.seen.0.max(self.responses.seen.0);
        out.end(self.client, self.proxy, self.account.end(), time);
    }
}

/// What has come of a padded frame with a block becomes that of one without padding. Where only padding is missing, and
/// the block ends with its frame, it is whole.
fn without_pad_length(head: &FrameHead, held: &mut Vec<u8>) -> (FrameHead, Seen) {
    let cut = FrameHead { flags: head.flags & !flag::PADDED, ..*head };
    let Some(padding) = held.first().copied().filter(|_| head.has(flag::PADDED)) else {
        return (cut, Seen::Truncated);
    };
    held.drain(..1);
    let block = (head.len as usize).saturating_sub(1 + usize::from(padding));
    let whole = held.len() >= block && head.has(flag::END_HEADERS);
    held.truncate(block);
    (cut, if whole { Seen::Complete } else { Seen::Truncated })
}

/// Whether the request of a response that has ended may still come: the server had more of the client than was captured
/// so far, or it is among bytes in which the next frame is still looked for.
fn may_come(stream: &Stream, requests: &crate::h2::reader::Reader) -> bool {
    if requests.is_searching() {
        return true;
    }
    let asked = stream.response.message.as_ref().and_then(|response| response.peer_at);
    match (asked, requests.next) {
        (Some(asked), Some(next)) => asked > next,
        // Without places, a loss may have been the request, and nobody would say so.
        _ => !requests.has_losses(),
    }
}
