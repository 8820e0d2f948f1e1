//! The sink of stream events: probes each connection and hands it to its protocol.

use crate::connection::{Connection, Held, State, Unknown, Verdict};
use crate::h1::conversation::Conversation;
use crate::h1::{Start, probe};
use crate::h2::conversation::{Conversation as Http2, Proof};
use crate::h2::search;
use crate::output::{Config, Counters, Output, Pipelining};
use crate::remembered::Remembered;
use crate::talk::{Next, Switch, Talk, Upgrade};
use crate::tls::{self, Facts, KeyStore, Layer, Parked, Services, Shared, TlsConfig, TlsCounters};
use crate::websocket::{Inflaters, Socket};
use crate::{ConnectionEnd, ExchangeSink, Kind, Message};
use std::sync::Arc;
use tapwire_flow::{Chunk, CloseReason, FlowInfo, Knock, Patience, StreamEvent, StreamSink};
use tapwire_wire::{Datagram, Endpoint, Side, Timestamp};

/// A wire protocol, as `tapwire list protocols` shows it.
#[derive(Debug, Clone, Copy)]
pub struct ProtocolInfo {
    /// Its name in events.
    pub name: &'static str,
    /// What is read of it.
    pub summary: &'static str,
}

/// Every wire protocol that is read or recognised.
pub const PROTOCOLS: &[ProtocolInfo] = &[
    ProtocolInfo {
        name: "http/1.1",
        summary: "HTTP/0.9, 1.0 and 1.1: framing by RFC 9112, lenient where peers are, every deviation named",
    },
    ProtocolInfo {
        name: "proxy",
        summary: "PROXY protocol versions 1 and 2 in front of a stream: names the client",
    },
    ProtocolInfo {
        name: "websocket",
        summary: "RFC 6455 behind an upgrade or on a stream of HTTP/2, with permessage-deflate: each message and the end as a child of the handshake",
    },
    ProtocolInfo {
        name: "tls",
        summary: "TLS 1.0 to 1.3: hellos, certificates, JA3, JA3S, JA4; decrypted with the keys that are given, else estimated",
    },
    ProtocolInfo {
        name: "quic",
        summary: "versions 1 and 2: the client's hello in its first packets, so that HTTP/3 shows; exchanges are not read",
    },
    ProtocolInfo {
        name: "http/2",
        summary: "RFC 9113 by prior knowledge and by Upgrade, joined anywhere: streams, trailers, pushes; own HPACK, in \
                  which what is unknown stays unknown",
    },
    ProtocolInfo { name: "ssh", summary: "recognised and counted, not read" },
];

/// Turns the stream events of all connections into exchanges, in the order in which they end.
#[derive(Debug)]
pub struct Protocols<E> {
    sink: E,
    config: Config,
    counters: Counters,
    exchanges: u64,
    messages: u64,
    spare: Option<Box<Message>>,
    /// Servers in front of which PROXY headers were seen.
    proxied: Remembered<Endpoint, MAX_PROXIED>,
    /// Bytes on the heap of all connections' states.
    held: usize,
    /// Addresses of clients that were seen not to wait for answers.
    pipelining: Pipelining,
    /// Ended with something missing since the last exchange.
    ends: Vec<ConnectionEnd>,
    /// What TLS connections share. It is away while one of them reads.
    tls: Option<Box<Shared>>,
    /// What is known of the TLS around the connection that is read now.
    around: Option<Arc<Facts>>,
    /// In how many nanoseconds the connection of this event wants to be told the time.
    alarm: Option<i64>,
    /// What undoes permessage-deflate.
    inflaters: Inflaters,
    /// Room for payload without its mask.
    unmasked: Vec<u8>,
}

/// How often a silent connection that waits for keys looks for them: nanoseconds of packet time.
const LOOK_AGAIN: i64 = 200_000_000;

/// Servers behind PROXY headers that are remembered.
const MAX_PROXIED: usize = 1_024;

impl<E: ExchangeSink> Protocols<E> {
    /// With `sink` to take what ends.
    pub fn new(config: Config, sink: E) -> Self {
        Self {
            sink,
            config,
            counters: Counters::default(),
            exchanges: 0,
            messages: 0,
            spare: None,
            proxied: Remembered::default(),
            held: 0,
            pipelining: Remembered::default(),
            ends: Vec::new(),
            tls: None,
            around: None,
            alarm: None,
            inflaters: Inflaters::default(),
            unmasked: Vec::new(),
        }
    }

    /// Where keys of TLS connections go, at any time.
    pub fn keys(&mut self) -> &mut KeyStore {
        &mut self.tls.get_or_insert_default().keys
    }

    /// Which TLS connections may be decrypted.
    pub fn configure_tls(&mut self, config: TlsConfig) {
        self.tls.get_or_insert_default().config = config;
    }

    /// What came of TLS connections.
    pub fn tls_counters(&self) -> TlsCounters {
        let counted = |shared: &Shared| TlsCounters { keys: shared.keys.counters(), ..shared.counters };
        self.tls.as_deref().map(counted).unwrap_or_default()
    }

    /// A UDP datagram: it may begin a QUIC connection.
    pub fn datagram(&mut self, datagram: &Datagram<'_>) {
        if tls::may_begin_quic(datagram.payload) {
            self.tls.get_or_insert_default().quic(datagram);
        }
    }

    /// Services behind TLS so far: asked once, when everything is done.
    pub fn take_services(&mut self) -> Services {
        self.tls.as_deref_mut().map(|shared| std::mem::take(&mut shared.services)).unwrap_or_default()
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut E {
        &mut self.sink
    }

    /// The sink, when everything is done.
    pub fn into_sink(self) -> E {
        self.sink
    }

    /// What came in and what became of it.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Connections that ended with something missing after the last exchange: asked once, when everything is done.
    pub fn take_ends(&mut self) -> Vec<ConnectionEnd> {
        std::mem::take(&mut self.ends)
    }

    /// How much of bodies is copied from now on: the pipeline turns it down under pressure.
    pub fn limit_bodies(&mut self, body_bytes: usize, body_parts: bool) {
        self.config = Config { body_bytes, body_parts, ..self.config };
    }

    fn data(&mut self, flow: &FlowInfo, state: &mut State, chunk: &Chunk<'_>) {
        self.count_in(chunk.bytes.len());
        self.read(flow, state, chunk);
    }

    /// Looks what a connection speaks of which that is not known. How many bytes of the chunk were used up by that; `None` where
    /// all were.
    fn begin(&mut self, flow: &FlowInfo, state: &mut State, chunk: &Chunk<'_>) -> Option<usize> {
        let State::Unknown(kept) = state else { return Some(0) };
        let mut fresh = Unknown::default();
        let unknown = kept.as_deref_mut().unwrap_or(&mut fresh);
        match unknown.data(chunk, flow.initiator) {
            Verdict::Wait(kind) => {
                if kept.is_none() {
                    *kept = Some(Box::new(fresh));
                }
                self.count_opaque(kind, chunk.bytes.len());
                None
            }
            Verdict::Opaque(kind) => {
                *state = State::Opaque(kind);
                self.count_opaque(kind, chunk.bytes.len());
                None
            }
            Verdict::Tls { held, skip, client } => {
                let layer = Layer::new(client, unknown.proxy);
                *state = State::Tls(Box::new(layer));
                self.count_opaque(Kind::Unknown, skip);
                if let Some(held) = held {
                    self.tls_event(flow, state, &StreamEvent::Data(held.chunk()));
                }
                Some(skip)
            }
            Verdict::Http1 { held, skip, client } => {
                let http = self.begin_http1(flow, unknown, held, client);
                *state = State::Http1(Box::new(http));
                self.count_opaque(Kind::Unknown, skip);
                Some(skip)
            }
            Verdict::WebSocket { client } => {
                let socket = Socket::joined(&self.output(flow), client, chunk);
                *state = State::WebSocket(Box::new(socket));
                Some(0)
            }
            Verdict::Http2 { held, skip, client, proof } => {
                let http = self.begin_http2(flow, unknown, held, client, proof);
                *state = State::Http2(Box::new(http));
                self.count_opaque(Kind::Unknown, skip);
                Some(skip)
            }
        }
    }

    fn read(&mut self, flow: &FlowInfo, state: &mut State, chunk: &Chunk<'_>) {
        let Some(mut used) = self.begin(flow, state, chunk) else { return };
        if let State::Tls(_) = state {
            return self.tls_data(flow, state, chunk, used);
        }
        // A protocol uses up all bytes, or gives way to another, which happens at most as often as there are bytes.
        while used < chunk.bytes.len() {
            let Some(talk) = state.talk::<E>() else {
                return self.count_opaque(state.kind(), chunk.bytes.len() - used);
            };
            let until = talk.data(&mut self.output(flow), chunk, used).clamp(used, chunk.bytes.len());
            if talk.is_refuted() {
                // Only the first thing that is done with a chunk refutes: a guess is made, and made again, once a chunk.
                let (charged, _) = talk.recount();
                self.held = self.held.saturating_sub(charged);
                *state = State::Unknown(Some(Box::new(Unknown::again())));
                return self.read(flow, state, chunk);
            }
            let switch = talk.becomes();
            self.add_flow_bytes(state.kind(), until - used);
            used = until;
            match switch {
                Some(Next::Upgraded(switch)) => self.switch(flow, state, *switch),
                Some(Next::Tls) => {
                    self.enter_tls(flow, state, chunk.side);
                    return self.tls_data(flow, state, chunk, used);
                }
                None => return,
            }
        }
    }

    /// TLS takes what follows in the chunk.
    fn tls_data(&mut self, flow: &FlowInfo, state: &mut State, chunk: &Chunk<'_>, used: usize) {
        self.count_opaque(Kind::Tls, chunk.bytes.len() - used);
        let bytes = chunk.bytes.get(used..).unwrap_or_default();
        let rest = Chunk { bytes, at: chunk.at + used as u64, ..*chunk };
        self.tls_event(flow, state, &StreamEvent::Data(rest));
    }

    /// HTTP/1 begins here, with what was held as its first bytes.
    fn begin_http1(
        &mut self,
        flow: &FlowInfo,
        unknown: &Unknown,
        held: Option<Held>,
        client: Side,
    ) -> Conversation {
        let handshake = flow.initiator.is_some();
        let server = *flow.key.endpoint(client.peer());
        if unknown.proxy.is_some() {
            self.proxied.add(server);
        }
        let expects_proxy = self.proxied.has(&server);
        let mut http = Conversation::new(
            client,
            unknown.proxy,
            expects_proxy,
            |side| unknown.beginning(side, handshake, expects_proxy),
            |side| unknown.missing_from(side, handshake, expects_proxy),
        );
        if self.pipelining.has(flow.key.endpoint(client).octets()) {
            http.expect_pipelining();
        }
        for side in [Side::Lower, Side::Upper] {
            http.expect(side, unknown.noted(side));
        }
        if let Some(held) = held {
            let chunk = held.chunk();
            self.recount_as(Kind::Http1, chunk.bytes.len());
            http.data(&mut self.output(flow), &chunk, 0);
        }
        http
    }

    /// HTTP/2 begins here, in the same way.
    fn begin_http2(
        &mut self,
        flow: &FlowInfo,
        unknown: &Unknown,
        held: Option<Held>,
        client: Side,
        proof: Proof,
    ) -> Http2 {
        if unknown.proxy.is_some() {
            self.proxied.add(*flow.key.endpoint(client.peer()));
        }
        // Nothing of a server's tells anything before the preface, whether or not the handshake was seen.
        let watched = flow.initiator.is_some() || proof == Proof::Preface;
        let mut http = Http2::new(client, unknown.proxy, proof, |side| watched && unknown.is_at_start(side));
        for side in [Side::Lower, Side::Upper] {
            http.expect(side, unknown.noted(side));
        }
        if let Some(held) = held {
            let chunk = held.chunk();
            self.recount_as(Kind::Http2, chunk.bytes.len());
            http.data(&mut self.output(flow), &chunk, 0);
        }
        http
    }

    /// The connection goes on in another protocol. What still waited in the one before is told first.
    fn switch(&mut self, flow: &FlowInfo, state: &mut State, switch: Switch) {
        self.leave(flow, state);
        let mut out = self.output(flow);
        *state = match switch.to {
            Upgrade::WebSocket => {
                let socket = Socket::open(&mut out, switch.exchange, &["http/1.1", "websocket"]);
                State::WebSocket(Box::new(socket))
            }
            Upgrade::H2c => State::Http2(Box::new(Http2::upgraded(&mut out, switch.exchange))),
        };
    }

    /// The connection goes on in TLS, of that client.
    fn enter_tls(&mut self, flow: &FlowInfo, state: &mut State, client: Side) {
        self.leave(flow, state);
        *state = State::Tls(Box::new(Layer::new(client, None)));
    }

    fn leave(&mut self, flow: &FlowInfo, state: &mut State) {
        if let Some(talk) = state.talk::<E>() {
            talk.event(&mut self.output(flow), &StreamEvent::Close(CloseReason::Fin));
            let (charged, _) = talk.recount();
            self.held = self.held.saturating_sub(charged);
        }
    }

    fn count_opaque(&mut self, kind: Kind, bytes: usize) {
        self.counters.opaque_bytes += bytes as u64;
        self.add_flow_bytes(kind, bytes);
    }

    /// Bytes came in; decrypted ones came in as those of TLS, which they are no more.
    fn count_in(&mut self, bytes: usize) {
        let counters = &mut self.counters;
        let bytes = bytes as u64;
        if self.around.is_none() {
            counters.bytes_in += bytes;
            return;
        }
        counters.opaque_bytes = counters.opaque_bytes.saturating_sub(bytes);
        if let Some(encrypted) = counters.flow_bytes.get_mut(Kind::Tls as usize) {
            *encrypted = encrypted.saturating_sub(bytes);
        }
    }

    /// Held bytes were counted when they came, as nothing known.
    fn recount_as(&mut self, kind: Kind, bytes: usize) {
        let counters = &mut self.counters;
        counters.opaque_bytes = counters.opaque_bytes.saturating_sub(bytes as u64);
        if let Some(unknown) = counters.flow_bytes.get_mut(Kind::Unknown as usize) {
            *unknown = unknown.saturating_sub(bytes as u64);
        }
        self.add_flow_bytes(kind, bytes);
    }

    fn add_flow_bytes(&mut self, kind: Kind, bytes: usize) {
        if let Some(count) = self.counters.flow_bytes.get_mut(kind as usize) {
            *count += bytes as u64;
        }
    }

    /// TLS takes an event; what it decrypts are events of the connection inside.
    fn tls_event(&mut self, flow: &FlowInfo, state: &mut State, event: &StreamEvent<'_>) {
        let State::Tls(layer) = state else { return };
        let was_waiting = layer.is_waiting();
        // TLS inside TLS finds none, and is not decrypted.
        let mut shared = self.tls.take().unwrap_or_default();
        let around = self.around.take();
        layer.event(&mut shared, flow, event, &mut |inner, facts, event| {
            if self.around.as_ref().is_none_or(|around| !Arc::ptr_eq(around, facts)) {
                self.around = Some(Arc::clone(facts));
            }
            self.event(flow, inner, event);
        });
        self.around = around;
        self.tls = Some(shared);
        if layer.is_waiting() && (!was_waiting || matches!(event, StreamEvent::Time(_))) {
            // It may fall silent before its keys come.
            self.alarm = Some(self.alarm.map_or(LOOK_AGAIN, |other| other.min(LOOK_AGAIN)));
        }
    }

    /// New keys may have come, or time has passed until `now`: what waited for one or the other goes on.
    pub fn look_for_keys(&mut self, now: Timestamp) {
        while let Some(parked) = self.tls.as_deref_mut().and_then(|shared| shared.unpark(now)) {
            self.end_parked(parked);
        }
    }

    /// Everything is over: what still waits for keys gets none.
    pub fn finish(&mut self) {
        while let Some(parked) = self.tls.as_deref_mut().and_then(Shared::unpark_oldest) {
            self.end_parked(parked);
        }
    }

    /// A connection that ended while it waited for keys goes on to its end.
    fn end_parked(&mut self, parked: Parked) {
        // The alarm is one of the connection that is read now; this one is told no time any more.
        let alarm = self.alarm.take();
        let Parked { flow, layer, reason } = parked;
        self.tls_event(&flow, &mut State::Tls(layer), &StreamEvent::Close(reason));
        self.alarm = alarm;
    }

    /// Keeps a connection that ended while it waited for keys.
    fn park(&mut self, flow: &FlowInfo, state: &mut State, reason: CloseReason) {
        if !matches!(state, State::Tls(layer) if layer.is_waiting()) {
            return;
        }
        let State::Tls(layer) = std::mem::replace(state, State::Opaque(Kind::Tls)) else { return };
        let flow = flow.clone();
        let shared = self.tls.get_or_insert_default();
        if let Some(oldest) = shared.park(Parked { flow, layer, reason }) {
            self.end_parked(oldest);
        }
    }

    fn close(&mut self, state: &State) {
        // What is inside another connection is none of its own.
        if self.around.is_some() {
            return;
        }
        if let Some(count) = self.counters.flows.get_mut(state.kind() as usize) {
            *count += 1;
        }
    }

    fn output<'a>(&'a mut self, flow: &'a FlowInfo) -> Output<'a, E> {
        Output {
            flow,
            sink: &mut self.sink,
            config: &self.config,
            counters: &mut self.counters,
            exchanges: &mut self.exchanges,
            messages: &mut self.messages,
            spare: &mut self.spare,
            pipelining: &mut self.pipelining,
            ends: &mut self.ends,
            tls: self.around.as_ref(),
            alarm: &mut self.alarm,
            inflaters: &mut self.inflaters,
            unmasked: &mut self.unmasked,
        }
    }
}

impl<E: ExchangeSink> StreamSink<Connection> for Protocols<E> {
    fn looks_like_start(&self, bytes: &[u8]) -> bool {
        matches!(probe(bytes), Start::Request | Start::Response)
            || search::looks_like_start(bytes)
            || tls::probe(bytes) == Some(true)
    }

    fn event(&mut self, flow: &FlowInfo, connection: &mut Connection, event: StreamEvent<'_>) {
        self.pass_time(&event);
        let before = connection.0.held();
        if let State::Resting(_) = connection.0 {
            wake(&mut connection.0);
        }
        let closed = matches!(event, StreamEvent::Close(_));
        match event {
            StreamEvent::Data(chunk) => self.data(flow, &mut connection.0, &chunk),
            event => self.other(flow, connection, event),
        }
        self.recount(before, &mut connection.0, closed);
    }

    fn knocked(&mut self, flow: &FlowInfo, knock: Knock) {
        if let Some(client) = flow.initiator {
            self.output(flow).knock(client, knock);
        }
    }

    fn warm(&self, connection: &Connection) {
        if let State::Tls(layer) = &connection.0 {
            self.warm(&layer.inner);
        } else if let Some(talk) = connection.0.talk_ref::<E>() {
            talk.warm();
        }
    }

    fn patience(&self, connection: &Connection) -> Patience {
        if let State::Tls(layer) = &connection.0 {
            return self.patience(&layer.inner);
        }
        connection.0.talk_ref::<E>().map_or(Patience::Idle, |talk| talk.patience())
    }

    fn take_alarm(&mut self) -> Option<i64> {
        self.alarm.take()
    }

    fn held(&self) -> usize {
        self.held + self.tls.as_ref().map_or(0, |shared| shared.parked.held() + shared.initials.held())
    }

    fn rest(&mut self, connection: &mut Connection) {
        let before = connection.0.held();
        if let State::Tls(layer) = &mut connection.0 {
            layer.rest();
            self.rest(&mut layer.inner);
            return self.recount(before, &mut connection.0, false);
        }
        let State::Http1(http) = &mut connection.0 else { return };
        let Some(rest) = http.rest() else { return };
        let (before, _) = Talk::<E>::recount(http.as_mut());
        connection.0 = State::Resting(Box::new(rest));
        self.recount(before, &mut connection.0, false);
    }
}

fn wake(state: &mut State) {
    if let State::Resting(rest) = std::mem::take(state) {
        *state = State::Http1(Box::new(Conversation::awake(*rest)));
    }
}

impl<E: ExchangeSink> Protocols<E> {
    /// Connections that ended before their keys came hear what time it is from the events of others.
    fn pass_time(&mut self, event: &StreamEvent<'_>) {
        if !self.tls.as_ref().is_some_and(|shared| shared.parked.is_some()) {
            return;
        }
        match event {
            StreamEvent::Data(chunk) => self.look_for_keys(chunk.time),
            StreamEvent::Time(now) => self.look_for_keys(*now),
            _ => {}
        }
    }

    /// Counts what a connection holds after an event; `before` is what it held, unless it keeps that itself.
    fn recount(&mut self, before: usize, state: &mut State, closed: bool) {
        let (before, now) = state.recount::<E>(before);
        self.held = (self.held + if closed { 0 } else { now }).saturating_sub(before);
    }

    /// Whatever is not data.
    fn other(&mut self, flow: &FlowInfo, connection: &mut Connection, event: StreamEvent<'_>) {
        if let State::Unknown(unknown) = &mut connection.0 {
            match &event {
                StreamEvent::Gap(gap) => unknown.get_or_insert_default().gap(gap),
                StreamEvent::Evidence(side, _, evidence) => {
                    unknown.get_or_insert_default().evidence(*side, *evidence);
                }
                _ => {}
            }
        }
        if let State::Tls(_) = connection.0 {
            self.tls_event(flow, &mut connection.0, &event);
        } else if let Some(talk) = connection.0.talk::<E>() {
            talk.event(&mut self.output(flow), &event);
        }
        if let StreamEvent::Close(reason) = event {
            if let (State::Unknown(unknown), Some(client)) = (&connection.0, flow.initiator)
                && let Some(unknown) = unknown
                && let Some(unseen) = unknown.unseen(client)
            {
                // When its holes were given up says nothing: that may have been long after.
                self.output(flow).end(client, unknown.proxy, unseen, flow.opened);
            }
            self.close(&connection.0);
            self.park(flow, &mut connection.0, reason);
        }
    }
}
