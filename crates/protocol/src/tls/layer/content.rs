//! What was decrypted goes on, and what was lost goes on as gaps.

use super::waiting::Item;
use super::{Blind, Emit, Layer};
use crate::tls::cipher::HEAD;
use crate::tls::handshake::Epoch;
use crate::tls::lane::Lost;
use crate::tls::records::Mark;
use crate::tls::{Facts, Shared};
use crate::{Anomaly, Direction};
use std::ops::Range;
use std::sync::Arc;
use tapwire_flow::{Chunk, Evidence, FlowInfo, Gap, StreamEvent, StreamOffset};
use tapwire_wire::Timestamp;

/// A body whose overhead is asked for: any length will do.
const SAMPLE: usize = 1 << 14;

/// A KeyUpdate has five bytes, an alert two (RFC 8446, 4.6.3 and 6); no request or response is as short.
const SMALLEST_CONTENT: usize = 5;
/// What TLS 1.3 adds to a content: a tag and the inner type.
const OVERHEAD: usize = 17;

/// Records that were lost.
#[derive(Debug, Clone, Copy)]
enum Records {
    /// So many.
    Known(u64),
    /// A KeyUpdate, so many behind it, and nobody knows how many in front of it: their numbers begin anew.
    BehindUpdate(u64),
}

impl Layer {
    /// Opens a record, and hands on what it holds.
    #[allow(
        clippy::too_many_arguments,
        reason = "a record is what its direction, bytes and segments are together"
    )]
    pub(super) fn open(
        &mut self,
        shared: &mut Shared,
        from: Direction,
        head: [u8; HEAD],
        at: StreamOffset,
        body: &[u8],
        marks: &[Mark],
        emit: &mut Emit<'_>,
    ) {
        if self.blind.is_some() {
            shared.counters.blind += 1;
            return;
        }
        if self.is_early(from) {
            return self.hold_early(shared, Item::Record(from, head, at, body.to_vec(), marks.to_vec()));
        }
        let end = at + (HEAD + body.len()) as u64;
        let mut scratch = std::mem::take(&mut shared.scratch);
        let handshake = &self.handshake;
        let [client, server] = &mut self.lanes;
        let lane = match from {
            Direction::ToServer => client,
            Direction::ToClient => server,
        };
        let (expected, epoch, updates) = (lane.sequence, lane.epoch, lane.updates);
        let is_first = lane.lost.is_none();
        let opened = lane.open(handshake, &shared.keys, from, head, body, &mut scratch);
        shared.scratch = scratch;
        let Some(opened) = opened else {
            shared.counters.failed += 1;
            self.blame_keys(shared, from, is_first);
            self.lose(from, at, end.since(at), marks.first().map_or(Timestamp::MIN, |mark| mark.time));
            return self.doubt(shared);
        };
        shared.counters.opened += 1;
        let lane = self.lane(from);
        if let Some(lost) = lane.lost.take() {
            let number = lane.sequence - 1;
            let records = match (lane.updates == updates, lane.epoch == epoch) {
                (true, true) => Records::Known((number - expected.min(number)).saturating_sub(lost.settled)),
                (true, false) => Records::Known(number.saturating_sub(lost.settled)),
                (false, _) => Records::BehindUpdate(number),
            };
            self.found(from, lost, at, records, emit);
        }
        self.lane(from).bound(at);
        if self.opened(shared, from, &opened) {
            let scratch = std::mem::take(&mut shared.scratch);
            self.content(shared, from, &scratch, opened.content, marks, emit);
            shared.scratch = scratch;
        }
        self.lane(from).done = Some(end);
        self.settle_early(shared, emit);
    }

    /// A record could not be opened. Behind a hole that says nothing; nor does it where a key log lacks the secrets of the
    /// handshake, whose records come first.
    fn blame_keys(&mut self, shared: &Shared, from: Direction, is_first: bool) {
        let is_late = self.lane(from).epoch.is_none_or(|epoch| epoch == Epoch::Application);
        let why = match self.handshake.has_keys(&shared.keys, from) {
            false => Anomaly::TlsNoKeys,
            true if is_first && is_late => Anomaly::TlsWrongKeys,
            true => return,
        };
        let anomalies = &mut self.handshake.facts.anomalies;
        self.is_stale |= !anomalies.contains(why);
        anomalies.insert(why);
    }

    /// Nothing could be opened so far: at some point the keys must be others.
    fn doubt(&mut self, shared: &mut Shared) {
        if !self.has_spoken && self.lanes.iter().any(crate::tls::lane::Lane::is_failing) {
            self.become_blind(shared, Blind::WrongKeys);
        }
    }

    fn content(
        &mut self,
        shared: &mut Shared,
        from: Direction,
        record: &[u8],
        content: Range<usize>,
        marks: &[Mark],
        emit: &mut Emit<'_>,
    ) {
        let start = content.start;
        let Some(bytes) = record.get(content).filter(|bytes| !bytes.is_empty()) else { return };
        shared.counters.decrypted += u64::from(!self.has_spoken);
        self.has_spoken = true;
        self.refresh_facts();
        shared.counters.content_bytes += bytes.len() as u64;
        if let Some(peer_at) = marks.first().and_then(|mark| mark.peer_at) {
            self.settle(other(from), peer_at, emit);
        }
        let side = self.side(from);
        let Some(plain) = self.lane(from).plain else { return };
        for (place, mark) in marks.iter().enumerate() {
            // The last segment may have brought nothing but the tag: it gets the last byte.
            let within = |mark: &Mark| mark.from.saturating_sub(HEAD + start).min(bytes.len() - 1);
            let begin = if place == 0 { 0 } else { within(mark) };
            let end = marks.get(place + 1).map_or(bytes.len(), within);
            let Some(piece) = bytes.get(begin..end).filter(|piece| !piece.is_empty()) else { continue };
            let peer_at = mark.peer_at.and_then(|at| self.lane(other(from)).translate(at));
            let chunk = Chunk {
                side,
                at: plain + begin as u64,
                bytes: piece,
                peer_at,
                time: mark.time,
                frame: mark.frame,
                source: mark.source,
            };
            emit(&mut self.inner, &self.facts, StreamEvent::Data(chunk));
        }
        self.lane(from).plain = Some(plain + bytes.len() as u64);
    }

    /// A record with bytes missing.
    pub(super) fn damaged(
        &mut self,
        shared: &mut Shared,
        from: Direction,
        at: StreamOffset,
        length: usize,
        time: Timestamp,
        emit: &mut Emit<'_>,
    ) {
        if self.is_early(from) {
            return self.hold_early(shared, Item::Damaged(from, at, length, time));
        }
        shared.counters.failed += 1;
        let whole = (HEAD + length) as u64;
        let lane = self.lane(from);
        // One that may be a KeyUpdate or an alert is no data, perhaps: the next record tells.
        if lane.content_length(length) <= SMALLEST_CONTENT || !lane.skip() {
            return self.lose(from, at, whole, time);
        }
        lane.bound(at);
        let missing = lane.content_length(length) as u64;
        lane.done = Some(at + whole);
        self.missing(from, missing, 0, None, time, emit);
    }

    /// So many bytes of the stream, from there on, hold records that nobody can open.
    pub(super) fn lose(&mut self, from: Direction, at: StreamOffset, bytes: u64, time: Timestamp) {
        let lost =
            Lost { from: at, until: at + bytes, acknowledged: bytes, acked_at: None, time, settled: 0 };
        self.lane(from).extend_lost(lost);
    }

    /// Behind a hole, a record was opened: so many are lost.
    fn found(
        &mut self,
        from: Direction,
        lost: Lost,
        at: StreamOffset,
        records: Records,
        emit: &mut Emit<'_>,
    ) {
        let lane = self.lane(from);
        let overhead = (HEAD + SAMPLE - lane.content_length(SAMPLE)) as u64;
        let whole = at.since(lost.from);
        // Where parts were given up before nobody could know how many records they were, so how many are left is not known
        // either: what is as long as that holds content.
        let update = overhead + SMALLEST_CONTENT as u64;
        let least = u64::from(whole > update);
        let missing = match records {
            Records::Known(0) if lost.settled == 0 || least == 0 => return,
            Records::Known(records) => whole.saturating_sub(records.max(1) * overhead),
            // What is more than the KeyUpdate may be content.
            Records::BehindUpdate(records) => whole.saturating_sub(records * overhead + update),
        };
        let missing = missing.max(least);
        lane.bound(lost.from);
        self.missing(from, missing, lost.acknowledged, lost.acked_at, lost.time, emit);
    }

    /// The other side says that it has everything before `until`: what is lost there is given up now, so that what
    /// follows keeps its place. How many records it was is not known: one, most likely.
    fn settle(&mut self, from: Direction, until: StreamOffset, emit: &mut Emit<'_>) {
        let has_spoken = self.has_spoken;
        let lane = self.lane(from);
        let Some(lost) = lane.lost.as_mut().filter(|lost| until > lost.from && has_spoken) else { return };
        let whole = lost.until.min(until).since(lost.from);
        // What holds no message at all must not look as if one were missing.
        if whole <= (HEAD + OVERHEAD + SMALLEST_CONTENT) as u64 {
            return;
        }
        let was = *lost;
        lost.from = was.from + whole;
        lost.settled += 1;
        lane.bound(was.from);
        lane.done = Some(was.from + whole);
        let whole = usize::try_from(whole).unwrap_or(usize::MAX);
        let missing = lane.content_length(whole.saturating_sub(HEAD)).max(1) as u64;
        self.missing(from, missing, was.acknowledged, was.acked_at, was.time, emit);
    }

    /// A gap in what is decrypted.
    fn missing(
        &mut self,
        from: Direction,
        length: u64,
        acknowledged: u64,
        acked_at: Option<StreamOffset>,
        time: Timestamp,
        emit: &mut Emit<'_>,
    ) {
        let side = self.side(from);
        let acked_at = acked_at.and_then(|at| self.lane(other(from)).translate(at));
        let lane = self.lane(from);
        let Some(at) = lane.plain.filter(|_| length > 0) else { return };
        lane.plain = Some(at + length);
        self.has_spoken = true;
        self.refresh_facts();
        let gap = Gap { side, at, len: length, acknowledged: acknowledged.min(length), acked_at, time };
        emit(&mut self.inner, &self.facts, StreamEvent::Gap(gap));
    }

    /// What exchanges carry from now on.
    pub(super) fn refresh_facts(&mut self) {
        if self.is_stale {
            self.facts = Arc::new(Facts { decrypted: true, ..self.handshake.facts.clone() });
            self.is_stale = false;
        }
    }

    pub(super) fn fin(&mut self, from: Direction, emit: &mut Emit<'_>) {
        self.settle_all(from, emit);
        if self.has_spoken {
            let side = self.side(from);
            emit(&mut self.inner, &self.facts, StreamEvent::Fin(side));
        }
    }

    fn settle_all(&mut self, from: Direction, emit: &mut Emit<'_>) {
        if let Some(until) = self.lane(from).lost.map(|lost| lost.until) {
            self.settle(from, until, emit);
        }
    }

    pub(super) fn evidence(
        &mut self,
        from: Direction,
        at: StreamOffset,
        evidence: Evidence,
        emit: &mut Emit<'_>,
    ) {
        if let Some(at) = self.lane(from).translate(at).filter(|_| self.has_spoken) {
            let side = self.side(from);
            emit(&mut self.inner, &self.facts, StreamEvent::Evidence(side, at, evidence));
        }
    }

    pub(super) fn close(&mut self, shared: &mut Shared, flow: &FlowInfo, emit: &mut Emit<'_>) {
        if self.blind.is_none() && !self.has_spoken && self.lanes.iter().any(|lane| lane.lost.is_some()) {
            self.become_blind(shared, Blind::WrongKeys);
        }
        self.drop_early(shared);
        self.settle_all(Direction::ToServer, emit);
        self.settle_all(Direction::ToClient, emit);
        self.refresh_facts();
        let server = flow.key.endpoint(self.client.peer());
        let facts = Facts { decrypted: self.has_spoken, ..self.handshake.facts.clone() };
        shared.services.connection(server, &facts, &self.tally, self.blind);
    }
}

const fn other(from: Direction) -> Direction {
    match from {
        Direction::ToServer => Direction::ToClient,
        Direction::ToClient => Direction::ToServer,
    }
}
