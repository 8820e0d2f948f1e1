//! An HTTP/2 connection: two readers of frames, and the streams between them.

mod account;
mod blocks;
mod bodies;
mod endings;
mod frames;
mod goes_on;
mod sockets;
mod upgrade;

use self::account::Account;
use self::endings::Resets;
use super::frame::{FrameHead, HEAD, PREFACE, kind};
use super::reader::{Data, Place, Reader};
use super::streams::Streams;
use crate::h1::{Start, probe};
use crate::output::Output;
use crate::talk::Talk;
use crate::{Anomaly, Direction, ExchangeSink, ProxyHeader};
use tapwire_flow::{Chunk, Patience, StreamEvent, StreamOffset};
use tapwire_wire::Side;

/// Bytes of a frame or of a header block that are held until it is whole; of a longer block the beginning is read.
const MAX_BLOCK: usize = 64 << 10;

/// Frames in a row that would end the connection before the place of the next one is in doubt.
const MAX_ODD: u8 = 2;

/// Bytes without a frame, on a connection of which nothing is proven, before the guess is given up.
const MAX_UNREAD: u64 = 256 << 10;

/// What an unknown connection showed that makes it HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The client's preface.
    Preface,
    /// The server's SETTINGS at the start of its stream, before anything of the client.
    Settings,
    /// Frames of that direction, in the middle of a stream.
    Frames(Direction),
}

/// The state of an HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    client: Side,
    proxy: Option<ProxyHeader>,
    requests: Reader,
    responses: Reader,
    streams: Streams,
    account: Account,
    resets: Resets,
    /// Streams that the server allows at once, as it said last, and as the client has acknowledged.
    announced: Option<u32>,
    allowed: Option<u32>,
    /// Streams whose response has ended and whose request is not there yet.
    waiting: usize,
    /// Bytes that were held are being read: what is lost among them is not held again.
    replaying: bool,
    /// It was taken for HTTP/2 by what may be chance, and nothing has proven it since.
    guessed: bool,
    /// It is none.
    refuted: bool,
    /// Bytes of both directions in which no frame was found, while it is a guess.
    unread: u64,
    /// The table was asked to tell the time.
    watched: bool,
    /// Bytes on the heap that were counted for it.
    charged: usize,
}

impl Conversation {
    /// `at_start` says of a side that its next byte, or the one that is being looked at, is its first.
    pub(crate) fn new(
        client: Side,
        proxy: Option<ProxyHeader>,
        proof: Proof,
        at_start: impl Fn(Side) -> bool,
    ) -> Self {
        let begins = |direction| match direction {
            Direction::ToServer => Reader::client(),
            Direction::ToClient => Reader::server(),
        };
        let side_of = |direction| if direction == Direction::ToServer { client } else { client.peer() };
        let reader = |direction| match proof {
            // Nothing with a header block comes before the client's preface.
            Proof::Preface if direction == Direction::ToServer => begins(direction),
            Proof::Frames(found) if direction == found => Reader::joined_at_frame(),
            _ if at_start(side_of(direction)) => begins(direction),
            _ => Reader::joined(),
        };
        let guessed = matches!(proof, Proof::Frames(_));
        Self {
            guessed,
            ..Self::with(client, proxy, reader(Direction::ToServer), reader(Direction::ToClient))
        }
    }

    fn with(client: Side, proxy: Option<ProxyHeader>, requests: Reader, responses: Reader) -> Self {
        Self {
            client,
            proxy,
            requests,
            responses,
            streams: Streams::default(),
            account: Account::default(),
            resets: Resets::default(),
            announced: None,
            allowed: None,
            waiting: 0,
            replaying: false,
            guessed: false,
            refuted: false,
            unread: 0,
            watched: false,
            charged: 0,
        }
    }

    /// Facts about the first message of that side.
    pub(crate) fn expect(&mut self, side: Side, anomalies: crate::Anomalies) {
        let direction = self.direction(side);
        self.reader(direction).pending |= anomalies;
    }

    fn direction(&self, side: Side) -> Direction {
        if side == self.client { Direction::ToServer } else { Direction::ToClient }
    }

    const fn reader(&mut self, direction: Direction) -> &mut Reader {
        match direction {
            Direction::ToServer => &mut self.requests,
            Direction::ToClient => &mut self.responses,
        }
    }

    /// Takes the bytes of `chunk` from `skip` on.
    pub(crate) fn data<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, chunk: &Chunk<'_>, skip: usize) {
        let direction = self.direction(chunk.side);
        if self.guessed && !self.replaying && skip == 0 && self.is_wrong(direction, chunk.bytes) {
            self.refuted = true;
            return;
        }
        self.reader(direction).seen = (chunk.time, chunk.frame);
        let mut used = skip;
        while let Some(rest) = chunk.bytes.get(used..).filter(|rest| !rest.is_empty()) {
            used += self.step(out, direction, chunk, chunk.at + used as u64, rest);
        }
        let reader = self.reader(direction);
        reader.next = Some(chunk.at + chunk.bytes.len() as u64);
        reader.previous_peer_at = chunk.peer_at.or(reader.previous_peer_at);
        // What is replayed is followed by what was held behind it: a request may be there.
        if direction == Direction::ToServer && !self.replaying {
            self.settle_waiting(out);
        }
    }

    /// Consumes some of `rest`, at least a byte; returns how much.
    fn step<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        at: StreamOffset,
        rest: &[u8],
    ) -> usize {
        match self.reader(direction).place {
            Place::Preface(come) => self.preface(out, direction, rest, come),
            Place::Head => self.frame_head(out, direction, chunk, at, rest),
            Place::Data(data) => self.data_frame(out, direction, rest, data),
            Place::Whole(head, left) => self.whole(out, direction, rest, head, left),
            Place::Skip(left, of_block) => {
                let take = (left as usize).min(rest.len());
                count(out, of_block, take);
                self.skip(direction, left - narrow(take), of_block);
                take
            }
            Place::Lost => self.search(out, direction, chunk, at, rest),
        }
    }

    /// Whether what comes refutes a guess: something else begins where a frame should, or no frame is found for long.
    fn is_wrong(&mut self, direction: Direction, bytes: &[u8]) -> bool {
        let reader = self.reader(direction);
        let between = match reader.place {
            Place::Head => reader.held.is_empty(),
            Place::Lost => true,
            _ => false,
        };
        let begun = self.requests.next.or(self.responses.next).is_some();
        begun && (self.unread > MAX_UNREAD || between && begins_otherwise(bytes))
    }

    fn skip(&mut self, direction: Direction, left: u32, of_block: bool) {
        self.reader(direction).place = if left == 0 { Place::Head } else { Place::Skip(left, of_block) };
    }

    /// RFC 9113, 3.4.
    fn preface<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        rest: &[u8],
        come: u8,
    ) -> usize {
        let expected = PREFACE.get(usize::from(come)..).unwrap_or_default();
        let take = expected.len().min(rest.len());
        if rest.get(..take) != expected.get(..take) {
            self.reader(direction).pending.insert(Anomaly::InvalidFrame);
            self.lose(direction);
            out.counters.lost_bytes += rest.len() as u64;
            return rest.len();
        }
        out.counters.framing_bytes += take as u64;
        let whole = take == expected.len();
        let come = come.saturating_add(u8::try_from(take).unwrap_or(u8::MAX));
        self.reader(direction).place = if whole { Place::Head } else { Place::Preface(come) };
        take
    }

    fn frame_head<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        chunk: &Chunk<'_>,
        at: StreamOffset,
        rest: &[u8],
    ) -> usize {
        let reader = self.reader(direction);
        let before = reader.held.len();
        if before == 0 {
            reader.origin = Some(reader.origin_at(chunk, at));
        }
        let take = HEAD.saturating_sub(before).min(rest.len());
        let head = if before == 0 {
            FrameHead::parse(rest)
        } else {
            reader.held.extend_from_slice(rest.get(..take).unwrap_or_default());
            FrameHead::parse(&reader.held)
        };
        out.counters.framing_bytes += take as u64;
        let Some(head) = head else {
            if before == 0 {
                reader.held.extend_from_slice(rest);
            }
            return rest.len();
        };
        reader.held.clear();
        take + self.enter(out, direction, head, rest.get(take..).unwrap_or_default())
    }

    /// A frame begins; `behind` are the bytes that have come of its payload, and more. Returns how many of them are
    /// consumed.
    fn enter<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        head: FrameHead,
        behind: &[u8],
    ) -> usize {
        if !self.is_in_order(out, direction, &head) {
            return 0;
        }
        let len = head.len as usize;
        let reads = matches!(
            head.kind,
            kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION | kind::RST_STREAM | kind::SETTINGS
        );
        match behind.get(..len) {
            _ if head.kind == kind::DATA => {
                let padding = if head.has(super::frame::flag::PADDED) { None } else { Some(0) };
                self.reader(direction).place = Place::Data(Data { head, left: head.len, padding });
                if len == 0 {
                    self.end_data(out, direction, &head);
                }
                0
            }
            _ if !reads => {
                self.skip(direction, head.len, false);
                0
            }
            Some(payload) => {
                count(out, head.carries_block(), len);
                self.reader(direction).place = Place::Head;
                self.frame(out, direction, &head, payload);
                len
            }
            None if len > MAX_BLOCK => {
                self.give_up_block(out, direction, &head);
                self.skip(direction, head.len, head.carries_block());
                0
            }
            None => {
                self.reader(direction).place = Place::Whole(head, head.len);
                0
            }
        }
    }

    /// Whether the frame is read. Otherwise it says where the reader goes on.
    fn is_in_order<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        head: &FrameHead,
    ) -> bool {
        let reader = self.reader(direction);
        if reader.allowed.is_some_and(|allowed| head.len > allowed) {
            reader.pending.insert(Anomaly::OversizedFrame);
        }
        if head.reserved || !head.is_lawful() {
            reader.pending.insert(Anomaly::InvalidFrame);
        }
        // A receiver ignores the reserved bit, and a PRIORITY of another length ends no connection (RFC 9113, 4.1, 6.3):
        // who sends such frames must not shake the reader off. Any other fault would end the connection.
        let fatal = !head.is_lawful() && head.kind != kind::PRIORITY;
        reader.odd = if fatal { reader.odd + 1 } else { 0 };
        if reader.odd >= MAX_ODD {
            self.flush_block(out, direction);
            self.lose(direction);
            return false;
        }
        if !head.is_lawful() {
            self.skip(direction, head.len, head.carries_block());
            return false;
        }
        let reader = self.reader(direction);
        reader.longest = reader.longest.max(head.len);
        let continues = head.kind == kind::CONTINUATION;
        if reader.given_up.is_some_and(|stream| continues && stream == head.stream) {
            if head.has(super::frame::flag::END_HEADERS) {
                reader.given_up = None;
            }
            self.skip(direction, head.len, true);
            return false;
        }
        reader.given_up = None;
        let carrier = reader.unfinished.as_ref().map(|unfinished| unfinished.block.carrier);
        if carrier.is_some_and(|carrier| !continues || carrier != head.stream) {
            reader.pending.insert(Anomaly::MisplacedFrame);
            self.flush_block(out, direction);
        }
        true
    }

    /// Within a frame that is read when it is whole.
    fn whole<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        rest: &[u8],
        head: FrameHead,
        left: u32,
    ) -> usize {
        let take = (left as usize).min(rest.len());
        count(out, head.carries_block(), take);
        let reader = self.reader(direction);
        reader.held.extend_from_slice(rest.get(..take).unwrap_or_default());
        let left = left - narrow(take);
        reader.place = Place::Whole(head, left);
        if left == 0 {
            reader.place = Place::Head;
            let mut held = std::mem::take(&mut reader.held);
            self.frame(out, direction, &head, &held);
            held.clear();
            if held.capacity() <= KEPT {
                self.reader(direction).held = held;
            }
        }
        take
    }
}

/// Whether that is the beginning of something that is no frame.
fn begins_otherwise(bytes: &[u8]) -> bool {
    matches!(probe(bytes), Start::Request | Start::Response) || crate::tls::probe(bytes) == Some(true)
}

/// Room that is kept for the next frame in pieces.
const KEPT: usize = 2_048;

/// Bytes of a header block, or of anything else that is not of a body.
fn count<E>(out: &mut Output<'_, E>, of_block: bool, bytes: usize) {
    let counter = if of_block { &mut out.counters.head_bytes } else { &mut out.counters.framing_bytes };
    *counter += bytes as u64;
}

/// A part of a frame, which has less than 2^24 bytes.
fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl<E: ExchangeSink> Talk<E> for Conversation {
    fn data(&mut self, out: &mut Output<'_, E>, chunk: &Chunk<'_>, skip: usize) -> usize {
        Self::data(self, out, chunk, skip);
        if self.refuted { skip } else { chunk.bytes.len() }
    }

    fn is_refuted(&self) -> bool {
        self.refuted
    }

    fn event(&mut self, out: &mut Output<'_, E>, event: &StreamEvent<'_>) {
        match event {
            StreamEvent::Gap(gap) => self.gap(out, gap),
            StreamEvent::Evidence(side, _, evidence) => self.evidence(*side, *evidence),
            StreamEvent::Time(now) => self.time(out, *now),
            StreamEvent::Close(reason) => self.close(out, *reason),
            // A side that has said its last may be answered; and what came before is held decoded, not as it came.
            StreamEvent::Fin(_) | StreamEvent::Again { .. } | StreamEvent::Data(_) => {}
        }
    }

    fn patience(&self) -> Patience {
        Patience::LongLived
    }

    fn recount(&mut self) -> (usize, usize) {
        let readers = self.requests.held() + self.responses.held();
        let now = size_of::<Self>() + readers + self.streams.held();
        (std::mem::replace(&mut self.charged, now), now)
    }

    fn warm(&self) {
        std::hint::black_box((self.requests.next, self.responses.next, self.streams.len()));
    }
}
