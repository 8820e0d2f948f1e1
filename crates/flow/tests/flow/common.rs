//! Raw packets between one client and one server, and a sink that keeps what it hears.

use tapwire_flow::{
    CloseReason, Config, Evidence, FlowInfo, FlowTable, Gap, Knock, KnockAnswer, Patience, StreamEvent,
    StreamOffset, StreamSink,
};
use tapwire_wire::{Decoded, LinkType, Packet, SeqNumber, Side, SourceId, TcpFlags, Timestamp, decode};

/// The client's address sorts first.
pub(crate) const CLIENT: Side = Side::Lower;
pub(crate) const SERVER: Side = Side::Upper;

pub(crate) const MILLISECOND: i64 = 1_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

/// One TCP packet to be.
#[derive(Debug, Clone)]
pub(crate) struct Tcp {
    pub(crate) from: Side,
    pub(crate) client: u32,
    pub(crate) port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: Option<u32>,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
    pub(crate) cut: usize,
    pub(crate) damaged: bool,
    pub(crate) source: u16,
}

pub(crate) fn client(seq: u32) -> Tcp {
    Tcp {
        from: CLIENT,
        client: 1,
        port: 40_000,
        seq,
        ack: None,
        flags: 0,
        payload: Vec::new(),
        cut: 0,
        damaged: false,
        source: 0,
    }
}

pub(crate) fn server(seq: u32) -> Tcp {
    Tcp { from: SERVER, ..client(seq) }
}

impl Tcp {
    pub(crate) fn ack(self, ack: u32) -> Self {
        Self { ack: Some(ack), ..self }
    }
    pub(crate) fn data(self, bytes: &[u8]) -> Self {
        Self { payload: bytes.to_vec(), ..self }
    }
    pub(crate) fn syn(self) -> Self {
        Self { flags: self.flags | TcpFlags::SYN, ..self }
    }
    pub(crate) fn fin(self) -> Self {
        Self { flags: self.flags | TcpFlags::FIN, ..self }
    }
    pub(crate) fn rst(self) -> Self {
        Self { flags: self.flags | TcpFlags::RST, ..self }
    }
    pub(crate) fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }
    /// The last bytes of the payload were not captured.
    pub(crate) fn cut(self, cut: usize) -> Self {
        Self { cut, ..self }
    }
    pub(crate) fn damaged(self) -> Self {
        Self { damaged: true, ..self }
    }
    pub(crate) fn source(self, source: u16) -> Self {
        Self { source, ..self }
    }

    fn addresses(&self) -> ([u8; 4], u16, [u8; 4], u16) {
        let [_, b, c, d] = self.client.to_be_bytes();
        let (client, server) = (([10, b, c, d], self.port), ([192, 0, 2, 1], 80));
        let (src, dst) = if self.from == CLIENT { (client, server) } else { (server, client) };
        (src.0, src.1, dst.0, dst.1)
    }

    /// An IPv4 packet.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (src, sport, dst, dport) = self.addresses();
        let flags = self.flags | if self.ack.is_some() { TcpFlags::ACK } else { 0 };
        let mut tcp = Vec::new();
        tcp.extend(sport.to_be_bytes());
        tcp.extend(dport.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.unwrap_or(0).to_be_bytes());
        tcp.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(&self.payload);
        let mut pseudo = [&src[..], &dst[..], &[0, 6]].concat();
        pseudo.extend(u16::try_from(tcp.len()).unwrap().to_be_bytes());
        pseudo.extend(&tcp);
        let sum = !ones_complement(&pseudo) ^ if self.damaged { 0x5555 } else { 0 };
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let mut ip = vec![0x45, 0];
        ip.extend(u16::try_from(20 + tcp.len()).unwrap().to_be_bytes());
        ip.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        ip.extend(src);
        ip.extend(dst);
        ip.extend(tcp);
        ip
    }
}

fn ones_complement(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(sum).unwrap()
}

/// An owned event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Data { side: Side, at: StreamOffset, bytes: Vec<u8>, peer_at: Option<StreamOffset>, frame: u64 },
    Gap { side: Side, at: StreamOffset, len: u64, acknowledged: u64 },
    Fin(Side),
    Evidence(Side, StreamOffset, Evidence),
    Close(CloseReason),
}

pub(crate) fn data(side: Side, at: u32, bytes: &[u8]) -> (Side, StreamOffset, Vec<u8>) {
    (side, offset(at), bytes.to_vec())
}

pub(crate) fn offset(seq: u32) -> StreamOffset {
    StreamOffset::first(SeqNumber(seq))
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) events: Vec<(u64, Heard)>,
    pub(crate) initiators: Vec<(u64, Option<Side>)>,
    /// Where the receivers of lost bytes stood when they acknowledged them.
    pub(crate) acked_at: Vec<Option<StreamOffset>>,
    pub(crate) patience: Patience,
    /// So many nanoseconds after each event it asks to be told the time.
    pub(crate) asks: Option<i64>,
    /// The times that it was told.
    pub(crate) told: Vec<i64>,
    alarm: Option<i64>,
    /// What came of connections that carried nothing, each with who asked for it.
    pub(crate) knocks: Vec<(KnockAnswer, Option<Side>)>,
}

impl StreamSink<()> for Recorder {
    fn looks_like_start(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"GET ") || bytes.starts_with(b"HTTP/")
    }

    fn event(&mut self, flow: &FlowInfo, _: &mut (), event: StreamEvent<'_>) {
        self.alarm = self.asks.or(self.alarm);
        let heard = match event {
            StreamEvent::Data(chunk) => Heard::Data {
                side: chunk.side,
                at: chunk.at,
                bytes: chunk.bytes.to_vec(),
                peer_at: chunk.peer_at,
                frame: chunk.frame,
            },
            StreamEvent::Gap(Gap { side, at, len, acknowledged, acked_at, .. }) => {
                self.acked_at.push(acked_at);
                Heard::Gap { side, at, len, acknowledged }
            }
            StreamEvent::Fin(side) => Heard::Fin(side),
            StreamEvent::Evidence(side, at, evidence) => Heard::Evidence(side, at, evidence),
            StreamEvent::Again { .. } => return,
            StreamEvent::Time(time) => {
                self.told.push(time.nanos());
                assert!(self.told.len() < 1_000, "without end");
                return;
            }
            StreamEvent::Close(reason) => Heard::Close(reason),
        };
        self.events.push((flow.id, heard));
        self.initiators.push((flow.id, flow.initiator));
    }

    fn knocked(&mut self, flow: &FlowInfo, knock: Knock) {
        assert!(matches!(self.events.last(), Some((id, Heard::Close(_))) if *id == flow.id));
        self.knocks.push((knock.answer, flow.initiator));
    }

    fn take_alarm(&mut self) -> Option<i64> {
        self.alarm.take()
    }

    fn patience(&self, (): &()) -> Patience {
        self.patience
    }
}

/// A table with a recorder, fed one packet a millisecond.
pub(crate) struct Tap {
    pub(crate) table: FlowTable<()>,
    pub(crate) heard: Recorder,
    pub(crate) now: i64,
    pub(crate) frame: u64,
}

impl Tap {
    pub(crate) fn new(config: Config) -> Self {
        Self { table: FlowTable::new(config), heard: Recorder::default(), now: 1_000 * SECOND, frame: 0 }
    }

    pub(crate) fn file() -> Self {
        Self::new(Config::default())
    }

    /// A connection after its handshake: the client's bytes begin at 101, the server's at 501.
    pub(crate) fn connected() -> Self {
        let mut tap = Self::file();
        tap.send(&client(100).syn());
        tap.send(&server(500).syn().ack(101));
        tap.send(&client(101).ack(501));
        tap
    }

    pub(crate) fn send(&mut self, packet: &Tcp) -> &mut Self {
        self.now += MILLISECOND;
        self.frame += 1;
        let bytes = packet.bytes();
        let captured = &bytes[..bytes.len() - packet.cut];
        let packet = Packet {
            time: Timestamp::from_nanos(self.now),
            link: LinkType::RAW,
            data: captured,
            wire_len: u32::try_from(bytes.len()).unwrap(),
            frame: self.frame,
            source: SourceId(packet.source),
        };
        let Decoded::Segment(segment) = decode(&packet) else { panic!("not a segment") };
        self.table.handle(&segment, &mut self.heard);
        assert!(self.table.counters().conserved(), "{:?}", self.table.counters());
        self
    }

    pub(crate) fn wait(&mut self, nanos: i64) -> &mut Self {
        self.now += nanos;
        self.table.advance(Timestamp::from_nanos(self.now), &mut self.heard);
        self
    }

    pub(crate) fn finish(&mut self) -> &mut Self {
        self.table.finish(&mut self.heard);
        let counters = self.table.counters();
        assert!(counters.conserved(), "{counters:?}");
        let closed: u64 = counters.flow_fates().iter().map(|(_, count)| count).sum();
        assert_eq!(counters.flows_opened, closed, "{counters:?}");
        assert_eq!((counters.held_bytes, counters.out_of_order_memory, counters.memory), (0, 0, 0));
        self
    }

    /// What was heard since the last call, without flow numbers.
    pub(crate) fn take(&mut self) -> Vec<Heard> {
        self.heard.events.drain(..).map(|(_, heard)| heard).collect()
    }

    /// The bytes heard since the last call.
    pub(crate) fn take_data(&mut self) -> Vec<(Side, StreamOffset, Vec<u8>)> {
        let data = |heard| match heard {
            Heard::Data { side, at, bytes, .. } => Some((side, at, bytes)),
            _ => None,
        };
        self.take().into_iter().filter_map(data).collect()
    }
}

pub(crate) fn gap(side: Side, at: u32, len: u64, acknowledged: u64) -> Heard {
    Heard::Gap { side, at: offset(at), len, acknowledged }
}
