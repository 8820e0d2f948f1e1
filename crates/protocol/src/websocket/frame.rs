//! Frames (RFC 6455, 5.2): a head of 2 to 14 bytes, then so many bytes of payload, masked when the client sends.

/// The longest head: two bytes, a 64-bit length and a masking key.
const MAX_HEAD: usize = 14;

/// Payload bytes that a control frame may have (RFC 6455, 5.5).
pub const MAX_CONTROL: u8 = 125;

/// What a frame is (RFC 6455, 5.2 and 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// More of the message that is open.
    Continuation,
    /// Begins a message of UTF-8 text.
    Text,
    /// Begins a message of bytes.
    Binary,
    /// The sender sends nothing more.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping, or says that its sender lives.
    Pong,
    /// Reserved: 3 to 7, and 11 to 15 among the control frames.
    Reserved(u8),
}

impl Opcode {
    const fn of(bits: u8) -> Self {
        match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            other => Self::Reserved(other),
        }
    }

    /// Whether it may stand between the frames of a message (RFC 6455, 5.5).
    pub const fn is_control(self) -> bool {
        match self {
            Self::Close | Self::Ping | Self::Pong => true,
            Self::Reserved(bits) => bits >= 8,
            _ => false,
        }
    }
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether it is its message's last frame.
    pub fin: bool,
    /// The reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1.
    pub reserved: u8,
    /// What it is.
    pub opcode: Opcode,
    /// The masking key, when there is one.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload.
    pub len: u64,
    /// Whether the length is written in the fewest bytes that hold it, as it must be.
    pub minimal: bool,
    /// Bytes of the head itself.
    pub head_len: u8,
}

/// What bytes are as the beginning of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameOutcome {
    /// The head is not whole.
    Partial,
    /// A head.
    Complete(FrameHead),
    /// No frame is that long: the length's most significant bit must be 0.
    Impossible,
}

/// Reads the head that these bytes begin with.
pub fn parse_head(bytes: &[u8]) -> FrameOutcome {
    let [first, second, rest @ ..] = bytes else { return FrameOutcome::Partial };
    let Some((len, minimal, rest)) = length(second & 0x7f, rest) else { return FrameOutcome::Partial };
    let mask = if second & 0x80 == 0 { Some(None) } else { rest.first_chunk().copied().map(Some) };
    let Some(mask) = mask else { return FrameOutcome::Partial };
    if len >> 63 != 0 {
        return FrameOutcome::Impossible;
    }
    let behind = rest.len() - if mask.is_some() { 4 } else { 0 };
    FrameOutcome::Complete(FrameHead {
        fin: first & 0x80 != 0,
        reserved: first >> 4 & 7,
        opcode: Opcode::of(first & 0x0f),
        mask,
        len,
        minimal,
        head_len: u8::try_from(bytes.len() - behind).unwrap_or(u8::MAX),
    })
}

/// The length that seven bits state by themselves or announce, whether it is minimal, and what follows it.
fn length(stated: u8, rest: &[u8]) -> Option<(u64, bool, &[u8])> {
    match stated {
        126 => {
            let (len, rest) = rest.split_first_chunk()?;
            let len = u64::from(u16::from_be_bytes(*len));
            Some((len, len > u64::from(MAX_CONTROL), rest))
        }
        127 => {
            let (len, rest) = rest.split_first_chunk()?;
            let len = u64::from_be_bytes(*len);
            Some((len, len > u64::from(u16::MAX), rest))
        }
        len => Some((u64::from(len), true, rest)),
    }
}

/// Appends the payload without its mask; `at` is where in the frame's payload `bytes` begins.
pub fn unmask(bytes: &[u8], key: [u8; 4], at: u64, out: &mut Vec<u8>) {
    let mut key = key;
    key.rotate_left((at % 4) as usize);
    let from = out.len();
    out.extend_from_slice(bytes);
    for group in out.get_mut(from..).unwrap_or_default().chunks_mut(4) {
        group.iter_mut().zip(key).for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// One step of a [`FrameReader`].
#[derive(Debug, PartialEq, Eq)]
pub struct FrameStep<'a> {
    /// Bytes taken.
    pub consumed: usize,
    /// What they are.
    pub part: FramePart<'a>,
}

/// What a [`FrameReader`] took.
#[derive(PartialEq, Eq)]
pub enum FramePart<'a> {
    /// Nothing that can be told yet: more bytes are needed.
    Partial,
    /// A whole head: a frame begins.
    Head(FrameHead),
    /// Payload as sent, and where in the frame's payload it begins.
    Payload(&'a [u8], u64),
    /// The frame has ended.
    End,
    /// What stands here is no frame: the reader takes nothing more.
    Broken,
}

impl std::fmt::Debug for FramePart<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Partial => f.write_str("Partial"),
            Self::Head(head) => head.fmt(f),
            Self::Payload(bytes, at) => write!(f, "Payload({} bytes at {at})", bytes.len()),
            Self::End => f.write_str("End"),
            Self::Broken => f.write_str("Broken"),
        }
    }
}

/// Reads the frames of one direction from pieces of any size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameReader(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many bytes of a head have come.
    Head { held: [u8; MAX_HEAD], len: u8 },
    /// So many bytes of a payload of that length have come.
    Payload { len: u64, at: u64 },
    /// No frame stood where one should have.
    Broken,
}

impl Default for State {
    fn default() -> Self {
        Self::Head { held: [0; MAX_HEAD], len: 0 }
    }
}

impl FrameReader {
    /// At the beginning of a frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// At the beginning of the payload of a frame.
    pub const fn within(head: &FrameHead) -> Self {
        Self(State::Payload { len: head.len, at: 0 })
    }

    /// Whether the next byte begins a frame.
    pub const fn is_at_boundary(&self) -> bool {
        matches!(self.0, State::Head { len: 0, .. })
    }

    /// Takes a step into `bytes`. After anything but `Partial` and `Broken` it wants to be asked again, also with no bytes
    /// left.
    pub fn feed<'a>(&mut self, bytes: &'a [u8]) -> FrameStep<'a> {
        match self.0 {
            State::Head { held, len } => self.head(bytes, held, usize::from(len)),
            State::Payload { len, at } if at == len => {
                self.0 = State::default();
                FrameStep { consumed: 0, part: FramePart::End }
            }
            State::Payload { .. } if bytes.is_empty() => FrameStep { consumed: 0, part: FramePart::Partial },
            State::Payload { len, at } => {
                let consumed = usize::try_from(len - at).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.0 = State::Payload { len, at: at + consumed as u64 };
                let payload = bytes.get(..consumed).unwrap_or_default();
                FrameStep { consumed, part: FramePart::Payload(payload, at) }
            }
            State::Broken => FrameStep { consumed: 0, part: FramePart::Broken },
        }
    }

    fn head<'a>(&mut self, bytes: &'a [u8], mut held: [u8; MAX_HEAD], before: usize) -> FrameStep<'a> {
        let room = held.get_mut(before..).unwrap_or_default();
        let taken = room.iter_mut().zip(bytes).map(|(place, byte)| *place = *byte).count();
        let len = before + taken;
        match parse_head(held.get(..len).unwrap_or_default()) {
            FrameOutcome::Partial => {
                self.0 = State::Head { held, len: u8::try_from(len).unwrap_or(u8::MAX) };
                FrameStep { consumed: taken, part: FramePart::Partial }
            }
            FrameOutcome::Complete(head) => {
                self.0 = State::Payload { len: head.len, at: 0 };
                FrameStep { consumed: usize::from(head.head_len) - before, part: FramePart::Head(head) }
            }
            FrameOutcome::Impossible => {
                self.0 = State::Broken;
                FrameStep { consumed: taken, part: FramePart::Broken }
            }
        }
    }

    /// So many bytes are missing. `true` when they are payload of the frame that is open, so that the next frame's place
    /// is still known.
    pub fn skip_gap(&mut self, bytes: u64) -> bool {
        match self.0 {
            State::Payload { len, at } if bytes <= len - at => {
                self.0 = State::Payload { len, at: at + bytes };
                true
            }
            _ => {
                self.0 = State::Broken;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn complete(bytes: &[u8]) -> FrameHead {
        match parse_head(bytes) {
            FrameOutcome::Complete(head) => head,
            other => panic!("{other:?}"),
        }
    }

    /// The examples of RFC 6455, 5.7.
    #[test]
    fn rfc6455_5_7_examples() {
        let unmasked = complete(b"\x81\x05Hello");
        assert_eq!((unmasked.fin, unmasked.opcode, unmasked.len), (true, Opcode::Text, 5));
        assert_eq!((unmasked.mask, unmasked.head_len, unmasked.minimal), (None, 2, true));
        let bytes = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        let masked = complete(bytes);
        let mut payload = Vec::new();
        unmask(&bytes[6..], masked.mask.unwrap(), 0, &mut payload);
        assert_eq!((payload.as_slice(), masked.head_len), (&b"Hello"[..], 6));
        assert!(!complete(b"\x01\x03Hel").fin);
        assert_eq!(complete(b"\x80\x02lo").opcode, Opcode::Continuation);
        assert_eq!(complete(b"\x89\x05Hello").opcode, Opcode::Ping);
        assert_eq!(complete(b"\x82\x7e\x01\x00").len, 256);
        assert_eq!(complete(b"\x82\x7f\0\0\0\0\0\x01\0\0").len, 65_536);
    }

    #[test]
    fn reserved_bits_and_opcodes_are_told() {
        let head = complete(b"\xf3\x00");
        assert_eq!((head.reserved, head.opcode), (7, Opcode::Reserved(3)));
        assert!(complete(b"\x8b\x00").opcode.is_control() && !head.opcode.is_control());
    }

    #[test]
    fn lengths_in_more_bytes_than_they_need_are_told() {
        for bytes in [&b"\x81\x7e\0\x7d"[..], b"\x81\x7f\0\0\0\0\0\0\xff\xff"] {
            assert!(!complete(bytes).minimal);
        }
        assert_eq!(parse_head(b"\x81\x7f\x80\0\0\0\0\0\0\0"), FrameOutcome::Impossible);
    }

    #[derive(Debug, PartialEq, Default)]
    struct Read {
        heads: Vec<FrameHead>,
        payload: Vec<u8>,
        ends: usize,
        broken: bool,
    }

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
        let (mut reader, mut read) = (FrameReader::new(), Read::default());
        for mut piece in pieces {
            loop {
                let step = reader.feed(piece);
                piece = &piece[step.consumed..];
                match step.part {
                    FramePart::Partial => break,
                    FramePart::Head(head) => read.heads.push(head),
                    FramePart::Payload(bytes, at) => {
                        let mask = read.heads.last().unwrap().mask.unwrap_or_default();
                        unmask(bytes, mask, at, &mut read.payload);
                    }
                    FramePart::End => read.ends += 1,
                    FramePart::Broken => {
                        read.broken = true;
                        break;
                    }
                }
            }
        }
        read
    }

    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let frame =
            (any::<u8>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200), any::<[u8; 4]>());
        proptest::collection::vec(frame, 0..5).prop_map(|frames| {
            let mut bytes = Vec::new();
            for (first, masked, payload, key) in frames {
                let bit = if masked { 0x80 } else { 0 };
                bytes.push(first);
                match u8::try_from(payload.len()) {
                    Ok(len @ ..126) => bytes.push(bit | len),
                    _ => {
                        bytes.push(bit | 126);
                        bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
                    }
                }
                bytes.extend(key.iter().take(if masked { 4 } else { 0 }));
                bytes.extend(payload);
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn every_split_reads_alike(bytes in prop_oneof![frames(), proptest::collection::vec(any::<u8>(), 0..60)]) {
            let whole = read([bytes.as_slice()]);
            prop_assert_eq!(&read(bytes.chunks(1)), &whole);
            for cut in 0..=bytes.len() {
                prop_assert_eq!(&read([&bytes[..cut], &bytes[cut..]]), &whole, "cut at {}", cut);
            }
        }

        #[test]
        fn a_mask_comes_off_from_anywhere(bytes in proptest::collection::vec(any::<u8>(), 0..50), key: [u8; 4], cut in 0_usize..50) {
            let cut = cut.min(bytes.len());
            let (mut whole, mut parts) = (Vec::new(), Vec::new());
            unmask(&bytes, key, 0, &mut whole);
            unmask(&bytes[..cut], key, 0, &mut parts);
            unmask(&bytes[cut..], key, cut as u64, &mut parts);
            prop_assert_eq!(whole, parts);
        }
    }

    #[test]
    fn a_hole_within_a_payload_keeps_the_place_of_the_next_frame() {
        let mut reader = FrameReader::new();
        assert!(matches!(reader.feed(b"\x82\x0a").part, FramePart::Head(_)));
        assert!(reader.skip_gap(4) && reader.skip_gap(6));
        assert_eq!(reader.feed(b"").part, FramePart::End);
        assert!(reader.is_at_boundary() && !reader.skip_gap(1));
        assert_eq!(reader.feed(b"\x81").part, FramePart::Broken);
    }
}
