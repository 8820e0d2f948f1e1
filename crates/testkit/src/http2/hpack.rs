//! An HPACK encoder (RFC 7541) that shares nothing with the decoder it tests: its codes are those of text alone, and it
//! refers to the static table by names it was given.

use crate::Random;

/// Which fields an encoder adds to its table, and refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexing {
    /// None: literals only.
    Never,
    /// All.
    Always,
    /// Some, at random, and it changes the size of its table.
    Mixed,
}

/// Fields of the static table that messages of tests use.
const STATIC: &[(usize, &str, &str)] = &[
    (1, ":authority", ""),
    (2, ":method", "GET"),
    (3, ":method", "POST"),
    (4, ":path", "/"),
    (6, ":scheme", "http"),
    (8, ":status", "200"),
    (9, ":status", "204"),
    (13, ":status", "404"),
    (19, "accept", ""),
    (23, "authorization", ""),
    (28, "content-length", ""),
    (31, "content-type", ""),
    (32, "cookie", ""),
    (33, "date", ""),
    (54, "server", ""),
    (58, "user-agent", ""),
];

/// Symbols by the length of their codes, and the first code of that length (RFC 7541, appendix B).
const CODES: &[(u32, u32, &str)] = &[
    (5, 0x0, "012aceiost"),
    (6, 0x14, " %-./3456789=A_bdfghlmnpru"),
    (7, 0x5c, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, 0xf8, "&*,;XZ"),
    (10, 0x3f8, "!\"()?"),
    (11, 0x7fa, "'+|"),
    (12, 0xffa, "#>"),
    (13, 0x1ff8, "\0$@[]~"),
    (14, 0x3ffc, "^}"),
    (15, 0x7ffc, "<`{"),
];

/// Encodes the header blocks of one direction, in order.
#[derive(Debug)]
pub struct Encoder {
    /// Strings as Huffman codes.
    pub huffman: bool,
    /// What goes into the table.
    pub indexing: Indexing,
    entries: Vec<(String, String)>,
    limit: usize,
    announce: bool,
    random: Random,
}

impl Encoder {
    /// With an empty table of the usual size.
    pub fn new(huffman: bool, indexing: Indexing, seed: u64) -> Self {
        let random = Random::new(seed);
        Self { huffman, indexing, entries: Vec::new(), limit: 4_096, announce: false, random }
    }

    /// The block of these fields.
    pub fn block(&mut self, fields: &[(String, String)]) -> Vec<u8> {
        let mut block = Vec::new();
        if self.indexing == Indexing::Mixed && self.random.chance(0.05) {
            self.limit = *self.random.pick(&[0, 200, 1_000, 4_096]);
            self.announce = true;
        }
        if std::mem::take(&mut self.announce) {
            integer(&mut block, 0x20, 5, self.limit);
            self.evict(0);
        }
        for (name, value) in fields {
            self.field(&mut block, name, value);
        }
        block
    }

    fn field(&mut self, block: &mut Vec<u8>, name: &str, value: &str) {
        let refers = match self.indexing {
            Indexing::Never => false,
            Indexing::Always => true,
            Indexing::Mixed => self.random.chance(0.7),
        };
        let same = |entry: &(String, String)| entry.0 == name && entry.1 == value;
        let known = STATIC.iter().find(|(_, n, v)| *n == name && *v == value).map(|(index, ..)| *index);
        let entry = || self.entries.iter().position(same).map(|place| 62 + place);
        if let Some(index) = known.or_else(entry).filter(|_| refers) {
            return integer(block, 0x80, 7, index);
        }
        let named = STATIC.iter().find(|(_, n, _)| *n == name).map(|(index, ..)| *index);
        let entry = || self.entries.iter().position(|entry| entry.0 == name).map(|place| 62 + place);
        let index = if refers { named.or_else(entry).unwrap_or(0) } else { 0 };
        // What changes with every message is kept out of tables.
        let inserts = refers && !matches!(name, "x-exchange" | ":path");
        let (first, prefix) = if inserts { (0x40, 6) } else { (0x10, 4) };
        integer(block, first, prefix, index);
        if index == 0 {
            self.string(block, name);
        }
        self.string(block, value);
        if inserts {
            self.evict(name.len() + value.len() + 32);
            if name.len() + value.len() + 32 <= self.limit {
                self.entries.insert(0, (name.to_owned(), value.to_owned()));
            }
        }
    }

    fn evict(&mut self, coming: usize) {
        let size = |entry: &(String, String)| entry.0.len() + entry.1.len() + 32;
        while !self.entries.is_empty() && self.entries.iter().map(size).sum::<usize>() + coming > self.limit {
            self.entries.pop();
        }
    }

    fn string(&self, block: &mut Vec<u8>, text: &str) {
        match huffman(text).filter(|_| self.huffman) {
            Some(coded) => {
                integer(block, 0x80, 7, coded.len());
                block.extend(coded);
            }
            None => {
                integer(block, 0, 7, text.len());
                block.extend(text.bytes());
            }
        }
    }
}

/// RFC 7541, 5.1.
fn integer(block: &mut Vec<u8>, first: u8, prefix: u32, number: usize) {
    let most = (1 << prefix) - 1;
    if number < most {
        return block.push(first | number as u8);
    }
    block.push(first | most as u8);
    let mut rest = number - most;
    while rest >= 0x80 {
        block.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.push(rest as u8);
}

/// `None` for text with other symbols than those that are listed.
fn huffman(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut filled, mut coded) = (0_u64, 0, Vec::new());
    for symbol in text.chars() {
        let (length, code) = CODES.iter().find_map(|(length, first, symbols)| {
            Some((*length, u64::from(*first) + symbols.chars().position(|other| other == symbol)? as u64))
        })?;
        bits = bits << length | code;
        filled += length;
        while filled >= 8 {
            filled -= 8;
            coded.push((bits >> filled) as u8);
        }
    }
    if filled > 0 {
        coded.push((bits << (8 - filled)) as u8 | 0xff >> filled);
    }
    Some(coded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_protocol::h2::hpack::{Decoder, Outcome};

    #[test]
    fn what_is_encoded_is_decoded() {
        for huffman in [false, true] {
            for indexing in [Indexing::Never, Indexing::Always, Indexing::Mixed] {
                let (mut encoder, mut decoder) = (Encoder::new(huffman, indexing, 3), Decoder::new());
                for number in 0..300 {
                    let field = |name: &str, value: String| (name.to_owned(), value);
                    let fields = [
                        field(":method", "GET".into()),
                        field(":path", format!("/a/{number}?q={{x}}")),
                        field("cookie", format!("c={}", number % 7)),
                        field("x-long", "v".repeat(number)),
                        field("x-odd", "\u{7f}\u{e9}".into()),
                    ];
                    let mut read = Vec::new();
                    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap()).into_owned();
                    let outcome = decoder
                        .decode(&encoder.block(&fields), |name, value| read.push((text(name), text(value))));
                    assert_eq!((outcome, read.as_slice()), (Outcome::Complete, &fields[..]));
                }
            }
        }
    }
}
