//! Frames found in the middle of a stream: by content, never by port.
//!
//! Nine bytes are soon mistaken. What proves a place is a plausible frame head followed by two more that chain; where a
//! segment begins, also a header block that reads without fault and begins with a pseudo-header field of the static
//! table, or two heads whose frames end where the segment does, the last with no header block to go on.

use super::frame::{FrameHead, HEAD, USUAL_MAX, flag, kind, without_padding};
use super::hpack::{Decoder, Outcome};
use crate::Direction;
use tapwire_flow::{Chunk, StreamOffset};
use tapwire_wire::{SourceId, Timestamp};

/// Bytes that are held while looking: room for three frames of the usual largest size, begun at any place in one.
const MAX_HELD: usize = 64 << 10;

/// Places that are under suspicion at once.
const MAX_SUSPECTS: usize = 16;

/// Times that a suspect's header block is read again when more bytes have come.
const MAX_TRIES: u8 = 4;

/// Bytes of a header block that is read to prove a place.
const MAX_PROOF_BLOCK: u32 = 4_096;

/// Heads in a row that prove each other.
const PROOF: usize = 3;

/// What a chain of heads shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    Proven,
    /// More bytes will tell.
    Open,
    Broken,
}

/// Follows the heads from `start` on. `begins`: a segment begins there.
fn follow(bytes: &[u8], start: usize, begins: bool, longest: u32) -> Chain {
    let (mut at, mut heads) = (start, 0);
    let mut before: Option<FrameHead> = None;
    loop {
        if begins
            && at == bytes.len()
            && heads + 1 >= PROOF
            && before.is_none_or(|before| !before.is_unfinished())
        {
            return Chain::Proven;
        }
        let Some(rest) = bytes.get(at..) else { return Chain::Open };
        let Some(head) = FrameHead::parse(rest) else { return Chain::Open };
        if !head.is_plausible(longest) || !may_follow(before, &head) {
            return Chain::Broken;
        }
        heads += 1;
        if heads >= PROOF || begins && sender(&head, rest).is_some() {
            return Chain::Proven;
        }
        at += HEAD + head.len as usize;
        before = Some(head);
    }
}

/// CONTINUATION comes behind an unfinished header block and nowhere else (RFC 9113, 6.10).
fn may_follow(before: Option<FrameHead>, head: &FrameHead) -> bool {
    let unfinished = before.filter(FrameHead::is_unfinished);
    let continues = head.kind == kind::CONTINUATION;
    unfinished.map_or(!continues, |before| continues && before.stream == head.stream)
}

/// Who sends such a header block, when it is whole, reads without fault and says it at its beginning. `bytes` begin with
/// the frame's head.
fn sender(head: &FrameHead, bytes: &[u8]) -> Option<Direction> {
    if head.kind != kind::HEADERS || !head.has(flag::END_HEADERS) || head.len > MAX_PROOF_BLOCK {
        return None;
    }
    let payload = bytes.get(HEAD..HEAD + head.len as usize)?;
    let block = without_padding(head, payload)?;
    let block = if head.has(flag::PRIORITY) { block.get(5..)? } else { block };
    let (mut first, mut fields) = (None, 0);
    let outcome = Decoder::joined().decode(block, |name, _| {
        fields += 1;
        if fields == 1 {
            first = name.and_then(|name| match name {
                b":method" | b":path" | b":scheme" | b":authority" => Some(Direction::ToServer),
                b":status" => Some(Direction::ToClient),
                _ => None,
            });
        }
    });
    first.filter(|_| outcome == Outcome::Complete)
}

/// Whether a segment of an unknown connection is HTTP/2 that is joined in the middle, and which way it travels.
pub(crate) fn joined(bytes: &[u8]) -> Option<Option<Direction>> {
    if follow(bytes, 0, true, USUAL_MAX) != Chain::Proven {
        return None;
    }
    let mut at = 0;
    while let Some(rest) = bytes.get(at..)
        && let Some(head) = FrameHead::parse(rest)
    {
        if let Some(direction) = sender(&head, rest) {
            return Some(Some(direction));
        }
        at += HEAD + head.len as usize;
    }
    Some(None)
}

/// Whether a stream, or a segment in the middle of one, could begin so.
pub(crate) fn looks_like_start(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PRI * HTTP/2.0") || joined(bytes).is_some()
}

/// Whether the first bytes of a server are the SETTINGS that its stream begins with (RFC 9113, 3.4); `None` when they
/// are too few to tell.
pub(crate) fn begins_with_settings(bytes: &[u8]) -> Option<bool> {
    if let Some(head) = FrameHead::parse(bytes) {
        return Some(head.kind == kind::SETTINGS && !head.has(flag::ACK) && head.is_plausible(USUAL_MAX));
    }
    let may_be =
        bytes.iter().zip([0, 0, u8::MAX, kind::SETTINGS, 0, 0, 0, 0, 0]).all(|(byte, most)| *byte <= most);
    if may_be && bytes.get(3).is_none_or(|byte| *byte == kind::SETTINGS) { None } else { Some(false) }
}

/// Where a segment's bytes begin among those held, and what its chunk said.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    at: StreamOffset,
    peer_at: Option<StreamOffset>,
    time: Timestamp,
    frame: u64,
    source: SourceId,
}

/// A place that is neither proven nor refuted.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    place: usize,
    tries: u8,
}

/// Bytes behind a hole, until a frame is found in them. Its `Debug` shows no content.
#[derive(Default)]
pub(super) struct Search {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    /// No place before this one needs a first look.
    looked: usize,
    suspects: Vec<Suspect>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Search({} bytes, {} suspects)", self.bytes.len(), self.suspects.len())
    }
}

impl Search {
    /// Adds bytes of a chunk that begin at `at`, and looks for a frame: its place among the bytes held.
    pub(super) fn add(
        &mut self,
        chunk: &Chunk<'_>,
        at: StreamOffset,
        bytes: &[u8],
        longest: u32,
    ) -> Option<usize> {
        if self.bytes.len() + bytes.len() > MAX_HELD {
            *self = Self::default();
        }
        let Chunk { peer_at, time, frame, source, .. } = *chunk;
        self.pieces.push(Piece { start: self.bytes.len(), at, peer_at, time, frame, source });
        self.bytes.extend_from_slice(bytes.get(..MAX_HELD).unwrap_or(bytes));
        self.again(longest).or_else(|| self.look(longest))
    }

    /// Bytes held.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes on the heap.
    pub(super) const fn held(&self) -> usize {
        self.bytes.capacity()
            + self.pieces.capacity() * size_of::<Piece>()
            + self.suspects.capacity() * size_of::<Suspect>()
    }

    /// Places that were neither proven nor refuted, with what has come since.
    fn again(&mut self, longest: u32) -> Option<usize> {
        let Self { bytes, pieces, suspects, .. } = self;
        let mut proven = None;
        suspects.retain_mut(|suspect| {
            let begins = suspect.tries < MAX_TRIES && begins(pieces, suspect.place);
            suspect.tries = suspect.tries.saturating_add(1);
            let chain = follow(bytes, suspect.place, begins, longest);
            if chain == Chain::Proven {
                proven.get_or_insert(suspect.place);
            }
            chain != Chain::Broken
        });
        proven
    }

    /// Places that nobody has looked at.
    fn look(&mut self, longest: u32) -> Option<usize> {
        while let Some(head) = self.bytes.get(self.looked..).and_then(FrameHead::parse) {
            let place = self.looked;
            self.looked += 1;
            if !head.is_plausible(longest) {
                continue;
            }
            match follow(&self.bytes, place, begins(&self.pieces, place), longest) {
                Chain::Proven => return Some(place),
                Chain::Open if self.suspects.len() < MAX_SUSPECTS => {
                    self.suspects.push(Suspect { place, tries: 0 });
                }
                Chain::Open | Chain::Broken => {}
            }
        }
        None
    }

    /// Says every held chunk from `place` on, in order.
    pub(super) fn replay(&self, side: tapwire_wire::Side, place: usize, mut say: impl FnMut(&Chunk<'_>)) {
        for (nth, piece) in self.pieces.iter().enumerate() {
            let end = self.pieces.get(nth + 1).map_or(self.bytes.len(), |next| next.start);
            let skip = place.saturating_sub(piece.start);
            let Some(bytes) = self.bytes.get(piece.start + skip..end).filter(|bytes| !bytes.is_empty())
            else {
                continue;
            };
            let Piece { at, peer_at, time, frame, source, .. } = *piece;
            say(&Chunk { side, at: at + skip as u64, bytes, peer_at, time, frame, source });
        }
    }
}

fn begins(pieces: &[Piece], place: usize) -> bool {
    pieces.binary_search_by_key(&place, |piece| piece.start).is_ok()
}
