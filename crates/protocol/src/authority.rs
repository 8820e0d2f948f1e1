//! Whom a request is for: `[userinfo "@"] host [":" port]` (RFC 3986, 3.2).

use memchr::{memchr, memmem, memrchr};

/// An authority without user information.
pub fn without_user(authority: &[u8]) -> &[u8] {
    memrchr(b'@', authority).and_then(|at| authority.get(at + 1..)).unwrap_or(authority)
}

/// An authority's host, without user information, brackets and port.
pub fn host_of(authority: &[u8]) -> &[u8] {
    let authority = without_user(authority);
    if let Some(rest) = authority.strip_prefix(b"[") {
        return memchr(b']', rest).and_then(|end| rest.get(..end)).unwrap_or(rest);
    }
    memchr(b':', authority).and_then(|end| authority.get(..end)).unwrap_or(authority)
}

/// The host of an origin, which is a scheme and an authority (RFC 6454, 6.2).
pub fn origin_host(origin: &[u8]) -> &[u8] {
    host_of(memmem::find(origin, b"://").and_then(|at| origin.get(at + 3..)).unwrap_or(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_stands_between_user_and_port() {
        assert_eq!(host_of(b"alice:secret@shop.example:8080"), b"shop.example");
        assert_eq!(host_of(b"[2001:db8::1]:443"), b"2001:db8::1");
        assert_eq!(host_of(b"[2001:db8::1"), b"2001:db8::1");
        assert_eq!(host_of(b"shop"), b"shop");
        assert_eq!(host_of(b""), b"");
        assert_eq!(without_user(b"a@b@shop:80"), b"shop:80");
    }

    #[test]
    fn an_origin_has_a_scheme_before_it() {
        assert_eq!(origin_host(b"https://shop.example:8443"), b"shop.example");
        assert_eq!(origin_host(b"http://[::1]:80"), b"::1");
        assert_eq!(origin_host(b"null"), b"null");
    }
}
