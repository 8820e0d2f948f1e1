//! An HTTP/1 connection: two readers and the pairing between them.

mod account;
mod bodies;
mod endings;
mod evidence;
mod goes_on;
mod heads;
mod rest;
mod resync;
mod warm;

pub(crate) use evidence::anomaly_of;
pub(crate) use rest::Rest;

use self::account::Account;
use crate::connection::Beginning;
use crate::h1::pairing::{Paired, Pairer, Progress};
use crate::h1::reader::{Place, Reader};
use crate::output::Output;
use crate::stream::Ongoing;
use crate::talk::{Next, Switch, Talk, Upgrade};
use crate::{Anomalies, Anomaly, Direction, Exchange, ExchangeSink, FlowStamp, ProxyHeader, Seen, Unseen};
use tapwire_flow::{Chunk, Patience, StreamEvent, StreamOffset};
use tapwire_wire::Side;

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
    account: Account,
    /// Where the answer seen last says that the next request begins.
    next_request_at: Option<StreamOffset>,
    /// HTTP has given way to something else, unless a message shows within.
    tunnelled: bool,
    /// The answer that was read last asks to go on in a protocol that is known.
    asks_for: Option<Upgrade>,
    /// What the connection goes on in.
    switch: Option<Box<Switch>>,
    /// The tunnel that CONNECT opened begins with TLS.
    tunnels_tls: bool,
    /// What is known of the client's pipelining has been passed on.
    known_to_pipeline: bool,
    /// The answer that goes on behind its report.
    ongoing: Option<Box<Ongoing>>,
    /// The table was asked to tell the time.
    watched: bool,
    /// Bytes on the heap that were counted for it.
    charged: u32,
}

impl Conversation {
    /// `expects_proxy`: this server is spoken to through a proxy that sends PROXY headers.
    pub(crate) fn new(
        client: Side,
        proxy: Option<ProxyHeader>,
        expects_proxy: bool,
        beginning: impl Fn(Side) -> Beginning,
        missing_from: impl Fn(Side) -> Option<StreamOffset>,
    ) -> Self {
        Self {
            expects_proxy: expects_proxy && proxy.is_none(),
            client,
            proxy,
            requests: Reader::new(beginning(client)),
            responses: Reader::new(beginning(client.peer())),
            pairer: Pairer::new(),
            account: Account::new(missing_from(client), missing_from(client.peer())),
            next_request_at: None,
            tunnelled: false,
            asks_for: None,
            switch: None,
            tunnels_tls: false,
            known_to_pipeline: false,
            ongoing: None,
            watched: false,
            charged: 0,
        }
    }

    pub(crate) fn expect_pipelining(&mut self) {
        self.pairer.expect_pipelining();
        self.known_to_pipeline = true;
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

    /// Takes the bytes of `chunk` from `skip` on, up to a switch.
    pub(crate) fn data<E: ExchangeSink>(
        &mut self,
        out: &mut Output<'_, E>,
        chunk: &Chunk<'_>,
        skip: usize,
    ) -> usize {
        let direction = self.direction(chunk.side);
        self.reader(direction).hear(chunk.time, chunk.frame);
        let mut used = skip;
        while let Some(rest) = chunk.bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let at = chunk.at + used as u64;
            used += self.step(out, direction, chunk, at, rest);
            if self.tunnels_tls {
                return used;
            }
            if self.asks_for.is_some() {
                self.settle(out, false);
                self.asks_for = None;
                if self.switch.is_some() {
                    return used;
                }
            }
        }
        let reader = self.reader(direction);
        reader.next = Some(chunk.at + chunk.bytes.len() as u64);
        reader.previous_peer_at = chunk.peer_at.or(reader.previous_peer_at);
        self.settle(out, false);
        self.watch(out);
        chunk.bytes.len()
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
            self.finish(direction, Some(at));
            return 0;
        }
        match self.reader(direction).place {
            Place::Boundary => self.boundary(out, direction, chunk, at, rest),
            Place::Head => self.more_head(out, direction, rest),
            Place::Length(0) => {
                self.finish(direction, Some(at));
                0
            }
            Place::Length(remaining) => self.length(out, direction, rest, remaining),
            Place::Chunked(_) => self.chunked(out, direction, at, rest),
            Place::UntilClose => {
                self.body(out, direction, rest);
                rest.len()
            }
            // Empty lines behind a CONNECT or its answer belong to neither HTTP nor the tunnel.
            Place::Undecided(end) if end == at && is_blank(rest) => {
                self.reader(direction).place = Place::Undecided(at + rest.len() as u64);
                out.counters.blank_bytes += rest.len() as u64;
                rest.len()
            }
            Place::TunnelStart if is_blank(rest) => {
                out.counters.blank_bytes += rest.len() as u64;
                rest.len()
            }
            Place::Undecided(_) | Place::Tunnel => {
                out.counters.tunnel_bytes += rest.len() as u64;
                rest.len()
            }
            Place::TunnelStart => {
                self.enter_tunnel(direction, rest);
                0
            }
            Place::Lost => self.lost(out, direction, chunk, at, rest),
        }
    }

    fn settle<E: ExchangeSink>(&mut self, out: &mut Output<'_, E>, closed: bool) {
        self.end_ongoing(out);
        if !closed && !self.pairer.may_settle() {
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
        if self.pairer.pipelines() && !self.known_to_pipeline {
            out.remember_pipelining(out.flow.key.endpoint(self.client));
            self.known_to_pipeline = true;
        }
        let pipelines = self.known_to_pipeline;
        let (client, proxy, account) = (self.client, self.proxy, &mut self.account);
        let (asks_for, switch, ongoing) = (self.asks_for, &mut self.switch, &mut self.ongoing);
        self.pairer.settle(progress, |paired| {
            let unseen = account.enter(&paired, pipelines);
            let mut exchange = exchange_of(out.stamp(client, proxy), paired, unseen);
            if goes_on(&exchange) {
                *ongoing = Some(Box::new(Ongoing::of(&mut exchange)));
            }
            match asks_for.filter(|_| switches(&exchange)) {
                Some(to) if switch.is_none() => *switch = Some(Box::new(Switch { to, exchange })),
                _ => out.exchange(exchange),
            }
        });
    }
}

fn exchange_of(flow: FlowStamp, paired: Paired, unseen: Unseen) -> Exchange {
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
        stream: None,
        child: None,
        protocols: &["http/1.1"],
        unseen,
        ends: Vec::new(),
    }
}

/// Whether its answer is the one that leaves HTTP/1.
fn switches(exchange: &Exchange) -> bool {
    exchange.response.as_ref().is_some_and(|response| response.head.status == Some(101))
}

impl<E: ExchangeSink> Talk<E> for Conversation {
    fn data(&mut self, out: &mut Output<'_, E>, chunk: &Chunk<'_>, skip: usize) -> usize {
        Self::data(self, out, chunk, skip)
    }

    fn event(&mut self, out: &mut Output<'_, E>, event: &StreamEvent<'_>) {
        match event {
            StreamEvent::Gap(gap) => self.gap(out, gap),
            StreamEvent::Fin(side) => self.fin(out, *side),
            StreamEvent::Evidence(side, at, evidence) => self.evidence(*side, *at, *evidence),
            StreamEvent::Again { chunk, odd_ttl } => self.again(chunk, *odd_ttl),
            StreamEvent::Time(now) => self.time(out, *now),
            StreamEvent::Close(reason) => self.close(out, *reason),
            StreamEvent::Data(_) => {}
        }
    }

    fn patience(&self) -> Patience {
        if self.tunnelled || self.ongoing.is_some() {
            Patience::LongLived
        } else if self.pairer.is_idle() {
            Patience::Idle
        } else {
            Patience::Open
        }
    }

    fn recount(&mut self) -> (usize, usize) {
        Self::recount(self)
    }

    fn becomes(&mut self) -> Option<Next> {
        if std::mem::take(&mut self.tunnels_tls) {
            return Some(Next::Tls);
        }
        self.switch.take().map(Next::Upgraded)
    }

    fn warm(&self) {
        Self::warm(self);
    }
}

/// Whether its answer had not ended when it was decided.
fn goes_on(exchange: &Exchange) -> bool {
    exchange.response.as_ref().is_some_and(|response| response.seen == Seen::Ongoing)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}
