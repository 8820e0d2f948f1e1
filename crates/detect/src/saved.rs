//! Records as bytes, and back: pieces as the inventory's are. How many calls were judged belongs to a run and is not written.

use crate::detector::DetectorInfo;
use crate::records::{Key, Record};
use crate::{Config, DETECTORS, Detectors};
use tapwire_inspect::TokenKey;
use tapwire_inventory::state::{Restored, Unfit, behind_preface, preface, put, put_some, take, take_all};
use tapwire_wire::Timestamp;

/// The format of all pieces but the states themselves, which are the detectors' own.
const FORMAT: u32 = 1;

/// Where a checkpoint goes on: how many records are left to be written, once the head was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor(Option<usize>);

/// A record as it is written.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    key: u128,
    last: Timestamp,
    used: bool,
    /// States by the detector's place in the head.
    states: Vec<(u16, Vec<u8>)>,
}

impl Saved {
    fn of(record: &Record) -> Self {
        let states = record.states.iter();
        let bytes = |state: &dyn crate::detector::State| {
            let mut bytes = Vec::new();
            state.save(&mut bytes);
            bytes
        };
        let states = states.map(|(at, state)| (*at, bytes(&**state))).collect();
        Self { key: record.key.0, last: record.last, used: record.used, states }
    }

    fn weight(&self) -> usize {
        1 + self.states.iter().map(|(_, bytes)| 1 + bytes.len() / 64).sum::<usize>()
    }
}

impl Detectors {
    /// Replaces `piece` with the next piece of a checkpoint that begins with `Cursor::default()`; `false` when there was none
    /// left. Calls may be judged in between.
    pub fn save(&self, key: &TokenKey, cursor: &mut Cursor, piece: &mut Vec<u8>) -> bool {
        piece.clear();
        let Some(left) = cursor.0 else {
            piece.extend_from_slice(&preface(FORMAT, key));
            put(&DETECTORS.iter().map(label).collect::<Vec<_>>(), piece);
            put(&self.budget.spent(), piece);
            cursor.0 = Some(self.records.len());
            return true;
        };
        let left = left.min(self.records.len());
        if left == 0 {
            return false;
        }
        let written = put_some(self.records.before(left).map(Saved::of), Saved::weight, piece);
        cursor.0 = Some(written.map_or(0, |written| left - written));
        true
    }
}

/// Takes the pieces of a checkpoint, in their order.
pub struct Loading {
    config: Config,
    key: TokenKey,
    /// The place that each detector of the checkpoint has in the registry now, once its head was read.
    places: Option<Vec<Option<usize>>>,
    /// What the day's alert budget had been spent on; `None` where the checkpoint does not say.
    spent: Option<(i64, u32)>,
    records: Vec<Record>,
    left_out: u64,
    /// States of detectors that are gone, or that write something else.
    outdated: u64,
}

impl Loading {
    /// For that configuration and token key.
    pub const fn new(config: Config, key: TokenKey) -> Self {
        Self { config, key, places: None, spent: None, records: Vec::new(), left_out: 0, outdated: 0 }
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// It is of another version or key, or none.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), Unfit> {
        let Some(places) = &self.places else {
            let mut rest = behind_preface(piece, FORMAT, &self.key)?;
            let names: Vec<String> = take(&mut rest)?;
            let place = |name: &String| DETECTORS.iter().position(|detector| label(detector) == *name);
            self.places = Some(names.iter().map(place).collect());
            // Earlier versions wrote no more than names.
            self.spent = if rest.is_empty() { None } else { Some(take(&mut rest)?) };
            return Ok(());
        };
        let (records, most) = (&mut self.records, self.config.max_records.max(1));
        let mut lost = 0;
        self.left_out += take_all(piece, |saved: Saved| {
            let room = records.len() < most;
            if room {
                records.push(record(saved, places, &mut lost));
            }
            room
        })?;
        self.outdated += lost;
        Ok(())
    }

    /// The detectors with their states.
    ///
    /// # Errors
    /// No piece was a checkpoint's first.
    pub fn finish(self) -> Result<(Detectors, Restored), Unfit> {
        self.places.ok_or(Unfit::Unreadable)?;
        let mut detectors = Detectors::new(self.config);
        self.spent.into_iter().for_each(|spent| detectors.budget.go_on(spent));
        let left_out = self.left_out + detectors.records.restore(self.records);
        Ok((detectors, Restored { left_out, outdated: self.outdated }))
    }
}

/// What a detector is called in the head: its states of another version are of no use.
fn label(detector: &DetectorInfo) -> String {
    match detector.state.version {
        0 => detector.name.to_owned(),
        version => format!("{}/{version}", detector.name),
    }
}

/// A record with the states that detectors of today can read; `lost` counts the others.
fn record(saved: Saved, places: &[Option<usize>], lost: &mut u64) -> Record {
    let mut states = Vec::new();
    for (place, bytes) in saved.states {
        let at = places.get(usize::from(place)).copied().flatten();
        let state = at.and_then(|at| (DETECTORS.get(at)?.state.load)(&bytes));
        let (Some(at), Some(state)) = (at, state) else {
            *lost += 1;
            continue;
        };
        states.push((u16::try_from(at).unwrap_or(u16::MAX), state));
    }
    Record { key: Key(saved.key), last: saved.last, states, used: saved.used }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::exchange;
    use tapwire_inspect::Inspector;
    use tapwire_inventory::Inventory;

    const KEY: TokenKey = TokenKey::new([7; 32]);

    /// Detectors that judge a password in the URL of an endpoint of each of these services; gives how many findings that made.
    fn judge(detectors: &mut Detectors, services: std::ops::Range<u32>) -> usize {
        let mut inspector = Inspector::new(tapwire_inspect::Config::new(KEY));
        let mut inventory = Inventory::new(tapwire_inventory::Config::new(KEY));
        let mut out = Vec::new();
        for number in services {
            let request = format!("GET /a?password=x HTTP/1.1\r\nHost: s{number}\r\n\r\n");
            let exchange = exchange(1, request.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\n");
            let call = inventory.place(inspector.exchange(exchange));
            detectors.judge(&call, None, &mut out);
        }
        out.len()
    }

    fn pieces(detectors: &Detectors) -> Vec<Vec<u8>> {
        let (mut cursor, mut piece, mut all) = (Cursor::default(), Vec::new(), Vec::new());
        while detectors.save(&KEY, &mut cursor, &mut piece) {
            all.push(piece.clone());
        }
        all
    }

    fn load(config: Config, key: TokenKey, pieces: &[Vec<u8>]) -> Result<(Detectors, Restored), Unfit> {
        let mut loading = Loading::new(config, key);
        pieces.iter().try_for_each(|piece| loading.take(piece))?;
        loading.finish()
    }

    #[test]
    fn what_was_found_is_not_found_again() {
        let mut detectors = Detectors::new(Config::default());
        assert_eq!(judge(&mut detectors, 0..3_000), 3_000);
        let all = pieces(&detectors);
        assert!(all.len() > 2, "{} pieces", all.len());
        let (mut detectors, restored) = load(Config::default(), KEY, &all).unwrap();
        assert_eq!((restored.left_out, detectors.counters().records), (0, 3_000));
        assert_eq!(judge(&mut detectors, 0..3_001), 1);
        assert_eq!(pieces(&load(Config::default(), KEY, &all).unwrap().0), all);
    }

    #[test]
    fn another_key_version_or_limit() {
        let mut detectors = Detectors::new(Config::default());
        judge(&mut detectors, 0..100);
        let mut all = pieces(&detectors);
        assert_eq!(load(Config::default(), TokenKey::new([8; 32]), &all).err(), Some(Unfit::Key));
        assert_eq!(load(Config::default(), KEY, &[]).err(), Some(Unfit::Unreadable));
        let few = Config { max_records: 40, ..Config::default() };
        let (detectors, restored) = load(few, KEY, &all).unwrap();
        assert_eq!((restored.left_out, detectors.counters().records), (60, 40));
        all[0][0] = 9;
        let found = Some(Unfit::Format { found: 9, known: FORMAT });
        assert_eq!(load(Config::default(), KEY, &all).err(), found);
    }

    #[test]
    fn a_day_has_its_alert_budget_whatever_restarts() {
        let mut detectors = Detectors::new(Config::default());
        detectors.budget.go_on((19_675, 3));
        let all = pieces(&detectors);
        let spent = |pieces: &[Vec<u8>]| load(Config::default(), KEY, pieces).unwrap().0.budget.spent();
        assert_eq!(spent(&all), (19_675, 3));
        // As versions wrote it that had no budget in it.
        let mut before = preface(FORMAT, &KEY).to_vec();
        put(&DETECTORS.iter().map(label).collect::<Vec<_>>(), &mut before);
        assert_eq!(spent(&[before]), Detectors::new(Config::default()).budget.spent());
    }

    #[test]
    fn a_detector_that_is_gone_or_changed_begins_anew() {
        let mut detectors = Detectors::new(Config::default());
        judge(&mut detectors, 0..10);
        let all = pieces(&detectors);
        let mut other = all.clone();
        other[0] = preface(FORMAT, &KEY).to_vec();
        put(&vec!["no-longer-there"], &mut other[0]);
        let (mut detectors, restored) = load(Config::default(), KEY, &other).unwrap();
        assert_eq!((restored.left_out, restored.outdated), (0, 10));
        assert_eq!(judge(&mut detectors, 0..10), 10);
    }

    #[test]
    fn states_of_another_version_are_told_apart_from_what_found_no_room() {
        let mut detectors = Detectors::new(Config::default());
        judge(&mut detectors, 0..10);
        let mut all = pieces(&detectors);
        let others = DETECTORS.iter().map(|detector| format!("{}/77", detector.name));
        all[0] = preface(FORMAT, &KEY).to_vec();
        put(&others.collect::<Vec<_>>(), &mut all[0]);
        let (_, restored) = load(Config::default(), KEY, &all).unwrap();
        assert_eq!((restored.left_out, restored.outdated), (0, 10));
    }

    #[test]
    fn bytes_that_nobody_wrote_do_no_harm() {
        let mut detectors = Detectors::new(Config::default());
        judge(&mut detectors, 0..20);
        let all = pieces(&detectors);
        for (piece, at) in (0..all.len()).flat_map(|piece| (0..all[piece].len()).map(move |at| (piece, at))) {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut hostile = all.clone();
                hostile[piece][at] = byte;
                if let Ok((mut detectors, _)) = load(Config::default(), KEY, &hostile) {
                    judge(&mut detectors, 0..20);
                }
                hostile[piece].truncate(at);
                let _ = load(Config::default(), KEY, &hostile).is_ok();
            }
        }
    }

    #[test]
    fn records_that_go_while_a_checkpoint_is_written_lose_no_other() {
        let config = Config { max_records: 4_000, ..Config::default() };
        let mut detectors = Detectors::new(config);
        judge(&mut detectors, 0..4_000);
        let (mut cursor, mut piece, mut all, mut next) = (Cursor::default(), Vec::new(), Vec::new(), 4_000);
        while detectors.save(&KEY, &mut cursor, &mut piece) {
            all.push(piece.clone());
            judge(&mut detectors, next..next + 500);
            next += 500;
        }
        let (restored, _) = load(config, KEY, &all).unwrap();
        let kept = |key: &Record| restored.records.before(usize::MAX).any(|other| other.key == key.key);
        let lost = detectors.records.before(usize::MAX).filter(|record| !kept(record)).count();
        assert!(lost <= (next - 4_000) as usize, "{lost} of those that stayed");
    }
}
