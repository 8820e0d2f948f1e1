//! The innermost TCP segment of a packet.

use crate::{FlowKey, Overlay, SeqNumber, Side, SourceId, Timestamp, checksum};

/// The control bits of a TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// The acknowledgement field is significant.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer is significant.
    pub const URG: u8 = 0x20;

    /// Whether every bit of `bits` is set.
    #[inline]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// What the TCP checksum says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// It matches.
    Good,
    /// It does not: damaged, forged, or not yet filled in by an offloading sender.
    Bad,
    /// The packet was cut, so it cannot be computed.
    Unverifiable,
}

/// A TCP segment with its flow key. Its `Debug` shows no payload.
#[derive(Clone, Copy)]
pub struct Segment<'a> {
    /// The connection.
    pub key: FlowKey,
    /// Who sent it.
    pub side: Side,
    /// When it was captured.
    pub time: Timestamp,
    /// Its frame number within `source`, from 1.
    pub frame: u64,
    /// Where it was captured.
    pub source: SourceId,
    /// Sequence number of the first payload byte, or of SYN.
    pub seq: SeqNumber,
    /// Acknowledgement number; `None` without the ACK bit.
    pub ack: Option<SeqNumber>,
    /// Control bits.
    pub flags: TcpFlags,
    /// Receive window, unscaled.
    pub window: u16,
    /// The captured payload. Ethernet padding is never part of it.
    pub payload: &'a [u8],
    /// Payload bytes that the IP header states and the capture does not hold; they follow `payload`.
    pub cut: u32,
    /// Time to live or hop limit of the innermost IP header.
    pub ttl: u8,
    /// The outermost VLAN identifier, for display only.
    pub vlan: Option<u16>,
    /// The tunnels it came in, and their network identifier.
    pub overlay: Overlay,
    /// It came in IP fragments that overlapped with different bytes; the first were kept.
    pub fragment_conflict: bool,
    /// The captured TCP header and payload, for the checksum.
    pub(crate) tcp: &'a [u8],
}

impl Segment<'_> {
    /// Verifies the TCP checksum. Costs a pass over the payload, so it is only done when asked for.
    pub fn checksum(&self) -> Checksum {
        if self.cut > 0 {
            return Checksum::Unverifiable;
        }
        if checksum::tcp_matches(&self.key, self.tcp) { Checksum::Good } else { Checksum::Bad }
    }
}

impl std::fmt::Debug for Segment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment")
            .field("key", &self.key)
            .field("side", &self.side)
            .field("frame", &self.frame)
            .field("seq", &self.seq)
            .field("ack", &self.ack)
            .field("flags", &self.flags)
            .field("len", &self.payload.len())
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}
