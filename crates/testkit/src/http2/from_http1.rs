//! HTTP/1 messages said in HTTP/2, so that the same exchanges can be measured both ways.

use super::{Encoder, Fields, Indexing, frame};

/// A connection that says HTTP/1 messages as frames.
#[derive(Debug)]
pub struct Translation {
    client: Encoder,
    server: Encoder,
    stream: u32,
}

impl Translation {
    /// As most peers write.
    pub fn new(seed: u64) -> Self {
        let encoder = || Encoder::new(true, Indexing::Always, seed);
        Self { client: encoder(), server: encoder(), stream: 0 }
    }

    /// The frames of an exchange, of the client and of the server. The first ones begin the connection.
    pub fn exchange(&mut self, request: &[u8], response: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let settings = frame(4, 0, 0, &[0, 3, 0, 0, 0, 100]);
        let (mut asked, mut answered) = match self.stream {
            0 => ([super::PREFACE, &settings].concat(), [settings.as_slice(), &frame(4, 1, 0, &[])].concat()),
            _ => (Vec::new(), Vec::new()),
        };
        self.stream += if self.stream == 0 { 1 } else { 2 };
        say(&mut asked, &mut self.client, self.stream, request);
        say(&mut answered, &mut self.server, self.stream, response);
        (asked, answered)
    }
}

fn say(out: &mut Vec<u8>, encoder: &mut Encoder, stream: u32, message: &[u8]) {
    let (fields, body) = read(message);
    let ends = u8::from(body.is_empty());
    out.extend(frame(1, 4 | ends, stream, &encoder.block(&fields)));
    let count = body.len().div_ceil(16_384);
    for (part, nth) in body.chunks(16_384).zip(1..) {
        out.extend(frame(0, u8::from(nth == count), stream, part));
    }
}

/// Fields and body of a well-formed message.
fn read(message: &[u8]) -> (Fields, Vec<u8>) {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8_lossy(&message[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut fields = if words[0].starts_with("HTTP/") {
        vec![field(":status", words[1])]
    } else {
        vec![field(":method", words[0]), field(":scheme", "http"), field(":path", words[1])]
    };
    let mut chunked = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("host", value) => fields.insert(1, field(":authority", value)),
            ("transfer-encoding", _) => chunked = true,
            (name, value) => fields.push(field(name, value)),
        }
    }
    let body = &message[end + 4..];
    (fields, if chunked { unchunked(body) } else { body.to_vec() })
}

fn unchunked(mut coded: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = coded.windows(2).position(|two| two == b"\r\n").expect("a line");
        let size = usize::from_str_radix(&String::from_utf8_lossy(&coded[..line]), 16).expect("a size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&coded[line + 2..line + 2 + size]);
        coded = &coded[line + 4 + size..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conversation, Turn, sense, shop_turns};

    #[test]
    fn the_same_exchanges_either_way() {
        let plain =
            |turn: &Turn| !turn.request.starts_with(b"HEAD") && !turn.response.starts_with(b"HTTP/1.1 100");
        let turns: Vec<Turn> = shop_turns(80, 4).into_iter().filter(plain).collect();
        let mut translation = Translation::new(1);
        let said = turns.iter().map(|turn| translation.exchange(&turn.request, &turn.response));
        let framed: Vec<Turn> = said.map(|(request, response)| Turn { request, response }).collect();
        let facts = |turns: Vec<Turn>| sense(&Conversation::new(turns, 4).play()).facts();
        assert_eq!(facts(framed), facts(turns));
    }
}
