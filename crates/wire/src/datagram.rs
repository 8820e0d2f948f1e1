//! UDP datagrams that are no tunnel: only what begins a QUIC connection is of interest, so only plain packets are read.

use std::net::IpAddr;

use crate::ethertype::{IPV4, IPV6, is_tag};
use crate::{Endpoint, FlowKey, LinkType, Packet, Side, Timestamp};

const UDP: u8 = 17;

/// A UDP datagram. Its `Debug` shows no payload.
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    /// Its two ends.
    pub key: FlowKey,
    /// Who sent it.
    pub side: Side,
    /// When it was captured.
    pub time: Timestamp,
    /// What was captured of its payload.
    pub payload: &'a [u8],
}

impl std::fmt::Debug for Datagram<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Datagram")
            .field("key", &self.key)
            .field("len", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// The datagram in a packet of Ethernet, with up to two VLAN tags, or of bare IP; `None` for fragments, extension headers and
/// everything in a tunnel.
pub fn datagram<'a>(packet: &Packet<'a>) -> Option<Datagram<'a>> {
    let ip = match packet.link {
        LinkType::ETHERNET => behind_ethernet(packet.data)?,
        LinkType::RAW => packet.data,
        _ => return None,
    };
    let (source, destination, udp) = match ip.first()? >> 4 {
        4 => v4(ip)?,
        6 => v6(ip)?,
        _ => return None,
    };
    let ([s0, s1, d0, d1, l0, l1, _, _], payload) = udp.split_first_chunk::<8>()?;
    let length = usize::from(u16::from_be_bytes([*l0, *l1])).checked_sub(8)?;
    let port = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
    let (key, side) =
        FlowKey::new(Endpoint::from_ip(source, port(s0, s1)), Endpoint::from_ip(destination, port(d0, d1)));
    Some(Datagram { key, side, time: packet.time, payload: payload.get(..length).unwrap_or(payload) })
}

fn behind_ethernet(frame: &[u8]) -> Option<&[u8]> {
    let mut rest = frame.get(12..)?;
    for _ in 0..3 {
        let ([high, low], behind) = rest.split_first_chunk::<2>()?;
        match u16::from_be_bytes([*high, *low]) {
            IPV4 | IPV6 => return Some(behind),
            kind if is_tag(kind) => rest = behind.get(2..)?,
            _ => return None,
        }
    }
    None
}

fn v4(ip: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let head: &[u8; 20] = ip.first_chunk()?;
    let [first, _, t0, t1, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *head;
    let is_whole = u16::from_be_bytes([f0, f1]) & 0x3fff == 0;
    let total = usize::from(u16::from_be_bytes([t0, t1]));
    let header = usize::from(first & 15) * 4;
    let udp = ip.get(..total).unwrap_or(ip).get(header..)?;
    (is_whole && protocol == UDP && header >= 20)
        .then(|| (IpAddr::from([s0, s1, s2, s3]), IpAddr::from([d0, d1, d2, d3]), udp))
}

fn v6(ip: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let next = *ip.get(6)?;
    let source = *ip.get(8..)?.first_chunk::<16>()?;
    let destination = *ip.get(24..)?.first_chunk::<16>()?;
    let udp = ip.get(40..)?;
    (next == UDP).then(|| (IpAddr::from(source), IpAddr::from(destination), udp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceId;

    #[test]
    fn a_datagram_has_its_ends_and_its_payload() {
        let mut frame = vec![0; 12];
        frame.extend([0x81, 0, 0, 7, 8, 0]);
        frame.extend([0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0x30, 0x39, 1, 0xbb, 0, 11, 0, 0, 1, 2, 3, 0, 0]);
        let packet = Packet {
            time: Timestamp::from_nanos(5),
            link: LinkType::ETHERNET,
            data: &frame,
            wire_len: 0,
            frame: 1,
            source: SourceId(0),
        };
        let Some(found) = datagram(&packet) else { unreachable!("a whole datagram") };
        assert_eq!(found.payload, [1, 2, 3]);
        assert_eq!(found.key.endpoint(found.side), &Endpoint::v4([10, 0, 0, 1], 12_345));
        assert_eq!(found.key.endpoint(found.side.peer()), &Endpoint::v4([10, 0, 0, 2], 443));
        for end in 0..frame.len() {
            let _ = datagram(&Packet { data: frame.get(..end).unwrap_or_default(), ..packet });
        }
    }
}
