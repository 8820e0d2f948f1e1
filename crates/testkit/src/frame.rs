//! Builds Ethernet frames with IPv4 or IPv6 and TCP, checksums right.

use std::net::IpAddr;
use tapwire_wire::{Endpoint, Segment};

/// A TCP segment to be built.
#[derive(Debug, Clone)]
pub struct Tcp {
    /// Sender.
    pub source: Endpoint,
    /// Receiver.
    pub destination: Endpoint,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; `None` leaves the ACK bit out.
    pub ack: Option<u32>,
    /// FIN, SYN, RST and PSH; ACK follows from `ack`.
    pub flags: u8,
    /// Unscaled receive window.
    pub window: u16,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// Payload.
    pub payload: Vec<u8>,
}

/// Push: the sender's write ended here.
pub const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

impl Tcp {
    /// The same segment, to be built anew.
    pub fn of(segment: &Segment<'_>) -> Self {
        Self {
            source: *segment.key.endpoint(segment.side),
            destination: *segment.key.endpoint(segment.side.peer()),
            seq: segment.seq.0,
            ack: segment.ack.map(|ack| ack.0),
            flags: segment.flags.0 & !ACK,
            window: segment.window,
            ttl: segment.ttl,
            payload: segment.payload.to_vec(),
        }
    }

    /// As an Ethernet frame with MAC addresses made from the ports.
    pub fn ethernet(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(94 + self.payload.len());
        for port in [self.destination.port, self.source.port] {
            frame.extend([2, 0, 0, 0]);
            frame.extend(port.to_be_bytes());
        }
        frame.extend(if self.is_v4() { [8, 0] } else { [0x86, 0xdd] });
        self.append_ip(&mut frame);
        frame
    }

    fn is_v4(&self) -> bool {
        self.source.ip().is_ipv4() && self.destination.ip().is_ipv4()
    }

    fn append_ip(&self, frame: &mut Vec<u8>) {
        let length = 20 + self.payload.len();
        let start = frame.len();
        let mut pseudo: u32 = 6 + length as u32;
        if let (IpAddr::V4(source), IpAddr::V4(destination)) = (self.source.ip(), self.destination.ip()) {
            // RFC 6864: atomic datagrams need no identification, so it stays 0 and DF is set.
            frame.extend([0x45, 0]);
            frame.extend(((length + 20) as u16).to_be_bytes());
            frame.extend([0, 0, 0x40, 0, self.ttl, 6, 0, 0]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
            let check = !fold(sum(&frame[start..], 0));
            frame[start + 10..start + 12].copy_from_slice(&check.to_be_bytes());
            pseudo = sum(&frame[start + 12..start + 20], pseudo);
        } else {
            frame.extend([0x60, 0, 0, 0]);
            frame.extend((length as u16).to_be_bytes());
            frame.extend([6, self.ttl]);
            frame.extend(self.source.octets());
            frame.extend(self.destination.octets());
            pseudo = sum(&frame[start + 8..start + 40], pseudo);
        }
        self.append_tcp(frame, pseudo);
    }

    fn append_tcp(&self, frame: &mut Vec<u8>, pseudo: u32) {
        let start = frame.len();
        frame.extend(self.source.port.to_be_bytes());
        frame.extend(self.destination.port.to_be_bytes());
        frame.extend(self.seq.to_be_bytes());
        frame.extend(self.ack.unwrap_or(0).to_be_bytes());
        frame.extend([0x50, self.flags | if self.ack.is_some() { ACK } else { 0 }]);
        frame.extend(self.window.to_be_bytes());
        frame.extend([0, 0, 0, 0]);
        frame.extend(&self.payload);
        let check = !fold(sum(&frame[start..], pseudo));
        frame[start + 16..start + 18].copy_from_slice(&check.to_be_bytes());
    }
}

/// One's complement sum (RFC 1071), not folded. Bytes of up to 64 KiB cannot overflow it.
fn sum(bytes: &[u8], start: u32) -> u32 {
    let mut pairs = bytes.chunks_exact(2);
    let total =
        pairs.by_ref().fold(start, |total, pair| total + u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    total + pairs.remainder().first().map_or(0, |last| u32::from(*last) << 8)
}

const fn fold(mut total: u32) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OwnedPacket;
    use tapwire_wire::{Checksum, Timestamp};

    #[test]
    fn what_is_built_decodes_to_the_same_segment_with_a_good_checksum() {
        let ends: [fn(u16) -> Endpoint; 2] =
            [|port| Endpoint::v4([10, 0, 0, 1], port), |port| Endpoint::v6([0xfd; 16], port)];
        for end in ends {
            for payload in [&b""[..], b"x", b"GET / HTTP/1.1\r\n"] {
                let tcp = Tcp {
                    source: end(50_000),
                    destination: end(80),
                    seq: 7,
                    ack: Some(9),
                    flags: PSH,
                    window: 512,
                    ttl: 64,
                    payload: payload.to_vec(),
                };
                let packet = OwnedPacket::ethernet(Timestamp::default(), tcp.ethernet());
                let segment = packet.segment().expect("a segment");
                assert_eq!(segment.checksum(), Checksum::Good);
                assert_eq!((segment.payload, segment.seq.0, segment.ttl), (payload, 7, 64));
                assert_eq!(segment.ack.map(|ack| ack.0), Some(9));
            }
        }
    }
}
