//! Header blocks as heads and trailers of streams.

use super::Conversation;
use crate::h2::fields::{Fields, Section, Summary};
use crate::h2::hpack::Outcome;
use crate::h2::reader::Block;
use crate::h2::streams::{Half, MAX_STREAMS, Progress};
use crate::output::Output;
use crate::{Anomalies, Anomaly, Direction, ExchangeSink, Framing, Message, Seen, Version};

impl Conversation {
    /// A header block, as far as it has come. Whatever stream it is of, it is decoded: the next one builds on it.
    pub(super) fn block<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        block: &Block,
        bytes: &[u8],
        seen: Seen,
    ) {
        let index = self.streams.find(block.stream);
        let section = self.section(direction, block, index);
        let opened = (section == Section::Trailers).then(|| self.take_message(direction, index)).flatten();
        let known = opened.is_some();
        let mut message = opened.unwrap_or_else(|| out.message(block.origin));
        let reader = self.reader(direction);
        message.goes_on(reader.seen);
        message.head.version = Version::Http2;
        message.anomalies |= std::mem::take(&mut reader.pending);
        let mut fields = Fields::new(&mut message.head, &mut message.anomalies, section);
        let outcome = reader.hpack.decode(bytes, |name, value| fields.add(name, value));
        let summary = fields.finish(outcome == Outcome::Complete && seen == Seen::Complete);
        if seen != Seen::Complete {
            reader.hpack.forget();
        }
        let says_what = message.head.method.is_some() || message.head.status.is_some();
        self.guessed &= !(outcome == Outcome::Complete && says_what);
        judge(&mut message, outcome, seen);
        match section {
            Section::Trailers if known => self.put_trailers(out, direction, block, index, message),
            Section::Trailers if self.is_ongoing(index) => {
                self.put_last_trailers(out, direction, block, index, message);
            }
            Section::Trailers => out.give_back(message),
            Section::Request if block.promise => self.promise(out, block, index, message),
            Section::Request => self.open_request(out, block, index, message, summary),
            Section::Response => self.open_response(out, block, index, message, summary),
        }
    }

    /// What a block holds, by what has come of its stream.
    fn section(&mut self, direction: Direction, block: &Block, index: Option<usize>) -> Section {
        let stream = index.and_then(|index| self.streams.get(index));
        let begun = stream.is_some_and(|stream| stream.half(direction).progress != Progress::Idle);
        match direction {
            Direction::ToClient if block.promise => Section::Request,
            _ if begun => Section::Trailers,
            Direction::ToServer => Section::Request,
            Direction::ToClient => Section::Response,
        }
    }

    fn take_message(&mut self, direction: Direction, index: Option<usize>) -> Option<Box<Message>> {
        self.streams.get(index?)?.half(direction).message.take()
    }

    fn put_trailers<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        block: &Block,
        index: Option<usize>,
        message: Box<Message>,
    ) {
        let Some(index) = index else { return };
        let Some(stream) = self.streams.get(index) else { return };
        let half = stream.half(direction);
        half.message = Some(message);
        if half.progress == Progress::Ended {
            stream.anomalies.insert(Anomaly::DataOnClosedStream);
        }
        self.streams.recount(index);
        if block.ends_stream {
            self.end_half(out, direction, index);
        }
    }

    /// The place of a stream, which is made when there is none.
    pub(super) fn stream<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        id: u32,
        index: Option<usize>,
    ) -> usize {
        if let Some(index) = index {
            return index;
        }
        if self.streams.len() >= MAX_STREAMS {
            if let Some(oldest) = self.streams.get(0) {
                oldest.anomalies.insert(Anomaly::TooManyStreams);
            }
            self.finish(out, 0);
        }
        self.streams.add(id)
    }

    fn open_request<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        block: &Block,
        index: Option<usize>,
        mut message: Box<Message>,
        summary: Summary,
    ) {
        let lossy = self.requests.has_losses();
        if lossy && summary.plain && message.seen == Seen::Complete {
            // Trailers of a request whose head was lost.
            return out.give_back(message);
        }
        let reused = index.is_none() && !lossy && self.streams.is_past(block.stream);
        if reused || block.stream.is_multiple_of(2) {
            message.anomalies.insert(Anomaly::InvalidStreamId);
        }
        let index = self.stream(out, block.stream, index);
        if self.allowed.is_some_and(|allowed| !lossy && self.streams.len() > allowed as usize) {
            message.anomalies.insert(Anomaly::TooManyStreams);
        }
        message.body.framing = framing(summary.framing, block.ends_stream);
        self.open(out, Direction::ToServer, index, message, block.ends_stream);
    }

    /// RFC 9113, 8.4: the server says what it would have been asked.
    fn promise<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        block: &Block,
        index: Option<usize>,
        mut message: Box<Message>,
    ) {
        if !block.stream.is_multiple_of(2) || block.stream == 0 || index.is_some() {
            message.anomalies.insert(Anomaly::InvalidStreamId);
        }
        if index.is_some_and(|index| self.streams.get(index).is_none_or(|s| s.request.message.is_some())) {
            return out.give_back(message);
        }
        message.body.framing = Framing::None;
        let index = self.stream(out, block.stream, index);
        if let Some(stream) = self.streams.get(index) {
            stream.anomalies.insert(Anomaly::ServerPush);
        }
        self.open(out, Direction::ToServer, index, message, true);
    }

    fn open_response<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        block: &Block,
        index: Option<usize>,
        mut message: Box<Message>,
        summary: Summary,
    ) {
        let status = message.head.status;
        let interim = status.is_some_and(|status| (100..200).contains(&status)) && !block.ends_stream;
        if interim || index.is_none() && self.streams.was_reset(block.stream) {
            self.interim(out, index, message, interim);
            return;
        }
        if self.responses.has_losses() && summary.plain && status.is_none() {
            // What comes behind a body whose head was lost.
            message.head.trailers_from = (!message.head.fields.is_empty()).then_some(0);
            message.anomalies.insert(Anomaly::LostHeaderBlock);
            message.seen = Seen::Truncated;
        }
        message.body.framing = framing(summary.framing, block.ends_stream);
        let index = self.stream(out, block.stream, index);
        if status.is_some_and(|status| (200..300).contains(&status)) && self.is_connect(index) {
            return self.open_tunnel(out, index, message, block.ends_stream);
        }
        self.open(out, Direction::ToClient, index, message, block.ends_stream);
    }

    /// An interim response belongs to the final one that follows (RFC 9113, 8.1); what comes behind a reset to nothing.
    fn interim<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        index: Option<usize>,
        message: Box<Message>,
        interim: bool,
    ) {
        if interim {
            out.counters.interim_responses += 1;
            let stream = index.and_then(|index| self.streams.get(index));
            let free = stream.and_then(|stream| stream.interim.iter_mut().find(|code| **code == 0));
            free.into_iter().for_each(|code| *code = message.head.status.unwrap_or_default());
            self.responses.pending |= message.anomalies;
        }
        out.give_back(message);
    }

    fn is_connect(&mut self, index: usize) -> bool {
        let request = self.streams.get(index).and_then(|stream| stream.request.message.as_ref());
        request.and_then(|request| request.head.method()).is_some_and(|method| method.bytes() == b"CONNECT")
    }

    /// What follows on this stream is another protocol (RFC 9113, 8.5).
    fn open_tunnel<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        index: usize,
        mut message: Box<Message>,
        ends_stream: bool,
    ) {
        let websocket = self.asks_for_websocket(index);
        if !websocket {
            out.counters.tunnels += 1;
            message.anomalies.insert(Anomaly::Tunnel);
        }
        message.body.framing = Framing::Tunnel;
        self.open(out, Direction::ToClient, index, message, false);
        let Some(stream) = self.streams.get(index) else { return };
        stream.request.progress = Progress::Ended;
        stream.response.progress = Progress::Ended;
        if ends_stream {
            return self.finish(out, index);
        }
        stream.tunnel = true;
        if websocket { self.open_socket(out, index) } else { self.report_tunnel(out, index) }
    }

    /// A message takes its place in its stream.
    pub(super) fn open<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        index: usize,
        message: Box<Message>,
        ends_stream: bool,
    ) {
        let losses = self.reader(direction).losses;
        let Some(stream) = self.streams.get(index) else { return };
        if direction == Direction::ToServer && std::mem::take(&mut stream.waits) {
            self.waiting -= 1;
        }
        *stream.half(direction) = Half { progress: Progress::Open, message: Some(message), losses };
        self.streams.recount(index);
        if ends_stream {
            self.end_half(out, direction, index);
        } else if direction == Direction::ToClient {
            self.watch(out);
        }
    }

    /// A message whose head was lost, when the other half shows that the stream is known.
    pub(super) fn open_headless<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        index: usize,
    ) {
        let reader = self.reader(direction);
        let Some(origin) = reader.origin else { return };
        let mut message = out.message(origin);
        message.head.version = Version::Http2;
        message.body.framing = Framing::Close;
        message.body.cut = true;
        message.seen = Seen::Truncated;
        message.anomalies.insert(Anomaly::LostHeaderBlock);
        self.open(out, direction, index, message, false);
    }
}

/// A message whose head ends its stream has no body, whatever it says.
const fn framing(stated: Framing, ends_stream: bool) -> Framing {
    match stated {
        Framing::Close | Framing::Length(0) if ends_stream => Framing::None,
        stated => stated,
    }
}

/// What became of the block, as a fact about the message.
fn judge(message: &mut Message, outcome: Outcome, seen: Seen) {
    let mut facts = Anomalies::default();
    match (outcome, seen) {
        (_, Seen::Truncated) => facts.insert(Anomaly::LostHeaderBlock),
        (Outcome::Complete, _) | (Outcome::Cut, Seen::Capped) => {}
        (Outcome::Cut | Outcome::Invalid(_), _) => facts.insert(Anomaly::InvalidHeaderBlock),
        (Outcome::Bomb, _) => facts.insert(Anomaly::HpackBomb),
    }
    message.anomalies |= facts;
    message.seen = match (seen, outcome) {
        (Seen::Complete, Outcome::Complete) => message.seen,
        (Seen::Truncated, _) => Seen::Truncated,
        _ => Seen::Capped,
    };
}
