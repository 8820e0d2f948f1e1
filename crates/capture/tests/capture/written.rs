//! What the writer of the block format says beside packets.

use tapwire_capture::{
    ByteOrder, FileInterface, InterfaceDescription, Labels, PcapngWriter, Source, Status, open_files,
};
use tapwire_wire::{LinkType, Packet, SourceId, Timestamp};

fn packet(data: &[u8]) -> Packet<'_> {
    Packet {
        time: Timestamp::from_nanos(1_700_000_000_123_456_789),
        link: LinkType::ETHERNET,
        data,
        wire_len: 90,
        frame: 1,
        source: SourceId(0),
    }
}

fn written(order: ByteOrder) -> Vec<u8> {
    let mut writer = PcapngWriter::by(Vec::new(), order, "tapwire test").unwrap();
    for (name, link) in [("east", LinkType::ETHERNET), ("west \u{1f50c}", LinkType::RAW)] {
        let labels = Labels { name: Some(name), description: Some("a tap's port") };
        writer.labelled_interface(InterfaceDescription::new(link), labels).unwrap();
    }
    writer.secrets(0x544c_534b, b"CLIENT_RANDOM 00 11\n").unwrap();
    for (at, data) in [[1_u8].as_slice(), &[1, 2], &[1, 2, 3], &[1, 2, 3, 4], &[]].iter().enumerate() {
        let comments = ["one", "another", ""];
        writer.commented_packet(1, &packet(data), comments.get(..at.min(3)).unwrap()).unwrap();
    }
    writer.section(order).unwrap();
    writer.interface(InterfaceDescription::new(LinkType::IPV4)).unwrap();
    writer.packet(0, &packet(&[9; 7])).unwrap();
    writer.into_inner()
}

#[test]
fn names_comments_and_secrets_leave_packets_as_they_are() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcapng");
        std::fs::write(&path, written(order)).unwrap();
        let mut seen = Vec::new();
        let mut source = open_files(&[path], None).unwrap();
        let mut keep = |packet: Packet<'_>, interface: &FileInterface| {
            let name = interface.name.clone().unwrap_or_default();
            seen.push((
                packet.data.len(),
                packet.link,
                packet.time.nanos(),
                packet.wire_len,
                interface.number,
                name,
            ));
        };
        while source.dispatch_described(&mut keep).unwrap() != Status::End {}
        let time = 1_700_000_000_123_456_789;
        let west = |len| (len, LinkType::RAW, time, 90, 1, "west \u{1f50c}".to_owned());
        let mut expected: Vec<_> = [1, 2, 3, 4, 0].map(west).into();
        expected.push((7, LinkType::IPV4, time, 90, 2, String::new()));
        assert_eq!(seen, expected, "{order:?}");
    }
}

#[test]
fn comments_stand_in_the_block_one_option_each() {
    let bytes = written(ByteOrder::Little);
    let option = |text: &str| {
        let mut option = vec![1, 0, u8::try_from(text.len()).unwrap(), 0];
        option.extend(text.as_bytes());
        option.resize(option.len().next_multiple_of(4), 0);
        option
    };
    let both = [option("one"), option("another"), vec![0; 4]].concat();
    assert_eq!(bytes.windows(both.len()).filter(|window| *window == both).count(), 3);
}
