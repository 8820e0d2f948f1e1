//! Frame heads (RFC 9113, 4.1), and whether nine bytes could be one.

/// What a client's stream begins with (RFC 9113, 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame head.
pub const HEAD: usize = 9;

/// The longest payload before a receiver allows more (RFC 9113, 6.5.2).
pub const USUAL_MAX: u32 = 16_384;

/// Frame types by number (RFC 9113, 6; RFC 9218, 7.1).
pub mod kind {
    /// Body bytes.
    pub const DATA: u8 = 0;
    /// Begins a header block.
    pub const HEADERS: u8 = 1;
    /// Deprecated priority.
    pub const PRIORITY: u8 = 2;
    /// Ends a stream at once.
    pub const RST_STREAM: u8 = 3;
    /// Parameters of the connection.
    pub const SETTINGS: u8 = 4;
    /// Announces a pushed stream, with a header block.
    pub const PUSH_PROMISE: u8 = 5;
    /// Measures the round trip.
    pub const PING: u8 = 6;
    /// Ends the connection.
    pub const GOAWAY: u8 = 7;
    /// Flow control.
    pub const WINDOW_UPDATE: u8 = 8;
    /// Goes on with a header block.
    pub const CONTINUATION: u8 = 9;
    /// Priority of a stream (RFC 9218).
    pub const PRIORITY_UPDATE: u8 = 16;
}

/// Flags; which of them a frame may have depends on its type.
pub mod flag {
    /// Last frame of the stream in this direction (DATA, HEADERS).
    pub const END_STREAM: u8 = 0x1;
    /// Acknowledges (SETTINGS, PING).
    pub const ACK: u8 = 0x1;
    /// Last frame of the header block (HEADERS, PUSH_PROMISE, CONTINUATION).
    pub const END_HEADERS: u8 = 0x4;
    /// A pad length comes first (DATA, HEADERS, PUSH_PROMISE).
    pub const PADDED: u8 = 0x8;
    /// Five bytes of priority come before the block (HEADERS).
    pub const PRIORITY: u8 = 0x20;
}

/// The nine bytes in front of every frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Bytes of payload.
    pub len: u32,
    /// The type, of [`kind`] or not.
    pub kind: u8,
    /// Of [`flag`].
    pub flags: u8,
    /// The stream; 0 is the connection.
    pub stream: u32,
    /// The reserved bit, which is never set.
    pub reserved: bool,
}

impl FrameHead {
    /// The head that `bytes` begin with; `None` when there are fewer than nine.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, s @ ..] = bytes.first_chunk::<HEAD>()?;
        let stream = u32::from_be_bytes(*s);
        Some(Self {
            len: u32::from_be_bytes([0, *a, *b, *c]),
            kind: *kind,
            flags: *flags,
            stream: stream & 0x7fff_ffff,
            reserved: stream >> 31 == 1,
        })
    }

    /// Whether a flag is set.
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether its payload is, or goes on with, a header block.
    pub const fn carries_block(&self) -> bool {
        matches!(self.kind, kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION)
    }

    /// Whether a CONTINUATION has to follow.
    pub const fn is_unfinished(&self) -> bool {
        self.carries_block() && !self.has(flag::END_HEADERS)
    }

    /// Whether the type's rules on stream and length hold (RFC 9113, 6); true of unknown types.
    pub const fn is_lawful(&self) -> bool {
        match self.kind {
            kind::DATA | kind::CONTINUATION => self.stream != 0,
            kind::HEADERS => self.stream != 0,
            kind::PRIORITY => self.stream != 0 && self.len == 5,
            kind::RST_STREAM => self.stream != 0 && self.len == 4,
            kind::SETTINGS => {
                self.stream == 0 && self.len.is_multiple_of(6) && (self.len == 0 || !self.has(flag::ACK))
            }
            kind::PUSH_PROMISE => self.stream != 0 && self.len >= 4,
            kind::PING => self.stream == 0 && self.len == 8,
            kind::GOAWAY => self.stream == 0 && self.len >= 8,
            kind::WINDOW_UPDATE => self.len == 4,
            _ => true,
        }
    }

    /// Whether nine bytes found in the middle of a stream are likely a frame head: a known type, its rules kept, no flag
    /// that means nothing, no payload longer than `longest`, and not an idle one.
    pub const fn is_plausible(&self, longest: u32) -> bool {
        let (flags, most) = match self.kind {
            kind::DATA => (flag::END_STREAM | flag::PADDED, longest),
            kind::HEADERS => (flag::END_STREAM | flag::END_HEADERS | flag::PADDED | flag::PRIORITY, longest),
            kind::PUSH_PROMISE => (flag::END_HEADERS | flag::PADDED, longest),
            kind::CONTINUATION => (flag::END_HEADERS, longest),
            kind::SETTINGS => (flag::ACK, 32 * 6),
            kind::PING => (flag::ACK, 8),
            kind::GOAWAY => (0, 8 + 1_024),
            kind::PRIORITY | kind::RST_STREAM | kind::WINDOW_UPDATE => (0, 5),
            kind::PRIORITY_UPDATE => (0, 256),
            _ => return false,
        };
        // What is said of requests is said on a client's stream: an odd one (RFC 9113, 5.1.1). Those of promises are few, and tell
        // nothing. An empty DATA frame only ends a stream.
        let of_client = self.stream % 2 == 1;
        let telling = match self.kind {
            kind::DATA => of_client && (self.len > 0 || self.has(flag::END_STREAM)),
            kind::HEADERS => of_client && self.len > 0,
            kind::CONTINUATION | kind::PUSH_PROMISE => of_client,
            kind::PRIORITY_UPDATE => self.stream == 0 && self.len > 4,
            _ => true,
        };
        !self.reserved && self.flags & !flags == 0 && self.len <= most && telling && self.is_lawful()
    }
}

/// `payload` of a HEADERS, PUSH_PROMISE or DATA frame without its padding; `None` when the padding does not fit
/// (RFC 9113, 6.1).
pub fn without_padding<'a>(head: &FrameHead, payload: &'a [u8]) -> Option<&'a [u8]> {
    if !head.has(flag::PADDED) || head.kind == kind::CONTINUATION {
        return Some(payload);
    }
    let (pad, rest) = payload.split_first()?;
    rest.get(..rest.len().checked_sub(usize::from(*pad))?)
}

/// The identifiers and values of a SETTINGS payload (RFC 9113, 6.5.1).
pub fn settings(payload: &[u8]) -> impl Iterator<Item = (u16, u32)> {
    payload.chunks_exact(6).filter_map(|six| match six {
        [i, j, a, b, c, d] => Some((u16::from_be_bytes([*i, *j]), u32::from_be_bytes([*a, *b, *c, *d]))),
        _ => None,
    })
}

/// A payload's first four bytes: a stream, an error code, a window increment.
pub fn word(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|four| u32::from_be_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(len: u32, kind: u8, flags: u8, stream: u32) -> FrameHead {
        FrameHead { len, kind, flags, stream, reserved: false }
    }

    #[test]
    fn rfc9113_4_1_a_frame_head() {
        let bytes = [0x00, 0x40, 0x01, 0x01, 0x25, 0x80, 0x00, 0x00, 0x03, 0xff];
        let read = FrameHead::parse(&bytes).unwrap();
        assert_eq!(read, FrameHead { len: 0x4001, kind: 1, flags: 0x25, stream: 3, reserved: true });
        assert!(read.has(flag::PRIORITY) && !read.has(flag::PADDED) && read.carries_block());
        assert_eq!(FrameHead::parse(&bytes[..8]), None);
    }

    #[test]
    fn rules_of_types_on_stream_and_length() {
        for lawful in
            [head(8, 6, 1, 0), head(0, 4, 1, 0), head(18, 4, 0, 0), head(4, 8, 0, 7), head(5, 0x42, 9, 0)]
        {
            assert!(lawful.is_lawful(), "{lawful:?}");
        }
        for unlawful in
            [head(3, 0, 0, 0), head(6, 4, 1, 0), head(7, 4, 0, 0), head(8, 6, 0, 1), head(5, 3, 0, 1)]
        {
            assert!(!unlawful.is_lawful(), "{unlawful:?}");
        }
    }

    #[test]
    fn what_is_hardly_a_frame_head() {
        for plausible in [head(100, 0, 0, 1), head(0, 0, 1, 1), head(40, 1, 0x25, 3), head(13, 7, 0, 0)] {
            assert!(plausible.is_plausible(USUAL_MAX), "{plausible:?}");
        }
        let likely_not =
            [head(0, 0, 0, 1), head(16_385, 0, 0, 1), head(9, 0, 2, 1), head(9, 11, 0, 1), head(4, 5, 4, 2)];
        for implausible in likely_not {
            assert!(!implausible.is_plausible(USUAL_MAX), "{implausible:?}");
        }
    }

    #[test]
    fn rfc9113_6_1_padding_must_fit() {
        let padded = head(5, kind::HEADERS, flag::PADDED, 1);
        assert_eq!(without_padding(&padded, &[2, 7, 8, 0, 0]), Some(&[7, 8][..]));
        assert_eq!(without_padding(&padded, &[4, 7, 8, 0, 0]), Some(&[][..]));
        assert_eq!(without_padding(&padded, &[5, 7, 8, 0, 0]), None);
        assert_eq!(without_padding(&padded, &[]), None);
        assert_eq!(without_padding(&head(2, kind::HEADERS, 0, 1), &[9, 9]), Some(&[9, 9][..]));
    }

    #[test]
    fn rfc9113_6_5_1_settings() {
        let read: Vec<_> = settings(&[0, 1, 0, 0, 16, 0, 0, 5, 0, 0, 64, 0]).collect();
        assert_eq!(read, [(1, 4_096), (5, 16_384)]);
    }
}
