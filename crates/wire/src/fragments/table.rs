//! Which datagrams wait, how long, and which one makes room.

use std::collections::VecDeque;

use crate::fragments::datagram::{Added, Datagram};
use crate::fragments::{Fragment, FragmentCounters, FragmentFate, FragmentKey, MAX_DATAGRAM, Whole};
use crate::walk::Walk;
use crate::{Config, PacketId, Skip, SkipReason, Timestamp};

/// Datagrams at a time, complete ones included: their records are 1.2 KiB each beside their bytes.
const MAX_DATAGRAMS: usize = 1_024;

/// How long a complete datagram is remembered: longer than any mirror delays its second copy, and far shorter than a busy
/// sender needs to come round to the same identification.
const REMEMBERED: i64 = 100_000_000;

/// The least buffer, and the least budget: two of the largest datagrams.
const LEAST_BUFFER: usize = 2_048;
const LEAST_MEMORY: usize = 4 * (MAX_DATAGRAM + 1);

/// The fragments of a run.
pub(crate) struct Fragments {
    slots: Vec<Datagram>,
    free: Vec<u32>,
    /// Slots in use, sorted by key. A sorted list needs no allocation and no hash that an attacker could aim at.
    index: Vec<(FragmentKey, u32)>,
    /// Slots of datagrams with holes, and of complete ones, oldest first.
    waiting: VecDeque<u32>,
    done: VecDeque<u32>,
    clock: i64,
    timeout: i64,
    limit: usize,
    counters: FragmentCounters,
}

impl Fragments {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: Vec::new(),
            waiting: VecDeque::new(),
            done: VecDeque::new(),
            clock: i64::MIN,
            timeout: i64::from(config.fragment_timeout) * 1_000_000_000,
            limit: config.fragment_memory.max(LEAST_MEMORY),
            counters: FragmentCounters::default(),
        }
    }

    pub(crate) const fn counters(&self) -> &FragmentCounters {
        &self.counters
    }

    /// Takes a fragment that `walk` led to and that came in `packets`. Gives the slot of the datagram that it completes.
    pub(crate) fn insert(
        &mut self,
        fragment: &Fragment<'_>,
        walk: &Walk,
        tenant: u32,
        time: Timestamp,
        packets: &[PacketId],
    ) -> Result<u32, Skip> {
        self.pass(time);
        self.counters.fragments += 1;
        let fate = match self.try_insert(fragment, walk, tenant, packets) {
            Ok(Some(slot)) => return Ok(slot),
            Ok(None) => return Err(Skip::new(fragment.layer(), SkipReason::Fragment)),
            Err(fate) => fate,
        };
        self.counters.add(fate, 1);
        Err(Skip::new(fragment.layer(), SkipReason::FragmentDropped))
    }

    /// Copies a complete datagram out, and the packets that it came in. Its own bytes stay, to know copies of its fragments by.
    pub(crate) fn copy(&self, slot: u32, into: &mut Vec<u8>, packets: &mut Vec<PacketId>) -> Option<Whole> {
        let datagram = self.slots.get(slot as usize)?;
        into.clear();
        into.extend_from_slice(datagram.captured());
        packets.clear();
        packets.extend_from_slice(&datagram.packets);
        Some(Whole { origin: datagram.origin?, stated: datagram.total?, conflict: datagram.conflict })
    }

    fn try_insert(
        &mut self,
        fragment: &Fragment<'_>,
        walk: &Walk,
        tenant: u32,
        packets: &[PacketId],
    ) -> Result<Option<u32>, FragmentFate> {
        let length = fragment.transport.view.stated;
        if length == 0 || (fragment.more && !length.is_multiple_of(8)) {
            return Err(FragmentFate::Malformed);
        }
        if usize::from(fragment.offset) + length > MAX_DATAGRAM {
            return Err(FragmentFate::Oversized);
        }
        let slot = self.slot_of(fragment, fragment.key(walk, tenant))?;
        self.make_room(slot, usize::from(fragment.offset) + fragment.transport.view.data.len());
        self.add(slot, fragment, walk, packets)
    }

    fn add(
        &mut self,
        slot: u32,
        fragment: &Fragment<'_>,
        walk: &Walk,
        packets: &[PacketId],
    ) -> Result<Option<u32>, FragmentFate> {
        let Some(datagram) = self.slots.get_mut(slot as usize) else { return Err(FragmentFate::Evicted) };
        let before = datagram.conflict;
        let added = datagram.add(fragment, walk);
        self.counters.conflicts += u64::from(datagram.conflict && !before);
        if added != Added::Nothing {
            datagram.came_in(packets);
        }
        match added {
            Added::Fresh => {}
            Added::Nothing => return Err(FragmentFate::Duplicate),
            Added::Conflict => return Err(FragmentFate::Conflicting),
        }
        datagram.fragments += 1;
        self.counters.held += 1;
        if !datagram.complete {
            return Ok(None);
        }
        datagram.since = self.clock;
        self.counters.datagrams += 1;
        self.counters.release(FragmentFate::Completed, datagram.fragments);
        self.waiting.retain(|other| *other != slot);
        self.done.push_back(slot);
        Ok(Some(slot))
    }

    /// The datagram that the fragment belongs to, a new one if need be.
    fn slot_of(&mut self, fragment: &Fragment<'_>, key: FragmentKey) -> Result<u32, FragmentFate> {
        if let Ok(at) = self.index.binary_search_by_key(&key, |(key, _)| *key)
            && let Some((_, slot)) = self.index.get(at).copied()
            && let Some(datagram) = self.slots.get(slot as usize)
        {
            if !datagram.complete {
                return Ok(slot);
            }
            if datagram.repeats(fragment) {
                return Err(FragmentFate::Duplicate);
            }
            // The identification came round.
            self.forget_done(slot);
        }
        Ok(self.open(key))
    }

    fn open(&mut self, key: FragmentKey) -> u32 {
        if self.free.is_empty() && self.slots.len() >= MAX_DATAGRAMS {
            self.evict(None);
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(datagram) = self.slots.get_mut(slot as usize) {
                    *datagram = Datagram::new(key, self.clock, std::mem::take(&mut datagram.bytes));
                }
                slot
            }
            None => {
                self.slots.push(Datagram::new(key, self.clock, Vec::new()));
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let at = self.index.partition_point(|(other, _)| *other < key);
        self.index.insert(at, (key, slot));
        self.waiting.push_back(slot);
        slot
    }

    /// Lets the clock go on, and drops what waited too long.
    fn pass(&mut self, time: Timestamp) {
        let mut clock = Timestamp::from_nanos(self.clock);
        let rebased = clock.follow(time);
        self.clock = clock.nanos();
        while let Some(slot) = self.overdue(&self.waiting, self.timeout, rebased) {
            self.forget_waiting(slot, FragmentFate::Expired);
        }
        while let Some(slot) = self.overdue(&self.done, REMEMBERED, rebased) {
            self.forget_done(slot);
        }
    }

    fn overdue(&self, queue: &VecDeque<u32>, after: i64, rebased: bool) -> Option<u32> {
        let slot = *queue.front()?;
        let since = self.slots.get(slot as usize)?.since;
        (rebased || self.clock.saturating_sub(since) > after).then_some(slot)
    }

    /// Makes the buffer of `slot` reach to `end`, at the cost of the oldest others.
    fn make_room(&mut self, slot: u32, end: usize) {
        let have = self.slots.get(slot as usize).map_or(0, |datagram| datagram.bytes.capacity());
        if have >= end {
            return;
        }
        let want = end.next_power_of_two().max(LEAST_BUFFER);
        let limit = self.limit as u64;
        while self.counters.memory + (want - have) as u64 > limit {
            if !self.shrink() && !self.evict(Some(slot)) {
                break;
            }
        }
        if let Some(datagram) = self.slots.get_mut(slot as usize) {
            let length = datagram.bytes.len();
            datagram.bytes.reserve_exact(want - length);
            self.counters.memory += (datagram.bytes.capacity() - have) as u64;
        }
    }

    /// Gives back the buffer of a free slot.
    fn shrink(&mut self) -> bool {
        let slots = &mut self.slots;
        let found = self.free.iter().rev().find_map(|slot| {
            let datagram = slots.get_mut(*slot as usize)?;
            let bytes = std::mem::take(&mut datagram.bytes).capacity();
            (bytes > 0).then_some(bytes)
        });
        self.counters.memory -= found.unwrap_or(0) as u64;
        found.is_some()
    }

    /// Frees the oldest datagram but `except`, complete ones first. `false` when there is none.
    fn evict(&mut self, except: Option<u32>) -> bool {
        if let Some(slot) = self.done.front().copied() {
            self.forget_done(slot);
            return true;
        }
        let oldest = self.waiting.iter().copied().find(|slot| Some(*slot) != except);
        if let Some(slot) = oldest {
            self.forget_waiting(slot, FragmentFate::Evicted);
        }
        oldest.is_some()
    }

    fn forget_waiting(&mut self, slot: u32, fate: FragmentFate) {
        let fragments = self.slots.get(slot as usize).map_or(0, |datagram| datagram.fragments);
        self.counters.release(fate, fragments);
        self.waiting.retain(|other| *other != slot);
        self.release(slot);
    }

    fn forget_done(&mut self, slot: u32) {
        self.done.retain(|other| *other != slot);
        self.release(slot);
    }

    fn release(&mut self, slot: u32) {
        let Some(datagram) = self.slots.get_mut(slot as usize) else { return };
        datagram.packets = Vec::new();
        let key = datagram.key;
        if let Ok(at) = self.index.binary_search_by_key(&key, |(key, _)| *key) {
            self.index.remove(at);
        }
        self.free.push(slot);
    }
}
