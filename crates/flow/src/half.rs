//! Where one direction of a connection stands.

use crate::StreamOffset;
use crate::ttl::Ttls;
use tapwire_wire::SeqNumber;

/// A sequence number further than this from the bytes of its direction belongs to another connection. Larger than
/// what real hosts keep in flight.
pub(crate) const WINDOW: u64 = 16 << 20;

/// How far ahead of everything known an acknowledgement may lie. More than `WINDOW`, since one that is refused leaves
/// the direction behind; less than the 1 GiB of RFC 7323, 2.3, since a forged one makes a gap of that size.
const ACK_WINDOW: u64 = 64 << 20;

/// How far before the expected start the first bytes may lie, and how far a reset may lie ahead.
pub(crate) const NEAR: u64 = 1 << 20;

/// What is known of where a direction's bytes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Start {
    /// Nothing; the direction has no offsets yet.
    #[default]
    Unknown,
    /// Payload is held, and earlier payload may follow.
    Tentative,
    /// The peer's ACK or the sequence number of a segment without payload told it. Older bytes, sent again, move it
    /// back.
    Expected,
    /// The SYN or the first delivered byte told it.
    Certain,
}

/// The part of a direction that every segment touches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Half {
    /// The first byte that was neither delivered nor declared lost. While tentative: the first byte held.
    pub(crate) next: StreamOffset,
    /// What the peer acknowledged.
    pub(crate) acked: StreamOffset,
    /// The first byte of the direction as far as known.
    pub(crate) base: StreamOffset,
    /// Where the sender's record was in the table of senders.
    pub(crate) sender: u16,
    /// The usual TTLs of its segments.
    pub(crate) ttls: Ttls,
    pub(crate) start: Start,
    /// The SYN was seen; its number is `base` - 1.
    pub(crate) syn: bool,
    /// Payload was delivered.
    pub(crate) spoke: bool,
    /// What became of its FIN.
    pub(crate) end: End,
}

/// What became of a direction's FIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was not said, or something was heard of the direction since.
    Open,
    /// It was said, and the start of the direction was moved since: it is to be reached again, and not said again.
    Said,
    /// It was said and stands.
    Reached,
}

impl End {
    /// Behind what was heard now, it is said again.
    pub(crate) fn spoken(self) -> Self {
        if self == Self::Said { Self::Open } else { self }
    }

    /// Still to be reached.
    pub(crate) fn unreached(self) -> Self {
        if self == Self::Reached { Self::Said } else { self }
    }
}

impl Default for Half {
    fn default() -> Self {
        let zero = StreamOffset::first(SeqNumber(0));
        let start = Start::Unknown;
        let (sender, ttls) = (u16::MAX, Ttls::default());
        Self {
            next: zero,
            acked: zero,
            base: zero,
            sender,
            ttls,
            start,
            syn: false,
            spoke: false,
            end: End::Open,
        }
    }
}

impl Half {
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.start, Start::Unknown)
    }

    /// Whether no byte of it was delivered, missed or acknowledged; a FIN takes a number and is none.
    pub(crate) fn is_empty(&self) -> bool {
        !self.spoke && self.next == self.base && self.acked.since(self.base) <= 1
    }

    pub(crate) fn open(&mut self, at: StreamOffset, start: Start) {
        self.next = at;
        self.acked = at;
        self.base = at;
        self.start = start;
    }

    /// Moves the start of a direction of which nothing was delivered. A FIN that overtook its bytes is reached again.
    pub(crate) fn restart(&mut self, at: StreamOffset) {
        self.next = at;
        self.base = at;
        self.end = self.end.unreached();
    }

    /// Whether the FIN was reached and said.
    pub(crate) fn finished(&self) -> bool {
        self.end == End::Reached
    }

    /// The offset of a sequence or acknowledgement number near what is known of this direction.
    pub(crate) fn offset(&self, seq: SeqNumber) -> StreamOffset {
        if self.is_open() { self.frontier().nearest(seq) } else { StreamOffset::first(seq) }
    }

    /// The furthest known point.
    pub(crate) fn frontier(&self) -> StreamOffset {
        self.next.max(self.acked)
    }

    /// Whether `at` can belong to the bytes of this direction.
    pub(crate) fn in_window(&self, at: StreamOffset) -> bool {
        !self.is_open() || (at.since(self.frontier()) <= WINDOW && self.next.since(at) <= WINDOW)
    }

    /// Whether a reset at `at` is one that the receiver would accept, as far as can be told from outside: from the next
    /// byte on within a bounded window, or at the point acknowledged last.
    pub(crate) fn accepts_reset(&self, at: StreamOffset) -> bool {
        at == self.acked || (at >= self.next && at.since(self.frontier()) <= NEAR)
    }

    /// Takes the peer's acknowledgement, and gives how many bytes it acknowledges anew. `fin` is the position of the
    /// FIN, which takes a number but is no byte.
    pub(crate) fn acknowledge(&mut self, ack: SeqNumber, fin: Option<StreamOffset>) -> u64 {
        let at = self.offset(ack);
        if !self.is_open() {
            self.open(at, Start::Expected);
            return 0;
        }
        if at <= self.acked || at.since(self.frontier()) > ACK_WINDOW {
            return 0;
        }
        let before = std::mem::replace(&mut self.acked, at);
        fin.map_or(at, |fin| at.min(fin)).since(before)
    }
}
