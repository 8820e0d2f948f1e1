//! Which header values leave, and how. The list is an allow-list: what is not here becomes a token.

/// How a header's value leaves. Names always leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        _ if is_text(name) => Policy::Text,
        _ => Policy::Token,
    }
}

/// Headers that say how, and not who or what.
fn is_text(name: &[u8]) -> bool {
    matches!(
        name,
        b"accept"
            | b"accept-charset"
            | b"accept-encoding"
            | b"accept-language"
            | b"accept-patch"
            | b"accept-post"
            | b"accept-ranges"
            | b"access-control-allow-credentials"
            | b"access-control-allow-headers"
            | b"access-control-allow-methods"
            | b"access-control-expose-headers"
            | b"access-control-max-age"
            | b"access-control-request-headers"
            | b"access-control-request-method"
            | b"age"
            | b"allow"
            | b"alt-svc"
            | b"api-version"
            | b"cache-control"
            | b"connection"
            | b"content-encoding"
            | b"content-language"
            | b"content-length"
            | b"content-range"
            | b"content-security-policy"
            | b"date"
            | b"deprecation"
            | b"dnt"
            | b"expect"
            | b"expires"
            | b"forwarded"
            | b"grpc-encoding"
            | b"grpc-status"
            | b"grpc-timeout"
            | b"if-modified-since"
            | b"if-unmodified-since"
            | b"keep-alive"
            | b"last-modified"
            | b"max-forwards"
            | b"mcp-protocol-version"
            | b"pragma"
            | b"preference-applied"
            | b"prefer"
            | b"priority"
            | b"proxy-connection"
            | b"range"
            | b"ratelimit"
            | b"ratelimit-limit"
            | b"ratelimit-policy"
            | b"ratelimit-remaining"
            | b"ratelimit-reset"
            | b"referrer-policy"
            | b"retry-after"
            | b"sec-ch-ua"
            | b"sec-ch-ua-mobile"
            | b"sec-ch-ua-platform"
            | b"sec-fetch-dest"
            | b"sec-fetch-mode"
            | b"sec-fetch-site"
            | b"sec-fetch-user"
            | b"sec-gpc"
            | b"sec-websocket-extensions"
            | b"sec-websocket-protocol"
            | b"sec-websocket-version"
            | b"server"
            | b"server-timing"
            | b"soapaction"
            | b"strict-transport-security"
            | b"sunset"
            | b"te"
            | b"trailer"
            | b"transfer-encoding"
            | b"upgrade"
            | b"upgrade-insecure-requests"
            | b"user-agent"
            | b"vary"
            | b"via"
            | b"warning"
            | b"www-authenticate"
            | b"x-amz-target"
            | b"x-api-version"
            | b"x-aspnet-version"
            | b"x-cache"
            | b"x-content-type-options"
            | b"x-forwarded-for"
            | b"x-forwarded-host"
            | b"x-real-ip"
            | b"x-forwarded-proto"
            | b"x-forwarded-port"
            | b"x-frame-options"
            | b"x-http-method-override"
            | b"x-powered-by"
            | b"x-ratelimit-limit"
            | b"x-ratelimit-remaining"
            | b"x-ratelimit-reset"
            | b"x-rate-limit-limit"
            | b"x-rate-limit-remaining"
            | b"x-rate-limit-reset"
            | b"x-requested-with"
            | b"x-response-time"
            | b"x-runtime"
            | b"x-xss-protection"
    )
}

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
    fn case_does_not_matter() {
        assert_eq!(policy(b"AUTHORIZATION"), Policy::Credentials);
        assert_eq!(policy(b"User-Agent"), Policy::Text);
    }

    #[test]
    fn the_longest_listed_name_fits() {
        assert_eq!(policy(b"Access-Control-Allow-Credentials"), Policy::Text);
    }
}
