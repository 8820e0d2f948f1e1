//! A directory that captures are rotated in: every packet once, in order, whatever the writer does with its files.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tapwire_capture::{ByteOrder, Source, SourceError, Status, follow};
use tempfile::TempDir;

use crate::samples::{START, Seen, gzip, pcapng, plain, sample, zstd};

/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Packets `from..to`, a millisecond apart; in each file frames count from 1.
fn packets(from: u64, to: u64) -> Vec<Seen> {
    let at = |n: u64| START + i64::try_from(n).unwrap() * 1_000_000;
    (from..to).map(|n| Seen { frame: n - from + 1, ..sample(n % 50_000, at(n)) }).collect()
}

fn number(seen: &Seen) -> u64 {
    u64::try_from((seen.nanos - START) / 1_000_000).unwrap()
}

/// Reads on until `count` packets came in all, and a little longer: nothing may come twice.
fn read_until(source: &mut dyn Source, seen: &mut Vec<u64>, count: usize) -> Vec<SourceError> {
    let started = Instant::now();
    let (mut errors, mut quiet) = (Vec::new(), 0);
    while quiet < 4 {
        assert!(started.elapsed() < PATIENCE, "only {} of {count} came", seen.len());
        match source.dispatch(&mut |packet| seen.push(number(&Seen::of(&packet)))) {
            Ok(Status::Idle) => quiet += usize::from(seen.len() >= count),
            Ok(Status::More) => quiet = 0,
            Ok(Status::End) => panic!("a followed directory has no end"),
            Err(error) => errors.push(error),
        }
    }
    errors
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

fn all(to: u64) -> Vec<u64> {
    (0..to).collect()
}

#[test]
fn files_grow_byte_by_byte_and_rotate() {
    let dir = TempDir::new().unwrap();
    let mut source = follow(dir.path(), None).unwrap();
    let mut seen = Vec::new();
    assert_eq!(source.dispatch(&mut |_| ()).unwrap(), Status::Idle);
    // Pieces that end inside the file header, packet headers and packets.
    let first = plain(&packets(0, 6));
    let a = dir.path().join("a.pcap0");
    for piece in first.chunks(37) {
        append(&a, piece);
        source.dispatch(&mut |packet| seen.push(number(&Seen::of(&packet)))).unwrap();
    }
    assert!(read_until(&mut source, &mut seen, 6).is_empty());
    let second = pcapng(&packets(6, 12), ByteOrder::Big);
    File::create(dir.path().join("a.pcap1")).unwrap();
    // The writer flushes the old file late, after it made the new one.
    append(&a, &plain(&packets(12, 14))[24..]);
    append(&dir.path().join("a.pcap1"), &second[..second.len() / 2]);
    let errors = read_until(&mut source, &mut seen, 9);
    append(&dir.path().join("a.pcap1"), &second[second.len() / 2..]);
    let more = read_until(&mut source, &mut seen, 14);
    assert!(errors.is_empty() && more.is_empty(), "{errors:?} {more:?}");
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 12, 13, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn files_come_late_compressed_renamed_or_are_gone_and_no_packet_comes_twice() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("x0.pcap"), plain(&packets(0, 10))).unwrap();
    let mut source = follow(dir.path(), None).unwrap();
    let mut seen = Vec::new();
    read_until(&mut source, &mut seen, 10);
    // Compressed under another name while it is still the newest, then rotated.
    fs::write(path("x0.pcap.gz"), gzip(&plain(&packets(0, 10)))).unwrap();
    fs::remove_file(path("x0.pcap")).unwrap();
    fs::write(path("x1.pcap"), plain(&packets(10, 20))).unwrap();
    read_until(&mut source, &mut seen, 20);
    // The next one is renamed while it grows, and then deleted with its last packets unread.
    let mut growing = OpenOptions::new().append(true).open(path("x1.pcap")).unwrap();
    fs::rename(path("x1.pcap"), path("moved.pcap")).unwrap();
    growing.write_all(&plain(&packets(20, 30))[24..]).unwrap();
    read_until(&mut source, &mut seen, 30);
    fs::remove_file(path("moved.pcap")).unwrap();
    growing.write_all(&plain(&packets(30, 32))[24..]).unwrap();
    drop(growing);
    // Of this one nothing but the packed copy is ever seen.
    fs::write(path("x2.pcap.zst"), zstd(&plain(&packets(32, 40)))).unwrap();
    fs::write(path("notes.txt"), "not a capture").unwrap();
    let errors = read_until(&mut source, &mut seen, 40);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(seen, all(40));
    assert_eq!(source.stats().received, 40);
}

#[test]
fn a_file_that_goes_on_after_it_was_left_is_taken_up_again() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("a.pcap"), plain(&packets(0, 5))).unwrap();
    fs::write(path("b.pcap"), plain(&packets(10, 12))).unwrap();
    let mut source = follow(dir.path(), None).unwrap();
    let mut seen = Vec::new();
    read_until(&mut source, &mut seen, 7);
    append(&path("a.pcap"), &plain(&packets(5, 8))[24..]);
    fs::write(path("c.pcap"), plain(&packets(20, 21))).unwrap();
    read_until(&mut source, &mut seen, 11);
    assert_eq!(seen, [0, 1, 2, 3, 4, 10, 11, 5, 6, 7, 20]);
}

#[test]
fn a_ring_of_files_that_comes_round_is_new() {
    let dir = TempDir::new().unwrap();
    let mut source = follow(dir.path(), None).unwrap();
    let mut seen = Vec::new();
    for turn in 0..9u64 {
        // The same name, the same file, written anew.
        let path = dir.path().join(format!("ring.pcap{}", turn % 3));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path).unwrap();
        file.write_all(&plain(&packets(turn * 4, turn * 4 + 4))).unwrap();
        let errors = read_until(&mut source, &mut seen, usize::try_from(turn * 4 + 4).unwrap());
        assert!(errors.is_empty(), "{errors:?}");
    }
    assert_eq!(seen, all(36));
}

#[test]
fn a_ring_that_overtakes_its_reader_is_told() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ring.pcap0");
    fs::write(&path, plain(&packets(0, 4))).unwrap();
    let mut source = follow(dir.path(), None).unwrap();
    let mut seen = Vec::new();
    read_until(&mut source, &mut seen, 4);
    let mut file = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    file.write_all(&plain(&packets(4, 12))).unwrap();
    let errors = read_until(&mut source, &mut seen, 12);
    assert!(matches!(&errors[..], [SourceError::Overwritten { packets: 4, .. }]), "{errors:?}");
    assert_eq!(seen, all(12));
}

#[test]
fn a_backlog_of_a_thousand_files_is_read_in_time_order_with_one_handle() {
    let dir = TempDir::new().unwrap();
    for file in 0..1_000u64 {
        // Names tell nothing about the order.
        let name = format!("{:08x}.pcap", file.wrapping_mul(0x9e37_79b9) & 0xffff_ffff);
        fs::write(dir.path().join(name), plain(&packets(file * 3, file * 3 + 3))).unwrap();
    }
    let mut source = follow(dir.path(), None).unwrap();
    let (mut seen, mut most) = (Vec::new(), 0);
    while seen.len() < 3_000 {
        source.dispatch(&mut |packet| seen.push(number(&Seen::of(&packet)))).unwrap();
        most = most.max(fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or(0));
    }
    assert_eq!(seen, all(3_000));
    assert!(most < 100, "{most} handles");
}

#[test]
fn a_damaged_file_is_told_and_the_next_is_read() {
    let dir = TempDir::new().unwrap();
    let cut = plain(&packets(0, 3));
    fs::write(dir.path().join("a.pcap"), &cut[..cut.len() - 5]).unwrap();
    fs::write(dir.path().join("b.pcap"), b"rubbish and more of it, named like a capture").unwrap();
    fs::write(dir.path().join("c.pcap"), plain(&packets(5, 6))).unwrap();
    let mut source = follow(dir.path(), None).unwrap();
    let mut seen = Vec::new();
    let errors = read_until(&mut source, &mut seen, 3);
    let [SourceError::NotACapture { .. }, SourceError::Truncated { frame: 3, .. }] = &errors[..] else {
        panic!("{errors:?}")
    };
    assert!(errors.iter().all(SourceError::is_partial));
    assert_eq!(seen, [0, 1, 5]);
}

#[test]
fn a_file_that_may_not_be_read_is_told_and_the_next_is_read() {
    use std::os::unix::fs::PermissionsExt;
    // Root may read it all the same; then there is nothing to tell.
    let dir = TempDir::new().unwrap();
    for (name, from) in [("a.pcap", 0), ("b.pcap", 3), ("c.pcap", 6)] {
        fs::write(dir.path().join(name), plain(&packets(from, from + 3))).unwrap();
    }
    let mut source = follow(dir.path(), None).unwrap();
    let refused = dir.path().join("b.pcap");
    fs::set_permissions(&refused, fs::Permissions::from_mode(0o0)).unwrap();
    let readable = File::open(&refused).is_ok();
    let mut seen = Vec::new();
    let errors = read_until(&mut source, &mut seen, if readable { 9 } else { 6 });
    assert!(errors.iter().all(SourceError::is_partial));
    assert_eq!(errors.len(), usize::from(!readable), "{errors:?}");
    assert_eq!(seen.last(), Some(&8));
}

#[test]
fn a_followed_directory_that_is_gone_ends_the_run() {
    let dir = TempDir::new().unwrap();
    let followed = dir.path().join("captures");
    fs::create_dir(&followed).unwrap();
    fs::write(followed.join("a.pcap"), plain(&packets(0, 3))).unwrap();
    let mut source = follow(&followed, None).unwrap();
    let mut seen = Vec::new();
    assert!(read_until(&mut source, &mut seen, 3).is_empty());
    fs::remove_dir_all(&followed).unwrap();
    let started = Instant::now();
    let error = loop {
        assert!(started.elapsed() < PATIENCE, "nothing was said");
        if let Err(error) = source.dispatch(&mut |_| ()) {
            break error;
        }
    };
    assert!(matches!(error, SourceError::DirectoryGone { .. }), "{error}");
    assert!(!error.is_partial());
}

#[test]
fn what_is_no_directory_is_said() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("a.pcap");
    fs::write(&file, plain(&[])).unwrap();
    assert!(matches!(follow(&file, None), Err(SourceError::NotADirectory { .. })));
    assert!(matches!(follow(&dir.path().join("none"), None), Err(SourceError::NotFound { .. })));
}

/// tcpdump itself rotates by size in a ring while packets are read from a pipe.
#[test]
fn a_ring_that_tcpdump_writes() {
    let dir = TempDir::new().unwrap();
    let Ok(mut tcpdump) = Command::new("tcpdump")
        .args(["-r", "-", "-C", "1", "-W", "4", "-Z", "root", "-w"])
        .arg(dir.path().join("ring"))
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
    else {
        tapwire_testkit::peers::lacks("tcpdump");
        return;
    };
    let mut source = follow(dir.path(), None).unwrap();
    let mut input = tcpdump.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for part in 0..24u64 {
            let bytes = plain(&packets(part * 5_000, part * 5_000 + 5_000));
            input.write_all(if part == 0 { &bytes } else { &bytes[24..] }).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let mut seen = Vec::new();
    let errors = read_until(&mut source, &mut seen, 120_000);
    writer.join().unwrap();
    tcpdump.wait().unwrap();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(seen.len(), 120_000);
    assert!(seen.is_sorted(), "in order");
}
