//! One direction of an HTTP/1 connection: where its reader stands and what it holds.

use crate::connection::Beginning;
use crate::exchange::pauses;
use crate::h1::{ChunkedDecoder, HeadScan};
use crate::{Anomalies, Anomaly, Message};
use tapwire_flow::{Chunk, StreamOffset};
use tapwire_wire::{SourceId, Timestamp};

/// A segment of a head with no more bytes than this is tiny.
const TINY: usize = 8;

/// So many of them in one head are not chance.
const MANY_TINY: u8 = 8;

/// Where a direction's reader stands.
#[derive(Debug, Default)]
pub(crate) enum Place {
    /// The next byte begins a message.
    #[default]
    Boundary,
    /// Within a head that is not whole yet.
    Head,
    /// Within a body of which so many bytes are to come.
    Length(u64),
    /// Within a chunked body or its trailers.
    Chunked(ChunkedDecoder),
    /// Within a body that ends with the connection.
    UntilClose,
    /// After a CONNECT request whose head ended there: what follows is a tunnel or not, as the answer says.
    Undecided(StreamOffset),
    /// Behind a hole or garbage: the next boundary is not known.
    Lost,
    /// At the first byte of a tunnel that CONNECT opened: HTTP in clear text, or something else.
    TunnelStart,
    /// HTTP has ended here.
    Tunnel,
}

/// Where the bytes of a message began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) at: StreamOffset,
    pub(crate) peer_at: Option<StreamOffset>,
    pub(crate) previous_peer_at: Option<StreamOffset>,
    pub(crate) contiguous: bool,
    pub(crate) after_missing_message: bool,
    pub(crate) time: Timestamp,
    pub(crate) frame: u64,
    pub(crate) source: SourceId,
}

/// Interim responses that wait for their final one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Interim {
    pub(crate) codes: [u16; 4],
    pub(crate) origin: Option<Origin>,
}

/// One direction of a connection. Its `Debug` shows no content.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) place: Place,
    /// Bytes of a head that is not whole yet.
    pub(crate) held: Vec<u8>,
    pub(crate) scan: HeadScan,
    /// Where `held` began.
    pub(crate) origin: Option<Origin>,
    /// The message whose body is being read.
    pub(crate) open: Option<Box<Message>>,
    /// The next byte's offset, once any byte or hole was seen.
    pub(crate) next: Option<StreamOffset>,
    /// Whether the next message directly follows the one before, or the stream's start.
    pub(crate) contiguous: bool,
    /// Whether bytes are missing behind a message that was complete, or at the stream's start.
    pub(crate) missing_message: bool,
    /// Messages so far, interim responses not counted.
    pub(crate) serial: u64,
    /// The acknowledgement of the chunk before.
    pub(crate) previous_peer_at: Option<StreamOffset>,
    /// Capture time and frame of the last bytes seen.
    pub(crate) seen: (Timestamp, u64),
    pub(crate) interim: Interim,
    /// Facts that belong to the next message.
    pub(crate) pending: Anomalies,
    /// Segments of a few bytes that the head that is arriving came in.
    pub(crate) tiny: u8,
    /// Pauses within the head that is arriving.
    pub(crate) pauses: u8,
    /// The side said it sends nothing more.
    pub(crate) finished: bool,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("held", &self.held.len())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// Where a direction stands between two messages.
#[derive(Debug)]
pub(crate) struct Standing {
    next: Option<StreamOffset>,
    previous_peer_at: Option<StreamOffset>,
    pub(crate) serial: u64,
    contiguous: bool,
}

impl Reader {
    /// Where it stands, when nothing of a message has come and nothing is to be said of the next.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let between = matches!(self.place, Place::Boundary)
            && self.open.is_none()
            && self.held.is_empty()
            && self.origin.is_none()
            && self.interim.origin.is_none()
            && self.pending.is_empty();
        let Self { next, previous_peer_at, serial, contiguous, .. } = *self;
        let plain = !self.missing_message && !self.finished;
        (between && plain).then_some(Standing { next, previous_peer_at, serial, contiguous })
    }

    /// Goes on from there.
    pub(crate) fn at(standing: Standing) -> Self {
        let Standing { next, previous_peer_at, serial, contiguous } = standing;
        Self { next, previous_peer_at, serial, contiguous, ..Self::default() }
    }

    pub(crate) fn new(beginning: Beginning) -> Self {
        let here = beginning == Beginning::Here;
        let place = if here { Place::Boundary } else { Place::Lost };
        Self { place, contiguous: here, missing_message: beginning == Beginning::Missing, ..Self::default() }
    }

    /// Where the message that is arriving began, or the next byte.
    pub(crate) fn boundary(&self) -> Option<StreamOffset> {
        self.interim.origin.or(self.origin).map(|origin| origin.at).or(self.next)
    }

    /// Whether framing is known up to the boundary.
    pub(crate) fn is_intact(&self) -> bool {
        match self.place {
            Place::Boundary | Place::TunnelStart => self.contiguous,
            Place::Head => self.origin.is_some_and(|origin| origin.contiguous),
            Place::Length(_) | Place::Chunked(_) | Place::UntilClose => true,
            Place::Undecided(_) | Place::Lost | Place::Tunnel => false,
        }
    }

    /// Remembers that bytes at `at` of this chunk begin something.
    pub(crate) fn origin_at(&self, chunk: &Chunk<'_>, at: StreamOffset) -> Origin {
        Origin {
            at,
            peer_at: chunk.peer_at,
            previous_peer_at: self.previous_peer_at,
            contiguous: self.contiguous,
            after_missing_message: self.missing_message,
            time: chunk.time,
            frame: chunk.frame,
            source: chunk.source,
        }
    }

    /// The boundary is lost: what was held of a head is dropped by the caller, and the next message stands alone.
    pub(crate) fn lose(&mut self) {
        self.place = Place::Lost;
        self.contiguous = false;
        self.drop_held();
    }

    pub(crate) fn drop_held(&mut self) {
        self.held = Vec::new();
        self.scan = HeadScan::default();
        self.origin = None;
        (self.tiny, self.pauses) = (0, 0);
    }

    /// Bytes come, at that time in that frame.
    pub(crate) fn hear(&mut self, time: Timestamp, frame: u64) {
        let is_within = self.origin.is_some() && pauses(self.seen.0, time);
        self.pauses = self.pauses.saturating_add(u8::from(is_within));
        self.seen = (time, frame);
    }

    /// Part of a head came. An application that writes its head in pieces writes lines; pieces of a few bytes, one after
    /// the other, are made by tools that hide from sensors, or typed by a person.
    pub(crate) fn note_piece(&mut self, len: usize) {
        self.tiny = self.tiny.saturating_add(u8::from(len <= TINY));
        if self.tiny >= MANY_TINY {
            self.pending.insert(Anomaly::TinySegments);
        }
    }
}
