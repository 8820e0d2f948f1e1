//! URLs of addresses that only the server reaches.

use std::net::{IpAddr, Ipv4Addr};

/// Where the server is asked to fetch from.
pub(super) struct Target {
    /// Whether nobody outside means that address: the server itself, or what tells it its credentials.
    pub(super) sure: bool,
}

/// The target of a URL inside; `None` of anything else. Relative and other URLs are what APIs are made for.
pub(super) fn target(text: &[u8]) -> Option<Target> {
    let text = text.trim_ascii();
    let at = memchr::memmem::find(text, b"://")?;
    let scheme = text.get(..at)?;
    let is_fetched = [&b"http"[..], b"https", b"gopher", b"dict", b"ftp", b"ldap", b"tftp"].contains(&scheme);
    if !is_fetched {
        return None;
    }
    let rest = text.get(at + 3..)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    let host = match host {
        [b'[', inner @ ..] => inner.split(|byte| *byte == b']').next()?,
        _ => host.split(|byte| *byte == b':').next()?,
    };
    let host = std::str::from_utf8(host).ok().filter(|host| !host.is_empty() && host.len() <= 64)?;
    let sure = matches!(scheme, b"gopher" | b"dict" | b"tftp") || is_own(host) || is_metadata(host);
    (sure || is_inside(host)).then_some(Target { sure })
}

/// An address inside that stands alone, as arguments of a document have it: it proves nothing by itself.
pub(super) fn bare(text: &[u8]) -> Option<Target> {
    let host = std::str::from_utf8(text).ok()?;
    let inside = text.contains(&b'.') && (is_inside(host) || is_metadata(host) || is_own(host));
    (inside && host.parse::<IpAddr>().is_ok()).then_some(Target { sure: false })
}

fn address(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    // Other ways to write the same: one number, in decimal or hexadecimal.
    let number = match host.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => host.parse::<u32>().ok().filter(|_| host.len() >= 8),
    };
    number.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
}

fn is_own(host: &str) -> bool {
    matches!(host, "localhost" | "0" | "localtest.me" | "127.1")
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
        for url in ["https://shop.example/a.png", "/local/path", "localhost", "mailto://10.0.0.1", "http://"]
        {
            assert!(target(url.as_bytes()).is_none(), "{url}");
        }
    }
}
