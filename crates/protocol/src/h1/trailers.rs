//! Trailer sections (RFC 9112, 7.1.2).

use super::lenient::{note_bytes, read_fields};
use crate::{Anomalies, Anomaly, Head, Untrusted};

/// Fields that must not come as trailers (RFC 9110, 6.5.1): framing, routing, request modifiers, authentication, and
/// what says how to read the content.
const FORBIDDEN: [&[u8]; 31] = [
    b"transfer-encoding",
    b"content-length",
    b"host",
    b"trailer",
    b"connection",
    b"te",
    b"upgrade",
    b"keep-alive",
    b"cache-control",
    b"expect",
    b"max-forwards",
    b"pragma",
    b"range",
    b"if-match",
    b"if-none-match",
    b"if-modified-since",
    b"if-unmodified-since",
    b"if-range",
    b"authorization",
    b"proxy-authorization",
    b"proxy-authenticate",
    b"www-authenticate",
    b"proxy-connection",
    b"cookie",
    b"set-cookie",
    b"content-encoding",
    b"content-type",
    b"content-range",
    b"location",
    b"forwarded",
    b"x-forwarded-for",
];

/// Appends a trailer section, as [`super::ChunkPart::Trailer`] gave it, to the head whose body it ends.
pub fn append_trailers(head: &mut Head, raw: &[u8], anomalies: &mut Anomalies) {
    let (base, first) = (head.text.len(), head.fields.len());
    note_bytes(raw, anomalies);
    head.text.extend_from_slice(raw);
    read_fields(raw, base, raw, head, anomalies);
    if head.fields.len() > first {
        head.trailers_from.get_or_insert(first);
    }
    let mut names =
        head.fields.iter().skip(first).filter_map(|field| field.name).map(|name| head.slice(name));
    if names.any(is_forbidden) {
        anomalies.insert(Anomaly::ForbiddenTrailer);
    }
}

/// Whether a field of that name must not come as a trailer.
pub(crate) fn is_forbidden(name: Untrusted<'_>) -> bool {
    FORBIDDEN.iter().any(|forbidden| name.is(forbidden))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::parse_request;

    fn with_trailers(raw: &str) -> (Head, Vec<Anomaly>) {
        let (mut head, mut anomalies) = (Head::default(), Anomalies::default());
        parse_request(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", &mut head, &mut anomalies);
        append_trailers(&mut head, raw.as_bytes(), &mut anomalies);
        (head, anomalies.iter().collect())
    }

    #[test]
    fn rfc9112_7_1_2_trailers_are_kept_apart_from_the_header() {
        let (head, anomalies) = with_trailers("Digest: x\r\nExpires:\r\n later \r\n");
        assert_eq!((head.trailers_from, head.fields.len()), (Some(1), 3));
        assert_eq!(anomalies, [Anomaly::ObsFold]);
        assert!(head.header(b"digest").is_none());
        let text = |at: usize| {
            (
                head.slice(head.fields[at].name.unwrap()).bytes(),
                head.slice(head.fields[at].value.unwrap()).bytes(),
            )
        };
        assert_eq!(text(1), (&b"Digest"[..], &b"x"[..]));
        assert_eq!(text(2), (&b"Expires"[..], &b"later"[..]));
    }

    #[test]
    fn an_empty_section_has_no_trailers() {
        assert_eq!(with_trailers("").0.trailers_from, None);
    }

    #[test]
    fn rfc9110_6_5_1_forbidden_trailers_are_named() {
        for name in ["Content-Length", "transfer-encoding", "Host", "Authorization", "Set-Cookie"] {
            assert_eq!(
                with_trailers(&format!("A: b\r\n{name}: x\r\n")).1,
                [Anomaly::ForbiddenTrailer],
                "{name}"
            );
        }
        assert_eq!(with_trailers("grpc-status: 0\r\n").1, []);
    }

    #[test]
    fn a_malformed_trailer_is_named() {
        assert_eq!(
            with_trailers("A : b\nno colon\r\n").1,
            [Anomaly::BareLf, Anomaly::SpaceBeforeColon, Anomaly::MissingColon]
        );
    }
}
