//! Header fields that belong to HTTP, to browsers, to tracing or to the way there, and not to the API.

/// Slots of the table; a power of two, several times as many as there are names.
const SLOTS: usize = 512;

/// Their names, in lower case, by length. `Accept`, `Content-Type` and `Authorization` are no parameters either (OpenAPI 3.1,
/// 4.8.12.1).
static NAMES: &[&[u8]] = &[
    b"te",
    b"age",
    b"via",
    b"dnt",
    b"p3p",
    b"host",
    b"date",
    b"from",
    b"vary",
    b"link",
    b"etag",
    b"allow",
    b"range",
    b"nel",
    b"accept",
    b"cookie",
    b"expect",
    b"pragma",
    b"server",
    b"origin",
    b"expires",
    b"referer",
    b"trailer",
    b"upgrade",
    b"warning",
    b"alt-svc",
    b"sec-gpc",
    b"if-match",
    b"if-range",
    b"location",
    b"priority",
    b"b3",
    b"forwarded",
    b"sec-ch-ua",
    b"x-real-ip",
    b"report-to",
    b"connection",
    b"keep-alive",
    b"user-agent",
    b"set-cookie",
    b"x-b3-flags",
    b"tracestate",
    b"retry-after",
    b"traceparent",
    b"http2-settings",
    b"grpc-status",
    b"content-type",
    b"max-forwards",
    b"x-powered-by",
    b"x-request-id",
    b"grpc-message",
    b"grpc-timeout",
    b"accept-ranges",
    b"authorization",
    b"cache-control",
    b"content-range",
    b"if-none-match",
    b"last-modified",
    b"grpc-encoding",
    b"accept-charset",
    b"content-length",
    b"x-b3-traceid",
    b"sec-fetch-dest",
    b"sec-fetch-mode",
    b"sec-fetch-site",
    b"sec-fetch-user",
    b"accept-encoding",
    b"accept-language",
    b"x-forwarded-for",
    b"x-frame-options",
    b"referrer-policy",
    b"content-encoding",
    b"content-language",
    b"content-location",
    b"proxy-connection",
    b"www-authenticate",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-xss-protection",
    b"sec-ch-ua-mobile",
    b"if-modified-since",
    b"transfer-encoding",
    b"x-forwarded-proto",
    b"sec-websocket-key",
    b"proxy-authenticate",
    b"sec-ch-ua-platform",
    b"permissions-policy",
    b"content-disposition",
    b"if-unmodified-since",
    b"proxy-authorization",
    b"timing-allow-origin",
    b"grpc-accept-encoding",
    b"sec-websocket-accept",
    b"sec-websocket-version",
    b"x-content-type-options",
    b"sec-websocket-protocol",
    b"content-security-policy",
    b"sec-websocket-extensions",
    b"strict-transport-security",
    b"upgrade-insecure-requests",
];

/// The names by [`slot_of`]; a name that finds its slot taken stands in the next free one.
static TABLE: [&[u8]; SLOTS] = {
    let mut table: [&[u8]; SLOTS] = [b""; SLOTS];
    let mut at = 0;
    while at < NAMES.len() {
        #[allow(clippy::indexing_slicing, reason = "in a constant: it would not compile")]
        {
            let mut slot = slot_of(NAMES[at]);
            while !table[slot].is_empty() {
                slot = (slot + 1) % SLOTS;
            }
            table[slot] = NAMES[at];
        }
        at += 1;
    }
    table
};

/// By its length, its ends and its middle, whatever their case.
const fn slot_of(name: &[u8]) -> usize {
    const fn lower(byte: Option<&u8>) -> usize {
        match byte {
            Some(byte) => (*byte | 0x20) as usize,
            None => 0,
        }
    }
    let len = name.len();
    let (first, last) = (lower(name.first()), lower(name.last()));
    let middle = match name.split_at_checked(len / 2) {
        Some((_, behind)) => lower(behind.first()),
        None => 0,
    };
    (len * 37 + first * 5 + middle * 29 + last * 71) % SLOTS
}

/// Whether a header field of that name is one of these.
pub(super) fn is_standard(name: &[u8]) -> bool {
    let (before, from) = TABLE.split_at_checked(slot_of(name)).unwrap_or_default();
    let mut known = from.iter().chain(before).take_while(|known| !known.is_empty());
    known.any(|known| known.eq_ignore_ascii_case(name))
        || name.starts_with(b":")
        || name.get(..15).is_some_and(|begin| begin.eq_ignore_ascii_case(b"access-control-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_no_other_one() {
        for name in NAMES {
            assert!(is_standard(name) && is_standard(&name.to_ascii_uppercase()));
            let other = [name, &b"x"[..]].concat();
            assert!(NAMES.contains(&other.as_slice()) || !is_standard(&other));
        }
        assert!(is_standard(b":path") && is_standard(b"Access-Control-Allow-Origin"));
        assert!(!is_standard(b"") && !is_standard(b"X-Tenant") && !is_standard(b"x-api-key"));
    }

    #[test]
    fn names_are_spread() {
        let longest = NAMES.iter().map(|name| {
            let from = slot_of(name);
            TABLE.iter().cycle().skip(from).position(|known| known == name).unwrap_or(SLOTS)
        });
        assert!(longest.max() < Some(8), "{:?}", NAMES.iter().map(|name| slot_of(name)).collect::<Vec<_>>());
    }
}
