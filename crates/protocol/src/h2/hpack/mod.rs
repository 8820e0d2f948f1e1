//! HPACK: header compression (RFC 7541), for a reader that may join late and may miss blocks.
//!
//! Indices count from the newest entry. So a table whose older part is unknown still answers rightly for every entry
//! that was inserted since, and says *unknown* for all others. After a lost block nothing is known of how many entries
//! came meanwhile: [`Decoder::forget`] makes all of them unknown until new ones come. No index ever gives another field
//! than the one that was meant.

mod huffman;
mod statics;
mod table;

use statics::STATIC;
use table::{Name, OVERHEAD, Pair, Table, Tail};

/// Bytes that one block may decode to, counted as a table counts them. What passes this is a bomb: servers allow a few
/// tens of kilobytes.
pub const MAX_DECODED: usize = 1 << 20;

/// A table limit that no size update may pass before the peer has said otherwise (RFC 9113, 6.5.2).
const INITIAL_ALLOWED: usize = 4_096;

/// What became of a header block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was read to its end.
    Complete,
    /// It ends within a field: the rest of it is missing.
    Cut,
    /// It breaks a rule of RFC 7541; a receiver closes the connection.
    Invalid(Fault),
    /// It would decode to more than [`MAX_DECODED`] bytes.
    Bomb,
}

/// The rule that a block breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Index 0, or one behind the end of the table (2.3.3).
    Index,
    /// An integer larger than any that makes sense (5.1).
    Integer,
    /// A string that is no Huffman code (5.2).
    Huffman,
    /// A size update behind the first field, or beyond what the peer allows (4.2, 6.3).
    SizeUpdate,
}

/// Decodes the header blocks of one direction, in order. Its `Debug` shows no content.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    allowed: usize,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Room that is kept for decoding the next string, in bytes.
const KEPT: usize = 1_024;

impl Decoder {
    /// For a direction that is read from its beginning.
    pub fn new() -> Self {
        Self { table: Table::new(), allowed: INITIAL_ALLOWED, name: Vec::new(), value: Vec::new() }
    }

    /// For a direction that is joined in the middle.
    pub fn joined() -> Self {
        let mut decoder = Self::new();
        decoder.forget();
        decoder
    }

    /// A block, or part of one, was missed: no entry is known any more.
    pub fn forget(&mut self) {
        self.table.forget();
        self.allowed = usize::MAX;
    }

    /// The receiver allows tables of so many bytes (`SETTINGS_HEADER_TABLE_SIZE`).
    pub fn allow(&mut self, bytes: u32) {
        self.allowed = self.allowed.max(bytes as usize);
    }

    /// Whether every field that the peer may refer to is known.
    pub fn knows_all(&self) -> bool {
        self.table.tail() == Tail::None
    }

    /// Bytes on the heap.
    pub fn held(&self) -> usize {
        self.table.held() + self.name.capacity() + self.value.capacity()
    }

    /// Reads a whole block, and says its fields in order: name and value, `None` where unknown. After anything but
    /// [`Outcome::Complete`] no entry is known.
    pub fn decode(&mut self, block: &[u8], mut field: impl FnMut(Option<&[u8]>, Option<&[u8]>)) -> Outcome {
        let mut input = Input { rest: block };
        let mut budget = MAX_DECODED;
        let mut begun = false;
        while let Some(first) = input.rest.first().copied() {
            let done = self.representation(first, &mut input, begun, &mut budget, &mut field);
            if let Err(stop) = done {
                self.forget();
                self.tidy();
                return stop;
            }
            begun |= first & 0xe0 != 0x20;
        }
        self.tidy();
        Outcome::Complete
    }

    /// RFC 7541, 6: by its first bits.
    fn representation(
        &mut self,
        first: u8,
        input: &mut Input<'_>,
        begun: bool,
        budget: &mut usize,
        field: &mut impl FnMut(Option<&[u8]>, Option<&[u8]>),
    ) -> Result<(), Outcome> {
        match first {
            0x80.. => {
                let index = input.integer(7)?;
                let pair = self.pair(index)?;
                charge(budget, pair.name, pair.value)?;
                field(pair.name, pair.value);
                Ok(())
            }
            0x40.. => self.literal(input, 6, true, budget, field),
            0x20.. => {
                let limit = input.integer(5)?;
                if begun || limit > self.allowed {
                    return Err(Outcome::Invalid(Fault::SizeUpdate));
                }
                self.table.limit(limit);
                Ok(())
            }
            _ => self.literal(input, 4, false, budget, field),
        }
    }

    /// RFC 7541, 6.2: a literal field, inserted or not.
    fn literal(
        &mut self,
        input: &mut Input<'_>,
        prefix: u32,
        inserts: bool,
        budget: &mut usize,
        field: &mut impl FnMut(Option<&[u8]>, Option<&[u8]>),
    ) -> Result<(), Outcome> {
        let index = input.integer(prefix)?;
        let Self { table, name, value, .. } = self;
        let literal = if index == 0 { Some(input.string(name)?) } else { None };
        let value = input.string(value)?;
        let known = match literal {
            Some(text) => Pair { name: Some(text), value: None },
            None => pair(table, index)?,
        };
        charge(budget, known.name, Some(value))?;
        field(known.name, Some(value));
        if inserts {
            let name = match (literal, index.checked_sub(STATIC.len() + 1)) {
                (Some(text), _) => Some(Name::Text(text)),
                (None, Some(nth)) => Some(Name::Of(nth)),
                (None, None) => static_pair(index).and_then(|pair| pair.name).map(Name::Text),
            };
            table.insert(name, Some(value));
        }
        Ok(())
    }

    fn pair(&self, index: usize) -> Result<Pair<'_>, Outcome> {
        pair(&self.table, index)
    }

    /// Strings are short, as a rule.
    fn tidy(&mut self) {
        for scratch in [&mut self.name, &mut self.value] {
            if scratch.capacity() > KEPT {
                *scratch = Vec::new();
            }
        }
    }
}

fn static_pair(index: usize) -> Option<Pair<'static>> {
    let (name, value) = STATIC.get(index.checked_sub(1)?)?;
    Some(Pair { name: Some(name), value: Some(value) })
}

/// The field of an index (RFC 7541, 2.3.3).
fn pair(table: &Table, index: usize) -> Result<Pair<'_>, Outcome> {
    if let Some(pair) = static_pair(index) {
        return Ok(pair);
    }
    let nth = index.checked_sub(STATIC.len() + 1).ok_or(Outcome::Invalid(Fault::Index))?;
    match (table.get(nth), table.tail()) {
        (Some(pair), _) => Ok(pair),
        (None, Tail::Unknown) => Ok(Pair { name: None, value: None }),
        (None, Tail::None) => Err(Outcome::Invalid(Fault::Index)),
    }
}

fn charge(budget: &mut usize, name: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), Outcome> {
    let cost = OVERHEAD + name.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
    *budget = budget.checked_sub(cost).ok_or(Outcome::Bomb)?;
    Ok(())
}

/// What is left of a block.
struct Input<'a> {
    rest: &'a [u8],
}

/// Integers are lengths, indices and table sizes: none that makes sense has more bits.
const MOST_BITS: u32 = 28;

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8, Outcome> {
        self.rest.split_off_first().copied().ok_or(Outcome::Cut)
    }

    /// RFC 7541, 5.1: an integer whose prefix has so many bits.
    fn integer(&mut self, prefix: u32) -> Result<usize, Outcome> {
        let most = (1_usize << prefix) - 1;
        let mut number = usize::from(self.byte()?) & most;
        if number < most {
            return Ok(number);
        }
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            if shift >= MOST_BITS {
                return Err(Outcome::Invalid(Fault::Integer));
            }
            number += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
    }

    /// RFC 7541, 5.2: a string, as it stands or decoded into `scratch`.
    fn string<'s>(&mut self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], Outcome>
    where
        'a: 's,
    {
        let coded = self.rest.first().is_some_and(|first| first & 0x80 != 0);
        let len = self.integer(7)?;
        let (text, rest) = self.rest.split_at_checked(len).ok_or(Outcome::Cut)?;
        self.rest = rest;
        if !coded {
            return Ok(text);
        }
        scratch.clear();
        if huffman::decode(text, scratch) { Ok(scratch) } else { Err(Outcome::Invalid(Fault::Huffman)) }
    }
}

#[cfg(test)]
mod tests;
