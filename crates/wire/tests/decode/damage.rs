//! Cut at every length, flipped at every bit: a verdict, never a panic, and nothing from outside the packet.

use tapwire_wire::{Decoded, LinkType, SkipReason, decode};

use crate::build::{ethernet, ipv4, ipv4_with_options, ipv6, packet, snapped, tcp, tcp_with_options, usual};

/// One packet for each path through the decoder.
fn samples() -> Vec<(LinkType, Vec<u8>)> {
    let extensions = [&[44, 0, 1, 4, 0, 0, 0, 0][..], &[6, 0, 0, 0, 0, 0, 0, 1], &tcp(b"payload")].concat();
    let routing = [&[6, 2, 0, 1, 0, 0, 0, 0][..], &[3; 16], &tcp(b"payload")].concat();
    let cooked = [&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0][..], &ipv4(6, &tcp(b"payload"))].concat();
    let cooked2 = [&[8, 0, 0, 0][..], &[0; 16], &ipv4(6, &tcp(b"payload"))].concat();
    vec![
        (LinkType::ETHERNET, usual(b"payload")),
        (LinkType::ETHERNET, ethernet(&[0x88a8, 0x8100, 0x86dd], &ipv6(6, &tcp(b"payload")))),
        (LinkType::RAW, ipv4_with_options(6, &[1; 8], &tcp_with_options(&[1; 12], b"payload"))),
        (LinkType::RAW, ipv6(60, &extensions)),
        (LinkType::IPV6, ipv6(43, &routing)),
        (LinkType::LINUX_SLL, cooked),
        (LinkType::LINUX_SLL2, cooked2),
        (LinkType::NULL, [&[2, 0, 0, 0][..], &ipv4(6, &tcp(b"payload"))].concat()),
    ]
}

#[test]
fn cut_at_every_length_it_is_truncated_or_a_shorter_payload() {
    for (link, data) in samples() {
        for length in 0..data.len() {
            let packet = snapped(link, &data[..length], data.len());
            match decode(&packet) {
                Decoded::Segment(segment) => {
                    assert_eq!(segment.payload.len() + segment.cut as usize, 7);
                    assert_eq!(segment.payload, &b"payload"[..segment.payload.len()]);
                }
                Decoded::Skip(skip) => assert_eq!(skip.reason, SkipReason::Truncated, "{skip:?} at {length}"),
            }
        }
    }
}

#[test]
fn flipped_at_every_bit_and_cut_anywhere_it_ends_in_a_verdict() {
    for (link, data) in samples() {
        for bit in 0..data.len() * 8 {
            let mut damaged = data.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            for length in [data.len() / 3, data.len() / 2, data.len() - 1, data.len()] {
                if let Decoded::Segment(segment) = decode(&packet(link, &damaged[..length])) {
                    assert!(segment.payload.len() <= length);
                    let _ = segment.checksum();
                }
            }
        }
    }
}
