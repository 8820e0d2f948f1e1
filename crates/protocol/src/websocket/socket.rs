//! A WebSocket: two speakers, and the exchange that opened it.

use super::handshake::{Terms, terms};
use super::speaker::{Context, Speaker};
use crate::h1::reader::Origin;
use crate::output::Output;
use crate::stream::{Ending, Stream};
use crate::talk::Talk;
use crate::{Anomalies, Anomaly, Close, Direction, Exchange, ExchangeSink, Seen};
use tapwire_flow::{Chunk, Patience, StreamEvent, StreamOffset};
use tapwire_wire::{SeqNumber, Side, SourceId, Timestamp};

/// A connection, or a stream of one, that speaks WebSocket.
#[derive(Debug)]
pub(crate) struct Socket {
    client: Side,
    stream: Stream,
    terms: Terms,
    client_says: Speaker,
    server_says: Speaker,
    /// The close frame that came first.
    close: Option<Close>,
    /// Who sent FIN first.
    finished: Option<Direction>,
    /// Where the client and the server stand, as their last bytes say.
    last: [Option<Origin>; 2],
    opened: Origin,
    ended: bool,
    /// Bytes on the heap that were counted for it.
    charged: u32,
}

impl Socket {
    /// Reports the exchange that opened it, and goes on from there.
    pub(crate) fn open<E: ExchangeSink>(
        out: &mut Output<'_, E>,
        mut exchange: Exchange,
        protocols: &'static [&'static str],
    ) -> Self {
        let mut agreed = Terms::unseen();
        let request = exchange.request.as_deref().map(|request| &request.head);
        let mut whole = false;
        if let Some(response) = exchange.response.as_deref_mut() {
            whole = response.seen == Seen::Complete;
            let mut facts = Anomalies::default();
            if whole {
                agreed = terms(request, &response.head, &mut facts);
            }
            response.anomalies |= facts;
            // It is read on here.
            response.anomalies.remove(Anomaly::Tunnel);
            response.seen = Seen::Ongoing;
        }
        exchange.protocols = protocols;
        let stream = Stream::of(&exchange, protocols);
        let opened = origin_of(&exchange);
        let client = exchange.flow.client;
        out.exchange(exchange);
        Self::with(stream, agreed, client, opened, !whole)
    }

    /// One whose beginning was not captured.
    pub(crate) fn joined<E: ExchangeSink>(out: &Output<'_, E>, client: Side, chunk: &Chunk<'_>) -> Self {
        let flow = out.stamp(client, None);
        let stream = Stream::joined(flow, chunk.time, &["websocket"]);
        Self::with(stream, Terms::unseen(), client, origin(chunk, 0), true)
    }

    fn with(stream: Stream, terms: Terms, client: Side, opened: Origin, lost: bool) -> Self {
        Self {
            client,
            stream,
            terms,
            client_says: Speaker::new(terms, Direction::ToServer, lost),
            server_says: Speaker::new(terms, Direction::ToClient, lost),
            close: None,
            finished: None,
            last: [None; 2],
            opened,
            ended: false,
            charged: 0,
        }
    }

    fn direction(&self, side: Side) -> Direction {
        if side == self.client { Direction::ToServer } else { Direction::ToClient }
    }

    /// Takes bytes of one direction; `segment` says that they begin where a segment does.
    pub(crate) fn bytes<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        origin: Origin,
        bytes: &[u8],
        segment: bool,
    ) {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !self.ended && !rest.is_empty()) {
            let here = Origin { at: origin.at + used as u64, ..origin };
            let segment = segment && used == 0;
            used += self.speak(out, direction, |speaker, cx| speaker.bytes(cx, here, rest, segment));
            if let Some(last) = self.last.get_mut(direction as usize) {
                *last = Some(Origin { at: origin.at + used as u64, ..origin });
            }
            self.heed_close(out, direction);
        }
        out.counters.tunnel_bytes += (bytes.len() - used) as u64;
    }

    /// A close frame that came last of what was read; the second one ends it.
    fn heed_close<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, direction: Direction) {
        let said = match direction {
            Direction::ToServer => self.client_says.closed,
            Direction::ToClient => self.server_says.closed,
        };
        if let Some(code) = said {
            self.close.get_or_insert(Close { by: direction, code });
        }
        if self.client_says.closed.is_some() && self.server_says.closed.is_some() {
            self.end(out, true);
        }
    }

    /// So many bytes of one direction are missing.
    pub(crate) fn gap<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, direction: Direction, len: u64) {
        if !self.ended {
            self.speak(out, direction, |speaker, cx| speaker.gap(cx, len));
        }
    }

    /// Something of one direction is missing, and nobody knows how much.
    pub(crate) fn lose<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, direction: Direction) {
        if !self.ended {
            self.speak(out, direction, |speaker, cx| speaker.lose(cx));
        }
    }

    /// That direction says nothing more; whether it is all over.
    pub(crate) fn hang_up(&mut self, direction: Direction) -> bool {
        self.ended || *self.finished.get_or_insert(direction) != direction
    }

    /// What carries it has ended, with those facts.
    pub(crate) fn close<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, facts: Anomalies) {
        // Without a close frame it ended abnormally, whatever carried it said (RFC 6455, 7.1.5).
        let whole = self.close.is_some();
        if !whole {
            self.server_says.pending |= facts;
        }
        self.end(out, whole);
    }

    /// Bytes on the heap, its own included.
    pub(crate) fn held(&self) -> usize {
        size_of::<Self>() + self.stream.held() + self.client_says.held() + self.server_says.held()
    }

    fn speak<E: ExchangeSink, R>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        what: impl FnOnce(&mut Speaker, &mut Context<'_, '_, E>) -> R,
    ) -> R {
        let speaker = match direction {
            Direction::ToServer => &mut self.client_says,
            Direction::ToClient => &mut self.server_says,
        };
        what(speaker, &mut Context { out, stream: &mut self.stream, terms: self.terms, direction })
    }

    /// It is over: what is open is told as far as it came, then the end.
    pub(crate) fn end<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, whole: bool) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        for direction in [Direction::ToServer, Direction::ToClient] {
            self.speak(out, direction, |speaker, cx| speaker.finish(cx, false));
        }
        let by = self.close.map(|close| close.by).or(self.finished).unwrap_or(Direction::ToClient);
        let [client, server] = self.last;
        let latest = client.into_iter().chain(server).max_by_key(|origin| origin.time);
        let own = self.last.get(by as usize).copied().flatten().unwrap_or(self.opened);
        // The end is when the last bytes came, and behind those of who ended it: where a segment began has no say.
        let origin = Origin { time: latest.unwrap_or(self.opened).time, ..own };
        let anomalies = self.client_says.pending | self.server_says.pending;
        let message = out.message(origin);
        self.stream.end(out, by, message, Ending { whole, close: self.close, anomalies });
    }

    /// A fact about bytes of one direction: it goes with what comes next there.
    fn note(&mut self, direction: Direction, anomaly: Anomaly) {
        let speaker = match direction {
            Direction::ToServer => &mut self.client_says,
            Direction::ToClient => &mut self.server_says,
        };
        speaker.pending.insert(anomaly);
    }
}

impl<E: ExchangeSink> Talk<E> for Socket {
    fn data(&mut self, out: &mut Output<'_, E>, chunk: &Chunk<'_>, skip: usize) -> usize {
        let bytes = chunk.bytes.get(skip..).unwrap_or_default();
        self.bytes(out, self.direction(chunk.side), origin(chunk, skip), bytes, skip == 0);
        chunk.bytes.len()
    }

    fn event(&mut self, out: &mut Output<'_, E>, event: &StreamEvent<'_>) {
        match event {
            StreamEvent::Gap(gap) => self.gap(out, self.direction(gap.side), gap.len),
            StreamEvent::Fin(side) => _ = self.finished.get_or_insert(self.direction(*side)),
            StreamEvent::Evidence(side, _, evidence) => {
                self.note(self.direction(*side), crate::h1::conversation::anomaly_of(*evidence));
            }
            StreamEvent::Close(_) => self.close(out, Anomalies::default()),
            StreamEvent::Data(_) | StreamEvent::Again { .. } | StreamEvent::Time(_) => {}
        }
    }

    fn patience(&self) -> Patience {
        if self.ended { Patience::Idle } else { Patience::LongLived }
    }

    fn recount(&mut self) -> (usize, usize) {
        let now = u32::try_from(self.held()).unwrap_or(u32::MAX);
        let before = std::mem::replace(&mut self.charged, now);
        (before as usize, now as usize)
    }
}

/// Where the bytes of a chunk from `skip` on begin.
fn origin(chunk: &Chunk<'_>, skip: usize) -> Origin {
    Origin {
        at: chunk.at + skip as u64,
        peer_at: chunk.peer_at,
        previous_peer_at: None,
        contiguous: true,
        after_missing_message: false,
        time: chunk.time,
        frame: chunk.frame,
        source: chunk.source,
    }
}

/// Where the last thing that is known of an exchange began.
fn origin_of(exchange: &Exchange) -> Origin {
    let last = exchange.response.as_deref().or(exchange.request.as_deref());
    Origin {
        at: last.map_or_else(|| StreamOffset::first(SeqNumber(0)), |message| message.at),
        peer_at: None,
        previous_peer_at: None,
        contiguous: true,
        after_missing_message: false,
        time: last.map_or_else(Timestamp::default, |message| message.ended),
        frame: last.map_or(0, |message| message.frames.last),
        source: last.map_or_else(SourceId::default, |message| message.source),
    }
}
