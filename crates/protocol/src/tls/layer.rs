//! TLS on one connection: cuts both directions into records, reads the handshake, and decrypts with the keys it is given.
//!
//! What is decrypted goes on as stream events of a connection inside, at offsets of the decrypted streams. Only bytes that
//! are authentic under their keys go on; what is lost or cannot be opened is a gap.

mod content;
mod early;
mod waiting;

use self::waiting::{Item, Waiting};
use super::cipher::Opened;
use super::estimate::Tally;
use super::handshake::{Epoch, FINISHED, Handshake, KEY_UPDATE, Readiness};
use super::lane::{Lane, Lost};
use super::records::{Body, Mark, Record};
use super::{Facts, HANDSHAKE, Shared};
use crate::{Connection, Direction, ProxyHeader};
use std::sync::Arc;
use tapwire_flow::{Chunk, FlowInfo, Gap, StreamEvent};
use tapwire_wire::{Side, Timestamp};

/// Content types of records (RFC 8446, 5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;

/// Messages that end an epoch of keys beside Finished (RFC 8446, 4.5).
const END_OF_EARLY_DATA: u8 = 5;

/// Takes what is decrypted, for the connection inside.
pub(crate) type Emit<'e> = dyn FnMut(&mut Connection, &Arc<Facts>, StreamEvent<'_>) + 'e;

/// Why nothing of a connection is decrypted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blind {
    /// Nobody gave keys, or is to give any.
    Unasked,
    /// They did not come in time.
    NoKeys,
    /// Those that came open nothing.
    WrongKeys,
    /// None could open it.
    Hopeless,
    /// It is not to be decrypted.
    NotAllowed,
}

/// A connection that speaks TLS.
#[derive(Debug)]
pub(crate) struct Layer {
    client: Side,
    /// By [`Direction`].
    lanes: [Lane; 2],
    handshake: Handshake,
    blind: Option<Blind>,
    facts: Arc<Facts>,
    /// What `facts` lacks of what the handshake has said since.
    is_stale: bool,
    pub(crate) inner: Connection,
    /// Whether the connection inside has heard anything.
    has_spoken: bool,
    waiting: Option<Box<Waiting>>,
    /// Early data, until the server says whether it takes it.
    early: Vec<Item>,
    /// The keys of one direction have not come, and are not waited for any more.
    is_partial: bool,
    /// The connection has ended; only what waits is left of it.
    is_over: bool,
    /// The keys that were there, and whether the server had answered, when it was looked for keys last.
    looked_with: (u64, bool),
    tally: Tally,
}

impl Layer {
    /// Of a connection whose client is known, with the PROXY header that stood in front.
    pub(crate) fn new(client: Side, proxy: Option<ProxyHeader>) -> Self {
        Self {
            client,
            lanes: [Lane::default(), Lane::default()],
            handshake: Handshake::default(),
            blind: None,
            facts: Arc::default(),
            is_stale: true,
            inner: Connection::behind(proxy),
            has_spoken: false,
            waiting: None,
            early: Vec::new(),
            is_partial: false,
            is_over: false,
            looked_with: (0, false),
            tally: Tally::default(),
        }
    }

    /// Bytes on the heap, but for the connection inside.
    pub(crate) fn held(&self) -> usize {
        let waiting = self.waiting.as_ref().map_or(0, |waiting| waiting.bytes())
            + self.early.iter().map(Item::bytes).sum::<usize>();
        size_of::<Self>() + waiting + self.handshake.held() + self.lanes.iter().map(Lane::held).sum::<usize>()
    }

    /// Nothing is going on: gives back what only a busy connection needs.
    pub(crate) fn rest(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.records.rest());
    }

    fn direction(&self, side: Side) -> Direction {
        if side == self.client { Direction::ToServer } else { Direction::ToClient }
    }

    const fn side(&self, from: Direction) -> Side {
        match from {
            Direction::ToServer => self.client,
            Direction::ToClient => self.client.peer(),
        }
    }

    /// One direction, and the other one.
    const fn lanes(&mut self, from: Direction) -> (&mut Lane, &mut Lane) {
        let [client, server] = &mut self.lanes;
        match from {
            Direction::ToServer => (client, server),
            Direction::ToClient => (server, client),
        }
    }

    const fn lane(&mut self, from: Direction) -> &mut Lane {
        self.lanes(from).0
    }

    /// Takes an event of the connection.
    pub(crate) fn event(
        &mut self,
        shared: &mut Shared,
        flow: &FlowInfo,
        event: &StreamEvent<'_>,
        emit: &mut Emit<'_>,
    ) {
        match event {
            StreamEvent::Data(chunk) => {
                self.look_for_keys(shared, chunk.time, emit);
                self.data(shared, chunk, emit);
            }
            StreamEvent::Gap(gap) => {
                self.look_for_keys(shared, gap.time, emit);
                self.gap(shared, gap, emit);
            }
            StreamEvent::Fin(side) => self.pass_on(shared, Item::Fin(self.direction(*side)), emit),
            StreamEvent::Evidence(side, at, evidence) => {
                let item = Item::Evidence(self.direction(*side), *at, *evidence);
                self.pass_on(shared, item, emit);
            }
            // What was decrypted was authentic, so other bytes in its place say nothing about it.
            StreamEvent::Again { .. } => {}
            StreamEvent::Time(now) => {
                self.look_for_keys(shared, *now, emit);
                if self.has_spoken {
                    emit(&mut self.inner, &self.facts, StreamEvent::Time(*now));
                }
            }
            StreamEvent::Close(reason) => {
                if self.must_wait_on(shared, *reason, emit) {
                    return;
                }
                self.end_waiting(shared, emit);
                self.close(shared, flow, emit);
                if self.has_spoken {
                    emit(&mut self.inner, &self.facts, StreamEvent::Close(*reason));
                }
            }
        }
    }

    fn data(&mut self, shared: &mut Shared, chunk: &Chunk<'_>, emit: &mut Emit<'_>) {
        let from = self.direction(chunk.side);
        self.tally.bytes(from, chunk.bytes.len(), chunk.time);
        let lane = self.lane(from);
        lane.plain.get_or_insert(chunk.at);
        lane.seen = Some(chunk.at + chunk.bytes.len() as u64);
        let mut used = 0;
        loop {
            let gathers = self.blind.is_none() || !self.handshake.has_server_hello();
            let lane = self.lane(from);
            let was_lost = lane.records.is_lost();
            let begin = chunk.at + used as u64;
            let Some(record) = lane.records.next(chunk, &mut used, gathers) else {
                if !was_lost && self.lane(from).records.is_lost() {
                    // No record begins where the last one ended.
                    self.lose(from, begin, chunk.bytes.len() as u64, chunk.time);
                }
                return;
            };
            let marks = std::mem::take(&mut lane.records.marks);
            let gathered = std::mem::take(&mut lane.records.body);
            let body = match &record.body {
                Body::Whole(body) => Some(*body),
                Body::Gathered => Some(gathered.as_slice()),
                Body::Passed | Body::Damaged => None,
            };
            self.record(shared, from, &record, body, &marks, chunk.time, emit);
            let records = &mut self.lane(from).records;
            records.marks = marks;
            if gathered.capacity() > 0 {
                records.body = gathered;
            }
        }
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "a record is what its direction, bytes and segments are together"
    )]
    fn record(
        &mut self,
        shared: &mut Shared,
        from: Direction,
        record: &Record<'_>,
        body: Option<&[u8]>,
        marks: &[Mark],
        time: Timestamp,
        emit: &mut Emit<'_>,
    ) {
        let is_protected = record.kind() == APPLICATION_DATA || self.lane(from).is_protected;
        if !is_protected {
            if let Some(body) = body {
                self.plain(shared, from, record.kind(), body);
            }
            return;
        }
        shared.counters.records += 1;
        self.tally.record(from, record.kind(), record.length, self.handshake.is_13(), time);
        if self.blind.is_some() {
            shared.counters.blind += 1;
            return;
        }
        if self.waiting.is_none() && self.readiness(shared) == Readiness::Ready {
            match body {
                Some(body) => self.open(shared, from, record.head, record.at, body, marks, emit),
                None => self.damaged(shared, from, record.at, record.length, time, emit),
            }
        } else if self.may_wait(shared) {
            let item = match body {
                Some(body) => Item::Record(from, record.head, record.at, body.to_vec(), marks.to_vec()),
                None => Item::Damaged(from, record.at, record.length, time),
            };
            self.wait(shared, item, time);
        } else {
            shared.counters.blind += 1;
        }
    }

    /// Whether records can be opened now.
    fn readiness(&mut self, shared: &Shared) -> Readiness {
        if self.lanes.iter().any(Lane::has_opened) {
            return Readiness::Ready;
        }
        self.looked_with = (shared.keys.generation(), self.handshake.has_server_hello());
        if !shared.config.allows(self.handshake.facts.sni.as_deref()) {
            return Readiness::Hopeless;
        }
        match self.handshake.readiness(shared) {
            Readiness::NoKeys if self.is_partial => Readiness::Ready,
            readiness => readiness,
        }
    }

    /// Whether keys may still come; where not, nothing of this connection is decrypted.
    fn may_wait(&mut self, shared: &mut Shared) -> bool {
        let allowed = shared.config.allows(self.handshake.facts.sni.as_deref());
        let readiness = self.handshake.readiness(shared);
        let why = match readiness {
            _ if !self.handshake.has_client_hello() => Blind::Hopeless,
            _ if !allowed => Blind::NotAllowed,
            Readiness::Hopeless => Blind::Hopeless,
            _ if !shared.keys.is_expecting() => Blind::Unasked,
            _ => return true,
        };
        self.become_blind(shared, why);
        false
    }

    fn become_blind(&mut self, shared: &mut Shared, why: Blind) {
        self.blind = Some(why);
        self.handshake.forget();
        match why {
            Blind::Unasked => {}
            Blind::NoKeys => shared.counters.no_keys += 1,
            Blind::WrongKeys => shared.counters.wrong_keys += 1,
            Blind::Hopeless => shared.counters.hopeless += u64::from(shared.keys.is_expecting()),
            Blind::NotAllowed => shared.counters.not_allowed += 1,
        }
    }

    /// A record in clear.
    fn plain(&mut self, shared: &mut Shared, from: Direction, kind: u8, body: &[u8]) {
        match kind {
            HANDSHAKE => self.messages(shared, from, body),
            // TLS 1.3 sends it for the sake of boxes on the way (RFC 8446, D.4).
            CHANGE_CIPHER_SPEC if self.handshake.version().is_some_and(|version| version < 0x0304) => {
                let lane = self.lane(from);
                lane.is_protected = true;
                lane.rekey();
            }
            _ => {}
        }
    }

    /// Handshake bytes, in clear or decrypted.
    fn messages(&mut self, shared: &mut Shared, from: Direction, content: &[u8]) {
        let mut messages = std::mem::take(&mut self.lane(from).messages);
        messages.take(content, |message| self.message(shared, from, message));
        self.lane(from).messages = messages;
        self.is_stale = true;
    }

    fn message(&mut self, shared: &mut Shared, from: Direction, message: &[u8]) {
        let had_hello = self.handshake.has_server_hello();
        let is_first = from == Direction::ToServer && !self.handshake.has_client_hello();
        self.handshake.message(shared, from, message);
        if is_first && self.handshake.has_client_hello() {
            shared.counters.connections += 1;
        }
        if !self.handshake.is_13() {
            return;
        }
        let kind = message.first().copied().unwrap_or_default();
        let epoch = self.lane(from).epoch;
        if kind == FINISHED && from == Direction::ToClient {
            // What came before it was not seen.
            self.handshake.takes_early_data.get_or_insert(false);
        }
        match kind {
            FINISHED if epoch == Some(Epoch::Handshake) => self.lane(from).enter(Epoch::Application),
            END_OF_EARLY_DATA if epoch == Some(Epoch::Early) => self.lane(from).enter(Epoch::Handshake),
            KEY_UPDATE if epoch == Some(Epoch::Application) => self.lane(from).update(),
            // Also behind a HelloRetryRequest: its answer is the hello that counts.
            _ if from == Direction::ToClient && !had_hello || kind == 2 => self.enter_handshake(),
            _ => {}
        }
    }

    /// The server has answered: both directions go on with the keys of the handshake.
    fn enter_handshake(&mut self) {
        let early = self.handshake.may_take_early_data();
        let [client, server] = &mut self.lanes;
        server.enter(Epoch::Handshake);
        client.enter(if early { Epoch::Early } else { Epoch::Handshake });
    }

    /// Bytes of a direction, or records in them, are lost.
    fn gap(&mut self, shared: &mut Shared, gap: &Gap, emit: &mut Emit<'_>) {
        let from = self.direction(gap.side);
        self.tally.gap(from);
        let lane = self.lane(from);
        lane.plain.get_or_insert(gap.at);
        lane.seen = Some(gap.at + gap.len);
        lane.messages.lose();
        // A record that was begun is lost from its beginning on.
        let begin = lane.records.begun().unwrap_or(gap.at);
        if let Some(record) = lane.records.gap(gap) {
            self.record(shared, from, &record, None, &[], gap.time, emit);
        } else if self.lane(from).records.is_lost() {
            let lost = Lost {
                from: begin,
                until: gap.at + gap.len,
                acknowledged: gap.acknowledged,
                acked_at: gap.acked_at,
                time: gap.time,
                settled: 0,
            };
            self.pass_on(shared, Item::Lost(from, lost), emit);
        }
    }

    /// Hands on in order: behind what waits for keys.
    fn pass_on(&mut self, shared: &mut Shared, item: Item, emit: &mut Emit<'_>) {
        if self.blind.is_some() {
            return;
        }
        match &mut self.waiting {
            Some(waiting) => shared.waiting += waiting.push(item),
            None => self.item(shared, item, emit),
        }
    }

    fn item(&mut self, shared: &mut Shared, item: Item, emit: &mut Emit<'_>) {
        match item {
            Item::Record(from, head, at, body, marks) => {
                self.open(shared, from, head, at, &body, &marks, emit)
            }
            Item::Damaged(from, at, length, time) => self.damaged(shared, from, at, length, time, emit),
            Item::Lost(from, lost) => self.lane(from).extend_lost(lost),
            Item::Fin(from) => self.fin(from, emit),
            Item::Evidence(from, at, evidence) => self.evidence(from, at, evidence, emit),
        }
    }

    /// What a record held.
    fn opened(&mut self, shared: &mut Shared, from: Direction, opened: &Opened) -> bool {
        match opened.kind {
            APPLICATION_DATA => return true,
            HANDSHAKE => {
                let scratch = std::mem::take(&mut shared.scratch);
                if let Some(content) = scratch.get(opened.content.clone()) {
                    self.messages(shared, from, content);
                }
                shared.scratch = scratch;
            }
            // The keys of a renegotiation (RFC 5246, 7.1).
            CHANGE_CIPHER_SPEC => self.lane(from).rekey(),
            _ => {}
        }
        false
    }
}
