//! An exchange: a request with its response, and how well both were seen.

use crate::{Anomalies, Body, BodyPart, Child, ConnectionEnd, Head, MessageId, Unseen};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;
use std::sync::Arc;
use tapwire_flow::StreamOffset;
use tapwire_wire::{Endpoint, FlowKey, Overlay, Side, SourceId, Timestamp};

/// Which way bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// How well one half was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Seen {
    /// From its first to its last byte.
    #[default]
    Complete,
    /// Bytes are missing.
    Truncated,
    /// All of it passed, but a limit of the sensor kept part of its head from being read.
    Capped,
    /// Nothing of it was captured.
    Missing,
    /// It had not ended when the exchange was reported.
    Ongoing,
}

impl Seen {
    /// As events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Truncated => "truncated",
            Self::Capped => "capped",
            Self::Missing => "missing",
            Self::Ongoing => "ongoing",
        }
    }
}

/// Whether a response surely answers its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Pairing {
    /// Proven by an unbroken sequence or by acknowledgement numbers. Also said of a half that stands alone.
    #[default]
    Certain,
    /// Not proven: bytes are missing around it that could hold another message.
    Uncertain,
}

impl Pairing {
    /// As events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Uncertain => "uncertain",
        }
    }
}

/// First and last frame number of a message within its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frames {
    /// Frame of the first byte.
    pub first: u64,
    /// Frame of the last byte seen.
    pub last: u64,
}

/// One half of an exchange.
#[derive(Debug, Clone)]
pub struct Message {
    /// Names it while it is open.
    pub id: MessageId,
    /// Start line and fields.
    pub head: Head,
    /// The body.
    pub body: Body,
    /// Offset of its first byte in its direction.
    pub at: StreamOffset,
    /// The acknowledgement its first byte travelled with, as an offset of the other direction.
    pub peer_at: Option<StreamOffset>,
    /// Capture time of its first byte.
    pub started: Timestamp,
    /// Capture time of its last byte seen.
    pub ended: Timestamp,
    /// How often nothing came of it for a tenth of a second and more, and then it went on; 255 stands for more.
    pub pauses: u8,
    /// Frames that carried it.
    pub frames: Frames,
    /// Where it was captured.
    pub source: SourceId,
    /// How well it was seen.
    pub seen: Seen,
    /// Bytes of head and body together that were not captured, where that is known.
    pub missed_bytes: u64,
    /// Facts about its bytes.
    pub anomalies: Anomalies,
}

/// Nanoseconds without a byte that are a pause: longer than what acknowledgements are held back for on most systems.
const PAUSE: i64 = 100_000_000;

impl Message {
    /// Bytes of it come, at that time in that frame.
    pub(crate) fn goes_on(&mut self, (time, frame): (Timestamp, u64)) {
        self.pauses = self.pauses.saturating_add(u8::from(pauses(self.ended, time)));
        (self.ended, self.frames.last) = (time, frame);
    }

    /// Bytes on the heap, its own included.
    pub(crate) fn held(&self) -> usize {
        let fields = self.head.fields.capacity() * size_of::<crate::Field>();
        size_of::<Self>() + self.head.text.capacity() + fields + self.body.bytes.capacity()
    }
}

/// Whether it is a pause from one time to another.
pub(crate) fn pauses(from: Timestamp, to: Timestamp) -> bool {
    to.since(from) >= PAUSE
}

/// What a PROXY protocol header in front of the stream said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Version 1 or 2.
    pub version: u8,
    /// The client it names; `None` for `UNKNOWN` and `LOCAL`.
    pub client: Option<Endpoint>,
    /// The destination it names.
    pub destination: Option<Endpoint>,
}

/// The connection an exchange belongs to.
#[derive(Debug, Clone)]
pub struct FlowStamp {
    /// The flow's number.
    pub id: u64,
    /// The canonical 5-tuple.
    pub key: FlowKey,
    /// Which side is the client.
    pub client: Side,
    /// The VLAN of the first tagged packet.
    pub vlan: Option<u16>,
    /// The tunnels of the connection, and their network identifier.
    pub overlay: Overlay,
    /// A PROXY protocol header, when there was one.
    pub proxy: Option<ProxyHeader>,
    /// Whether the connection's beginning was not captured.
    pub joined_late: bool,
    /// What is known of the TLS that it was decrypted from.
    pub tls: Option<Arc<crate::tls::Facts>>,
}

impl FlowStamp {
    /// The client's address and port on the wire.
    pub const fn client(&self) -> &Endpoint {
        self.key.endpoint(self.client)
    }

    /// The server's address and port on the wire.
    pub const fn server(&self) -> &Endpoint {
        self.key.endpoint(self.client.peer())
    }
}

/// The identity of an exchange: the same wherever, whenever and by whomever it is sensed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Uid(pub [u8; 16]);

impl std::fmt::Display for Uid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A request with its response, or the half of it that was seen. At least one half is present.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Counts exchanges in the order of their end, from 1 and without holes.
    pub number: u64,
    /// The connection.
    pub flow: FlowStamp,
    /// The request; `None` when it was not captured.
    pub request: Option<Box<Message>>,
    /// The final response; `None` when it was not captured or never came.
    pub response: Option<Box<Message>>,
    /// Status codes of interim responses, in order, at most four.
    pub interim: [u16; 4],
    /// Whether the two halves surely belong together.
    pub pairing: Pairing,
    /// Facts about the exchange as a whole; those of its halves are in the messages.
    pub anomalies: Anomalies,
    /// The HTTP/2 stream.
    pub stream: Option<u32>,
    /// What it is to the exchange that carries it, when it is a message on one that was reported before, or its end.
    pub child: Option<Child>,
    /// Protocols, outermost first.
    pub protocols: &'static [&'static str],
    /// What of its connection is missing between the exchange before and this one.
    pub unseen: Unseen,
    /// Connections that ended with something missing since the exchange before was reported, of whatever connection:
    /// so they travel in order without a number of their own.
    pub ends: Vec<ConnectionEnd>,
}

impl Exchange {
    /// All anomalies of the exchange and of its halves.
    pub fn all_anomalies(&self) -> Anomalies {
        let of = |half: &Option<Box<Message>>| half.as_ref().map_or(Anomalies::default(), |m| m.anomalies);
        self.anomalies | of(&self.request) | of(&self.response)
    }

    /// The head of the request: a child's is that of the exchange that carries it.
    pub fn request_head(&self) -> Option<&Head> {
        match &self.child {
            Some(child) => child.heads.request.as_ref(),
            None => self.request.as_deref().map(|request| &request.head),
        }
    }

    /// The head of the response, likewise.
    pub fn response_head(&self) -> Option<&Head> {
        match &self.child {
            Some(child) => child.heads.response.as_ref(),
            None => self.response.as_deref().map(|response| &response.head),
        }
    }

    /// When its first byte was captured.
    pub fn started(&self) -> Timestamp {
        let first = self.request.as_ref().or(self.response.as_ref());
        first.map_or(Timestamp::default(), |m| m.started)
    }

    /// When its last byte was captured.
    pub fn ended(&self) -> Timestamp {
        let end = |half: &Option<Box<Message>>| half.as_ref().map(|m| m.ended);
        end(&self.request).max(end(&self.response)).unwrap_or_default()
    }

    /// Nanoseconds from the request's last byte to the response's first; `None` unless both were seen, 0 for an early
    /// response.
    pub fn latency(&self) -> Option<u64> {
        let (request, response) = (self.request.as_ref()?, self.response.as_ref()?);
        Some(u64::try_from(response.started.since(request.ended)).unwrap_or(0))
    }

    /// The identity: a hash of the inner 5-tuple, the tenant and the raw sequence numbers of the two heads' first bytes,
    /// as far as they are known, and the HTTP/2 stream; of a child also its parent and index. No clock, file name, sensor or thread is in it.
    pub fn uid(&self) -> Uid {
        let mut hash = SipHasher24::new();
        for side in [Side::Lower, Side::Upper] {
            let end = self.flow.key.endpoint(side);
            hash.write(end.octets());
            hash.write(&end.port.to_be_bytes());
        }
        hash.write(&self.flow.key.tenant.to_be_bytes());
        for half in [&self.request, &self.response] {
            match half {
                Some(message) => {
                    hash.write(&[1]);
                    hash.write(&message.at.seq().0.to_be_bytes());
                }
                None => hash.write(&[0]),
            }
        }
        if let Some(stream) = self.stream {
            hash.write(&stream.to_be_bytes());
        }
        if let Some(child) = &self.child {
            hash.write(&child.parent.map_or([0; 16], |parent| parent.0));
            hash.write(&child.index.to_be_bytes());
        }
        Uid(hash.finish128().as_bytes())
    }
}

/// Takes finished exchanges and the body parts that go ahead of them, and gives used messages back for reuse.
pub trait ExchangeSink {
    /// An exchange ended.
    fn exchange(&mut self, exchange: Exchange);

    /// Part of a long body; later parts and the exchange itself follow in order.
    fn body_part(&mut self, part: BodyPart);

    /// A used message whose buffers can serve again, when there is one.
    fn spare(&mut self) -> Option<Box<Message>> {
        None
    }
}
