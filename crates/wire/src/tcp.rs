//! The TCP header (RFC 9293, 3.1).

use crate::ip::Transport;
use crate::walk::Walk;
use crate::{FlowKey, Layer, Packet, Segment, SeqNumber, Skip, SkipReason, TcpFlags};

/// Reads the TCP header of `transport`.
#[inline(always)]
pub(crate) fn segment<'a>(
    packet: &Packet<'_>,
    transport: &Transport<'a>,
    walk: &Walk,
) -> Result<Segment<'a>, Skip> {
    let blame = |reason| Skip::new(Layer::Tcp, reason);
    let view = transport.view;
    let header = view.header::<20>().map_err(blame)?;
    let [p0, p1, d0, d1, s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1, _, _, _, _] = *header;
    // Below 20 the header would not hold itself.
    let header_len = usize::from(offset >> 4) * 4;
    if header_len < 20 {
        return Err(blame(SkipReason::BadLength));
    }
    let payload = view.skip(header_len).map_err(blame)?;
    let flags = TcpFlags(flags);
    let (mut src, mut dst) = (transport.src, transport.dst);
    src.port = u16::from_be_bytes([p0, p1]);
    dst.port = u16::from_be_bytes([d0, d1]);
    let (key, side) = FlowKey::new(src, dst);
    Ok(Segment {
        key,
        side,
        time: packet.time,
        frame: packet.frame,
        source: packet.source,
        seq: SeqNumber(u32::from_be_bytes([s0, s1, s2, s3])),
        ack: flags.has(TcpFlags::ACK).then_some(SeqNumber(u32::from_be_bytes([a0, a1, a2, a3]))),
        flags,
        window: u16::from_be_bytes([w0, w1]),
        payload: payload.data,
        cut: u32::try_from(payload.cut()).unwrap_or(u32::MAX),
        ttl: transport.ttl,
        vlan: walk.vlan,
        overlay: walk.overlay,
        fragment_conflict: false,
        tcp: view.data,
    })
}
