//! A scripted connection, as two real TCP stacks would have put it on the wire.

use crate::{Capture, OwnedPacket, PSH, Random, Tcp};
use tapwire_wire::{Endpoint, TcpFlags, Timestamp};

/// A request and everything that answers it, as bytes.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The whole request.
    pub request: Vec<u8>,
    /// The whole response, interim responses first.
    pub response: Vec<u8>,
}

/// When a client sends its next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// When the answer to the one before is in.
    AfterAnswer,
    /// So many at once, then it waits for all answers.
    Batch(usize),
    /// So many are always outstanding.
    Rolling(usize),
}

/// One connection from handshake to FIN.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    /// What is said.
    pub turns: Vec<Turn>,
    /// How the client sends.
    pub sending: Sending,
    /// Payload bytes of a full segment.
    pub mss: usize,
    /// Nanoseconds between client and server and back.
    pub round_trip: i64,
    /// Nanoseconds, on average, from an answer to the next request.
    pub think: i64,
    /// Time of the first packet.
    pub start: Timestamp,
    /// Initial sequence numbers of client and server.
    pub initial: [u32; 2],
    /// For think times and delayed acknowledgements.
    pub seed: u64,
}

impl Conversation {
    /// A connection from 10.0.0.1 to 10.0.1.1:80 with usual values.
    pub fn new(turns: Vec<Turn>, seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x7461_7077_6972_6500);
        Self {
            client: Endpoint::v4([10, 0, 0, 1], random.between(32_768, 60_999) as u16),
            server: Endpoint::v4([10, 0, 1, 1], 80),
            turns,
            sending: Sending::AfterAnswer,
            mss: 1460,
            round_trip: 400_000,
            think: 2_000_000,
            start: Timestamp::from_parts(1_700_000_000, 0),
            initial: [random.next() as u32, random.next() as u32],
            seed,
        }
    }

    /// The packets, numbered from 1.
    pub fn play(&self) -> Capture {
        let mut wire = Wire::new(self);
        wire.open();
        match self.sending {
            Sending::AfterAnswer => wire.batches(1),
            Sending::Batch(size) => wire.batches(size),
            Sending::Rolling(window) => wire.rolling(window),
        }
        wire.close();
        Capture { packets: wire.packets }.numbered()
    }
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// Both stacks, seen from a tap between them.
struct Wire<'a> {
    script: &'a Conversation,
    random: Random,
    now: Timestamp,
    /// The next sequence number of each end.
    next: [u32; 2],
    /// What each end has received.
    received: [u32; 2],
    /// Full segments an end has received and not acknowledged.
    unacknowledged: [u32; 2],
    /// Length of the client's last request, when the server's next answer passes it on the way.
    crossing: Option<u32>,
    packets: Vec<OwnedPacket>,
}

impl<'a> Wire<'a> {
    fn new(script: &'a Conversation) -> Self {
        let [client, server] = script.initial;
        Self {
            script,
            random: Random::new(script.seed),
            now: script.start,
            next: script.initial,
            received: [server, client],
            unacknowledged: [0, 0],
            crossing: None,
            packets: Vec::new(),
        }
    }

    fn open(&mut self) {
        self.emit(CLIENT, TcpFlags::SYN, &[], false);
        self.emit(SERVER, TcpFlags::SYN, &[], true);
        self.emit(CLIENT, 0, &[], true);
    }

    fn close(&mut self) {
        self.emit(CLIENT, TcpFlags::FIN, &[], true);
        self.emit(SERVER, TcpFlags::FIN, &[], true);
        self.emit(CLIENT, 0, &[], true);
    }

    fn batches(&mut self, size: usize) {
        for turns in self.script.turns.chunks(size.max(1)) {
            let requests: Vec<u8> = turns.iter().flat_map(|turn| turn.request.clone()).collect();
            self.send(CLIENT, &requests);
            for turn in turns {
                self.send(SERVER, &turn.response);
            }
            self.think();
        }
    }

    /// The next request leaves when an answer arrives; whether the server's next answer already acknowledges it is
    /// a matter of chance, as on a real path.
    fn rolling(&mut self, window: usize) {
        let turns = &self.script.turns;
        for turn in turns.iter().take(window) {
            self.send(CLIENT, &turn.request);
        }
        for (turn, later) in turns.iter().zip(window..) {
            self.send(SERVER, &turn.response);
            if let Some(next) = turns.get(later) {
                self.send(CLIENT, &next.request);
                self.crossing = self.random.chance(0.3).then_some(next.request.len() as u32);
            }
        }
    }

    /// Writes `bytes`: segments of one MSS, the last one pushed.
    fn send(&mut self, from: usize, bytes: &[u8]) {
        let crossing = if from == SERVER { self.crossing.take() } else { None };
        self.received[from] = self.next[1 - from].wrapping_sub(crossing.unwrap_or(0));
        let segments = bytes.len().div_ceil(self.script.mss);
        for (segment, index) in bytes.chunks(self.script.mss).zip(1..) {
            let push = if index == segments { PSH } else { 0 };
            self.emit(from, push, segment, true);
            self.unacknowledged[1 - from] += 1;
            // RFC 9293, 3.8.6.3: an ACK at least for every second full-sized segment.
            if self.unacknowledged[1 - from] >= 2 || (index == segments && self.random.chance(0.3)) {
                self.acknowledge(1 - from);
            }
        }
    }

    fn acknowledge(&mut self, from: usize) {
        self.received[from] = self.next[1 - from];
        self.emit(from, 0, &[], true);
    }

    fn think(&mut self) {
        let think = self.script.think.max(1) as usize;
        self.now = self.now + self.random.below(2 * think) as i64;
    }

    fn emit(&mut self, from: usize, flags: u8, payload: &[u8], acknowledges: bool) {
        let ends = [self.script.client, self.script.server];
        if flags & (TcpFlags::FIN | TcpFlags::SYN) != 0 || payload.is_empty() {
            self.received[from] = self.next[1 - from];
        }
        let tcp = Tcp {
            source: ends[from],
            destination: ends[1 - from],
            seq: self.next[from],
            ack: acknowledges.then_some(self.received[from]),
            flags,
            window: 64_240,
            ttl: 64,
            payload: payload.to_vec(),
        };
        let marks = u32::from(flags & (TcpFlags::FIN | TcpFlags::SYN) != 0);
        self.next[from] = self.next[from].wrapping_add(payload.len() as u32 + marks);
        if acknowledges {
            self.unacknowledged[from] = 0;
        }
        self.packets.push(OwnedPacket::ethernet(self.now, tcp.ethernet()));
        self.now = self.now + self.script.round_trip / 4 + self.random.below(50_000) as i64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop_turns;

    #[test]
    fn each_direction_spells_what_was_said() {
        for sending in [Sending::AfterAnswer, Sending::Batch(3), Sending::Rolling(2)] {
            let turns = shop_turns(20, 5);
            let script = Conversation { sending, ..Conversation::new(turns.clone(), 5) };
            let capture = script.play();
            let mut said = [Vec::new(), Vec::new()];
            for segment in capture.packets.iter().filter_map(OwnedPacket::segment) {
                let from = usize::from(segment.key.endpoint(segment.side) == &script.server);
                said[from].extend_from_slice(segment.payload);
            }
            assert_eq!(said[0], turns.iter().flat_map(|turn| turn.request.clone()).collect::<Vec<_>>());
            assert_eq!(said[1], turns.iter().flat_map(|turn| turn.response.clone()).collect::<Vec<_>>());
        }
    }
}
