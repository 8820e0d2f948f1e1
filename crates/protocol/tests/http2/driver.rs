//! Plays transcripts of HTTP/2 connections through `Protocols`.
//!
//! A line is one segment: `>>>` from the client, `<<<` from the server, `>>?` and `<<?` are segments that the sensor lost; at `<<+`
//! the server has had the client's next lines too, of which the sensor still waits for a part.
//! In it stand frames, parted by `|`: `PREFACE`, `SETTINGS id=value …`, `ACK`, `GET 1 /a`, `POST 1 /a` (its body follows),
//! `HEAD 1 /a`, `OK 1` (a body follows), `STATUS 1 204` (none does), `HEADERS 1 [end] [part] name=value …`,
//! `MORE 1 [end] name=value …` (CONTINUATION), `DATA 1 [end] text`, `BYTES 1 [end] hex`, `PADDED 1 n text`, `RST 1 code`, `PUSH 1 2 /p`,
//! `PING`, `RAW hex`. Fields are literals that no table takes; `name+value` goes into the table, `#62` refers to it.
//! `join` in front says that no handshake was seen.

use std::fmt::Write;
use tapwire_flow::{Chunk, CloseReason, FlowInfo, Gap, StreamEvent, StreamOffset, StreamSink};
use tapwire_protocol::{
    Anomaly, BodyPart, Config, Connection, Counters, Exchange, ExchangeSink, Message, Protocols, Seen, Uid,
};
use tapwire_wire::{Endpoint, FlowKey, Overlay, SeqNumber, Side, SourceId, Timestamp};

pub(crate) struct Line {
    pub(crate) side: Side,
    pub(crate) lost: bool,
    pub(crate) ahead: bool,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Transcript {
    pub(crate) joined_late: bool,
    pub(crate) lines: Vec<Line>,
}

pub(crate) struct Played {
    pub(crate) exchanges: Vec<String>,
    pub(crate) raw: Vec<Exchange>,
    pub(crate) counters: Counters,
    pub(crate) held: usize,
}

impl Transcript {
    pub(crate) fn read(text: &str) -> Self {
        let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let joined_late = lines.first() == Some(&"join");
        lines.drain(..usize::from(joined_late));
        Self { joined_late, lines: lines.into_iter().map(line).collect() }
    }

    /// The same bytes in segments of `size`.
    pub(crate) fn resegmented(&self, size: usize) -> Self {
        let cut = |line: &Line| {
            let pieces = line.bytes.chunks(if line.lost { line.bytes.len() } else { size });
            pieces.map(|bytes| Line { bytes: bytes.to_vec(), ..*line }).collect::<Vec<_>>()
        };
        Self { joined_late: self.joined_late, lines: self.lines.iter().flat_map(cut).collect() }
    }

    pub(crate) fn play(&self) -> Played {
        let (client, server) = (Endpoint::v4([192, 0, 2, 1], 40_000), Endpoint::v4([192, 0, 2, 2], 80));
        let flow = FlowInfo {
            id: 1,
            key: FlowKey::new(client, server).0,
            initiator: (!self.joined_late).then_some(Side::Lower),
            opened: Timestamp::default(),
            source: SourceId::default(),
            vlan: None,
            overlay: Overlay::NONE,
        };
        let mut protocols = Protocols::new(Config::default(), Sink::default());
        let mut connection = Connection::default();
        let mut next = [1_000, 5_000].map(|isn| StreamOffset::first(SeqNumber(isn)));
        for (line, number) in self.lines.iter().zip(1..) {
            let (side, at, len) = (line.side, next[line.side as usize], line.bytes.len() as u64);
            let later = self.lines.iter().skip(usize::try_from(number).expect("a few lines"));
            let ahead =
                later.filter(|other| line.ahead && other.side != side).map(|other| other.bytes.len() as u64);
            let peer_at = Some(next[side.peer() as usize] + ahead.sum::<u64>());
            let time = Timestamp::from_nanos(number);
            let event = if line.lost {
                StreamEvent::Gap(Gap { side, at, len, acknowledged: len, acked_at: None, time })
            } else {
                let (bytes, frame, source) =
                    (line.bytes.as_slice(), number.cast_unsigned(), SourceId::default());
                StreamEvent::Data(Chunk { side, at, bytes, peer_at, time, frame, source })
            };
            protocols.event(&flow, &mut connection, event);
            next[side as usize] = at + len;
        }
        let held = protocols.held();
        protocols.event(&flow, &mut connection, StreamEvent::Close(CloseReason::End));
        assert_eq!(protocols.held(), 0, "what was counted is uncounted");
        let c = *protocols.counters();
        let fates =
            c.head_bytes + c.body_bytes + c.framing_bytes + c.blank_bytes + c.tunnel_bytes + c.lost_bytes;
        assert_eq!(c.bytes_in, fates + c.opaque_bytes, "nothing is lost silently: {c:?}");
        assert_eq!(c.bytes_in, c.flow_bytes.iter().sum::<u64>(), "every byte is of one kind: {c:?}");
        let raw = protocols.into_sink().0;
        Played { exchanges: raw.iter().map(line_of).collect(), raw, counters: c, held }
    }
}

impl Played {
    pub(crate) fn uids(&self) -> Vec<Uid> {
        self.raw.iter().map(Exchange::uid).collect()
    }
}

#[derive(Default)]
struct Sink(Vec<Exchange>);

impl ExchangeSink for Sink {
    fn exchange(&mut self, exchange: Exchange) {
        self.0.push(exchange);
    }

    fn body_part(&mut self, _: BodyPart) {}
}

/// `1 GET /a +body | 200 +body trailers 1 interim 103 !anomalies`
fn line_of(exchange: &Exchange) -> String {
    let mut line = exchange.stream.map_or("-".into(), |stream| stream.to_string());
    if let Some(child) = &exchange.child {
        let half = exchange.request.as_deref().or(exchange.response.as_deref()).expect("a half");
        let mark = if exchange.request.is_some() { ">" } else { "<" };
        let said = String::from_utf8_lossy(&half.body.bytes).into_owned();
        write!(line, " {mark} {} {} {said:?} {}", child.kind.name(), child.index, half.seen.name())
            .expect("text");
        half.anomalies.iter().for_each(|anomaly| write!(line, " !{}", anomaly.name()).expect("text"));
        exchange.anomalies.iter().for_each(|anomaly| write!(line, " !{}", anomaly.name()).expect("text"));
        return line;
    }
    for (half, mark) in [(&exchange.request, " "), (&exchange.response, " | ")] {
        line += mark;
        line += &half.as_deref().map_or("-".into(), half_of);
    }
    let codes = exchange.interim.iter().filter(|code| **code != 0);
    codes.for_each(|code| write!(line, " interim {code}").expect("text"));
    exchange.anomalies.iter().for_each(|anomaly| write!(line, " !{}", anomaly.name()).expect("text"));
    line
}

fn half_of(message: &Message) -> String {
    let head = &message.head;
    let text = |text: Option<tapwire_protocol::Untrusted<'_>>| {
        text.map_or("?".into(), |text| String::from_utf8_lossy(text.bytes()).into_owned())
    };
    let mut line = match head.status {
        Some(status) => status.to_string(),
        None => format!("{} {}", text(head.method()), text(head.target())),
    };
    let mut add = |part: String| line += &part;
    if message.body.len > 0 {
        add(format!(" +{}", message.body.len));
    }
    if message.missed_bytes > 0 {
        add(format!(" ?{}", message.missed_bytes));
    }
    if message.seen != Seen::Complete {
        add(format!(" {}", message.seen.name()));
    }
    if let Some(from) = head.trailers_from {
        add(format!(" trailers {}", head.fields.len() - from));
    }
    // How the head of a request that asks for HTTP/2 was cut is a fact about its segments, which are cut anew here.
    let said = message.anomalies.iter().filter(|anomaly| *anomaly != Anomaly::TinySegments);
    said.for_each(|anomaly| add(format!(" !{}", anomaly.name())));
    line
}

fn line(text: &str) -> Line {
    let (mark, rest) = text.split_at(3);
    let side = if mark.starts_with('>') { Side::Lower } else { Side::Upper };
    let bytes = rest.split('|').flat_map(|frame| bytes_of(frame.trim())).collect();
    Line { side, lost: mark.ends_with('?'), ahead: mark.ends_with('+'), bytes }
}

fn bytes_of(text: &str) -> Vec<u8> {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |nth: usize| words[nth].parse::<u32>().expect("a number");
    let rest = |nth: usize| words[nth.min(words.len())..].join(" ").into_bytes();
    let fields = |nth: usize| words[nth..].iter().flat_map(|word| field(word)).collect::<Vec<u8>>();
    let has = |flag: &str| words.iter().skip(2).take(2).any(|word| *word == flag);
    let behind = 2 + usize::from(has("end")) + usize::from(has("part"));
    let asked = |method: &str, path: &str| {
        let all = [":scheme=http", ":authority=a.test"].map(str::to_owned);
        let said = [format!(":method={method}"), format!(":path={path}")].into_iter().chain(all);
        said.flat_map(|word| field(&word)).collect::<Vec<u8>>()
    };
    match words[0] {
        "PREFACE" => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        "SETTINGS" => {
            let setting = |word: &&str| {
                let (id, value) = word.split_once('=').expect("a value");
                let (id, value) = (id.parse::<u16>().expect("an id"), value.parse::<u32>().expect("a value"));
                [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
            };
            frame(4, 0, 0, &words[1..].iter().flat_map(setting).collect::<Vec<u8>>())
        }
        "ACK" => frame(4, 1, 0, &[]),
        "PING" => frame(6, 0, 0, b"pingpong"),
        "GET" | "HEAD" | "DELETE" => frame(1, 5, number(1), &asked(words[0], words[2])),
        "POST" => frame(1, 4, number(1), &[asked("POST", words[2]), fields(3)].concat()),
        "OK" => frame(1, 4, number(1), &[vec![0x88], fields(2)].concat()),
        "STATUS" => frame(1, 5, number(1), &[field(&format!(":status={}", words[2])), fields(3)].concat()),
        "HEADERS" => {
            let flags = u8::from(has("end")) | if has("part") { 0 } else { 4 };
            frame(1, flags, number(1), &fields(behind))
        }
        "MORE" => frame(9, if has("end") { 4 } else { 0 }, number(1), &fields(behind)),
        "DATA" => frame(0, u8::from(has("end")), number(1), &rest(behind)),
        "BYTES" => {
            let bytes = words[behind..].iter().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"));
            frame(0, u8::from(has("end")), number(1), &bytes.collect::<Vec<u8>>())
        }
        "PADDED" => {
            let padding = u8::try_from(number(2)).expect("a short padding");
            frame(0, 8, number(1), &[&[padding][..], &rest(3), &vec![0; usize::from(padding)]].concat())
        }
        "RST" => frame(3, 0, number(1), &number(2).to_be_bytes()),
        "PUSH" => {
            let promised = number(2).to_be_bytes();
            frame(5, 4, number(1), &[&promised[..], &asked("GET", words[3])].concat())
        }
        "RAW" => words[1..].iter().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect(),
        other => panic!("no frame: {other}"),
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field's representation. `\s` is a space, `\r` and `\n` what they are elsewhere.
fn field(word: &str) -> Vec<u8> {
    if let Some(index) = word.strip_prefix('#') {
        return vec![0x80 | index.parse::<u8>().expect("an index")];
    }
    let string = |text: &str| {
        let text = text.replace("\\s", " ").replace("\\r", "\r").replace("\\n", "\n");
        [&[u8::try_from(text.len()).expect("a short string")], text.as_bytes()].concat()
    };
    let at = word.find(['=', '+']).expect("a value");
    let first = if word.as_bytes()[at] == b'+' { 0x40 } else { 0 };
    [vec![first], string(&word[..at]), string(&word[at + 1..])].concat()
}
