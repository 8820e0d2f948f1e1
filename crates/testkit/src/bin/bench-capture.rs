//! Writes a capture for measurements: `bench-capture [OPTIONS] OUT.pcap`.
//!
//! Keep-alive connections of a JSON API, interleaved in time, with valid checksums and the acknowledgements of real
//! stacks. Memory does not grow with the number of exchanges: each connection is played one exchange at a time.

#![allow(clippy::cast_possible_truncation, reason = "lengths of test data are small by construction")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use tapwire_capture::{ByteOrder, PcapWriter, Resolution};
use tapwire_testkit::http2::Translation;
use tapwire_testkit::{OwnedPacket, PSH, Random, Tcp, TlsPair, TlsSetup, Turn};
use tapwire_wire::{Endpoint, LinkType, TcpFlags, Timestamp};

const USAGE: &str = "bench-capture [--exchanges N] [--connections N] [--endpoints N] [--seed N] [--body-size BYTES] \
                     [--largest-body BYTES] [--gzip PERCENT] [--chunked PERCENT] [--one-per-connection] [--keep-open] \
                     [--http2] [--tls] OUT.pcap";

fn main() -> ExitCode {
    let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| options.write());
    match outcome {
        Ok(summary) => {
            eprintln!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-capture: {error}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    exchanges: usize,
    connections: usize,
    endpoints: usize,
    seed: u64,
    /// Bytes of the smallest response body, and of the largest one.
    body_size: Option<usize>,
    largest_body: usize,
    /// Responses in a hundred.
    gzip: usize,
    chunked: usize,
    one_per_connection: bool,
    /// Connections are never closed.
    keep_open: bool,
    /// The same exchanges as HTTP/2.
    http2: bool,
    /// All of it inside TLS 1.3; the key log goes beside the capture, with `.keys` behind its name.
    tls: bool,
    out: String,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            exchanges: 300_000,
            connections: 2_400,
            endpoints: 800,
            seed: 1,
            body_size: None,
            largest_body: 0,
            gzip: 13,
            chunked: 27,
            one_per_connection: false,
            keep_open: false,
            http2: false,
            tls: false,
            out: String::new(),
        };
        while let Some(word) = words.next() {
            let mut number =
                || words.next().and_then(|n| n.parse().ok()).ok_or(format!("{word} needs a number"));
            match word.as_str() {
                "--exchanges" => options.exchanges = number()?,
                "--connections" => options.connections = number()?.max(1),
                "--endpoints" => options.endpoints = number()?.max(1),
                "--seed" => options.seed = number()? as u64,
                "--body-size" => options.body_size = Some(number()?),
                "--largest-body" => options.largest_body = number()?,
                "--gzip" => options.gzip = number()?,
                "--chunked" => options.chunked = number()?,
                "--keep-open" => options.keep_open = true,
                "--http2" => options.http2 = true,
                "--tls" => options.tls = true,
                "--one-per-connection" => options.one_per_connection = true,
                _ if word.starts_with("--") => return Err(format!("unknown option {word}\n{USAGE}")),
                _ => options.out = word,
            }
        }
        if options.out.is_empty() { Err(USAGE.to_owned()) } else { Ok(options) }
    }

    /// How clients and servers of TLS are set up.
    fn ends(&self) -> TlsSetup {
        let inside: &[u8] = if self.http2 { b"h2" } else { b"http/1.1" };
        TlsSetup { alpn: vec![inside.to_vec()], ..TlsSetup::default() }
    }

    fn write(&self) -> Result<String, String> {
        let trouble = |error: std::io::Error| format!("{}: {error}", self.out);
        let file = BufWriter::with_capacity(1 << 20, File::create(&self.out).map_err(trouble)?);
        let mut load = Load::new(self, file).map_err(trouble)?;
        load.run().map_err(trouble)?;
        let Load { packets, bytes, done, keys, .. } = load;
        if self.tls {
            std::fs::write(format!("{}.keys", self.out), keys).map_err(trouble)?;
        }
        Ok(format!("{done} exchanges, {packets} packets, {bytes} bytes of packets in {}", self.out))
    }
}

const CLIENT: usize = 0;
const SERVER: usize = 1;
const MSS: usize = 1460;
/// Exchanges a second of all connections together.
const RATE: usize = 5_000;

struct Connection {
    index: usize,
    ends: [Endpoint; 2],
    next: [u32; 2],
    received: [u32; 2],
    left: usize,
    open: bool,
    token: u64,
    http2: Option<Translation>,
    tls: Option<TlsPair>,
}

/// A body with its coding, made once.
struct CodedBody {
    plain: Vec<u8>,
    gzip: Vec<u8>,
}

struct Load<'a, W: Write> {
    options: &'a Options,
    random: Random,
    writer: PcapWriter<W>,
    bodies: Vec<CodedBody>,
    /// Connections by the time of their next exchange.
    due: BTreeMap<(i64, usize), Connection>,
    /// Packets of exchanges under way, by time: exchanges overlap on the wire.
    pending: BTreeMap<(i64, u64), OwnedPacket>,
    born: usize,
    done: usize,
    packets: u64,
    bytes: u64,
    /// The key log of all connections.
    keys: Vec<u8>,
}

impl<'a, W: Write> Load<'a, W> {
    fn new(options: &'a Options, out: W) -> std::io::Result<Self> {
        let mut random = Random::new(options.seed);
        let bodies = (0..400).map(|_| coded_body(options, &mut random)).collect::<Result<_, _>>()?;
        let writer = PcapWriter::new(out, ByteOrder::Little, Resolution::Microseconds, LinkType::ETHERNET)?;
        Ok(Self {
            options,
            random,
            writer,
            bodies,
            due: BTreeMap::new(),
            pending: BTreeMap::new(),
            born: 0,
            done: 0,
            packets: 0,
            bytes: 0,
            keys: Vec::new(),
        })
    }

    fn run(&mut self) -> std::io::Result<()> {
        let start = 1_700_000_000_000_000_000;
        for _ in 0..self.options.connections.min(self.options.exchanges) {
            let at = start + self.random.below(self.spacing()) as i64;
            self.connect(at);
        }
        while let Some(((at, _), mut connection)) = self.due.pop_first() {
            self.flush(at)?;
            let mut now = at;
            self.exchange(&mut connection, &mut now)?;
            if connection.left == 0 {
                if !self.options.keep_open {
                    self.close(&mut connection, &mut now)?;
                }
                if self.options.one_per_connection && self.born < self.options.exchanges {
                    let pause = self.random.below(2 * self.spacing()) as i64;
                    self.connect(now + pause);
                }
            } else {
                let next = now + 1 + self.random.below(2 * self.spacing()) as i64;
                self.due.insert((next, connection.index), connection);
            }
        }
        self.flush(i64::MAX)
    }

    /// Writes the packets before `until`: nothing earlier will come.
    fn flush(&mut self, until: i64) -> std::io::Result<()> {
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 < until) {
            self.writer.write(&entry.remove().packet())?;
        }
        Ok(())
    }

    /// Nanoseconds from one exchange of a connection to its next, on average.
    const fn spacing(&self) -> usize {
        self.options.connections * (1_000_000_000 / RATE)
    }

    fn connect(&mut self, at: i64) {
        let index = self.born;
        self.born += 1;
        let port = 20_000 + (index % 40_000) as u16;
        let network = (index / 40_000) as u8;
        let person = (index % 250) as u8;
        let client = Endpoint::v4([10, network, (index % 7) as u8, person + 1], port);
        let server = Endpoint::v4([10, 200, 0, 1 + (index % 5) as u8], 80);
        let next = [self.random.next() as u32, self.random.next() as u32];
        let (all, wires) = (self.options.exchanges, self.options.connections);
        let share = all / wires + usize::from(index < all % wires);
        let left = if self.options.one_per_connection { 1 } else { share.max(1) };
        let received = [next[SERVER], next[CLIENT]];
        let token = self.random.next();
        let http2 = self.options.http2.then(|| Translation::new(self.options.seed));
        let tls = self.options.tls.then(|| self.options.ends().pair());
        let connection = Connection {
            index,
            ends: [client, server],
            next,
            received,
            left,
            open: false,
            token,
            http2,
            tls,
        };
        self.due.insert((at, index), connection);
    }

    fn exchange(&mut self, connection: &mut Connection, now: &mut i64) -> std::io::Result<()> {
        if !connection.open {
            connection.open = true;
            self.emit(connection, CLIENT, TcpFlags::SYN, &[], now)?;
            self.emit(connection, SERVER, TcpFlags::SYN, &[], now)?;
            self.emit(connection, CLIENT, 0, &[], now)?;
            self.handshake(connection, now)?;
        }
        let (mut request, mut response) = self.messages(connection.token);
        if let Some(http2) = &mut connection.http2 {
            (request, response) = http2.exchange(&request, &response);
        }
        if let Some(tls) = &mut connection.tls {
            Turn { request, response } = tls.turn(&request, &response);
        }
        self.send(connection, CLIENT, &request, now)?;
        *now += 200_000 + self.random.below(3_000_000) as i64;
        self.send(connection, SERVER, &response, now)?;
        // The answer is acknowledged by the next request, unless that is long in coming.
        if self.random.chance(0.7) {
            self.emit(connection, CLIENT, 0, &[], now)?;
        }
        connection.left -= 1;
        self.done += 1;
        Ok(())
    }

    /// The handshake of TLS, where there is one, and its keys.
    fn handshake(&mut self, connection: &mut Connection, now: &mut i64) -> std::io::Result<()> {
        let Some(tls) = &mut connection.tls else { return Ok(()) };
        let turns = tls.handshake();
        self.keys.extend(tls.keys());
        for turn in turns {
            self.send(connection, CLIENT, &turn.request, now)?;
            self.send(connection, SERVER, &turn.response, now)?;
        }
        Ok(())
    }

    fn close(&mut self, connection: &mut Connection, now: &mut i64) -> std::io::Result<()> {
        self.emit(connection, CLIENT, TcpFlags::FIN, &[], now)?;
        self.emit(connection, SERVER, TcpFlags::FIN, &[], now)?;
        self.emit(connection, CLIENT, 0, &[], now)
    }

    fn send(
        &mut self,
        connection: &mut Connection,
        from: usize,
        bytes: &[u8],
        now: &mut i64,
    ) -> std::io::Result<()> {
        let segments = bytes.len().div_ceil(MSS);
        for (segment, index) in bytes.chunks(MSS).zip(1..) {
            let push = if index == segments { PSH } else { 0 };
            self.emit(connection, from, push, segment, now)?;
            if index % 2 == 0 && index != segments {
                self.emit(connection, 1 - from, 0, &[], now)?;
            }
        }
        Ok(())
    }

    fn emit(
        &mut self,
        connection: &mut Connection,
        from: usize,
        flags: u8,
        payload: &[u8],
        now: &mut i64,
    ) -> std::io::Result<()> {
        connection.received[from] = connection.next[1 - from];
        let first = flags & TcpFlags::SYN != 0 && from == CLIENT;
        let tcp = Tcp {
            source: connection.ends[from],
            destination: connection.ends[1 - from],
            seq: connection.next[from],
            ack: (!first).then_some(connection.received[from]),
            flags,
            window: 64_240,
            ttl: 64,
            payload: payload.to_vec(),
        };
        let marks = u32::from(flags & (TcpFlags::SYN | TcpFlags::FIN) != 0);
        connection.next[from] = connection.next[from].wrapping_add(payload.len() as u32 + marks);
        let packet = OwnedPacket::ethernet(Timestamp::from_nanos(*now), tcp.ethernet());
        *now += 2_000 + self.random.below(20_000) as i64;
        self.packets += 1;
        self.bytes += packet.bytes.len() as u64;
        self.pending.insert((packet.time.nanos(), self.packets), packet);
        Ok(())
    }

    fn messages(&mut self, token: u64) -> (Vec<u8>, Vec<u8>) {
        let number = self.done + 1;
        let endpoint = self.random.below(self.options.endpoints);
        let posts = self.random.chance(0.30);
        let id = self.random.between(1, 99_999);
        let method = if posts { "POST" } else { "GET" };
        let mut request = format!(
            "{method} /v{}/resource{endpoint}/{id}?page={} HTTP/1.1\r\nHost: service{}.shop.test\r\n\
             User-Agent: ShopApp/4.2 (Android 14; build 20240117)\r\nAccept: application/json\r\n\
             Accept-Encoding: gzip\r\nAuthorization: Bearer {token:016x}{token:016x}\r\n\
             Cookie: session={token:016x}; theme=dark; locale=en\r\nX-Exchange: {number}\r\n",
            1 + endpoint % 3,
            id % 9,
            endpoint % 20,
        )
        .into_bytes();
        if posts {
            let body = &self.bodies[self.random.below(self.bodies.len())].plain;
            let body = &body[..body.len().min(1_000)];
            request.extend(
                format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()).bytes(),
            );
            request.extend(b"\r\n");
            request.extend_from_slice(body);
        } else {
            request.extend(b"\r\n");
        }
        let response = self.response(number, posts);
        (request, response)
    }

    fn response(&mut self, number: usize, posts: bool) -> Vec<u8> {
        let [gzip, chunked] =
            [self.options.gzip, self.options.chunked].map(|share| self.random.chance(share as f64 / 100.0));
        let coded = &self.bodies[self.random.below(self.bodies.len())];
        let body = if gzip { &coded.gzip } else { &coded.plain };
        let status = match number % 50 {
            7 => "404 Not Found",
            19 => "500 Internal Server Error",
            _ if posts => "201 Created",
            _ => "200 OK",
        };
        let mut response = format!(
            "HTTP/1.1 {status}\r\nServer: nginx/1.22.1\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n\
             Content-Type: application/json\r\nX-Exchange: {number}\r\n{}",
            if gzip { "Content-Encoding: gzip\r\n" } else { "" }
        )
        .into_bytes();
        if chunked {
            response.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            for piece in body.chunks(800.max(body.len() / 4)) {
                response.extend(format!("{:x}\r\n", piece.len()).bytes());
                response.extend_from_slice(piece);
                response.extend(b"\r\n");
            }
            response.extend(b"0\r\n\r\n");
        } else {
            response.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
            response.extend_from_slice(body);
        }
        response
    }
}

/// JSON between 200 bytes and 4 KiB, a little over 1 KiB on average, or of the size asked for.
fn coded_body(options: &Options, random: &mut Random) -> std::io::Result<CodedBody> {
    let size = match options.body_size {
        Some(size) if size < options.largest_body => random.between(size, options.largest_body),
        Some(size) => size,
        None => match random.below(10) {
            0..=3 => random.between(200, 700),
            4..=8 => random.between(700, 1_500),
            _ => random.between(1_500, 4_096),
        },
    };
    let mut text = format!("{{\"id\":{},\"items\":[", random.below(100_000));
    while text.len() + 90 < size {
        text.push_str(&format!(
            "{{\"sku\":\"SKU-{:06}\",\"name\":\"item {}\",\"price\":{}.{:02},\"stock\":{}}},",
            random.below(1_000_000),
            random.below(500),
            random.below(900),
            random.below(100),
            random.below(50)
        ));
    }
    let tail = "{\"end\":true}],\"note\":\"";
    let fill = size.saturating_sub(text.len() + tail.len() + 2);
    text.push_str(tail);
    text.extend(std::iter::repeat_n('x', fill));
    text.push_str("\"}");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes())?;
    Ok(CodedBody { gzip: gzip.finish()?, plain: text.into_bytes() })
}
