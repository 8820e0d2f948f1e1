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
#[derive(Debug, Clone, Default)]
struct Streams {
    /// Of the turn that is going on: records that may hold a request, and that may hold an answer.
    asked: u64,
    answered: u64,
    /// Content bytes of the server in it.
    bytes: usize,
    exchanges: u64,
    /// Turns with one such record of the client, and records that answered them: how many an answer takes.
    single: (u64, u64),
    /// The client's preface has passed.
    has_begun: bool,
    /// Records of the server so far, and whether one of the first looks like settings.
    first: u8,
    has_settings: bool,
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
        let is_preface = !std::mem::replace(&mut self.has_begun, true) && is_preface(content);
        if is_preface || self.is_control(content) {
            return;
        }
        if self.answered > 0 {
            self.turn();
        }
        self.asked += 1;
    }

    fn server(&mut self, content: usize) {
        if self.first < FIRST_RECORDS {
            self.first += 1;
            self.has_settings |= SETTINGS.contains(&content);
        }
        if self.asked > 0 && !self.is_control(content) {
            self.answered += 1;
            self.bytes += content;
        }
    }

    /// Sizes of SETTINGS that acknowledge, WINDOW_UPDATE, PING and the first two together. Two WINDOW_UPDATEs are as long as a
    /// short request: they follow large answers.
    const fn is_control(&self, content: usize) -> bool {
        matches!(content, 9 | 13 | 17 | 22) || content == 26 && self.bytes > LARGE
    }

    fn turn(&mut self) {
        if self.asked == 1 && self.bytes <= LARGE {
            self.single = (self.single.0 + 1, self.single.1 + self.answered);
        }
        self.exchanges = self.total();
        self.asked = 0;
        self.answered = 0;
        self.bytes = 0;
    }

    /// A request with a body takes several records, and so may an answer: how many is told by turns with one request.
    fn total(&self) -> u64 {
        let (turns, records) = self.single;
        let each = (records + turns / 2).checked_div(turns).unwrap_or(1);
        let answers = self.answered.div_ceil(each.max(1));
        self.exchanges + self.asked.min(answers)
    }
}

/// An answer of several records of full size.
const LARGE: usize = 8 << 10;

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
