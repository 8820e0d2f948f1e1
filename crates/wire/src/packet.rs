//! What a source hands over: captured bytes with their time, link type and frame number.

use std::ops::Add;

/// A step back beyond this is another clock: an hour, in nanoseconds.
const SET_BACK: i64 = 3_600 * 1_000_000_000;

/// Nanoseconds since the Unix epoch, as the capture states them. Never read from this machine's clock.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest time that can be represented; used before the first packet.
    pub const MIN: Self = Self(i64::MIN);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From seconds and nanoseconds, saturating where a hostile file states a year that does not fit.
    pub const fn from_parts(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded towards the past.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Nanoseconds from `earlier` to `self`; negative when the order is the other way round.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Of a clock that hears packet times and does not run backwards: moves on to `heard` where that is later. More than an
    /// hour earlier is no late packet but a clock that was set back, which is followed too; whether it was.
    pub const fn follow(&mut self, heard: Self) -> bool {
        let step = heard.since(*self);
        let is_set_back = step < -SET_BACK;
        if step > 0 || is_set_back {
            *self = heard;
        }
        is_set_back
    }
}

impl Add<i64> for Timestamp {
    type Output = Self;

    fn add(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

/// Which interface or capture file a packet came from: an index into the run's list of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceId(pub u16);

/// A link-layer header type, by the LINKTYPE numbers of the capture file formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: a four-byte address family in the byte order of the machine that captured.
    pub const NULL: Self = Self(0);
    /// IEEE 802.3 Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP.
    pub const PPP: Self = Self(9);
    /// Raw IP as some systems number it in files.
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP on OpenBSD.
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP in HDLC framing, or Cisco's HDLC.
    pub const PPP_HDLC: Self = Self(50);
    /// PPP over Ethernet, without the Ethernet header.
    pub const PPP_ETHERNET: Self = Self(51);
    /// Raw IP: the first nibble tells version 4 from 6.
    pub const RAW: Self = Self(101);
    /// Cisco's HDLC.
    pub const CISCO_HDLC: Self = Self(104);
    /// OpenBSD loopback: a four-byte address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture v1.
    pub const LINUX_SLL: Self = Self(113);
    /// MPLS labels.
    pub const MPLS: Self = Self(219);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux netfilter log.
    pub const NFLOG: Self = Self(239);
    /// Linux cooked capture v2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One captured packet, borrowed from the buffer of its source.
///
/// Its `Debug` shows no payload: traffic content is secret.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// How `data` begins.
    pub link: LinkType,
    /// The captured bytes, from the link-layer header on.
    pub data: &'a [u8],
    /// The length on the wire in bytes; more than `data.len()` when the capture cut the packet.
    pub wire_len: u32,
    /// The frame number in its source, counted from 1 as Wireshark does.
    pub frame: u64,
    /// The source it came from.
    pub source: SourceId,
}

impl Packet<'_> {
    /// Which packet of the run this is.
    pub const fn id(&self) -> PacketId {
        PacketId { source: self.source, frame: self.frame, time: self.time }
    }
}

/// One packet of a run. Where captures of several runs have one source, their frame numbers begin anew: time tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId {
    /// Where it came from.
    pub source: SourceId,
    /// Its number there.
    pub frame: u64,
    /// When it was captured.
    pub time: Timestamp,
}

impl std::fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packet")
            .field("time", &self.time)
            .field("link", &self.link)
            .field("len", &self.data.len())
            .field("wire_len", &self.wire_len)
            .field("frame", &self.frame)
            .field("source", &self.source)
            .finish()
    }
}
