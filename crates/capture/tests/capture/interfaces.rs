//! Live capture on the loopback interface; skipped without root.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use tapwire_capture::{InterfaceSource, Source, SourceError, Status, interfaces};
use tapwire_wire::{Checksum, Decoded, decode};

use crate::samples::Seen;

/// Opens interfaces, or tells that it cannot be done here.
fn open(names: &[&str], filter: Option<&str>) -> Option<InterfaceSource> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    match InterfaceSource::open_many(&names, filter, 0) {
        Ok(source) => Some(source),
        Err(SourceError::NoPermission { .. }) => {
            tapwire_testkit::peers::skipped("capturing needs root");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

/// Packets until the link is quiet.
fn until_idle(source: &mut InterfaceSource) -> Vec<Seen> {
    let mut seen = Vec::new();
    while source.dispatch(&mut |packet| seen.push(Seen::of(&packet))).unwrap() == Status::More {}
    seen
}

#[test]
fn the_loopback_is_listed() {
    let loopback = interfaces().unwrap().into_iter().find(|info| info.name == "lo").unwrap();
    assert!(loopback.loopback);
    assert!(!interfaces().unwrap().iter().any(|info| info.name.starts_with("usbmon")));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the kernel stamps packets by the same clock")]
fn a_connection_over_the_loopback_is_captured_and_decoded() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let Some(mut source) = open(&["lo"], Some(&format!("tcp port {port}"))) else { return };
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    server.read_exact(&mut [0; 18]).unwrap();
    server.write_all(&vec![b'x'; 40_000]).unwrap();
    client.read_exact(&mut [0; 40_000]).unwrap();
    let seen = until_idle(&mut source);
    let payload = |port_is_source: bool| -> Vec<u8> {
        let segments = seen.iter().filter_map(|seen| match decode(&seen.packet()) {
            Decoded::Segment(segment) => {
                assert_ne!(segment.checksum(), Checksum::Unverifiable);
                let from = segment.key.endpoint(segment.side).port;
                ((from == port) == port_is_source).then(|| segment.payload.to_vec())
            }
            Decoded::Skip(skip) => panic!("{skip:?}"),
        });
        segments.flatten().collect()
    };
    assert_eq!(payload(false), b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(payload(true), vec![b'x'; 40_000]);
    assert_eq!(
        seen.iter().map(|seen| seen.frame).collect::<Vec<_>>(),
        (1..=seen.len() as u64).collect::<Vec<_>>()
    );
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let age = now.cast_signed() - i128::from(seen[0].nanos);
    assert!((0..60_000_000_000).contains(&age), "{age} ns old: the unit of the fraction is wrong");
    assert_eq!(source.stats().delivered, seen.len() as u64);
}

#[test]
fn several_interfaces_are_one_source_and_any_needs_no_promiscuous_mode() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let Some(mut source) = open(&["lo", "any"], Some(&format!("udp dst port {port}"))) else { return };
    for _ in 0..20 {
        socket.send_to(b"datagram", ("127.0.0.1", port)).unwrap();
    }
    let seen = until_idle(&mut source);
    let from = |id| seen.iter().filter(|seen| seen.source == id).count();
    assert!(from(0) >= 20 && from(1) >= 20, "{} and {}", from(0), from(1));
    assert_eq!(source.names().all(), ["lo", "any"]);
}

#[test]
fn a_quiet_link_is_idle_and_does_not_hang() {
    let Some(mut source) = open(&["lo"], Some("udp port 1 and src host 203.0.113.9")) else { return };
    assert_eq!(source.dispatch(&mut |_| ()).unwrap(), Status::Idle);
}

#[test]
fn a_bad_filter_on_an_interface_points_at_the_word() {
    let names = ["lo".to_owned()];
    match InterfaceSource::open_many(&names, Some("tcp and prot 80"), 0).err().unwrap() {
        SourceError::BadFilter { position, .. } => assert_eq!(position, Some(8)),
        other => assert!(matches!(other, SourceError::NoPermission { .. }), "{other}"),
    }
}
