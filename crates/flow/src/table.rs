//! The table of connections: which one a segment belongs to, and how long each is kept.

mod ahead;

pub use ahead::Place;

use crate::alarms::Alarms;
use crate::calm::Short;
use crate::causality::Causality;
use crate::clock::Clock;
use crate::conversation::Outcome;
use crate::counters::Counters;
use crate::hashing::Hashing;
use crate::index::Index;
use crate::outlet::Shared;
use crate::pair::Pair;
use crate::pool::Pool;
use crate::queues::{Class, Queues};
use crate::record::{Phase, Record};
use crate::senders::Senders;
use crate::{CloseReason, Config, Evidence, FlowInfo, StreamEvent, StreamOffset, StreamSink};
use std::collections::BTreeSet;
use tapwire_wire::{FlowKey, Segment, Side, TcpFlags, Timestamp};

/// How often the queues are looked at: nanoseconds of the table's time.
const EXPIRE_EVERY: i64 = 250_000_000;

/// Connections that have only shown a SYN get this part of the memory, 1/n.
const SYN_SHARE: usize = 8;

/// Bytes of an entry in the set of waits, with its share of a node.
pub(crate) const WAIT: usize = 40;

const SECOND: i64 = 1_000_000_000;

/// Turns segments into [`StreamEvent`]s. `T` is the listener's state for each connection.
pub struct FlowTable<T> {
    shared: Shared,
    clock: Clock,
    senders: Senders,
    index: Index,
    records: Vec<Option<Record<T>>>,
    /// Slots of `records` that are free.
    free: Vec<u32>,
    /// Where the last segment's connection was: packets come in bursts.
    last: u32,
    queues: Queues,
    /// When to give up holes and tentative starts, and of which slot.
    waits: BTreeSet<(i64, u32)>,
    alarms: Alarms,
    /// The earliest time at which a queue may have something to expire.
    next_expiry: i64,
}

impl<T: Default> FlowTable<T> {
    /// An empty table.
    pub fn new(config: Config) -> Self {
        let shared = Shared {
            pool: Pool::new(config.out_of_order_memory),
            hashing: Hashing::new(config.hash_seed),
            counters: Counters::default(),
            time: Timestamp::MIN,
            now: i64::MIN,
            vain_unheard: 0,
            config,
        };
        Self {
            shared,
            clock: Clock::default(),
            senders: Senders::new(),
            index: Index::new(),
            records: Vec::new(),
            free: Vec::new(),
            last: 0,
            queues: Queues::new(),
            waits: BTreeSet::new(),
            alarms: Alarms::default(),
            next_expiry: i64::MIN,
        }
    }

    /// Bytes of a connection's hot record, with its place in the index and in the queues.
    pub const RECORD: usize = size_of::<Option<Record<T>>>() + Index::ENTRY + Queues::NODE;

    /// What happened so far.
    pub const fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Connections in the table, tombstones included.
    pub const fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Whether no connection is in the table.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a segment, and lets the time pass that it states.
    pub fn handle<S: StreamSink<T>>(&mut self, segment: &Segment<'_>, sink: &mut S) {
        let hash = self.shared.hashing.key(&segment.key);
        self.handle_at(segment, Place { hash, slot: self.last }, sink);
    }

    /// The same for a segment whose place [`FlowTable::expect`] told.
    pub fn handle_at<S: StreamSink<T>>(&mut self, segment: &Segment<'_>, place: Place, sink: &mut S) {
        self.shared.now = self.clock.observe(segment.source, segment.time);
        self.shared.time = segment.time;
        self.run_timers(sink);
        let counters = &mut self.shared.counters;
        counters.segments += 1;
        counters.payload_bytes += segment.payload.len() as u64;
        counters.cut_bytes += u64::from(segment.cut);
        if let Some(source) = counters.source(segment.source) {
            source.segments += 1;
        }
        let hash = place.hash;
        let found = self.find(&segment.key, place);
        if !self.believes(found, segment, sink) {
            return;
        }
        if found.is_some_and(|slot| self.pass_on_calm(slot, segment, sink)) {
            return;
        }
        if let Some(slot) = self.slot_for(found, hash, segment, sink) {
            let slot = self.continue_flow(slot, hash, segment, sink);
            self.keep(slot, sink);
        }
    }

    /// The number of the connection that holds these addresses and ports now, also when it has just ended. Asked right
    /// after [`FlowTable::handle`], it is the one that the segment belongs to; `None` for a segment of no connection.
    pub fn connection(&self, key: &FlowKey) -> Option<u64> {
        let place = Place { hash: self.shared.hashing.key(key), slot: self.last };
        let slot = self.find(key, place)?;
        self.record(slot).map(|record| record.info.id)
    }

    /// Lets time pass until `now` without a packet: a live capture calls it when it is quiet. Packet time, as the source
    /// of the last packet stamps it.
    pub fn advance<S: StreamSink<T>>(&mut self, now: Timestamp, sink: &mut S) {
        self.shared.now = self.clock.advance(now);
        self.shared.time = now;
        self.run_timers(sink);
    }

    /// The capture ended: closes every connection in the order in which they were opened.
    pub fn finish<S: StreamSink<T>>(&mut self, sink: &mut S) {
        let live = |record: &Record<T>| !record.is_dead();
        let mut order: Vec<(u64, u32)> = (0..)
            .zip(&self.records)
            .filter_map(|(slot, record)| record.as_ref().map(|record| (record.info.id, slot)))
            .collect();
        order.sort_unstable();
        for (_, slot) in order {
            if self.record(slot).is_some_and(live) {
                self.close(slot, CloseReason::End, sink);
            }
            self.forget(slot);
        }
    }

    fn record(&self, slot: u32) -> Option<&Record<T>> {
        self.records.get(slot as usize)?.as_ref()
    }

    fn find(&self, key: &FlowKey, place: Place) -> Option<u32> {
        let is_it = |slot: u32| self.record(slot).is_some_and(|record| record.info.key == *key);
        if is_it(place.slot) { Some(place.slot) } else { self.index.find(place.hash, is_it) }
    }

    /// Whether the segment's checksum lets it through. One that is stopped changes nothing.
    fn believes<S: StreamSink<T>>(
        &mut self,
        found: Option<u32>,
        segment: &Segment<'_>,
        sink: &mut S,
    ) -> bool {
        if self.shared.config.accept_bad_checksums {
            return true;
        }
        let mut record = found.and_then(|slot| self.records.get_mut(slot as usize)?.as_mut());
        let hint = record.as_ref().map_or(u16::MAX, |record| record.halves.get(segment.side).sender);
        let judgement = self.senders.judge(segment, u32::from(hint), &self.shared.hashing);
        let counters = &mut self.shared.counters;
        counters.offloaded_senders += u64::from(judgement.offload_found);
        if let Some(record) = &mut record {
            record.halves.get_mut(segment.side).sender = u16::try_from(judgement.sender).unwrap_or(u16::MAX);
        }
        if judgement.believed {
            return true;
        }
        counters.bad_checksum += 1;
        counters.dropped_bytes += segment.payload.len() as u64;
        if let Some(record) = record.filter(|record| !record.is_dead()) {
            let at = record.halves.get(segment.side).offset(segment.seq);
            let evidence = StreamEvent::Evidence(segment.side, at, Evidence::BadChecksum);
            sink.event(&record.info, &mut record.state, evidence);
        }
        false
    }

    /// Where the segment's connection is; `None` when the segment is counted and done with.
    fn slot_for<S: StreamSink<T>>(
        &mut self,
        found: Option<u32>,
        hash: u32,
        segment: &Segment<'_>,
        sink: &mut S,
    ) -> Option<u32> {
        let mut outlived = None;
        if let Some(slot) = found {
            let record = self.records.get_mut(slot as usize)?.as_mut()?;
            let dead = record.is_dead();
            let counters = &mut self.shared.counters;
            let revived = dead && record.outlives_its_end(segment);
            counters.revived += u64::from(revived);
            outlived = revived.then(|| record.end_that_was_ignored());
            if !revived && !record.is_replaced_by(segment) {
                if dead {
                    counters.after_close += 1;
                    counters.dropped_bytes += segment.payload.len() as u64;
                }
                return (!dead).then_some(slot);
            }
            if !dead {
                self.close(slot, CloseReason::Replaced, sink);
            }
            self.forget(slot);
        }
        let bare = segment.payload.is_empty() && segment.cut == 0 && !segment.flags.has(TcpFlags::SYN);
        if segment.flags.has(TcpFlags::RST) || (bare && segment.flags.has(TcpFlags::FIN)) {
            self.shared.counters.stray += 1;
            self.shared.counters.dropped_bytes += segment.payload.len() as u64;
            return None;
        }
        let slot = self.open(hash, segment);
        if let Some((evidence, record)) = outlived.zip(self.records.get_mut(slot as usize)?.as_mut()) {
            let at = StreamOffset::first(segment.seq);
            sink.event(&record.info, &mut record.state, StreamEvent::Evidence(segment.side, at, evidence));
        }
        Some(slot)
    }

    fn open(&mut self, hash: u32, segment: &Segment<'_>) -> u32 {
        let counters = &mut self.shared.counters;
        counters.flows_opened += 1;
        counters.flows_without_syn += u64::from(!segment.flags.has(TcpFlags::SYN));
        counters.memory += Self::RECORD as u64;
        let Segment { key, time: opened, source, vlan, overlay, .. } = *segment;
        let record = Record {
            info: FlowInfo { id: counters.flows_opened, key, initiator: None, opened, source, vlan, overlay },
            halves: Pair::default(),
            cold: None,
            state: T::default(),
            active: self.shared.now,
            waits_until: None,
            charged: 0,
            phase: Phase::Embryonic,
            calm: false,
            causality: Causality::default(),
        };
        let slot = self.free.pop().unwrap_or_else(|| self.add_slot());
        if let Some(place) = self.records.get_mut(slot as usize) {
            *place = Some(record);
        }
        self.index.insert(hash, slot);
        slot
    }

    fn add_slot(&mut self) -> u32 {
        self.records.push(None);
        u32::try_from(self.records.len() - 1).unwrap_or(u32::MAX)
    }

    /// Hands the segment to its connection, and gives the slot of that, which may be a new one.
    fn continue_flow<S: StreamSink<T>>(
        &mut self,
        slot: u32,
        hash: u32,
        segment: &Segment<'_>,
        sink: &mut S,
    ) -> u32 {
        let reason = match self.pass_on(slot, segment, sink) {
            Outcome::Open => return slot,
            Outcome::Reset => CloseReason::Reset,
            Outcome::Finished => CloseReason::Fin,
            Outcome::Replaced => {
                self.close(slot, CloseReason::Replaced, sink);
                self.forget(slot);
                let slot = self.open(hash, segment);
                self.pass_on(slot, segment, sink);
                return slot;
            }
        };
        self.close(slot, reason, sink);
        if let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) {
            match reason {
                CloseReason::Reset => record.entomb(segment),
                _ => record.entomb_finished(),
            }
        }
        slot
    }

    /// Hands a usual segment to its connection by the short way; `false` when it is none.
    #[inline]
    fn pass_on_calm<S: StreamSink<T>>(&mut self, slot: u32, segment: &Segment<'_>, sink: &mut S) -> bool {
        let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) else { return false };
        let short = record.handle_calm(segment, &mut self.shared, sink);
        if short == Short::NotTaken {
            return false;
        }
        record.active = self.shared.now;
        let class = record.class(sink);
        self.last = slot;
        self.queues.touch(slot, class, self.shared.now);
        if short == Short::Grown {
            self.charge(slot);
        }
        self.keep_within_bounds(slot, sink);
        true
    }

    fn pass_on<S: StreamSink<T>>(&mut self, slot: u32, segment: &Segment<'_>, sink: &mut S) -> Outcome {
        let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) else {
            return Outcome::Open;
        };
        self.last = slot;
        record.active = self.shared.now;
        record.info.vlan = record.info.vlan.or(segment.vlan);
        if record.info.overlay.tunnels.is_empty() {
            record.info.overlay = segment.overlay;
        }
        record.handle(segment, &mut self.shared, sink)
    }

    /// After events of a connection: its place in the queues, its waits and its share of the memory.
    fn keep<S: StreamSink<T>>(&mut self, slot: u32, sink: &mut S) {
        let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        self.queues.touch(slot, record.class(sink), self.shared.now);
        self.keep_waits(slot);
        self.charge(slot);
        self.shared.counters.out_of_order_memory = self.shared.pool.lent() as u64;
        let shortcuts = self.shared.config.shortcuts;
        if let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) {
            record.calm = shortcuts && record.is_calm();
        }
        self.keep_within_bounds(slot, sink);
    }

    fn keep_within_bounds<S: StreamSink<T>>(&mut self, slot: u32, sink: &mut S) {
        if let Some(after) = sink.take_alarm() {
            self.set_alarm(slot, after);
        }
        if self.queues.len(Class::Idle) > self.shared.config.awake {
            self.rest_one(slot, sink);
        }
        self.make_room(slot, sink);
    }

    #[cold]
    fn set_alarm(&mut self, slot: u32, after: i64) {
        let Some(number) = self.record(slot).map(|record| record.info.id) else { return };
        // At the end of time an alarm would be due as soon as it is set, without end.
        let at = self.shared.now.checked_add(after.max(1));
        let set = at.is_some_and(|at| self.alarms.set(at, number, slot));
        self.shared.counters.alarms_refused += u64::from(!set);
    }

    /// Counts what a connection takes now.
    fn charge(&mut self, slot: u32) {
        let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let footprint = record.cold_footprint();
        let charged = std::mem::replace(&mut record.charged, footprint);
        let counters = &mut self.shared.counters;
        counters.memory = (counters.memory + footprint as u64).saturating_sub(charged as u64);
    }

    /// Lets the idle connection rest that was active longest ago, but not the one in `busy`.
    #[cold]
    fn rest_one<S: StreamSink<T>>(&mut self, busy: u32, sink: &mut S) {
        let Some(slot) = self.least_active(Class::Idle, busy) else { return };
        let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        record.rest();
        sink.rest(&mut record.state);
        self.queues.touch(slot, Class::Resting, self.shared.now);
        self.charge(slot);
    }

    /// The connection of a class that was active longest ago, but not the one in `busy`.
    fn least_active(&self, class: Class, busy: u32) -> Option<u32> {
        let front = self.queues.front(class)?;
        if front == busy { self.queues.after(front) } else { Some(front) }
    }

    fn keep_waits(&mut self, slot: u32) {
        let gap_after = self.shared.config.gap_after_ms.map(|ms| i64::from(ms) * 1_000_000);
        let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let until = record.wait(gap_after);
        if until == record.waits_until {
            return;
        }
        if let Some(before) = std::mem::replace(&mut record.waits_until, until) {
            self.waits.remove(&(before, slot));
        }
        self.waits.extend(until.map(|until| (until, slot)));
    }

    /// Closes a connection for its listener; its record stays.
    fn close<S: StreamSink<T>>(&mut self, slot: u32, reason: CloseReason, sink: &mut S) {
        let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let embryonic = record.phase == Phase::Embryonic;
        record.close(reason, &mut self.shared, sink);
        // What it asked for at its end is not the next connection's.
        sink.take_alarm();
        let counters = &mut self.shared.counters;
        *match reason {
            CloseReason::Fin => &mut counters.closed_fin,
            CloseReason::Reset => &mut counters.closed_reset,
            CloseReason::Idle => &mut counters.closed_idle,
            CloseReason::Replaced => &mut counters.closed_replaced,
            CloseReason::Evicted if embryonic => &mut counters.evicted_syn,
            CloseReason::Evicted => &mut counters.evicted,
            CloseReason::End => &mut counters.closed_end,
        } += 1;
    }

    /// Frees the record of a closed connection.
    fn forget(&mut self, slot: u32) {
        let Some(record) = self.records.get_mut(slot as usize).and_then(Option::take) else { return };
        self.index.remove(self.shared.hashing.key(&record.info.key), slot);
        self.queues.remove(slot);
        if let Some(until) = record.waits_until {
            self.waits.remove(&(until, slot));
        }
        let freed = (record.charged + Self::RECORD) as u64;
        self.shared.counters.memory = self.shared.counters.memory.saturating_sub(freed);
        self.shared.counters.out_of_order_memory = self.shared.pool.lent() as u64;
        self.free.push(slot);
    }

    fn run_timers<S: StreamSink<T>>(&mut self, sink: &mut S) {
        while let Some((until, slot)) =
            self.waits.first().copied().filter(|(until, _)| *until <= self.shared.now)
        {
            self.waits.remove(&(until, slot));
            self.end_wait(slot, sink);
        }
        while let Some((number, slot)) = self.alarms.due(self.shared.now) {
            self.tell_time(number, slot, sink);
        }
        if self.shared.now < self.next_expiry {
            return;
        }
        self.next_expiry = self.shared.now.saturating_add(EXPIRE_EVERY);
        for class in Class::ALL {
            self.expire(class, sink);
        }
    }

    /// Tells the connection of that number the time, when it is still there.
    fn tell_time<S: StreamSink<T>>(&mut self, number: u64, slot: u32, sink: &mut S) {
        let time = self.shared.time;
        let record = self.records.get_mut(slot as usize).and_then(Option::as_mut);
        let Some(record) = record.filter(|record| record.info.id == number && !record.is_dead()) else {
            return;
        };
        sink.event(&record.info, &mut record.state, StreamEvent::Time(time));
        self.keep(slot, sink);
    }

    /// Gives up the waits of a connection whose time is over.
    fn end_wait<S: StreamSink<T>>(&mut self, slot: u32, sink: &mut S) {
        let gap_after = self.shared.config.gap_after_ms.map(|ms| i64::from(ms) * 1_000_000);
        let now = self.shared.now;
        let Some(record) = self.records.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        record.waits_until = None;
        for side in [Side::Lower, Side::Upper] {
            if record.wait_of(side, gap_after).is_some_and(|until| until <= now) {
                let (mut assembly, mut out) = record.split(side, &mut self.shared, sink);
                assembly.give_up(&mut out);
            }
        }
        record.release(&mut self.shared, sink);
        self.keep(slot, sink);
    }

    fn expire<S: StreamSink<T>>(&mut self, class: Class, sink: &mut S) {
        let config = &self.shared.config;
        let seconds = match class {
            Class::AfterReset => config.rst_timeout,
            Class::AfterFin | Class::Closing => config.fin_timeout,
            Class::Syn => config.syn_timeout,
            Class::Resting | Class::Idle => config.idle_timeout,
            Class::Open => config.open_timeout,
            Class::LongLived => config.long_lived_timeout,
        };
        let before = self.shared.now.saturating_sub(i64::from(seconds) * SECOND);
        while let Some(slot) = self.queues.front(class) {
            let Some(record) = self.record(slot).filter(|record| record.active <= before) else { break };
            if !record.is_dead() {
                let reason = if class == Class::Closing { CloseReason::Fin } else { CloseReason::Idle };
                self.close(slot, reason, sink);
            }
            self.forget(slot);
        }
    }

    /// Closes the least active connections until the memory suffices, never the one in `busy`.
    fn make_room<S: StreamSink<T>>(&mut self, busy: u32, sink: &mut S) {
        let budget = self.shared.config.memory;
        while self.queues.len(Class::Syn) * Self::RECORD > budget / SYN_SHARE
            && self.evict(&[Class::Syn], busy, sink)
        {}
        loop {
            let counters = &mut self.shared.counters;
            counters.listener_memory = sink.held() as u64;
            let memory = counters.memory + counters.listener_memory;
            if memory <= budget as u64 || !self.evict(&Class::ALL, busy, sink) {
                break;
            }
        }
        let counters = &mut self.shared.counters;
        counters.memory_peak = counters.memory_peak.max(counters.memory + counters.listener_memory);
    }

    /// Closes the least active connection of these classes; `false` when there is none.
    fn evict<S: StreamSink<T>>(&mut self, classes: &[Class], busy: u32, sink: &mut S) -> bool {
        let least = |class: &Class| {
            let slot = self.least_active(*class, busy)?;
            Some((self.record(slot)?.active.saturating_add(class.handicap()), slot))
        };
        let Some((_, slot)) = classes.iter().filter_map(least).min() else { return false };
        if self.record(slot).is_some_and(|record| !record.is_dead()) {
            self.close(slot, CloseReason::Evicted, sink);
        }
        self.forget(slot);
        true
    }
}
