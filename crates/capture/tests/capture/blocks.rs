//! What pcapng files carry beside packets: interfaces' names, statistics, secrets.

use std::fs;
use std::path::PathBuf;

use tapwire_capture::{ByteOrder, InterfaceDescription, PcapngWriter, Secrets, Source, open_files};
use tapwire_wire::LinkType;
use tempfile::TempDir;

use crate::samples::{START, drain, packets, sample};

const STATISTICS: u32 = 5;
const NAMES: u32 = 4;
const SECRETS: u32 = 10;
const KEY_LOG: u32 = 0x544c_534b;

fn option(order: ByteOrder, code: u16, value: &[u8]) -> Vec<u8> {
    let number = |n: u16| if order == ByteOrder::Big { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut option = [number(code), number(u16::try_from(value.len()).unwrap())].concat();
    option.extend(value);
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

fn number(order: ByteOrder, n: u64) -> [u8; 8] {
    if order == ByteOrder::Big { n.to_be_bytes() } else { n.to_le_bytes() }
}

fn word(order: ByteOrder, n: u32) -> [u8; 4] {
    if order == ByteOrder::Big { n.to_be_bytes() } else { n.to_le_bytes() }
}

type Writer = PcapngWriter<Vec<u8>>;

fn named(writer: &mut Writer, order: ByteOrder, name: &[u8]) {
    // The block by hand: link type Ethernet, snap length 0, then its name.
    let link = if order == ByteOrder::Big { [0, 1, 0, 0] } else { [1, 0, 0, 0] };
    writer.block(1, &[&link, &[0; 4], &option(order, 2, name), &[0; 4]]).unwrap();
}

fn statistics(writer: &mut Writer, order: ByteOrder, interface: u32, counts: &[(u16, u64)]) {
    let options: Vec<u8> =
        counts.iter().flat_map(|(code, count)| option(order, *code, &number(order, *count))).collect();
    writer.block(STATISTICS, &[&word(order, interface), &[0; 8], &options]).unwrap();
}

fn secrets(writer: &mut Writer, order: ByteOrder, data: &[u8]) {
    let len = u32::try_from(data.len()).unwrap();
    writer.block(SECRETS, &[&word(order, KEY_LOG), &word(order, len), data]).unwrap();
}

fn stored(dir: &TempDir, bytes: &[u8]) -> Vec<PathBuf> {
    let path = dir.path().join("x.pcapng");
    fs::write(&path, bytes).unwrap();
    vec![path]
}

/// Writes the blocks of a packet by hand: the writer knows only interfaces that it described itself.
fn packet(writer: &mut Writer, order: ByteOrder, interface: u32, frame: u64) {
    let seen = sample(frame, START);
    let micros = u64::try_from(START / 1_000).unwrap();
    let word = |n: u64| word(order, u32::try_from(n).unwrap());
    let len = seen.data.len() as u64;
    let header = [u64::from(interface), micros >> 32, micros & 0xffff_ffff, len, len].map(word);
    writer.block(6, &[header.as_flattened(), &seen.data]).unwrap();
}

#[test]
fn packets_name_their_interface_where_a_file_has_several() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let mut writer = PcapngWriter::new(Vec::new(), order).unwrap();
        named(&mut writer, order, b"eth0");
        packet(&mut writer, order, 0, 1);
        // Names of hosts are nobody's business here.
        writer.block(NAMES, &[&[0; 8]]).unwrap();
        named(&mut writer, order, b"eth\x1b1");
        writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).unwrap();
        packet(&mut writer, order, 1, 2);
        packet(&mut writer, order, 2, 3);
        packet(&mut writer, order, 0, 4);
        // Another section numbers anew, and knows one of them.
        writer.section(order).unwrap();
        named(&mut writer, order, b"eth\x1b1");
        packet(&mut writer, order, 0, 5);
        let dir = TempDir::new().unwrap();
        let mut source = open_files(&stored(&dir, &writer.into_inner()), None).unwrap();
        let (seen, errors) = drain(&mut source);
        assert!(errors.is_empty(), "{errors:?}");
        let names = source.names();
        let of = |source: u16| names.get(tapwire_wire::SourceId(source)).to_string();
        let seen: Vec<_> = seen.iter().map(|seen| (seen.frame, of(seen.source))).collect();
        let expected = ["x.pcapng", "x.pcapng:eth1", "x.pcapng:2", "x.pcapng:eth0", "x.pcapng:eth1"];
        assert_eq!(seen, (1..).zip(expected.map(str::to_owned)).collect::<Vec<_>>());
        assert_eq!(names.all().len(), 4);
    }
}

#[test]
fn a_file_with_one_interface_is_called_by_its_own_name() {
    let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Little).unwrap();
    for _ in 0..3 {
        writer.section(ByteOrder::Little).unwrap();
        named(&mut writer, ByteOrder::Little, b"eth0");
        packet(&mut writer, ByteOrder::Little, 0, 1);
    }
    let dir = TempDir::new().unwrap();
    let mut source = open_files(&stored(&dir, &writer.into_inner()), None).unwrap();
    let (seen, _) = drain(&mut source);
    assert_eq!(seen.len(), 3);
    assert_eq!(source.names().all(), ["x.pcapng"]);
}

#[test]
fn interfaces_beyond_measure_share_the_files_name() {
    let mut writer = PcapngWriter::new(Vec::new(), ByteOrder::Little).unwrap();
    for interface in 0..2_000 {
        writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).unwrap();
        packet(&mut writer, ByteOrder::Little, interface, 1);
    }
    let dir = TempDir::new().unwrap();
    let mut source = open_files(&stored(&dir, &writer.into_inner()), None).unwrap();
    let (seen, errors) = drain(&mut source);
    assert!(errors.is_empty());
    assert_eq!((seen.len(), source.names().all().len()), (2_000, 257));
    assert_eq!(seen[1_999].source, 0);
}

#[test]
fn losses_that_a_file_tells_of_are_counted_once() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let mut writer = PcapngWriter::new(Vec::new(), order).unwrap();
        for _ in 0..2 {
            writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).unwrap();
        }
        writer.packet(0, &packets(1)[0].packet()).unwrap();
        // Counts since the start: the second tells of two more. Code 4 is what was received.
        statistics(&mut writer, order, 0, &[(4, 1_000), (5, 7)]);
        statistics(&mut writer, order, 0, &[(4, 2_000), (5, 9)]);
        // A writer that knows the two apart.
        statistics(&mut writer, order, 1, &[(5, 100), (7, 30)]);
        statistics(&mut writer, order, 9, &[(5, 1)]);
        writer.section(order).unwrap();
        writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).unwrap();
        statistics(&mut writer, order, 0, &[(5, 1)]);
        let dir = TempDir::new().unwrap();
        let mut source = open_files(&stored(&dir, &writer.into_inner()), None).unwrap();
        let (seen, errors) = drain(&mut source);
        assert!(errors.is_empty() && seen.len() == 1);
        let stats = source.stats();
        assert_eq!((stats.dropped_kernel, stats.dropped_interface), (9 + 30 + 1, 100));
    }
}

#[test]
fn secrets_are_kept_up_to_their_bound_and_never_shown() {
    let order = ByteOrder::Little;
    let mut writer = PcapngWriter::new(Vec::new(), order).unwrap();
    secrets(&mut writer, order, b"CLIENT_RANDOM 0011 2233\n");
    writer.interface(InterfaceDescription::new(LinkType::ETHERNET)).unwrap();
    writer.packet(0, &packets(1)[0].packet()).unwrap();
    secrets(&mut writer, order, &vec![b'x'; 1 << 20]);
    writer.section(order).unwrap();
    secrets(&mut writer, order, &vec![b'y'; 1 << 20]);
    // Lies about its length.
    writer.block(SECRETS, &[&word(order, KEY_LOG), &word(order, 99), b"four"]).unwrap();
    let dir = TempDir::new().unwrap();
    let mut source = open_files(&stored(&dir, &writer.into_inner()), None).unwrap();
    let (seen, errors) = drain(&mut source);
    assert!(errors.is_empty() && seen.len() == 1);
    let stats = source.stats();
    assert_eq!((stats.secrets, stats.secrets_dropped), (24 + (1 << 20), (1 << 20) + 4));
    let taken = source.take_secrets();
    assert_eq!(taken[0], Secrets { kind: KEY_LOG, data: b"CLIENT_RANDOM 0011 2233\n".to_vec() });
    assert_eq!(taken[1].data.len(), 1 << 20);
    assert!(!format!("{taken:?}").contains("CLIENT"));
    assert!(source.take_secrets().is_empty());
}

#[test]
fn a_file_of_nothing_but_secrets_fills_no_memory() {
    let order = ByteOrder::Little;
    let mut writer = PcapngWriter::new(Vec::new(), order).unwrap();
    for _ in 0..20 {
        writer.section(order).unwrap();
        secrets(&mut writer, order, &vec![0; 1 << 20]);
    }
    let dir = TempDir::new().unwrap();
    let mut source = open_files(&stored(&dir, &writer.into_inner()), None).unwrap();
    drain(&mut source);
    let held: usize = source.take_secrets().iter().map(|secrets| secrets.data.len()).sum();
    assert!(held <= 8 << 20, "{held}");
    assert_eq!(source.stats().secrets + source.stats().secrets_dropped, 20 << 20);
}
