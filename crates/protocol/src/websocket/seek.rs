//! Behind a loss, and where the beginning was not captured: the place of the next frame, by what stands there.
//!
//! A frame's head has few bits that must be so, so one that looks right proves nothing. A place is believed where a
//! segment is made of whole frames to its last byte and their text is UTF-8; or where a head is followed by two more
//! that chain, each possible behind the one before. What was passed over to find that out is given up, and a guess that
//! does not go on is dropped: the next segment is another chance.

use super::frame::{FrameHead, FrameOutcome, FramePart, FrameReader, Opcode, parse_head, unmask};
use super::handshake::Terms;
use super::utf8::Utf8;
use crate::Direction;
use crate::h1::reader::Origin;

/// Heads that must chain.
const CHAIN: u8 = 3;

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
    heads: u8,
    /// A message is open after the last head.
    within: bool,
    /// Where the head that is arriving began.
    arriving: Origin,
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
        let new = || Trial { frames: FrameReader::new(), heads: 0, within: false, arriving: origin };
        let mut trial = self.trial.take().unwrap_or_else(new);
        match trial.bytes(terms, direction, origin, bytes) {
            Some(Sought::Nothing) => self.trial = Some(trial),
            Some(found) => return found,
            None => {}
        }
        Sought::Nothing
    }
}

impl Trial {
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
                    self.heads += 1;
                    if self.heads >= CHAIN {
                        return Some(Sought::Within { skipped: used, head, began: self.arriving });
                    }
                    if !head.opcode.is_control() {
                        self.within = !head.fin;
                    }
                }
                FramePart::Payload(..) | FramePart::End => {}
            }
        }
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

fn is_text(payload: &[u8], mask: Option<[u8; 4]>) -> bool {
    let mut text = Utf8::default();
    match mask {
        Some(key) => {
            let mut plain = Vec::with_capacity(payload.len());
            unmask(payload, key, 0, &mut plain);
            text.feed(&plain);
        }
        None => text.feed(payload),
    }
    text.is_valid(true)
}
