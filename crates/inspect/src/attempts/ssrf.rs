//! URLs of addresses that only the server reaches.

use std::net::{IpAddr, Ipv4Addr};

/// Where the server is asked to fetch from.
pub(super) struct Target {
    /// Whether nobody outside means that address: the server itself, or what tells it its credentials.
    pub(super) sure: bool,
    /// By what a request to it is known again ([`place_hash`]).
    pub(super) place: u64,
}

/// A hash of where a request goes: a normal authority, or an address with its port, which 80 and 443 need not say.
pub fn place_hash(host: &str, port: Option<u16>) -> u64 {
    let host = crate::payload::PathHash::ROOT.text(host.as_bytes());
    let port = port.filter(|port| !matches!(port, 80 | 443)).unwrap_or_default();
    host.text(&port.to_le_bytes()).get()
}

/// The target of a URL inside; `None` of anything else. Relative and other URLs are what APIs are made for.
pub(super) fn target(text: &[u8]) -> Option<Target> {
    let (scheme, rest) = split(text.trim_ascii())?;
    // A sentence that begins with an address is no URL.
    if rest.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    let (host, port) = match host {
        [b'[', inner @ ..] => cut(inner, b']'),
        _ => cut(host, b':'),
    };
    let port = port.iter().skip_while(|byte| **byte == b':').copied().collect::<Vec<_>>();
    let port = std::str::from_utf8(&port).ok().and_then(|port| port.parse().ok());
    let host = std::str::from_utf8(host).ok().filter(|host| !host.is_empty() && host.len() <= 64)?;
    // Names that public resolvers have for any address: `10.0.0.1.nip.io`.
    let host =
        [".nip.io", ".sslip.io", ".xip.io"].iter().find_map(|zone| host.strip_suffix(zone)).unwrap_or(host);
    let sure = matches!(scheme, b"gopher" | b"dict" | b"tftp") || is_own(host) || is_metadata(host);
    // Without a scheme it is what browsers and programs put together, unless it is beyond doubt.
    if scheme.is_empty() && !is_metadata(host) {
        return None;
    }
    let place = match address(host) {
        Some(address) => place_hash(&address.to_string(), port),
        None => place_hash(host, port),
    };
    (sure || is_inside(host)).then_some(Target { sure, place })
}

/// What is before the first of that byte, and what is behind it.
fn cut(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    let at = memchr::memchr(byte, text).unwrap_or(text.len());
    let (before, rest) = text.split_at_checked(at).unwrap_or((text, &[]));
    (before, rest.get(1..).unwrap_or_default())
}

/// Scheme and what follows it; slashes may be turned, and the scheme left out.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(rest) = text.strip_prefix(b"//") {
        return Some((b"", rest));
    }
    let colon = memchr::memchr(b':', text.get(..8).unwrap_or(text))?;
    let (scheme, rest) = text.split_at_checked(colon)?;
    let is_fetched = [&b"http"[..], b"https", b"gopher", b"dict", b"ftp", b"ldap", b"tftp"].contains(&scheme);
    match rest.get(1..)? {
        [b'/' | b'\\', b'/' | b'\\', rest @ ..] if is_fetched => Some((scheme, rest)),
        _ => None,
    }
}

/// An address inside that stands alone, as arguments of a document have it: it proves nothing by itself.
pub(super) fn bare(text: &[u8]) -> Option<Target> {
    let host = std::str::from_utf8(text).ok()?;
    let inside = text.contains(&b'.') && (is_inside(host) || is_metadata(host) || is_own(host));
    let address = host.parse::<IpAddr>().ok().filter(|_| inside)?;
    Some(Target { sure: false, place: place_hash(&address.to_string(), None) })
}

fn address(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    // Other ways to write the same: one number, in decimal or hexadecimal.
    // As `inet_aton` takes them: one to four numbers, decimal, octal or hexadecimal, the last of which fills the rest.
    let mut numbers = [0_u32; 4];
    let mut count = 0;
    for part in host.split('.') {
        *numbers.get_mut(count)? = number(part)?;
        count += 1;
    }
    if count == 1 && host.len() < 8 && !host.starts_with('0') {
        return None;
    }
    let (last, before) = numbers.get(..count)?.split_last()?;
    let mut bits = *last;
    for (at, number) in before.iter().enumerate() {
        bits |= number.checked_shl(24 - 8 * u32::try_from(at).ok()?).filter(|_| *number < 256)?;
    }
    Some(IpAddr::V4(Ipv4Addr::from_bits(bits)))
}

fn number(text: &str) -> Option<u32> {
    match text.as_bytes() {
        [b'0', b'x', ..] => u32::from_str_radix(text.get(2..)?, 16).ok(),
        [b'0', _, ..] => u32::from_str_radix(text, 8).ok(),
        _ => text.parse().ok(),
    }
}

fn is_own(host: &str) -> bool {
    matches!(host, "localhost" | "0" | "localtest.me")
        || host.ends_with(".localhost")
        || address(host).is_some_and(|address| address.is_loopback() || address.is_unspecified())
}

fn is_metadata(host: &str) -> bool {
    let link_local = |address| matches!(address, IpAddr::V4(v4) if v4.is_link_local());
    matches!(host, "metadata" | "metadata.google.internal" | "instance-data" | "100.100.100.200")
        || address(host).is_some_and(link_local)
}

fn is_inside(host: &str) -> bool {
    host.ends_with(".internal")
        || host.ends_with(".local")
        || host.ends_with(".svc")
        || host.ends_with(".cluster.local")
        || address(host).is_some_and(|address| match address {
            IpAddr::V4(v4) => v4.is_private(),
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_is_known_however_it_is_written() {
        let place = |url: &str| target(url.as_bytes()).map(|target| target.place);
        for (url, host, port) in [
            ("http://10.0.0.7/admin", "10.0.0.7", None),
            ("http://167772167:80/", "10.0.0.7", Some(80)),
            ("http://10.0.0.7:8080?x", "10.0.0.7", Some(8080)),
            ("http://[fd00::7]:9200/_cat", "fd00::7", Some(9200)),
            ("https://billing.internal:443/x", "billing.internal", None),
        ] {
            assert_eq!(place(url), Some(place_hash(host, port)), "{url}");
        }
        assert_ne!(place("http://10.0.0.7:8080/"), place("http://10.0.0.7/"));
    }

    #[test]
    fn addresses_inside_are_told_from_others() {
        for (url, sure) in [
            ("http://169.254.169.254/latest/meta-data", true),
            ("http://localhost:9200/_cat", true),
            ("https://user@127.0.0.1/", true),
            ("http://2130706433/", true),
            ("http://[::1]/", true),
            ("gopher://shop.example:6379/_x", true),
            ("http://10.0.0.7/admin", false),
            ("http://billing.internal/x", false),
        ] {
            assert_eq!(target(url.as_bytes()).map(|target| target.sure), Some(sure), "{url}");
        }
        for url in [
            "http://localhost:8080 what is that",
            "https://shop.example/a.png",
            "/local/path",
            "localhost",
            "mailto://10.0.0.1",
            "http://",
        ] {
            assert!(target(url.as_bytes()).is_none(), "{url}");
        }
    }
}
