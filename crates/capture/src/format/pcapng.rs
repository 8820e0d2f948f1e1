//! The block format, with several sections, interfaces and link types.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>

use tapwire_wire::{LinkType, Timestamp};

use super::secrets::Pending;
use super::{ByteOrder, FileInterface, Losses, MAX_PACKET, Record, Secrets, Step};

/// The type of a section header reads the same in both byte orders.
pub(crate) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Stored in the byte order of its section.
pub(crate) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
pub(crate) const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
pub(crate) const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
pub(crate) const ENHANCED_PACKET: u32 = 6;
pub(crate) const DECRYPTION_SECRETS: u32 = 10;
/// What may follow a damaged block: those above, name resolution, and custom ones.
const KINDS: [u32; 9] = [
    INTERFACE,
    OBSOLETE_PACKET,
    SIMPLE_PACKET,
    4,
    STATISTICS,
    ENHANCED_PACKET,
    DECRYPTION_SECRETS,
    0xbad,
    0x4000_0bad,
];

pub(crate) const OPTION_IF_NAME: u16 = 2;
pub(crate) const OPTION_IF_DESCRIPTION: u16 = 3;
pub(crate) const OPTION_TSRESOL: u16 = 9;
pub(crate) const OPTION_TSOFFSET: u16 = 14;
const OPTION_IF_DROP: u16 = 5;
const OPTION_OS_DROP: u16 = 7;

/// Type, length, and the length again.
pub(crate) const SMALLEST_BLOCK: usize = 12;
/// The largest packet with generous options and comments.
const LARGEST_BLOCK: usize = MAX_PACKET + (1 << 20);
/// Interfaces are numbered by two bytes in packet blocks of old; nobody has more.
const MAX_INTERFACES: usize = 1 << 16;
/// Bytes kept of an interface's name or description.
const LONGEST_TEXT: usize = 256;
/// Interfaces that are told apart by name, of all sections; packets of others are only the file's.
const MAX_NAMES: usize = 256;
/// Characters of an interface's name that are shown.
const MAX_NAME: usize = 64;

/// An interface description.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: LinkType,
    snap_len: u32,
    resolution: Resolution,
    offset_nanos: i64,
    /// Its place among the file's interface names.
    name: u16,
    /// What its statistics said last.
    losses: Losses,
}

/// What one unit of a timestamp is (`if_tsresol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolution {
    /// So many nanoseconds.
    Multiple(u64),
    /// A nanosecond's part.
    Fraction(u64),
    /// 2 to the minus n of a second.
    Binary(u32),
}

impl Resolution {
    /// From the option's byte: the highest bit chooses between powers of 2 and of 10.
    fn from_option(value: u8) -> Self {
        let exponent = u32::from(value & 0x7f);
        if value & 0x80 != 0 {
            return Self::Binary(exponent);
        }
        match exponent.checked_sub(9) {
            None => Self::Multiple(10u64.pow(9 - exponent)),
            // Units so small that 64 bits of them are less than a nanosecond.
            Some(digits) => Self::Fraction(10u64.checked_pow(digits).unwrap_or(u64::MAX)),
        }
    }

    #[inline]
    fn nanos(self, units: u64) -> i64 {
        let nanos = match self {
            Self::Multiple(factor) => units.checked_mul(factor),
            Self::Fraction(divisor) => Some(units / divisor),
            Self::Binary(bits) => {
                // Below 2^94, so nothing overflows; 127 is the most that seven bits of exponent can say.
                u64::try_from((u128::from(units) * 1_000_000_000).checked_shr(bits).unwrap_or(0)).ok()
            }
        };
        nanos.and_then(|nanos| i64::try_from(nanos).ok()).unwrap_or(i64::MAX)
    }
}

/// The state of reading a pcapng file: the section's byte order and interfaces.
#[derive(Debug)]
pub(crate) struct Pcapng {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// Those of all sections so far, at most [`MAX_INTERFACES`].
    described: Vec<FileInterface>,
    /// Interfaces of earlier sections.
    earlier: u32,
    /// Simple packet blocks have no time of their own.
    last_time: Timestamp,
    /// Names of interfaces of all sections, each once.
    names: Vec<String>,
    losses: Losses,
    secrets: Pending,
}

impl Pcapng {
    /// Before the first section header.
    pub(crate) fn new() -> Self {
        Self {
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            described: Vec::new(),
            earlier: 0,
            last_time: Timestamp::from_nanos(0),
            names: Vec::new(),
            losses: Losses::default(),
            secrets: Pending::default(),
        }
    }

    /// What the file says about an interface.
    #[inline]
    pub(crate) fn described(&self, number: u32) -> &FileInterface {
        self.described.get(number as usize).unwrap_or(&FileInterface::UNNAMED)
    }

    /// The number through all sections of the section's own `number`.
    #[inline]
    const fn through_all(&self, number: u32) -> u32 {
        self.earlier.saturating_add(number)
    }

    pub(crate) fn interfaces(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }

    /// How many blocks of secrets wait to be taken.
    pub(crate) const fn secrets(&self) -> usize {
        self.secrets.count()
    }

    pub(crate) fn take_secrets(&mut self) -> (Vec<Secrets>, u64) {
        self.secrets.take()
    }

    /// Looks at the next block.
    #[inline]
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Step {
        let Some([k0, k1, k2, k3, l0, l1, l2, l3]) = bytes.first_chunk() else {
            return Step::Need(SMALLEST_BLOCK);
        };
        let kind = [*k0, *k1, *k2, *k3];
        if kind == SECTION_HEADER {
            return self.section(bytes, [*l0, *l1, *l2, *l3]);
        }
        let length = self.order.u32([*l0, *l1, *l2, *l3]) as usize;
        if length < SMALLEST_BLOCK || !length.is_multiple_of(4) {
            return Step::Corrupt("a block length that is too small or not a multiple of four");
        }
        match self.order.u32(kind) {
            known @ (INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET | STATISTICS) => {
                self.block(known, length, bytes)
            }
            DECRYPTION_SECRETS if length <= LARGEST_BLOCK => self.block(DECRYPTION_SECRETS, length, bytes),
            DECRYPTION_SECRETS => {
                self.secrets.drop(length);
                Step::Pass(length)
            }
            _ => Step::Pass(length),
        }
    }

    /// A block whose inside matters.
    #[inline]
    fn block(&mut self, kind: u32, length: usize, bytes: &[u8]) -> Step {
        if length > LARGEST_BLOCK {
            return Step::Corrupt("a block length that no packet needs");
        }
        let Some(block) = bytes.get(..length) else {
            return Step::Need(length);
        };
        let framed = self.order.u32_at(block, length - 4) == u32::try_from(length).ok();
        let step = match kind {
            _ if !framed => Some(Step::Corrupt("a block whose two lengths differ")),
            INTERFACE => self.interface(block),
            OBSOLETE_PACKET => self.packet(block, 20, u32::from(self.order.u16_at(block, 8).unwrap_or(0))),
            SIMPLE_PACKET => self.simple_packet(block),
            STATISTICS => self.statistics(block),
            DECRYPTION_SECRETS => self.keep_secrets(block),
            _ => self.packet(block, 20, self.order.u32_at(block, 8).unwrap_or(0)),
        };
        match step.unwrap_or(Step::Corrupt("a block too short for its fields")) {
            // Without one of the interfaces, the numbers of those behind it would mean others.
            Step::Corrupt(what) if kind != INTERFACE => Step::Damaged { what, length, framed },
            step => step,
        }
    }

    /// The length of the block that begins here, of a known kind and with a length that it may have. Its second length is
    /// not looked at where it is not at hand.
    pub(crate) fn block_length(&self, bytes: &[u8]) -> Option<usize> {
        let kind = self.order.u32_at(bytes, 0)?;
        let magic = bytes.get(8..).and_then(|rest| rest.first_chunk());
        let order = match bytes.first_chunk() == Some(&SECTION_HEADER) {
            true => order_of(*magic?),
            false => KINDS.contains(&kind).then_some(self.order),
        };
        let length = order?.u32_at(bytes, 4)? as usize;
        if !length.is_multiple_of(4) || !(SMALLEST_BLOCK..=LARGEST_BLOCK).contains(&length) {
            return None;
        }
        let again = bytes.get(..length).map(|block| order?.u32_at(block, length - 4));
        let agrees = again.is_none_or(|again| again.map(|again| again as usize) == Some(length));
        agrees.then_some(length)
    }

    /// A section header: a new byte order, and interfaces are numbered from zero again.
    fn section(&mut self, bytes: &[u8], length: [u8; 4]) -> Step {
        let Some(magic) = bytes.get(8..).and_then(|rest| rest.first_chunk()) else {
            return Step::Need(28);
        };
        let Some(order) = order_of(*magic) else {
            return Step::Corrupt("a section header without its byte-order magic");
        };
        let length = order.u32(length) as usize;
        if length < 28 || !length.is_multiple_of(4) {
            return Step::Corrupt("a section header with a length that cannot be");
        }
        self.order = order;
        self.earlier = self.through_all(u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX));
        self.interfaces.clear();
        self.secrets.begin_section();
        Step::Pass(length)
    }

    fn interface(&mut self, block: &[u8]) -> Option<Step> {
        if self.interfaces.len() >= MAX_INTERFACES {
            return Some(Step::Corrupt("more interfaces than packets can refer to"));
        }
        let mut interface = Interface {
            link: LinkType(u32::from(self.order.u16_at(block, 8)?)),
            snap_len: self.order.u32_at(block, 12)?,
            resolution: Resolution::Multiple(1000),
            offset_nanos: 0,
            name: u16::MAX,
            losses: Losses::default(),
        };
        let mut described = FileInterface {
            number: self.through_all(u32::try_from(self.interfaces.len()).ok()?),
            snap_len: interface.snap_len,
            ..FileInterface::default()
        };
        for (code, value) in (Options { order: self.order, rest: block.get(16..block.len() - 4)? }) {
            match (code, value) {
                (OPTION_IF_NAME, name) => described.name = text(name),
                (OPTION_IF_DESCRIPTION, words) => described.description = text(words),
                (OPTION_TSRESOL, [resolution]) => interface.resolution = Resolution::from_option(*resolution),
                (OPTION_TSOFFSET, value) => {
                    let seconds = self.order.u64_of(value).unwrap_or(0).cast_signed();
                    interface.offset_nanos = seconds.saturating_mul(1_000_000_000);
                }
                _ => {}
            }
        }
        let name = described.name.as_deref().and_then(printable);
        interface.name = self.name(name.unwrap_or_else(|| self.interfaces.len().to_string()));
        self.interfaces.push(interface);
        if self.described.len() < MAX_INTERFACES {
            self.described.push(described);
        }
        Some(Step::Pass(block.len()))
    }

    /// The place of a name; an interface of a later section that is called the same is the same.
    fn name(&mut self, name: String) -> u16 {
        let known = self.names.iter().position(|known| *known == name);
        let at = known.unwrap_or(self.names.len());
        if at < MAX_NAMES && known.is_none() {
            self.names.push(name);
        }
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// What an interface lost until now. Writers of old put the ring's losses down as the interface's and know no others.
    fn statistics(&mut self, block: &[u8]) -> Option<Step> {
        let pass = Some(Step::Pass(block.len()));
        let id = self.order.u32_at(block, 8)?;
        let (mut dropped, mut by_system) = (None, None);
        for (code, value) in
            (Options { order: self.order, rest: block.get(20..block.len().checked_sub(4)?)? })
        {
            match code {
                OPTION_IF_DROP => dropped = self.order.u64_of(value),
                OPTION_OS_DROP => by_system = self.order.u64_of(value),
                _ => {}
            }
        }
        let Some(interface) = self.interfaces.get_mut(id as usize) else { return pass };
        let now = match (dropped, by_system) {
            (dropped, Some(kernel)) => Losses { kernel, interface: dropped.unwrap_or(0) },
            (dropped, None) => Losses { kernel: dropped.unwrap_or(0), interface: 0 },
        };
        let before = std::mem::replace(&mut interface.losses, now);
        let more = |now: u64, before: u64| now.saturating_sub(before);
        self.losses.kernel = self.losses.kernel.saturating_add(more(now.kernel, before.kernel));
        self.losses.interface = self.losses.interface.saturating_add(more(now.interface, before.interface));
        pass
    }

    fn keep_secrets(&mut self, block: &[u8]) -> Option<Step> {
        let kind = self.order.u32_at(block, 8)?;
        let len = self.order.u32_at(block, 12)? as usize;
        let body = block.get(16..block.len().checked_sub(4)?)?;
        match body.get(..len) {
            Some(data) => self.secrets.keep(kind, data),
            // Nothing behind depends on it.
            None => self.secrets.drop(body.len()),
        }
        Some(Step::Pass(block.len()))
    }

    /// An enhanced or obsolete packet block: both have time and lengths from byte 12, and the packet from byte 28.
    #[inline]
    fn packet(&mut self, block: &[u8], lengths: usize, interface: u32) -> Option<Step> {
        let number = self.through_all(interface);
        let Some(interface) = self.interfaces.get(interface as usize) else {
            return Some(Step::Corrupt("a packet of an interface that was not described"));
        };
        let order = self.order;
        let high = u64::from(order.u32_at(block, 12)?);
        let low = u64::from(order.u32_at(block, 16)?);
        let len = order.u32_at(block, lengths)? as usize;
        let wire_len = order.u32_at(block, lengths + 4)?;
        if len > block.len().checked_sub(32)? {
            return Some(Step::Corrupt("a packet longer than its block"));
        }
        let time =
            Timestamp::from_nanos(interface.resolution.nanos(high << 32 | low)) + interface.offset_nanos;
        self.last_time = time;
        let (link, name, next) = (interface.link, interface.name, block.len());
        Some(Step::Packet(Record { time, link, wire_len, interface: number, name, start: 28, len, next }))
    }

    /// A simple packet block: of the first interface, cut at its snap length, without a time.
    fn simple_packet(&self, block: &[u8]) -> Option<Step> {
        let Some(interface) = self.interfaces.first() else {
            return Some(Step::Corrupt("a packet of an interface that was not described"));
        };
        let wire_len = self.order.u32_at(block, 8)?;
        let snapped = if interface.snap_len == 0 { wire_len } else { wire_len.min(interface.snap_len) };
        let len = (snapped as usize).min(block.len().checked_sub(16)?);
        let (link, time, name, next) = (interface.link, self.last_time, interface.name, block.len());
        let interface = self.through_all(0);
        Some(Step::Packet(Record { time, link, wire_len, interface, name, start: 12, len, next }))
    }
}

/// The byte order of a section, by its magic.
fn order_of(magic: [u8; 4]) -> Option<ByteOrder> {
    [ByteOrder::Little, ByteOrder::Big].into_iter().find(|order| order.u32(magic) == BYTE_ORDER_MAGIC)
}

/// The options of a block; anything odd ends the list, as a reader of old would.
struct Options<'a> {
    order: ByteOrder,
    rest: &'a [u8],
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = self.order.u16_at(self.rest, 0).filter(|code| *code != 0)?;
        let len = usize::from(self.order.u16_at(self.rest, 2)?);
        let value = self.rest.get(4..4 + len)?;
        self.rest = self.rest.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    }
}

/// An option's text. Nobody needs a longer one; options of 64 KiB in each of 65,536 interfaces would be 4 GiB.
fn text(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.get(..bytes.len().min(LONGEST_TEXT))?;
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// An interface's name as it may be shown; `None` where nothing of it can be.
fn printable(text: &str) -> Option<String> {
    let name: String = text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    (!name.is_empty()).then_some(name)
}
