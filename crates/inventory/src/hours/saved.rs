//! Hours and quotas as a checkpoint has them.

use super::cell::Cell;
use super::group::Group;
use super::quotas::QuotaUse;
use super::{Declared, Hours, key};
use crate::hashing::Keyed;
use crate::state::{PLACES, Stretch, Unfit, put, put_some, take, take_all};
use std::hash::{BuildHasher, Hasher};

/// What a group or a quota weighs in a piece, where a caller weighs 1.
const WEIGHT: usize = 64;
/// Quotas that can be told apart in a cell.
const MAX_QUOTAS: usize = 255;

/// What the pieces said, until all of them were read: hours refer to groups and quotas.
#[derive(Default)]
pub(crate) struct Saved {
    /// The place that each quota of the checkpoint has now, from 1; 0: it is not declared any more.
    quotas: Vec<u8>,
    layout: (u32, u32),
    cells: Vec<Cell>,
}

impl Hours {
    /// How declared quotas were used, each behind a hash of all that it says: one that says something else is another.
    pub(crate) fn save_quotas(&self, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        let hashing = self.index.hashing();
        let all = self.declared.iter().map(|quota| hash(hashing, quota)).zip(&self.used);
        put_some(all.skip(at), |_| WEIGHT, out)
    }

    /// The hours that go on.
    pub(crate) fn save_cells(&self, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        let stretch = Stretch::new(at, self.cells.len());
        put(&self.cells.layout(), out);
        self.cells.iter().filter(|cell| stretch.has(cell.key)).for_each(|cell| put(cell, out));
        (stretch.end() < PLACES).then(|| stretch.end() - at)
    }

    pub(crate) fn save_groups(&self, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        put_some(self.groups.iter().skip(at), |_| WEIGHT, out)
    }

    /// Takes what was used of quotas; those that are not declared any more are nobody's.
    pub(crate) fn load_quotas(&mut self, saved: &mut Saved, piece: &[u8]) -> Result<u64, Unfit> {
        let Self { index, declared, used, .. } = self;
        let now: Vec<u64> = declared.iter().map(|quota| hash(index.hashing(), quota)).collect();
        take_all(piece, |(was, quota): (u64, QuotaUse)| {
            let at = now.iter().position(|now| *now == was);
            let number = at.and_then(|at| u8::try_from(at + 1).ok());
            if let Some(used) = at.and_then(|at| used.get_mut(at)) {
                *used = quota.restored();
            }
            let room = saved.quotas.len() < MAX_QUOTAS;
            saved.quotas.extend(room.then(|| number.unwrap_or(0)));
            room
        })
    }

    pub(crate) fn load_cells(&self, saved: &mut Saved, most: usize, mut piece: &[u8]) -> Result<u64, Unfit> {
        saved.layout = take(&mut piece)?;
        take_all(piece, |cell: Cell| {
            let room = saved.cells.len() < most;
            saved.cells.extend(room.then_some(cell));
            room
        })
    }

    pub(crate) fn load_groups(&mut self, piece: &[u8]) -> Result<u64, Unfit> {
        let Self { groups, index, max_groups, .. } = self;
        take_all(piece, |group: Group| {
            let Ok(at) = u16::try_from(groups.len()) else { return false };
            let room = groups.len() < *max_groups;
            if room {
                index.insert(group.key, group.endpoint, at);
                groups.push(group.restored());
            }
            room
        })
    }

    /// All pieces were read: hours go on; how many of them found no room or no group.
    pub(crate) fn restore(&mut self, saved: Saved) -> u64 {
        let Saved { quotas, layout, cells } = saved;
        self.cells.lay_out(layout);
        let mut left_out = 0;
        for mut cell in cells {
            let quota = usize::from(cell.quota).checked_sub(1).and_then(|at| quotas.get(at));
            cell.quota = quota.copied().unwrap_or(0);
            let is_known =
                usize::from(cell.group) < self.groups.len() && cell.key == key(cell.caller, cell.group);
            left_out += u64::from(!is_known || !self.cells.restore(cell));
        }
        left_out
    }
}

fn hash(hashing: &Keyed, quota: &Declared) -> u64 {
    let (mut bytes, mut hash) = (Vec::new(), hashing.build_hasher());
    put(quota, &mut bytes);
    hash.write(&bytes);
    hash.finish()
}
