//! Which response answers which request, proven or not at all.
//!
//! Two proofs exist. **Sequence**: the pair before was certain, and nothing is missing on either side since. **Anchor**: a
//! client that waits for its answer sends request k+1 with an acknowledgement number that is exactly where response
//! k+1 will begin, so a pair can be proven after any hole, and without ever having seen the handshake. The anchor only
//! proves the *first* request of a group that shares it; whether an unseen request shares it is told by the server's own
//! acknowledgements (nothing unseen lies before the request) or by what follows (exactly one answer came).
//! What neither proves is reported as two halves or as `uncertain`; nothing is guessed.

mod entry;
mod rest;

pub(crate) use rest::Memory;

use crate::h1::queue::Queue;
use crate::{Anomaly, Direction, Message, MessageId, Pairing};
use std::hint::black_box;
use tapwire_flow::StreamOffset;

/// Halves that may wait on one connection; beyond it the oldest is reported alone.
const MAX_WAITING: usize = 256;

/// Bytes of heads and bodies that may wait with them: several usual bodies, never 256 of the longest.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// A half as pairing sees it.
#[derive(Debug)]
pub(crate) struct Half {
    pub(crate) id: MessageId,
    /// Counts the messages of its direction from 1; interim responses do not count.
    pub(crate) serial: u64,
    /// Its first byte.
    pub(crate) at: StreamOffset,
    /// Where what belongs to it begins: interim responses included.
    pub(crate) boundary: StreamOffset,
    /// The acknowledgement its boundary travelled with.
    pub(crate) peer_at: Option<StreamOffset>,
    /// The acknowledgement of the same direction's bytes just before it.
    pub(crate) previous_peer_at: Option<StreamOffset>,
    /// One past the last byte of its head.
    pub(crate) head_end: StreamOffset,
    /// Whether the message before ended exactly here, or the stream began here.
    pub(crate) contiguous: bool,
    /// Whether it is not contiguous because bytes are missing behind a message that was complete: a whole message is
    /// missing.
    pub(crate) after_missing_message: bool,
    /// Whether it ends HTTP on the connection: a request that asks for it, a response that does it.
    pub(crate) switches: bool,
    /// What the response to it needs to know of a request's method.
    pub(crate) method: Method,
    /// Status codes of the interim responses before it.
    pub(crate) interim: [u16; 4],
    /// Its end, when it has ended.
    pub(crate) ended: Option<Ended>,
}

impl Half {
    fn bytes(&self) -> usize {
        self.ended.as_ref().map_or(0, Ended::bytes)
    }
}

impl Ended {
    /// Bytes of text and body that it holds.
    fn bytes(&self) -> usize {
        self.message.head.text.len() + self.message.body.bytes.len()
    }
}

/// What framing a response needs to know of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Method {
    #[default]
    Other,
    Head,
    Connect,
    /// A request line of HTTP/0.9, whatever its method says.
    Http09,
}

/// A half that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) message: Box<Message>,
    /// One past its last byte, where framing tells.
    pub(crate) end: Option<StreamOffset>,
}

/// What leaves pairing.
#[derive(Debug)]
pub(crate) struct Paired {
    pub(crate) request: Option<Box<Message>>,
    pub(crate) response: Option<Box<Message>>,
    /// One past the request's last byte, where framing tells.
    pub(crate) request_end: Option<StreamOffset>,
    /// The same for the response.
    pub(crate) response_end: Option<StreamOffset>,
    pub(crate) interim: [u16; 4],
    pub(crate) pairing: Pairing,
    pub(crate) pipelined: bool,
    pub(crate) early: bool,
    /// A response that came although nothing was missing on the client's side.
    pub(crate) unsolicited: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Certain,
    Uncertain,
    /// Certain if exactly one response answers this anchor: what follows will tell.
    NeedsSuccessor,
}

#[derive(Debug)]
struct Entry {
    request: Option<Half>,
    response: Option<Half>,
    verdict: Verdict,
    pipelined: bool,
    unsolicited: bool,
}

enum Relation {
    Pair(Verdict),
    RequestAlone,
    ResponseAlone { unsolicited: bool },
}

/// How far the two directions of a connection have come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Where the message that the client is sending began, or the client's next byte.
    pub(crate) client: Option<StreamOffset>,
    /// Whether the client's framing is known up to `client`.
    pub(crate) client_intact: bool,
    /// The same for the server.
    pub(crate) server: Option<StreamOffset>,
    /// Whether the server's framing is known up to `server`.
    pub(crate) server_intact: bool,
    /// The server said it sends nothing more.
    pub(crate) server_finished: bool,
    /// The connection is over: nothing waits any longer.
    pub(crate) closed: bool,
}

/// The pairing state of one connection.
#[derive(Debug, Default)]
pub(crate) struct Pairer {
    requests: Queue<Half>,
    responses: Queue<Half>,
    entries: Queue<Entry>,
    /// Serials of the last certain pair; (0, 0) at the stream's start.
    synced: Option<(u64, u64)>,
    /// Serial and anchor of the request that arrived last.
    last_request: Option<(u64, Option<StreamOffset>)>,
    /// Serial and anchor of the request paired last.
    last_paired: Option<(u64, Option<StreamOffset>)>,
    /// The client was seen not to wait for answers: anchors prove nothing on this connection.
    pipelines: bool,
    /// Something came or ended since the last decision.
    changed: bool,
    /// Entries that wait for their successor.
    unjudged: usize,
    /// Bytes that the messages in `requests` and `responses` hold.
    waiting_bytes: usize,
    /// Bytes on the heap of all messages that have ended and wait here.
    held_bytes: usize,
}

impl Pairer {
    /// Bytes on the heap.
    pub(crate) fn held(&self) -> usize {
        self.held_bytes + self.requests.held() + self.responses.held() + self.entries.held()
    }

    pub(crate) fn new() -> Self {
        Self { synced: Some((0, 0)), ..Self::default() }
    }

    /// Whether the client was seen not to wait for answers.
    pub(crate) fn pipelines(&self) -> bool {
        self.pipelines
    }

    /// A whole request is missing, and the server acknowledged it when it stood at `acked_at`: where that is not beyond
    /// the anchor of the request before, the missing one did not wait for the answer to that.
    pub(crate) fn miss_request(&mut self, acked_at: StreamOffset) {
        let before = self.last_request.and_then(|(_, anchor)| anchor);
        self.pipelines |= before.is_some_and(|anchor| acked_at <= anchor);
    }

    /// The client was seen elsewhere not to wait for answers.
    pub(crate) fn expect_pipelining(&mut self) {
        self.pipelines = true;
    }

    /// Whether a decision may be possible: something changed, or a half waits for its side to move on.
    pub(crate) fn may_settle(&self) -> bool {
        self.changed || self.unjudged > 0 || !self.requests.is_empty() || !self.responses.is_empty()
    }

    /// Whether nothing is open.
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.responses.is_empty() && self.entries.is_empty()
    }

    /// Anchors at which responses are awaited, in stream order.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = StreamOffset> {
        self.requests.iter().filter_map(|request| request.peer_at)
    }

    /// What is known of the request that this response was paired with.
    pub(crate) fn method_answered_by(&self, response: MessageId) -> Option<(Method, MessageId)> {
        self.entries.iter().rev().find_map(|entry| {
            // An unproven pair may be another's: its method must not frame this response.
            let request = entry.request.as_ref().filter(|_| entry.verdict != Verdict::Uncertain)?;
            (entry.response.as_ref()?.id == response).then_some((request.method, request.id))
        })
    }

    /// Whether the exchange of this response can be told before it has ended: its request has. What waited to be proven
    /// by what follows is not proven then, and a request that has not come by now is not waited for.
    pub(crate) fn may_go_on(&mut self, response: MessageId) -> bool {
        if self.requests.is_empty() && self.responses.front().is_some_and(|half| half.id == response) {
            self.release_response(false);
        }
        let is_it = |entry: &&mut Entry| entry.response.as_ref().is_some_and(|half| half.id == response);
        let Some(entry) = self.entries.iter_mut().find(is_it) else { return false };
        let may = entry.request.as_ref().is_none_or(|half| half.ended.is_some());
        if may && entry.verdict == Verdict::NeedsSuccessor {
            entry.verdict = Verdict::Uncertain;
            self.unjudged -= 1;
        }
        may
    }

    /// Reads from each part of the state.
    pub(crate) fn warm(&self) {
        black_box(self.requests.front().map(|half| half.id));
        black_box(self.entries.front().map(|entry| entry.verdict));
        black_box(self.changed);
    }

    /// A request's head was read.
    pub(crate) fn request(&mut self, half: Half) {
        self.changed = true;
        if let Some((serial, anchor)) = self.last_request
            && half.contiguous
            && half.serial == serial + 1
            && anchor == half.peer_at
        {
            self.pipelines = true;
        }
        self.last_request = Some((half.serial, half.peer_at));
        self.requests.push_back(half);
    }

    /// Whether an answer without head may come.
    pub(crate) fn awaits_http09(&self) -> bool {
        self.requests.front().is_some_and(|request| request.method == Method::Http09)
    }

    /// Adds a fact to the latest half of that direction that has not been handed out; false when there is none.
    pub(crate) fn note(&mut self, direction: Direction, anomaly: Anomaly) -> bool {
        let waiting = match direction {
            Direction::ToServer => self.requests.back_mut(),
            Direction::ToClient => self.responses.back_mut(),
        };
        let paired = self.entries.iter_mut().rev().find_map(|entry| match direction {
            Direction::ToServer => entry.request.as_mut(),
            Direction::ToClient => entry.response.as_mut(),
        });
        match waiting.or(paired).and_then(|half| half.ended.as_mut()) {
            Some(ended) => {
                ended.message.anomalies.insert(anomaly);
                true
            }
            None => false,
        }
    }

    /// The messages of that direction that have ended and wait here.
    pub(crate) fn messages_mut(&mut self, direction: Direction) -> impl Iterator<Item = &mut Message> {
        let waiting = match direction {
            Direction::ToServer => &mut self.requests,
            Direction::ToClient => &mut self.responses,
        };
        let paired = self.entries.iter_mut().filter_map(move |entry| match direction {
            Direction::ToServer => entry.request.as_mut(),
            Direction::ToClient => entry.response.as_mut(),
        });
        let ended = waiting.iter_mut().chain(paired).filter_map(|half| half.ended.as_mut());
        ended.map(|ended| ended.message.as_mut())
    }

    /// A final response's head was read.
    pub(crate) fn response(&mut self, half: Half) {
        self.changed = true;
        self.responses.push_back(half);
    }

    /// A message ended; it waits here until its exchange is decided.
    pub(crate) fn end(&mut self, id: MessageId, ended: Ended) {
        let waiting = self.requests.iter_mut().chain(self.responses.iter_mut()).find(|half| half.id == id);
        let paired =
            self.entries.iter_mut().flat_map(|entry| entry.request.iter_mut().chain(&mut entry.response));
        self.waiting_bytes += if waiting.is_some() { ended.bytes() } else { 0 };
        if let Some(half) = waiting.or_else(|| paired.rev().find(|half| half.id == id)) {
            self.held_bytes += ended.message.held();
            half.ended = Some(ended);
            self.changed = true;
        }
    }

    /// Decides what can be decided and hands out the exchanges that are complete.
    pub(crate) fn settle(&mut self, progress: Progress, mut done: impl FnMut(Paired)) {
        self.changed = false;
        while self.step(progress) {}
        if self.unjudged > 0 {
            self.judge_successors(progress);
        }
        let mut kept = 0;
        while let Some(entry) = self.entries.get(kept) {
            if entry.is_ready() {
                if let Some(entry) = self.entries.remove(kept) {
                    self.held_bytes = self.held_bytes.saturating_sub(entry.held());
                    done(entry.into_paired());
                }
            } else {
                kept += 1;
            }
        }
    }

    /// One decision about the oldest waiting halves; false when none can be made.
    fn step(&mut self, progress: Progress) -> bool {
        let relation = match (self.requests.front(), self.responses.front()) {
            (Some(request), Some(response)) => self.relate(request, response),
            (Some(request), None) if self.is_unanswered(request, progress) => Relation::RequestAlone,
            (None, Some(response)) if is_unasked(response, progress) => Relation::ResponseAlone {
                unsolicited: progress.client_intact && self.is_next_response(response),
            },
            (None, Some(_)) if self.is_full(&self.responses) => {
                note_overflow(self.responses.front_mut());
                Relation::ResponseAlone { unsolicited: false }
            }
            _ => return false,
        };
        if self.responses.is_empty() && !progress.closed && self.is_full(&self.requests) {
            note_overflow(self.requests.front_mut());
        }
        match relation {
            Relation::Pair(verdict) => self.pair(verdict),
            Relation::RequestAlone => {
                let overtaken = self.requests.front().is_some_and(|request| request.after_missing_message)
                    && self.responses.front().is_some_and(|response| self.is_next_response(response));
                self.pipelines |= overtaken;
                self.release_request();
            }
            Relation::ResponseAlone { unsolicited } => {
                let crossed = !self.requests.is_empty();
                self.release_response(unsolicited);
                // The client may take it for the answer to what it has asked meanwhile: from here on anchors tell.
                self.synced.take_if(|_| crossed);
            }
        }
        true
    }

    fn relate(&self, request: &Half, response: &Half) -> Relation {
        // A server that had not received a request's head cannot have answered it.
        let received = response.peer_at.is_none_or(|acknowledged| acknowledged >= request.head_end);
        if self.is_next_in_sequence(request, response) {
            return if received {
                Relation::Pair(Verdict::Certain)
            } else {
                Relation::ResponseAlone { unsolicited: true }
            };
        }
        match request.peer_at {
            None if received => Relation::Pair(Verdict::Uncertain),
            Some(anchor) if anchor < response.boundary => Relation::RequestAlone,
            Some(anchor) if anchor == response.boundary && received => {
                if self.answers_a_missing_one(request, response) {
                    Relation::RequestAlone
                } else {
                    Relation::Pair(self.verdict_by_anchor(request, response))
                }
            }
            _ => Relation::ResponseAlone { unsolicited: false },
        }
    }

    fn is_next_in_sequence(&self, request: &Half, response: &Half) -> bool {
        request.contiguous
            && response.contiguous
            && self.synced == Some((request.serial - 1, response.serial - 1))
    }

    /// Whether the response directly follows the last one that was paired with certainty.
    fn is_next_response(&self, response: &Half) -> bool {
        response.contiguous && self.synced.is_some_and(|(_, serial)| serial == response.serial - 1)
    }

    /// The response directly follows the last certain one, and a whole request is missing behind the one that it
    /// answered: it answers the missing one.
    fn answers_a_missing_one(&self, request: &Half, response: &Half) -> bool {
        request.after_missing_message
            && response.contiguous
            && self.synced == Some((request.serial - 1, response.serial - 1))
    }

    /// The anchor matches: is this request surely the first of those that share it?
    fn verdict_by_anchor(&self, request: &Half, response: &Half) -> Verdict {
        if self.pipelines {
            return Verdict::Uncertain;
        }
        let first_of_stream = request.contiguous && request.serial == 1;
        let follows_older_anchor = request.contiguous
            && self
                .last_paired
                .is_some_and(|(serial, anchor)| serial == request.serial - 1 && anchor < request.peer_at);
        let nothing_unseen_before = response.previous_peer_at.is_some_and(|peer_at| peer_at >= request.at);
        // Nobody sends more HTTP in front of a request to end HTTP without waiting for what becomes of it.
        let switches = request.switches && response.switches;
        if first_of_stream || follows_older_anchor || nothing_unseen_before || switches {
            Verdict::Certain
        } else {
            Verdict::NeedsSuccessor
        }
    }

    /// Whether the server has moved past where the answer would begin.
    fn is_unanswered(&self, request: &Half, progress: Progress) -> bool {
        if progress.closed || self.is_full(&self.requests) {
            return true;
        }
        let in_sequence = request.contiguous
            && self.synced.is_some_and(|(serial, _)| serial == request.serial - 1)
            && progress.server_intact;
        !in_sequence
            && request.peer_at.is_some_and(|anchor| progress.server.is_some_and(|server| server > anchor))
    }

    /// Whether more waits than may. One alone may always wait, however long its body.
    fn is_full(&self, waiting: &Queue<Half>) -> bool {
        waiting.len() > MAX_WAITING || waiting.len() > 1 && self.waiting_bytes > MAX_WAITING_BYTES
    }

    fn take_request(&mut self) -> Option<Half> {
        self.requests.pop_front().inspect(|half| self.waiting_bytes -= half.bytes())
    }

    fn take_response(&mut self) -> Option<Half> {
        self.responses.pop_front().inspect(|half| self.waiting_bytes -= half.bytes())
    }

    fn pair(&mut self, verdict: Verdict) {
        let (Some(request), Some(response)) = (self.take_request(), self.take_response()) else {
            return;
        };
        let shares = self.last_paired.is_some_and(|(serial, anchor)| {
            serial == request.serial - 1 && request.contiguous && anchor == request.peer_at
        });
        let before_its_turn = request.peer_at.is_some_and(|anchor| anchor < response.boundary);
        let end = request.ended.as_ref().and_then(|ended| ended.end);
        let more_received = matches!((end, response.peer_at), (Some(end), Some(received)) if received > end);
        self.pipelines |= shares || more_received || before_its_turn && self.last_paired.is_some();
        self.synced = (verdict == Verdict::Certain).then_some((request.serial, response.serial));
        self.last_paired = Some((request.serial, request.peer_at));
        let pipelined = shares || before_its_turn;
        self.unjudged += usize::from(verdict == Verdict::NeedsSuccessor);
        self.entries.push_back(Entry {
            request: Some(request),
            response: Some(response),
            verdict,
            pipelined,
            unsolicited: false,
        });
    }

    fn release_request(&mut self) {
        if let Some(request) = self.take_request() {
            self.synced = None;
            self.last_paired = Some((request.serial, request.peer_at));
            self.entries.push_back(Entry::alone(Some(request), None, false));
        }
    }

    fn release_response(&mut self, unsolicited: bool) {
        let Some(response) = self.take_response() else {
            return;
        };
        self.split_before(&response);
        match &mut self.synced {
            // An answer nobody asked for (408 on an idle connection) leaves the order of the others alone.
            Some((_, serial)) if unsolicited => *serial = response.serial,
            synced => *synced = None,
        }
        self.entries.push_back(Entry::alone(None, Some(response), unsolicited));
    }

    /// A second response at the anchor of a pair that needed its successor: the pair is not one.
    fn split_before(&mut self, response: &Half) {
        let Some(last) = self.entries.back_mut() else {
            return;
        };
        let ends_here = last.response.as_ref().is_some_and(|half| half.serial + 1 == response.serial);
        if last.verdict == Verdict::NeedsSuccessor && ends_here {
            let earlier = last.response.take();
            last.verdict = Verdict::Uncertain;
            self.unjudged -= 1;
            self.entries.push_back(Entry::alone(None, earlier, false));
        }
    }

    /// Decides pairs that waited to see what follows: the next request must have been sent when exactly this response
    /// had been received, and its own answer must begin right there; or nothing follows at all.
    fn judge_successors(&mut self, progress: Progress) {
        let pipelines = self.pipelines;
        let waits = !self.requests.is_empty() || !self.responses.is_empty();
        for at in 0..self.entries.len() {
            let next = self.entries.get(at + 1).map(Entry::begins_at);
            let Some(entry) =
                self.entries.get_mut(at).filter(|entry| entry.verdict == Verdict::NeedsSuccessor)
            else {
                continue;
            };
            let end = entry.response.as_ref().and_then(|half| half.ended.as_ref()?.end);
            let last = progress.server_finished && !waits && end.is_some() && end == progress.server;
            entry.verdict = match next {
                _ if pipelines => Verdict::Uncertain,
                Some((asked, answered))
                    if end.is_some() && asked == end && answered.is_none_or(|at| Some(at) == end) =>
                {
                    Verdict::Certain
                }
                Some(_) if entry.is_ended() => Verdict::Uncertain,
                None if last => Verdict::Certain,
                None if progress.closed => Verdict::Uncertain,
                _ => continue,
            };
            self.unjudged -= 1;
        }
    }
}

/// A half leaves because more wait than are kept.
fn note_overflow(half: Option<&mut Half>) {
    if let Some(ended) = half.and_then(|half| half.ended.as_mut()) {
        ended.message.anomalies.insert(Anomaly::TooManyOutstanding);
    }
}

/// Whether the request of this response can no longer come.
fn is_unasked(response: &Half, progress: Progress) -> bool {
    let passed =
        || response.peer_at.is_some_and(|asked| progress.client.is_some_and(|client| client >= asked));
    progress.closed || passed()
}
