//! What travels between threads.

use tapwire_inspect::{Observation, Used};
use tapwire_protocol::{BodyPart, Exchange, Message};

/// From the capture thread to an inspector, or straight to the analyst with analysis off.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of it is exchanges: a box would cost an allocation each"
)]
pub(crate) enum Work {
    Exchange(Exchange),
    Part(BodyPart),
    /// Exchanges that were shed: their numbers must still be passed.
    Shed(Shed),
}

/// A run of consecutive exchanges that were shed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shed {
    pub(crate) first: u64,
    pub(crate) count: u64,
}

/// From an inspector to the analyst.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are of the large kind, and a box would cost each an allocation"
)]
pub(crate) enum Seen {
    Observed(Observation),
    Plain(Exchange),
    Shed(Shed),
}

impl Seen {
    pub(crate) const fn number(&self) -> u64 {
        match self {
            Self::Observed(observation) => observation.exchange.number,
            Self::Plain(exchange) => exchange.number,
            Self::Shed(shed) => shed.first,
        }
    }
}

/// What the analyst is done with.
#[derive(Debug, Default)]
pub(crate) struct Landed {
    /// Messages that can be filled again.
    pub(crate) spares: Spares,
    /// What inspectors can fill again.
    pub(crate) used: Vec<Used>,
    /// What their exchanges weighed.
    pub(crate) bytes: usize,
}

/// Used messages on their way back to the parsers, in the boxes that exchanges carry them in.
#[allow(
    clippy::vec_box,
    reason = "an exchange holds its messages in boxes: they are handed on, not moved out"
)]
pub(crate) type Spares = Vec<Box<Message>>;

/// Heap bytes that an exchange keeps in use on its way.
pub(crate) fn weight(exchange: &Exchange) -> usize {
    const RECORD: usize = 1024;
    let of = |half: &Option<Box<Message>>| {
        half.as_ref().map_or(0, |message| {
            message.head.text.capacity()
                + message.body.bytes.capacity()
                + message.head.fields.capacity() * 16
                + RECORD
        })
    };
    of(&exchange.request) + of(&exchange.response)
}

impl Work {
    /// Adds `number` to the end of `batch`, as part of the run before where it continues it.
    pub(crate) fn push_shed(batch: &mut Vec<Self>, number: u64) {
        match batch.last_mut() {
            Some(Self::Shed(shed)) if shed.first + shed.count == number => shed.count += 1,
            _ => batch.push(Self::Shed(Shed { first: number, count: 1 })),
        }
    }
}
