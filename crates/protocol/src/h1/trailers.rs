//! Trailer sections (RFC 9112, 7.1.2).

use super::lenient::{note_bytes, read_fields};
use crate::{Anomalies, Anomaly, Head};

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
    let names = head.fields.iter().skip(first).filter_map(|field| field.name).map(|name| head.slice(name));
    if names.into_iter().any(|name| FORBIDDEN.iter().any(|forbidden| name.is(forbidden))) {
        anomalies.insert(Anomaly::ForbiddenTrailer);
    }
}
