//! What leaves this crate, and what it counts.

use crate::h1::reader::Origin;
use crate::remembered::Remembered;
use crate::tls::Facts;
use crate::websocket::Inflaters;
use crate::{
    Anomalies, Anomaly, Body, BodyPart, ConnectionEnd, Exchange, ExchangeSink, FlowStamp, Frames, Head, Kind,
    Message, MessageId, Pairing, ProxyHeader, Seen, Unseen,
};
use std::sync::Arc;
use tapwire_flow::{FlowInfo, Knock};
use tapwire_wire::{Endpoint, Side, Timestamp};

/// What an operator can set about protocols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Body bytes that ride in an exchange; a longer body goes ahead in parts of this size. 0 copies no body byte.
    pub body_bytes: usize,
    /// Whether a body longer than `body_bytes` goes ahead in parts; otherwise it is cut there.
    pub body_parts: bool,
    /// Messages of one WebSocket or other stream that are told as exchanges of their own in one second of packet time;
    /// more are only counted.
    pub children_per_second: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { body_bytes: 64 << 10, body_parts: true, children_per_second: 100 }
    }
}

/// What came in and what became of it. Bytes in = heads + bodies + framing + blank + tunnel + lost + opaque, all of
/// them counted when they are consumed; heads still held at the end of a flow count when it closes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Stream bytes taken. Of TLS, those that were decrypted count as what they hold, and the rest as opaque.
    pub bytes_in: u64,
    /// Of heads, whole or cut.
    pub head_bytes: u64,
    /// Of bodies, transfer coding removed.
    pub body_bytes: u64,
    /// Of chunk heads, trailers and line ends.
    pub framing_bytes: u64,
    /// Empty lines between messages.
    pub blank_bytes: u64,
    /// Behind CONNECT or an upgrade.
    pub tunnel_bytes: u64,
    /// Behind a hole or garbage, where no boundary was known.
    pub lost_bytes: u64,
    /// Of connections that are not HTTP/1, or not any more, and PROXY headers.
    pub opaque_bytes: u64,
    /// Exchanges reported.
    pub exchanges: u64,
    /// Of those, with both halves.
    pub paired: u64,
    /// Of all exchanges, those whose pairing is not proven: halves that stand alone for want of proof too.
    pub uncertain: u64,
    /// Requests without their response.
    pub requests_alone: u64,
    /// Responses without their request.
    pub responses_alone: u64,
    /// Of the halves alone, those that were given up because too many waited.
    pub too_many_outstanding: u64,
    /// Exchanges that are a message or the end of one that was reported before.
    pub children: u64,
    /// Messages that became no exchange, because their stream had too many in one second.
    pub children_left_out: u64,
    /// Interim responses, which are part of an exchange.
    pub interim_responses: u64,
    /// Heads or bodies of which bytes are missing.
    pub truncated_messages: u64,
    /// Ends of connections with something missing that found no room to wait for the next exchange.
    pub ends_dropped: u64,
    /// Connections that carried nothing and found no room to wait.
    pub knocks_dropped: u64,
    /// Connections that left HTTP.
    pub tunnels: u64,
    /// Connections by [`crate::Kind`], in its order; counted when they close.
    pub flows: [u64; Kind::ALL.len()],
    /// Stream bytes by [`crate::Kind`], in its order; counted when they come.
    pub flow_bytes: [u64; Kind::ALL.len()],
}

impl Counters {
    /// Adds what another parser counted.
    pub fn add(&mut self, other: &Self) {
        // Every field, so that a new one is not forgotten.
        let Self {
            bytes_in,
            head_bytes,
            body_bytes,
            framing_bytes,
            blank_bytes,
            tunnel_bytes,
            lost_bytes,
            opaque_bytes,
            exchanges,
            paired,
            uncertain,
            requests_alone,
            responses_alone,
            too_many_outstanding,
            children,
            children_left_out,
            interim_responses,
            truncated_messages,
            ends_dropped,
            knocks_dropped,
            tunnels,
            flows,
            flow_bytes,
        } = other;
        self.bytes_in += bytes_in;
        self.head_bytes += head_bytes;
        self.body_bytes += body_bytes;
        self.framing_bytes += framing_bytes;
        self.blank_bytes += blank_bytes;
        self.tunnel_bytes += tunnel_bytes;
        self.lost_bytes += lost_bytes;
        self.opaque_bytes += opaque_bytes;
        self.exchanges += exchanges;
        self.paired += paired;
        self.uncertain += uncertain;
        self.requests_alone += requests_alone;
        self.responses_alone += responses_alone;
        self.too_many_outstanding += too_many_outstanding;
        self.children += children;
        self.children_left_out += children_left_out;
        self.interim_responses += interim_responses;
        self.truncated_messages += truncated_messages;
        self.ends_dropped += ends_dropped;
        self.knocks_dropped += knocks_dropped;
        self.tunnels += tunnels;
        self.flows.iter_mut().zip(flows).for_each(|(sum, count)| *sum += count);
        self.flow_bytes.iter_mut().zip(flow_bytes).for_each(|(sum, count)| *sum += count);
    }
}

/// Where a connection's messages go, for the time of one event.
pub(crate) struct Output<'a, E> {
    pub(crate) flow: &'a FlowInfo,
    pub(crate) sink: &'a mut E,
    pub(crate) config: &'a Config,
    pub(crate) counters: &'a mut Counters,
    pub(crate) exchanges: &'a mut u64,
    pub(crate) messages: &'a mut u64,
    pub(crate) spare: &'a mut Option<Box<Message>>,
    pub(crate) pipelining: &'a mut Pipelining,
    pub(crate) ends: &'a mut Vec<ConnectionEnd>,
    /// What is known of the TLS around the connection.
    pub(crate) tls: Option<&'a Arc<Facts>>,
    /// In how many nanoseconds of packet time the connection wants to be told the time.
    pub(crate) alarm: &'a mut Option<i64>,
    /// What undoes permessage-deflate.
    pub(crate) inflaters: &'a mut Inflaters,
    /// Room for payload without its mask.
    pub(crate) unmasked: &'a mut Vec<u8>,
}

/// Ends that wait for the next exchange.
const MAX_ENDS: usize = 4_096;

/// Addresses of clients that were seen not to wait for answers; the rest is found out again on each connection.
pub(crate) type Pipelining = Remembered<[u8; 16], 1_024>;

/// Body buffers larger than this are not kept for reuse.
const KEEP_BODY: usize = 64 << 10;

impl<E: ExchangeSink> Output<'_, E> {
    /// An empty message that begins at `origin`.
    pub(crate) fn message(&mut self, origin: Origin) -> Box<Message> {
        *self.messages += 1;
        let id = MessageId(*self.messages);
        let frames = Frames { first: origin.frame, last: origin.frame };
        match self.spare.take().or_else(|| self.sink.spare()) {
            Some(mut message) => {
                message.id = id;
                message.head.clear();
                message.body.clear(KEEP_BODY);
                message.at = origin.at;
                message.peer_at = origin.peer_at;
                message.started = origin.time;
                message.ended = origin.time;
                message.pauses = 0;
                message.frames = frames;
                message.source = origin.source;
                message.seen = Seen::Complete;
                message.missed_bytes = 0;
                message.anomalies = Anomalies::default();
                message
            }
            None => Box::new(Message {
                id,
                head: Head::default(),
                body: Body::default(),
                at: origin.at,
                peer_at: origin.peer_at,
                started: origin.time,
                ended: origin.time,
                pauses: 0,
                frames,
                source: origin.source,
                seen: Seen::Complete,
                missed_bytes: 0,
                anomalies: Anomalies::default(),
            }),
        }
    }

    /// A client that does not wait on one connection is not trusted to wait on another.
    pub(crate) fn remember_pipelining(&mut self, client: &Endpoint) {
        self.pipelining.add(*client.octets());
    }

    /// A message that came to nothing; the next one uses its buffers.
    pub(crate) fn give_back(&mut self, message: Box<Message>) {
        *self.spare = Some(message);
    }

    /// Adds body bytes to a message, sending a full load ahead.
    pub(crate) fn body(&mut self, message: &mut Message, bytes: &[u8]) {
        self.counters.body_bytes += bytes.len() as u64;
        self.keep(message, bytes);
    }

    /// The same for bytes that were counted as they came.
    pub(crate) fn keep(&mut self, message: &mut Message, bytes: &[u8]) {
        let body = &mut message.body;
        body.len += bytes.len() as u64;
        if body.cut || self.config.body_bytes == 0 {
            body.cut = true;
            return;
        }
        let mut rest = bytes;
        loop {
            let room = self.config.body_bytes.saturating_sub(message.body.bytes.len());
            let (fits, more) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            message.body.bytes.extend_from_slice(fits);
            if more.is_empty() {
                return;
            }
            if !self.config.body_parts {
                message.body.cut = true;
                return;
            }
            self.send_part(message);
            rest = more;
        }
    }

    /// Holds nothing of a body any more: sends it ahead, or cuts it where that is not wanted.
    pub(crate) fn relieve(&mut self, message: &mut Message) {
        if self.config.body_parts && !message.body.bytes.is_empty() {
            self.send_part(message);
        }
        message.body.cut |= !self.config.body_parts;
        if message.body.bytes.is_empty() {
            message.body.bytes = Vec::new();
        }
    }

    fn send_part(&mut self, message: &mut Message) {
        let content = (!message.body.parts).then(|| {
            let value = |name: &[u8]| message.head.header(name).map(|value| value.bytes().to_vec());
            let own = message.body.media_type.map(|media_type| media_type.as_bytes().to_vec());
            let content_type = own.or_else(|| value(b"content-type"));
            (content_type.unwrap_or_default(), value(b"content-encoding").unwrap_or_default())
        });
        let bytes = std::mem::replace(&mut message.body.bytes, Vec::with_capacity(self.config.body_bytes));
        message.body.parts = true;
        self.sink.body_part(BodyPart { message: message.id, flow: self.flow.id, content, bytes });
    }

    /// The connection as an exchange of it carries it.
    pub(crate) fn stamp(&self, client: Side, proxy: Option<ProxyHeader>) -> FlowStamp {
        FlowStamp {
            id: self.flow.id,
            key: self.flow.key,
            client,
            vlan: self.flow.vlan,
            overlay: self.flow.overlay,
            proxy,
            joined_late: self.flow.initiator.is_none(),
            tls: self.tls.cloned(),
        }
    }

    /// The connection ended; what is missing at its end travels with the next exchange of any connection.
    pub(crate) fn end(&mut self, client: Side, proxy: Option<ProxyHeader>, unseen: Unseen, time: Timestamp) {
        if unseen.is_nothing() {
            return;
        }
        if self.ends.len() >= MAX_ENDS {
            self.counters.ends_dropped += 1;
            return;
        }
        let (flow, source) = (self.stamp(client, proxy), self.flow.source);
        self.ends.push(ConnectionEnd { flow, unseen, time, knock: None, source });
    }

    /// The connection ended, and nobody said a word on it: that travels likewise, and takes half of the room at most.
    pub(crate) fn knock(&mut self, client: Side, knock: Knock) {
        if self.ends.len() >= MAX_ENDS / 2 {
            self.counters.knocks_dropped += 1;
            return;
        }
        let (flow, time, source) = (self.stamp(client, None), self.flow.opened, self.flow.source);
        self.ends.push(ConnectionEnd { flow, unseen: Unseen::default(), time, knock: Some(knock), source });
    }

    /// Numbers an exchange and sends it on.
    pub(crate) fn exchange(&mut self, mut exchange: Exchange) {
        *self.exchanges += 1;
        exchange.number = *self.exchanges;
        exchange.ends = std::mem::take(self.ends);
        if let Some(facts) = self.tls {
            exchange.anomalies |= facts.anomalies;
        }
        self.count(&exchange);
        self.sink.exchange(exchange);
    }

    fn count(&mut self, exchange: &Exchange) {
        let counters = &mut *self.counters;
        counters.exchanges += 1;
        let overflow = [&exchange.request, &exchange.response]
            .into_iter()
            .flatten()
            .any(|half| half.anomalies.contains(Anomaly::TooManyOutstanding));
        counters.too_many_outstanding += u64::from(overflow);
        match (&exchange.request, &exchange.response) {
            _ if exchange.child.is_some() => counters.children += 1,
            (Some(_), Some(_)) => counters.paired += 1,
            (Some(_), None) => counters.requests_alone += 1,
            _ => counters.responses_alone += 1,
        }
        if exchange.pairing == Pairing::Uncertain {
            counters.uncertain += 1;
        }
        let halves = [&exchange.request, &exchange.response];
        let truncated = halves.into_iter().flatten().filter(|message| message.seen == Seen::Truncated);
        counters.truncated_messages += truncated.count() as u64;
    }
}
