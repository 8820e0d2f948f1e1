//! What the lower layers make of a capture: wire, flow and protocol, on one thread and without files.

use crate::Capture;
use tapwire_flow::{FlowTable, StreamSink};
use tapwire_protocol::tls::{KeyStore, Services, TlsCounters};
use tapwire_protocol::{
    Anomaly, BodyPart, Connection, Exchange, ExchangeSink, Head, Message, Pairing, Protocols, Seen, Uid,
};
use tapwire_wire::{Decoded, Decoder, FlowKey, FragmentCounters};

/// An exchange as the sensor reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The request's method, when its line was seen.
    pub method: Option<String>,
    /// The request's target as sent.
    pub target: Option<String>,
    /// The response's status.
    pub status: Option<u16>,
    /// The number the request carries: `X-Exchange`, or `n` in the query.
    pub request: Option<u64>,
    /// The number the response carries.
    pub response: Option<u64>,
    /// How well the request was seen; `Missing` without one.
    pub request_seen: Seen,
    /// How well the response was seen; `Missing` without one.
    pub response_seen: Seen,
    /// Body lengths of request and response.
    pub body_len: [u64; 2],
    /// Whether the sensor vouches for the pair.
    pub pairing: Pairing,
    /// Of the exchange and its halves.
    pub anomalies: Vec<Anomaly>,
    /// Its identity.
    pub uid: Uid,
    /// The connection's number and key.
    pub flow: (u64, FlowKey),
}

impl Row {
    /// Both halves are there.
    pub fn is_pair(&self) -> bool {
        self.request_seen != Seen::Missing && self.response_seen != Seen::Missing
    }

    /// Both halves are there and carry different numbers: one caller's answer given to another.
    pub fn is_wrong(&self) -> bool {
        self.is_pair() && self.request.is_some() && self.response.is_some() && self.request != self.response
    }

    /// What stays the same when a capture is changed without loss: all but frame, time and flow number.
    pub fn facts(&self) -> Facts {
        (
            self.method.clone(),
            self.target.clone(),
            self.status,
            self.request,
            self.response,
            self.body_len,
            self.pairing == Pairing::Certain,
        )
    }
}

/// See [`Row::facts`].
pub type Facts = (Option<String>, Option<String>, Option<u16>, Option<u64>, Option<u64>, [u64; 2], bool);

/// Everything reported of a capture.
#[derive(Debug, Default)]
pub struct Sensed {
    /// Exchanges in the order of their end.
    pub rows: Vec<Row>,
    /// Body bytes that went ahead of their exchange.
    pub part_bytes: u64,
    /// What became of fragments.
    pub fragments: FragmentCounters,
    /// What the flow table counted.
    pub flow: tapwire_flow::Counters,
    /// What the protocols counted.
    pub protocol: tapwire_protocol::Counters,
    /// What TLS connections counted.
    pub tls: TlsCounters,
    /// Services behind TLS.
    pub services: Services,
}

impl Sensed {
    /// Pairs the sensor vouches for.
    pub fn certain(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.is_pair() && row.pairing == Pairing::Certain)
    }

    /// Certain pairs of strangers; must be empty always.
    pub fn wrong(&self) -> Vec<&Row> {
        self.certain().filter(|row| row.is_wrong()).collect()
    }

    /// The facts of every row, sorted: equal for captures that say the same.
    pub fn facts(&self) -> Vec<Facts> {
        let mut facts: Vec<Facts> = self.rows.iter().map(Row::facts).collect();
        facts.sort();
        facts
    }
}

/// Senses with the product's defaults.
pub fn sense(capture: &Capture) -> Sensed {
    sense_with(capture, tapwire_flow::Config::default(), tapwire_protocol::Config::default())
}

/// Senses with other limits.
pub fn sense_with(
    capture: &Capture,
    flow: tapwire_flow::Config,
    protocol: tapwire_protocol::Config,
) -> Sensed {
    read(capture, flow, protocol, &[])
}

/// Senses with the product's defaults, and with pieces of a key log, or private RSA keys in PEM, that come before the packet at their place, from 0.
pub fn sense_keyed(capture: &Capture, keys: &[(usize, &[u8])]) -> Sensed {
    read(capture, tapwire_flow::Config::default(), tapwire_protocol::Config::default(), keys)
}

fn read(
    capture: &Capture,
    flow: tapwire_flow::Config,
    protocol: tapwire_protocol::Config,
    keys: &[(usize, &[u8])],
) -> Sensed {
    let mut table: FlowTable<Connection> = FlowTable::new(flow);
    let mut protocols = Protocols::new(protocol, Rows::default());
    let mut decoder = Decoder::new(tapwire_wire::Config::default());
    if !keys.is_empty() {
        protocols.keys().expect();
    }
    for (place, packet) in capture.packets.iter().enumerate() {
        for (_, text) in keys.iter().filter(|(at, _)| *at == place) {
            give(text, protocols.keys());
            protocols.look_for_keys(packet.time);
        }
        match decoder.decode(&packet.packet()) {
            Decoded::Segment(segment) => table.handle(&segment, &mut protocols),
            Decoded::Skip(_) => {
                tapwire_wire::datagram(&packet.packet())
                    .iter()
                    .for_each(|datagram| protocols.datagram(datagram));
            }
        }
    }
    table.finish(&mut protocols);
    protocols.finish();
    assert_eq!(protocols.held(), 0, "what connections held was counted up and down alike");
    let (flow, protocol) = (table.counters().clone(), *protocols.counters());
    let (tls, services) = (protocols.tls_counters(), protocols.take_services());
    let Rows { rows, part_bytes } = protocols.into_sink();
    Sensed { rows, part_bytes, fragments: *decoder.fragments(), flow, protocol, tls, services }
}

/// A private RSA key in PEM, or lines of a key log.
fn give(text: &[u8], keys: &mut KeyStore) {
    match std::str::from_utf8(text) {
        Ok(pem) if pem.starts_with("-----BEGIN") => keys.add_rsa(pem).expect("an RSA key"),
        _ => keys.feed(text),
    }
}

/// The exchanges of a capture of plain Ethernet, by default configuration, in the order in which they end.
pub fn exchanges(capture: &Capture) -> Vec<Exchange> {
    let mut table = FlowTable::new(tapwire_flow::Config::default());
    let mut protocols = Protocols::new(tapwire_protocol::Config::default(), Exchanges::default());
    for segment in capture.packets.iter().filter_map(|packet| packet.segment()) {
        table.handle(&segment, &mut protocols);
    }
    table.finish(&mut protocols);
    protocols.into_sink().0
}

/// A sink that keeps what it is given, without bodies.
#[derive(Default)]
pub struct Exchanges(pub Vec<Exchange>);

impl ExchangeSink for Exchanges {
    fn exchange(&mut self, exchange: Exchange) {
        self.0.push(exchange);
    }

    fn body_part(&mut self, _part: BodyPart) {}
}

#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    part_bytes: u64,
}

impl ExchangeSink for Rows {
    fn exchange(&mut self, exchange: Exchange) {
        self.rows.push(row(&exchange));
    }

    fn body_part(&mut self, part: BodyPart) {
        self.part_bytes += part.bytes.len() as u64;
    }
}

fn row(exchange: &Exchange) -> Row {
    let (request, response) = (exchange.request.as_deref(), exchange.response.as_deref());
    let seen = |half: Option<&Message>| half.map_or(Seen::Missing, |message| message.seen);
    let length = |half: Option<&Message>| half.map_or(0, |message| message.body.len);
    let anomalies = exchange.all_anomalies();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Row {
        method: request.and_then(|message| message.head.method()).map(|method| text(method.bytes())),
        target: request.and_then(|message| message.head.target()).map(|target| text(target.bytes())),
        status: response.and_then(|message| message.head.status),
        request: request.and_then(|message| number(&message.head)),
        response: response.and_then(|message| number(&message.head)),
        request_seen: seen(request),
        response_seen: seen(response),
        body_len: [length(request), length(response)],
        pairing: exchange.pairing,
        anomalies: Anomaly::ALL.iter().copied().filter(|anomaly| anomalies.contains(*anomaly)).collect(),
        uid: exchange.uid(),
        flow: (exchange.flow.id, exchange.flow.key),
    }
}

/// The number that a message carries.
pub(crate) fn number(head: &Head) -> Option<u64> {
    let field = head.header(b"x-exchange").map(|value| value.bytes().to_vec());
    let text = field.or_else(|| query_number(head.target()?.bytes()))?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

fn query_number(target: &[u8]) -> Option<Vec<u8>> {
    let query = target.splitn(2, |byte| *byte == b'?').nth(1)?;
    query.split(|byte| *byte == b'&').find_map(|pair| pair.strip_prefix(b"n=")).map(<[u8]>::to_vec)
}
