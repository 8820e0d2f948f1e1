//! Cuts one direction of a stream into records, and finds the next record behind a hole.

use super::cipher::HEAD;
use tapwire_flow::{Chunk, Gap, StreamOffset};
use tapwire_wire::{SourceId, Timestamp};

/// The longest body of a record: 2^14 bytes, and what protection may add in TLS 1.2 (RFC 5246, 6.2.3).
pub(super) const MAX_BODY: usize = (16 << 10) + 2_048;

/// From which byte of a record on bytes came with which segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Bytes of the record before it, its head included.
    pub(super) from: usize,
    pub(super) peer_at: Option<StreamOffset>,
    pub(super) time: Timestamp,
    pub(super) frame: u64,
    pub(super) source: SourceId,
}

impl Mark {
    fn new(from: usize, chunk: &Chunk<'_>) -> Self {
        Self { from, peer_at: chunk.peer_at, time: chunk.time, frame: chunk.frame, source: chunk.source }
    }
}

/// Where a record's body is.
#[derive(Debug)]
pub(super) enum Body<'a> {
    /// In one piece in the chunk.
    Whole(&'a [u8]),
    /// In [`Records::body`].
    Gathered,
    /// It was not asked for.
    Passed,
    /// Bytes of it are missing.
    Damaged,
}

/// A record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) head: [u8; HEAD],
    /// Offset of its head.
    pub(super) at: StreamOffset,
    /// Bytes of its body.
    pub(super) length: usize,
    pub(super) body: Body<'a>,
}

impl Record<'_> {
    /// The content's type, as the head states it.
    pub(super) const fn kind(&self) -> u8 {
        self.head[0]
    }
}

/// What comes next in a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// So many bytes of a head were read.
    Head(usize),
    /// So many bytes of the body are to come.
    Body(usize),
    /// Behind a hole or garbage: so many bytes were looked at that could be the beginning of a head.
    Lost(usize),
}

/// The records of one direction.
#[derive(Debug)]
pub(super) struct Records {
    place: Place,
    head: [u8; HEAD],
    at: Option<StreamOffset>,
    gathers: bool,
    damaged: bool,
    /// The body of a record that came in several chunks.
    pub(super) body: Vec<u8>,
    /// The segments of the record that was given last.
    pub(super) marks: Vec<Mark>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            place: Place::Head(0),
            head: [0; HEAD],
            at: None,
            gathers: false,
            damaged: false,
            body: Vec::new(),
            marks: Vec::new(),
        }
    }
}

impl Records {
    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        self.body.capacity() + self.marks.capacity() * size_of::<Mark>()
    }

    /// The next record that ends in the chunk behind its first `used` bytes, which is moved on. `gathers`: its body is
    /// wanted.
    pub(super) fn next<'a>(
        &mut self,
        chunk: &Chunk<'a>,
        used: &mut usize,
        gathers: bool,
    ) -> Option<Record<'a>> {
        loop {
            let rest = chunk.bytes.get(*used..).filter(|rest| !rest.is_empty())?;
            let at = chunk.at + *used as u64;
            match self.place {
                Place::Head(0) if let Some(record) = whole(rest, at) => {
                    *used += HEAD + record.length;
                    self.marks.clear();
                    self.marks.push(Mark::new(0, chunk));
                    return Some(record);
                }
                Place::Head(have) => *used += self.head(have, rest, at, chunk, gathers),
                Place::Body(left) => {
                    *used += left.min(rest.len());
                    if let Some(record) = self.more(left, rest, chunk) {
                        return Some(record);
                    }
                }
                Place::Lost(have) => *used += self.search(have, rest, at, chunk, gathers),
            }
        }
    }

    fn head(
        &mut self,
        have: usize,
        rest: &[u8],
        at: StreamOffset,
        chunk: &Chunk<'_>,
        gathers: bool,
    ) -> usize {
        if have == 0 {
            self.begin(at, chunk);
        }
        let places = self.head.get_mut(have..).unwrap_or_default();
        let taken = places.len().min(rest.len());
        places.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
        self.place = Place::Head(have + taken);
        if have + taken == HEAD {
            match plausible(self.head) {
                Some(length) => self.enter(length, gathers),
                None => self.place = Place::Lost(0),
            }
        }
        taken
    }

    fn begin(&mut self, at: StreamOffset, chunk: &Chunk<'_>) {
        self.at = Some(at);
        self.marks.clear();
        self.marks.push(Mark::new(0, chunk));
    }

    fn enter(&mut self, length: usize, gathers: bool) {
        self.place = Place::Body(length);
        self.body.clear();
        self.gathers = gathers;
        self.damaged = false;
        if gathers {
            self.body.reserve(length);
        }
    }

    /// Takes the next bytes of a body.
    fn more<'a>(&mut self, left: usize, rest: &[u8], chunk: &Chunk<'_>) -> Option<Record<'a>> {
        let taken = left.min(rest.len());
        if self.gathers {
            let from = HEAD + self.body.len();
            if self.marks.last().is_none_or(|mark| mark.frame != chunk.frame || mark.source != chunk.source) {
                self.marks.push(Mark::new(from, chunk));
            }
            self.body.extend_from_slice(rest.get(..taken).unwrap_or_default());
        }
        self.place = Place::Body(left - taken);
        (left == taken).then(|| self.finish()).flatten()
    }

    fn finish<'a>(&mut self) -> Option<Record<'a>> {
        self.place = Place::Head(0);
        let length = plausible(self.head)?;
        let body = match (self.damaged, self.gathers) {
            (true, _) => Body::Damaged,
            (false, true) => Body::Gathered,
            (false, false) => Body::Passed,
        };
        Some(Record { head: self.head, at: self.at?, length, body })
    }

    /// Looks for a head behind a hole: the window of five bytes moves on a byte at a time.
    fn search(
        &mut self,
        have: usize,
        rest: &[u8],
        at: StreamOffset,
        chunk: &Chunk<'_>,
        gathers: bool,
    ) -> usize {
        let mut have = have;
        for (count, byte) in (1..).zip(rest) {
            let [_, b, c, d, e] = self.head;
            self.head = [b, c, d, e, *byte];
            have = (have + 1).min(HEAD);
            if have == HEAD
                && let Some(length) = plausible(self.head).filter(|_| self.is_usual())
            {
                // At most four bytes of the head came with a chunk before.
                let behind = at + count as u64;
                let begin = behind.seq();
                let begin = behind.nearest(tapwire_wire::SeqNumber(begin.0.wrapping_sub(5)));
                self.begin(begin, chunk);
                self.enter(length, gathers);
                return count;
            }
        }
        self.place = Place::Lost(have);
        rest.len()
    }

    /// Random bytes look like a head more often than this.
    const fn is_usual(&self) -> bool {
        matches!(self.head, [21..=23, 3, 1..=3, high, low] if high > 0 || low > 0)
    }

    /// Bytes are missing. Gives the record that ends with them, where its boundaries are known; `is_lost` tells whether
    /// others may lie in the hole.
    pub(super) fn gap<'a>(&mut self, gap: &Gap) -> Option<Record<'a>> {
        self.marks.truncate(1);
        if let Place::Body(left) = self.place
            && let Some(rest) = usize::try_from(gap.len).ok().and_then(|missing| left.checked_sub(missing))
        {
            self.damaged = true;
            self.gathers = false;
            self.body = Vec::new();
            self.place = Place::Body(rest);
            return (rest == 0).then(|| self.finish()).flatten();
        }
        self.body = Vec::new();
        self.place = Place::Lost(0);
        None
    }

    /// Where the record begins that has begun and not ended.
    pub(super) fn begun(&self) -> Option<StreamOffset> {
        match self.place {
            Place::Head(0) | Place::Lost(_) => None,
            Place::Head(_) | Place::Body(_) => self.at,
        }
    }

    /// Gives back what only a busy direction needs.
    pub(super) fn rest(&mut self) {
        if self.begun().is_none() {
            self.body = Vec::new();
            self.marks = Vec::new();
        }
    }

    /// Whether it looks for the next head.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.place, Place::Lost(_))
    }
}

/// A record that lies in the chunk as a whole.
fn whole(rest: &[u8], at: StreamOffset) -> Option<Record<'_>> {
    let (head, behind) = rest.split_first_chunk::<HEAD>()?;
    let length = plausible(*head)?;
    Some(Record { head: *head, at, length, body: Body::Whole(behind.get(..length)?) })
}

/// Whether a record's body can be so long.
pub(super) fn is_length(high: u8, low: u8) -> bool {
    usize::from(u16::from_be_bytes([high, low])) <= MAX_BODY
}

/// The body's length, where this can be a record's head (RFC 8446, 5.1).
pub(super) fn plausible(head: [u8; HEAD]) -> Option<usize> {
    let [kind, major, minor, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    (matches!(kind, 20..=24) && major == 3 && minor <= 4 && length <= MAX_BODY).then_some(length)
}
