use super::*;
use crate::Store;
use std::os::unix::fs::PermissionsExt;

const MIB: u64 = 1 << 20;

fn line(n: u64) -> String {
    format!("{{\"n\":{n:06},\"text\":\"Grüße, 世界\"}}\n")
}

fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.map(line).collect()
}

fn number(line: &[u8]) -> u64 {
    std::str::from_utf8(&line[5..11]).unwrap().parse().unwrap()
}

fn open(directory: &Path, cap: u64) -> Spool {
    Spool::open(directory.to_owned(), cap, None).unwrap()
}

fn append(spool: &mut Spool, rank: u8, numbers: std::ops::Range<u64>) -> Appended {
    let events = numbers.end - numbers.start;
    spool.append(Rank::new(rank).unwrap(), events, lines(numbers).as_bytes()).unwrap()
}

/// Everything that is to be read, checked against what entries say of themselves.
fn rest(spool: &mut Spool) -> Vec<u64> {
    let mut all = Vec::new();
    let before = spool.unread();
    while let Some(entry) = spool.read().unwrap() {
        let numbers: Vec<u64> = entry.lines.split_inclusive(|b| *b == b'\n').map(number).collect();
        assert_eq!(entry.events, numbers.len() as u64);
        assert_eq!(entry.offset + entry.events, spool.cursor);
        all.extend(numbers);
    }
    assert!(before.events >= all.len() as u64);
    assert_eq!(spool.unread(), Amount::default());
    all
}

#[test]
fn of_a_record_that_was_taken_in_part_the_rest_is_counted_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let text: Vec<String> = (0..9).map(|n| format!("{}\n", "x".repeat(n * n))).collect();
    for taken in 0..=9 {
        let _gone = std::fs::remove_dir_all(dir.path());
        std::fs::create_dir_all(dir.path()).unwrap();
        let mut spool = open(dir.path(), MIB);
        spool.append(Rank::LOWEST, 9, text.concat().as_bytes()).unwrap();
        assert_eq!(spool.read().unwrap().unwrap().events, 9);
        spool.acknowledge(taken as u64).unwrap();
        drop(spool);
        let left = text[taken..].concat().len() as u64;
        assert_eq!(open(dir.path(), MIB).unread(), Amount { events: 9 - taken as u64, bytes: left });
    }
}

#[test]
fn what_is_taken_is_read_in_order_and_again_until_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIB);
    for n in 0..10 {
        assert_eq!(append(&mut spool, 0, n * 10..(n + 1) * 10), Appended::Kept);
    }
    assert_eq!(spool.unread(), Amount { events: 100, bytes: lines(0..100).len() as u64 });
    assert_eq!(rest(&mut spool), (0..100).collect::<Vec<_>>());
    // The receiver took 37: the fourth record in part.
    spool.acknowledge(37).unwrap();
    drop(spool);
    let mut spool = open(dir.path(), MIB);
    assert_eq!(spool.unread().events, 63);
    assert_eq!(rest(&mut spool), (37..100).collect::<Vec<_>>());
    drop(spool);
    let mut spool = open(dir.path(), MIB);
    assert_eq!(spool.unread().events, 63);
    append(&mut spool, 0, 100..101);
    assert_eq!(rest(&mut spool), (37..101).collect::<Vec<_>>());
    assert_eq!(spool.take_damage(), []);
}

#[test]
fn files_are_for_their_owner_and_go_when_they_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut spool = store.spools().open("collector", 32 * MIB).unwrap();
    for n in 0..100 {
        append(&mut spool, 0, n * 1000..(n + 1) * 1000);
    }
    let path = dir.path().join("spool/collector");
    let files = || fs::read_dir(&path).unwrap().flatten().map(|e| e.path()).collect::<Vec<_>>();
    assert!(files().len() > 2);
    for file in files() {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(rest(&mut spool).len(), 100_000);
    spool.acknowledge(100_000).unwrap();
    assert_eq!(files().len(), 2, "the mark and the file that is written");
    assert_eq!(store.spools().names(), ["collector"]);
    // Of those that nobody has opened, the ones in which something waits are told.
    let spools = store.spools();
    let mut left = spools.open("left", MIB).unwrap();
    append(&mut left, 0, 0..10);
    assert_eq!(spools.left_behind(), []);
    drop(left);
    drop(spool);
    let left = spools.left_behind();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((left[0].0.as_path(), left[0].1.events), (dir.path().join("spool/left").as_path(), 10));
    assert!(matches!(store.spools().open("../state", 1), Err(StoreError::Name(_))));
}

#[test]
fn a_kill_at_any_byte_of_an_append_loses_nothing_that_was_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIB);
    append(&mut spool, 0, 0..2);
    let file = spool.segments.back().unwrap().path.clone();
    let before = fs::read(&file).unwrap().len();
    append(&mut spool, 3, 2..4);
    let whole = fs::read(&file).unwrap();
    drop(spool);
    for cut in before..=whole.len() {
        fs::write(&file, &whole[..cut]).unwrap();
        let mut spool = open(dir.path(), MIB);
        let torn = cut > before && cut < whole.len();
        assert_eq!(spool.take_damage().iter().map(|d| d.bytes).sum::<u64>() > 0, torn, "cut at {cut}");
        append(&mut spool, 0, 8..9);
        let expected = if cut == whole.len() { vec![0, 1, 2, 3, 8] } else { vec![0, 1, 8] };
        assert_eq!(rest(&mut spool), expected, "cut at {cut}");
        drop(spool);
        for entry in fs::read_dir(dir.path()).unwrap().flatten() {
            if entry.path() != file {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
}

#[test]
fn every_flipped_byte_costs_its_record_only_and_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIB);
    for n in 0..4 {
        append(&mut spool, 0, n * 2..n * 2 + 2);
    }
    let file = spool.segments.back().unwrap().path.clone();
    let whole = fs::read(&file).unwrap();
    drop(spool);
    let size = whole.len() / 4;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x04;
        fs::write(&file, &flipped).unwrap();
        let mut spool = open(dir.path(), MIB);
        let hit = (at / size * 2) as u64;
        let expected: Vec<u64> = (0..8).filter(|n| *n != hit && *n != hit + 1).collect();
        assert_eq!(rest(&mut spool), expected, "flipped at {at}");
        assert_ne!(spool.take_damage(), [], "flipped at {at}");
        drop(spool);
        for entry in fs::read_dir(dir.path()).unwrap().flatten() {
            if entry.path() != file {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
}

#[test]
fn a_damaged_segment_is_kept_aside_and_its_loss_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIB);
    for n in 0..300 {
        append(&mut spool, 0, n * 10..(n + 1) * 10);
    }
    assert!(spool.segments.len() > 1);
    let file = spool.segments[0].path.clone();
    drop(spool);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3000].fill(0);
    fs::write(&file, &bytes).unwrap();
    let mut spool = open(dir.path(), MIB);
    let read = rest(&mut spool);
    let damage = spool.take_damage();
    let lost: u64 = damage.iter().map(|damage| damage.events).sum();
    assert_eq!(read.len() as u64 + lost, 3000, "{damage:?}");
    assert!(lost > 0 && lost < 120, "{damage:?}");
    assert!(read.is_sorted());
    assert!(
        damage
            .iter()
            .any(|damage| damage.path.to_string_lossy().ends_with(".damaged") && damage.path.exists())
    );
}

/// Ten records of ten events, of which the first `taken` were delivered.
fn ten_by_ten(directory: &Path, taken: u64) -> PathBuf {
    let mut spool = open(directory, MIB);
    for n in 0..10 {
        append(&mut spool, 0, n * 10..(n + 1) * 10);
    }
    spool.acknowledge(taken).unwrap();
    spool.segments[0].path.clone()
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, &bytes).unwrap();
}

#[test]
fn a_damaged_last_record_is_loss_and_no_torn_write() {
    let dir = tempfile::tempdir().unwrap();
    let file = ten_by_ten(dir.path(), 0);
    let length = fs::metadata(&file).unwrap().len();
    flip(&file, usize::try_from(length).unwrap() - 5);
    let mut spool = open(dir.path(), MIB);
    assert_eq!(spool.unread().events, 100, "what it holds is known");
    assert_eq!(rest(&mut spool), (0..90).collect::<Vec<_>>());
    let damage = spool.take_damage();
    assert_eq!(damage.iter().map(|damage| damage.events).sum::<u64>(), 10, "{damage:?}");
    assert!(damage.iter().any(|damage| damage.path.to_string_lossy().ends_with(".damaged")));
}

#[test]
fn damage_to_what_was_delivered_is_no_loss() {
    let dir = tempfile::tempdir().unwrap();
    let file = ten_by_ten(dir.path(), 50);
    let record = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap() / 10;
    flip(&file, 2 * record + 9);
    let mut spool = open(dir.path(), MIB);
    assert_eq!(rest(&mut spool), (50..100).collect::<Vec<_>>());
    assert_eq!(spool.take_damage(), []);
}

#[test]
fn a_spool_has_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let spools = Store::open(dir.path()).unwrap().spools();
    let first = spools.open("siem", MIB).unwrap();
    assert!(matches!(spools.clone().open("siem", MIB), Err(StoreError::Twice(_))));
    drop(first);
    assert!(spools.open("siem", MIB).is_ok());
}

#[test]
fn beyond_the_cap_the_oldest_of_the_lowest_rank_go_first_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIB);
    let mut taken = 0;
    for n in 0..1000 {
        // One in fifty matters.
        let rank = if n % 50 == 0 { 3 } else { 0 };
        assert_eq!(append(&mut spool, rank, n * 100..(n + 1) * 100), Appended::Kept);
        taken += 100;
        assert!(spool.length() <= MIB);
    }
    let dropped = spool.take_dropped();
    drop(spool);
    let mut spool = open(dir.path(), MIB);
    let read = rest(&mut spool);
    assert_eq!(read.len() as u64 + dropped.events, taken);
    assert_eq!(spool.take_damage(), [], "what was dropped is known to be");
    let important = read.iter().filter(|n| **n / 100 % 50 == 0).count();
    assert_eq!(important, 2000, "all that matter are there");
    let oldest = read.iter().find(|n| **n / 100 % 50 != 0).unwrap();
    let others = read.iter().filter(|n| **n / 100 % 50 != 0).count() as u64;
    assert_eq!(others, (*oldest..100_000).filter(|n| n / 100 % 50 != 0).count() as u64, "the newest stay");
    assert!(read.is_sorted());
}

#[test]
fn what_matters_is_not_dropped_for_what_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path(), MIB / 4);
    while append(&mut spool, 2, 0..100) == Appended::Kept && spool.take_dropped().events == 0 {}
    while spool.has_room(lines(0..100).len()) {
        append(&mut spool, 2, 0..100);
    }
    let before = spool.unread();
    assert_eq!(append(&mut spool, 1, 0..100), Appended::NoRoom);
    assert_eq!(spool.unread(), before);
    assert_eq!(append(&mut spool, 3, 0..100), Appended::Kept);
    assert!(spool.take_dropped().events > 0);
}

/// A small generator: the same seed gives the same run.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Appends, reads, marks and reopens in any order; what arrives is what was taken less what was dropped, in order, and
/// only what was not marked arrives twice.
#[test]
fn any_order_of_steps_delivers_everything_that_was_not_dropped() {
    for mut seed in 1..=60 {
        let dir = tempfile::tempdir().unwrap();
        let cap = (128 << 10) << (random(&mut seed) % 3);
        let mut spool = open(dir.path(), cap);
        let (mut next, mut refused, mut dropped) = (0, 0, 0);
        let (mut arrived, mut under_way) = (Vec::new(), Vec::new());
        for _ in 0..600 {
            match random(&mut seed) % 8 {
                0..=4 => {
                    let rank = u8::try_from(random(&mut seed) % 4).unwrap();
                    let more = 1 + random(&mut seed) % 60;
                    if append(&mut spool, rank, next..next + more) == Appended::NoRoom {
                        refused += more;
                    }
                    next += more;
                }
                5 | 6 => {
                    if let Some(entry) = spool.read().unwrap() {
                        let numbers = entry.lines.split_inclusive(|b| *b == b'\n').map(number);
                        under_way.extend((entry.offset..).zip(numbers));
                    }
                }
                _ if random(&mut seed).is_multiple_of(3) => {
                    dropped += spool.take_dropped().events;
                    drop(spool);
                    spool = open(dir.path(), cap);
                    under_way.clear();
                }
                _ => {
                    let taken = usize::try_from(random(&mut seed)).unwrap() % (under_way.len() + 1);
                    let rest = under_way.split_off(taken);
                    if let Some((offset, _)) = under_way.last() {
                        spool.acknowledge(offset + 1).unwrap();
                    }
                    arrived.extend(std::mem::replace(&mut under_way, rest).into_iter().map(|(_, n)| n));
                }
            }
        }
        arrived.extend(under_way.into_iter().map(|(_, n)| n));
        arrived.extend(rest(&mut spool));
        dropped += spool.take_dropped().events;
        assert_eq!(spool.take_damage(), []);
        assert!(arrived.is_sorted_by(|a, b| a < b), "in order, and nothing twice");
        assert_eq!(arrived.len() as u64 + dropped + refused, next, "cap {cap}");
    }
}

/// Whatever stands in the files, opening and reading ends, and what is read was written.
#[test]
fn any_damage_ends_in_lines_that_were_written() {
    for mut seed in 1..=200 {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = open(dir.path(), 256 << 10);
        for n in 0..200 {
            append(&mut spool, u8::try_from(random(&mut seed) % 4).unwrap(), n * 20..(n + 1) * 20);
        }
        drop(spool);
        let files: Vec<PathBuf> = fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.path()).collect();
        for file in files {
            let mut bytes = fs::read(&file).unwrap();
            for _ in 0..random(&mut seed) % 4 {
                let at = usize::try_from(random(&mut seed)).unwrap() % bytes.len().max(1);
                match random(&mut seed) % 3 {
                    0 => bytes.truncate(at),
                    1 => bytes.iter_mut().skip(at).take(40).for_each(|byte| *byte = 0),
                    _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x40),
                }
            }
            fs::write(&file, &bytes).unwrap();
        }
        let mut spool = open(dir.path(), 256 << 10);
        let read = rest(&mut spool);
        assert!(read.is_sorted_by(|a, b| a < b) && read.iter().all(|n| *n < 4000));
        assert_eq!(append(&mut spool, 3, 5000..5001), Appended::Kept);
        assert_eq!(rest(&mut spool), [5000]);
    }
}
