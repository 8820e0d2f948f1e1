//! Any WebSocket, cut anywhere, with any segments lost: no message is wrong, and what is unknown is said.

use crate::driver::{Line, Transcript};
use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;
use tapwire_flow::CloseReason;
use tapwire_wire::Side;

const ASK: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// What is said on a socket, in order.
#[derive(Debug, Clone)]
struct Said {
    side: Side,
    text: String,
    fragments: usize,
    ping: bool,
    key: [u8; 4],
}

fn said() -> impl Strategy<Value = Said> {
    let side = prop::sample::select(vec![Side::Lower, Side::Upper]);
    (side, 0_usize..400, 1_usize..4, prop::bool::weighted(0.2), any::<[u8; 4]>()).prop_map(
        |(side, filler, fragments, ping, key)| Said { side, text: "é".repeat(filler), fragments, ping, key },
    )
}

struct Coder {
    raw: Option<Compress>,
    takeover: bool,
}

impl Coder {
    fn pack(&mut self, text: &str) -> Vec<u8> {
        let Some(raw) = &mut self.raw else { return text.as_bytes().to_vec() };
        if !self.takeover {
            raw.reset();
        }
        let mut out = Vec::with_capacity(text.len() + 100);
        raw.compress_vec(text.as_bytes(), &mut out, FlushCompress::Sync).unwrap();
        out.truncate(out.len() - 4);
        out
    }
}

fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match u8::try_from(payload.len()) {
        Ok(len @ ..126) => bytes.push(bit | len),
        _ => {
            bytes.push(bit | 126);
            bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    bytes.extend(mask.iter().flatten());
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The frames of a message, and a ping between them.
fn frames(said: &Said, payload: &[u8], compressed: bool) -> Vec<u8> {
    let mask = (said.side == Side::Lower).then_some(said.key);
    let size = payload.len().div_ceil(said.fragments).max(1);
    let pieces: Vec<&[u8]> = payload.chunks(size).collect();
    let mut bytes = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let fin = if index + 1 == pieces.len() { 0x80 } else { 0 };
        let opcode = if index == 0 { if compressed { 0x41 } else { 0x01 } } else { 0 };
        bytes.extend(frame(fin | opcode, piece, mask));
        if said.ping && index == 0 {
            bytes.extend(frame(0x89, b"alive?", mask));
        }
    }
    bytes
}

/// The connection as segments, and what was said by whom.
fn connection(script: &[Said], compressed: bool, takeover: bool) -> (Vec<Line>, [Vec<String>; 2]) {
    let extension = match (compressed, takeover) {
        (false, _) => "",
        (true, true) => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        (true, false) => {
            "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"
        }
    };
    let answer = format!("{ANSWER}{extension}\r\n");
    let mut lines =
        vec![Line::Segment(Side::Lower, ASK.into()), Line::Segment(Side::Upper, answer.into_bytes())];
    let coder = || Coder { raw: compressed.then(|| Compress::new(Compression::default(), false)), takeover };
    let mut coders = [coder(), coder()];
    let mut texts = [Vec::new(), Vec::new()];
    for (number, said) in script.iter().enumerate() {
        let text = format!("{{\"number\":{number},\"more\":\"{}\"}}", said.text);
        let payload = coders[said.side as usize].pack(&text);
        lines.push(Line::Segment(said.side, frames(said, &payload, compressed)));
        texts[said.side as usize].push(text);
    }
    lines.extend([Line::Fin(Side::Lower), Line::Fin(Side::Upper), Line::Close(CloseReason::Fin)]);
    (lines, texts)
}

/// The content of each message in a direction, and whether it is whole.
fn heard(lines: &[String], mark: &str) -> Vec<(String, bool)> {
    let messages = lines.iter().filter(|line| line.starts_with(mark) && line.contains('"'));
    messages
        .map(|line| {
            let (from, to) = (line.find('"').unwrap(), line.rfind('"').unwrap());
            let text = line[from + 1..to].replace("\\\"", "\"");
            (text, line[to..] == *"\"")
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_segmentation_gives_every_message(
        script in proptest::collection::vec(said(), 0..12),
        cuts in proptest::collection::vec(prop_oneof![Just(1_usize), 1_usize..40, 1_usize..2_000], 1..40),
        compressed: bool,
        takeover: bool,
    ) {
        let (lines, texts) = connection(&script, compressed, takeover);
        let transcript = Transcript { joined_late: false, rests: false, lines };
        let mut cuts = cuts.iter().copied().cycle();
        let played = transcript.resegmented(|| cuts.next().unwrap_or(1)).play().exchanges;
        prop_assert_eq!(&played[0], "GET /ws | 101 ongoing");
        for (mark, texts) in [(">", &texts[0]), ("<", &texts[1])] {
            let expected: Vec<_> = texts.iter().map(|text| (text.clone(), true)).collect();
            prop_assert_eq!(heard(&played, mark), expected);
        }
        prop_assert!(played.last().is_some_and(|last| last.contains(" end ")));
    }

    #[test]
    fn whatever_is_lost_no_message_is_wrong(
        script in proptest::collection::vec(said(), 1..16),
        lost in proptest::collection::vec(prop::bool::weighted(0.2), 16),
        cuts in proptest::collection::vec(1_usize..600, 1..20),
        compressed: bool,
        takeover: bool,
    ) {
        let (lines, texts) = connection(&script, compressed, takeover);
        let (head, rest) = lines.split_at(2);
        let whole = Transcript { joined_late: false, rests: false, lines: rest.to_vec() };
        let mut cuts = cuts.iter().copied().cycle();
        let mut lost = lost.iter().copied().cycle();
        let pieces = whole.resegmented(|| cuts.next().unwrap_or(1)).lines;
        let lossy = pieces.into_iter().map(|line| match line {
            Line::Segment(side, bytes) if lost.next() == Some(true) => Line::Lost(side, bytes),
            line => line,
        });
        let lines = head.iter().cloned().chain(lossy).collect();
        let played = Transcript { joined_late: false, rests: false, lines }.play().exchanges;
        for (mark, texts) in [(">", &texts[0]), ("<", &texts[1])] {
            let mut from = 0;
            for (text, whole) in heard(&played, mark) {
                // A message that is called whole was said, and none is told before an earlier one.
                let fits = |said: &&String| if whole { **said == text } else { true };
                let at = texts.iter().skip(from).position(|said| fits(&said));
                prop_assert!(at.is_some(), "{}", text);
                from += if whole { at.unwrap_or(0) + 1 } else { 0 };
                // A hole may part a character.
                let begins = texts.iter().any(|said| said.starts_with(text.trim_end_matches('\u{fffd}')));
                prop_assert!(begins, "what is not whole is right as far as it goes: {}", text);
            }
        }
    }
}
