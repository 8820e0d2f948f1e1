//! How many exchanges a connection had, and how large they were, told by who speaks when and how much.
//!
//! Nothing here is certain: it is what remains of a connection whose keys are not known.

use crate::Direction;
use tapwire_wire::Timestamp;

/// Bytes that TLS 1.3 adds to a record's content: a tag and the inner type.
const OVERHEAD_13: usize = 17;
/// Bytes that most suites of TLS 1.2 add: nonce and tag.
const OVERHEAD_12: usize = 24;

const APPLICATION_DATA: u8 = 23;

/// Contents of TLS 1.3 that are no data: an alert, a KeyUpdate, and a Finished with either hash, which Java pads by 16.
const ALERT: usize = 2;
const END_OF_EARLY_DATA: usize = 4;
const KEY_UPDATE: usize = 5;
const FINISHED: [usize; 3] = [36, 52, 68];
/// A client without a Finished of its own record by then has sent it together with a certificate.
const MAX_FLIGHT: u8 = 4;

/// `HTTP/1.1 100 Continue` and its empty line are no answer yet.
const CONTINUE: usize = 25;

/// HTTP/2: the first records of a server are small, since they hold its settings (RFC 9113, 3.4).
const SETTINGS: std::ops::RangeInclusive<usize> = 9..=80;
const FIRST_RECORDS: u8 = 6;

/// What can be told of a connection's exchanges.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    first: Option<Timestamp>,
    last: Timestamp,
    /// Stream bytes, protection included, by [`Direction`].
    stream: [u64; 2],
    /// Content bytes behind the handshake, by [`Direction`].
    content: [u64; 2],
    /// TLS 1.3: the client's handshake is over.
    is_finished: bool,
    flight: u8,
    /// The client has spoken since the server did.
    is_asked: bool,
    exchanges: u64,
    streams: Streams,
    gaps: bool,
}

/// Requests that share a connection (HTTP/2).
///
/// A client that asks for one thing at a time speaks in turns, as in HTTP/1. One that does not shows it: then requests are told
/// by records of the client and their sizes.
#[derive(Debug, Clone, Default)]
struct Streams {
    /// Requests by records and sizes, without those that came with the preface beside the first.
    asked: u64,
    /// Content bytes behind the first request in the record of the preface.
    beside_first: usize,
    /// Records of the server that may begin an answer.
    answered: u64,
    /// Turns that are over: a turn begins when the client speaks after the server.
    turns: u64,
    turn: Turn,
    /// Requests did not wait for answers.
    is_parallel: bool,
    /// The last record of the server was full: the next one continues it.
    is_full: bool,
    /// Sizes of the two smallest records of the client behind its first request, and how many there were.
    smallest: [usize; 2],
    sizes: u64,
    /// Requests are as long as two WINDOW_UPDATEs.
    has_short: bool,
    /// The client's preface has passed.
    has_begun: bool,
    /// Records of the server so far, and whether one of the first looks like settings.
    first: u8,
    has_settings: bool,
}

/// What was said in a turn.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    /// Requests, the records they came in, and the most in one.
    asked: u64,
    records: u64,
    most: u64,
    /// Records of the server that may begin an answer, and content bytes of all.
    answered: u64,
    bytes: usize,
}

impl Turn {
    /// Whether several requests were under way: there was more than one, and more than one answer.
    const fn is_parallel(self) -> bool {
        self.answered >= 2 && (self.records >= 2 || self.most >= 3)
    }
}

/// An estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Requests with an answer.
    pub exchanges: u64,
    /// Bytes of requests, heads included.
    pub request_bytes: u64,
    /// Bytes of answers, heads included.
    pub response_bytes: u64,
}

impl Tally {
    /// Bytes of the stream.
    pub(super) fn bytes(&mut self, from: Direction, bytes: usize, time: Timestamp) {
        self.first.get_or_insert(time);
        self.last = self.last.max(time);
        if let Some(sum) = self.stream.get_mut(from as usize) {
            *sum += bytes as u64;
        }
    }

    pub(super) const fn gap(&mut self, _from: Direction) {
        self.gaps = true;
    }

    /// When it was seen first and last; `None` when it never spoke.
    pub(super) fn seen(&self) -> Option<(Timestamp, Timestamp)> {
        self.first.map(|first| (first, self.last))
    }

    /// Bytes of both streams.
    pub(super) const fn stream(&self) -> [u64; 2] {
        self.stream
    }

    /// A protected record with a body of so many bytes.
    pub(super) fn record(&mut self, from: Direction, kind: u8, length: usize, is_13: bool, _time: Timestamp) {
        if kind != APPLICATION_DATA {
            return;
        }
        let content = length.saturating_sub(if is_13 { OVERHEAD_13 } else { OVERHEAD_12 });
        if content == 0 || is_13 && !self.is_data(from, content) {
            return;
        }
        if from == Direction::ToClient && !self.is_asked && self.exchanges == 0 {
            // Tickets come before the first answer; so do settings.
            self.streams.server(content);
            return;
        }
        if let Some(sum) = self.content.get_mut(from as usize) {
            *sum += content as u64;
        }
        match from {
            Direction::ToServer => {
                self.is_asked = true;
                self.streams.client(content);
            }
            Direction::ToClient => {
                self.streams.server(content);
                if self.is_asked && content != CONTINUE {
                    self.exchanges += 1;
                    self.is_asked = false;
                }
            }
        }
    }

    /// Whether a record of TLS 1.3 holds data, which its head does not say.
    fn is_data(&mut self, from: Direction, content: usize) -> bool {
        match from {
            _ if content == ALERT || content == KEY_UPDATE => false,
            Direction::ToServer if !self.is_finished => {
                self.flight += 1;
                self.is_finished = FINISHED.contains(&content) || self.flight >= MAX_FLIGHT;
                false
            }
            Direction::ToServer => content != END_OF_EARLY_DATA,
            // No server answers a flight that is not finished: padding hid its end.
            Direction::ToClient if self.flight > 0 && !self.is_finished => {
                self.is_finished = true;
                true
            }
            Direction::ToClient => self.is_finished,
        }
    }

    /// The estimate, for a connection whose client offers HTTP/2 or whose server chose it.
    pub(super) fn estimate(&self, offers_http2: bool) -> Estimate {
        let exchanges =
            if offers_http2 && self.streams.has_settings { self.streams.total() } else { self.exchanges };
        let [request_bytes, response_bytes] = self.content;
        Estimate { exchanges, request_bytes, response_bytes }
    }
}

impl Streams {
    fn client(&mut self, content: usize) {
        self.is_full = false;
        if !std::mem::replace(&mut self.has_begun, true) {
            if !is_preface(content) {
                self.ask(1);
                self.beside_first = content.saturating_sub(FIRST);
            }
            return;
        }
        if self.is_control_of_client(content) {
            return;
        }
        if self.turn.answered > 0 {
            self.is_parallel |= self.turn.is_parallel();
            self.turns += 1;
            self.turn = Turn::default();
        }
        let requests = if self.asked == 0 { 1 } else { self.requests(content) };
        self.ask(requests);
    }

    fn ask(&mut self, requests: u64) {
        self.asked += requests;
        self.turn.asked += requests;
        self.turn.records += u64::from(requests > 0);
    }

    /// How many requests a record holds, as long as the smallest of this connection; a large one is a body.
    fn requests(&mut self, content: usize) -> u64 {
        if content <= MAX_REQUEST {
            self.note_size(content);
        }
        let requests = self.fit(content);
        let follows_one = self.turn.asked == 1 && requests > 3;
        if content > MAX_REQUEST && requests > 2 || requests > MAX_TOGETHER || follows_one {
            return u64::from(self.turn.asked == 0);
        }
        self.turn.most = self.turn.most.max(requests);
        requests.max(1)
    }

    fn note_size(&mut self, content: usize) {
        let [least, second] = self.smallest;
        self.smallest = match self.sizes {
            0 => [content, content],
            1 => [least.min(content), least.max(content)],
            _ => [least.min(content), second.min(least.max(content))],
        };
        self.sizes += 1;
    }

    /// Requests that fit; the smallest record of all may be something else, and where the first held several, so may others.
    fn fit(&self, content: usize) -> u64 {
        let [least, second] = self.smallest;
        let one = match self.sizes {
            0 => USUAL,
            1 | 2 => least,
            _ => second,
        };
        let one = if self.beside_first > 0 { one.min(USUAL) } else { one };
        ((content + one / 4) / one.max(1)) as u64
    }

    fn server(&mut self, content: usize) {
        if self.first < FIRST_RECORDS {
            self.first += 1;
            self.has_settings |= SETTINGS.contains(&content);
        }
        if self.asked == 0 {
            return;
        }
        self.turn.bytes += content;
        let continues = std::mem::replace(&mut self.is_full, content >= FULL);
        if !continues && !is_control(content) {
            self.answered += 1;
            self.turn.answered += 1;
        }
    }

    /// Two WINDOW_UPDATEs follow large answers, and are as long as a short request; SETTINGS that acknowledge and one of them
    /// come before the first.
    const fn is_control_of_client(&mut self, content: usize) -> bool {
        match content {
            22 => self.asked == 0,
            26 => {
                self.has_short |= self.turn.bytes <= LARGE;
                !self.has_short
            }
            _ => is_control(content),
        }
    }

    fn total(&self) -> u64 {
        let turns = self.turns + u64::from(self.turn.answered > 0);
        let beside = if self.beside_first == 0 { 0 } else { self.fit(self.beside_first) };
        let beside = if beside > MAX_TOGETHER { 0 } else { beside };
        let asked = self.asked + beside;
        let has_several = beside >= 2 && self.answered > turns;
        match self.is_parallel || self.turn.is_parallel() || has_several {
            false => turns,
            // Servers join answers in one record, but seldom so many that a few requests more are meant.
            true if self.answered < asked && 5 * self.answered >= 3 * asked => self.answered,
            true => asked,
        }
    }
}

/// An answer of several records of full size.
const LARGE: usize = 8 << 10;
/// The content of a full record.
const FULL: usize = 16 << 10;
/// The preface with settings of usual clients, and a first request, whose fields are no references yet.
const FIRST: usize = 115;
/// What a request takes behind the first one, where nothing else tells.
const USUAL: usize = 25;
/// A record that is longer, and could hold several requests, holds a body.
const MAX_REQUEST: usize = 400;
/// Requests that are sent together, at most.
const MAX_TOGETHER: u64 = 12;

/// Sizes of SETTINGS that acknowledge (and of the end of an answer), WINDOW_UPDATE and PING, and of the first two together.
const fn is_control(content: usize) -> bool {
    matches!(content, 9 | 13 | 17 | 22)
}

/// The connection preface, settings, and perhaps one WINDOW_UPDATE.
const fn is_preface(content: usize) -> bool {
    match content.checked_sub(33) {
        Some(settings) if settings <= 80 => settings % 6 == 0 || settings >= 13 && (settings - 13) % 6 == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ToClient, ToServer};

    fn tally(records: &[(Direction, usize)]) -> Tally {
        let mut tally = Tally::default();
        for (from, content) in records {
            tally.record(*from, APPLICATION_DATA, content + OVERHEAD_13, true, Timestamp::MIN);
        }
        tally
    }

    #[test]
    fn turns_of_tls_1_3_are_counted_without_its_handshake() {
        let mut records =
            vec![(ToClient, 30), (ToClient, 900), (ToClient, 36), (ToServer, 36), (ToClient, 250)];
        for _ in 0..7 {
            records.extend([(ToServer, 120), (ToServer, 4_000), (ToClient, 200), (ToClient, 16_000)]);
        }
        records.extend([(ToServer, ALERT), (ToClient, ALERT)]);
        let estimate = tally(&records).estimate(false);
        assert_eq!(estimate, Estimate { exchanges: 7, request_bytes: 28_840, response_bytes: 113_400 });
    }

    #[test]
    fn an_interim_answer_is_none() {
        let records =
            [(ToServer, 52), (ToServer, 120), (ToClient, CONTINUE), (ToServer, 9_000), (ToClient, 99)];
        assert_eq!(tally(&records).estimate(false).exchanges, 1);
    }

    #[test]
    fn settings_tell_http_2_where_it_was_offered() {
        let mut records = vec![(ToServer, 36), (ToClient, 40), (ToServer, 64), (ToServer, 80)];
        records.extend([(ToClient, 9), (ToServer, 9), (ToClient, 300)]);
        for _ in 0..4 {
            records.extend([
                (ToServer, 20),
                (ToServer, 21),
                (ToServer, 22 + 5),
                (ToClient, 90),
                (ToClient, 90),
            ]);
            records.extend([(ToClient, 90), (ToServer, 13)]);
        }
        assert_eq!(tally(&records).estimate(true).exchanges, 13);
    }
}
