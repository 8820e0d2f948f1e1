//! Plays transcripts of connections through `Protocols`, as a TCP that acknowledges everything at once would.
//!
//! A line is one segment: `>>>` from the client, `<<<` from the server. `>>?` and `<<?` are segments that the sensor
//! lost, `>>-` and `<<-` carry no acknowledgement, `>>.` and `<<.` are FINs, `>>!` and `<<!` are evidence about that side's bytes, `---` ends the connection
//! (`rst`, `idle`; otherwise it ends with both FINs, or with the capture), `... 31` lets seconds pass. Escapes are `\r`, `\n`, `\0`, `\xNN`;
//! `{7*ab}` repeats. `join` in front says that no handshake was seen.

use std::fmt::Write;
use tapwire_flow::{Chunk, CloseReason, Evidence, FlowInfo, Gap, StreamEvent, StreamOffset, StreamSink};
use tapwire_protocol::{
    Anomaly, BodyPart, Child, ChildKind, Close, Config, Connection, Counters, Exchange, ExchangeSink,
    Message, Pairing, Protocols, Seen, Totals, Uid, Unseen,
};
use tapwire_wire::{Endpoint, FlowKey, Overlay, SeqNumber, Side, SourceId, Timestamp};

/// One line of a transcript.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    Segment(Side, Vec<u8>),
    /// Without an acknowledgement number.
    Unacknowledging(Side, Vec<u8>),
    Lost(Side, Vec<u8>),
    Fin(Side),
    Evidence(Side),
    Close(CloseReason),
    /// So many seconds pass.
    Pause(i64),
}

/// A connection to play.
#[derive(Debug, Clone)]
pub(crate) struct Transcript {
    pub(crate) joined_late: bool,
    /// It is put to rest after every event.
    pub(crate) rests: bool,
    pub(crate) lines: Vec<Line>,
}

/// What came of playing one.
pub(crate) struct Played {
    pub(crate) exchanges: Vec<String>,
    pub(crate) parts: Vec<BodyPart>,
    pub(crate) messages: Vec<Message>,
    pub(crate) latencies: Vec<Option<u64>>,
    #[allow(dead_code, reason = "the test of streams looks at it")]
    pub(crate) uids: Vec<Uid>,
    pub(crate) unseen: Vec<Unseen>,
    pub(crate) ends: Vec<Unseen>,
    pub(crate) counters: Counters,
}

impl Transcript {
    pub(crate) fn read(text: &str) -> Self {
        let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let joined_late = lines.first() == Some(&"join");
        lines.drain(..usize::from(joined_late));
        let mut lines: Vec<Line> = lines.into_iter().map(read_line).collect();
        if !matches!(lines.last(), Some(Line::Close(_))) {
            let fins = lines.iter().filter(|line| matches!(line, Line::Fin(_))).count();
            lines.push(Line::Close(if fins == 2 { CloseReason::Fin } else { CloseReason::End }));
        }
        Self { joined_late, rests: false, lines }
    }

    /// The shortest first segment of a message that shows what it is. Behind a hole, and without a handshake, a message
    /// is known by its first segment alone.
    pub(crate) fn shortest_start(&self) -> usize {
        let holes = self.lines.iter().any(|line| matches!(line, Line::Lost(..)));
        if holes || self.joined_late { b"GET http://a".len() } else { 1 }
    }

    /// The same bytes in other segments: `cut` says how long the next one is.
    pub(crate) fn resegmented(&self, mut cut: impl FnMut() -> usize) -> Self {
        let mut lines = Vec::new();
        for line in &self.lines {
            let Line::Segment(side, bytes) = line else {
                lines.push(line.clone());
                continue;
            };
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(cut().clamp(1, rest.len()));
                lines.push(Line::Segment(*side, now.to_vec()));
                rest = later;
            }
        }
        Self { joined_late: self.joined_late, rests: self.rests, lines }
    }

    pub(crate) fn play(&self) -> Played {
        self.play_with(Config::default())
    }

    /// How many exchanges were reported before the connection ends.
    pub(crate) fn exchanges_while_open(mut self) -> u64 {
        self.lines.retain(|line| !matches!(line, Line::Close(_)));
        let mut protocols = Protocols::new(Config::default(), Sink::default());
        play(&self, &mut protocols);
        protocols.counters().exchanges
    }

    /// Plays it and holds what must hold of every connection: all bytes are accounted for.
    pub(crate) fn play_with(&self, config: Config) -> Played {
        let mut protocols = Protocols::new(config, Sink::default());
        play(self, &mut protocols);
        let counters = *protocols.counters();
        let c = &counters;
        let accounted = c.head_bytes
            + c.body_bytes
            + c.framing_bytes
            + c.blank_bytes
            + c.tunnel_bytes
            + c.lost_bytes
            + c.opaque_bytes;
        assert_eq!(c.bytes_in, accounted, "nothing is lost silently: {c:?}");
        assert_eq!(c.bytes_in, c.flow_bytes.iter().sum::<u64>(), "every byte is of one kind: {c:?}");
        let left = protocols.take_ends();
        let sink = protocols.into_sink();
        assert_eq!(c.exchanges, sink.exchanges.len() as u64);
        let Sink { exchanges, parts, messages, latencies, uids, unseen, mut ends, .. } = sink;
        ends.extend(left.into_iter().map(|end| end.unseen));
        Played { exchanges, parts, messages, latencies, uids, unseen, ends, counters }
    }
}

const CLIENT: Side = Side::Lower;

fn play(transcript: &Transcript, protocols: &mut Protocols<Sink>) {
    let (client, server) = (Endpoint::v4([192, 0, 2, 1], 40_000), Endpoint::v4([192, 0, 2, 2], 80));
    let flow = FlowInfo {
        id: 1,
        key: FlowKey::new(client, server).0,
        initiator: (!transcript.joined_late).then_some(CLIENT),
        opened: Timestamp::default(),
        source: SourceId::default(),
        vlan: None,
        overlay: Overlay::NONE,
    };
    let mut connection = Connection::default();
    let (mut passed, mut alarm) = (0, None);
    let mut next = [1_000, 5_000].map(|isn| StreamOffset::first(SeqNumber(isn)));
    for (number, line) in transcript.lines.iter().enumerate() {
        let time = Timestamp::from_nanos(passed + number as i64);
        if let Line::Pause(seconds) = line {
            passed += seconds * 1_000_000_000;
            let time = Timestamp::from_nanos(passed + number as i64);
            tell_time(protocols, &flow, &mut connection, &mut alarm, time);
            continue;
        }
        let at = |side: Side| next[side as usize];
        let event = match line {
            Line::Segment(side, bytes) | Line::Unacknowledging(side, bytes) => StreamEvent::Data(Chunk {
                side: *side,
                at: at(*side),
                bytes,
                peer_at: matches!(line, Line::Segment(..)).then(|| at(side.peer())),
                time,
                frame: number as u64,
                source: SourceId::default(),
            }),
            Line::Lost(side, bytes) => StreamEvent::Gap(Gap {
                side: *side,
                at: at(*side),
                len: bytes.len() as u64,
                acknowledged: bytes.len() as u64,
                acked_at: Some(at(side.peer())),
                time,
            }),
            Line::Fin(side) => StreamEvent::Fin(*side),
            Line::Evidence(side) => {
                // About the byte that came last.
                let at = at(*side).nearest(at(*side).seq().add(u32::MAX));
                StreamEvent::Evidence(*side, at, Evidence::OverlapConflict)
            }
            Line::Close(reason) => StreamEvent::Close(*reason),
            Line::Pause(_) => continue,
        };
        protocols.event(&flow, &mut connection, event);
        if let Some(after) = protocols.take_alarm() {
            alarm = Some(time + after);
        }
        if transcript.rests {
            protocols.rest(&mut connection);
        }
        if let Line::Segment(side, bytes) | Line::Unacknowledging(side, bytes) | Line::Lost(side, bytes) =
            line
        {
            next[*side as usize] = at(*side) + bytes.len() as u64;
        }
    }
}

/// Tells the time as the flow table does: once the time has come that was asked for, and again when asked again.
fn tell_time(
    protocols: &mut Protocols<Sink>,
    flow: &FlowInfo,
    connection: &mut Connection,
    alarm: &mut Option<Timestamp>,
    now: Timestamp,
) {
    while let Some(due) = alarm.take_if(|due| *due <= now) {
        protocols.event(flow, connection, StreamEvent::Time(due));
        *alarm = protocols.take_alarm().map(|after| due + after);
    }
}

fn read_line(line: &str) -> Line {
    let (mark, rest) = line.split_at(line.len().min(3));
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let side = if mark.starts_with('>') { CLIENT } else { CLIENT.peer() };
    match mark {
        ">>>" | "<<<" => Line::Segment(side, unescape(rest)),
        ">>-" | "<<-" => Line::Unacknowledging(side, unescape(rest)),
        ">>?" | "<<?" => Line::Lost(side, unescape(rest)),
        ">>." | "<<." => Line::Fin(side),
        ">>!" | "<<!" => Line::Evidence(side),
        "..." => Line::Pause(rest.parse().expect("seconds")),
        "---" if rest == "rst" => Line::Close(CloseReason::Reset),
        "---" if rest == "idle" => Line::Close(CloseReason::Idle),
        _ => panic!("no line of a transcript: {line}"),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let used = match first {
            '\\' => {
                let (byte, used) = escaped(&rest[1..]);
                bytes.push(byte);
                1 + used
            }
            '{' if rest.as_bytes()[1].is_ascii_digit() => {
                let (repeated, _) = rest[1..].split_once('}').expect("a closing brace");
                let (times, what) = repeated.split_once('*').expect("a star");
                bytes.extend(unescape(what).repeat(times.parse().expect("a number")));
                repeated.len() + 2
            }
            _ => {
                bytes.extend_from_slice(first.to_string().as_bytes());
                first.len_utf8()
            }
        };
        rest = &rest[used..];
    }
    bytes
}

fn escaped(text: &str) -> (u8, usize) {
    match text.as_bytes()[0] {
        b'r' => (b'\r', 1),
        b'n' => (b'\n', 1),
        b'0' => (0, 1),
        b'x' => (u8::from_str_radix(&text[1..3], 16).expect("two hexadecimal digits"), 3),
        other => panic!("no escape: {}", char::from(other)),
    }
}

/// Keeps exchanges as lines, and gives their messages back, so that what is left over in one would show in the next.
#[derive(Default)]
struct Sink {
    exchanges: Vec<String>,
    parts: Vec<BodyPart>,
    messages: Vec<Message>,
    latencies: Vec<Option<u64>>,
    uids: Vec<Uid>,
    unseen: Vec<Unseen>,
    ends: Vec<Unseen>,
    #[allow(clippy::vec_box, reason = "the trait hands boxes around")]
    used: Vec<Box<Message>>,
}

impl ExchangeSink for Sink {
    fn exchange(&mut self, exchange: Exchange) {
        assert_eq!(exchange.number, self.exchanges.len() as u64 + 1);
        self.exchanges.push(line_of(&exchange));
        self.latencies.push(exchange.latency());
        self.uids.push(exchange.uid());
        self.unseen.push(exchange.unseen);
        self.ends.extend(exchange.ends.iter().map(|end| end.unseen));
        for message in [exchange.request, exchange.response].into_iter().flatten() {
            self.messages.push((*message).clone());
            self.used.push(message);
        }
    }

    fn body_part(&mut self, part: BodyPart) {
        self.parts.push(part);
    }

    fn spare(&mut self) -> Option<Box<Message>> {
        self.used.pop()
    }
}

/// `GET /a +body ?missed truncated | 200 ... ; interim codes uncertain proxy !anomalies`, of children
/// `> 1 "content" truncated !anomalies` and `< end 3 (client 1/5 server 0/0) close 1000 by ToServer`.
fn line_of(exchange: &Exchange) -> String {
    if let Some(child) = &exchange.child {
        return child_of(exchange, child);
    }
    let mut line =
        format!("{} | {}", half_of(exchange.request.as_deref()), half_of(exchange.response.as_deref()));
    let codes = exchange.interim.iter().filter(|code| **code != 0);
    codes.for_each(|code| write!(line, " interim {code}").expect("text"));
    if exchange.pairing == Pairing::Uncertain {
        line += " uncertain";
    }
    if let Some(proxy) = exchange.flow.proxy {
        let client = proxy.client.map_or("unknown".into(), |client| client.ip().to_string());
        write!(line, " proxy {client}").expect("text");
    }
    exchange.anomalies.iter().for_each(|anomaly| write!(line, " !{}", anomaly.name()).expect("text"));
    line
}

fn child_of(exchange: &Exchange, child: &Child) -> String {
    let (mark, message) = match (&exchange.request, &exchange.response) {
        (Some(message), None) => ('>', message),
        (None, Some(message)) => ('<', message),
        _ => panic!("a child has one half"),
    };
    let mut line = match &child.kind {
        ChildKind::Message => {
            let content = String::from_utf8_lossy(&message.body.bytes);
            let more = message.body.len - message.body.bytes.len() as u64;
            let more = if more > 0 { format!(" and {more}") } else { String::new() };
            format!("{mark} {} {content:?}{more}", child.index)
        }
        ChildKind::End(totals) => format!("{mark} end {} {}", child.index, totals_of(totals)),
    };
    if message.seen != Seen::Complete {
        write!(line, " {}", message.seen.name()).expect("text");
    }
    let anomalies = exchange.all_anomalies();
    anomalies.iter().for_each(|anomaly| write!(line, " !{}", anomaly.name()).expect("text"));
    line
}

fn totals_of(totals: &Totals) -> String {
    let Totals { messages, bytes, left_out, missed_bytes, close, .. } = *totals;
    let mut line =
        format!("(client {}/{} server {}/{})", messages.client, bytes.client, messages.server, bytes.server);
    for (count, name) in [(left_out, "left out"), (missed_bytes, "missed")] {
        if count > 0 {
            write!(line, " {name} {count}").expect("text");
        }
    }
    if let Some(Close { by, code }) = close {
        write!(line, " close {} by {by:?}", code.unwrap_or(0)).expect("text");
    }
    line
}

fn half_of(message: Option<&Message>) -> String {
    let Some(message) = message else { return "-".into() };
    let head = &message.head;
    let text = |text: Option<tapwire_protocol::Untrusted<'_>>| {
        text.map_or(String::new(), |text| String::from_utf8_lossy(text.bytes()).into_owned())
    };
    let mut line = match (head.status, head.method()) {
        (Some(status), _) => status.to_string(),
        (None, None) => "headless".into(),
        (None, method) => {
            let target = text(head.target());
            let target = if target.len() > 40 { format!("({} bytes)", target.len()) } else { target };
            format!("{} {target}", text(method))
        }
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
    let trailers = head.trailers_from.map_or(0, |from| head.fields.len() - from);
    if trailers > 0 {
        add(format!(" trailers {trailers}"));
    }
    // How a head was cut is a fact about its segments, which are cut anew here.
    let said = message.anomalies.iter().filter(|anomaly| *anomaly != Anomaly::TinySegments);
    said.for_each(|anomaly| add(format!(" !{}", anomaly.name())));
    line
}
