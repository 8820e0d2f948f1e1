//! Packets twice, in another order, at other times, and several captures at once.

use super::rebuilt;
use crate::{Capture, OwnedPacket, Random};
use std::net::IpAddr;
use tapwire_wire::{Endpoint, LinkType, Side, Timestamp};

/// Every packet twice, as a SPAN of both directions gives it: the copy has other MAC addresses, a TTL one lower and
/// VLAN 200, and follows after up to `apart` other packets.
pub fn duplicate(capture: &Capture, apart: usize, seed: u64) -> Capture {
    let mut random = Random::new(seed);
    let mut placed: Vec<(usize, OwnedPacket)> = Vec::with_capacity(capture.packets.len() * 2);
    for (index, packet) in capture.packets.iter().enumerate() {
        placed.push((2 * index, packet.clone()));
        placed.push((2 * index + 1 + 2 * random.below(apart + 1), copy_of(packet)));
    }
    placed.sort_by_key(|(place, _)| *place);
    in_time_order(placed.into_iter().map(|(_, packet)| packet).collect())
}

fn copy_of(packet: &OwnedPacket) -> OwnedPacket {
    if packet.link != LinkType::ETHERNET || packet.bytes.len() < 14 {
        return packet.clone();
    }
    let mut copy = rebuilt(packet, |tcp| tcp.ttl = tcp.ttl.wrapping_sub(1).max(1));
    copy.bytes[3] ^= 0x55;
    copy.bytes[9] ^= 0x55;
    copy.bytes.splice(12..12, [0x81, 0, 0, 200]);
    copy.wire_len += 4;
    copy
}

/// The packets in the order given; the capture times they had, in ascending order.
fn in_time_order(packets: Vec<OwnedPacket>) -> Capture {
    let mut times: Vec<Timestamp> = packets.iter().map(|packet| packet.time).collect();
    times.sort_unstable();
    packets.into_iter().zip(times).map(|(packet, time)| OwnedPacket { time, ..packet }).collect()
}

/// Packets change places with others up to `window` packets away.
pub fn permute(capture: &Capture, window: usize, seed: u64) -> Capture {
    let mut random = Random::new(seed);
    let mut placed: Vec<(usize, &OwnedPacket)> = capture
        .packets
        .iter()
        .enumerate()
        .map(|(index, packet)| (index + random.below(window + 1), packet))
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    in_time_order(placed.into_iter().map(|(_, packet)| packet.clone()).collect())
}

/// What one side sent is captured so much later: the two directions come through different mirror ports.
pub fn delay_side(capture: &Capture, side: Side, nanos: i64) -> Capture {
    let mut delayed = capture.clone();
    for packet in &mut delayed.packets {
        if packet.segment().is_some_and(|segment| segment.side == side) {
            packet.time = packet.time + nanos;
        }
    }
    delayed.packets.sort_by_key(|packet| packet.time);
    delayed
}

/// Every interval times `numerator / denominator`, from the first packet on.
pub fn scale_time(capture: &Capture, numerator: i64, denominator: i64) -> Capture {
    let start = capture.packets.first().map_or(Timestamp::default(), |packet| packet.time);
    let scaled = |time: Timestamp| {
        start + (time.since(start) as i128 * i128::from(numerator) / i128::from(denominator)) as i64
    };
    capture.packets.iter().map(|packet| OwnedPacket { time: scaled(packet.time), ..packet.clone() }).collect()
}

/// From the packet at `index` on, the clock shows so much later, or earlier.
pub fn jump(capture: &Capture, index: usize, nanos: i64) -> Capture {
    let mut jumped = capture.clone();
    for packet in jumped.packets.iter_mut().skip(index) {
        packet.time = packet.time + nanos;
    }
    jumped
}

/// Several captures as one, in time order from a common start. All but the first get addresses of their own; frames are
/// numbered anew.
pub fn interleave(captures: &[Capture]) -> Capture {
    let start =
        captures.iter().find_map(|capture| capture.packets.first()).map_or(Timestamp::default(), |p| p.time);
    let mut together = Capture::default();
    for (capture, place) in captures.iter().zip(0u8..) {
        let first = capture.packets.first().map_or(start, |packet| packet.time);
        let moved = capture.packets.iter().map(|packet| {
            let mut moved = rebuilt(packet, |tcp| {
                tcp.source = elsewhere(tcp.source, place);
                tcp.destination = elsewhere(tcp.destination, place);
            });
            moved.time = start + packet.time.since(first);
            moved
        });
        together.packets.extend(moved);
    }
    together.packets.sort_by_key(|packet| packet.time);
    together.numbered()
}

/// The endpoint in network number `place`; 0 leaves it where it is.
fn elsewhere(endpoint: Endpoint, place: u8) -> Endpoint {
    match endpoint.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            Endpoint::v4([a.wrapping_add(place), b, c, d], endpoint.port)
        }
        IpAddr::V6(ip) => {
            let mut octets = ip.octets();
            octets[7] = octets[7].wrapping_add(place);
            Endpoint::v6(octets, endpoint.port)
        }
    }
}
