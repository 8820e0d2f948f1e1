//! The packet ring as its users see it: what was written comes back, the budget holds, pins survive, damage ends reading.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tapwire_store::{Block, Reader, Record, Segment, Store};

fn record(number: u64, label: u64, data: &[u8]) -> Record<'_> {
    let time = 1_000_000 * number.cast_signed();
    Record { time, label, frame: number, link: 1, wire_len: 99, source: 1, data }
}

fn names() -> Vec<String> {
    vec!["east".into(), "west".into()]
}

/// Numbers `from..to`, of ten connections in turn, in blocks of 20.
fn write(store: &Store, budget: u64, from: u64, to: u64, pins: &[u64]) -> tapwire_store::RingCounters {
    let mut ring = store.packet_ring(budget, &names()).unwrap();
    for number in from..to {
        let mut block = Block::with_capacity(1 << 10);
        for at in 0..20 {
            let number = number * 20 + at;
            block.push(&record(number, 1 + number % 10, &[0x5a; 1000]));
        }
        ring.append(&mut block).unwrap();
        assert!(block.is_empty(), "a block can be used again");
        for pin in pins {
            ring.pin(*pin, 1_000_000 * (number * 20).cast_signed()).unwrap();
        }
    }
    ring.finish().unwrap()
}

fn read(directory: &Path, labels: Option<&BTreeSet<u64>>) -> Vec<(u64, u64)> {
    let packets = Reader::open(directory).unwrap().packets().unwrap();
    let mut seen = Vec::new();
    for segment in packets.segments() {
        let Segment::Open(mut segment) = packets.open_segment(segment, labels).unwrap() else { continue };
        assert_eq!(segment.names(), names());
        while segment.next_block(&mut |record| seen.push((record.frame, record.label))).unwrap() {}
    }
    seen
}

fn ring_bytes(directory: &Path) -> u64 {
    let files = fs::read_dir(directory.join("packets")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn packets_come_back_in_order_alone_or_all_and_nobody_else_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let counters = write(&store, 16 << 20, 0, 100, &[]);
    assert_eq!((counters.written, counters.evicted_segments, counters.segments), (2000, 0, 2));
    let all = read(folder.path(), None);
    assert_eq!(all, (0..2000).map(|number| (number, 1 + number % 10)).collect::<Vec<_>>());
    let three = read(folder.path(), Some(&BTreeSet::from([3])));
    assert_eq!(three, (0..2000).filter(|n| n % 10 == 2).map(|n| (n, 3)).collect::<Vec<_>>());
    for file in fs::read_dir(folder.path().join("packets")).unwrap().map(|file| file.unwrap().path()) {
        let bytes = fs::read(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
        assert!(!bytes.windows(16).any(|window| window == [0x5a; 16]), "{}: in clear", file.display());
    }
    assert_eq!(fs::metadata(folder.path().join("packets.key")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_budget_holds_from_run_to_run_and_the_newest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let budget = 4 << 20;
    for run in 0..3 {
        let counters = write(&store, budget, run * 200, (run + 1) * 200, &[]);
        assert_eq!(counters.written, 4000);
        assert!(ring_bytes(folder.path()) <= budget, "{} bytes", ring_bytes(folder.path()));
    }
    let kept = read(folder.path(), None);
    assert_eq!(kept.last(), Some(&(11_999, 10)));
    assert!(kept.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "without holes");
    assert!(kept.len() > 2500, "{} packets use the room", kept.len());
}

#[test]
fn what_findings_pin_outlives_its_segment_within_its_own_share() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let counters = write(&store, 8 << 20, 0, 500, &[4]);
    assert!(counters.evicted_segments > 0 && counters.pins == 1);
    let kept = read(folder.path(), None);
    let pinned = kept.iter().filter(|(_, label)| *label == 4).count();
    assert_eq!(pinned, 1000, "every packet of the pinned connection");
    assert!(kept.iter().filter(|(_, label)| *label == 5).count() < 800, "others went");
    assert!(kept.iter().filter(|(_, label)| *label == 4).is_sorted(), "in order");
    let counters = write(&store, 8 << 20, 500, 3000, &[4, 5, 6, 7]);
    assert!(counters.evicted_pinned_segments > 0, "{counters:?}");
    assert!(ring_bytes(folder.path()) <= 8 << 20, "{} bytes", ring_bytes(folder.path()));
}

#[test]
fn what_is_pinned_and_cannot_be_read_is_counted_when_its_segment_goes() {
    // Nothing is pinned, all can be read, one block cannot, and nothing of the segment can.
    let cases = [(&[][..], Some(2_000)), (&[4], None), (&[4], Some(2_000)), (&[4], Some(30))];
    let unrescued = cases.map(|(pins, damage)| {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let _ = write(&store, 8 << 20, 0, 100, pins);
        let file = folder.path().join("packets/0000000001.packets");
        let mut bytes = fs::read(&file).unwrap();
        damage.into_iter().for_each(|at: usize| bytes[at] ^= 1);
        fs::write(&file, &bytes).unwrap();
        let counters = write(&store, 8 << 20, 100, 500, pins);
        assert!(counters.evicted_segments > 0 && !file.exists(), "{counters:?}");
        (counters.unrescued_bytes, bytes.len() as u64)
    });
    let [unpinned, readable, a_block, nothing] = unrescued;
    assert_eq!([unpinned.0, readable.0], [0, 0]);
    assert_eq!(a_block.0, 20 * 1040 + 24, "the block that was changed");
    assert_eq!(nothing.0, nothing.1, "the whole segment");
}

#[test]
fn a_segment_that_a_kill_left_is_read_to_its_last_whole_block() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let _ = write(&store, 64 << 20, 0, 10, &[]);
    let file = folder.path().join("packets/0000000001.packets");
    let whole = fs::read(&file).unwrap();
    let block = 20 * 1040 + 24;
    let first = 8 + 8 + 12 + 48 + 8 + 9 + 16;
    for cut in [whole.len() - 1, whole.len() - 8, first + 5 * block + 77, first + 5 * block, first + 1, 30, 0]
    {
        fs::write(&file, &whole[..cut]).unwrap();
        let blocks = cut.saturating_sub(first) / block;
        assert_eq!(read(folder.path(), None).len(), 20 * blocks.min(10), "cut at {cut}");
        let one = read(folder.path(), Some(&BTreeSet::from([3])));
        assert_eq!(one.len(), 2 * blocks.min(10), "cut at {cut}");
    }
}

#[test]
fn what_was_changed_is_not_believed_and_counted_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let _ = write(&store, 64 << 20, 0, 10, &[]);
    let file = folder.path().join("packets/0000000001.packets");
    let whole = fs::read(&file).unwrap();
    let block = 20 * 1040 + 24;
    let first = 8 + 8 + 12 + 48 + 8 + 9 + 16;
    let unreadable = |labels: Option<&BTreeSet<u64>>| {
        let packets = Reader::open(folder.path()).unwrap().packets().unwrap();
        let opened = packets.open_segment(&packets.segments()[0], labels).unwrap();
        let Segment::Open(mut segment) = opened else { panic!("{opened:?}") };
        while segment.next_block(&mut |_| ()).unwrap() {}
        segment.unreadable()
    };
    assert_eq!(unreadable(None), 0, "all of it can be read");
    let mut changed = whole.clone();
    changed[first + 3 * block + 100] ^= 1;
    fs::write(&file, &changed).unwrap();
    assert_eq!(read(folder.path(), None).len(), 180, "all but the block that was changed");
    assert_eq!(unreadable(None), block as u64);
    assert_eq!(unreadable(Some(&BTreeSet::from([3]))), block as u64, "by the index, too");
    let mut swapped = whole.clone();
    let (one, other) = (first + block, first + 2 * block);
    swapped.copy_within(one..one + block, other);
    fs::write(&file, &swapped).unwrap();
    assert_eq!(read(folder.path(), None).len(), 180, "a block in the place of another is not believed");
    fs::write(&file, &whole[..first + block + 77]).unwrap();
    assert_eq!(unreadable(None), 77, "what a kill left");
    let mut foreign = whole;
    foreign[30] ^= 1;
    fs::write(&file, &foreign).unwrap();
    let packets = Reader::open(folder.path()).unwrap().packets().unwrap();
    let opened = packets.open_segment(&packets.segments()[0], None).unwrap();
    assert!(matches!(opened, Segment::Closed), "{opened:?}");
}

#[test]
fn another_key_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let _ = write(&store, 16 << 20, 0, 10, &[]);
    fs::write(folder.path().join("packets.key"), [1; 32]).unwrap();
    assert_eq!(read(folder.path(), None), []);
    fs::remove_file(folder.path().join("packets.key")).unwrap();
    let error = Reader::open(folder.path()).unwrap().packets().unwrap_err().to_string();
    assert!(error.contains("packets.key"), "{error}");
}

#[test]
fn an_old_segment_that_nothing_is_rescued_of_costs_no_new_packets() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let budget = 8 << 20;
    let _ = write(&store, budget, 0, 300, &[4]);
    let mut ring = store.packet_ring(budget, &names()).unwrap();
    // Somebody deleted the oldest, and no segment of pinned packets can be begun.
    let room = folder.path().join("packets");
    fs::remove_file(room.join("0000000001.packets")).unwrap();
    (1..200).for_each(|number| fs::write(room.join(format!("{number:010}.pinned")), "").unwrap());
    let mut errors = 0;
    for number in 300..600 {
        let mut block = Block::with_capacity(1 << 10);
        for at in 0..20 {
            block.push(&record(number * 20 + at, 1, &[0x5a; 1000]));
        }
        errors += u64::from(ring.append(&mut block).is_err());
    }
    let counters = ring.finish().unwrap();
    assert_eq!((counters.written, counters.failed), (6_000, 0), "{counters:?}");
    assert!(errors > 0 && counters.unrescued_bytes > 0, "it is told: {errors}, {counters:?}");
}
