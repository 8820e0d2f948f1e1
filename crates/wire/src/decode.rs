//! The one way in: from a packet to its TCP segment.

use crate::fragments::{Fragment, FragmentCounters, Fragments, Whole};
use crate::view::View;
use crate::walk::{Inner, Ports, Walk};
use crate::{Config, LinkType, Packet, PacketId, Segment, Skip, SkipReason, SourceId, Tenant, fast, link};

/// What a packet turned out to be.
#[derive(Debug, Clone, Copy)]
pub enum Decoded<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// Anything else, with the layer and the reason.
    Skip(Skip),
}

/// Decodes a packet by itself down to its innermost TCP segment: a fragment is a [`Skip`]. Never fails, never allocates.
///
/// ```
/// use tapwire_wire::{Decoded, LinkType, Packet, SourceId, Timestamp, decode};
///
/// let packet = Packet {
///     time: Timestamp::from_nanos(0),
///     link: LinkType::ETHERNET,
///     data: &[0; 14],
///     wire_len: 14,
///     frame: 1,
///     source: SourceId(0),
/// };
/// assert!(matches!(decode(&packet), Decoded::Skip(_)));
/// ```
#[inline]
pub fn decode<'a>(packet: &Packet<'a>) -> Decoded<'a> {
    if packet.link == LinkType::ETHERNET
        && let Some(segment) = fast::ethernet(packet, packet.data)
    {
        return Decoded::Segment(segment);
    }
    alone(packet)
}

/// The long way, which every packet can take.
#[inline(never)]
fn alone<'a>(packet: &Packet<'a>) -> Decoded<'a> {
    decoded(unwrapped(packet, &mut Walk::default(), Ports { vxlan: &[], geneve: &[] }))
}

/// Decodes packets, and puts the fragments among them together.
///
/// The first fragments of a datagram are a [`Skip`]; the one that completes it gives what the datagram holds.
pub struct Decoder {
    tenant: Tenant,
    vxlan_ports: Vec<u16>,
    geneve_ports: Vec<u16>,
    fragments: Fragments,
    /// The datagram that was completed last.
    whole: Vec<u8>,
}

impl Decoder {
    /// Without fragments.
    pub fn new(config: Config) -> Self {
        Self {
            tenant: config.tenant,
            fragments: Fragments::new(&config),
            vxlan_ports: config.vxlan_ports,
            geneve_ports: config.geneve_ports,
            whole: Vec::new(),
        }
    }

    /// What became of fragments.
    pub const fn fragments(&self) -> &FragmentCounters {
        self.fragments.counters()
    }

    /// Decodes a packet down to its innermost TCP segment, which may lie in a datagram that this packet completes.
    #[inline]
    pub fn decode<'s>(&'s mut self, packet: &Packet<'s>) -> Decoded<'s> {
        match self.plain(packet) {
            Some(segment) => Decoded::Segment(segment),
            None => self.any(packet, &mut Vec::new()),
        }
    }

    /// Like [`Decoder::decode`], and leaves in `earlier` the packets before this one that brought a part of its datagram, in the
    /// order in which they came: none but for a segment in fragments. Fragments that said something else are among them, and
    /// of a datagram in more than 2,048 the first so many. All packets of a run have to take this way.
    pub fn decode_traced<'s>(&'s mut self, packet: &Packet<'s>, earlier: &mut Vec<PacketId>) -> Decoded<'s> {
        earlier.clear();
        if let Some(segment) = self.plain(packet) {
            return Decoded::Segment(segment);
        }
        earlier.push(packet.id());
        let decoded = self.any(packet, earlier);
        match decoded {
            Decoded::Segment(_) => earlier.retain(|id| *id != packet.id()),
            Decoded::Skip(_) => earlier.clear(),
        }
        decoded
    }

    /// What [`Decoder::decode`] gives for a packet with nothing but the usual headers, `None` for any other.
    #[inline]
    pub fn plain<'a>(&self, packet: &Packet<'a>) -> Option<Segment<'a>> {
        if packet.link != LinkType::ETHERNET {
            return None;
        }
        let mut segment = fast::ethernet(packet, packet.data)?;
        if self.tenant != Tenant::None {
            segment.key.tenant = self.tenant.of(segment.vlan, None, packet.source);
        }
        Some(segment)
    }

    /// `trace` has the packet, where it is to be known later what a datagram came in, and is empty otherwise. Then it has the
    /// packets of the datagram that was completed.
    #[inline(never)]
    fn any<'s>(&'s mut self, packet: &Packet<'s>, trace: &mut Vec<PacketId>) -> Decoded<'s> {
        let tenant = self.tenant;
        let ports = Ports { vxlan: &self.vxlan_ports, geneve: &self.geneve_ports };
        let mut walk = Walk::default();
        let mut decoded = match unwrapped(packet, &mut walk, ports) {
            Ok(Inner::Fragment(fragment)) => self.gather(packet, &walk, &fragment, trace),
            inner => decoded(inner),
        };
        if tenant != Tenant::None
            && let Decoded::Segment(segment) = &mut decoded
        {
            segment.key.tenant = tenant.of(segment.vlan, segment.overlay.vni, packet.source);
        }
        decoded
    }

    /// Takes a fragment; when it completes a datagram, goes on inside, where other fragments may be.
    #[cold]
    fn gather<'s>(
        &'s mut self,
        packet: &Packet<'s>,
        walk: &Walk,
        fragment: &Fragment<'_>,
        trace: &mut Vec<PacketId>,
    ) -> Decoded<'s> {
        let tenant = self.tenant.of(walk.vlan, walk.overlay.vni, packet.source);
        let slot = self.fragments.insert(fragment, walk, tenant, packet.time, trace);
        let mut whole = match slot.and_then(|slot| self.take(slot, trace)) {
            Ok(whole) => whole,
            Err(skip) => return Decoded::Skip(skip),
        };
        // The walk counts its layers across datagrams, so this ends.
        while let Some(slot) = self.gather_inside(packet, &whole, trace) {
            let conflict = whole.conflict;
            whole = match slot.and_then(|slot| self.take(slot, trace)) {
                Ok(whole) => Whole { conflict: whole.conflict || conflict, ..whole },
                Err(skip) => return Decoded::Skip(skip),
            };
        }
        let ports = Ports { vxlan: &self.vxlan_ports, geneve: &self.geneve_ports };
        let mut walk = whole.origin.walk;
        let mut decoded = decoded(within(packet, &whole, &self.whole, &mut walk, ports));
        if let Decoded::Segment(segment) = &mut decoded {
            segment.fragment_conflict = whole.conflict;
        }
        decoded
    }

    /// Where the fragment inside a datagram went; `None` when there is something else inside.
    fn gather_inside(
        &mut self,
        packet: &Packet<'_>,
        whole: &Whole,
        trace: &[PacketId],
    ) -> Option<Result<u32, Skip>> {
        let Self { tenant, vxlan_ports, geneve_ports, fragments, whole: bytes } = self;
        let ports = Ports { vxlan: vxlan_ports, geneve: geneve_ports };
        let mut walk = whole.origin.walk;
        let Inner::Fragment(fragment) = within(packet, whole, bytes, &mut walk, ports).ok()? else {
            return None;
        };
        let tenant = tenant.of(walk.vlan, walk.overlay.vni, packet.source);
        Some(fragments.insert(&fragment, &walk, tenant, packet.time, trace))
    }

    fn take(&mut self, slot: u32, trace: &mut Vec<PacketId>) -> Result<Whole, Skip> {
        let lost = Skip::new(crate::Layer::Extension, SkipReason::FragmentDropped);
        self.fragments.copy(slot, &mut self.whole, trace).ok_or(lost)
    }
}

impl Tenant {
    /// The number that keeps this tenant's addresses apart; 0 where there is none.
    fn of(self, vlan: Option<u16>, vni: Option<u32>, source: SourceId) -> u32 {
        match self {
            Self::None => 0,
            Self::Vni => vni.unwrap_or(0),
            Self::Vlan => vlan.map_or(0, u32::from),
            Self::Interface => u32::from(source.0) + 1,
        }
    }
}

/// Through every layer of a packet.
#[inline(always)]
fn unwrapped<'a>(packet: &Packet<'a>, walk: &mut Walk, ports: Ports<'_>) -> Result<Inner<'a>, Skip> {
    let view = View::new(packet.data, packet.wire_len as usize);
    let next = link::first(packet.link, view)?;
    walk.follow(next, packet, ports)
}

/// Through every layer of a datagram that was put together, from where its first fragment stood.
fn within<'a>(
    packet: &Packet<'_>,
    whole: &Whole,
    bytes: &'a [u8],
    walk: &mut Walk,
    ports: Ports<'_>,
) -> Result<Inner<'a>, Skip> {
    walk.follow(whole.origin.next(View::new(bytes, whole.stated)), packet, ports)
}

#[inline(always)]
fn decoded<'a>(inner: Result<Inner<'a>, Skip>) -> Decoded<'a> {
    match inner {
        Ok(Inner::Segment(segment)) => Decoded::Segment(segment),
        Ok(Inner::Fragment(fragment)) => Decoded::Skip(Skip::new(fragment.layer(), SkipReason::Fragment)),
        Err(skip) => Decoded::Skip(skip),
    }
}
