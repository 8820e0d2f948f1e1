//! The one way in: from a packet to its TCP segment.

use crate::view::View;
use crate::{Layer, LinkType, Packet, Segment, Skip, fast, ip, link, tcp};

/// What a packet turned out to be.
#[derive(Debug, Clone, Copy)]
pub enum Decoded<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// Anything else, with the layer and the reason.
    Skip(Skip),
}

/// What the layers leave for the one that comes next.
#[derive(Clone, Copy)]
pub(crate) struct Network<'a> {
    /// What follows the link layer.
    pub(crate) view: View<'a>,
    /// Which version of IP the link layer announced; `None` where only the first nibble tells.
    pub(crate) version: Option<u8>,
    /// Whose word that is, to blame when the packet is empty.
    pub(crate) layer: Layer,
    /// The outermost VLAN identifier.
    pub(crate) vlan: Option<u16>,
}

/// Decodes a packet down to its TCP segment. Never fails, never allocates; time is bounded by 16 headers a layer.
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
        && let Some(segment) = fast::ethernet(packet)
    {
        return Decoded::Segment(segment);
    }
    any(packet)
}

/// The long way, which every packet can take.
#[inline(never)]
fn any<'a>(packet: &Packet<'a>) -> Decoded<'a> {
    match segment(packet) {
        Ok(segment) => Decoded::Segment(segment),
        Err(skip) => Decoded::Skip(skip),
    }
}

#[inline]
fn segment<'a>(packet: &Packet<'a>) -> Result<Segment<'a>, Skip> {
    let view = View::new(packet.data, packet.wire_len as usize);
    let network = link::network(packet.link, view)?;
    let transport = ip::transport(&network)?;
    tcp::segment(packet, &transport, network.vlan)
}
