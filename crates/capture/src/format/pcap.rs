//! The classic format: a file header, then a header before each packet.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>

use tapwire_wire::{LinkType, Timestamp};

use super::{ByteOrder, MAX_PACKET, Record, Step};

/// Magic numbers, as the writing machine stored them.
pub(crate) const MICROSECONDS: u32 = 0xa1b2_c3d4;
pub(crate) const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// A patched libpcap of the Linux 2.2 years, whose packet headers carry eight more bytes.
const MODIFIED: u32 = 0xa1b2_cd34;

const FILE_HEADER: usize = 24;

/// The state of reading a pcap file.
#[derive(Debug)]
pub(crate) struct Pcap {
    order: ByteOrder,
    nanos_per_unit: i64,
    packet_header: usize,
    /// Known once the file header is read.
    link: Option<LinkType>,
}

impl Pcap {
    /// For a file that starts with `magic`; `None` when that is no pcap file.
    pub(crate) fn new(magic: [u8; 4]) -> Option<Self> {
        [ByteOrder::Little, ByteOrder::Big].into_iter().find_map(|order| {
            let (nanos_per_unit, packet_header) = match order.u32(magic) {
                MICROSECONDS => (1000, 16),
                NANOSECONDS => (1, 16),
                MODIFIED => (1000, 24),
                _ => return None,
            };
            Some(Self { order, nanos_per_unit, packet_header, link: None })
        })
    }

    /// Looks at the next bytes.
    #[inline]
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Step {
        match self.link {
            Some(link) => self.packet(link, bytes),
            None => self.file_header(bytes),
        }
    }

    fn file_header(&mut self, bytes: &[u8]) -> Step {
        let Some(link) = self.order.u32_at(bytes, 20) else {
            return Step::Need(FILE_HEADER);
        };
        // The upper bits tell of a frame check sequence, which no length of IP reaches.
        self.link = Some(LinkType(link & 0xffff));
        Step::Pass(FILE_HEADER)
    }

    #[inline]
    fn packet(&self, link: LinkType, bytes: &[u8]) -> Step {
        let Some(header) = bytes.first_chunk::<16>() else {
            return Step::Need(self.packet_header);
        };
        let [s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, w0, w1, w2, w3] = *header;
        let order = self.order;
        let len = order.u32([c0, c1, c2, c3]) as usize;
        if len > MAX_PACKET {
            return Step::Corrupt("a packet length that no network has");
        }
        let next = self.packet_header + len;
        if bytes.len() < next {
            return Step::Need(next);
        }
        let fraction = i64::from(order.u32([f0, f1, f2, f3])) * self.nanos_per_unit;
        Step::Packet(Record {
            time: Timestamp::from_parts(i64::from(order.u32([s0, s1, s2, s3])), fraction),
            link,
            wire_len: order.u32([w0, w1, w2, w3]),
            interface: 0,
            name: 0,
            start: self.packet_header,
            len,
            next,
        })
    }
}
