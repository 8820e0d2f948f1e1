//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692), behind whatever carries it.

mod deflate;
mod frame;
mod handshake;
mod seek;
mod socket;
mod speaker;
mod utf8;

pub(crate) use deflate::Inflaters;
pub(crate) use socket::Socket;

/// Whether a segment of a client is made of WebSocket frames, as nothing else is.
pub(crate) fn begins(segment: &[u8]) -> bool {
    seek::reads_as_frames(segment, crate::Direction::ToServer)
}

pub use frame::{
    FrameHead, FrameOutcome, FramePart, FrameReader, FrameStep, MAX_CONTROL, Opcode, parse_head, unmask,
};
