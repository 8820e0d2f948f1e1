//! Exchanges that go on after they were reported: what passes on them is told as children.
//!
//! One rule for all that carries messages: the exchange itself is reported once and before its first child, with
//! `ongoing` for what has not ended; each message is a child, numbered by its own direction alone, so that sensors that
//! see the two directions interleave differently agree; the end is the last child and has the totals.

mod coded;
mod event_stream;
mod grpc;
mod lines;
mod ongoing;
mod splitter;

pub(crate) use ongoing::Ongoing;

use crate::h1::reader::Origin;
use crate::output::Output;
use crate::{
    Anomalies, Child, ChildKind, Close, Direction, EachWay, Exchange, ExchangeSink, FlowStamp, Heads,
    Message, Pairing, Seen, Totals, Uid, Unseen,
};
use std::sync::Arc;
use tapwire_wire::Timestamp;

/// Nanoseconds after its response's head from which on an open exchange is reported as ongoing.
pub(crate) const ONGOING_AFTER: i64 = 30_000_000_000;

const SECOND: i64 = 1_000_000_000;

/// An exchange that was reported and goes on.
#[derive(Debug)]
pub(crate) struct Stream {
    flow: FlowStamp,
    heads: Arc<Heads>,
    parent: Option<Uid>,
    pairing: Pairing,
    /// The HTTP/2 stream that carries it.
    number: Option<u32>,
    protocols: &'static [&'static str],
    totals: Totals,
    /// Messages of the second of packet time that the last one came in, and which second that was.
    recent: (i64, u32),
}

impl Stream {
    /// What goes on behind `parent`, which is about to be reported.
    pub(crate) fn of(parent: &Exchange, protocols: &'static [&'static str]) -> Self {
        let head = |half: &Option<Box<Message>>| half.as_deref().map(|message| message.head.clone());
        Self {
            flow: parent.flow.clone(),
            heads: Arc::new(Heads { request: head(&parent.request), response: head(&parent.response) }),
            parent: Some(parent.uid()),
            pairing: parent.pairing,
            number: parent.stream,
            protocols,
            totals: Totals { began: parent.started(), ..Totals::default() },
            recent: (i64::MIN, 0),
        }
    }

    /// What goes on where the beginning was not seen.
    pub(crate) fn joined(flow: FlowStamp, began: Timestamp, protocols: &'static [&'static str]) -> Self {
        Self {
            flow,
            heads: Arc::default(),
            parent: None,
            pairing: Pairing::Certain,
            number: None,
            protocols,
            totals: Totals { began, ..Totals::default() },
            recent: (i64::MIN, 0),
        }
    }

    /// Bytes on the heap, without its own.
    pub(crate) fn held(&self) -> usize {
        let head = |head: &Option<crate::Head>| {
            head.as_ref()
                .map_or(0, |head| head.text.capacity() + head.fields.capacity() * size_of::<crate::Field>())
        };
        size_of::<Heads>() + head(&self.heads.request) + head(&self.heads.response)
    }

    /// Counts payload as it was sent, whether or not it becomes a message.
    pub(crate) fn count(&mut self, direction: Direction, bytes: u64) {
        *self.totals.bytes.of_mut(direction) += bytes;
    }

    /// Counts messages that stand in the report.
    pub(crate) fn count_told(&mut self, direction: Direction, messages: u64) {
        *self.totals.messages.of_mut(direction) += messages;
    }

    /// Counts bytes that were missed, or of which nobody knows what they are.
    pub(crate) fn miss(&mut self, bytes: u64) {
        self.totals.missed_bytes += bytes;
    }

    /// A message begins. It will be told, unless too many were in this second: then nothing of it is kept.
    pub(crate) fn open<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        origin: Origin,
    ) -> (Box<Message>, bool) {
        let mut message = out.message(origin);
        let told = self.has_room(origin.time, out.config.children_per_second);
        message.body.cut = !told;
        (message, told)
    }

    /// A message is over; `told` as [`Stream::open`] said.
    pub(crate) fn message<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        direction: Direction,
        message: Box<Message>,
        told: bool,
    ) {
        let count = self.totals.messages.of_mut(direction);
        *count += 1;
        let index = match direction {
            Direction::ToServer => *count * 2 - 1,
            Direction::ToClient => *count * 2,
        };
        if !told {
            self.totals.left_out += 1;
            out.counters.children_left_out += 1;
            out.give_back(message);
            return;
        }
        let exchange = self.child(index, ChildKind::Message, direction, message, Anomalies::default());
        out.exchange(exchange);
    }

    fn has_room(&mut self, time: Timestamp, limit: u32) -> bool {
        let second = time.nanos().div_euclid(SECOND);
        if self.recent.0 != second {
            self.recent = (second, 0);
        }
        self.recent.1 = self.recent.1.saturating_add(1);
        self.recent.1 <= limit
    }

    /// It is over: `by` is who ended it, with `message`, which has no content.
    pub(crate) fn end<E: ExchangeSink>(
        &self,
        out: &mut Output<'_, E>,
        by: Direction,
        mut message: Box<Message>,
        ending: Ending,
    ) {
        message.seen = if ending.whole { Seen::Complete } else { Seen::Truncated };
        let EachWay { client, server } = self.totals.messages;
        let totals = Totals { close: ending.close, ..self.totals };
        let kind = ChildKind::End(Box::new(totals));
        let exchange = self.child(client.max(server) * 2 + 1, kind, by, message, ending.anomalies);
        out.exchange(exchange);
    }

    fn child(
        &self,
        index: u64,
        kind: ChildKind,
        direction: Direction,
        message: Box<Message>,
        anomalies: Anomalies,
    ) -> Exchange {
        let (request, response) = match direction {
            Direction::ToServer => (Some(message), None),
            Direction::ToClient => (None, Some(message)),
        };
        Exchange {
            number: 0,
            flow: self.flow.clone(),
            request,
            response,
            interim: [0; 4],
            pairing: self.pairing,
            anomalies,
            stream: self.number,
            child: Some(Child { parent: self.parent, index, kind, heads: Arc::clone(&self.heads) }),
            protocols: self.protocols,
            unseen: Unseen::default(),
            ends: Vec::new(),
        }
    }
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ending {
    /// It ended as it should.
    pub(crate) whole: bool,
    /// What was said at the end.
    pub(crate) close: Option<Close>,
    /// Facts that belong to no message.
    pub(crate) anomalies: Anomalies,
}
