//! What of a connection belongs to no known message: room for exchanges that nobody saw.

use crate::{Anomalies, Body, Exchange, FlowStamp, Frames, Head, Message, MessageId, Pairing, Seen};
use tapwire_flow::{Knock, StreamOffset};
use tapwire_wire::{SeqNumber, SourceId, Timestamp};

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

/// The end of a connection behind whose last exchange something is missing, or on which nobody said a word.
#[derive(Debug, Clone)]
pub struct ConnectionEnd {
    /// The connection.
    pub flow: FlowStamp,
    /// What is missing.
    pub unseen: Unseen,
    /// Capture time of its last bytes seen, of its first packet when there were none.
    pub time: Timestamp,
    /// What came of a connection on which nobody said a word: nothing is missing of it.
    pub knock: Option<Knock>,
    /// Where its first packet was captured.
    pub source: SourceId,
}

impl ConnectionEnd {
    /// The connection as an exchange of which neither half was said: it names what a finding is about. Its request has no head
    /// and stands where the first byte would have.
    pub fn exchange(&self) -> Exchange {
        let at = self.knock.map_or(StreamOffset::first(SeqNumber(0)), |knock| knock.at);
        let request = Message {
            id: MessageId::default(),
            head: Head::default(),
            body: Body::default(),
            at,
            peer_at: None,
            started: self.time,
            ended: self.time,
            pauses: 0,
            frames: Frames::default(),
            source: self.source,
            seen: Seen::Missing,
            missed_bytes: 0,
            anomalies: Anomalies::default(),
        };
        Exchange {
            number: 0,
            flow: self.flow.clone(),
            request: Some(Box::new(request)),
            response: None,
            interim: [0; 4],
            pairing: Pairing::Certain,
            anomalies: Anomalies::default(),
            stream: None,
            child: None,
            protocols: &[],
            unseen: Unseen::default(),
            ends: Vec::new(),
        }
    }
}
