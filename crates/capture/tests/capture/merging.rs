//! Several files as one source.

use std::fs;
use std::path::{Path, PathBuf};

use tapwire_capture::{ByteOrder, Source, SourceError, SourceStats, open_files};
use tempfile::TempDir;

use crate::samples::{START, Seen, drain, gzip, packets, pcapng, plain, sample};

const MS: i64 = 1_000_000;

fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Packets of one file, so many milliseconds after the start.
fn at(milliseconds: &[i64]) -> Vec<Seen> {
    (1..).zip(milliseconds).map(|(frame, ms)| sample(frame, START + ms * MS)).collect()
}

/// Which packets came, as (milliseconds, source, frame).
fn order(seen: &[Seen]) -> Vec<(i64, u16, u64)> {
    seen.iter().map(|seen| ((seen.nanos - START) / MS, seen.source, seen.frame)).collect()
}

#[test]
fn overlapping_files_are_merged_by_packet_and_ties_go_to_the_first() {
    let dir = TempDir::new().unwrap();
    let a = write(dir.path(), "a.pcap", &plain(&at(&[1, 4, 4, 9])));
    let b = write(dir.path(), "b.pcapng", &pcapng(&at(&[0, 4, 5, 20]), ByteOrder::Big));
    let c = write(dir.path(), "c.pcap.gz", &gzip(&plain(&at(&[4, 21]))));
    let mut source = open_files(&[a, b, c], None).unwrap();
    let (seen, errors) = drain(&mut source);
    assert!(errors.is_empty());
    let expected = [
        (0, 1, 1),
        (1, 0, 1),
        (4, 0, 2),
        (4, 0, 3),
        (4, 1, 2),
        (4, 2, 1),
        (5, 1, 3),
        (9, 0, 4),
        (20, 1, 4),
        (21, 2, 2),
    ];
    assert_eq!(order(&seen), expected);
    let progress = source.progress().unwrap();
    assert_eq!(Some(progress.bytes_read), progress.bytes_total);
}

#[test]
fn a_directory_is_read_in_time_order_whatever_else_lies_there() {
    let dir = TempDir::new().unwrap();
    // Rotated in an order that is neither that of names nor of time.
    for (name, from) in [("x.pcap10", 300), ("x.pcap9", 200), ("x.pcap", 400), ("unnamed", 100)] {
        write(dir.path(), name, &plain(&at(&[from, from + 50])));
    }
    write(dir.path(), "notes.txt", b"not a capture");
    write(dir.path(), "new.pcap", b"");
    write(dir.path(), ".hidden.pcap", b"rubbish");
    fs::create_dir(dir.path().join("deeper")).unwrap();
    let mut source = open_files(&[dir.path().to_owned()], None).unwrap();
    let (seen, _) = drain(&mut source);
    assert!(seen.is_sorted_by_key(|seen| seen.nanos));
    assert_eq!(seen.len(), 8);
    assert_eq!(source.names().all(), ["unnamed", "x.pcap", "x.pcap9", "x.pcap10"]);
    assert_eq!(&*source.names().get(tapwire_wire::SourceId(4)), "");
}

#[test]
fn frames_are_counted_before_the_filter_as_wireshark_does() {
    let dir = TempDir::new().unwrap();
    let path = write(dir.path(), "a.pcap", &plain(&packets(10)));
    let mut source = open_files(&[path], Some("udp dst port 9003 or udp dst port 9008")).unwrap();
    let (seen, _) = drain(&mut source);
    assert_eq!(seen.iter().map(|seen| seen.frame).collect::<Vec<_>>(), [3, 8]);
    let bytes = seen.iter().map(|seen| seen.data.len() as u64).sum();
    let expected = SourceStats { received: 10, delivered: 2, filtered: 8, bytes, ..SourceStats::default() };
    assert_eq!(source.stats(), expected);
}

#[test]
fn a_filter_is_compiled_for_every_link_type_of_a_file() {
    let dir = TempDir::new().unwrap();
    let mut writer = tapwire_capture::PcapngWriter::new(Vec::new(), ByteOrder::Little).unwrap();
    let raw = Seen {
        link: tapwire_wire::LinkType::RAW,
        data: sample(2, START).data[14..].to_vec(),
        ..sample(2, START)
    };
    for link in [tapwire_wire::LinkType::ETHERNET, raw.link] {
        writer.interface(tapwire_capture::InterfaceDescription::new(link)).unwrap();
    }
    writer.packet(0, &sample(1, START).packet()).unwrap();
    writer.packet(1, &raw.packet()).unwrap();
    writer.packet(1, &sample(3, START).packet()).unwrap();
    let path = write(dir.path(), "mixed.pcapng", &writer.into_inner());
    let (seen, _) = drain(&mut open_files(&[path], Some("udp and dst host 10.0.0.2")).unwrap());
    assert_eq!(seen.iter().map(|seen| seen.frame).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_damaged_file_does_not_end_the_others() {
    let dir = TempDir::new().unwrap();
    let cut = plain(&at(&[0, 1, 2]));
    let a = write(dir.path(), "a.pcap", &cut[..cut.len() - 3]);
    let b = write(dir.path(), "b.pcap", &plain(&at(&[1, 5])));
    let headless = write(dir.path(), "c.pcap", &plain(&at(&[3]))[..30]);
    let (seen, errors) = drain(&mut open_files(&[a.clone(), b, headless.clone()], None).unwrap());
    assert_eq!(order(&seen), [(0, 0, 1), (1, 0, 2), (1, 1, 1), (5, 1, 2)]);
    let [
        SourceError::Truncated { path: first, packets: 0, .. },
        SourceError::Truncated { path: second, frame: 3, .. },
    ] = &errors[..]
    else {
        panic!("{errors:?}")
    };
    assert_eq!((first, second), (&headless, &a));
    assert!(errors.iter().all(SourceError::is_partial));
}

#[test]
fn a_file_that_goes_before_its_turn_is_told_and_the_others_are_read() {
    let dir = TempDir::new().unwrap();
    let a = write(dir.path(), "a.pcap", &plain(&at(&[1, 2])));
    let b = write(dir.path(), "b.pcap", &plain(&at(&[3, 4])));
    let c = write(dir.path(), "c.pcap", &plain(&at(&[5, 6])));
    let mut source = open_files(&[a, b.clone(), c], None).unwrap();
    fs::remove_file(b).unwrap();
    let (seen, errors) = drain(&mut source);
    assert_eq!(order(&seen), [(1, 0, 1), (2, 0, 2), (5, 2, 1), (6, 2, 2)]);
    assert!(matches!(&errors[..], [SourceError::NotFound { .. }]), "{errors:?}");
    assert!(errors.iter().all(SourceError::is_partial));
}

#[test]
fn thousands_of_rotated_files_need_few_handles() {
    let dir = TempDir::new().unwrap();
    for file in 0..3000 {
        write(dir.path(), &format!("x.pcap{file}"), &plain(&at(&[file * 10, file * 10 + 9])));
    }
    let mut source = open_files(&[dir.path().to_owned()], None).unwrap();
    let (mut packets, mut most) = (0, 0);
    while source.dispatch(&mut |_| packets += 1).unwrap() != tapwire_capture::Status::End {
        most = most.max(fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or(0));
    }
    assert_eq!(packets, 6000);
    assert!(most < 200, "{most} handles");
}

#[test]
fn batches_are_bounded_and_progress_moves() {
    let dir = TempDir::new().unwrap();
    let many: Vec<Seen> =
        (0..60_000).map(|frame| sample(frame % 1000, START + i64::try_from(frame).unwrap())).collect();
    let path = write(dir.path(), "a.pcap", &plain(&many));
    let mut source = open_files(&[path], None).unwrap();
    let (mut calls, mut last) = (0, 0);
    loop {
        let mut batch = 0;
        let status = source.dispatch(&mut |_| batch += 1).unwrap();
        assert!(batch <= 4096);
        let progress = source.progress().unwrap();
        assert!(progress.bytes_read >= last && progress.bytes_read <= progress.bytes_total.unwrap());
        last = progress.bytes_read;
        calls += 1;
        if status == tapwire_capture::Status::End {
            break;
        }
    }
    assert!(calls > 10);
    assert_eq!(source.stats().delivered, 60_000);
}

#[test]
fn a_thousand_files_of_the_same_time_need_few_handles() {
    let dir = TempDir::new().unwrap();
    let mut expected: Vec<i64> = Vec::new();
    for file in 0..1_200i64 {
        let times: Vec<i64> = (0..20).map(|n| n * 1_200 + file).collect();
        expected.extend(&times);
        let bytes = plain(&at(&times));
        // Each kind has to find its place again.
        let bytes = match file % 3 {
            0 => bytes,
            1 => gzip(&bytes),
            _ => crate::samples::zstd(&bytes),
        };
        write(dir.path(), &format!("x.pcap{file}"), &bytes);
    }
    expected.sort_unstable();
    let mut source = open_files(&[dir.path().to_owned()], None).unwrap();
    let (mut seen, mut most) = (Vec::new(), 0);
    while source.dispatch(&mut |packet| seen.push((packet.time.nanos() - START) / MS)).unwrap()
        != tapwire_capture::Status::End
    {
        most = most.max(fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or(0));
    }
    assert_eq!(seen, expected);
    assert!(most < 400, "{most} handles");
}
