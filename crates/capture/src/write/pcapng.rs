//! Writes the block format.

use std::io::{self, Write};

use tapwire_wire::{LinkType, Packet};

use crate::ByteOrder;
use crate::format::pcapng::{
    BYTE_ORDER_MAGIC, DECRYPTION_SECRETS, ENHANCED_PACKET, INTERFACE, OPTION_IF_DESCRIPTION, OPTION_IF_NAME,
    OPTION_TSOFFSET, OPTION_TSRESOL, SECTION_HEADER, SIMPLE_PACKET,
};

/// What packets of one interface have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceDescription {
    /// How its packets begin.
    pub link: LinkType,
    /// Most bytes captured of a packet; 0 is no limit.
    pub snap_len: u32,
    /// `if_tsresol`: 10 to the minus n of a second, or 2 to the minus n with the highest bit set.
    pub resolution: u8,
    /// `if_tsoffset`: seconds to add to every time.
    pub offset_seconds: i64,
}

impl InterfaceDescription {
    /// Nanoseconds, no offset, no snap length.
    pub const fn new(link: LinkType) -> Self {
        Self { link, snap_len: 0, resolution: 9, offset_seconds: 0 }
    }
}

/// What an interface is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Labels<'a> {
    /// `if_name`.
    pub name: Option<&'a str>,
    /// `if_description`.
    pub description: Option<&'a str>,
}

/// `opt_comment`, which any block may carry, several times too.
const OPTION_COMMENT: u16 = 1;
/// `shb_userappl`: the program that wrote the section.
const OPTION_APPLICATION: u16 = 4;

/// Writes a pcapng file: a section, its interfaces, then packets. Wrap a file in a [`io::BufWriter`].
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    order: ByteOrder,
    interfaces: Vec<InterfaceDescription>,
}

impl<W: Write> PcapngWriter<W> {
    /// Begins the first section.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W, order: ByteOrder) -> io::Result<Self> {
        let mut writer = Self { out, order, interfaces: Vec::new() };
        writer.section(order)?;
        Ok(writer)
    }

    /// Begins the first section, which names the program that wrote it.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn by(out: W, order: ByteOrder, application: &str) -> io::Result<Self> {
        let mut writer = Self { out, order, interfaces: Vec::new() };
        writer.begin(order, application)?;
        Ok(writer)
    }

    /// Begins another section, which has no interfaces yet.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn section(&mut self, order: ByteOrder) -> io::Result<()> {
        self.begin(order, "")
    }

    fn begin(&mut self, order: ByteOrder, application: &str) -> io::Result<()> {
        self.order = order;
        self.interfaces.clear();
        let mut body = Vec::with_capacity(64);
        body.extend(order.u32_bytes(BYTE_ORDER_MAGIC));
        body.extend(order.u16_bytes(1));
        body.extend(order.u16_bytes(0));
        // The section's length is not known.
        body.extend([0xff; 8]);
        self.options(&mut body, &[(OPTION_APPLICATION, application)]);
        self.block(u32::from_le_bytes(SECTION_HEADER), &[&body])
    }

    /// Describes an interface and returns its number in this section.
    ///
    /// # Errors
    /// Those of `out`; and `InvalidInput` for a link type that two bytes do not hold.
    pub fn interface(&mut self, interface: InterfaceDescription) -> io::Result<u32> {
        self.labelled_interface(interface, Labels::default())
    }

    /// The same, with what the interface is called.
    ///
    /// # Errors
    /// Those of [`PcapngWriter::interface`].
    pub fn labelled_interface(
        &mut self,
        interface: InterfaceDescription,
        labels: Labels<'_>,
    ) -> io::Result<u32> {
        let link = u16::try_from(interface.link.0).map_err(|_| invalid())?;
        let (order, number) = (self.order, u32::try_from(self.interfaces.len()).map_err(|_| invalid())?);
        let mut body = Vec::with_capacity(40);
        body.extend(order.u16_bytes(link));
        body.extend([0; 2]);
        body.extend(order.u32_bytes(interface.snap_len));
        for (code, text) in [(OPTION_IF_NAME, labels.name), (OPTION_IF_DESCRIPTION, labels.description)] {
            self.option(&mut body, code, text.unwrap_or_default());
        }
        body.extend(order.u16_bytes(OPTION_TSRESOL));
        body.extend(order.u16_bytes(1));
        body.extend([interface.resolution, 0, 0, 0]);
        body.extend(order.u16_bytes(OPTION_TSOFFSET));
        body.extend(order.u16_bytes(8));
        body.extend(order.u64_bytes(interface.offset_seconds.cast_unsigned()));
        body.extend([0; 4]);
        self.block(INTERFACE, &[&body])?;
        self.interfaces.push(interface);
        Ok(number)
    }

    /// Writes a packet of that interface, with its time.
    ///
    /// # Errors
    /// Those of `out`; and `InvalidInput` for an interface that was not described, or a packet of 4 GiB.
    pub fn packet(&mut self, interface: u32, packet: &Packet<'_>) -> io::Result<()> {
        self.commented_packet(interface, packet, &[])
    }

    /// The same, with comments that readers show beside it.
    ///
    /// # Errors
    /// Those of [`PcapngWriter::packet`].
    pub fn commented_packet(
        &mut self,
        interface: u32,
        packet: &Packet<'_>,
        comments: &[&str],
    ) -> io::Result<()> {
        let description = self.interfaces.get(interface as usize).ok_or_else(invalid)?;
        let units = units(description, packet);
        let len = u32::try_from(packet.data.len()).map_err(|_| invalid())?;
        let number = |value: u64| self.order.u32_bytes(u32::try_from(value).unwrap_or(u32::MAX));
        let header = [
            number(interface.into()),
            number(units >> 32),
            number(units & 0xffff_ffff),
            number(len.into()),
            number(packet.wire_len.into()),
        ];
        if comments.is_empty() {
            return self.block(ENHANCED_PACKET, &[header.as_flattened(), packet.data]);
        }
        let padding = packet.data.len().next_multiple_of(4) - packet.data.len();
        let padding = [0; 3].get(..padding).unwrap_or_default();
        let mut options = Vec::new();
        let comments: Vec<(u16, &str)> = comments.iter().map(|text| (OPTION_COMMENT, *text)).collect();
        self.options(&mut options, &comments);
        self.block(ENHANCED_PACKET, &[header.as_flattened(), packet.data, padding, &options])
    }

    /// Writes secrets that decrypt packets behind them, such as a TLS key log (`secrets_type` 0x544c534b).
    ///
    /// # Errors
    /// Those of [`PcapngWriter::block`].
    pub fn secrets(&mut self, kind: u32, secrets: &[u8]) -> io::Result<()> {
        let len = u32::try_from(secrets.len()).map_err(|_| invalid())?;
        let header = [self.order.u32_bytes(kind), self.order.u32_bytes(len)];
        self.block(DECRYPTION_SECRETS, &[header.as_flattened(), secrets])
    }

    /// Appends the options that have a text, and the end of options where there is one.
    fn options(&self, body: &mut Vec<u8>, options: &[(u16, &str)]) {
        options.iter().for_each(|(code, text)| self.option(body, *code, text));
        if options.iter().any(|(_, text)| !text.is_empty()) {
            body.extend([0; 4]);
        }
    }

    fn option(&self, body: &mut Vec<u8>, code: u16, text: &str) {
        let text = text.get(..text.floor_char_boundary(LONGEST_OPTION)).unwrap_or_default();
        let Ok(len) = u16::try_from(text.len()) else { return };
        if len == 0 {
            return;
        }
        body.extend(self.order.u16_bytes(code));
        body.extend(self.order.u16_bytes(len));
        body.extend(text.as_bytes());
        body.resize(body.len().next_multiple_of(4), 0);
    }

    /// Writes a packet of the first interface, without a time.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn simple_packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        self.block(SIMPLE_PACKET, &[&self.order.u32_bytes(packet.wire_len), packet.data])
    }

    /// Writes any block: its type, its body padded to four bytes, its length at both ends.
    ///
    /// # Errors
    /// Those of `out`; and `InvalidInput` for a body of 4 GiB.
    pub fn block(&mut self, kind: u32, body: &[&[u8]]) -> io::Result<()> {
        let inside: usize = body.iter().map(|part| part.len()).sum();
        let padded = inside.next_multiple_of(4);
        let length = self.order.u32_bytes(u32::try_from(padded + 12).map_err(|_| invalid())?);
        self.out.write_all(&self.order.u32_bytes(kind))?;
        self.out.write_all(&length)?;
        for part in body {
            self.out.write_all(part)?;
        }
        self.out.write_all([0; 3].get(..padded - inside).unwrap_or_default())?;
        self.out.write_all(&length)
    }

    /// Gives back what was written to, not flushed.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Bytes that the length of an option can state.
const LONGEST_OPTION: usize = 65_535;

/// The packet's time in units of its interface.
fn units(interface: &InterfaceDescription, packet: &Packet<'_>) -> u64 {
    let offset = i128::from(interface.offset_seconds) * 1_000_000_000;
    let nanos = u128::try_from(i128::from(packet.time.nanos()) - offset).unwrap_or(0);
    let exponent = u32::from(interface.resolution & 0x7f);
    let units = if interface.resolution & 0x80 == 0 {
        10u128
            .checked_pow(exponent)
            .and_then(|units| nanos.checked_mul(units))
            .map(|units| units / 1_000_000_000)
    } else {
        // Rounded up, so that reading it back, which rounds down, gives the same nanosecond.
        1u128
            .checked_shl(exponent)
            .and_then(|units| nanos.checked_mul(units))
            .map(|u| u.div_ceil(1_000_000_000))
    };
    units.and_then(|units| u64::try_from(units).ok()).unwrap_or(u64::MAX)
}

fn invalid() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidInput)
}
