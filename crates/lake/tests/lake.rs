//! Events go into tables and come back.
#![cfg(feature = "lake")]

use serde_json::{Value, json};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use tapwire_lake::{Amount, Answer, Cell, Lake, Ledger, Reader};

fn answer(data: &Path, query: &str) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let reader = Reader::open(data).unwrap();
    let mut take = |piece: Answer<'_>| {
        if let Answer::Row(cells) = piece {
            rows.push(cells.to_vec());
        }
        ControlFlow::Continue(())
    };
    reader.query(query, &mut take).unwrap_or_else(|error| panic!("{query}: {error}"));
    rows
}

fn number(data: &Path, query: &str) -> i64 {
    match answer(data, query).as_slice() {
        [row] => match row.as_slice() {
            [Cell::Int(number)] => *number,
            other => panic!("{query}: {other:?}"),
        },
        other => panic!("{query}: {other:?}"),
    }
}

fn refused(data: &Path, query: &str) -> String {
    let reader = Reader::open(data).unwrap();
    reader.query(query, &mut |_| ControlFlow::Continue(())).unwrap_err().to_string()
}

fn write(data: &Path, lines: &str) -> u64 {
    let mut lake = Lake::open(data, 1_795_219_200_000).unwrap();
    let taken = lake.write(lines).unwrap();
    taken.committed + lake.commit().unwrap()
}

/// An event as sensors write it, of that time.
fn exchange(ms: i64, status: u32) -> String {
    json!({
        "time": ms, "class_uid": 6003, "metadata": {"uid": format!("{ms:032x}"), "profiles": []},
        "http_response": {"code": status}, "unmapped": {"anomalies": ["bare-lf", "an \"odd\" one"], "other": {"a": 1}},
    })
    .to_string()
        + "\n"
}

/// Every event of every fixture.
fn fixtures() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path().join("expected.jsonl");
        let text = fs::read_to_string(file).unwrap_or_default();
        lines.extend(text.lines().filter(|line| line.contains("\"class_uid\"")).map(str::to_owned));
    }
    assert!(lines.len() > 1_000, "{}", lines.len());
    lines
}

fn sorted(mut events: Vec<Value>) -> Vec<String> {
    events.iter_mut().for_each(Value::sort_all_objects);
    let mut lines: Vec<String> = events.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

#[test]
fn every_event_of_every_fixture_comes_back_as_it_was() {
    let data = tempfile::tempdir().unwrap();
    let lines = fixtures();
    assert_eq!(write(data.path(), &(lines.join("\n") + "\n")), lines.len() as u64);
    let events =
        answer(data.path(), "SELECT event FROM events").into_iter().map(|row| match row.as_slice() {
            [Cell::Text(event)] => serde_json::from_str(event).unwrap(),
            other => panic!("{other:?}"),
        });
    let before = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (back, before) = (sorted(events.collect()), sorted(before));
    for (back, before) in back.iter().zip(&before) {
        assert_eq!(back, before);
    }
    assert_eq!(back.len(), before.len());
}

#[test]
fn what_has_no_columns_is_small() {
    let data = tempfile::tempdir().unwrap();
    let exchanges: Vec<String> =
        fixtures().into_iter().filter(|line| line.contains("\"class_uid\":6003")).collect();
    write(data.path(), &(exchanges.join("\n") + "\n"));
    let typical = number(
        data.path(),
        "SELECT length(extra) FROM exchanges ORDER BY 1 LIMIT 1 OFFSET (SELECT count(*) / 2 FROM exchanges)",
    );
    assert!(typical <= 512, "{typical} bytes of extra in the middle");
}

#[test]
fn odd_values_stay_what_they_are() {
    let data = tempfile::tempdir().unwrap();
    let odd = json!({
        "time": 5, "class_uid": 6003, "metadata": {"uid": 7, "sequence": "x", "extra": {}},
        "http_response": {}, "http_request": null, "api": [], "duration": 1.5, "activity_id": -3,
        "unmapped": {"anomalies": [1], "failed": "yes", "protocols": [], "data_classes": "none", "sni": "\u{e9}\n\""},
        "more": {"time": 1},
    });
    assert_eq!(
        write(
            data.path(),
            &format!("{odd}\nno event\n{{\"class_uid\":1,\"time\":1}}\n{{\"class_uid\":6003}}\n")
        ),
        1
    );
    let rows = answer(data.path(), "SELECT event FROM events");
    let [Cell::Text(event)] = rows[0].as_slice() else { panic!("{rows:?}") };
    assert_eq!(serde_json::from_str::<Value>(event).unwrap(), odd);
}

#[test]
fn what_an_event_says_twice_shifts_no_other_row() {
    let data = tempfile::tempdir().unwrap();
    let twice = "{\"time\":1,\"class_uid\":6003,\"duration\":1,\"duration\":2,\"metadata\":{\"uid\":\"a\",\"uid\":\"b\"}}\n";
    assert_eq!(write(data.path(), &format!("{twice}{}", exchange(2, 201))), 2);
    let rows = answer(data.path(), "SELECT uid, duration, status FROM exchanges ORDER BY time");
    assert_eq!(rows[0], [Cell::Text("a".into()), Cell::Int(1), Cell::Null]);
    assert_eq!(rows[1], [Cell::Text(format!("{:032x}", 2)), Cell::Null, Cell::Int(201)]);
}

#[test]
fn days_and_times_leave_out_files_and_no_rows() {
    let data = tempfile::tempdir().unwrap();
    let day = 86_400_000;
    let lines: String =
        (0..40).map(|hour| exchange(hour * day / 8, 200 + u32::try_from(hour).unwrap())).collect();
    assert_eq!(write(data.path(), &lines), 40);
    let count = |query: &str| number(data.path(), &format!("SELECT count(*) FROM exchanges {query}"));
    assert_eq!(count(""), 40);
    assert_eq!(count("WHERE day = '1970-01-02'"), 8);
    assert_eq!(count("WHERE time >= '1970-01-02' AND time < '1970-01-03T12'"), 12);
    assert_eq!(count("WHERE time > '1970-01-02T00:00:00.000Z' AND day <= '1970-01-02'"), 7);
    assert_eq!(count("WHERE time = '1970-01-02T03:00:00.000Z'"), 1);
    assert_eq!(count("WHERE day > '1980'"), 0);
    // A file that cannot be wanted is not opened: the query works without it.
    let folder = data.path().join("lake/exchanges/day=1970-01-01");
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(count("WHERE day >= '1970-01-02'"), 32);
    assert!(refused(data.path(), "SELECT max(status) FROM exchanges").contains("day=1970-01-01"));
}

#[test]
fn a_file_is_seen_when_it_is_whole() {
    let data = tempfile::tempdir().unwrap();
    write(data.path(), &exchange(1, 200));
    let mut lake = Lake::open(data.path(), 0).unwrap();
    // More than a row group, so that a part of the file is on the disk already.
    for ms in 0..40_000 {
        let taken = lake.write(&exchange(ms % 1_000, 200)).unwrap();
        assert_eq!(taken.committed, 0);
    }
    let files = fs::read_dir(data.path().join("lake/exchanges/day=1970-01-01")).unwrap().count();
    assert_eq!(files, 2, "the open file is beside the committed one");
    assert_eq!(number(data.path(), "SELECT count(*) FROM exchanges"), 1);
    drop(lake);
    assert_eq!(number(data.path(), "SELECT count(*) FROM exchanges"), 1);
    assert_eq!(write(data.path(), &exchange(2, 201)), 1);
    assert_eq!(number(data.path(), "SELECT count(*) FROM exchanges"), 2);
}

#[test]
fn little_memory_makes_small_row_groups_and_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut lake = Lake::open(data.path(), 0).unwrap().bounded(1 << 20);
    let day = 86_400_000;
    let lines: String = (0..6_000).map(|ms| exchange(ms % 3 * day + ms / 100, 200)).collect();
    // Three days of a megabyte each, of which none is done.
    for piece in lines.split_inclusive('\n').collect::<Vec<_>>().chunks(500) {
        assert_eq!(lake.write(&piece.concat()).unwrap().committed, 0);
    }
    let on_disk =
        |day: u32| fs::metadata(data.path().join(format!("lake/exchanges/day=1970-01-0{day}"))).is_ok();
    assert!((1..=3).any(on_disk), "some rows made room");
    assert_eq!(lake.commit().unwrap(), 6_000);
    assert_eq!(number(data.path(), "SELECT count(*) FROM exchanges"), 6_000);
    assert_eq!(number(data.path(), "SELECT sum(calls) FROM usage"), 6_000);
}

#[test]
fn five_minutes_of_events_are_a_file() {
    let data = tempfile::tempdir().unwrap();
    let mut lake = Lake::open(data.path(), 0).unwrap();
    let minutes = (0..14).map(|minute| lake.write(&exchange(minute * 60_000, 200)).unwrap().committed);
    assert_eq!(minutes.collect::<Vec<_>>(), [0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 6, 0, 0]);
}

#[test]
fn faults_of_queries_are_told_with_their_place() {
    let data = tempfile::tempdir().unwrap();
    write(data.path(), &exchange(1, 200));
    assert_eq!(
        refused(data.path(), "SELECT status,\n  clint FROM exchanges"),
        "no such column: clint\n      clint FROM exchanges\n      ^"
    );
    assert!(refused(data.path(), "SELECT * FROM exchange").contains("no such table: exchange"));
    for writes in [
        "CREATE TABLE a (b)",
        "DELETE FROM exchanges",
        "VACUUM INTO '/tmp/never'",
        "ATTACH '/tmp/never' AS n",
    ] {
        assert!(!refused(data.path(), writes).is_empty(), "{writes}");
    }
    assert!(!Path::new("/tmp/never").exists());
    let Err(nothing) = Reader::open(&data.path().join("none")) else { panic!("there is no lake") };
    assert!(nothing.to_string().contains("no lake is kept there"), "{nothing}");
}

#[test]
fn bounds_that_may_hold_lose_and_double_no_row() {
    let data = tempfile::tempdir().unwrap();
    // Three files of two row groups each, and more.
    for day in 0..3_i64 {
        let mut lake = Lake::open(data.path(), 0).unwrap().bounded(1 << 20);
        for row in 0..4_000_i64 {
            lake.write(&exchange(1_795_219_200_000 + day * 86_400_000 + row * 20_000, 200)).unwrap();
        }
        lake.commit().unwrap();
    }
    let both = |time: &str, day: &str| {
        format!(
            "SELECT count(*) FROM exchanges WHERE {time} < '2026-11-21T06' OR {time} > '2026-11-22T20' OR {day} = '2026-11-22'"
        )
    };
    // A sign before a column keeps its bounds from leaving files out.
    let (found, looked_at) =
        (number(data.path(), &both("time", "day")), number(data.path(), &both("+time", "+day")));
    assert_eq!(found, looked_at);
    assert!((1..12_000).contains(&found), "{found}");
    assert_eq!(number(data.path(), "SELECT count(DISTINCT rowid) FROM exchanges"), 12_000);
}

#[test]
fn captures_of_sparse_and_mixed_times_make_few_files() {
    let data = tempfile::tempdir().unwrap();
    let mut lake = Lake::open(data.path(), 0).unwrap().at_once();
    for row in 0..1_000_i64 {
        lake.write(&exchange(1_795_219_200_000 + row * 400_000 % (5 * 86_400_000), 200)).unwrap();
    }
    lake.commit().unwrap();
    assert_eq!(number(data.path(), "SELECT count(*) FROM exchanges"), 1_000);
    let folder = data.path().join("lake/exchanges");
    let days =
        fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() != "_delta_log");
    let files: usize = days.map(|day| fs::read_dir(day.unwrap().path()).unwrap().count()).sum();
    assert_eq!(files, 5, "one a day");
}

fn finding(ms: i64) -> String {
    json!({"time": ms, "class_uid": 2004, "metadata": {"uid": "f"}, "unmapped": {"detector": "d"}})
        .to_string()
        + "\n"
}

fn amount(lines: &[&str]) -> Amount {
    let bytes = lines.iter().map(|line| line.len() as u64).sum();
    Amount { events: lines.len() as u64, bytes }
}

#[test]
fn what_fails_takes_nothing_else_with_it_and_the_ledger_adds_up() {
    let data = tempfile::tempdir().unwrap();
    let day = 86_400_000;
    let (table, findings) = (data.path().join("lake/exchanges"), data.path().join("lake/findings"));
    let mut lake = Lake::open(data.path(), 0).unwrap();
    let [one, two, other] = [exchange(1, 200), exchange(day, 201), finding(2 * day)];
    assert_eq!(lake.write(&format!("{one}odd\n{two}{other}")).unwrap().refused, 1);
    let waiting = lake.ledger().waiting();
    assert_eq!(waiting, amount(&[&one, &two, &other]));
    // The folder of the second day cannot be made; the log of findings cannot be written.
    fs::write(table.join("day=1970-01-02"), "").unwrap();
    fs::remove_dir_all(findings.join("_delta_log")).unwrap();
    fs::write(findings.join("_delta_log"), "").unwrap();
    let error = lake.commit().unwrap_err().to_string();
    assert!(error.contains("day=1970-01-02"), "the first that failed: {error}");
    let ledger = lake.ledger();
    assert_eq!((ledger.refused, ledger.committed), (amount(&["odd\n"]), amount(&[&one])));
    assert_eq!((ledger.failed, ledger.waiting()), (amount(&[&two, &other]), Amount::default()));
    // What could be written is there, with its sums, and what is lost is not tried again.
    assert_eq!(number(data.path(), "SELECT sum(status) FROM exchanges"), 200);
    assert_eq!(number(data.path(), "SELECT sum(calls) FROM usage"), 1);
    assert_eq!(lake.commit().unwrap(), 0);
    // When the disk is well again, so is the lake.
    fs::remove_file(table.join("day=1970-01-02")).unwrap();
    lake.write(&two).unwrap();
    assert_eq!(lake.commit().unwrap(), 1);
    let Ledger { accepted, committed, failed, .. } = lake.ledger();
    assert_eq!((accepted.events, committed.events, failed.events), (5, 2, 2));
    assert_eq!(number(data.path(), "SELECT count(*) FROM exchanges"), 2);
}

#[test]
fn events_of_a_table_that_cannot_be_opened_fail_and_others_do_not() {
    let data = tempfile::tempdir().unwrap();
    let mut lake = Lake::open(data.path(), 0).unwrap();
    fs::write(data.path().join("lake/findings"), "").unwrap();
    let (one, other) = (exchange(1, 200), finding(1));
    assert!(lake.write(&format!("{other}{one}")).is_err());
    assert_eq!(lake.commit().unwrap(), 1);
    let ledger = lake.ledger();
    assert_eq!((ledger.failed, ledger.committed), (amount(&[&other]), amount(&[&one])));
}

#[test]
fn a_row_group_that_fails_takes_its_day_and_its_file_with_it() {
    let data = tempfile::tempdir().unwrap();
    let mut lake = Lake::open(data.path(), 0).unwrap().bounded(1 << 20);
    let folder = data.path().join("lake/exchanges/day=1970-01-01");
    lake.write(&exchange(1, 200)).unwrap();
    fs::write(&folder, "").unwrap();
    let mut errors = 0;
    for ms in 0..3_000 {
        errors += u64::from(lake.write(&exchange(ms % 1_000, 200)).is_err());
    }
    assert!(errors > 0);
    let Ledger { failed, committed, .. } = lake.ledger();
    assert!(failed.events > 0 && committed.events == 0, "{failed:?}");
    fs::remove_file(&folder).unwrap();
    let left = lake.ledger().waiting().events;
    assert_eq!(lake.commit().unwrap(), left);
    assert_eq!(lake.ledger().failed.events + left, 3_001);
}

/// Copies a folder.
fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if from.is_dir() { copied(&from, &to) } else { fs::copy(from, to).map(|_| ()).unwrap() }
    }
}

#[test]
fn a_table_of_an_earlier_version_gets_the_columns_that_it_lacks() {
    let data = tempfile::tempdir().unwrap();
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/lake-before-site/exchanges");
    let table = data.path().join("lake/exchanges");
    copied(&old, &table);
    let before = number(data.path(), "SELECT count(*) FROM exchanges");
    assert!(before > 0);
    // What is about the table: the last that the log says of it, its columns, and what its first commit said.
    let told = || {
        let commits = fs::read_dir(table.join("_delta_log")).unwrap().map(|entry| entry.unwrap().path());
        let mut commits: Vec<_> =
            commits.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        commits.sort();
        let lines = commits.iter().map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
        let actions = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let about: Vec<Value> = actions.filter_map(|line| line.get("metaData").cloned()).collect();
        (commits.len(), about)
    };
    let columns = |about: &Value| {
        let schema: Value = serde_json::from_str(about["schemaString"].as_str().unwrap()).unwrap();
        let fields = schema["fields"].as_array().unwrap().iter();
        fields.map(|field| field["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (commits, about) = told();
    let old = columns(about.last().unwrap());
    assert!(!old.contains(&"site".to_owned()) && !old.contains(&"run".to_owned()), "{old:?}");
    let event = exchange(1_795_287_896_094, 200).replace("\"other\":", "\"site\":\"Oslo\",\"other\":");
    assert_eq!(write(data.path(), &event), 1);
    let (now, about) = told();
    assert_eq!((now, about.len()), (commits + 2, 2), "one commit for the columns, one for the event");
    let wide = columns(&about[1]);
    assert_eq!(wide[..old.len()], old, "columns that were there stay where they are");
    assert_eq!(wide[old.len()..], ["site", "run"]);
    for member in ["id", "name", "partitionColumns", "createdTime"] {
        assert_eq!(about[0][member], about[1][member], "{member}");
    }
    assert_eq!(number(data.path(), "SELECT count(*) FROM exchanges"), before + 1);
    assert_eq!(number(data.path(), "SELECT count(*) FROM exchanges WHERE site = 'Oslo'"), 1);
    // A table that has them all is left as it is.
    assert_eq!(write(data.path(), &exchange(1_795_287_896_095, 200)), 1);
    assert_eq!((told().0, told().1.len()), (commits + 3, 2));
}

#[test]
fn rows_name_the_run_that_numbers_them_and_events_do_not() {
    let data = tempfile::tempdir().unwrap();
    let (one, other) = (exchange(5, 200), exchange(6, 200));
    for now_ms in [1, 2] {
        let mut lake = Lake::open(data.path(), now_ms).unwrap().of_one_run();
        lake.write(&one).unwrap();
        lake.commit().unwrap();
    }
    assert_eq!(write(data.path(), &other), 1);
    assert_eq!(number(data.path(), "SELECT count(DISTINCT run) FROM exchanges"), 2);
    assert_eq!(number(data.path(), "SELECT count(*) FROM exchanges WHERE run IS NULL"), 1);
    let told: Value = serde_json::from_str(&one).unwrap();
    for row in answer(data.path(), "SELECT event FROM events WHERE json_extract(event, '$.time') = 5") {
        assert!(
            matches!(row.as_slice(), [Cell::Text(event)] if serde_json::from_str::<Value>(event).unwrap() == told)
        );
    }
}
