//! IP fragments on their way to whole datagrams.
//!
//! Receivers differ in which of two overlapping fragments they believe, so that is not guessed: the first bytes are kept, and
//! the conflict goes with the segment as evidence. A complete datagram stays a moment, so that the copies of a mirror that
//! sends everything twice are known for what they are.

mod counters;
mod datagram;
mod table;

pub use counters::{FragmentCounters, FragmentFate};
pub(crate) use table::Fragments;

use crate::ip::Transport;
use crate::view::View;
use crate::walk::{Next, Walk};
use crate::{Endpoint, Layer};

/// An IP datagram's total length is 16 bits.
pub(crate) const MAX_DATAGRAM: usize = 65_535;

/// Which datagram a fragment belongs to (RFC 791, 3.2; RFC 8200, 4.5). Virtual networks have their own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FragmentKey {
    id: u32,
    src: Endpoint,
    dst: Endpoint,
    /// In IPv4 only.
    number: Option<u8>,
    vni: Option<u32>,
    tenant: u32,
}

/// One fragment.
#[derive(Clone, Copy)]
pub(crate) struct Fragment<'a> {
    /// What the datagram's protocol number is, where this is its first fragment.
    pub(crate) number: u8,
    /// Whether others follow.
    pub(crate) more: bool,
    /// Where in the datagram it belongs, in bytes; a multiple of eight.
    pub(crate) offset: u16,
    /// The sender's number for the datagram.
    pub(crate) id: u32,
    /// Its bytes, with the addresses around them.
    pub(crate) transport: Transport<'a>,
}

impl Fragment<'_> {
    pub(crate) fn key(&self, walk: &Walk, tenant: u32) -> FragmentKey {
        let Transport { src, dst, version, .. } = self.transport;
        let number = (version == 4).then_some(self.number);
        FragmentKey { id: self.id, src, dst, number, vni: walk.overlay.vni, tenant }
    }

    /// Where a fragment stops the walk.
    pub(crate) const fn layer(&self) -> Layer {
        if self.transport.version == 4 { Layer::Ipv4 } else { Layer::Extension }
    }

    pub(crate) fn origin(&self, walk: &Walk) -> Origin {
        let Transport { src, dst, ttl, version, .. } = self.transport;
        Origin { number: self.number, src, dst, ttl, version, walk: *walk }
    }
}

/// What a datagram's first fragment says, to go on from when the datagram is complete.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    number: u8,
    src: Endpoint,
    dst: Endpoint,
    ttl: u8,
    version: u8,
    pub(crate) walk: Walk,
}

impl Origin {
    /// The way on into the datagram's bytes.
    pub(crate) fn next<'a>(&self, view: View<'a>) -> Next<'a> {
        let Self { number, src, dst, ttl, version, .. } = *self;
        Next::Protocol { number, transport: Transport { view, src, dst, ttl, version } }
    }
}

/// A complete datagram, whose bytes are in the buffer that came with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    pub(crate) origin: Origin,
    /// Its length; more than the buffer holds when the capture cut a fragment.
    pub(crate) stated: usize,
    /// Fragments overlapped with different bytes.
    pub(crate) conflict: bool,
}
