use super::{Deed, Log, Part};
use crate::schema::TABLES;

const EACH: u64 = 30;

fn part(path: String) -> Part {
    Part { path, day: "2026-11-22".into(), bytes: 1, rows: 1, times: Some((0, 1)) }
}

/// Adds files to the table and, of those that it added itself, puts every two into one.
fn writer(log: &Log, who: u64) {
    let mut own: Vec<Part> = Vec::new();
    for number in 0..EACH {
        let added = part(format!("day=2026-11-22/{who}-{number}.parquet"));
        let _commit = log.add(std::slice::from_ref(&added), None, 1).unwrap();
        own.push(added);
        if let [first, second] = own.as_slice() {
            let base = log.snapshot().unwrap();
            let joined = Part { rows: 2, ..part(format!("day=2026-11-22/{who}-{number}-c.parquet")) };
            let put = log.replace(&base, Deed::Optimize, &[first, second], &[joined], 1);
            assert!(put.unwrap(), "nobody else takes them");
            own.clear();
        }
    }
}

#[test]
fn what_threads_commit_at_once_is_all_there() {
    let room = tempfile::tempdir().unwrap();
    let log = Log::of(room.path());
    log.create(&TABLES[0], 0).unwrap();
    std::thread::scope(|scope| {
        for who in 0..4 {
            let log = &log;
            scope.spawn(move || writer(log, who));
        }
    });
    let snapshot = log.snapshot().unwrap();
    let rows: u64 = snapshot.parts.values().map(|part| part.rows).sum();
    assert_eq!((rows, snapshot.parts.len() as u64), (4 * EACH, 4 * EACH / 2));
    let left = std::fs::read_dir(room.path().join("_delta_log")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.ends_with(".new")).count(), 0);
}
