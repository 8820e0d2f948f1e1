//! Version 1: one line of text.

use super::{ProxyOutcome, begins_with};
use crate::ProxyHeader;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tapwire_wire::Endpoint;

/// "So a 108-byte buffer is always enough to store all the line and a trailing zero" (section 2.1).
const MAX_LINE: usize = 107;

/// Reads a version 1 header.
pub(super) fn parse(bytes: &[u8]) -> ProxyOutcome {
    match begins_with(bytes, b"PROXY ") {
        None => return ProxyOutcome::Partial,
        Some(false) => return ProxyOutcome::NotProxy,
        Some(true) => {}
    }
    // A request whose method is PROXY.
    if matches!(bytes.get(6), Some(b'/' | b'*')) {
        return ProxyOutcome::NotProxy;
    }
    let bounded = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', bounded) else {
        return if bytes.len() < MAX_LINE {
            ProxyOutcome::Partial
        } else {
            ProxyOutcome::Invalid { len: None }
        };
    };
    let len = end + 1;
    let line = bounded.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    match line.and_then(|line| read_line(std::str::from_utf8(line).ok()?)) {
        Some(header) => ProxyOutcome::Complete { header, len },
        None => ProxyOutcome::Invalid { len: Some(len) },
    }
}

fn read_line(line: &str) -> Option<ProxyHeader> {
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        // "The receiver must ignore anything presented before the CRLF is found."
        return Some(ProxyHeader { version: 1, client: None, destination: None });
    }
    let addresses = [address(family, words.next()?)?, address(family, words.next()?)?];
    let ports = [port(words.next()?)?, port(words.next()?)?];
    let [client, destination] =
        [0, 1].map(|end: usize| Some(Endpoint::from_ip(*addresses.get(end)?, *ports.get(end)?)));
    words.next().is_none().then_some(ProxyHeader { version: 1, client, destination })
}

fn address(family: &str, text: &str) -> Option<IpAddr> {
    match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => None,
    }
}

/// A port in decimal without sign or leading zeros.
fn port(text: &str) -> Option<u16> {
    let port: u16 = text.parse().ok()?;
    (port.to_string() == text).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Option<Endpoint> {
        let at: std::net::SocketAddr = text.parse().unwrap();
        Some(Endpoint::from_ip(at.ip(), at.port()))
    }

    fn header(line: &str) -> ProxyOutcome {
        parse(format!("{line}\r\nGET / HTTP/1.1\r\n").as_bytes())
    }

    #[test]
    fn section_2_1_tcp4() {
        let line = "PROXY TCP4 255.255.255.255 192.168.0.11 65535 443";
        let [client, destination] = ["255.255.255.255:65535", "192.168.0.11:443"].map(endpoint);
        let header_read = ProxyHeader { version: 1, client, destination };
        assert_eq!(header(line), ProxyOutcome::Complete { header: header_read, len: line.len() + 2 });
    }

    #[test]
    fn section_2_1_tcp6() {
        let line = "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443";
        let [client, destination] = ["[2001:db8::1]:56324", "[2001:db8::2]:443"].map(endpoint);
        let header_read = ProxyHeader { version: 1, client, destination };
        assert_eq!(header(line), ProxyOutcome::Complete { header: header_read, len: line.len() + 2 });
    }

    #[test]
    fn section_2_1_unknown_names_no_client() {
        for line in ["PROXY UNKNOWN", "PROXY UNKNOWN ffff:f::1 ffff:f::2 65535 65535"] {
            let header_read = ProxyHeader { version: 1, client: None, destination: None };
            assert_eq!(header(line), ProxyOutcome::Complete { header: header_read, len: line.len() + 2 });
        }
    }

    #[test]
    fn a_line_that_breaks_the_grammar_is_invalid_and_its_length_known() {
        for line in [
            "PROXY TCP4 192.0.2.1 192.0.2.2 1",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3",
            "PROXY TCP4 192.0.2.1 192.0.2.2 01 2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2",
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 2",
            "PROXY TCP4  192.0.2.1 192.0.2.2 1 2",
            "PROXY UDP4 192.0.2.1 192.0.2.2 1 2",
            "PROXY \u{fffd}",
        ] {
            assert_eq!(header(line), ProxyOutcome::Invalid { len: Some(line.len() + 2) }, "{line}");
        }
        assert_eq!(parse(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), ProxyOutcome::Invalid { len: Some(35) });
    }

    #[test]
    fn a_line_longer_than_107_bytes_is_invalid() {
        let line = format!("PROXY UNKNOWN {}", "x".repeat(107));
        assert_eq!(parse(&line.as_bytes()[..106]), ProxyOutcome::Partial);
        assert_eq!(parse(line.as_bytes()), ProxyOutcome::Invalid { len: None });
    }

    #[test]
    fn every_beginning_of_a_header_is_partial() {
        let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
        for cut in 0..line.len() {
            assert_eq!(parse(&line[..cut]), ProxyOutcome::Partial, "cut at {cut}");
        }
    }
}
