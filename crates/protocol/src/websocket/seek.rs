//! Behind a loss, and where the beginning was not captured: the place of the next frame, by what stands there.
//!
//! A frame's head has few bits that must be so, so one that looks right proves nothing. A place is believed where a
//! segment is made of whole frames to its last byte and their text is UTF-8; or where a head is followed by three more
//! that chain, each possible behind the one before, with no two frames alike between them: where a payload repeats itself,
//! a pattern in it that looks like a head chains with itself for ever, and across the frames it is sent in. What was
//! passed over to find that out is given up, and a guess that does not go on is dropped: the next segment is another
//! chance.

use super::frame::{FrameHead, FrameOutcome, FramePart, FrameReader, Opcode, parse_head, unmask};
use super::handshake::Terms;
use super::utf8::Utf8;
use crate::Direction;
use crate::h1::reader::Origin;

/// Heads that must chain.
const CHAIN: usize = 4;

/// Bytes of text that prove the frames around them.
const ENOUGH_TEXT: usize = 8;

/// Longer frames are rare, and what is no frame often states such lengths: a wrong guess must not pass over much.
const MAX_LIKELY: u64 = 1 << 20;

/// A guess under way.
#[derive(Debug, Default)]
pub(super) struct Seek {
    trial: Option<Trial>,
}

#[derive(Debug)]
struct Trial {
    frames: FrameReader,
    /// A message is open after the last head.
    within: bool,
    /// Where the head that is arriving began.
    arriving: Origin,
    /// The frame that is open.
    frame: Option<Passed>,
    /// Digests of the frames before it.
    before: [Option<u64>; CHAIN - 1],
}

/// A frame that is passed over.
#[derive(Debug)]
struct Passed {
    mask: [u8; 4],
    digest: u64,
    /// Its payload is a whole text.
    text: Option<Utf8>,
}

impl Passed {
    fn new(head: &FrameHead) -> Self {
        let whole_text = head.opcode == Opcode::Text && head.fin && head.reserved == 0;
        let mut passed = Self {
            mask: head.mask.unwrap_or_default(),
            digest: 0xcbf2_9ce4_8422_2325,
            text: whole_text.then(Utf8::default),
        };
        passed.digest(&[u8::from(head.fin)]);
        passed.digest(&head.mask.unwrap_or_default());
        passed.digest(&head.len.to_be_bytes());
        passed
    }

    /// FNV-1a: it has to tell repetition, not to stand attacks.
    fn digest(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn payload(&mut self, payload: &[u8], at: u64) {
        self.digest(payload);
        if let Some(text) = &mut self.text {
            let mut plain = Vec::with_capacity(payload.len());
            unmask(payload, self.mask, at, &mut plain);
            text.feed(&plain);
        }
    }
}

/// What a search came to.
#[derive(Debug)]
pub(super) enum Sought {
    /// No place yet; the bytes are given up.
    Nothing,
    /// A frame begins with the first of the bytes.
    Here,
    /// A frame's payload begins behind the first `skipped` bytes.
    Within { skipped: usize, head: FrameHead, began: Origin },
}

impl Seek {
    /// Looks at the next bytes; `segment` says that they begin where a segment does.
    pub(super) fn bytes(
        &mut self,
        terms: Terms,
        direction: Direction,
        origin: Origin,
        bytes: &[u8],
        segment: bool,
    ) -> Sought {
        if bytes.is_empty() {
            return Sought::Nothing;
        }
        if segment && reads_as_frames(bytes, direction) {
            return Sought::Here;
        }
        if self.trial.is_none() && !segment {
            return Sought::Nothing;
        }
        let mut trial = self.trial.take().unwrap_or_else(|| Trial::new(origin));
        match trial.bytes(terms, direction, origin, bytes) {
            Some(Sought::Nothing) => self.trial = Some(trial),
            Some(found) => return found,
            None => {}
        }
        Sought::Nothing
    }
}

impl Trial {
    fn new(origin: Origin) -> Self {
        Self {
            frames: FrameReader::new(),
            within: false,
            arriving: origin,
            frame: None,
            before: [None; CHAIN - 1],
        }
    }

    /// `None` when the guess was wrong.
    fn bytes(&mut self, terms: Terms, direction: Direction, origin: Origin, bytes: &[u8]) -> Option<Sought> {
        let mut used = 0;
        loop {
            if self.frames.is_at_boundary() {
                self.arriving = Origin { at: origin.at + used as u64, ..origin };
            }
            let step = self.frames.feed(bytes.get(used..).unwrap_or_default());
            used += step.consumed;
            match step.part {
                FramePart::Partial => return Some(Sought::Nothing),
                FramePart::Broken => return None,
                FramePart::Head(head) => {
                    if !self.may_follow(&head, terms, direction) {
                        return None;
                    }
                    if self.before.iter().all(Option::is_some) {
                        return Some(Sought::Within { skipped: used, head, began: self.arriving });
                    }
                    if !head.opcode.is_control() {
                        self.within = !head.fin;
                    }
                    self.frame = Some(Passed::new(&head));
                }
                FramePart::Payload(payload, at) => {
                    self.frame.iter_mut().for_each(|frame| frame.payload(payload, at));
                }
                FramePart::End => self.frame_ended()?,
            }
        }
    }

    /// `None` when it was no frame, or proves nothing.
    fn frame_ended(&mut self) -> Option<()> {
        let frame = self.frame.take()?;
        if frame.text.is_some_and(|text| !text.is_valid(true)) {
            return None;
        }
        if self.before.contains(&Some(frame.digest)) {
            return None;
        }
        *self.before.iter_mut().find(|before| before.is_none())? = Some(frame.digest);
        Some(())
    }

    fn may_follow(&self, head: &FrameHead, terms: Terms, direction: Direction) -> bool {
        let order = match head.opcode {
            Opcode::Continuation => self.within,
            Opcode::Text | Opcode::Binary => !self.within,
            _ => true,
        };
        order && is_likely(head, direction) && (head.reserved == 0 || terms.deflate(direction).is_some())
    }
}

/// Whether a frame of that direction would look like this.
fn is_likely(head: &FrameHead, direction: Direction) -> bool {
    let begins = matches!(head.opcode, Opcode::Text | Opcode::Binary);
    let control = head.opcode.is_control();
    let kind = match head.opcode {
        Opcode::Reserved(_) => false,
        Opcode::Close => head.len != 1,
        _ => true,
    };
    kind && head.minimal
        && head.mask.is_some() == (direction == Direction::ToServer)
        && (head.reserved == 0 || head.reserved == 4 && begins)
        && (!control || head.fin && head.len <= 125)
        && (control || head.len > 0 && head.len < MAX_LIKELY)
}

/// Whether these bytes are whole frames to the last byte, and hold enough text that is UTF-8.
pub(super) fn reads_as_frames(bytes: &[u8], direction: Direction) -> bool {
    let (mut rest, mut text) = (bytes, 0);
    while !rest.is_empty() {
        let FrameOutcome::Complete(head) = parse_head(rest) else { return false };
        let behind = rest.get(usize::from(head.head_len)..).unwrap_or_default();
        let Some((payload, next)) =
            usize::try_from(head.len).ok().and_then(|len| behind.split_at_checked(len))
        else {
            return false;
        };
        if !is_likely(&head, direction) || head.opcode == Opcode::Continuation || !head.fin {
            return false;
        }
        if head.opcode == Opcode::Text && head.reserved == 0 {
            if !is_text(payload, head.mask) {
                return false;
            }
            text += payload.len();
        }
        rest = next;
    }
    text >= ENOUGH_TEXT
}

/// Whether this is text that somebody wrote: where a masked payload repeats itself, what looks like frames in it reads
/// as NUL, which is UTF-8.
fn is_text(payload: &[u8], mask: Option<[u8; 4]>) -> bool {
    let mut text = Utf8::default();
    let mut plain = Vec::with_capacity(payload.len());
    unmask(payload, mask.unwrap_or_default(), 0, &mut plain);
    text.feed(&plain);
    text.is_valid(true) && !plain.contains(&0)
}
