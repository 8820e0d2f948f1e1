//! HTTP/1: pure functions over bytes for heads, framing and chunked bodies (RFC 9112).
//!
//! Nothing here knows connections or packets. Incomplete input is [`HeadOutcome::Partial`], hostile input is a value with
//! its anomalies, and every answer is the same wherever the input is cut: a parser that gives different answers for
//! different segmentations of one stream can be steered by whoever chooses the segments.

mod body;
pub(crate) mod bytes;
pub(crate) mod conversation;
mod framing;
mod head;
mod lenient;
pub(crate) mod pairing;
mod probe;
#[cfg(test)]
mod properties;
mod queue;
pub(crate) mod reader;
mod scan;
mod start_line;
mod trailers;

pub use body::{ChunkPart, ChunkStep, ChunkedDecoder, MAX_CHUNK_EXTENSION, MAX_TRAILERS};
pub use framing::{expects_continue, keeps_open, request_framing, response_framing, upgrade};
pub use head::{
    HeadOutcome, MAX_FIELDS, MAX_HEAD, parse_capped, parse_partial, parse_request, parse_response,
};
pub use probe::{Start, probe};
pub use scan::HeadScan;
pub use trailers::append_trailers;
pub(crate) use trailers::is_forbidden;
