//! Each tunnel by itself, then in each other.

use tapwire_wire::{
    Checksum, Config, Decoded, Decoder, Layer, LinkType, SkipReason, SourceId, Tenant, Tunnel, decode,
};

use crate::build::{ethernet, ipv4, ipv6, packet, segment, set_checksum, skip, snapped, tcp};
use crate::wrap::{
    erspan_2, erspan_3, frame, geneve, gre, mpls, nflog, outer4, outer6, pppoe, udp, vxlan, vxlan_gpe,
};

const RAW: LinkType = LinkType::RAW;
const ETHERNET: LinkType = LinkType::ETHERNET;
const TEB: u16 = 0x6558;

/// The payload, the tunnels and the network of a segment.
fn seen(link: LinkType, data: &[u8]) -> (&[u8], Vec<Tunnel>, Option<u32>) {
    let segment = segment(link, data);
    (segment.payload, segment.overlay.tunnels.iter().collect(), segment.overlay.vni)
}

fn inner4() -> Vec<u8> {
    ipv4(6, &tcp(b"in"))
}

fn inner6() -> Vec<u8> {
    ipv6(6, &tcp(b"in"))
}

fn inner() -> Vec<u8> {
    frame(&tcp(b"in"))
}

#[test]
fn the_innermost_segment_wins_and_its_checksum_is_its_own() {
    let mut tcp = tcp(b"in");
    set_checksum(&mut tcp, &[[10, 0, 0, 7], [192, 0, 2, 1]].concat());
    let data = outer4(17, &udp(4789, &vxlan(5, &frame(&tcp))));
    let inside = segment(RAW, &data);
    assert_eq!((inside.checksum(), inside.ttl), (Checksum::Good, 61));
    assert_eq!(inside.key, segment(ETHERNET, &frame(&tcp)).key);
}

#[test]
fn label_stacks_lead_to_ip_and_to_pseudo_wires_with_and_without_control_word() {
    let label = |payload: &[u8]| ethernet(&[0x8847], &mpls(&[16, 17, 18], payload));
    let control = [&[0, 0, 0, 9][..], &inner()].concat();
    // A frame to a MAC address that begins like IP.
    let mut like4 = inner();
    like4[0] = 0x45;
    let mut like6 = inner();
    like6[0] = 0x60;
    let mut like0 = inner();
    like0[0] = 0;
    for data in [inner4(), inner6(), control, inner(), like4, like6, like0] {
        assert_eq!(seen(ETHERNET, &label(&data)), (&b"in"[..], vec![Tunnel::Mpls], None));
    }
    assert_eq!(seen(LinkType::MPLS, &mpls(&[3], &inner4())).0, b"in");
    assert_eq!(seen(RAW, &outer4(137, &mpls(&[3], &inner4()))).1, [Tunnel::Mpls]);
    assert_eq!(seen(RAW, &outer4(17, &udp(6635, &mpls(&[3], &inner4())))).1, [Tunnel::Mpls]);
    // The associated channel of a pseudo-wire (RFC 4385, 5).
    assert_eq!(skip(ETHERNET, &label(&[0x10; 30])), (Layer::Mpls, SkipReason::NotTcp));
    let endless = ethernet(&[0x8847], &[0; 100]);
    assert_eq!(skip(ETHERNET, &endless), (Layer::Mpls, SkipReason::TooDeep));
}

#[test]
fn ppp_with_and_without_framing_and_with_a_compressed_protocol_field() {
    for header in [&[0xff, 3, 0, 0x21][..], &[0, 0x21], &[0x21], &[0xff, 3, 0x21]] {
        let data = [header, &inner4()].concat();
        assert_eq!(seen(LinkType::PPP, &data), (&b"in"[..], vec![], None), "{header:?}");
        assert_eq!(seen(LinkType::PPP_HDLC, &data).0, b"in");
    }
    assert_eq!(seen(LinkType::PPP, &[&[0x57][..], &inner6()].concat()).0, b"in");
    assert_eq!(seen(LinkType::PPP, &[&[2, 0x81][..], &mpls(&[9], &inner4())].concat()).1, [Tunnel::Mpls]);
    for address in [0x0f, 0x8f] {
        let cisco = [&[address, 0, 8, 0][..], &inner4()].concat();
        assert_eq!(seen(LinkType::CISCO_HDLC, &cisco).0, b"in");
        assert_eq!(seen(LinkType::PPP_HDLC, &cisco).0, b"in");
    }
    assert_eq!(skip(LinkType::PPP, &[0xff, 3, 0xc0, 0x21, 1]), (Layer::Ppp, SkipReason::NotTcp));
    assert_eq!(skip(LinkType::PPP, &[0xfd, 1, 2]), (Layer::Ppp, SkipReason::Encapsulated));
    assert_eq!(skip(LinkType::PPP, &[]), (Layer::Ppp, SkipReason::BadLength));
}

#[test]
fn pppoe_sessions_and_what_its_length_leaves_out() {
    let session = pppoe(&[&[0, 0x21][..], &inner4()].concat());
    let mut padded = ethernet(&[0x8864], &session);
    padded.resize(padded.len() + 9, 0xee);
    assert_eq!(seen(ETHERNET, &padded), (&b"in"[..], vec![Tunnel::Pppoe], None));
    assert_eq!(seen(ETHERNET, &ethernet(&[0x8100, 0x8864], &session)).0, b"in");
    assert_eq!(seen(LinkType::PPP_ETHERNET, &session).0, b"in");
    let with = |at: usize, value: u8| {
        let mut data = session.clone();
        data[at] = value;
        skip(ETHERNET, &ethernet(&[0x8864], &data))
    };
    assert_eq!(with(0, 0x12), (Layer::Pppoe, SkipReason::BadVersion));
    assert_eq!(with(1, 0xa7), (Layer::Pppoe, SkipReason::NotTcp));
    assert_eq!(with(4, 0xff), (Layer::Pppoe, SkipReason::BadLength));
}

#[test]
fn gre_with_every_combination_of_flags() {
    for flags in [0, 0x8000, 0x2000, 0x1000, 0xa000, 0x9000, 0x3000, 0xb000] {
        for (protocol, payload) in [(0x0800, inner4()), (0x86dd, inner6()), (0x8847, mpls(&[9], &inner4()))] {
            let data = gre(flags, protocol, &payload);
            for outer in [outer4(47, &data), outer6(47, &data), outer4(17, &udp(4754, &data))] {
                let (payload, tunnels, vni) = seen(RAW, &outer);
                assert_eq!(
                    (payload, tunnels.first(), vni),
                    (&b"in"[..], Some(&Tunnel::Gre), None),
                    "{flags:04x}"
                );
            }
        }
    }
    let refused = |flags, protocol| skip(RAW, &outer4(47, &gre(flags, protocol, &inner4())));
    assert_eq!(refused(0x4000, 0x0800), (Layer::Gre, SkipReason::Encapsulated));
    assert_eq!(refused(0x0002, 0x0800), (Layer::Gre, SkipReason::BadVersion));
    assert_eq!(refused(0x0000, 0x0000), (Layer::Gre, SkipReason::NotTcp));
    // A keep-alive carries its own answer, without a protocol in it.
    let answer = ipv4(47, &gre(0, 0, &[]));
    assert_eq!(skip(RAW, &outer4(47, &gre(0, 0x0800, &answer))), (Layer::Gre, SkipReason::NotTcp));
}

#[test]
fn bridged_gre_and_nvgre_differ_in_their_flags() {
    let bridged = |flags| outer4(47, &gre(flags, TEB, &inner()));
    assert_eq!(seen(RAW, &bridged(0)), (&b"in"[..], vec![Tunnel::Gre], None));
    assert_eq!(seen(RAW, &bridged(0x3000)), (&b"in"[..], vec![Tunnel::Gre], None));
    assert_eq!(seen(RAW, &bridged(0x2000)), (&b"in"[..], vec![Tunnel::Nvgre], Some(0x1234)));
}

#[test]
fn pptp_carries_ppp_and_its_acknowledgements_nothing() {
    let data = |flags: u16, words: usize| {
        let ppp = [&[0xff, 3, 0, 0x21][..], &inner4()].concat();
        let head = [flags.to_be_bytes(), [0x88, 0x0b], [0, 50], [0, 1]].concat();
        outer4(47, &[&head[..], &vec![0; words * 4], &ppp].concat())
    };
    assert_eq!(seen(RAW, &data(0x3001, 1)), (&b"in"[..], vec![Tunnel::Pptp], None));
    assert_eq!(seen(RAW, &data(0x3081, 2)).0, b"in");
    assert_eq!(skip(RAW, &data(0x2081, 1)), (Layer::Gre, SkipReason::NotTcp));
}

#[test]
fn erspan_of_three_types() {
    let one = outer4(47, &gre(0, 0x88be, &inner()));
    assert_eq!(seen(RAW, &one), (&b"in"[..], vec![Tunnel::Erspan1], None));
    let two = outer4(47, &gre(0x1000, 0x88be, &erspan_2(77, &inner())));
    assert_eq!(seen(RAW, &two).1, [Tunnel::Erspan2]);
    assert_eq!(segment(RAW, &two).vlan, Some(77));
    for platform in [false, true] {
        let three = outer4(47, &gre(0x1000, 0x22eb, &erspan_3(0, 0, platform, &inner())));
        assert_eq!(seen(RAW, &three), (&b"in"[..], vec![Tunnel::Erspan3], None));
        assert_eq!(segment(RAW, &three).vlan, None);
        let ip = outer4(47, &gre(0x1000, 0x22eb, &erspan_3(0, 2, platform, &inner6())));
        assert_eq!(seen(RAW, &ip).1, [Tunnel::Erspan3]);
    }
    let wrong = outer4(47, &gre(0x1000, 0x22eb, &erspan_2(0, &inner())));
    assert_eq!(skip(RAW, &wrong), (Layer::Erspan, SkipReason::BadVersion));
    let other = outer4(47, &gre(0x1000, 0x22eb, &erspan_3(0, 3, false, &inner())));
    assert_eq!(skip(RAW, &other), (Layer::Erspan, SkipReason::NotTcp));
}

#[test]
fn the_outermost_vlan_wins_wherever_it_stands() {
    let mirrored = outer4(47, &gre(0x1000, 0x88be, &erspan_2(77, &inner())));
    assert_eq!(segment(ETHERNET, &ethernet(&[0x8100, 0x0800], &mirrored)).vlan, Some(101));
    let tagged = ethernet(&[0x8100, 0x0800], &inner4());
    assert_eq!(segment(RAW, &outer4(17, &udp(4789, &vxlan(5, &tagged)))).vlan, Some(101));
}

#[test]
fn vxlan_by_its_ports_and_only_with_its_flag() {
    for port in [4789, 8472] {
        let data = outer4(17, &udp(port, &vxlan(0x00ab_cdef, &inner())));
        assert_eq!(seen(RAW, &data), (&b"in"[..], vec![Tunnel::Vxlan], Some(0x00ab_cdef)));
    }
    let other = outer4(17, &udp(5000, &vxlan(5, &inner())));
    assert_eq!(skip(RAW, &other), (Layer::Udp, SkipReason::NotTcp));
    let config = Config { vxlan_ports: vec![5000], geneve_ports: vec![5001], ..Config::default() };
    let mut decoder = Decoder::new(config);
    assert!(matches!(decoder.decode(&packet(RAW, &other)), Decoded::Segment(_)));
    let geneve = outer4(17, &udp(5001, &geneve(TEB, 5, &[], &inner())));
    assert!(matches!(decoder.decode(&packet(RAW, &geneve)), Decoded::Segment(_)));
    let mut flagless = outer4(17, &udp(4789, &vxlan(5, &inner())));
    flagless[28] = 0;
    assert_eq!(skip(RAW, &flagless), (Layer::Vxlan, SkipReason::BadHeader));
}

#[test]
fn the_protocol_extension_of_vxlan_and_its_garbage() {
    for (next, payload) in [(1, inner4()), (2, inner6()), (3, inner()), (5, mpls(&[9], &inner4()))] {
        let data = outer4(17, &udp(4790, &vxlan_gpe(next, &payload)));
        assert_eq!((seen(RAW, &data).0, seen(RAW, &data).2), (&b"in"[..], Some(5)));
    }
    for (next, reason) in
        [(4, SkipReason::Encapsulated), (0, SkipReason::Encapsulated), (255, SkipReason::Encapsulated)]
    {
        assert_eq!(skip(RAW, &outer4(17, &udp(4790, &vxlan_gpe(next, &inner4())))), (Layer::Vxlan, reason));
    }
    let mut version = vxlan_gpe(1, &inner4());
    version[0] |= 0x10;
    assert_eq!(skip(RAW, &outer4(17, &udp(4790, &version))), (Layer::Vxlan, SkipReason::BadVersion));
}

#[test]
fn geneve_with_options_and_with_every_payload() {
    for options in [&[][..], &[1; 4], &[7; 252]] {
        for (protocol, payload) in [(TEB, inner()), (0x0800, inner4()), (0x86dd, inner6())] {
            let data = outer6(17, &udp(6081, &geneve(protocol, 9, options, &payload)));
            assert_eq!(seen(RAW, &data), (&b"in"[..], vec![Tunnel::Geneve], Some(9)));
        }
    }
    let mut version = geneve(TEB, 9, &[], &inner());
    version[0] = 0x40;
    assert_eq!(skip(RAW, &outer4(17, &udp(6081, &version))), (Layer::Geneve, SkipReason::BadVersion));
    let mut short = geneve(TEB, 9, &[], &inner());
    short[0] = 0x3f;
    assert_eq!(skip(RAW, &outer4(17, &udp(6081, &short))), (Layer::Geneve, SkipReason::BadLength));
}

#[test]
fn a_load_balancer_puts_a_mirror_session_into_geneve() {
    let mirrored = ipv4(17, &udp(4789, &vxlan(0x77, &inner())));
    let data = outer4(17, &udp(6081, &geneve(0x0800, 0, &[1; 32], &mirrored)));
    assert_eq!(seen(RAW, &data), (&b"in"[..], vec![Tunnel::Geneve, Tunnel::Vxlan], Some(0x77)));
}

#[test]
fn ip_in_ip_of_both_families() {
    for (data, tunnel) in [
        (outer4(4, &inner4()), Tunnel::IpInIp),
        (outer4(41, &inner6()), Tunnel::SixInFour),
        (outer6(4, &inner4()), Tunnel::FourInSix),
        (outer6(41, &inner6()), Tunnel::SixInSix),
    ] {
        assert_eq!(seen(RAW, &data), (&b"in"[..], vec![tunnel], None));
    }
    assert_eq!(skip(RAW, &outer4(4, &inner6())), (Layer::Ipv4, SkipReason::BadVersion));
    // Behind an encapsulation limit (RFC 2473, 5.1).
    let limited = outer6(60, &[&[4, 0, 4, 1, 4, 1, 0, 0][..], &inner4()].concat());
    assert_eq!(seen(RAW, &limited).1, [Tunnel::FourInSix]);
}

#[test]
fn teredo_with_and_without_its_indications() {
    let authentication = [&[0, 1, 2, 3][..], &[9; 5], &[8; 8], &[0]].concat();
    let origin = [0, 0, 1, 2, 3, 4, 5, 6];
    for head in [vec![], origin.to_vec(), authentication.clone(), [&authentication[..], &origin].concat()] {
        let data = outer4(17, &udp(3544, &[&head[..], &inner6()].concat()));
        assert_eq!(seen(RAW, &data), (&b"in"[..], vec![Tunnel::Teredo], None));
    }
    // Between peers, where only the prefix of an address tells.
    let mut peer = inner6();
    assert_eq!(skip(RAW, &outer4(17, &udp(50_000, &peer))), (Layer::Udp, SkipReason::NotTcp));
    peer[24..28].copy_from_slice(&[0x20, 1, 0, 0]);
    assert_eq!(seen(RAW, &outer4(17, &udp(50_000, &peer))).1, [Tunnel::Teredo]);
    assert_eq!(skip(RAW, &outer4(17, &udp(3544, b"question"))), (Layer::Udp, SkipReason::NotTcp));
}

#[test]
fn netfilter_logs_of_both_byte_orders() {
    for big_endian in [false, true] {
        for (family, inside) in [(2, inner4()), (10, inner6()), (7, inner4())] {
            let data = nflog(family, big_endian, &inside);
            assert_eq!(seen(LinkType::NFLOG, &data), (&b"in"[..], vec![], None));
        }
    }
    let nothing = [2, 0, 0, 5, 8, 0, 3, 0, 0, 0, 0, 1];
    assert_eq!(skip(LinkType::NFLOG, &nothing), (Layer::Nflog, SkipReason::NotTcp));
    assert_eq!(skip(LinkType::NFLOG, &[2, 0, 0, 5, 3, 0, 9, 0]), (Layer::Nflog, SkipReason::BadLength));
    assert_eq!(skip(LinkType::NFLOG, &[2, 0, 0]), (Layer::Nflog, SkipReason::BadLength));
}

#[test]
fn udp_lengths_leave_padding_out_and_zero_is_offload() {
    let mut data = outer4(17, &udp(4789, &vxlan(5, &inner())));
    data[24..26].fill(0);
    assert_eq!(seen(RAW, &data).0, b"in");
    data[24..26].copy_from_slice(&[0, 7]);
    assert_eq!(skip(RAW, &data), (Layer::Udp, SkipReason::BadLength));
}

#[test]
fn bytes_cut_inside_a_tunnel_are_a_hole_of_the_stated_length() {
    let data = outer4(17, &udp(4789, &vxlan(5, &frame(&tcp(&[b'x'; 100])))));
    let Decoded::Segment(segment) = decode(&snapped(RAW, &data[..data.len() - 30], data.len())) else {
        panic!()
    };
    assert_eq!((segment.payload.len(), segment.cut), (70, 30));
    // As a switch does it that cuts frames before it sends them in ERSPAN, with lengths that are right outside.
    let cut = outer4(47, &gre(0x1000, 0x88be, &erspan_2(0, &frame(&tcp(&[b'x'; 100]))[..80])));
    let segment = crate::build::segment(RAW, &cut);
    assert_eq!((segment.payload.len(), segment.cut), (26, 74));
}

#[test]
fn segmentation_offload_inside_a_tunnel() {
    let payload = vec![b'x'; 60_000];
    let mut inside = ipv4(6, &tcp(&payload));
    inside[2..4].fill(0);
    let mut data = outer4(17, &udp(4789, &vxlan(5, &ethernet(&[0x0800], &inside))));
    data[2..4].fill(0);
    data[24..26].fill(0);
    assert_eq!(segment(RAW, &data).payload, payload);
}

#[test]
fn four_tunnels_are_followed_and_the_fifth_is_not() {
    let mut data = inner4();
    for depth in 1..=5 {
        data = outer4(17, &udp(4789, &vxlan(depth, &ethernet(&[0x8100, 0x0800], &data))));
        if depth <= 4 {
            assert_eq!(seen(RAW, &data), (&b"in"[..], vec![Tunnel::Vxlan; depth as usize], Some(1)));
        } else {
            assert_eq!(skip(RAW, &data), (Layer::Vxlan, SkipReason::TooManyTunnels));
        }
    }
}

#[test]
fn more_than_sixteen_layers_are_too_deep() {
    // Extension headers after each of four IP headers, and Ethernet in GRE around all of them.
    let options = |payload: &[u8], next: u8| [&[next, 0, 1, 4, 0, 0, 0, 0], payload].concat();
    let mut data = outer6(60, &options(&tcp(b"in"), 6));
    for _ in 0..4 {
        data = outer6(60, &options(&gre(0, TEB, &ethernet(&[0x86dd], &data)), 47));
    }
    assert_eq!(skip(RAW, &data), (Layer::Ipv6, SkipReason::TooDeep));
}

#[test]
fn a_tenant_is_part_of_the_key_only_when_asked_for() {
    let vxlan = ethernet(&[0x8100, 0x0800], &outer4(17, &udp(4789, &vxlan(5, &inner()))));
    let plain = ethernet(&[0x8100, 0x0800], &inner4());
    let tenant = |tenant, data: &[u8]| {
        let mut decoder = Decoder::new(Config { tenant, ..Config::default() });
        let mut packet = packet(ETHERNET, data);
        packet.source = SourceId(3);
        match decoder.decode(&packet) {
            Decoded::Segment(segment) => segment.key.tenant,
            Decoded::Skip(skip) => panic!("{skip:?}"),
        }
    };
    assert_eq!((tenant(Tenant::None, &vxlan), tenant(Tenant::None, &plain)), (0, 0));
    assert_eq!((tenant(Tenant::Vni, &vxlan), tenant(Tenant::Vni, &plain)), (5, 0));
    assert_eq!((tenant(Tenant::Vlan, &vxlan), tenant(Tenant::Vlan, &plain)), (101, 101));
    assert_eq!((tenant(Tenant::Interface, &vxlan), tenant(Tenant::Interface, &plain)), (4, 4));
}
