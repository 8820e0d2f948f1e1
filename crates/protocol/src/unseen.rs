//! What of a connection belongs to no known message: room for exchanges that nobody saw.

use crate::FlowStamp;
use tapwire_wire::Timestamp;

/// Bytes of a connection between two exchanges, or between its beginning or end and an exchange, that belong to no
/// message whose boundaries are known. They were sent, as sequence and acknowledgement numbers tell.
///
/// Whole exchanges hide only where both counts are above 0, each leaving at least a byte in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unseen {
    /// Bytes of the client.
    pub client: u64,
    /// Bytes of the server.
    pub server: u64,
    /// Requests of reported exchanges that are among `client`, whole or with their rest: at most 2.
    pub requests: u8,
    /// Responses of reported exchanges that are among `server`, whole or with their rest: at most 2.
    pub responses: u8,
    /// What became of the answer, when the exchange before was a request alone.
    pub answer: Option<Answer>,
}

/// What became of the answer to a request that was reported alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Bytes of the server are missing where it would have been.
    Lost,
    /// Nothing is missing there: the server gave none.
    Never,
}

impl Unseen {
    /// Whether it says nothing.
    pub const fn is_nothing(&self) -> bool {
        self.client == 0 && self.server == 0 && self.answer.is_none()
    }
}

/// The end of a connection behind whose last exchange something is missing.
#[derive(Debug, Clone)]
pub struct ConnectionEnd {
    /// The connection.
    pub flow: FlowStamp,
    /// What is missing.
    pub unseen: Unseen,
    /// Capture time of its last bytes seen, of its first packet when there were none.
    pub time: Timestamp,
}
