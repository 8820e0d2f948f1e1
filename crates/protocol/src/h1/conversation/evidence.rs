//! Facts about segments: which message they belong to.

use super::Conversation;
use crate::h1::reader::Place;
use crate::{Anomalies, Anomaly, Direction, Framing, Message};
use tapwire_flow::{Chunk, Evidence, StreamOffset};
use tapwire_wire::Side;

/// The anomaly that a piece of evidence is.
pub(crate) const fn anomaly_of(evidence: Evidence) -> Anomaly {
    match evidence {
        Evidence::OverlapConflict => Anomaly::OverlapConflict,
        Evidence::ResetOutOfWindow => Anomaly::ResetOutOfWindow,
        Evidence::ResetIgnored => Anomaly::ResetIgnored,
        Evidence::ResetWithOtherTtl => Anomaly::ResetWithOtherTtl,
        Evidence::FragmentConflict => Anomaly::FragmentConflict,
        Evidence::BadChecksum => Anomaly::BadChecksum,
        Evidence::TtlOutlier => Anomaly::TtlOutlier,
        Evidence::NeverAcknowledged => Anomaly::NeverAcknowledged,
        Evidence::DataInSyn => Anomaly::DataInSyn,
        Evidence::DataOutOfWindow => Anomaly::DataOutOfWindow,
        Evidence::DataAfterFin => Anomaly::DataAfterFin,
        Evidence::UrgentData => Anomaly::UrgentData,
    }
}

impl Conversation {
    /// A fact about the bytes of one side at `at`, or about a reset in its name.
    pub(crate) fn evidence(&mut self, side: Side, at: StreamOffset, evidence: Evidence) {
        let (direction, anomaly) = (self.direction(side), anomaly_of(evidence));
        let about_no_bytes = matches!(
            evidence,
            Evidence::ResetOutOfWindow | Evidence::ResetWithOtherTtl | Evidence::DataOutOfWindow
        );
        let noted = if about_no_bytes {
            // It is about what is open, whichever side it was sent in the name of.
            self.note(direction, anomaly) || self.note(other(direction), anomaly)
        } else {
            !self.is_to_come(direction, at) && self.note(direction, anomaly)
        };
        if !noted {
            self.reader(direction).pending.insert(anomaly);
        }
    }

    /// What came before this connection was known to be HTTP: facts about the first message of that side.
    pub(crate) fn expect(&mut self, side: Side, anomalies: Anomalies) {
        let direction = self.direction(side);
        self.reader(direction).pending |= anomalies;
    }

    /// Whether the message that holds `at` has not been opened yet.
    fn is_to_come(&mut self, direction: Direction, at: StreamOffset) -> bool {
        let reader = self.reader(direction);
        match reader.place {
            Place::Head => reader.origin.is_some_and(|origin| at >= origin.at),
            Place::Boundary => reader.next.is_none_or(|next| at >= next),
            _ => false,
        }
    }

    /// Adds a fact to what is open in that direction, or else to the latest half that waits; false when there is none.
    fn note(&mut self, direction: Direction, anomaly: Anomaly) -> bool {
        match &mut self.reader(direction).open {
            Some(open) => {
                open.anomalies.insert(anomaly);
                true
            }
            None => self.pairer.note(direction, anomaly),
        }
    }

    /// Bytes that came before, compared with what is still held of them.
    pub(crate) fn again(&mut self, chunk: &Chunk<'_>, odd_ttl: bool) {
        let direction = self.direction(chunk.side);
        let mut facts = Anomalies::default();
        facts.insert(Anomaly::OverlapConflict);
        if odd_ttl {
            facts.insert(Anomaly::TtlOutlier);
        }
        let reader = self.reader(direction);
        if reader.origin.is_some_and(|origin| differ(chunk, origin.at, &reader.held)) {
            reader.pending |= facts;
        }
        if let Some(open) = reader.open.as_mut().filter(|open| message_differs(chunk, open)) {
            open.anomalies |= facts;
        }
        for message in self.pairer.messages_mut(direction).filter(|message| message_differs(chunk, message)) {
            message.anomalies |= facts;
        }
    }
}

const fn other(direction: Direction) -> Direction {
    match direction {
        Direction::ToServer => Direction::ToClient,
        Direction::ToClient => Direction::ToServer,
    }
}

/// Whether the part of a message that is held as it was captured differs from the chunk.
fn message_differs(chunk: &Chunk<'_>, message: &Message) -> bool {
    let (head, body) = (&message.head, &message.body);
    // Trailers were appended to the head, and stand elsewhere in the stream.
    let trailers = head.trailers_from.and_then(|first| head.fields.get(first)?.name);
    let len = trailers.map_or(head.text.len(), |name| name.start as usize);
    let text = head.text.get(..len).unwrap_or_default();
    let plain = matches!(body.framing, Framing::Length(_)) && !body.parts;
    let behind = message.at + len as u64;
    differ(chunk, message.at, text) || plain && differ(chunk, behind, &body.bytes)
}

/// Whether the chunk and the bytes held at `at` differ where they overlap.
fn differ(chunk: &Chunk<'_>, at: StreamOffset, held: &[u8]) -> bool {
    let tail =
        |bytes: &[u8], skip: u64| -> usize { usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len()) };
    let ours = held.get(tail(held, chunk.at.since(at))..).unwrap_or_default();
    let theirs = chunk.bytes.get(tail(chunk.bytes, at.since(chunk.at))..).unwrap_or_default();
    ours.iter().zip(theirs).any(|(one, other)| one != other)
}
