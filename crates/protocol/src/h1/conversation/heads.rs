//! Start lines and fields: where messages begin.

use super::{Conversation, PROBE_BYTES};
use crate::h1::pairing::{Half, Method};
use crate::h1::reader::{Origin, Place};
use crate::h1::{
    HeadOutcome, MAX_HEAD, Start, parse_capped, parse_partial, parse_request, parse_response, probe,
    request_framing, response_framing, upgrade,
};
use crate::output::Output;
use crate::talk::Upgrade;
use crate::tls;
use crate::{Anomaly, Direction, ExchangeSink, Framing, Message, Seen, Version};
use tapwire_flow::{Chunk, StreamOffset};

impl Conversation {
    pub(super) fn boundary<E: ExchangeSink>(
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
        let origin = reader.origin_at(chunk, at);
        if !may_begin(direction, rest) {
            if self.may_be_headless(direction) {
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
                reader.tiny = 0;
                0
            }
        }
    }

    /// Bytes that are no message where one should begin.
    pub(super) fn garbage<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        rest: &[u8],
    ) -> usize {
        let tunnelled = self.tunnelled;
        let reader = self.reader(direction);
        if tunnelled {
            reader.drop_held();
            reader.place = Place::Tunnel;
            out.counters.tunnel_bytes += rest.len() as u64;
        } else {
            reader.pending.insert(Anomaly::TrailingGarbage);
            reader.lose();
            out.counters.lost_bytes += rest.len() as u64;
        }
        rest.len()
    }

    pub(super) fn more_head<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        rest: &[u8],
    ) -> usize {
        let reader = self.reader(direction);
        let Some(origin) = reader.origin else {
            reader.place = Place::Boundary;
            return 0;
        };
        reader.note_piece(rest.len());
        let before = reader.held.len();
        let room = MAX_HEAD.saturating_sub(before).min(rest.len());
        reader.held.extend_from_slice(rest.get(..room).unwrap_or_default());
        let ended = reader.scan.find_end(&reader.held).is_some();
        let full = reader.held.len() >= MAX_HEAD;
        // What was too short to tell may have become telling: garbage is not held up to the limit.
        let telling = before < PROBE_BYTES && !may_begin(direction, &reader.held);
        if !ended && !full && !telling {
            return room;
        }
        let held = std::mem::take(&mut reader.held);
        let outcome = match () {
            () if telling => HeadOutcome::NotHttp,
            () if full && !ended => HeadOutcome::TooLong,
            () => self.parse(out, direction, &held, origin),
        };
        match outcome {
            HeadOutcome::Complete { len } => {
                self.reader(direction).drop_held();
                len.saturating_sub(before).min(rest.len())
            }
            HeadOutcome::Partial => {
                self.reader(direction).held = held;
                room
            }
            HeadOutcome::NotHttp => {
                self.reader(direction).drop_held();
                if self.may_be_headless(direction) {
                    self.headless_response(out, origin);
                    self.body(out, direction, held.get(..before).unwrap_or_default());
                    return 0;
                }
                self.garbage(out, direction, held.get(..before).unwrap_or_default());
                self.garbage(out, direction, rest)
            }
            HeadOutcome::TooLong => {
                self.cut_head(out, direction, &held, origin, Seen::Capped);
                room
            }
        }
    }

    /// Parses a head and, where it is whole, opens its message.
    pub(super) fn parse<E: ExchangeSink>(
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
    pub(super) fn cut_head<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        held: &[u8],
        origin: Origin,
        seen: Seen,
    ) {
        let mut message = out.message(origin);
        let read = match seen {
            Seen::Capped => parse_capped(held, direction, &mut message.head, &mut message.anomalies),
            _ => parse_partial(held, direction, &mut message.head, &mut message.anomalies),
        };
        out.counters.head_bytes += held.len() as u64;
        if read {
            message.seen = seen;
            self.open(out, direction, message, origin, origin.at + held.len() as u64);
        } else {
            out.give_back(message);
        }
        self.reader(direction).lose();
    }

    /// A head was read: the message takes its place in the pairing, and its framing decides what follows.
    pub(super) fn open<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        mut message: Box<Message>,
        origin: Origin,
        head_end: StreamOffset,
    ) {
        self.tunnelled = false;
        let reader = self.reader(direction);
        message.anomalies |= std::mem::take(&mut reader.pending);
        (message.ended, message.frames.last) = reader.seen;
        message.pauses = std::mem::take(&mut reader.pauses);
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
            Direction::ToServer => self.open_request(message, half, head_end),
            Direction::ToClient => self.open_response(out, message, half, head_end),
        }
    }

    /// An interim response belongs to the final one that follows (RFC 9110, 15.2).
    pub(super) fn interim<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        message: Box<Message>,
        origin: Origin,
    ) {
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

    pub(super) fn open_request(&mut self, mut message: Box<Message>, half: Half, head_end: StreamOffset) {
        let framing = request_framing(&message.head, &mut message.anomalies);
        let connect = half.method == Method::Connect;
        self.pairer.request(half);
        self.begin_body(Direction::ToServer, message, framing, head_end);
        if connect {
            self.requests.place = Place::Undecided(head_end);
        }
    }

    pub(super) fn open_response<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        mut message: Box<Message>,
        half: Half,
        head_end: StreamOffset,
    ) {
        let id = half.id;
        self.next_request_at = message.peer_at.or(self.next_request_at);
        self.pairer.response(half);
        self.settle(out, false);
        let asked = self.pairer.method_answered_by(id);
        let method = asked.map(|(method, _)| match method {
            Method::Head => b"HEAD".as_slice(),
            Method::Connect => b"CONNECT",
            Method::Other | Method::Http09 => b"",
        });
        let framing = response_framing(&message.head, method, &mut message.anomalies);
        if matches!(asked, Some((Method::Connect, _))) && framing != Framing::Tunnel {
            self.stay_in_http();
        }
        if framing == Framing::Tunnel {
            message.anomalies.insert(Anomaly::Tunnel);
            self.asks_for = upgrade(&message.head).and_then(Upgrade::named);
            self.tunnel(out);
        }
        self.begin_body(Direction::ToClient, message, framing, head_end);
    }

    /// HTTP ends for both directions; a request whose body was still open ends with it.
    pub(super) fn tunnel<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>) {
        let inner = matches!(self.requests.place, Place::Undecided(end) if self.requests.next == Some(end));
        self.close_open(Direction::ToServer, self.requests.next);
        if matches!(self.requests.place, Place::Head) {
            out.counters.tunnel_bytes += self.requests.held.len() as u64;
        }
        self.requests.drop_held();
        self.requests.place = if inner { Place::TunnelStart } else { Place::Tunnel };
        self.tunnelled = true;
        out.counters.tunnels += 1;
    }

    /// The first bytes of a tunnel: HTTP in clear text is read on as if there were none, TLS is a connection of its own, anything
    /// else is counted.
    pub(super) fn enter_tunnel(&mut self, direction: Direction, rest: &[u8]) {
        // By the first byte alone: more of them may be in the next chunk.
        if direction == Direction::ToServer && rest.first() == Some(&tls::HANDSHAKE) {
            self.tunnels_tls = true;
            return;
        }
        let inner = may_begin(direction, rest);
        self.reader(direction).place = if inner { Place::Boundary } else { Place::Tunnel };
    }

    /// The tunnel was refused, or its answer is missing: what the client sends next is HTTP again, from wherever it
    /// begins.
    pub(super) fn stay_in_http(&mut self) {
        match self.requests.place {
            Place::Undecided(end) if self.requests.next == Some(end) => self.requests.place = Place::Boundary,
            Place::Undecided(_) => self.requests.lose(),
            _ => {}
        }
    }

    fn may_be_headless(&self, direction: Direction) -> bool {
        direction == Direction::ToClient && self.pairer.awaits_http09()
    }

    /// An answer without head, to a request of HTTP/0.9.
    pub(super) fn headless_response<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, origin: Origin) {
        let mut message = out.message(origin);
        message.head.version = Version::Http09;
        self.open(out, Direction::ToClient, message, origin, origin.at);
        self.responses.place = Place::UntilClose;
    }
}

/// Whether a message of that direction begins with these bytes, or may begin when more come.
fn may_begin(direction: Direction, bytes: &[u8]) -> bool {
    match (direction, probe(bytes)) {
        (Direction::ToServer, start) => matches!(start, Start::Request | Start::Partial),
        (Direction::ToClient, Start::Partial) => {
            let line = bytes.iter().skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            line.zip(b"HTTP/").all(|(byte, expected)| byte.eq_ignore_ascii_case(expected))
        }
        (Direction::ToClient, start) => start == Start::Response,
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
        _ if message.head.version == Version::Http09 => Method::Http09,
        Some(b"HEAD") => Method::Head,
        Some(b"CONNECT") => Method::Connect,
        _ => Method::Other,
    }
}
