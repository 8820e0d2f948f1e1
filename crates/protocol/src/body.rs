//! Message bodies: transfer coding removed, content coding kept.

/// How a message's end is found (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Framing {
    /// No body.
    #[default]
    None,
    /// `Content-Length` bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Until the connection closes, or the HTTP/2 stream ends.
    Close,
    /// The connection stops speaking HTTP after this head: CONNECT with a 2xx answer, or 101.
    Tunnel,
}

/// Names a message while it is still open, so that body parts find their inspector's state. Unique within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MessageId(pub u64);

/// A message's body. Its `Debug` shows no content.
#[derive(Clone, Default)]
pub struct Body {
    /// How its end is found.
    pub framing: Framing,
    /// Body bytes, transfer coding removed, content coding kept: captured and missed ones together.
    pub len: u64,
    /// Of those, bytes the sensor did not capture.
    pub missed: u64,
    /// The bytes that ride in the exchange: all of them, or what follows the last [`BodyPart`]. They end at the first
    /// hole: bytes on the two sides of a hole are never joined.
    pub bytes: Vec<u8>,
    /// Whether parts of this body went ahead.
    pub parts: bool,
    /// What it is, as a `Content-Type` says it, where no head of its own does: of a message that a stream carries.
    pub media_type: Option<&'static str>,
    /// Whether bytes were left out of `bytes` and the parts: behind a hole, shed, or analysis is off.
    pub cut: bool,
}

impl Body {
    /// Empties the body and keeps its buffer, unless that has grown beyond `keep` bytes.
    pub fn clear(&mut self, keep: usize) {
        self.framing = Framing::None;
        self.len = 0;
        self.missed = 0;
        self.bytes.clear();
        if self.bytes.capacity() > keep {
            self.bytes = Vec::new();
        }
        self.parts = false;
        self.media_type = None;
        self.cut = false;
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("framing", &self.framing)
            .field("len", &self.len)
            .field("missed", &self.missed)
            .field("held", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Body bytes of an open message that is longer than an exchange carries, sent ahead to the same inspector.
#[derive(Clone, Default)]
pub struct BodyPart {
    /// Whose body.
    pub message: MessageId,
    /// The flow's id, by which parts and exchanges are routed.
    pub flow: u64,
    /// `Content-Type` and `Content-Encoding` values; only in the first part of a message.
    pub content: Option<(Vec<u8>, Vec<u8>)>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for BodyPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyPart")
            .field("message", &self.message)
            .field("len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
