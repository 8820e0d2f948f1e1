//! What is told of an exchange after it was reported: its messages and its end.

use crate::{Direction, Head, Uid};
use std::sync::Arc;
use tapwire_wire::Timestamp;

/// The place of a child in the exchange that carries it. The child's own half is the message that passed, with its
/// payload as body and an empty head: as the request when the client sent it, as the response when the server did.
#[derive(Debug, Clone)]
pub struct Child {
    /// The exchange that carries it, which was reported before; `None` when its beginning was not captured.
    pub parent: Option<Uid>,
    /// Which one: 2n − 1 for the client's nth message and 2n for the server's nth, as far as they were seen; the end has
    /// the first odd number that is larger than all of them.
    pub index: u64,
    /// A message or the end.
    pub kind: ChildKind,
    /// The heads of the exchange that carries it.
    pub heads: Arc<Heads>,
}

/// What a child is.
#[derive(Debug, Clone)]
pub enum ChildKind {
    /// One message.
    Message,
    /// The end of the exchange. Its half is that of who ended it.
    End(Box<Totals>),
}

impl ChildKind {
    /// As events spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::End(_) => "end",
        }
    }
}

/// The heads of an exchange that goes on.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    /// The request's, when it was seen.
    pub request: Option<Head>,
    /// The response's, when it was seen.
    pub response: Option<Head>,
}

/// A figure for each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EachWay {
    /// From the client.
    pub client: u64,
    /// From the server.
    pub server: u64,
}

impl EachWay {
    pub(crate) const fn of_mut(&mut self, direction: Direction) -> &mut u64 {
        match direction {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }
}

/// What passed on an exchange from its report to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// When the exchange began.
    pub began: Timestamp,
    /// Messages that were seen.
    pub messages: EachWay,
    /// Of those, the ones that were not told because too many came in one second.
    pub left_out: u64,
    /// Payload bytes of messages as sent: still compressed, without framing.
    pub bytes: EachWay,
    /// Bytes that were missed, or of which it is not known what they are.
    pub missed_bytes: u64,
    /// What was said at the end.
    pub close: Option<Close>,
}

/// A WebSocket's close frame (RFC 6455, 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// Who sent the first one.
    pub by: Direction,
    /// Its code; `None` when it has none.
    pub code: Option<u16>,
}
