//! What relates calls as a checkpoint has it: table by table, each with a version of its own. One that another version wrote
//! begins anew, and the others go on.

use super::Related;
use super::ages::Table;
use crate::state::{PLACES, Restored, Unfit, put, take};

/// Every table with the version of its records, raised with each change of their fields. A checkpoint has their places in
/// this list, so that it only grows.
macro_rules! tables {
    ($of:ident, $($borrow:tt)+) => {
        [
            (0, $($borrow)+ $of.logins.issued as _),
            (0, $($borrow)+ $of.minted.services as _),
            (0, $($borrow)+ $of.minted.issuers as _),
            (0, $($borrow)+ $of.objects.people.own as _),
            (0, $($borrow)+ $of.objects.people.whose as _),
            (0, $($borrow)+ $of.objects.people.told as _),
            (0, $($borrow)+ $of.objects.people.tellings as _),
            (0, $($borrow)+ $of.objects.held.objects as _),
            (0, $($borrow)+ $of.objects.held.kinds as _),
            (0, $($borrow)+ $of.objects.sources as _),
            (0, $($borrow)+ $of.objects.met as _),
            (0, $($borrow)+ $of.habits.methods as _),
            (0, $($borrow)+ $of.habits.roles as _),
            (0, $($borrow)+ $of.habits.before as _),
            (0, $($borrow)+ $of.habits.steps as _),
            (0, $($borrow)+ $of.habits.records as _),
            (1, $($borrow)+ $of.habits.peers as _),
            (0, $($borrow)+ $of.habits.own_roles as _),
            (0, $($borrow)+ $of.habits.own_before as _),
            (0, $($borrow)+ $of.fetches.servers as _),
            (0, $($borrow)+ $of.fetches.asked as _),
            (0, $($borrow)+ $of.fetches.callers as _),
            (0, $($borrow)+ $of.properties.places as _),
            (0, $($borrow)+ $of.strains.services as _),
            (0, $($borrow)+ $of.strains.endpoints as _),
            (0, $($borrow)+ $of.logins.repeated as _),
            (0, $($borrow)+ $of.logins.basics.refused as _),
            (0, $($borrow)+ $of.logins.basics.last as _),
        ]
    };
}

const TABLES: usize = 28;

impl Related {
    fn tables(&self) -> [(u8, &dyn Table); TABLES] {
        tables!(self, &)
    }

    fn tables_mut(&mut self) -> [(u8, &mut dyn Table); TABLES] {
        tables!(self, &mut)
    }

    /// Writes a stretch of a table; how far the next one is, `None` behind the last. `at` counts the places of all tables.
    pub(crate) fn save(&self, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        let all = (0_u8..).zip(self.tables());
        let (number, (version, table)) = all.skip(at / PLACES).find(|(_, (_, table))| !table.is_empty())?;
        let begin = usize::from(number) * PLACES;
        put(&(number, version), out);
        let end = table.save(at.saturating_sub(begin), out);
        Some(begin + end - at)
    }

    /// Takes a stretch.
    pub(crate) fn load(&mut self, mut piece: &[u8]) -> Result<Restored, Unfit> {
        let mut restored = Restored::default();
        if piece.is_empty() {
            return Ok(restored);
        }
        let (number, written): (u8, u8) = take(&mut piece)?;
        match self.tables_mut().into_iter().nth(number.into()) {
            Some((version, table)) if version == written => restored.left_out = table.load(piece)?,
            _ => restored.outdated = 1,
        }
        Ok(restored)
    }
}
