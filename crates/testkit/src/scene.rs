//! A connection to whose packets an attacker adds some: what evasion tests build.

use crate::{Capture, Conversation, OwnedPacket, Tcp, Turn, mutate};
use tapwire_wire::Side;

/// One connection, packet by packet.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The packets so far.
    pub packets: Vec<OwnedPacket>,
}

impl Scene {
    /// A client that waits for its answers, with these initial sequence numbers of client and server.
    pub fn new(turns: Vec<Turn>, initial: [u32; 2]) -> Self {
        let script = Conversation { initial, ..Conversation::new(turns, 7) };
        Self { packets: script.play().packets }
    }

    /// Where the `nth` request begins, counted from 0. Requests begin with a letter of a method, behind a PSH or not.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn request(&self, nth: usize) -> usize {
        self.starts(Side::Lower, &[b"GET ", b"POST ", b"HEAD ", b"DELETE "]).nth(nth).expect("a request")
    }

    /// Where the `nth` response begins.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn response(&self, nth: usize) -> usize {
        self.starts(Side::Upper, &[b"HTTP/1.1 "]).nth(nth).expect("a response")
    }

    fn starts(&self, side: Side, with: &[&[u8]]) -> impl Iterator<Item = usize> {
        let starts = |packet: &OwnedPacket| {
            let segment = packet.segment();
            segment.is_some_and(|s| s.side == side && with.iter().any(|start| s.payload.starts_with(start)))
        };
        let found = self.packets.iter().enumerate().filter(|(_, packet)| starts(packet));
        found.map(|(index, _)| index).collect::<Vec<_>>().into_iter()
    }

    /// The segment at `index`, to be changed and inserted.
    ///
    /// # Panics
    /// When there is none.
    pub fn tcp(&self, index: usize) -> Tcp {
        Tcp::of(&self.packets[index].segment().expect("a segment"))
    }

    /// Puts a segment in front of the packet at `index`, at the same time.
    pub fn insert(&mut self, index: usize, tcp: &Tcp) {
        let packet = OwnedPacket::ethernet(self.packets[index].time, tcp.ethernet());
        self.packets.insert(index, packet);
    }

    /// Puts other segments in the place of the one at `index`.
    pub fn replace(&mut self, index: usize, segments: &[Tcp]) {
        let time = self.packets[index].time;
        let packets = segments.iter().map(|tcp| OwnedPacket::ethernet(time, tcp.ethernet()));
        self.packets.splice(index..=index, packets);
    }

    /// Cuts the IPv4 packet at `index` into fragments of `size` bytes each, a multiple of 8, and changes each with its number.
    pub fn fragment(&mut self, index: usize, size: usize, mut change: impl FnMut(usize, &mut Vec<u8>)) {
        const HEADERS: usize = 14 + 20;
        let packet = self.packets.remove(index);
        let (headers, data) = packet.bytes.split_at(HEADERS);
        let last = data.len().div_ceil(size) - 1;
        for (nth, piece) in data.chunks(size).enumerate() {
            let mut bytes = [headers, piece].concat();
            let offset = (nth * size / 8) as u16 | if nth < last { 0x2000 } else { 0 };
            bytes[16..18].copy_from_slice(&((20 + piece.len()) as u16).to_be_bytes());
            bytes[18..20].copy_from_slice(&[0x12, 0x34]);
            bytes[20..22].copy_from_slice(&offset.to_be_bytes());
            change(nth, &mut bytes);
            self.packets.insert(index + nth, OwnedPacket::ethernet(packet.time, bytes));
        }
    }

    /// Makes the TCP checksum of the packet at `index` wrong.
    pub fn damage(&mut self, index: usize) {
        self.packets[index].bytes[14 + 20 + 16] ^= 0xff;
    }

    /// Everything from `index` on happens later.
    pub fn delay(&mut self, index: usize, nanos: i64) {
        for packet in &mut self.packets[index..] {
            packet.time = packet.time + nanos;
        }
    }

    /// Every segment from `index` on that has so many bytes or more in pieces of `size`.
    pub fn shred(&mut self, size: usize) {
        self.packets = mutate::resegment(&self.capture(), size, size, 1).packets;
    }

    /// The capture of it.
    pub fn capture(&self) -> Capture {
        Capture { packets: self.packets.clone() }.numbered()
    }
}

impl Tcp {
    /// The part of it from byte `from` to byte `to`.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Self {
        let to = to.min(self.payload.len());
        Self {
            seq: self.seq.wrapping_add(from as u32),
            payload: self.payload[from..to].to_vec(),
            ..self.clone()
        }
    }

    /// The same with other bytes.
    #[must_use]
    pub fn forged(&self) -> Self {
        Self { payload: self.payload.iter().map(|byte| byte ^ 0x01).collect(), ..self.clone() }
    }

    /// Without payload, with these flags.
    #[must_use]
    pub fn bare(&self, flags: u8) -> Self {
        Self { flags, payload: Vec::new(), ..self.clone() }
    }
}
