//! An HTTP/1 connection: two readers and the pairing between them.

use crate::connection::Beginning;
use crate::h1::{
    ChunkPart, HeadOutcome, MAX_HEAD, MAX_TRAILERS, Start, append_trailers, parse_capped, parse_partial,
    parse_request, parse_response, probe, request_framing, response_framing, upgrade,
};
use crate::output::Output;
use crate::pairing::{Ended, Half, Method, Paired, Pairer, Progress};
use crate::reader::{Interim, Origin, Place, Reader};
use crate::{
    Anomalies, Anomaly, Direction, Exchange, ExchangeSink, FlowStamp, Framing, Message, ProxyHeader, Seen,
    Version,
};
use tapwire_flow::{Chunk, CloseReason, Evidence, Gap, Patience, StreamOffset};
use tapwire_wire::{Side, Timestamp};

/// A start that is not told by so many bytes is told by the end of its line.
const PROBE_BYTES: usize = 4096;

/// Version 1 has at most 107 bytes, version 2 with addresses and the usual TLVs no more than this.
pub(crate) const MAX_PROXY_HEADER: u64 = 232;

/// The state of an HTTP/1 connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    client: Side,
    proxy: Option<ProxyHeader>,
    /// A PROXY header should have come first and did not: what is missing at the client's start is taken for it.
    expects_proxy: bool,
    requests: Reader,
    responses: Reader,
    pairer: Pairer,
    /// Where the answer seen last says that the next request begins.
    next_request_at: Option<StreamOffset>,
    /// HTTP has given way to something else for good.
    tunnelled: bool,
}

impl Conversation {
    /// `expects_proxy`: this server is spoken to through a proxy that sends PROXY headers.
    pub(crate) fn new(
        client: Side,
        proxy: Option<ProxyHeader>,
        expects_proxy: bool,
        beginning: impl Fn(Side) -> Beginning,
    ) -> Self {
        Self {
            expects_proxy: expects_proxy && proxy.is_none(),
            client,
            proxy,
            requests: Reader::new(beginning(client)),
            responses: Reader::new(beginning(client.peer())),
            pairer: Pairer::new(),
            next_request_at: None,
            tunnelled: false,
        }
    }

    pub(crate) fn note_invalid_proxy(&mut self) {
        self.requests.pending.insert(Anomaly::InvalidProxyHeader);
    }

    pub(crate) fn patience(&self) -> Patience {
        if self.tunnelled {
            Patience::LongLived
        } else if self.pairer.is_idle() {
            Patience::Idle
        } else {
            Patience::Open
        }
    }

    fn direction(&self, side: Side) -> Direction {
        if side == self.client { Direction::ToServer } else { Direction::ToClient }
    }

    fn reader(&mut self, direction: Direction) -> &mut Reader {
        match direction {
            Direction::ToServer => &mut self.requests,
            Direction::ToClient => &mut self.responses,
        }
    }

    /// Takes the bytes of `chunk` from `skip` on.
    pub(crate) fn data<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, chunk: &Chunk<'_>, skip: usize) {
        let direction = self.direction(chunk.side);
        let mut used = skip;
        while let Some(rest) = chunk.bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let at = chunk.at + used as u64;
            used += self.step(out, direction, chunk, at, rest);
        }
        let reader = self.reader(direction);
        reader.next = Some(chunk.at + chunk.bytes.len() as u64);
        reader.previous_peer_at = chunk.peer_at.or(reader.previous_peer_at);
        self.settle(out, false);
    }

    /// Consumes some of `rest` or moves to another place; returns the bytes consumed.
    fn step<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        at: StreamOffset,
        rest: &[u8],
    ) -> usize {
        let reader = self.reader(direction);
        reader.next = Some(at);
        if direction == Direction::ToClient && self.is_bodiless_after_all(chunk, rest) {
            self.finish(out, direction, Some(at));
            return 0;
        }
        match self.reader(direction).place {
            Place::Boundary => self.boundary(out, direction, chunk, at, rest),
            Place::Head => self.more_head(out, direction, chunk, rest),
            Place::Length(0) => {
                self.finish(out, direction, Some(at));
                0
            }
            Place::Length(remaining) => self.length(out, direction, chunk, rest, remaining),
            Place::Chunked(_) => self.chunked(out, direction, chunk, at, rest),
            Place::UntilClose => {
                self.body(out, direction, chunk, rest);
                rest.len()
            }
            Place::Undecided | Place::Tunnel => {
                out.counters.tunnel_bytes += rest.len() as u64;
                rest.len()
            }
            Place::Lost => self.lost(out, direction, chunk, at, rest),
        }
    }

    fn boundary<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        at: StreamOffset,
        rest: &[u8],
    ) -> usize {
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let reader = self.reader(direction);
        if blank > 0 {
            reader.pending.insert(Anomaly::LeadingEmptyLines);
            out.counters.blank_bytes += blank as u64;
            return blank;
        }
        let expected = matches!(
            (direction, probe(rest)),
            (Direction::ToServer, Start::Request)
                | (Direction::ToClient, Start::Response)
                | (_, Start::Partial)
        );
        let origin = reader.origin_at(chunk, at);
        if !expected {
            if direction == Direction::ToClient && self.pairer.awaits_http09() {
                self.headless_response(out, origin);
                return 0;
            }
            return self.garbage(out, direction, rest);
        }
        match self.parse(out, direction, rest, origin) {
            HeadOutcome::Complete { len } => len.max(1).min(rest.len()),
            HeadOutcome::NotHttp => self.garbage(out, direction, rest),
            HeadOutcome::Partial | HeadOutcome::TooLong => {
                let reader = self.reader(direction);
                reader.origin = Some(origin);
                reader.place = Place::Head;
                0
            }
        }
    }

    /// Bytes that are no message where one should begin.
    fn garbage<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        rest: &[u8],
    ) -> usize {
        let reader = self.reader(direction);
        reader.pending.insert(Anomaly::TrailingGarbage);
        reader.lose();
        out.counters.lost_bytes += rest.len() as u64;
        rest.len()
    }

    fn more_head<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        rest: &[u8],
    ) -> usize {
        let reader = self.reader(direction);
        let Some(origin) = reader.origin else {
            reader.place = Place::Boundary;
            return 0;
        };
        let before = reader.held.len();
        let room = MAX_HEAD.saturating_sub(before).min(rest.len());
        reader.held.extend_from_slice(rest.get(..room).unwrap_or_default());
        let ended = reader.scan.find_end(&reader.held).is_some();
        let full = reader.held.len() >= MAX_HEAD;
        // What was too short to tell may have become telling: garbage is not held up to the limit.
        let telling = before < PROBE_BYTES && probe(&reader.held) == Start::No;
        if !ended && !full && !telling {
            return room;
        }
        let held = std::mem::take(&mut reader.held);
        let outcome =
            if full && !ended { HeadOutcome::TooLong } else { self.parse(out, direction, &held, origin) };
        match outcome {
            HeadOutcome::Complete { len } => {
                let reader = self.reader(direction);
                reader.drop_held();
                if let Some(open) = &mut reader.open {
                    open.frames.last = chunk.frame;
                    open.ended = chunk.time;
                }
                len.saturating_sub(before).min(rest.len())
            }
            HeadOutcome::Partial => {
                self.reader(direction).held = held;
                room
            }
            HeadOutcome::NotHttp => {
                let lost = held.len().saturating_sub(room) as u64;
                out.counters.lost_bytes += lost;
                self.garbage(out, direction, rest)
            }
            HeadOutcome::TooLong => {
                self.cut_head(out, direction, &held, origin, Seen::Capped, chunk.time, chunk.frame);
                room
            }
        }
    }

    /// Parses a head and, where it is whole, opens its message.
    fn parse<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        bytes: &[u8],
        origin: Origin,
    ) -> HeadOutcome {
        let mut message = out.message(origin);
        let outcome = match direction {
            Direction::ToServer => parse_request(bytes, &mut message.head, &mut message.anomalies),
            Direction::ToClient => parse_response(bytes, &mut message.head, &mut message.anomalies),
        };
        match outcome {
            HeadOutcome::Complete { len } => {
                out.counters.head_bytes += len as u64;
                self.open(out, direction, message, origin, origin.at + len as u64);
            }
            _ => out.give_back(message),
        }
        outcome
    }

    /// A head that will not become whole: what can be read of it is reported.
    #[allow(clippy::too_many_arguments, reason = "the facts of one head, from two call sites")]
    fn cut_head<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        held: &[u8],
        origin: Origin,
        seen: Seen,
        time: Timestamp,
        frame: u64,
    ) {
        let mut message = out.message(origin);
        let read = match seen {
            Seen::Capped => parse_capped(held, direction, &mut message.head, &mut message.anomalies),
            _ => parse_partial(held, direction, &mut message.head, &mut message.anomalies),
        };
        out.counters.head_bytes += held.len() as u64;
        if read {
            message.seen = seen;
            message.ended = time;
            message.frames.last = frame;
            self.open(out, direction, message, origin, origin.at + held.len() as u64);
            self.close_open(out, direction, None);
        } else {
            out.give_back(message);
        }
        self.reader(direction).lose();
    }

    /// A head was read: the message takes its place in the pairing, and its framing decides what follows.
    fn open<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        mut message: Box<Message>,
        origin: Origin,
        head_end: StreamOffset,
    ) {
        let reader = self.reader(direction);
        message.anomalies |= std::mem::take(&mut reader.pending);
        reader.origin = None;
        reader.place = Place::Boundary;
        let interim = direction == Direction::ToClient
            && message.head.status.is_some_and(|status| (100..200).contains(&status) && status != 101);
        if interim {
            self.interim(out, message, origin);
            return;
        }
        reader.serial += 1;
        reader.contiguous = true;
        reader.missing_message = false;
        let first = std::mem::take(&mut reader.interim);
        let start = first.origin.unwrap_or(origin);
        let half = Half {
            id: message.id,
            serial: reader.serial,
            at: origin.at,
            boundary: start.at,
            peer_at: start.peer_at,
            previous_peer_at: start.previous_peer_at,
            head_end,
            contiguous: start.contiguous,
            after_missing_message: start.after_missing_message,
            switches: switches(&message),
            method: method_of(&message),
            interim: first.codes,
            ended: None,
        };
        match direction {
            Direction::ToServer => self.open_request(out, message, half, head_end),
            Direction::ToClient => self.open_response(out, message, half, head_end),
        }
    }

    /// An interim response belongs to the final one that follows (RFC 9110, 15.2).
    fn interim<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, message: Box<Message>, origin: Origin) {
        let reader = &mut self.responses;
        let status = message.head.status.unwrap_or_default();
        if let Some(free) = reader.interim.codes.iter_mut().find(|code| **code == 0) {
            *free = status;
        }
        reader.interim.origin.get_or_insert(origin);
        reader.place = Place::Boundary;
        reader.contiguous = true;
        reader.pending |= message.anomalies;
        out.counters.interim_responses += 1;
        out.give_back(message);
    }

    fn open_request<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        mut message: Box<Message>,
        half: Half,
        head_end: StreamOffset,
    ) {
        let framing = request_framing(&message.head, &mut message.anomalies);
        let connect = half.method == Method::Connect;
        self.pairer.request(half, message.head.version == Version::Http09);
        self.begin_body(out, Direction::ToServer, message, framing, head_end);
        if connect {
            self.requests.place = Place::Undecided;
        }
    }

    fn open_response<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        mut message: Box<Message>,
        half: Half,
        head_end: StreamOffset,
    ) {
        let id = half.id;
        self.next_request_at = half.peer_at.or(self.next_request_at);
        self.pairer.response(half);
        self.settle(out, false);
        let asked = self.pairer.method_answered_by(id);
        let method = asked.map(|(method, _)| match method {
            Method::Head => b"HEAD".as_slice(),
            Method::Connect => b"CONNECT",
            Method::Other => b"",
        });
        let framing = response_framing(&message.head, method, &mut message.anomalies);
        if matches!(asked, Some((Method::Connect, _))) && framing != Framing::Tunnel {
            // The tunnel was refused: what the client sends next is HTTP again, from wherever it begins.
            self.requests.lose();
        }
        if framing == Framing::Tunnel {
            message.anomalies.insert(Anomaly::Tunnel);
            self.tunnel(out);
        }
        self.begin_body(out, Direction::ToClient, message, framing, head_end);
    }

    /// HTTP ends for both directions; a request whose body was still open ends with it.
    fn tunnel<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>) {
        self.close_open(out, Direction::ToServer, self.requests.next);
        self.requests.drop_held();
        self.requests.place = Place::Tunnel;
        self.tunnelled = true;
        out.counters.tunnels += 1;
    }

    fn begin_body<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        mut message: Box<Message>,
        framing: Framing,
        head_end: StreamOffset,
    ) {
        message.body.framing = framing;
        let reader = self.reader(direction);
        reader.open = Some(message);
        reader.place = match framing {
            Framing::None | Framing::Tunnel | Framing::Length(0) => {
                self.finish(out, direction, Some(head_end));
                if framing == Framing::Tunnel {
                    self.reader(direction).place = Place::Tunnel;
                }
                return;
            }
            Framing::Length(len) => Place::Length(len),
            Framing::Chunked => Place::Chunked(Default::default()),
            Framing::Close => Place::UntilClose,
        };
    }

    /// An answer without head, to a request of HTTP/0.9.
    fn headless_response<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, origin: Origin) {
        let mut message = out.message(origin);
        message.head.version = Version::Http09;
        self.open(out, Direction::ToClient, message, origin, origin.at);
        self.responses.place = Place::UntilClose;
    }

    fn length<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        rest: &[u8],
        remaining: u64,
    ) -> usize {
        let take = usize::try_from(remaining).unwrap_or(usize::MAX).min(rest.len());
        self.body(out, direction, chunk, rest.get(..take).unwrap_or_default());
        let reader = self.reader(direction);
        let end = reader.next.map(|at| at + take as u64);
        let left = remaining - take as u64;
        reader.place = Place::Length(left);
        if left == 0 {
            self.finish(out, direction, end);
        }
        take
    }

    /// An answer may have been framed before its request was known, or without ever knowing it. One to HEAD states a
    /// length and has no body. Without the request it shows when the server, having received more from the client,
    /// begins with another status line.
    fn is_bodiless_after_all(&self, chunk: &Chunk<'_>, rest: &[u8]) -> bool {
        let Some(open) = self.responses.open.as_ref().filter(|open| open.body.len == 0) else {
            return false;
        };
        match self.pairer.method_answered_by(open.id) {
            Some((method, _)) => method == Method::Head,
            None => {
                rest.len() == chunk.bytes.len()
                    && open.peer_at < chunk.peer_at
                    && probe(rest) == Start::Response
            }
        }
    }

    /// At the end: an answer to HEAD, framed before its request was known, is complete.
    fn finish_bodiless<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>) {
        let open = self.responses.open.as_ref().filter(|open| open.body.len == 0);
        let asked = open.and_then(|open| self.pairer.method_answered_by(open.id));
        if matches!(asked, Some((Method::Head, _))) {
            let end = self.responses.next;
            self.finish(out, Direction::ToClient, end);
        }
    }

    fn chunked<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        at: StreamOffset,
        rest: &[u8],
    ) -> usize {
        let reader = self.reader(direction);
        let (Place::Chunked(decoder), Some(open)) = (&mut reader.place, &mut reader.open) else {
            reader.lose();
            return 0;
        };
        open.frames.last = chunk.frame;
        open.ended = chunk.time;
        let step = decoder.feed(rest, &mut open.anomalies);
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
                self.body(out, direction, chunk, bytes);
                used
            }
            ChunkPart::End => {
                out.counters.framing_bytes += used as u64;
                if !reader.held.is_empty() {
                    append_trailers(&mut open.head, &reader.held, &mut open.anomalies);
                    reader.drop_held();
                }
                self.finish(out, direction, Some(at + used as u64));
                used
            }
            ChunkPart::Broken => {
                open.seen = Seen::Truncated;
                self.close_open(out, direction, None);
                self.reader(direction).lose();
                used
            }
        }
    }

    /// Body bytes without their transfer coding.
    fn body<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        bytes: &[u8],
    ) {
        let reader = self.reader(direction);
        if let Some(open) = &mut reader.open {
            open.frames.last = chunk.frame;
            open.ended = chunk.time;
            out.body(open, bytes);
        }
    }

    /// The open message ended; `end` is one past its last byte, where framing tells.
    fn finish<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        end: Option<StreamOffset>,
    ) {
        self.close_open(out, direction, end);
        let reader = self.reader(direction);
        reader.place = Place::Boundary;
        reader.contiguous = true;
        reader.next = end.or(reader.next);
    }

    fn close_open<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        end: Option<StreamOffset>,
    ) {
        if let Some(message) = self.reader(direction).open.take() {
            self.pairer.end(message.id, Ended { message, end });
            self.settle(out, false);
        }
    }

    /// Behind a hole: looks for a place where a message surely begins.
    fn lost<E: ExchangeSink>(
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
    fn anchor_within(&self, direction: Direction, at: StreamOffset, rest: &[u8]) -> Option<usize> {
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
    fn is_answer_to_more(&self, direction: Direction, chunk: &Chunk<'_>) -> bool {
        let reader = match direction {
            Direction::ToServer => &self.requests,
            Direction::ToClient => &self.responses,
        };
        match (reader.previous_peer_at, chunk.peer_at) {
            (Some(before), Some(now)) => now > before,
            _ => true,
        }
    }

    /// Bytes that will not come.
    pub(crate) fn gap<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, gap: &Gap) {
        let direction = self.direction(gap.side);
        let end = gap.at + gap.len;
        let may_be_proxy_header = self.expects_proxy && gap.len <= MAX_PROXY_HEADER;
        let reader = self.reader(direction);
        reader.next = Some(gap.at);
        let origin = reader.origin;
        match &mut reader.place {
            Place::Boundary if may_be_proxy_header && reader.serial == 0 && reader.contiguous => {}
            Place::Boundary => {
                reader.missing_message = reader.contiguous;
                reader.lose();
            }
            Place::Head => self.gap_in_head(out, direction, origin, gap),
            Place::Length(remaining) if gap.len <= *remaining => {
                *remaining -= gap.len;
                let ended = *remaining == 0;
                miss(reader, gap.len, gap.len);
                if ended {
                    self.finish(out, direction, Some(end));
                }
            }
            Place::Length(remaining) => {
                let tail = *remaining;
                miss(reader, tail, tail);
                self.finish(out, direction, Some(gap.at + tail));
                self.reader(direction).lose();
            }
            Place::Chunked(decoder) => {
                let exact = decoder.skip_gap(gap.len);
                miss(reader, gap.len, if exact { gap.len } else { 0 });
                if !exact {
                    self.truncate(out, direction);
                }
            }
            Place::UntilClose => miss(reader, gap.len, gap.len),
            Place::Undecided | Place::Lost | Place::Tunnel => {}
        }
        self.reader(direction).interim = Interim::default();
        self.reader(direction).next = Some(end);
        self.settle(out, false);
    }

    fn gap_in_head<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        origin: Option<Origin>,
        gap: &Gap,
    ) {
        let held = std::mem::take(&mut self.reader(direction).held);
        if let Some(origin) = origin {
            self.cut_head(out, direction, &held, origin, Seen::Truncated, gap.time, origin.frame);
        }
        self.reader(direction).lose();
    }

    /// The open message ends here with its end unknown.
    fn truncate<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, direction: Direction) {
        if let Some(open) = &mut self.reader(direction).open {
            open.seen = Seen::Truncated;
        }
        self.close_open(out, direction, None);
        self.reader(direction).lose();
    }

    /// That side sends nothing more.
    pub(crate) fn fin<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, side: Side) {
        let direction = self.direction(side);
        self.finish_bodiless(out);
        let reader = self.reader(direction);
        reader.finished = true;
        let (next, origin) = (reader.next, reader.origin);
        match reader.place {
            Place::UntilClose => self.finish(out, direction, next),
            Place::Length(_) | Place::Chunked(_) => {
                if let Some(open) = &mut reader.open {
                    open.anomalies.insert(Anomaly::ShortBody);
                }
                self.truncate(out, direction);
            }
            Place::Head => {
                let held = std::mem::take(&mut reader.held);
                if let Some(origin) = origin {
                    self.cut_head(out, direction, &held, origin, Seen::Truncated, origin.time, origin.frame);
                }
            }
            Place::Boundary | Place::Undecided | Place::Lost | Place::Tunnel => {}
        }
        self.settle(out, false);
    }

    /// A fact about the bytes of one side.
    pub(crate) fn evidence(&mut self, side: Side, evidence: Evidence) {
        let anomaly = match evidence {
            Evidence::OverlapConflict => Anomaly::OverlapConflict,
            Evidence::ResetOutOfWindow => Anomaly::ResetOutOfWindow,
            Evidence::BadChecksum => Anomaly::BadChecksum,
        };
        let direction = self.direction(side);
        let noted = match &mut self.reader(direction).open {
            Some(open) => {
                open.anomalies.insert(anomaly);
                true
            }
            None => self.pairer.note(direction, anomaly),
        };
        if !noted {
            self.reader(direction).pending.insert(anomaly);
        }
    }

    /// The connection is over: everything open is reported as far as it is known.
    pub(crate) fn close<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, reason: CloseReason) {
        self.finish_bodiless(out);
        for direction in [Direction::ToServer, Direction::ToClient] {
            let reader = self.reader(direction);
            let (next, origin) = (reader.next, reader.origin);
            match reader.place {
                Place::UntilClose if reason == CloseReason::Fin => self.finish(out, direction, next),
                Place::Head => {
                    let held = std::mem::take(&mut reader.held);
                    if let Some(origin) = origin {
                        self.cut_head(
                            out,
                            direction,
                            &held,
                            origin,
                            Seen::Truncated,
                            origin.time,
                            origin.frame,
                        );
                    }
                }
                _ => self.truncate(out, direction),
            }
        }
        self.settle(out, true);
    }

    fn settle<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, closed: bool) {
        if self.pairer.is_idle() {
            return;
        }
        let progress = Progress {
            client: self.requests.boundary(),
            client_intact: self.requests.is_intact(),
            server: self.responses.boundary(),
            server_intact: self.responses.is_intact(),
            server_finished: self.responses.finished,
            closed,
        };
        let (client, proxy) = (self.client, self.proxy);
        self.pairer.settle(progress, |paired| {
            let flow = FlowStamp {
                id: out.flow.id,
                key: out.flow.key,
                client,
                vlan: out.flow.vlan,
                proxy,
                joined_late: out.flow.initiator.is_none(),
            };
            out.exchange(exchange_of(flow, paired));
        });
    }
}

fn exchange_of(flow: FlowStamp, paired: Paired) -> Exchange {
    let mut anomalies = Anomalies::default();
    for (holds, anomaly) in [
        (paired.pipelined, Anomaly::Pipelined),
        (paired.early, Anomaly::EarlyResponse),
        (paired.unsolicited, Anomaly::UnsolicitedResponse),
    ] {
        if holds {
            anomalies.insert(anomaly);
        }
    }
    Exchange {
        number: 0,
        flow,
        request: paired.request,
        response: paired.response,
        interim: paired.interim,
        pairing: paired.pairing,
        anomalies,
        protocols: &["http/1.1"],
    }
}

fn miss(reader: &mut Reader, bytes: u64, body: u64) {
    if let Some(open) = &mut reader.open {
        open.missed_bytes += bytes;
        open.body.missed += body;
        open.body.len += body;
        open.body.cut = true;
        open.seen = Seen::Truncated;
    }
}

/// Whether a request asks to leave HTTP, or a response does.
fn switches(message: &Message) -> bool {
    match message.head.status {
        Some(status) => status == 101 || (200..300).contains(&status),
        None => method_of(message) == Method::Connect || upgrade(&message.head).is_some(),
    }
}

fn method_of(message: &Message) -> Method {
    match message.head.method().map(|method| method.bytes()) {
        Some(b"HEAD") => Method::Head,
        Some(b"CONNECT") => Method::Connect,
        _ => Method::Other,
    }
}
