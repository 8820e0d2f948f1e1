//! Exchanges as packets of a tap beside the server, in the order of time.

use crate::exchange::Exchange;
use crate::values::mix;
use std::collections::BTreeMap;
use std::io::{self, Write};
use tapwire_capture::{ByteOrder, PcapWriter, Resolution};
use tapwire_testkit::http2::{Encoder, Indexing, frame};
use tapwire_testkit::{OwnedPacket, PSH, Tcp};
use tapwire_wire::{Endpoint, LinkType, TcpFlags, Timestamp};

const CLIENT: usize = 0;
const SERVER: usize = 1;
const MSS: usize = 1_460;

/// Where packets are put until nothing earlier can come.
pub(crate) struct Tap<W: Write> {
    writer: PcapWriter<W>,
    pending: BTreeMap<(i64, u64), Vec<u8>>,
    serial: u64,
}

/// A TCP connection.
#[derive(Debug)]
pub(crate) struct Link {
    ends: [Endpoint; 2],
    next: [u32; 2],
    received: [u32; 2],
    /// Nanoseconds from tap to client and back.
    round_trip: i64,
    http2: Option<Frames>,
    /// When its last packet was sent.
    pub(crate) last: i64,
}

/// The state of an HTTP/2 connection.
#[derive(Debug)]
struct Frames {
    coders: [Encoder; 2],
    stream: u32,
}

impl Link {
    /// Not yet opened.
    pub(crate) fn new(client: [u8; 4], port: u16, server: Endpoint, http2: bool, seed: u64) -> Self {
        let initial = [mix(seed, 1) as u32, mix(seed, 2) as u32];
        // Of the address: the same client is always equally far.
        let round_trip = 2_000_000 + (mix(u64::from(u32::from_be_bytes(client)), 9) % 60_000_000) as i64;
        let coder = || Encoder::new(true, Indexing::Always, seed);
        Self {
            ends: [Endpoint::v4(client, port), server],
            next: initial,
            received: [initial[1], initial[0]],
            round_trip,
            http2: http2.then(|| Frames { coders: [coder(), coder()], stream: 0 }),
            last: 0,
        }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.ends[CLIENT].port
    }
}

impl<W: Write> Tap<W> {
    pub(crate) fn new(out: W) -> io::Result<Self> {
        let writer = PcapWriter::new(out, ByteOrder::Little, Resolution::Nanoseconds, LinkType::ETHERNET)?;
        Ok(Self { writer, pending: BTreeMap::new(), serial: 0 })
    }

    /// Writes the packets before `until`.
    pub(crate) fn flush(&mut self, until: i64) -> io::Result<()> {
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 < until) {
            let at = Timestamp::from_nanos(entry.key().0);
            self.writer.write(&OwnedPacket::ethernet(at, entry.remove()).packet())?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush(i64::MAX)?;
        self.writer.into_inner().flush()
    }

    /// The handshake; returns when the client may send.
    pub(crate) fn open(&mut self, link: &mut Link, at: i64) -> i64 {
        self.emit(link, CLIENT, TcpFlags::SYN, &[], at, false);
        self.emit(link, SERVER, TcpFlags::SYN, &[], at + 60_000, true);
        let open = at + 60_000 + link.round_trip;
        self.emit(link, CLIENT, 0, &[], open, true);
        open + 20_000
    }

    pub(crate) fn close(&mut self, link: &mut Link, at: i64) {
        let at = at.max(link.last + 1_000);
        self.emit(link, CLIENT, TcpFlags::FIN, &[], at, true);
        self.emit(link, SERVER, TcpFlags::FIN, &[], at + 80_000, true);
        self.emit(link, CLIENT, 0, &[], at + 80_000 + link.round_trip, true);
    }

    /// A SYN and the reset that answers it.
    pub(crate) fn knock(&mut self, link: &mut Link, at: i64) {
        self.emit(link, CLIENT, TcpFlags::SYN, &[], at, false);
        self.emit(link, SERVER, TcpFlags::RST, &[], at + 40_000, true);
    }

    /// Request and answer; returns when the client has all of it.
    pub(crate) fn exchange(&mut self, link: &mut Link, exchange: &Exchange, head: &Heads, at: i64) -> i64 {
        let (asked, answered) = match &mut link.http2 {
            Some(frames) => frames.exchange(exchange, head),
            None => (exchange.request(head), exchange.response(head)),
        };
        let pace = if exchange.slow > 0 { exchange.slow } else { 12_000 };
        let sent = self.send(link, CLIENT, &asked, at.max(link.last + 1_000), pace, exchange.slow > 0);
        let answer_at = sent + exchange.latency.max(150_000);
        let last = if exchange.unseen {
            link.next[SERVER] = link.next[SERVER].wrapping_add(answered.len() as u32);
            answer_at
        } else {
            self.send(link, SERVER, &answered, answer_at, 12_000, false)
        };
        let end = last + link.round_trip;
        self.emit(link, CLIENT, 0, &[], end, true);
        end
    }

    fn send(
        &mut self,
        link: &mut Link,
        from: usize,
        bytes: &[u8],
        mut at: i64,
        pace: i64,
        dribble: bool,
    ) -> i64 {
        let size = if dribble { 48 } else { MSS };
        let count = bytes.len().div_ceil(size);
        for (segment, nth) in bytes.chunks(size).zip(1..) {
            let push = if nth == count || dribble { PSH } else { 0 };
            self.emit(link, from, push, segment, at, true);
            // RFC 9293, 3.8.6.3: an ACK at least for every second full-sized segment.
            if nth % 2 == 0 && nth < count {
                self.emit(link, 1 - from, 0, &[], at + 5_000, true);
            }
            at += pace;
        }
        at
    }

    fn emit(&mut self, link: &mut Link, from: usize, flags: u8, payload: &[u8], at: i64, acknowledges: bool) {
        link.received[from] = link.next[1 - from];
        let tcp = Tcp {
            source: link.ends[from],
            destination: link.ends[1 - from],
            seq: link.next[from],
            ack: acknowledges.then_some(link.received[from]),
            flags,
            window: 64_240,
            ttl: if from == CLIENT { 52 } else { 64 },
            payload: payload.to_vec(),
        };
        let marks = u32::from(flags & (TcpFlags::FIN | TcpFlags::SYN) != 0);
        link.next[from] = link.next[from].wrapping_add(payload.len() as u32 + marks);
        link.last = link.last.max(at);
        self.serial += 1;
        self.pending.insert((at, self.serial), tcp.ethernet());
    }
}

/// Header fields that come from the connection, not from the exchange.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    pub(crate) request: Vec<(&'static str, String)>,
    pub(crate) response: Vec<(&'static str, String)>,
}

impl Frames {
    fn exchange(&mut self, exchange: &Exchange, head: &Heads) -> (Vec<u8>, Vec<u8>) {
        let settings = frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]);
        let (mut asked, mut answered) = match self.stream {
            0 => (
                [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings].concat(),
                [settings.as_slice(), &frame(4, 1, 0, &[])].concat(),
            ),
            _ => (Vec::new(), Vec::new()),
        };
        self.stream += if self.stream == 0 { 1 } else { 2 };
        let [client, server] = &mut self.coders;
        let said = [pseudo_of_request(exchange), head.request.iter().cloned().map(own).collect()].concat();
        self::say(&mut asked, client, self.stream, &said, exchange.asked(), None);
        let status = vec![own((":status", exchange.status.to_string()))];
        let said = [status, head.response.iter().cloned().map(own).collect()].concat();
        self::say(&mut answered, server, self.stream, &said, exchange.answered(), exchange.grpc_status);
        (asked, answered)
    }
}

fn own((name, value): (&str, String)) -> (String, String) {
    (name.to_ascii_lowercase(), value)
}

fn pseudo_of_request(exchange: &Exchange) -> Vec<(String, String)> {
    [
        (":method", exchange.method.to_owned()),
        (":scheme", "http".to_owned()),
        (":path", exchange.target.clone()),
    ]
    .map(own)
    .into()
}

fn say(
    out: &mut Vec<u8>,
    coder: &mut Encoder,
    stream: u32,
    fields: &[(String, String)],
    body: &[u8],
    trailer: Option<u8>,
) {
    // The authority is a pseudo-header field and stands before all that is none.
    let (mut fields, rest): (Vec<_>, Vec<_>) =
        fields.iter().cloned().partition(|(name, _)| name.starts_with(':') || name == "host");
    for field in &mut fields {
        if field.0 == "host" {
            field.0 = ":authority".to_owned();
        }
    }
    let hop = |name: &str| matches!(name, "connection" | "keep-alive");
    fields.extend(rest.into_iter().filter(|(name, _)| !hop(name)));
    let ends = u8::from(body.is_empty() && trailer.is_none());
    out.extend(frame(1, 4 | ends, stream, &coder.block(&fields)));
    let count = body.len().div_ceil(16_384);
    for (part, nth) in body.chunks(16_384).zip(1..) {
        out.extend(frame(0, u8::from(nth == count && trailer.is_none()), stream, part));
    }
    if let Some(status) = trailer {
        let block = coder.block(&[("grpc-status".to_owned(), status.to_string())]);
        out.extend(frame(1, 5, stream, &block));
    }
}
