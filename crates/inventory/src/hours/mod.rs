//! Hours of callers: what each does at each endpoint within an hour of packet time, against the hours of its peers there, and
//! against quotas. Bounded: a table of cells, groups of peers, and counters of what found no room.

mod cell;
mod group;
mod index;
mod quotas;
mod saved;
mod spread;

pub use cell::Measure;
pub use group::{Drift, Unusual};
pub use quotas::{Declared, QuotaUse, Suggested, Whom};
pub(crate) use saved::Saved;

use crate::hashing::Keyed;
use crate::{Call, EndpointId, PrincipalKind};
use cell::{Cell, Cells};
use group::{Group, PEERS};
use index::Index;
use tapwire_inspect::Mark;

/// Drifts that are kept to be told.
const MAX_DRIFTS: usize = 64;

/// How an hour of a caller stands to those of its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Peers that are known, about, and hours of theirs: the fewer of both. 0: the caller has no name, or no endpoint was called.
    pub peers: u32,
    /// It is far above theirs, and that is said once.
    pub unusual: Option<Unusual>,
}

/// What became of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HourCounters {
    /// Hours that go on.
    pub open: u64,
    /// Groups of peers.
    pub groups: u64,
    /// Hours that made room for others before they were over.
    pub evicted: u64,
    /// Calls of groups for which there was no room.
    pub beyond_groups: u64,
    /// Groups of which nobody had called for long that made room for others.
    pub expired_groups: u64,
    /// Hours above what is usual that were drift.
    pub drifted: u64,
}

/// Hours of callers, and quotas.
pub struct Hours {
    cells: Cells,
    groups: Vec<Group>,
    index: Index,
    max_groups: usize,
    drifts: Vec<Drift>,
    declared: Vec<Declared>,
    used: Vec<QuotaUse>,
    /// What is known is judged by and not added to.
    frozen: bool,
    beyond_groups: u64,
    /// Where groups are looked at for room.
    hand: usize,
    expired_groups: u64,
    drifted: u64,
}

impl Hours {
    pub(crate) fn new(hashing: Keyed, max_cells: usize, max_groups: usize, declared: &[Declared]) -> Self {
        Self {
            cells: Cells::new(max_cells),
            groups: Vec::new(),
            index: Index::new(hashing),
            max_groups: max_groups.min(usize::from(u16::MAX)),
            drifts: Vec::new(),
            used: vec![QuotaUse::default(); declared.len()],
            declared: declared.to_vec(),
            frozen: false,
            beyond_groups: 0,
            hand: 0,
            expired_groups: 0,
            drifted: 0,
        }
    }

    /// From here on hours are judged by what is known; nothing is added.
    pub(crate) const fn freeze(&mut self) {
        self.frozen = true;
    }

    /// Hears of a call of a named caller at an endpoint.
    pub(crate) fn hear(&mut self, call: &Call) -> Standing {
        let (Some(endpoint), Some(principal)) = (call.endpoint, call.principal) else {
            return Standing::default();
        };
        if principal.kind == PrincipalKind::Network || call.observation.exchange.child.is_some() {
            return Standing::default();
        }
        let time = call.observation.exchange.started();
        let seconds = u64::try_from(time.nanos() / 1_000_000_000).unwrap_or(0);
        let hour = u32::try_from(seconds / 3_600).unwrap_or(0);
        let role = call.caller.grants.as_ref().map_or(principal.kind as u64, |grants| grants.id);
        let Some(group) = self.group(endpoint, role, hour / 24) else {
            self.beyond_groups += 1;
            return Standing::default();
        };
        let caller = principal.token.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let key = key(caller, group);
        let Self { cells, groups, index, frozen, declared, used, .. } = self;
        // An hour that had to make room before it was over says too little.
        let mut over = |cell: Cell| {
            close((groups, index), (declared, used), *frozen || cell.hour >= hour, &cell);
        };
        cells.sweep(hour, &mut over);
        let Some(cell) = cells.place(key, &mut over) else { return Standing::default() };
        if cell.hour < hour && cell.calls > 0 {
            over(*cell);
            *cell = Cell { key, ..Cell::default() };
        }
        if cell.calls == 0 {
            (cell.caller, cell.group, cell.hour) = (caller, group, hour);
            cell.quota = quotas::of(declared, call);
        }
        count(cell, call);
        let Some(group) = groups.get_mut(usize::from(group)) else { return Standing::default() };
        group.active(caller, hour / 24);
        #[allow(clippy::cast_possible_truncation, reason = "below 3,600")]
        let second = (seconds % 3_600) as u16;
        let peers = group.known();
        let since = call.caller.first_seen.map_or(0, |since| since.nanos().div_euclid(3_600_000_000_000));
        let known_before = since < i64::from(hour);
        if cell.calls == 1 {
            group.begins(hour, known_before);
        }
        let unusual = match group.judge(cell, second, time, known_before) {
            Ok(unusual) => unusual,
            Err(drift) => {
                if !self.frozen {
                    group.forget(drift.measure, hour);
                    self.drifted += u64::from(drift.callers);
                    self.drifts.extend((self.drifts.len() < MAX_DRIFTS).then_some(drift));
                }
                None
            }
        };
        Standing { peers, unusual }
    }

    fn group(&mut self, endpoint: EndpointId, role: u64, day: u32) -> Option<u16> {
        let key = index::key(endpoint, role);
        if let Some(at) = self.index.get(key) {
            return Some(at);
        }
        if self.groups.len() >= self.max_groups {
            return self.renew(Group::new(key, endpoint, day), day);
        }
        let at = u16::try_from(self.groups.len()).ok()?;
        self.groups.push(Group::new(key, endpoint, 0));
        self.index.insert(key, endpoint, at);
        Some(at)
    }

    /// Looks at one group more; a new one takes its place where nobody of it called for long.
    fn renew(&mut self, new: Group, day: u32) -> Option<u16> {
        self.hand = if self.hand + 1 < self.groups.len() { self.hand + 1 } else { 0 };
        let at = u16::try_from(self.hand).ok()?;
        let old = self.groups.get_mut(self.hand).filter(|group| group.is_over(day))?;
        self.index.remove(old.key, old.endpoint, at);
        self.index.insert(new.key, new.endpoint, at);
        *old = new;
        self.expired_groups += 1;
        Some(at)
    }

    /// An endpoint became another: its groups are groups of that one. Where that one has a group of the role, what is usual is
    /// that of both.
    pub(crate) fn moved(&mut self, from: EndpointId, to: EndpointId) {
        if from == to {
            return;
        }
        for at in self.index.of(from).to_vec() {
            let Some(group) = self.groups.get_mut(usize::from(at)) else { continue };
            let role = index::key(from, group.key);
            self.index.remove(group.key, from, at);
            (group.key, group.endpoint) = (index::key(to, role), to);
            let known = self.index.get(group.key);
            self.index.insert(group.key, to, at);
            if let Some(known) = known
                && let both = [known.min(at), known.max(at)].map(usize::from)
                && let Ok([first, other]) = self.groups.get_disjoint_mut(both)
            {
                first.absorb(other);
            }
        }
    }

    /// Every hour is over.
    pub(crate) fn settle(&mut self) {
        let Self { cells, groups, index, frozen, declared, used, .. } = self;
        cells.take_all().iter().for_each(|cell| close((groups, index), (declared, used), *frozen, cell));
        groups.iter_mut().for_each(Group::renew_limits);
    }

    /// Changes of many callers at once, in the order they were seen.
    pub fn drifts(&self) -> &[Drift] {
        &self.drifts
    }

    /// What became of hours so far.
    pub const fn counters(&self) -> HourCounters {
        HourCounters {
            open: self.cells.len() as u64,
            groups: self.groups.len() as u64,
            evicted: self.cells.evicted,
            beyond_groups: self.beyond_groups,
            expired_groups: self.expired_groups,
            drifted: self.drifted,
        }
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.cells.held() + self.groups.len() * (size_of::<Group>() + 12 * 1_040)
    }

    /// What was declared, with how it is used.
    pub fn declared(&self) -> impl Iterator<Item = (&Declared, &QuotaUse)> {
        self.declared.iter().zip(&self.used)
    }

    /// A limit for the callers of an endpoint, from the hours of the last seven days; `None` where there were none.
    pub fn suggested(&self, endpoint: EndpointId) -> Option<Suggested> {
        let mut of = quotas::Suggesting::default();
        let places = self.index.of(endpoint).iter();
        places.filter_map(|at| self.groups.get(usize::from(*at))).for_each(|group| of.add(group));
        of.suggested()
    }
}

/// What tells an hour of a caller in a group apart from others.
fn key(caller: u64, group: u16) -> u64 {
    (caller.rotate_left(23) ^ (u64::from(group) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).max(1)
}

fn count(cell: &mut Cell, call: &Call) {
    let observation = &call.observation;
    cell.calls = cell.calls.saturating_add(1);
    if call.relations.named != 0 {
        cell.object(call.relations.named);
    }
    if let Some(response) = &observation.exchange.response {
        cell.bytes = cell.bytes.saturating_add(response.body.len);
        cell.errors = cell.errors.saturating_add(matches!(response.head.status, Some(400..=599)).into());
        cell.throttled |= response.head.status == Some(429);
    }
    let marks = observation.marks;
    if marks.contains(Mark::AnswerSensitive) || marks.contains(Mark::AnswerPersonal) {
        let ids = observation.response_payload.list.as_deref().map_or(0, |list| list.ids().len());
        cell.sensitive = cell.sensitive.saturating_add(u32::try_from(ids.max(1)).unwrap_or(1));
    }
}

fn close(
    (groups, index): (&mut [Group], &Index),
    quotas: (&[Declared], &mut [QuotaUse]),
    frozen: bool,
    cell: &Cell,
) {
    if frozen {
        return;
    }
    // It may have become one with another since the hour began.
    let known = groups.get(usize::from(cell.group)).and_then(|group| index.get(group.key));
    if let Some(group) = groups.get_mut(usize::from(known.unwrap_or(cell.group))) {
        group.learn(cell);
    }
    let Some(at) = usize::from(cell.quota).checked_sub(1) else { return };
    if let (Some(quota), Some(used)) = (quotas.0.get(at), quotas.1.get_mut(at)) {
        used.add(quota, cell);
    }
}

/// Peers from which on an hour can be judged.
pub const ENOUGH_PEERS: u64 = PEERS as u64;

#[cfg(test)]
mod tests;
