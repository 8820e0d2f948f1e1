//! Where a collector puts events: all of them into the tables, and beside them those that are no exchanges, so that commands
//! that show findings find them.

use crate::lake::now_ms;
use std::collections::BTreeMap;
use std::path::Path;
use tapwire_collect::{Fresh, Tables};
use tapwire_lake::{Lake, LakeError};
use tapwire_store::{Day, Store};

/// Bytes of events of a day that are written at once.
const PIECE: usize = 1 << 20;

pub(super) struct Kept {
    lake: Lake,
    store: Store,
    days: BTreeMap<Day, Vec<u8>>,
    bytes: usize,
}

impl Kept {
    /// Of that data directory, which the store holds. `memory` is for rows that are not on the disk yet.
    pub(super) fn open(store: Store, memory: usize) -> Result<Self, LakeError> {
        let data: &Path = store.reader().directory();
        // Sensors that catch up bring events of other hours than the rest: files are cut by size and by the collector's clock.
        let mut lake = Lake::open(data, now_ms())?.bounded(memory).at_once();
        for unread in lake.catch_up()? {
            eprintln!("tapwire: lake: {unread}: its calls are in no sum");
        }
        Ok(Self { lake, store, days: BTreeMap::new(), bytes: 0 })
    }

    fn append(&mut self) -> Result<(), String> {
        self.bytes = 0;
        for (day, lines) in std::mem::take(&mut self.days) {
            self.store.append_events(day, &lines).map_err(|error| error.to_string())?;
            self.store.sync().map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Tables for Kept {
    fn write(&mut self, fresh: &Fresh<'_>) -> Result<(), String> {
        for (ms, line) in fresh.others {
            self.days.entry(Day::from_unix_ms(*ms)).or_default().extend_from_slice(line.as_bytes());
            self.bytes += line.len();
        }
        if self.bytes >= PIECE {
            self.append()?;
        }
        self.lake.write(fresh.lines).map(|_| ()).map_err(|error| format!("lake: {error}"))
    }

    fn commit(&mut self) -> Result<(), String> {
        self.append()?;
        self.lake.commit().map(|_| ()).map_err(|error| format!("lake: {error}"))
    }
}
