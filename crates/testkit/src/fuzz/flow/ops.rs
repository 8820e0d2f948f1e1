//! What happens on the network and at the tap, one operation after the other.

use crate::fuzz::input::Choices;
use crate::{OwnedPacket, Tcp};
use tapwire_wire::{Endpoint, LinkType, SourceId, TcpFlags, Timestamp};

/// One thing that happens.
#[derive(Debug)]
pub(super) enum Op {
    /// Time passes, in nanoseconds; hostile clocks run backwards too.
    Wait(i64),
    /// A packet is captured.
    Packet(Captured),
}

/// A packet as the capture has it.
#[derive(Debug, Clone)]
pub(super) struct Captured {
    tcp: Tcp,
    /// Bytes at its end that were not captured.
    cut: usize,
    damaged: bool,
    /// Nanoseconds since the packet before.
    pub(super) after: i64,
    source: u16,
}

impl Captured {
    pub(super) fn build(&self, time: Timestamp, frame: u64) -> OwnedPacket {
        let mut bytes = self.tcp.ethernet();
        let wire_len = bytes.len() as u32;
        if self.damaged
            && let Some(sum) = bytes.get_mut(14 + 20 + 16)
        {
            *sum ^= 0x55;
        }
        bytes.truncate(bytes.len() - self.cut.min(self.tcp.payload.len()));
        let link = LinkType::ETHERNET;
        OwnedPacket { time, link, bytes, wire_len, frame, source: SourceId(self.source) }
    }
}

/// The byte `at` positions after the first of a direction.
pub(super) fn truth(side: usize, at: u32) -> u8 {
    let mixed = at.wrapping_mul(2_654_435_761) ^ if side == 0 { 0 } else { 0x5555_5555 };
    mixed.to_be_bytes()[0]
}

/// The network's side of a case: who has sent how much.
pub(super) struct Script {
    orderly: bool,
    /// First sequence numbers of client and server.
    isns: [u32; 2],
    /// By connection and direction: bytes sent.
    sent: [[u32; 2]; 4],
    /// Packets that the tap gets later than others.
    late: Vec<Captured>,
    ops: Vec<Op>,
}

impl Script {
    pub(super) fn new(orderly: bool, choices: &mut Choices<'_>) -> Self {
        let isns = [choices.long(), choices.long()];
        Self { orderly, isns, sent: [[0; 2]; 4], late: Vec::new(), ops: Vec::new() }
    }

    /// The sequence numbers of each direction's first byte.
    pub(super) fn starts(&self) -> [u32; 2] {
        self.isns.map(|isn| isn.wrapping_add(1))
    }

    /// Reads operations to the end of the input, and lets what was late come after all.
    pub(super) fn read(mut self, choices: &mut Choices<'_>, most: usize) -> Vec<Op> {
        if self.orderly {
            self.shake_hands(0);
        }
        while !choices.is_empty() && self.ops.len() < most {
            self.op(choices);
        }
        for packet in std::mem::take(&mut self.late) {
            self.ops.push(Op::Packet(packet));
        }
        self.ops
    }

    fn op(&mut self, choices: &mut Choices<'_>) {
        let kind = choices.byte();
        let side = usize::from(kind >> 7);
        let connection = if self.orderly { 0 } else { usize::from(kind >> 5 & 3) };
        match kind & 0x1f {
            0..=9 => self.data(connection, side, choices),
            10..=13 => self.acknowledge(connection, side, choices),
            14..=16 => self.release(choices),
            17 if !self.orderly => self.shake_hands(connection),
            18 | 19 if !self.orderly => self.mark(connection, side, TcpFlags::FIN, choices),
            20 if !self.orderly => self.mark(connection, side, TcpFlags::RST, choices),
            21 if !self.orderly => self.mark(connection, side, TcpFlags::SYN, choices),
            22 if !self.orderly => self.wait(choices),
            23..=25 if !self.orderly => self.anything(connection, side, choices),
            26..=28 => self.lose(connection, side, choices),
            _ => self.data(connection, side, choices),
        }
    }

    fn tcp(&self, connection: usize, side: usize, at: u32) -> Tcp {
        let ends =
            [Endpoint::v4([10, 0, 0, 1], 40_000 + connection as u16), Endpoint::v4([192, 0, 2, 1], 80)];
        Tcp {
            source: ends[side],
            destination: ends[1 - side],
            seq: self.isns[side].wrapping_add(1).wrapping_add(at),
            ack: Some(self.received(connection, side)),
            flags: 0,
            window: 0xffff,
            ttl: 64,
            payload: Vec::new(),
        }
    }

    /// The acknowledgement number of one that has received everything.
    fn received(&self, connection: usize, side: usize) -> u32 {
        self.isns[1 - side].wrapping_add(1).wrapping_add(self.sent[connection][1 - side])
    }

    fn push(&mut self, tcp: Tcp) {
        let packet = Captured { tcp, cut: 0, damaged: false, after: 1_000_000, source: 0 };
        self.ops.push(Op::Packet(packet));
    }

    fn shake_hands(&mut self, connection: usize) {
        for side in [0, 1] {
            let mut syn = self.tcp(connection, side, 0);
            syn.seq = syn.seq.wrapping_sub(1);
            syn.flags = TcpFlags::SYN;
            syn.ack = syn.ack.filter(|_| side == 1);
            self.push(syn);
        }
        let done = self.tcp(connection, 0, 0);
        self.push(done);
    }

    /// New bytes, old ones again, or both; with the conflicts, cuts and delays that the next bytes choose.
    fn data(&mut self, connection: usize, side: usize, choices: &mut Choices<'_>) {
        let (len, how) = (u32::from(choices.byte()).max(1), choices.byte());
        let sent = self.sent[connection][side];
        let back = if how & 1 == 1 { u32::from(choices.word()).min(sent) } else { 0 };
        let at = sent - back;
        self.sent[connection][side] = sent.max(at.saturating_add(len));
        let mut tcp = self.tcp(connection, side, at);
        let lie = if how & 6 == 6 { 0xff } else { 0 };
        tcp.payload = (at..at + len).map(|at| truth(side, at) ^ lie).collect();
        if how & 8 != 0 {
            let unheard = u32::from(choices.byte()).min(self.sent[connection][1 - side]);
            tcp.ack = tcp.ack.map(|ack| ack.wrapping_sub(unheard));
        }
        let cut = if how & 0x30 == 0x30 { usize::from(choices.byte()) } else { 0 };
        let damaged = !self.orderly && how & 0xc6 == 0xc2;
        let source = u16::from(how & 0xe4 == 0xe4);
        let packet = Captured { tcp, cut, damaged, after: 1_000_000, source };
        if how & 0x50 == 0x50 { self.late.push(packet) } else { self.ops.push(Op::Packet(packet)) }
    }

    /// Bytes that the tap does not see.
    fn lose(&mut self, connection: usize, side: usize, choices: &mut Choices<'_>) {
        let len = u32::from(choices.byte());
        let sent = &mut self.sent[connection][side];
        *sent = sent.saturating_add(len);
    }

    fn acknowledge(&mut self, connection: usize, side: usize, choices: &mut Choices<'_>) {
        let mut tcp = self.tcp(connection, side, self.sent[connection][side]);
        let unheard = u32::from(choices.byte()).min(self.sent[connection][1 - side]);
        tcp.ack = tcp.ack.map(|ack| ack.wrapping_sub(unheard));
        self.push(tcp);
    }

    fn release(&mut self, choices: &mut Choices<'_>) {
        if !self.late.is_empty() {
            let at = usize::from(choices.byte()) % self.late.len();
            let packet = self.late.remove(at);
            self.ops.push(Op::Packet(packet));
        }
    }

    fn mark(&mut self, connection: usize, side: usize, flags: u8, choices: &mut Choices<'_>) {
        let mut tcp = self.tcp(connection, side, self.sent[connection][side]);
        tcp.flags = flags;
        tcp.seq = tcp.seq.wrapping_add(u32::from(choices.byte())).wrapping_sub(8);
        self.push(tcp);
    }

    fn wait(&mut self, choices: &mut Choices<'_>) {
        const SPANS: [i64; 6] =
            [1_000_000, 250_000_000, 3_000_000_000, 11_000_000_000, 2_000_000_000_000, -5];
        let span = choices.pick(&SPANS);
        self.ops.push(Op::Wait(span));
    }

    /// Any numbers, any flags.
    fn anything(&mut self, connection: usize, side: usize, choices: &mut Choices<'_>) {
        let mut tcp = self.tcp(connection, side, self.sent[connection][side]);
        tcp.seq = match choices.byte() % 3 {
            0 => choices.long(),
            1 => tcp.seq.wrapping_add(choices.word().into()),
            _ => tcp.seq.wrapping_sub(choices.word().into()),
        };
        tcp.flags = choices.byte() & 0x0f;
        tcp.ack = choices.flag().then(|| tcp.ack.unwrap_or(0).wrapping_sub(choices.word().into()));
        tcp.payload = choices.take(usize::from(tcp.flags & 3) * 20).to_vec();
        self.push(tcp);
    }
}
