//! Exchanges for tests, from the text of their two messages. Included by the crates above as well.

use tapwire_flow::StreamOffset;
use tapwire_protocol::{
    Anomalies, Body, Exchange, Field, FlowStamp, Frames, Head, Message, MessageId, Pairing, Range, Seen,
    Unseen,
};
use tapwire_wire::{Endpoint, FlowKey, Overlay, SeqNumber, Side, SourceId, Timestamp};

/// An exchange of a request and, unless it is empty, a response; `number` also makes its identity and its time.
pub(crate) fn exchange(number: u32, request: &[u8], response: &[u8]) -> Exchange {
    let (client, server) = (Endpoint::v4([10, 0, 0, 7], 40_000), Endpoint::v4([10, 0, 0, 80], 8080));
    let (key, side) = FlowKey::new(client, server);
    assert_eq!(side, Side::Lower);
    let half = |bytes: &[u8], id: u64| (!bytes.is_empty()).then(|| Box::new(message(number, id, bytes)));
    Exchange {
        number: number.into(),
        flow: FlowStamp {
            id: 1,
            key,
            client: side,
            vlan: None,
            overlay: Overlay::NONE,
            proxy: None,
            joined_late: false,
            tls: None,
        },
        request: half(request, 0),
        response: half(response, 1),
        interim: [0; 4],
        pairing: Pairing::Certain,
        anomalies: Anomalies::default(),
        stream: None,
        child: None,
        protocols: &["http/1.1"],
        unseen: Unseen::default(),
        ends: Vec::new(),
    }
}

fn message(number: u32, id: u64, bytes: &[u8]) -> Message {
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an empty line") + 4;
    let (head, content) = bytes.split_at(split);
    let body = Body { len: content.len() as u64, bytes: content.to_vec(), ..Body::default() };
    let time = Timestamp::from_parts(i64::from(number), 0);
    Message {
        id: MessageId(u64::from(number) * 2 + id),
        head: parse(head),
        body,
        at: StreamOffset::first(SeqNumber(number * 1000)),
        peer_at: None,
        started: time,
        ended: time,
        pauses: 0,
        frames: Frames::default(),
        source: SourceId::default(),
        seen: Seen::Complete,
        missed_bytes: 0,
        anomalies: Anomalies::default(),
    }
}

fn parse(text: &[u8]) -> Head {
    let mut head = Head { text: text.to_vec(), ..Head::default() };
    let mut at = 0;
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line_at = at;
        at += line.len() + 1;
        let line = line.trim_ascii_end();
        let range = |from: usize, to: usize| Range {
            start: u32::try_from(line_at + from).expect("a short head"),
            end: u32::try_from(line_at + to).expect("a short head"),
        };
        if index == 0 {
            let first = line.iter().position(|byte| *byte == b' ').expect("a start line");
            let last = line.iter().rposition(|byte| *byte == b' ').expect("a start line");
            if line.starts_with(b"HTTP/") {
                head.status = std::str::from_utf8(&line[first + 1..first + 4]).expect("ASCII").parse().ok();
            } else {
                head.method = Some(range(0, first));
                head.target = Some(range(first + 1, last));
            }
        } else if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            let value = colon + 1 + usize::from(line.get(colon + 1) == Some(&b' '));
            head.fields.push(Field { name: Some(range(0, colon)), value: Some(range(value, line.len())) });
        }
    }
    head
}
