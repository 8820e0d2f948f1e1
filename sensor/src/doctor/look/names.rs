//! The servers that TLS clients ask for.

use super::Trace;
use std::collections::BTreeMap;
use tapwire_protocol::tls::{HelloOutcome, client_hello};
use tapwire_wire::{FlowKey, Segment, SeqNumber};

/// Names that are told apart.
const MAX_NAMES: usize = 1_024;

/// Hellos that wait for their rest, and the bytes of each.
const MAX_WAITING: usize = 256;
const MAX_HELLO: usize = 16 << 10;

/// Names by number, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: BTreeMap<String, u32>,
    waiting: BTreeMap<FlowKey, (SeqNumber, Vec<u8>)>,
    /// Hellos read.
    pub(crate) hellos: u64,
    /// Hellos that name no server.
    pub(crate) unnamed: u64,
}

impl Names {
    /// Looks whether the segment is a ClientHello, or the rest of one.
    pub(crate) fn segment(&mut self, segment: &Segment<'_>, trace: Option<&mut Trace>) {
        let Some(trace) = trace.filter(|trace| trace.name.is_none()) else { return };
        let fresh = trace.half(segment.side).payload == segment.payload.len() as u64;
        let waits = !self.waiting.is_empty() && self.waiting.contains_key(&segment.key);
        if segment.payload.is_empty() || !(fresh && segment.payload.starts_with(&[22, 3]) || waits) {
            return;
        }
        let before = self.waiting.remove(&segment.key);
        let mut bytes = match before {
            Some((next, bytes)) if next == segment.seq => bytes,
            Some(_) => return,
            None => Vec::new(),
        };
        bytes.extend_from_slice(segment.payload);
        match client_hello(&bytes) {
            HelloOutcome::NotHello => {}
            HelloOutcome::Hello(hello) => {
                self.hellos += 1;
                self.unnamed += u64::from(hello.server_name.is_none());
                trace.name = hello.server_name.and_then(|name| self.number(name));
            }
            HelloOutcome::Partial if self.waiting.len() < MAX_WAITING && bytes.len() < MAX_HELLO => {
                let next = segment.seq.add(u32::try_from(segment.payload.len()).unwrap_or(0));
                self.waiting.insert(segment.key, (next, bytes));
            }
            HelloOutcome::Partial => {}
        }
    }

    fn number(&mut self, name: String) -> Option<u32> {
        let next = u32::try_from(self.numbers.len()).ok()?;
        if self.numbers.len() >= MAX_NAMES && !self.numbers.contains_key(&name) {
            return None;
        }
        Some(*self.numbers.entry(name).or_insert(next))
    }

    /// Names with the bytes of their connections, the most first.
    pub(crate) fn by_bytes(&self, bytes: &BTreeMap<u32, u64>) -> Vec<(&str, u64)> {
        let of = |number: &u32| bytes.get(number).copied().unwrap_or(0);
        let mut names: Vec<_> =
            self.numbers.iter().map(|(name, number)| (name.as_str(), of(number))).collect();
        names.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        names
    }
}
