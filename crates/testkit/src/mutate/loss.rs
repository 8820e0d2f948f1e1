//! Packets and bytes that were not captured.

use crate::{Capture, OwnedPacket, Random};
use tapwire_wire::{Segment, Side, TcpFlags};

fn keep(capture: &Capture, mut wanted: impl FnMut(usize, &OwnedPacket) -> bool) -> Capture {
    let kept = capture.packets.iter().enumerate().filter(|(index, packet)| wanted(*index, packet));
    kept.map(|(_, packet)| packet.clone()).collect()
}

fn keep_segments(capture: &Capture, wanted: impl Fn(&Segment<'_>) -> bool) -> Capture {
    keep(capture, |_, packet| packet.segment().is_none_or(|segment| wanted(&segment)))
}

/// Each packet is lost with that probability, independently.
pub fn lossy(capture: &Capture, probability: f64, seed: u64) -> Capture {
    let mut random = Random::new(seed);
    keep(capture, |_, _| !random.chance(probability))
}

/// Losses in runs of `mean` packets on average, `share` of all packets together.
pub fn bursty(capture: &Capture, share: f64, mean: usize, seed: u64) -> Capture {
    let mut random = Random::new(seed);
    let mean = mean.max(1);
    let mut left = 0;
    keep(capture, |_, _| {
        if left == 0 && random.chance(share / mean as f64) {
            left = random.between(1, 2 * mean - 1);
        }
        let lost = left > 0;
        left -= usize::from(lost);
        !lost
    })
}

/// The Gilbert-Elliott channel: it is good and loses nothing, or bad and loses everything, `share` of all packets in runs
/// of `mean` on average. Both kinds of runs have geometric lengths.
pub fn gilbert_elliott(capture: &Capture, share: f64, mean: f64, seed: u64) -> Capture {
    let mut random = Random::new(seed);
    let mut bad = random.chance(share);
    keep(capture, |_, _| {
        bad = random.chance(if bad { 1.0 - 1.0 / mean } else { share / (mean * (1.0 - share)) });
        !bad
    })
}

/// Without the packet at `index`, from 0.
pub fn without(capture: &Capture, index: usize) -> Capture {
    keep(capture, |at, _| at != index)
}

/// From the packet at `index` on: the sensor was started late.
pub fn from_packet(capture: &Capture, index: usize) -> Capture {
    keep(capture, |at, _| at >= index)
}

/// The packets before `index`: the sensor was stopped.
pub fn until_packet(capture: &Capture, index: usize) -> Capture {
    keep(capture, |at, _| at < index)
}

/// Without segments that only acknowledge.
pub fn without_pure_acks(capture: &Capture) -> Capture {
    let marks = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST;
    keep_segments(capture, |segment| {
        !segment.payload.is_empty() || segment.cut > 0 || segment.flags.0 & marks != 0
    })
}

/// Without handshakes.
pub fn without_syn(capture: &Capture) -> Capture {
    keep_segments(capture, |segment| !segment.flags.has(TcpFlags::SYN))
}

/// Without FINs that carry no data.
pub fn without_fin(capture: &Capture) -> Capture {
    keep_segments(capture, |segment| !segment.flags.has(TcpFlags::FIN) || !segment.payload.is_empty())
}

/// Only what that side of each connection sent: a mirror of one direction.
pub fn one_side(capture: &Capture, side: Side) -> Capture {
    keep_segments(capture, |segment| segment.side == side)
}

/// Every packet cut to `length` bytes.
pub fn snap(capture: &Capture, length: usize) -> Capture {
    let mut cut = capture.clone();
    for packet in &mut cut.packets {
        packet.bytes.truncate(length);
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conversation, shop_turns};

    #[test]
    fn losses_are_about_as_many_as_asked_for_and_repeatable() {
        let base = Conversation::new(shop_turns(2_000, 1), 1).play();
        let all = base.packets.len() as f64;
        for lost in [lossy(&base, 0.05, 9), bursty(&base, 0.05, 4, 9), gilbert_elliott(&base, 0.05, 5.0, 9)] {
            let share = 1.0 - lost.packets.len() as f64 / all;
            assert!((0.03..0.07).contains(&share), "{share}");
        }
        assert_eq!(lossy(&base, 0.05, 9), lossy(&base, 0.05, 9));
        assert_ne!(lossy(&base, 0.05, 9), lossy(&base, 0.05, 10));
    }
}
