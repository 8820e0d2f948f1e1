//! Writes the classic format.

use std::io::{self, Write};

use tapwire_wire::{LinkType, Packet};

use crate::ByteOrder;
use crate::format::pcap::{MICROSECONDS, NANOSECONDS};

/// Which part of a second the classic format counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// Every reader knows it.
    Microseconds,
    /// Since libpcap 1.5.
    Nanoseconds,
}

/// Writes a pcap file of one link type. Wrap a file in a [`io::BufWriter`]: each packet is two writes.
#[derive(Debug)]
pub struct PcapWriter<W> {
    out: W,
    order: ByteOrder,
    resolution: Resolution,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W, order: ByteOrder, resolution: Resolution, link: LinkType) -> io::Result<Self> {
        let magic = match resolution {
            Resolution::Microseconds => MICROSECONDS,
            Resolution::Nanoseconds => NANOSECONDS,
        };
        // Version 2.4, no time zone, no accuracy, the largest snap length of libpcap.
        out.write_all(&order.u32_bytes(magic))?;
        out.write_all(&order.u16_bytes(2))?;
        out.write_all(&order.u16_bytes(4))?;
        for field in [0, 0, 262_144, link.0] {
            out.write_all(&order.u32_bytes(field))?;
        }
        Ok(Self { out, order, resolution })
    }

    /// Writes a packet. Times before 1970 become 1970, those after 2106 become 2106.
    ///
    /// # Errors
    /// Those of `out`; and `InvalidInput` for a packet of 4 GiB.
    pub fn write(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let nanos = packet.time.nanos().max(0).cast_unsigned();
        let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        let fraction = match self.resolution {
            Resolution::Microseconds => rest / 1000,
            Resolution::Nanoseconds => rest,
        };
        let len =
            u32::try_from(packet.data.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let number = |value: u64| self.order.u32_bytes(u32::try_from(value).unwrap_or(u32::MAX));
        let header = [number(seconds), number(fraction), number(len.into()), number(packet.wire_len.into())];
        self.out.write_all(header.as_flattened())?;
        self.out.write_all(packet.data)
    }

    /// Gives back what was written to, not flushed.
    pub fn into_inner(self) -> W {
        self.out
    }
}
