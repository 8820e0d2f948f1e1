//! Cut at every length, flipped at every bit: a verdict, never a panic, and nothing from outside the packet.

use tapwire_wire::{Config, Decoded, Decoder, LinkType, SkipReason, decode};

use crate::build::{ethernet, ipv4, ipv4_with_options, ipv6, packet, snapped, tcp, tcp_with_options, usual};
use crate::wrap::{
    erspan_2, erspan_3, fragments4, frame, geneve, gre, mpls, nflog, outer4, outer6, pppoe, udp, vxlan,
    vxlan_gpe,
};

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
    .into_iter()
    .chain(tunnels())
    .collect()
}

/// One packet for each tunnel and link layer that carries one.
fn tunnels() -> Vec<(LinkType, Vec<u8>)> {
    let ip = ipv4(6, &tcp(b"payload"));
    let ip6 = ipv6(6, &tcp(b"payload"));
    let frame = frame(&tcp(b"payload"));
    let control = [&[0, 0, 0, 9][..], &frame].concat();
    let ppp = [&[0xff, 3, 0, 0x21][..], &ip].concat();
    let mirrored = ipv4(17, &udp(4789, &vxlan(7, &frame)));
    let raw = [
        outer4(47, &gre(0xb000, 0x0800, &ip)),
        outer6(47, &gre(0x2000, 0x6558, &frame)),
        outer4(47, &gre(0x1000, 0x88be, &erspan_2(7, &frame))),
        outer4(47, &gre(0x1000, 0x22eb, &erspan_3(7, 0, true, &frame))),
        outer4(47, &gre(0x1000, 0x22eb, &erspan_3(7, 2, false, &ip6))),
        outer4(47, &[&[0x30, 1, 0x88, 0x0b, 0, 60, 0, 1, 0, 0, 0, 1][..], &ppp].concat()),
        outer4(17, &udp(4790, &vxlan_gpe(2, &ip6))),
        outer4(17, &udp(6081, &geneve(0x0800, 0, &[1; 8], &mirrored))),
        outer4(17, &udp(3544, &[&[0, 0, 1, 2, 3, 4, 5, 6][..], &ip6].concat())),
        outer4(4, &ip),
        outer6(41, &ip6),
    ];
    let mut all: Vec<_> = raw.into_iter().map(|data| (LinkType::RAW, data)).collect();
    all.extend([
        (LinkType::ETHERNET, ethernet(&[0x8847], &mpls(&[1, 2], &control))),
        (LinkType::ETHERNET, ethernet(&[0x8100, 0x8864], &pppoe(&[&[0, 0x21][..], &ip].concat()))),
        (LinkType::PPP, ppp),
        (LinkType::NFLOG, nflog(2, false, &ip)),
    ]);
    all
}

#[test]
fn fragments_cut_or_flipped_anywhere_are_accounted_for() {
    let whole = outer4(17, &udp(4789, &vxlan(7, &frame(&tcp(&[b'x'; 100])))));
    let parts = fragments4(&whole, 64, 7);
    for bit in 0..parts[1].len() * 8 {
        let mut decoder = Decoder::new(Config::default());
        for (at, part) in parts.iter().enumerate() {
            let mut damaged = part.clone();
            if at == 1 {
                damaged[bit / 8] ^= 1 << (bit % 8);
            }
            for length in [damaged.len(), damaged.len() - 1, damaged.len() / 2] {
                decoder.decode(&snapped(LinkType::RAW, &damaged[..length], damaged.len()));
                assert!(decoder.fragments().conserved());
            }
        }
    }
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
