//! The state of one connection, inside the flow's record.

use crate::h1::{Start, probe};
use crate::http1::Conversation;
use crate::proxy::{self, ProxyOutcome};
use crate::{Kind, ProxyHeader};
use tapwire_flow::{Chunk, Gap};
use tapwire_wire::Side;

/// What a connection speaks, as its bytes tell; never by port.
#[derive(Debug, Default)]
pub struct Connection(pub(crate) State);

#[derive(Debug)]
pub(crate) enum State {
    /// Nothing known yet, or joined in the middle of something that may still turn out to be HTTP.
    Unknown(Unknown),
    /// HTTP/1.
    Http1(Box<Conversation>),
    /// Something that is only counted.
    Opaque(Kind),
}

impl Default for State {
    fn default() -> Self {
        Self::Unknown(Unknown::default())
    }
}

/// A connection whose protocol has not shown yet.
#[derive(Debug, Default)]
pub(crate) struct Unknown {
    /// The beginning of a PROXY header that came in pieces.
    preface: Option<(Side, Vec<u8>)>,
    pub(crate) proxy: Option<ProxyHeader>,
    /// A PROXY header was there and could not be read.
    pub(crate) invalid_proxy: bool,
    /// Per side: bytes have passed or are missing, so what comes next is not the stream's start.
    passed: [bool; 2],
    /// Data chunks that were nothing known.
    misses: u16,
}

/// What an unknown connection makes of a chunk.
pub(crate) enum Verdict {
    /// Nothing yet; the chunk's bytes are consumed.
    Wait,
    /// HTTP/1 begins `skip` bytes into the chunk, sent by its side; `client` is the client's side.
    Http1 { skip: usize, client: Side },
    /// It is something that is only counted.
    Opaque(Kind),
}

/// Chunks that may be nothing known before a connection is given up.
const MAX_MISSES: u16 = 512;

impl Unknown {
    pub(crate) fn gap(&mut self, gap: &Gap) {
        self.mark_passed(gap.side);
        self.preface = None;
    }

    /// Whether that side's next byte is the first of its stream, as far as this connection was watched.
    pub(crate) fn is_at_start(&self, side: Side) -> bool {
        !self.passed.get(side as usize).copied().unwrap_or(true)
    }

    fn mark_passed(&mut self, side: Side) {
        if let Some(passed) = self.passed.get_mut(side as usize) {
            *passed = true;
        }
    }

    /// Looks at the next chunk.
    pub(crate) fn data(&mut self, chunk: &Chunk<'_>, initiator: Option<Side>) -> Verdict {
        let skip = match self.proxy_header(chunk) {
            ProxyStep::Consumed => return Verdict::Wait,
            ProxyStep::Behind(skip) => skip,
        };
        let rest = chunk.bytes.get(skip..).unwrap_or_default();
        if rest.is_empty() {
            return Verdict::Wait;
        }
        let at_start = self.is_at_start(chunk.side);
        match probe(rest) {
            Start::Request => return Verdict::Http1 { skip, client: chunk.side },
            Start::Response => return Verdict::Http1 { skip, client: chunk.side.peer() },
            // A request line cut after its first bytes, at the very start of the stream.
            Start::Partial if at_start => {
                return Verdict::Http1 { skip, client: initiator.unwrap_or(chunk.side) };
            }
            Start::Partial | Start::No => {}
        }
        self.mark_passed(chunk.side);
        self.misses = self.misses.saturating_add(1);
        match Kind::of_first_bytes(rest) {
            Some(kind) => Verdict::Opaque(kind),
            None if self.misses >= MAX_MISSES => Verdict::Opaque(Kind::Other),
            None => Verdict::Wait,
        }
    }

    fn proxy_header(&mut self, chunk: &Chunk<'_>) -> ProxyStep {
        if !self.is_at_start(chunk.side) || self.proxy.is_some() {
            return ProxyStep::Behind(0);
        }
        let held = self.preface.take().filter(|(side, _)| *side == chunk.side).map(|(_, bytes)| bytes);
        let before = held.as_ref().map_or(0, Vec::len);
        let joined;
        let bytes = match held {
            Some(mut held) => {
                held.extend_from_slice(chunk.bytes);
                joined = held;
                joined.as_slice()
            }
            None => chunk.bytes,
        };
        match proxy::parse(bytes) {
            ProxyOutcome::NotProxy => ProxyStep::Behind(0),
            ProxyOutcome::Partial => {
                self.preface = Some((chunk.side, bytes.to_vec()));
                ProxyStep::Consumed
            }
            ProxyOutcome::Complete { header, len } => {
                self.proxy = Some(header);
                ProxyStep::Behind(len.saturating_sub(before))
            }
            ProxyOutcome::Invalid { len } => {
                self.invalid_proxy = true;
                len.map_or(ProxyStep::Behind(0), |len| ProxyStep::Behind(len.saturating_sub(before)))
            }
        }
    }
}

enum ProxyStep {
    /// All bytes belong to a header that is not whole yet.
    Consumed,
    /// The stream proper begins so many bytes into the chunk.
    Behind(usize),
}
