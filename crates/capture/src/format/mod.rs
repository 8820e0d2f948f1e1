//! Capture file formats as state machines over bytes: no input, no output, no allocation per packet.

pub(crate) mod pcap;
pub(crate) mod pcapng;
mod secrets;

use tapwire_wire::{LinkType, Timestamp};

pub(crate) use self::pcap::Pcap;
pub(crate) use self::pcapng::Pcapng;
pub(crate) use self::secrets::MAX_WAITING as MAX_WAITING_SECRETS;
pub use self::secrets::Secrets;

/// The largest packet that is believed, in bytes. Real ones end at 256 KiB (libpcap's largest snap length), offloaded
/// ones included; a length beyond this is damage, and believing it would make the reader allocate what a file states.
pub const MAX_PACKET: usize = 4 << 20;

/// How many bytes [`Format::detect`] wants to see.
pub(crate) const MAGIC_LEN: usize = 4;

/// Which end comes first in the numbers of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    pub(crate) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(crate) const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(crate) const fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }

    pub(crate) const fn u16_bytes(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(crate) const fn u32_bytes(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    pub(crate) const fn u64_bytes(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// The number at `at`, or `None` where the bytes end before.
    pub(crate) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        bytes.get(at..)?.first_chunk().map(|chunk| self.u16(*chunk))
    }

    /// The number that `bytes` are, all eight of them.
    pub(crate) fn u64_of(self, bytes: &[u8]) -> Option<u64> {
        <[u8; 8]>::try_from(bytes).ok().map(|bytes| self.u64(bytes))
    }

    /// The number at `at`, or `None` where the bytes end before.
    pub(crate) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        bytes.get(at..)?.first_chunk().map(|chunk| self.u32(*chunk))
    }
}

/// The interface that a packet was captured on, as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileInterface {
    /// Counts the interfaces of a file, through all its sections, from 0.
    pub number: u32,
    /// `if_name`; `None` where the file names none, and in the classic format.
    pub name: Option<String>,
    /// `if_description`.
    pub description: Option<String>,
    /// Most bytes captured of a packet; 0 is no limit, or unknown.
    pub snap_len: u32,
}

impl FileInterface {
    /// The one interface of a source that describes none.
    pub const UNNAMED: Self = Self { number: 0, name: None, description: None, snap_len: 0 };
}

/// Where a packet lies in the bytes that a step was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) time: Timestamp,
    pub(crate) link: LinkType,
    pub(crate) wire_len: u32,
    /// Which interface it came through, counted through all sections of the file.
    pub(crate) interface: u32,
    /// The place of that interface's name in [`Format::interfaces`].
    pub(crate) name: u16,
    /// First byte of the packet.
    pub(crate) start: usize,
    /// Captured bytes.
    pub(crate) len: usize,
    /// First byte of what comes next.
    pub(crate) next: usize,
}

/// What the next bytes of a file are. A `Packet` step changes no state, so it may be taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A packet.
    Packet(Record),
    /// Something else, this many bytes long, perhaps more than are at hand.
    Pass(usize),
    /// At least this many bytes are needed, counted from the first one at hand.
    Need(usize),
    /// Not what the format allows.
    Corrupt(&'static str),
    /// A block that is not what the format allows, of this length by its own word. Nothing behind depends on what is in it.
    Damaged {
        what: &'static str,
        length: usize,
        /// Both its lengths say so.
        framed: bool,
    },
}

/// A format with its state.
#[derive(Debug)]
pub(crate) enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Format {
    /// The format that starts with `magic`.
    pub(crate) fn detect(magic: [u8; MAGIC_LEN]) -> Option<Self> {
        if magic == pcapng::SECTION_HEADER {
            Some(Self::Pcapng(Pcapng::new()))
        } else {
            Pcap::new(magic).map(Self::Pcap)
        }
    }

    /// What the file says about an interface.
    #[inline]
    pub(crate) fn interface(&self, number: u32) -> &FileInterface {
        match self {
            Self::Pcap(_) => &FileInterface::UNNAMED,
            Self::Pcapng(pcapng) => pcapng.described(number),
        }
    }

    /// Looks at the bytes behind those of the last step.
    #[inline]
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Step {
        match self {
            Self::Pcap(pcap) => pcap.step(bytes),
            Self::Pcapng(pcapng) => pcapng.step(bytes),
        }
    }

    /// The length of the block that begins here; `None` where none does, or these are too few bytes to tell.
    pub(crate) fn block_length(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Pcap(_) => None,
            Self::Pcapng(pcapng) => pcapng.block_length(bytes),
        }
    }

    /// Names of the interfaces described so far; a file of the old format has one without a name.
    pub(crate) fn interfaces(&self) -> &[String] {
        match self {
            Self::Pcap(_) => &[],
            Self::Pcapng(pcapng) => pcapng.interfaces(),
        }
    }

    /// Takes what the file itself says was lost before it was written, since the last call.
    pub(crate) fn take_losses(&mut self) -> Losses {
        match self {
            Self::Pcap(_) => Losses::default(),
            Self::Pcapng(pcapng) => pcapng.take_losses(),
        }
    }

    /// How many blocks of secrets wait to be taken.
    pub(crate) const fn secrets(&self) -> usize {
        match self {
            Self::Pcap(_) => 0,
            Self::Pcapng(pcapng) => pcapng.secrets(),
        }
    }

    /// Takes the secrets met since the last call, and how many bytes were too many to keep.
    pub(crate) fn take_secrets(&mut self) -> (Vec<Secrets>, u64) {
        match self {
            Self::Pcap(_) => (Vec::new(), 0),
            Self::Pcapng(pcapng) => pcapng.take_secrets(),
        }
    }
}

/// Packets that a capture's writer says it never got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Losses {
    /// For want of room in the ring.
    pub(crate) kernel: u64,
    /// By the interface or its driver.
    pub(crate) interface: u64,
}
