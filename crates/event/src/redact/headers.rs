//! Which header values leave, and how. The list is an allow-list: what is not here becomes a token.

/// How a header's value leaves. Names always leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Policy {
    /// As it is, but for runs that could be keys.
    Text,
    /// A media type without parameters but `charset`.
    MediaType,
    /// As it is when it has the alphabet of trace identifiers.
    Trace,
    /// A URL: path and query by their own rules.
    Url,
    /// A host with its port.
    Host,
    /// The scheme in clear, what follows as a token.
    Credentials,
    /// Cookie names in clear, values as tokens.
    Cookies,
    /// The same, attributes in clear.
    SetCookie,
    /// A token.
    Token,
}

/// Longest name in the list.
const LONGEST: usize = 40;

/// The policy of a header, whatever the case of its name.
pub(super) fn policy(name: &[u8]) -> Policy {
    let mut lower = [0_u8; LONGEST];
    let Some(slot) = lower.get_mut(..name.len()) else { return Policy::Token };
    slot.copy_from_slice(name);
    slot.make_ascii_lowercase();
    of_lower(slot)
}

fn of_lower(name: &[u8]) -> Policy {
    match name {
        b"host" => Policy::Host,
        b"content-type" | b"content-disposition" => Policy::MediaType,
        b"authorization" | b"proxy-authorization" => Policy::Credentials,
        b"cookie" => Policy::Cookies,
        b"set-cookie" => Policy::SetCookie,
        b"location" | b"content-location" | b"referer" | b"origin" | b"access-control-allow-origin" => {
            Policy::Url
        }
        b"x-request-id"
        | b"x-correlation-id"
        | b"traceparent"
        | b"x-b3-traceid"
        | b"x-b3-spanid"
        | b"x-amzn-trace-id"
        | b"x-cloud-trace-context"
        | b"request-id"
        | b"correlation-id"
        | b"x-amzn-requestid"
        | b"x-amz-request-id" => Policy::Trace,
        _ if TEXT.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok() => Policy::Text,
        _ => Policy::Token,
    }
}

/// Headers that say how, and not who or what; sorted, to be searched by halves.
const TEXT: &[&str] = &[
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-patch",
    "accept-post",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-expose-headers",
    "access-control-max-age",
    "access-control-request-headers",
    "access-control-request-method",
    "age",
    "allow",
    "alt-svc",
    "api-version",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-security-policy",
    "date",
    "deprecation",
    "dnt",
    "expect",
    "expires",
    "forwarded",
    "grpc-encoding",
    "grpc-status",
    "grpc-timeout",
    "if-modified-since",
    "if-unmodified-since",
    "keep-alive",
    "last-modified",
    "max-forwards",
    "mcp-protocol-version",
    "pragma",
    "prefer",
    "preference-applied",
    "priority",
    "proxy-connection",
    "range",
    "ratelimit",
    "ratelimit-limit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "referrer-policy",
    "retry-after",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "sec-gpc",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "server",
    "server-timing",
    "soapaction",
    "strict-transport-security",
    "sunset",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-amz-target",
    "x-api-version",
    "x-aspnet-version",
    "x-cache",
    "x-content-type-options",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-frame-options",
    "x-http-method-override",
    "x-powered-by",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-real-ip",
    "x-requested-with",
    "x-response-time",
    "x-runtime",
    "x-xss-protection",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_becomes_a_token() {
        assert_eq!(policy(b"X-Customer"), Policy::Token);
        assert_eq!(policy(&[b'x'; 200]), Policy::Token);
        assert_eq!(policy(b""), Policy::Token);
    }

    #[test]
    fn every_listed_name_is_found() {
        assert!(TEXT.is_sorted());
        assert!(TEXT.iter().all(|name| policy(name.as_bytes()) == Policy::Text));
    }

    #[test]
    fn case_does_not_matter() {
        assert_eq!(policy(b"AUTHORIZATION"), Policy::Credentials);
        assert_eq!(policy(b"User-Agent"), Policy::Text);
    }
}
