//! Version 2: binary.

use super::{ProxyOutcome, begins_with};
use crate::ProxyHeader;
use tapwire_wire::Endpoint;

/// Section 2.2: "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A".
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and protocol, length.
const FIXED: usize = 16;

/// Longest header with its TLVs that is waited for: the largest in use carry a few hundred bytes.
const MAX_HEADER: usize = 4096;

/// Reads a version 2 header; its TLVs are skipped.
pub(super) fn parse(bytes: &[u8]) -> ProxyOutcome {
    match begins_with(bytes, SIGNATURE) {
        None => return ProxyOutcome::Partial,
        Some(false) => return ProxyOutcome::NotProxy,
        Some(true) => {}
    }
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else { return ProxyOutcome::Partial };
    let [.., command, family, high, low] = *fixed;
    let stated = usize::from(u16::from_be_bytes([high, low]));
    let len = FIXED + stated;
    let invalid = ProxyOutcome::Invalid { len: (command >> 4 == 2).then_some(len) };
    if command >> 4 != 2 || len > MAX_HEADER {
        return invalid;
    }
    let Some(addresses) = rest.get(..stated) else { return ProxyOutcome::Partial };
    match read_addresses(command & 0x0f, family, addresses) {
        Some(header) => ProxyOutcome::Complete { header, len },
        None => invalid,
    }
}

fn read_addresses(command: u8, family: u8, addresses: &[u8]) -> Option<ProxyHeader> {
    let named = |(client, destination)| ProxyHeader { version: 2, client, destination };
    match (command, family) {
        // LOCAL: the proxy's own connection. "The receiver must accept this connection as valid and must use the real
        // connection endpoints."
        (0, _) | (1, 0x00) => Some(named((None, None))),
        (1, 0x11 | 0x12) => v4_pair(addresses).map(named),
        (1, 0x21 | 0x22) => v6_pair(addresses).map(named),
        (1, 0x31 | 0x32) => (addresses.len() >= 216).then_some(named((None, None))),
        _ => None,
    }
}

type Pair = (Option<Endpoint>, Option<Endpoint>);

fn v4_pair(bytes: &[u8]) -> Option<Pair> {
    let (source, rest) = bytes.split_first_chunk::<4>()?;
    let (destination, rest) = rest.split_first_chunk::<4>()?;
    let (from, to) = ports(rest)?;
    Some((Some(Endpoint::v4(*source, from)), Some(Endpoint::v4(*destination, to))))
}

fn v6_pair(bytes: &[u8]) -> Option<Pair> {
    let (source, rest) = bytes.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    let (from, to) = ports(rest)?;
    Some((Some(Endpoint::v6(*source, from)), Some(Endpoint::v6(*destination, to))))
}

fn ports(bytes: &[u8]) -> Option<(u16, u16)> {
    let (from, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*from), u16::from_be_bytes(*rest.first_chunk::<2>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &len, body].concat()
    }

    const TCP4: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0x01, 0xbb];

    fn tcp4() -> ProxyHeader {
        let client = Some(Endpoint::v4([192, 0, 2, 1], 56324));
        ProxyHeader { version: 2, client, destination: Some(Endpoint::v4([192, 0, 2, 2], 443)) }
    }

    #[test]
    fn section_2_2_tcp_over_ipv4() {
        assert_eq!(parse(&header(0x21, 0x11, TCP4)), ProxyOutcome::Complete { header: tcp4(), len: 28 });
    }

    #[test]
    fn section_2_2_tcp_over_ipv6() {
        let (source, destination) = ([0x20; 16], [0xfd; 16]);
        let body = [&source[..], &destination, &[0, 80, 1, 187]].concat();
        let ends = [Endpoint::v6(source, 80), Endpoint::v6(destination, 443)].map(Some);
        let read = ProxyHeader { version: 2, client: ends[0], destination: ends[1] };
        assert_eq!(parse(&header(0x21, 0x21, &body)), ProxyOutcome::Complete { header: read, len: 52 });
    }

    #[test]
    fn section_2_2_tlvs_are_skipped() {
        let body = [TCP4, &[0x04, 0, 3, 1, 2, 3]].concat();
        assert_eq!(parse(&header(0x21, 0x11, &body)), ProxyOutcome::Complete { header: tcp4(), len: 34 });
    }

    #[test]
    fn section_2_2_local_unspec_and_unix_name_no_client() {
        let none = ProxyHeader { version: 2, client: None, destination: None };
        for bytes in [
            header(0x20, 0x11, TCP4),
            header(0x20, 0, &[]),
            header(0x21, 0, &[]),
            header(0x21, 0x31, &[1; 216]),
        ] {
            assert_eq!(parse(&bytes), ProxyOutcome::Complete { header: none, len: bytes.len() });
        }
    }

    #[test]
    fn what_the_section_does_not_define_is_invalid() {
        for (bytes, len) in [
            (header(0x11, 0x11, TCP4), None),
            (header(0x22, 0x11, TCP4), Some(28)),
            (header(0x21, 0x41, TCP4), Some(28)),
            (header(0x21, 0x11, &TCP4[..11]), Some(27)),
            (header(0x21, 0x21, TCP4), Some(28)),
            (header(0x21, 0x31, TCP4), Some(28)),
            ([SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat(), Some(65551)),
        ] {
            assert_eq!(parse(&bytes), ProxyOutcome::Invalid { len });
        }
    }

    #[test]
    fn every_beginning_of_a_header_is_partial() {
        let bytes = header(0x21, 0x11, TCP4);
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]), ProxyOutcome::Partial, "cut at {cut}");
        }
    }
}
