//! What the flow table says about a connection, and the trait that hears it.

use crate::StreamOffset;
use tapwire_wire::{FlowKey, Overlay, Side, SourceId, Timestamp};

/// What is known of a connection when an event of it is delivered.
#[derive(Debug, Clone)]
pub struct FlowInfo {
    /// Counts connections in the order of their first packet, from 1.
    pub id: u64,
    /// The canonical 5-tuple.
    pub key: FlowKey,
    /// Who sent the SYN; `None` when no handshake was seen.
    pub initiator: Option<Side>,
    /// When the first packet was seen.
    pub opened: Timestamp,
    /// Where the first packet was seen.
    pub source: SourceId,
    /// The VLAN of the first tagged packet.
    pub vlan: Option<u16>,
    /// The tunnels of the first packet that came in any, and their network identifier.
    pub overlay: Overlay,
}

/// Bytes of one direction, in order and without a hole to the chunk before.
///
/// Chunks of both directions come in causal order: the other direction was delivered or declared lost up to `peer_at`,
/// unless the wait for that was given up, or the capture proved to hold one side of every connection only.
///
/// One chunk never mixes bytes of two segments, so `time`, `frame` and `peer_at` are those of the segment that first
/// carried every byte in it. Its `Debug` shows no payload.
#[derive(Clone, Copy)]
pub struct Chunk<'a> {
    /// Who sent it.
    pub side: Side,
    /// The offset of the first byte.
    pub at: StreamOffset,
    /// Never empty.
    pub bytes: &'a [u8],
    /// The segment's acknowledgement number as an offset in the other direction's stream.
    pub peer_at: Option<StreamOffset>,
    /// Capture time of the segment.
    pub time: Timestamp,
    /// Frame number of the segment.
    pub frame: u64,
    /// Source of the segment.
    pub source: SourceId,
}

impl std::fmt::Debug for Chunk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk")
            .field("side", &self.side)
            .field("at", &self.at)
            .field("len", &self.bytes.len())
            .field("peer_at", &self.peer_at)
            .field("frame", &self.frame)
            .finish_non_exhaustive()
    }
}

/// Bytes of one direction that were not captured. The next chunk of that side begins at `at + len`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Whose bytes.
    pub side: Side,
    /// The offset of the first missing byte.
    pub at: StreamOffset,
    /// How many bytes are missing; never 0.
    pub len: u64,
    /// How many of them the receiver acknowledged: the sensor missed them, the network did not.
    pub acknowledged: u64,
    /// Where the receiver's own stream stood when it first acknowledged all of them: what it sent from there on came
    /// after it had heard these bytes. `None` when it did not, or when that was not seen or is not remembered.
    pub acked_at: Option<StreamOffset>,
    /// Capture time of the packet that proved it.
    pub time: Timestamp,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Both sides sent FIN.
    Fin,
    /// A reset inside the window. If its receiver ignored it, the rest of the connection is another one, joined late.
    Reset,
    /// No packet for its timeout.
    Idle,
    /// Another connection began on the same addresses and ports.
    Replaced,
    /// The table was full; this connection was the least active one.
    Evicted,
    /// The capture ended.
    End,
}

/// What came of a connection on which neither side sent a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnockAnswer {
    /// Nothing answered the SYN, as far as was seen.
    None,
    /// A reset answered it.
    Refused,
    /// It was answered, and whoever sent it never acknowledged that.
    Abandoned,
    /// The handshake was finished, and nothing followed.
    Accepted,
}

/// A connection that was asked for and that nobody said a word on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knock {
    /// What came of it.
    pub answer: KnockAnswer,
    /// Where the first byte of who asked would have stood.
    pub at: StreamOffset,
}

/// Facts about the bytes of a connection that an exchange should carry as an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// The same range of the stream came twice with different bytes; the first were kept.
    OverlapConflict,
    /// A reset outside the window was ignored.
    ResetOutOfWindow,
    /// A reset was believed here, and the connection went on: its receiver had ignored it.
    ResetIgnored,
    /// A reset came with a TTL clearly other than that of its sender's segments: something on the path may have sent it.
    ResetWithOtherTtl,
    /// IP fragments overlapped with different bytes; the first were kept.
    FragmentConflict,
    /// A segment with a wrong checksum from a sender whose checksums are otherwise right was ignored.
    BadChecksum,
    /// Bytes that conflict, or were never acknowledged, came with a TTL clearly other than that of their sender.
    TtlOutlier,
    /// Bytes that were delivered and that their receiver never had: it went on without acknowledging them and nobody sent
    /// them again, or its sender ended its stream before them.
    NeverAcknowledged,
    /// A SYN with payload. Whether its receiver took the payload depends on both hosts (RFC 7413).
    DataInSyn,
    /// Payload far outside the window was ignored.
    DataOutOfWindow,
    /// Payload after a FIN of its sender. It is delivered, since the FIN may be forged.
    DataAfterFin,
    /// Urgent data, which some hosts take out of the stream (RFC 6093).
    UrgentData,
}

/// One thing that happened on a connection.
#[derive(Debug, Clone, Copy)]
pub enum StreamEvent<'a> {
    /// Bytes in order.
    Data(Chunk<'a>),
    /// Bytes that will not come.
    Gap(Gap),
    /// That side will send nothing more: its FIN was reached in order (everything before was delivered or declared lost).
    /// If it sends more all the same, [`Evidence::DataAfterFin`] says so before the data.
    /// A FIN that overtook all of a direction whose beginning was not captured is said again behind its bytes.
    Fin(Side),
    /// Bytes that came before, cut into segments in another way or too long ago to be compared here. A listener that still
    /// has them may compare them with its own: others are an overlap conflict.
    Again {
        /// The bytes as they came again.
        chunk: Chunk<'a>,
        /// Their TTL is clearly other than that of their sender's segments.
        odd_ttl: bool,
    },
    /// A fact about the bytes of that side around that offset.
    Evidence(Side, StreamOffset, Evidence),
    /// The time has come that the listener asked for: packet time, as the source of the last packet stamps it.
    Time(Timestamp),
    /// The connection ended. What was held back has been delivered, holes as gaps.
    Close(CloseReason),
}

/// How long a silent connection is kept, by what is open on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Patience {
    /// Nothing is open.
    #[default]
    Idle,
    /// An exchange is open.
    Open,
    /// A WebSocket, server-sent events, HTTP/2: silence is normal.
    LongLived,
}

/// Hears stream events; `T` is its state, kept in the flow's record and made by `Default`.
pub trait StreamSink<T> {
    /// Whether these bytes look like the first of a message.
    ///
    /// Asked when a direction's first bytes arrive and nothing tells where its stream begins (no SYN, nothing
    /// acknowledged by the peer). "Yes" delivers them at once; "no" holds them briefly, since earlier bytes may follow.
    fn looks_like_start(&self, bytes: &[u8]) -> bool;

    /// Takes one event. The state was made before the first event of the flow and is dropped after `Close`.
    fn event(&mut self, flow: &FlowInfo, state: &mut T, event: StreamEvent<'_>);

    /// The connection that has just been closed carried no byte. Of one whose SYN was not seen nothing is said.
    fn knocked(&mut self, _: &FlowInfo, _: Knock) {}

    /// In how many nanoseconds of packet time the connection of the last event wants to hear [`StreamEvent::Time`], silent
    /// or not. Asked once after events; a request may be refused when too many wait.
    fn take_alarm(&mut self) -> Option<i64> {
        None
    }

    /// How long to keep the flow when it is silent; asked after events.
    fn patience(&self, state: &T) -> Patience;

    /// Bytes that the listener keeps on the heap for all its connections together. Asked after events; they count
    /// against the table's memory.
    fn held(&self) -> usize {
        0
    }

    /// Nothing is open on this connection, and others were active since: gives back what only a busy connection needs.
    /// The next event may come at any time.
    fn rest(&mut self, _: &mut T) {}

    /// Reads what the next event of this connection will touch, so that it is at hand by then.
    fn warm(&self, _: &T) {}
}
