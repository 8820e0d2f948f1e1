//! Tables are kept as long as they are to be, with a clock that the tests set.
#![cfg(feature = "lake")]

use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use tapwire_lake::{
    Answer, Cell, Held, Info, Lake, LakeError, Maintained, Policy, Reader, Round, hold, holds, maintain,
    release,
};

const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;
/// 2026-11-22, midnight.
const MIDNIGHT: i64 = 1_795_305_600_000;
/// Earlier than any file here was written.
const EARLY: i64 = 60 * MINUTE;
/// Later than any file here was written, so that a test never waits.
const LATE: i64 = 4_000_000_000_000;

fn event(class: u32, ms: i64, unmapped: &serde_json::Value) -> String {
    let event = json!({
        "time": ms, "class_uid": class, "metadata": {"uid": format!("{ms:x}")},
        "finding_info": {"uid": format!("f{ms:x}")}, "unmapped": unmapped,
    });
    event.to_string() + "\n"
}

fn exchange(ms: i64) -> String {
    event(6003, ms, &json!({"anomalies": ["bare-lf"], "other": ms}))
}

fn write(data: &Path, lines: &str) {
    let mut lake = Lake::open(data, MIDNIGHT).unwrap();
    lake.write(lines).unwrap();
    lake.commit().unwrap();
}

fn policy(exchange_days: u32, bytes: u64) -> Policy {
    Policy { days: BTreeMap::from([("exchanges", exchange_days)]), bytes, grace_ms: 60 * MINUTE }
}

fn keep(data: &Path, policy: &Policy, now_ms: i64) -> Maintained {
    maintain(data, &Round { policy, now_ms, memory: 1 << 25, dry: false, stop: &|| false }).unwrap()
}

fn ask(reader: &Reader, query: &str) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut take = |piece: Answer<'_>| {
        if let Answer::Row([cell]) = piece {
            cells.push(cell.clone());
        }
        ControlFlow::Continue(())
    };
    reader.query(query, &mut take).unwrap();
    cells
}

fn count(data: &Path, table: &str) -> i64 {
    match ask(&Reader::open(data).unwrap(), &format!("SELECT count(*) FROM {table}")).as_slice() {
        [Cell::Int(count)] => *count,
        other => panic!("{other:?}"),
    }
}

/// Parquet files of a table on the disk.
fn files(data: &Path, table: &str) -> usize {
    let folders = fs::read_dir(data.join("lake").join(table)).unwrap().map(|entry| entry.unwrap().path());
    let days = folders.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("day="));
    days.map(|path| fs::read_dir(path).unwrap().count()).sum()
}

/// Three days of exchanges before midnight, a finding and a sensor's word on each.
fn three_days(data: &Path) {
    let days = (1..=3).map(|day| MIDNIGHT - day * DAY);
    write(
        data,
        &days
            .map(|ms| exchange(ms) + &event(2004, ms, &json!({})) + &event(0, ms, &json!({})))
            .collect::<String>(),
    );
}

#[test]
fn days_end_on_the_disk_when_readers_are_done() {
    let data = tempfile::tempdir().unwrap();
    three_days(data.path());
    let reader = Reader::open(data.path()).unwrap();
    let done = keep(data.path(), &policy(1, 0), MIDNIGHT);
    let gone: Vec<_> =
        done.gone.iter().map(|gone| (gone.table, gone.days.clone(), gone.rows, gone.by_age)).collect();
    let days = ("2026-11-19".to_owned(), "2026-11-20".to_owned());
    assert_eq!(gone, [("exchanges", days, 2, true)]);
    assert_eq!((count(data.path(), "exchanges"), count(data.path(), "findings")), (1, 3));
    // Who began to read before still has every row.
    assert_eq!(files(data.path(), "exchanges"), 3);
    assert_eq!(ask(&reader, "SELECT count(*) FROM exchanges"), [Cell::Int(3)]);
    // An hour later the files are gone.
    assert_eq!(keep(data.path(), &policy(1, 0), MIDNIGHT + 59 * MINUTE).deleted.files, 0);
    assert_eq!(keep(data.path(), &policy(1, 0), MIDNIGHT + 60 * MINUTE).deleted.files, 2);
    assert_eq!((files(data.path(), "exchanges"), files(data.path(), "findings")), (1, 3));
    assert_eq!(count(data.path(), "exchanges"), 1);
    // Nothing is said twice.
    assert_eq!(keep(data.path(), &policy(1, 0), MIDNIGHT + 61 * MINUTE), Maintained::default());
}

#[test]
fn a_limit_of_bytes_takes_the_oldest_exchanges_and_no_finding() {
    let data = tempfile::tempdir().unwrap();
    three_days(data.path());
    let all = Info::of(data.path(), MIDNIGHT).unwrap();
    let done = keep(data.path(), &policy(0, all.bytes() - 1), MIDNIGHT);
    assert_eq!(
        (done.gone.len(), done.gone[0].days.0.as_str(), done.gone[0].by_age),
        (1, "2026-11-19", false)
    );
    assert_eq!((count(data.path(), "exchanges"), done.over), (2, 0));
    let done = keep(data.path(), &policy(0, 1), MIDNIGHT);
    assert_eq!((count(data.path(), "exchanges"), count(data.path(), "sensors")), (0, 0));
    assert_eq!(count(data.path(), "findings"), 3);
    assert!(done.over > 0, "findings alone are more than a byte");
}

#[test]
fn what_is_held_stays_until_it_is_released() {
    let data = tempfile::tempdir().unwrap();
    three_days(data.path());
    let days = Held::Days("2026-11-19".into(), "2026-11-19".into());
    hold(data.path(), "case 7", &days, MIDNIGHT).unwrap();
    let taken = hold(data.path(), "case 7", &days, MIDNIGHT).unwrap_err().to_string();
    assert_eq!(taken, "case 7: there is a hold of this name; release it first");
    let odd = Held::Days("2026-11-20".into(), "2026-11-19".into());
    assert!(hold(data.path(), "odd", &odd, MIDNIGHT).is_err());
    let done = keep(data.path(), &policy(1, 0), LATE);
    assert_eq!((count(data.path(), "exchanges"), done.held), (1, 1));
    assert_eq!(keep(data.path(), &policy(0, 1), LATE).gone.len(), 2, "usage and sensors of other days");
    assert_eq!((count(data.path(), "exchanges"), count(data.path(), "sensors")), (1, 1));
    let unknown = release(data.path(), "case 8").unwrap_err().to_string();
    assert_eq!(unknown, "case 8: no such hold; there are case 7");
    release(data.path(), "case 7").unwrap();
    keep(data.path(), &policy(1, 0), LATE + 1);
    assert_eq!(count(data.path(), "exchanges"), 0);
    keep(data.path(), &policy(1, 0), LATE + DAY);
    assert_eq!(files(data.path(), "exchanges"), 0);
}

#[test]
fn a_hold_on_an_incident_keeps_what_shows_it_and_grows_with_it() {
    let data = tempfile::tempdir().unwrap();
    three_days(data.path());
    let shows = json!({"incident": "i1", "exchanges": [format!("{:x}", MIDNIGHT - 2 * DAY)]});
    let incident = |ms| event(2005, ms, &json!({"incident": "i1"}));
    write(data.path(), &(event(2004, MIDNIGHT - DAY, &shows) + &incident(MIDNIGHT - DAY)));
    let none = hold(data.path(), "none", &Held::Incident("i2".into()), MIDNIGHT).unwrap_err().to_string();
    assert_eq!(none, "i2: no such incident is in the tables");
    assert!(hold(data.path(), " ", &Held::Incident("i1".into()), MIDNIGHT).is_err(), "a hold has a name");
    let one = hold(data.path(), "theft", &Held::Incident("i1".into()), MIDNIGHT).unwrap();
    assert_eq!((one.from.as_str(), one.until.as_str()), ("2026-11-20", "2026-11-21"));
    write(data.path(), &(incident(MIDNIGHT) + &exchange(MIDNIGHT)));
    let held = fs::read(data.path().join("lake/holds.json")).unwrap();
    let policy_of_a_day = policy(1, 0);
    let dry = Round { policy: &policy_of_a_day, now_ms: LATE, memory: 1 << 25, dry: true, stop: &|| false };
    let _would = maintain(data.path(), &dry).unwrap();
    assert_eq!(fs::read(data.path().join("lake/holds.json")).unwrap(), held, "a dry round writes nothing");
    keep(data.path(), &policy(1, 0), LATE);
    assert_eq!(holds(data.path()).unwrap()[0].until, "2026-11-22");
    assert_eq!(count(data.path(), "exchanges"), 3, "without the 19th");
}

#[test]
fn an_unreadable_list_of_holds_keeps_everything() {
    let data = tempfile::tempdir().unwrap();
    three_days(data.path());
    fs::write(data.path().join("lake/holds.json"), "[{\"name\": \"torn").unwrap();
    let round = Round { policy: &policy(1, 0), now_ms: LATE, memory: 1 << 25, dry: false, stop: &|| false };
    let error = maintain(data.path(), &round).unwrap_err().to_string();
    assert!(error.ends_with("holds.json: is no list of holds; nothing is deleted until it is"), "{error}");
    assert_eq!(count(data.path(), "exchanges"), 3);
}

#[test]
fn small_files_become_large_ones_with_the_same_rows() {
    let data = tempfile::tempdir().unwrap();
    for minute in 0..30 {
        let at = MIDNIGHT - DAY + minute * 5 * MINUTE;
        write(data.path(), &(exchange(at + 2) + &exchange(at + 1)));
    }
    let rows = |reader: &Reader| ask(reader, "SELECT event FROM events ORDER BY time");
    let before = Reader::open(data.path()).unwrap();
    let all = rows(&before);
    assert_eq!((files(data.path(), "exchanges"), all.len()), (30, 60));
    let done = keep(data.path(), &policy(0, 0), MIDNIGHT);
    assert_eq!((done.compacted, done.into, done.gone.len()), (60, 2, 0), "exchanges and their usage");
    assert_eq!(rows(&before), all, "who began to read before is not disturbed");
    assert_eq!(rows(&Reader::open(data.path()).unwrap()), all);
    keep(data.path(), &policy(0, 0), MIDNIGHT + 60 * MINUTE);
    assert_eq!(files(data.path(), "exchanges"), 1);
    assert_eq!(rows(&Reader::open(data.path()).unwrap()), all);
}

#[test]
fn what_is_owed_to_sums_stays_until_they_are_made() {
    let data = tempfile::tempdir().unwrap();
    (0..25).for_each(|minute| write(data.path(), &exchange(MIDNIGHT - DAY + minute * MINUTE)));
    // None of their sums reached the disk.
    fs::remove_dir_all(data.path().join("lake/usage")).unwrap();
    for round in 0..3 {
        let done = keep(data.path(), &policy(0, 0), LATE + round * DAY);
        // The first commit makes the table, and brings nothing.
        assert!(done.log_files <= 1, "{done:?}");
        assert_eq!((done.compacted, done.deleted.files), (0, 0), "{done:?}");
    }
    let sums = || ask(&Reader::open(data.path()).unwrap(), "SELECT sum(calls) FROM usage");
    let mut lake = Lake::open(data.path(), MIDNIGHT).unwrap();
    assert!(lake.catch_up().unwrap().is_empty());
    assert_eq!(sums(), [Cell::Int(25)]);
    // From then on they are as all others.
    let done = keep(data.path(), &policy(0, 0), LATE + 4 * DAY);
    assert!(done.compacted >= 25 && done.log_files > 0, "{done:?}");
    assert!(keep(data.path(), &policy(0, 0), LATE + 6 * DAY).deleted.files >= 25);
    assert_eq!((sums().as_slice(), count(data.path(), "exchanges")), ([Cell::Int(25)].as_slice(), 25));
}

#[test]
fn what_only_moves_the_mark_of_sums_has_its_time() {
    let data = tempfile::tempdir().unwrap();
    write(data.path(), &exchange(MIDNIGHT - 3 * DAY));
    // A commit of exchanges that brings none.
    assert_eq!(keep(data.path(), &policy(1, 0), MIDNIGHT).gone.len(), 1);
    assert!(Lake::open(data.path(), LATE).unwrap().catch_up().unwrap().is_empty());
    let log = fs::read_dir(data.path().join("lake/usage/_delta_log")).unwrap();
    let last = log.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).max();
    let last = fs::read_to_string(last.unwrap()).unwrap();
    let lines: Vec<serde_json::Value> =
        last.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() == 2 && lines[1]["txn"]["version"] == 2, "{last}");
    assert_eq!(lines[0]["commitInfo"]["timestamp"], LATE);
}

#[test]
fn what_killed_runs_leave_goes_and_what_is_being_written_stays() {
    let data = tempfile::tempdir().unwrap();
    three_days(data.path());
    let mut lake = Lake::open(data.path(), MIDNIGHT).unwrap();
    // More than a row group, so that a part of the file is on the disk.
    let lines: String = (0..40_000).map(|_| exchange(MIDNIGHT - DAY)).collect();
    assert_eq!(lake.write(&lines).unwrap().committed, 0);
    assert_eq!(files(data.path(), "exchanges"), 4);
    // By a clock before it was written, it is young.
    keep(data.path(), &policy(0, 0), EARLY);
    assert_eq!(files(data.path(), "exchanges"), 4);
    drop(lake);
    assert_eq!(keep(data.path(), &policy(0, 0), LATE).deleted.files, 1);
    assert_eq!((files(data.path(), "exchanges"), count(data.path(), "exchanges")), (3, 3));
}

#[test]
fn logs_stay_short_and_say_the_same() {
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("lake/exchanges/_delta_log");
    let commits = || {
        let names =
            fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".json")).count()
    };
    for minute in 0..25 {
        write(data.path(), &exchange(MIDNIGHT - DAY + minute));
    }
    assert_eq!(commits(), 26);
    let done = keep(data.path(), &policy(0, 0), EARLY);
    assert_eq!((done.checkpoints, done.log_files), (2, 0), "a reader may have them in its list");
    assert_eq!(keep(data.path(), &policy(0, 0), LATE).log_files, 54);
    assert_eq!(commits(), 0, "the checkpoint says it all");
    assert_eq!(count(data.path(), "exchanges"), 25);
    // Writers go on behind a checkpoint, and make the next themselves.
    for minute in 0..100 {
        write(data.path(), &exchange(MIDNIGHT + minute));
    }
    assert_eq!(count(data.path(), "exchanges"), 125);
    assert!(log.join("00000000000000000100.checkpoint.parquet").exists());
    let hint = fs::read_to_string(log.join("_last_checkpoint")).unwrap();
    assert!(hint.contains("\"version\":100"), "{hint}");
    // A hole is no table.
    fs::remove_file(log.join("00000000000000000110.json")).unwrap();
    let Err(LakeError::Log { why, .. }) = Reader::open(data.path()) else { panic!("it has a hole") };
    assert_eq!(why, "commit 110 is missing");
}

#[test]
fn one_keeps_a_lake_at_a_time_and_a_dry_round_does_nothing() {
    let data = tempfile::tempdir().unwrap();
    three_days(data.path());
    let inner = std::cell::RefCell::new(None);
    let ask_inside = || {
        let days = Held::Days("2026-11-19".into(), "2026-11-19".into());
        *inner.borrow_mut() = Some(hold(data.path(), "x", &days, MIDNIGHT).unwrap_err());
        true
    };
    let limits = policy(1, 0);
    let dry = Round { policy: &limits, now_ms: LATE, memory: 1 << 25, dry: true, stop: &|| false };
    let said = maintain(data.path(), &dry).unwrap();
    assert_eq!((said.gone.len(), count(data.path(), "exchanges")), (1, 3));
    maintain(data.path(), &Round { stop: &ask_inside, ..dry }).unwrap();
    let error = inner.into_inner();
    assert!(matches!(error, Some(LakeError::Busy { .. })), "{error:?}");
    let none = tempfile::tempdir().unwrap();
    let error = maintain(none.path(), &dry).unwrap_err();
    assert!(matches!(error, LakeError::Missing { .. }), "{error}");
}

#[test]
fn info_says_what_is_kept_and_how_long_room_lasts() {
    let data = tempfile::tempdir().unwrap();
    three_days(data.path());
    let info = Info::of(data.path(), MIDNIGHT - DAY).unwrap();
    let names: Vec<_> = info.tables.iter().map(|table| (table.name, table.rows, table.files)).collect();
    assert_eq!(names, [("exchanges", 3, 3), ("findings", 3, 3), ("usage", 3, 3), ("sensors", 3, 3)]);
    let days = info.tables[0].days.clone().unwrap();
    assert_eq!((days.0.as_str(), days.1.as_str()), ("2026-11-19", "2026-11-21"));
    // Three days are there within two: by their events.
    assert_eq!(info.bytes_a_day, Some(info.bytes() / 2));
    assert_eq!(info.days_of(info.bytes() * 5), Some(10));
    // A month later nothing came within a week.
    assert_eq!(Info::of(data.path(), MIDNIGHT + 30 * DAY).unwrap().bytes_a_day, None);
}
