//! Each layer by itself.

use std::net::IpAddr;

use tapwire_wire::{Checksum, Endpoint, FlowKey, Layer, LinkType, SeqNumber, SkipReason, SourceId};

use crate::build::{
    CLIENT, CLIENT6, SERVER, SERVER6, ethernet, ipv4, ipv4_with_options, ipv6, segment, set_checksum, skip,
    skip_of, snapped, tcp, tcp_with_options, usual,
};

const ETHERNET: LinkType = LinkType::ETHERNET;

#[test]
fn every_field_of_the_usual_packet() {
    let data = usual(b"GET /");
    let segment = segment(ETHERNET, &data);
    let source = Endpoint::from_ip(IpAddr::V4(CLIENT), 40001);
    assert_eq!((segment.key, segment.side), FlowKey::new(source, Endpoint::from_ip(IpAddr::V4(SERVER), 80)));
    assert_eq!(*segment.key.endpoint(segment.side), source);
    assert_eq!((segment.seq, segment.ack), (SeqNumber(0x1122_3344), Some(SeqNumber(0x5566_7788))));
    assert_eq!((segment.flags.0, segment.window, segment.ttl), (0x18, 0x1020, 61));
    assert_eq!((segment.payload, segment.cut, segment.vlan), (&b"GET /"[..], 0, None));
    assert_eq!((segment.frame, segment.source), (7, SourceId(3)));
}

#[test]
fn no_acknowledgement_without_the_ack_bit() {
    let mut tcp = tcp(b"");
    tcp[13] = 0x02;
    assert_eq!(segment(LinkType::RAW, &ipv4(6, &tcp)).ack, None);
}

#[test]
fn ethernet_padding_is_never_payload() {
    let mut data = usual(b"x");
    data.resize(60, 0xee);
    assert_eq!(segment(ETHERNET, &data).payload, b"x");
}

#[test]
fn the_outermost_vlan_is_reported() {
    for tags in [vec![0x8100], vec![0x88a8, 0x8100], vec![0x9100, 0x8100, 0x8100]] {
        let chain: Vec<u16> = tags.into_iter().chain([0x0800]).collect();
        let data = ethernet(&chain, &ipv4(6, &tcp(b"x")));
        let segment = segment(ETHERNET, &data);
        assert_eq!((segment.vlan, segment.payload), (Some(101), &b"x"[..]));
    }
    let endless = ethernet(&[0x8100; 40], b"");
    assert_eq!(skip(ETHERNET, &endless), (Layer::Vlan, SkipReason::TooDeep));
}

#[test]
fn snap_headers_lead_to_ip() {
    let inside = ipv4(6, &tcp(b"x"));
    let mut llc = vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    llc.extend(&inside);
    let length = u16::try_from(llc.len()).unwrap();
    assert_eq!(segment(ETHERNET, &ethernet(&[length], &llc)).payload, b"x");
    assert_eq!(skip(ETHERNET, &ethernet(&[38], &[0x42; 38])), (Layer::Llc, SkipReason::NotTcp));
}

#[test]
fn cooked_captures_of_both_versions() {
    let inside = ipv6(6, &tcp(b"cooked"));
    let mut v1 = vec![0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x86, 0xdd];
    v1.extend(&inside);
    assert_eq!(segment(LinkType::LINUX_SLL, &v1).payload, b"cooked");
    let mut v2 = vec![0x86, 0xdd, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
    v2.extend(&inside);
    assert_eq!(segment(LinkType::LINUX_SLL2, &v2).payload, b"cooked");
    // Pseudo protocol 4 is 802.2, which has no EtherType.
    v1[14..16].copy_from_slice(&[0, 4]);
    assert_eq!(skip(LinkType::LINUX_SLL, &v1), (Layer::EtherType, SkipReason::NotTcp));
}

#[test]
fn a_cooked_capture_keeps_its_vlan_tag() {
    let mut data = vec![0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 42, 8, 0];
    data.extend(ipv4(6, &tcp(b"")));
    assert_eq!(segment(LinkType::LINUX_SLL, &data).vlan, Some(42));
}

#[test]
fn loopback_families_of_every_system_in_both_byte_orders() {
    for (family, inside) in [(2u32, ipv4(6, &tcp(b"x")))]
        .into_iter()
        .chain([10, 23, 24, 28, 30].map(|family| (family, ipv6(6, &tcp(b"x")))))
    {
        for link in [LinkType::NULL, LinkType::LOOP] {
            for order in [family.to_be_bytes(), family.to_le_bytes()] {
                let data = [&order[..], &inside].concat();
                assert_eq!(segment(link, &data).payload, b"x", "family {family}");
            }
        }
    }
    assert_eq!(skip(LinkType::NULL, &[7, 0, 0, 0, 0x45]), (Layer::Loopback, SkipReason::NotTcp));
}

#[test]
fn raw_ip_tells_its_version_by_itself() {
    for link in [LinkType::RAW, LinkType::RAW_BSD, LinkType::RAW_OPENBSD] {
        assert_eq!(segment(link, &ipv4(6, &tcp(b"4"))).payload, b"4");
        assert_eq!(segment(link, &ipv6(6, &tcp(b"6"))).payload, b"6");
    }
    assert_eq!(segment(LinkType::IPV4, &ipv4(6, &tcp(b"4"))).payload, b"4");
    assert_eq!(segment(LinkType::IPV6, &ipv6(6, &tcp(b"6"))).payload, b"6");
    assert_eq!(skip(LinkType::IPV4, &ipv6(6, &tcp(b""))), (Layer::Ipv4, SkipReason::BadVersion));
    assert_eq!(skip(LinkType::IPV6, &ipv4(6, &tcp(b""))), (Layer::Ipv6, SkipReason::BadVersion));
    assert_eq!(skip(LinkType::RAW, &[0x10; 40]), (Layer::RawIp, SkipReason::BadVersion));
    assert_eq!(skip(LinkType::RAW, &[]), (Layer::RawIp, SkipReason::BadLength));
}

#[test]
fn other_link_types_are_named() {
    assert_eq!(skip(LinkType(127), &[0; 40]), (Layer::Link, SkipReason::Encapsulated));
}

#[test]
fn ipv4_options_are_skipped() {
    let data = ipv4_with_options(6, &[7, 4, 4, 0, 1, 1, 1, 0], &tcp(b"x"));
    assert_eq!(segment(LinkType::RAW, &data).payload, b"x");
}

#[test]
fn tcp_options_are_skipped() {
    let data = ipv4(6, &tcp_with_options(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], b"x"));
    assert_eq!(segment(LinkType::RAW, &data).payload, b"x");
}

#[test]
fn a_total_length_of_zero_is_segmentation_offload() {
    let payload = vec![b'x'; 100_000];
    let mut data = ethernet(&[0x0800], &ipv4(6, &tcp(b"")));
    data[16..18].fill(0);
    data.extend(&payload);
    assert_eq!(segment(ETHERNET, &data).payload, payload);
}

#[test]
fn a_jumbogram_reaches_as_far_as_its_frame() {
    // RFC 2675, 2: a hop-by-hop header with the jumbo payload option, and a payload length of zero.
    let hop_by_hop = [6, 0, 0xc2, 4, 0, 1, 0x86, 0xb4];
    let payload = vec![b'x'; 100_000 - 8 - 20];
    let mut data = ipv6(0, &[&hop_by_hop[..], &tcp(b"")].concat());
    data[4..6].fill(0);
    data.extend(&payload);
    assert_eq!(segment(LinkType::RAW, &data).payload, payload);
}

#[test]
fn bytes_that_were_not_captured_are_cut_not_padding() {
    let data = usual(&[b'x'; 100]);
    let packet = snapped(ETHERNET, &data[..74], data.len());
    let tapwire_wire::Decoded::Segment(segment) = tapwire_wire::decode(&packet) else { panic!() };
    assert_eq!((segment.payload.len(), segment.cut), (20, 80));
    assert_eq!(segment.checksum(), Checksum::Unverifiable);
    let packet = snapped(ETHERNET, &data[..53], data.len());
    assert_eq!(skip_of(&packet), (Layer::Tcp, SkipReason::Truncated));
}

#[test]
fn a_writer_that_lies_about_the_wire_length_is_not_believed() {
    let data = usual(b"x");
    let tapwire_wire::Decoded::Segment(segment) = tapwire_wire::decode(&snapped(ETHERNET, &data, 0)) else {
        panic!()
    };
    assert_eq!((segment.payload, segment.cut), (&b"x"[..], 0));
}

#[test]
fn fragments_wait_for_reassembly_and_atomic_ones_do_not() {
    let mut data = ipv4(6, &tcp(b"x"));
    for (hi, lo, fragment) in
        [(0x20, 0, true), (0, 1, true), (0x1f, 0xff, true), (0x40, 0, false), (0x80, 0, false)]
    {
        data[6..8].copy_from_slice(&[hi, lo]);
        let framed = ethernet(&[0x0800], &data);
        if fragment {
            assert_eq!(skip(LinkType::RAW, &data), (Layer::Ipv4, SkipReason::Fragment));
            assert_eq!(skip(ETHERNET, &framed), (Layer::Ipv4, SkipReason::Fragment));
        } else {
            assert_eq!(segment(LinkType::RAW, &data).payload, b"x");
            assert_eq!(segment(ETHERNET, &framed).payload, b"x");
        }
    }
    for (offset, fragment) in [(0u16, false), (1, true), (8, true), (0xfff8, true), (6, false)] {
        let [hi, lo] = offset.to_be_bytes();
        let data = ipv6(44, &[&[6, 0, hi, lo, 0, 0, 0, 1], &tcp(b"x")[..]].concat());
        if fragment {
            assert_eq!(skip(LinkType::RAW, &data), (Layer::Extension, SkipReason::Fragment));
        } else {
            assert_eq!(segment(LinkType::RAW, &data).payload, b"x");
        }
    }
}

#[test]
fn extension_headers_in_the_order_of_rfc_8200() {
    let chain = [
        &[60, 0, 1, 4, 0, 0, 0, 0][..],         // hop-by-hop, then destination
        &[43, 1, 1, 12][..],                    // destination of 16 bytes, then routing
        &[0; 12],                               //
        &[51, 2, 2, 0, 0, 0, 0, 0], // routing of 24 bytes with no segments left, then authentication
        &SERVER6.octets(),          //
        &[60, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], // authentication of 24 bytes, then destination
        &[0; 12],                   //
        &[6, 0, 1, 4, 0, 0, 0, 0],  // then TCP
        &tcp(b"deep"),
    ]
    .concat();
    assert_eq!(segment(LinkType::RAW, &ipv6(0, &chain)).payload, b"deep");
    let endless = [60, 0, 1, 4, 0, 0, 0, 0].repeat(100);
    assert_eq!(skip(LinkType::RAW, &ipv6(60, &endless)), (Layer::Extension, SkipReason::TooDeep));
    assert_eq!(
        skip(LinkType::RAW, &ipv6(60, &[6, 9, 0, 0, 0, 0, 0, 0])),
        (Layer::Extension, SkipReason::BadLength)
    );
}

#[test]
fn an_authentication_header_behind_ipv4() {
    let data = ipv4(51, &[&[6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[0; 12], &tcp(b"x")].concat());
    assert_eq!(segment(LinkType::RAW, &data).payload, b"x");
}

#[test]
fn a_routed_packet_belongs_to_its_final_destination() {
    let last: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    for (kind, first, second) in [(0, [1; 16], last), (4, last, [1; 16])] {
        let mut tcp = tcp(b"x");
        set_checksum(&mut tcp, &[CLIENT6.octets(), last].concat());
        let routing = [&[6, 4, kind, 1, 0, 0, 0, 0][..], &first, &second].concat();
        let data = ipv6(43, &[&routing[..], &tcp].concat());
        let segment = segment(LinkType::RAW, &data);
        assert_eq!(segment.key.endpoint(segment.side.peer()).octets(), &last);
        assert_eq!(segment.checksum(), Checksum::Good);
    }
}

#[test]
fn what_is_not_tcp_is_named() {
    for (protocol, layer, reason) in [
        (1, Layer::Icmp, SkipReason::NotTcp),
        (17, Layer::Udp, SkipReason::NotTcp),
        (132, Layer::Sctp, SkipReason::NotTcp),
        (50, Layer::Esp, SkipReason::Encapsulated),
        (89, Layer::IpProtocol, SkipReason::NotTcp),
    ] {
        assert_eq!(skip(LinkType::RAW, &ipv4(protocol, &[0; 8])), (layer, reason));
        assert_eq!(skip(LinkType::RAW, &ipv6(protocol, &[0; 8])), (layer, reason));
    }
    assert_eq!(skip(LinkType::RAW, &ipv6(58, &[0; 8])).0, Layer::Icmp);
    for (ethertype, layer, reason) in [
        (0x0806, Layer::Arp, SkipReason::NotTcp),
        (0x88cc, Layer::Lldp, SkipReason::NotTcp),
        (0x8863, Layer::Pppoe, SkipReason::NotTcp),
        (0x88e5, Layer::Macsec, SkipReason::Encapsulated),
        (0x1234, Layer::EtherType, SkipReason::NotTcp),
    ] {
        assert_eq!(skip(ETHERNET, &ethernet(&[ethertype], &[0; 46])), (layer, reason));
        assert_eq!(skip(ETHERNET, &ethernet(&[0x8100, ethertype], &[0; 46])), (layer, reason));
    }
}

#[test]
fn lengths_that_contradict_each_other() {
    let bad = |layer| (layer, SkipReason::BadLength);
    let mut short_header = ipv4(6, &tcp(b""));
    short_header[0] = 0x44;
    assert_eq!(skip(LinkType::RAW, &short_header), bad(Layer::Ipv4));
    let mut short_total = ipv4(6, &tcp(b""));
    short_total[2..4].copy_from_slice(&[0, 19]);
    assert_eq!(skip(LinkType::RAW, &short_total), bad(Layer::Ipv4));
    let mut short_offset = tcp(b"");
    short_offset[12] = 0x40;
    assert_eq!(skip(LinkType::RAW, &ipv4(6, &short_offset)), bad(Layer::Tcp));
    let mut long_offset = tcp(b"");
    long_offset[12] = 0x60;
    assert_eq!(skip(LinkType::RAW, &ipv4(6, &long_offset)), bad(Layer::Tcp));
    // The stated end counts, not the captured one: what follows it is padding.
    assert_eq!(
        skip(ETHERNET, &ethernet(&[0x0800], &[&ipv4(6, &[0; 10])[..], &[0; 30]].concat())),
        bad(Layer::Tcp)
    );
}

#[test]
fn checksums_of_every_length_and_family() {
    for length in (0..200u32).chain([1447, 1448, 9000, 65_000]) {
        let payload: Vec<u8> = (0..length).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect();
        let mut to4 = tcp(&payload);
        set_checksum(&mut to4, &[CLIENT.octets(), SERVER.octets()].concat());
        verify_and_damage(&mut ipv4(6, &to4), 20);
        let mut to6 = tcp(&payload);
        set_checksum(&mut to6, &[CLIENT6.octets(), SERVER6.octets()].concat());
        verify_and_damage(&mut ipv6(6, &to6), 40);
    }
}

/// The checksum matches, and no longer when a sequence number's byte or the last byte is another.
fn verify_and_damage(data: &mut [u8], tcp_at: usize) {
    assert_eq!(segment(LinkType::RAW, data).checksum(), Checksum::Good);
    for at in [tcp_at + 4, data.len() - 1] {
        data[at] ^= 1;
        assert_eq!(segment(LinkType::RAW, data).checksum(), Checksum::Bad, "byte {at} of {}", data.len());
        data[at] ^= 1;
    }
}

#[test]
fn sums_of_all_ones_fold_without_loss() {
    let mut tcp = tcp(&[0xff; 65_000]);
    set_checksum(&mut tcp, &[CLIENT.octets(), SERVER.octets()].concat());
    assert_eq!(segment(LinkType::RAW, &ipv4(6, &tcp)).checksum(), Checksum::Good);
}
