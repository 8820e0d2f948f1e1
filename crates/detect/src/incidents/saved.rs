//! Incidents as bytes, and back: pieces as the inventory's are.

use super::{Incident, Incidents};
use crate::Config;
use std::collections::BTreeMap;
use tapwire_inspect::TokenKey;
use tapwire_inventory::state::{Restored, Unfit, behind_preface, preface, put, put_some, take, take_all};
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// The format of all pieces. A change of what is written raises it.
const FORMAT: u32 = 3;
/// What an incident weighs of a piece.
const WEIGHT: usize = 32;

/// Where a checkpoint goes on: how many incidents are left to be written, once the head was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor(Option<usize>);

impl Incidents {
    /// Replaces `piece` with the next piece of a checkpoint that begins with `Cursor::default()`; `false` when there was none
    /// left. Findings may be linked in between.
    pub fn save(&self, key: &TokenKey, cursor: &mut Cursor, piece: &mut Vec<u8>) -> bool {
        piece.clear();
        let Some(left) = cursor.0 else {
            piece.extend_from_slice(&preface(FORMAT, key));
            put(&self.now, piece);
            cursor.0 = Some(self.all.len());
            return true;
        };
        let left = left.min(self.all.len());
        if left == 0 {
            return false;
        }
        // From the end: those that make room meanwhile stand in front.
        let rest = self.all.get(..left).unwrap_or_default().iter().rev();
        let written = put_some(rest, |_| WEIGHT, piece);
        cursor.0 = Some(written.map_or(0, |written| left - written));
        true
    }
}

/// Takes the pieces of a checkpoint, in their order.
pub struct Loading {
    key: TokenKey,
    config: Config,
    /// The time it was written at, once its head was read.
    now: Option<Timestamp>,
    /// The last first.
    all: Vec<Incident>,
    /// Where each of them stands.
    known: BTreeMap<Uid, usize>,
    left_out: u64,
}

impl Loading {
    /// For that configuration and token key.
    pub const fn new(config: Config, key: TokenKey) -> Self {
        Self { key, config, now: None, all: Vec::new(), known: BTreeMap::new(), left_out: 0 }
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// It is of another version or key, or none.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), Unfit> {
        if self.now.is_none() {
            let mut rest = behind_preface(piece, FORMAT, &self.key)?;
            self.now = Some(take(&mut rest)?);
            return Ok(());
        }
        let (all, known, most) = (&mut self.all, &mut self.known, Incidents::new(self.config).most);
        self.left_out += take_all(piece, |incident: Incident| {
            // Where some made room between two pieces, the places of the others changed, and one may be written twice: later
            // it is newer.
            if let Some(before) = known.get(&incident.uid).and_then(|at| all.get_mut(*at)) {
                *before = incident;
                return true;
            }
            let room = all.len() < most;
            if room {
                known.insert(incident.uid, all.len());
                all.push(incident);
            }
            room
        })?;
        Ok(())
    }

    /// The incidents.
    ///
    /// # Errors
    /// No piece was a checkpoint's first.
    pub fn finish(self) -> Result<(Incidents, Restored), Unfit> {
        let mut incidents = Incidents::new(self.config);
        incidents.now = self.now.ok_or(Unfit::Unreadable)?;
        incidents.all = self.all;
        incidents.all.reverse();
        incidents.all.iter_mut().for_each(Incident::restore);
        incidents.reopen();
        Ok((incidents, Restored { left_out: self.left_out, ..Restored::default() }))
    }
}
