//! One direction of an HTTP/2 connection: where its reader stands between two chunks.

use super::frame::{FrameHead, USUAL_MAX};
use super::hpack::Decoder;
use super::search::Search;
use crate::Anomalies;
use crate::h1::reader::Origin;
use tapwire_flow::{Chunk, StreamOffset};
use tapwire_wire::Timestamp;

/// Where a direction's reader stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Within the client's connection preface, of which so many bytes have come.
    Preface(u8),
    /// At or within a frame head; what has come of it is held.
    Head,
    /// Within a DATA frame.
    Data(Data),
    /// Within a frame that is read when it is whole, of which so many bytes are to come.
    Whole(FrameHead, u32),
    /// Within a frame that nothing is read of, of which so many bytes are to come. They are those of a header block.
    Skip(u32, bool),
    /// Behind a hole: the next frame head is not known.
    Lost,
}

/// A DATA frame that is passing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data {
    pub(super) head: FrameHead,
    /// Bytes that are to come, padding included.
    pub(super) left: u32,
    /// Bytes of padding at its end; `None` before the byte that says it.
    pub(super) padding: Option<u32>,
}

impl Data {
    /// Bytes of the body that are to come.
    pub(super) fn body(&self) -> u32 {
        self.left.saturating_sub(self.padding.unwrap_or(0))
    }
}

/// A header block, from its first frame on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// The stream that the fields belong to: a promised one, or that of the frame.
    pub(super) stream: u32,
    /// The stream of its frames.
    pub(super) carrier: u32,
    pub(super) promise: bool,
    pub(super) ends_stream: bool,
    pub(super) origin: Origin,
}

/// A header block whose CONTINUATION is to come. Its `Debug` shows no content.
pub(super) struct Unfinished {
    pub(super) block: Block,
    pub(super) bytes: Vec<u8>,
    pub(super) frames: u16,
}

impl std::fmt::Debug for Unfinished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unfinished({} bytes in {} frames)", self.bytes.len(), self.frames)
    }
}

/// One direction of a connection. Its `Debug` shows no content.
pub(super) struct Reader {
    pub(super) place: Place,
    pub(super) hpack: Decoder,
    /// Bytes of a frame, or of its head, that is not whole yet.
    pub(super) held: Vec<u8>,
    /// Where the frame that is arriving began.
    pub(super) origin: Option<Origin>,
    pub(super) unfinished: Option<Box<Unfinished>>,
    /// CONTINUATION of this stream belongs to a block that was given up.
    pub(super) given_up: Option<u32>,
    pub(super) search: Option<Box<Search>>,
    /// The next byte's offset, once any byte or hole was seen.
    pub(super) next: Option<StreamOffset>,
    pub(super) previous_peer_at: Option<StreamOffset>,
    /// Capture time and frame of the last bytes seen.
    pub(super) seen: (Timestamp, u64),
    /// Facts that belong to the next message.
    pub(super) pending: Anomalies,
    /// How often frames were lost; a direction that is joined in the middle begins with one.
    pub(super) losses: u32,
    /// The longest payload that the receiver allows; `None` when it may have said so unseen.
    pub(super) allowed: Option<u32>,
    /// The longest payload so far.
    pub(super) longest: u32,
    /// Frames in a row that would have ended the connection.
    pub(super) odd: u8,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("held", &self.held.len())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Reader {
    fn at(place: Place) -> Self {
        Self {
            place,
            hpack: Decoder::new(),
            held: Vec::new(),
            origin: None,
            unfinished: None,
            given_up: None,
            search: None,
            next: None,
            previous_peer_at: None,
            seen: (Timestamp::default(), 0),
            pending: Anomalies::default(),
            losses: 0,
            allowed: Some(USUAL_MAX),
            longest: USUAL_MAX,
            odd: 0,
        }
    }

    /// A client's stream, from its preface on.
    pub(super) fn client() -> Self {
        Self::at(Place::Preface(0))
    }

    /// A server's stream, from its first frame on.
    pub(super) fn server() -> Self {
        Self::at(Place::Head)
    }

    /// A stream joined where a frame begins.
    pub(super) fn joined_at_frame() -> Self {
        Self { hpack: Decoder::joined(), losses: 1, allowed: None, ..Self::at(Place::Head) }
    }

    /// A stream joined anywhere.
    pub(super) fn joined() -> Self {
        Self { place: Place::Lost, ..Self::joined_at_frame() }
    }

    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        let unfinished = self.unfinished.as_ref().map_or(0, |unfinished| unfinished.bytes.capacity());
        let search = self.search.as_ref().map_or(0, |search| search.held());
        self.held.capacity() + self.hpack.held() + unfinished + search
    }

    /// Whether anything of this direction may have been missed.
    pub(super) const fn has_losses(&self) -> bool {
        self.losses > 0
    }

    /// Whether bytes are held in which a frame may be found.
    pub(super) fn is_searching(&self) -> bool {
        matches!(self.place, Place::Lost) && self.search.as_ref().is_some_and(|search| search.len() > 0)
    }

    /// Remembers that bytes at `at` of this chunk begin a frame.
    pub(super) const fn origin_at(&self, chunk: &Chunk<'_>, at: StreamOffset) -> Origin {
        Origin {
            at,
            peer_at: chunk.peer_at,
            previous_peer_at: self.previous_peer_at,
            contiguous: self.losses == 0,
            after_missing_message: false,
            time: chunk.time,
            frame: chunk.frame,
            source: chunk.source,
        }
    }
}
