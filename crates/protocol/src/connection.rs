//! The state of one connection, inside the flow's record.

use crate::h1::conversation::Conversation;
use crate::h1::conversation::MAX_PROXY_HEADER;
use crate::h1::conversation::{Rest, anomaly_of};
use crate::h1::{Start, probe};
use crate::h2::conversation::{Conversation as Http2, Proof};
use crate::h2::frame::PREFACE;
use crate::h2::search;
use crate::proxy::{self, ProxyOutcome};
use crate::talk::Talk;
use crate::tls;
use crate::websocket::{self, Socket};
use crate::{Anomalies, Anomaly, Direction, ExchangeSink, Kind, ProxyHeader, Unseen};
use tapwire_flow::{Chunk, Evidence, Gap, StreamOffset};
use tapwire_wire::{Side, SourceId, Timestamp};

/// What a connection speaks, as its bytes tell; never by port.
#[derive(Debug, Default)]
pub struct Connection(pub(crate) State);

#[derive(Debug)]
pub(crate) enum State {
    /// Nothing known yet, or joined in the middle of something that may still turn out to be HTTP. Nothing is kept
    /// until something was seen: most connections show at their first bytes what they are.
    Unknown(Option<Box<Unknown>>),
    /// HTTP/1.
    Http1(Box<Conversation>),
    /// HTTP/1 on which nothing is open.
    Resting(Box<Rest>),
    /// HTTP/2.
    Http2(Box<Http2>),
    /// TLS, with what is decrypted of it as a connection inside.
    Tls(Box<tls::Layer>),
    /// WebSocket.
    WebSocket(Box<Socket>),
    /// Something that is only counted.
    Opaque(Kind),
}

impl Connection {
    /// What is inside another connection, behind a PROXY header.
    pub(crate) fn behind(proxy: Option<ProxyHeader>) -> Self {
        let known = |proxy| Box::new(Unknown { proxy: Some(proxy), ..Unknown::default() });
        Self(State::Unknown(proxy.map(known)))
    }
}

impl State {
    /// Counts anew what it holds on the heap; gives what was counted before, taken from `before` where it is not kept,
    /// and what is counted now, in bytes.
    pub(crate) fn recount<E: ExchangeSink>(&mut self, before: usize) -> (usize, usize) {
        match self.talk::<E>() {
            Some(talk) => {
                let (kept, now) = talk.recount();
                (before.max(kept), now)
            }
            None => (before, self.held()),
        }
    }

    /// The protocol that reads the connection, when there is one. Here and in the next function is the one list of them.
    pub(crate) fn talk<E: ExchangeSink>(&mut self) -> Option<&mut dyn Talk<E>> {
        match self {
            Self::Http1(http) => Some(http.as_mut()),
            Self::Http2(http) => Some(http.as_mut()),
            Self::WebSocket(socket) => Some(socket.as_mut()),
            Self::Unknown(_) | Self::Resting(_) | Self::Tls(_) | Self::Opaque(_) => None,
        }
    }

    /// The same, to look at.
    pub(crate) fn talk_ref<E: ExchangeSink>(&self) -> Option<&dyn Talk<E>> {
        match self {
            Self::Http1(http) => Some(http.as_ref()),
            Self::Http2(http) => Some(http.as_ref()),
            Self::WebSocket(socket) => Some(socket.as_ref()),
            Self::Unknown(_) | Self::Resting(_) | Self::Tls(_) | Self::Opaque(_) => None,
        }
    }

    /// Under what it is counted.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Unknown(None) => Kind::Unknown,
            Self::Unknown(Some(unknown)) => unknown.kind,
            Self::Http1(_) | Self::Resting(_) => Kind::Http1,
            Self::Http2(_) => Kind::Http2,
            Self::Tls(_) => Kind::Tls,
            Self::WebSocket(_) => Kind::WebSocket,
            Self::Opaque(kind) => *kind,
        }
    }

    /// Bytes on the heap, where counting them is no work.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Unknown(unknown) => unknown.as_ref().map_or(0, |unknown| unknown.held()),
            Self::Resting(rest) => rest.held(),
            Self::Tls(layer) => layer.held(),
            Self::Http1(_) | Self::Http2(_) | Self::WebSocket(_) | Self::Opaque(_) => 0,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Unknown(None)
    }
}

/// A connection whose protocol has not shown yet.
#[derive(Debug, Default)]
pub(crate) struct Unknown {
    /// What its first bytes show, which is nothing that is read.
    kind: Kind,
    /// The first bytes of a stream, too few to tell a PROXY header from something else.
    held: Option<Held>,
    pub(crate) proxy: Option<ProxyHeader>,
    /// Per side: bytes of that header that are still to come.
    skip: [u16; 2],
    /// Per side: bytes have passed or are missing, so what comes next is not the stream's start.
    passed: [bool; 2],
    /// Per side: what is missing at its start, when nothing else has passed.
    missing: [u64; 2],
    /// Per side: bytes that were nothing known or are missing.
    unread: [u64; 2],
    /// Per side: where the first hole begins.
    hole_at: [Option<StreamOffset>; 2],
    /// Data chunks that were nothing known.
    misses: u16,
    /// Per side: facts about segments, for the first message. Hardly any connection has some.
    noted: Option<Box<[Anomalies; 2]>>,
}

/// Bytes that came in chunks before, with what their first chunk said. Its `Debug` shows no content.
pub(crate) struct Held {
    bytes: Vec<u8>,
    side: Side,
    at: StreamOffset,
    peer_at: Option<StreamOffset>,
    time: Timestamp,
    frame: u64,
    source: SourceId,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({} bytes)", self.bytes.len())
    }
}

impl Held {
    fn new(chunk: &Chunk<'_>) -> Self {
        Self {
            bytes: chunk.bytes.to_vec(),
            side: chunk.side,
            at: chunk.at,
            peer_at: chunk.peer_at,
            time: chunk.time,
            frame: chunk.frame,
            source: chunk.source,
        }
    }

    /// As the chunk it might have been.
    pub(crate) fn chunk(&self) -> Chunk<'_> {
        Chunk {
            side: self.side,
            at: self.at,
            bytes: &self.bytes,
            peer_at: self.peer_at,
            time: self.time,
            frame: self.frame,
            source: self.source,
        }
    }
}

/// Where a direction's stream begins, for its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// The next byte is its first.
    Here,
    /// Its first bytes were not captured.
    Missing,
    /// It began before the capture did, or with something else.
    Unknown,
}

/// What an unknown connection makes of a chunk.
pub(crate) enum Verdict {
    /// Nothing yet; the chunk's bytes are consumed, and count as that.
    Wait(Kind),
    /// HTTP/1: what was held is its beginning, and of the chunk all behind the first `skip` bytes.
    Http1 { held: Option<Held>, skip: usize, client: Side },
    /// HTTP/2, the same way.
    Http2 { held: Option<Held>, skip: usize, client: Side, proof: Proof },
    /// TLS: what was held is its beginning, and of the chunk all behind the first `skip` bytes.
    Tls { held: Option<Held>, skip: usize, client: Side },
    /// WebSocket, joined in its middle.
    WebSocket { client: Side },
    /// It is something that is only counted.
    Opaque(Kind),
}

/// Chunks that may be nothing known before a connection is given up.
const MAX_MISSES: u16 = 512;

/// Who the client is: who says hello first, else who opened the connection, else who was heard first.
fn tls_client(bytes: &[u8], side: Side, initiator: Option<Side>) -> Side {
    match bytes.get(5) {
        Some(1) if bytes.first() == Some(&22) => side,
        Some(2) if bytes.first() == Some(&22) => side.peer(),
        _ => initiator.unwrap_or(side),
    }
}

impl Unknown {
    /// Bytes on the heap, its own included.
    fn held(&self) -> usize {
        let noted = self.noted.as_ref().map_or(0, |_| size_of::<[Anomalies; 2]>());
        size_of::<Self>() + noted + self.held.as_ref().map_or(0, |held| held.bytes.capacity())
    }

    /// In the middle of a connection that was taken for something else.
    pub(crate) fn again() -> Self {
        Self { passed: [true; 2], misses: 1, ..Self::default() }
    }

    /// A fact about the bytes of that side.
    pub(crate) fn evidence(&mut self, side: Side, evidence: Evidence) {
        self.note(side, anomaly_of(evidence));
    }

    fn note(&mut self, side: Side, anomaly: Anomaly) {
        if let Some(noted) = self.noted.get_or_insert_default().get_mut(side as usize) {
            noted.insert(anomaly);
        }
    }

    /// The facts about the bytes of that side.
    pub(crate) fn noted(&self, side: Side) -> Anomalies {
        self.noted.as_ref().and_then(|noted| noted.get(side as usize).copied()).unwrap_or_default()
    }

    pub(crate) fn gap(&mut self, gap: &Gap) {
        if self.is_at_start(gap.side)
            && let Some(missing) = self.missing.get_mut(gap.side as usize)
        {
            *missing = gap.len;
        }
        if let Some(hole_at) = self.hole_at.get_mut(gap.side as usize) {
            hole_at.get_or_insert(gap.at);
        }
        self.leave_unread(gap.side, gap.len);
        self.mark_passed(gap.side);
        if let Some(skip) = self.skip.get_mut(gap.side as usize) {
            *skip = skip.saturating_sub(u16::try_from(gap.len).unwrap_or(u16::MAX));
        }
        self.held.take_if(|held| held.side == gap.side);
    }

    /// Whether that side's next byte is the first of its stream, as far as this connection was watched.
    pub(crate) fn is_at_start(&self, side: Side) -> bool {
        !self.passed.get(side as usize).copied().unwrap_or(true)
    }

    /// What that side's stream begins with, as far as this connection was watched; `handshake` says that it was watched
    /// from its beginning, `expects_proxy` that a PROXY header should come first.
    pub(crate) fn beginning(&self, side: Side, handshake: bool, expects_proxy: bool) -> Beginning {
        let missing = self.missing.get(side as usize).copied().unwrap_or(0);
        let only_missing = self.misses == 0 && missing > 0;
        match (self.is_at_start(side), only_missing) {
            _ if !handshake => Beginning::Unknown,
            (true, _) => Beginning::Here,
            // A small hole where a PROXY header should have been is taken for that header.
            (false, true) if expects_proxy && missing <= MAX_PROXY_HEADER => Beginning::Here,
            (false, true) => Beginning::Missing,
            (false, false) => Beginning::Unknown,
        }
    }

    fn leave_unread(&mut self, side: Side, bytes: u64) {
        if let Some(unread) = self.unread.get_mut(side as usize) {
            *unread += bytes;
        }
    }

    /// Where the stream's missing first bytes begin, when it was watched from its beginning and they could be HTTP.
    pub(crate) fn missing_from(
        &self,
        side: Side,
        handshake: bool,
        expects_proxy: bool,
    ) -> Option<StreamOffset> {
        let missing = self.beginning(side, handshake, expects_proxy) == Beginning::Missing;
        self.hole_at.get(side as usize).copied().flatten().filter(|_| missing)
    }

    /// At the end: what was asked and answered on a connection of which nothing could be read because the beginnings of
    /// both its streams are missing.
    pub(crate) fn unseen(&self, client: Side) -> Option<Unseen> {
        let [lower, upper] = self.unread;
        let (client, server) = if client == Side::Lower { (lower, upper) } else { (upper, lower) };
        let holes = self.hole_at.iter().all(Option::is_some);
        let unseen = Unseen { client, server, ..Unseen::default() };
        (holes && client > 0 && server > 0).then_some(unseen)
    }

    fn mark_passed(&mut self, side: Side) {
        if let Some(passed) = self.passed.get_mut(side as usize) {
            *passed = true;
        }
    }

    /// Looks at the next chunk. Bytes held from before are part of the answer, or were a PROXY header.
    pub(crate) fn data(&mut self, chunk: &Chunk<'_>, initiator: Option<Side>) -> Verdict {
        let held = self.held.take_if(|held| held.side == chunk.side);
        let before = held.as_ref().map_or(0, |held| held.bytes.len());
        let joined = held.as_ref().map(|held| [held.bytes.as_slice(), chunk.bytes].concat());
        let bytes = joined.as_deref().unwrap_or(chunk.bytes);
        let header = match self.proxy_headers(bytes, chunk.side) {
            Some(header) => header,
            None => return self.hold(held, joined, chunk),
        };
        let rest = bytes.get(header..).unwrap_or_default();
        if rest.is_empty() {
            return Verdict::Wait(Kind::Unknown);
        }
        if header > 0 && self.is_at_start(chunk.side) && proxy::parse(rest) == ProxyOutcome::Partial {
            return self.hold_rest(rest, header.saturating_sub(before), None, chunk);
        }
        let (held, skip) = if header == 0 { (held, 0) } else { (None, header.saturating_sub(before)) };
        let at_start = self.is_at_start(chunk.side);
        if at_start && header == 0 && self.held.is_none() && may_become_http2(rest, chunk.side, initiator) {
            return self.hold(held, joined, chunk);
        }
        if let Some((client, proof)) = http2(rest, chunk.side, at_start, initiator) {
            return Verdict::Http2 { held, skip, client, proof };
        }
        match probe(rest) {
            Start::Request => return Verdict::Http1 { held, skip, client: chunk.side },
            Start::Response => return Verdict::Http1 { held, skip, client: chunk.side.peer() },
            // A start line cut after its first bytes, at the very start of the stream, and nothing else was said before: one
            // byte of a server may answer what is not HTTP, such as a database asked for TLS.
            Start::Partial
                if at_start
                    && self.kind == Kind::Unknown
                    && let Some(client) = initiator =>
            {
                return Verdict::Http1 { held, skip, client };
            }
            Start::Partial | Start::No => {}
        }
        // Only a client masks; and where the handshake of the connection was seen, HTTP would have come first.
        if initiator.is_none() && header == 0 && held.is_none() && websocket::begins(rest) {
            return Verdict::WebSocket { client: chunk.side };
        }
        match tls::probe(rest) {
            Some(true) => {
                let client = tls_client(rest, chunk.side, initiator);
                return Verdict::Tls { held, skip, client };
            }
            None if at_start => return self.hold_rest(rest, skip, held, chunk),
            _ => {}
        }
        self.leave_unread(chunk.side, rest.len() as u64);
        self.mark_passed(chunk.side);
        self.misses = self.misses.saturating_add(1);
        if self.kind == Kind::Unknown {
            self.kind = Kind::of_first_bytes(rest).unwrap_or(Kind::Unknown);
        }
        match self.kind {
            Kind::Ssh => Verdict::Opaque(Kind::Ssh),
            // What goes on in clear text may turn to TLS, or may have been something else's middle.
            Kind::Unknown if self.misses >= MAX_MISSES => Verdict::Opaque(Kind::Other),
            kind if self.misses >= MAX_MISSES => Verdict::Opaque(kind),
            kind => Verdict::Wait(kind),
        }
    }

    /// Too few bytes to tell behind PROXY headers, or behind nothing: what was held is then their beginning.
    fn hold_rest(&mut self, rest: &[u8], skip: usize, held: Option<Held>, chunk: &Chunk<'_>) -> Verdict {
        let bytes = rest.to_vec();
        self.held = Some(match held {
            Some(held) => Held { bytes, ..held },
            None => Held { bytes, at: chunk.at + skip as u64, ..Held::new(chunk) },
        });
        Verdict::Wait(Kind::Unknown)
    }

    /// Too few bytes to tell.
    fn hold(&mut self, held: Option<Held>, joined: Option<Vec<u8>>, chunk: &Chunk<'_>) -> Verdict {
        self.held = Some(match (held, joined) {
            (Some(held), Some(bytes)) => Held { bytes, ..held },
            _ => Held::new(chunk),
        });
        Verdict::Wait(Kind::Unknown)
    }

    /// Length of the PROXY headers that the stream begins with, 0 without one; `None` when that cannot be told yet.
    fn proxy_headers(&mut self, bytes: &[u8], side: Side) -> Option<usize> {
        if let Some(skip) = self.skip.get_mut(side as usize).filter(|skip| **skip > 0) {
            let now = (*skip).min(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
            *skip -= now;
            return Some(usize::from(now));
        }
        let mut used = 0;
        while self.is_at_start(side) && !self.noted(side).contains(Anomaly::InvalidProxyHeader) {
            let rest = bytes.get(used..).unwrap_or_default();
            let len = match proxy::parse(rest) {
                ProxyOutcome::NotProxy => break,
                ProxyOutcome::Partial if used == 0 => return None,
                ProxyOutcome::Partial => break,
                ProxyOutcome::Complete { header, len } => {
                    self.name_client(header, side);
                    len
                }
                ProxyOutcome::Invalid { len } => self.pass_invalid(len.unwrap_or(0), rest.len(), side),
            };
            used += len;
        }
        Some(used)
    }

    /// The receiver takes the first header; what another one says is no client.
    fn name_client(&mut self, header: ProxyHeader, side: Side) {
        if self.proxy.is_some() {
            self.note(side, Anomaly::DuplicateProxyHeader);
        }
        self.proxy.get_or_insert(header);
    }

    /// Notes a header of `len` bytes that cannot be read; gives how many of these are at hand.
    fn pass_invalid(&mut self, len: usize, at_hand: usize, side: Side) -> usize {
        if self.proxy.is_some() {
            self.note(side, Anomaly::DuplicateProxyHeader);
        }
        self.note(side, Anomaly::InvalidProxyHeader);
        let now = len.min(at_hand);
        if let Some(skip) = self.skip.get_mut(side as usize) {
            *skip = u16::try_from(len - now).unwrap_or(u16::MAX);
        }
        now
    }
}

/// Who is the client, and how it shows, when these bytes are HTTP/2.
fn http2(bytes: &[u8], side: Side, at_start: bool, initiator: Option<Side>) -> Option<(Side, Proof)> {
    if bytes.starts_with(b"PRI * HTTP/2.0") {
        return Some((side, Proof::Preface));
    }
    if at_start && initiator == Some(side.peer()) && search::begins_with_settings(bytes) == Some(true) {
        return Some((side.peer(), Proof::Settings));
    }
    let direction = search::joined(bytes)?.or_else(|| {
        let to_server = initiator? == side;
        Some(if to_server { Direction::ToServer } else { Direction::ToClient })
    })?;
    let client = if direction == Direction::ToServer { side } else { side.peer() };
    Some((client, Proof::Frames(direction)))
}

/// Whether these are too few of a stream's first bytes to tell. What they begin could hardly be anything else.
fn may_become_http2(bytes: &[u8], side: Side, initiator: Option<Side>) -> bool {
    let preface = bytes.len() > 2 && bytes.len() < PREFACE.len() && PREFACE.starts_with(bytes);
    preface || initiator == Some(side.peer()) && search::begins_with_settings(bytes).is_none()
}
