//! The requests that a producer needs: what the broker speaks, who leads which partition, take these events; and, where the
//! broker asks, who we are.
//!
//! The versions are the newest without tagged fields (KIP-482) that brokers from 2.1 to 4 have in common.

use std::collections::BTreeMap;

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;

const PRODUCE_VERSION: i16 = 7;
const METADATA_VERSION: i16 = 1;
/// From this on what follows is a request of its own, too.
const HANDSHAKE_VERSION: i16 = 1;

/// All replicas that are in sync have the events before the answer comes.
const ACKS_ALL: i16 = -1;

const CLIENT: &str = "tapwire";

/// Who leads which partition of the topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Topic {
    /// Host and port of brokers.
    pub(super) brokers: BTreeMap<i32, (String, u16)>,
    /// Partitions in the order of their numbers: number and leader.
    pub(super) leaders: Vec<(i32, i32)>,
    /// What the broker says of the topic; 0 is well.
    pub(super) error: i16,
}

/// A request, with its length before it.
struct Writing(Vec<u8>);

impl Writing {
    fn new(key: i16, version: i16, number: i32) -> Self {
        let mut request = Self(vec![0; 4]);
        request.short(key);
        request.short(version);
        request.long(number);
        request.text(CLIENT);
        request
    }

    fn short(&mut self, number: i16) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn long(&mut self, number: i32) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn count(&mut self, count: usize) {
        self.long(i32::try_from(count).unwrap_or(i32::MAX));
    }

    fn text(&mut self, text: &str) {
        self.short(i16::try_from(text.len()).unwrap_or(i16::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    fn end(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        if let Some(first) = self.0.first_chunk_mut() {
            *first = length.to_be_bytes();
        }
        self.0
    }
}

/// Asks which versions the broker knows.
pub(super) fn ask_versions(number: i32) -> Vec<u8> {
    Writing::new(API_VERSIONS, 0, number).end()
}

/// Asks who leads; a broker that makes topics makes this one.
pub(super) fn ask_topic(number: i32, topic: &str) -> Vec<u8> {
    let mut request = Writing::new(METADATA, METADATA_VERSION, number);
    request.count(1);
    request.text(topic);
    request.end()
}

/// Names how we say who we are.
pub(super) fn ask_mechanism(number: i32, mechanism: &str) -> Vec<u8> {
    let mut request = Writing::new(SASL_HANDSHAKE, HANDSHAKE_VERSION, number);
    request.text(mechanism);
    request.end()
}

/// Says a part of that.
pub(super) fn authenticate(number: i32, message: &[u8]) -> Vec<u8> {
    let mut request = Writing::new(SASL_AUTHENTICATE, 0, number);
    request.count(message.len());
    request.0.extend_from_slice(message);
    request.end()
}

/// Gives one batch to each of these partitions.
pub(super) fn produce(number: i32, topic: &str, wait_ms: i32, batches: &[(i32, Vec<u8>)]) -> Vec<u8> {
    let mut request = Writing::new(PRODUCE, PRODUCE_VERSION, number);
    // No transaction.
    request.short(-1);
    request.short(ACKS_ALL);
    request.long(wait_ms);
    request.count(1);
    request.text(topic);
    request.count(batches.len());
    for (partition, batch) in batches {
        request.long(*partition);
        request.count(batch.len());
        request.0.extend_from_slice(batch);
    }
    request.end()
}

/// Reads an answer; what is missing ends it.
struct Reading<'a>(&'a [u8]);

impl<'a> Reading<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn short(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn long(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    /// Of a list: no more than its items can be.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.long()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.short()?;
        let Ok(length) = usize::try_from(length) else { return Some(b"") };
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    fn skip_longs(&mut self) -> Option<()> {
        for _ in 0..self.count()? {
            self.long()?;
        }
        Some(())
    }
}

/// Whether the broker knows the versions that are asked of it; `None`: this is no answer.
pub(super) fn speaks_ours(answer: &[u8]) -> Option<bool> {
    let mut reading = Reading(answer);
    if reading.short()? != 0 {
        return Some(false);
    }
    let mut known = 0;
    for _ in 0..reading.count()? {
        let (key, least, most) = (reading.short()?, reading.short()?, reading.short()?);
        let ours = match key {
            PRODUCE => PRODUCE_VERSION,
            METADATA => METADATA_VERSION,
            _ => continue,
        };
        known += i32::from((least..=most).contains(&ours));
    }
    Some(known == 2)
}

/// What the broker says to a mechanism, and those that it takes.
pub(super) fn mechanisms(answer: &[u8]) -> Option<(i16, Vec<&[u8]>)> {
    let mut reading = Reading(answer);
    let code = reading.short()?;
    let count = reading.count()?;
    let names: Option<Vec<&[u8]>> = (0..count).map(|_| reading.text()).collect();
    Some((code, names?))
}

/// What the broker says to a part of the login.
pub(super) fn authenticated(answer: &[u8]) -> Option<(i16, &[u8])> {
    let mut reading = Reading(answer);
    let (code, _why) = (reading.short()?, reading.text()?);
    let length = reading.count()?;
    Some((code, reading.0.get(..length)?))
}

/// Who leads.
pub(super) fn topic(answer: &[u8]) -> Option<Topic> {
    let mut reading = Reading(answer);
    let mut topic = Topic::default();
    for _ in 0..reading.count()? {
        let (id, host, port) = (reading.long()?, reading.text()?, reading.long()?);
        let _rack = reading.text()?;
        let host = std::str::from_utf8(host).ok()?.to_owned();
        topic.brokers.insert(id, (host, u16::try_from(port).ok()?));
    }
    let _controller = reading.long()?;
    // One was asked for.
    if reading.count()? != 1 {
        return None;
    }
    topic.error = reading.short()?;
    let (_name, _internal) = (reading.text()?, reading.take::<1>()?);
    for _ in 0..reading.count()? {
        let (_error, partition, leader) = (reading.short()?, reading.long()?, reading.long()?);
        reading.skip_longs()?;
        reading.skip_longs()?;
        topic.leaders.push((partition, leader));
    }
    topic.leaders.sort_unstable();
    Some(topic)
}

/// What became of each partition's batch: its number and the error, 0 where it was taken.
pub(super) fn produced(answer: &[u8]) -> Option<Vec<(i32, i16)>> {
    let mut reading = Reading(answer);
    let mut all = Vec::new();
    for _ in 0..reading.count()? {
        reading.text()?;
        for _ in 0..reading.count()? {
            all.push((reading.long()?, reading.short()?));
            // First offset, time of the log, offset of its start.
            reading.take::<24>()?;
        }
    }
    Some(all)
}

/// What an error means, as far as a producer meets it: name, what to try.
pub(super) const fn meaning(code: i16) -> (&'static str, &'static str) {
    match code {
        2 => ("CORRUPT_MESSAGE", ""),
        3 => ("UNKNOWN_TOPIC_OR_PARTITION", ": make the topic, or allow the broker to make it"),
        5 => ("LEADER_NOT_AVAILABLE", ""),
        6 => ("NOT_LEADER_OR_FOLLOWER", ""),
        7 => ("REQUEST_TIMED_OUT", ""),
        10 => (
            "MESSAGE_TOO_LARGE",
            ": `--detail lean` makes events shorter, `max.message.bytes` allows longer ones",
        ),
        17 => ("INVALID_TOPIC_EXCEPTION", ": check the topic in the address"),
        18 => ("RECORD_LIST_TOO_LARGE", ": lower `sink.http.batch_bytes`"),
        19 => ("NOT_ENOUGH_REPLICAS", ": are its other brokers running?"),
        20 => ("NOT_ENOUGH_REPLICAS_AFTER_APPEND", ": are its other brokers running?"),
        29 => ("TOPIC_AUTHORIZATION_FAILED", ": allow this client to write the topic"),
        32 => ("INVALID_TIMESTAMP", ": the topic refuses events of that age"),
        43 => ("UNSUPPORTED_FOR_MESSAGE_FORMAT", ""),
        56 => ("KAFKA_STORAGE_ERROR", ": see its own log"),
        87 => ("INVALID_RECORD", ""),
        _ => ("an error", ": see its own log"),
    }
}

/// Whether another try may help without anybody doing something.
pub(super) const fn is_passing(code: i16) -> bool {
    matches!(code, 3 | 5..=7 | 13 | 19 | 20 | 56)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_or_lying_answer_is_none() {
        let mut answer = Vec::new();
        answer.extend_from_slice(&1i32.to_be_bytes());
        answer.extend_from_slice(&[0, 0, 0, 7, 0, 1, b'h', 0, 0, 0x23, 0x84, 0xff, 0xff]);
        answer.extend_from_slice(&7i32.to_be_bytes());
        answer.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, b't', 0]);
        answer.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
        let whole = topic(&answer).unwrap();
        assert_eq!(whole.leaders, [(0, 7)]);
        assert_eq!(whole.brokers.get(&7), Some(&("h".to_owned(), 9092)));
        for length in 0..answer.len() {
            assert_eq!(topic(answer.get(..length).unwrap()), None, "{length}");
        }
        assert_eq!(topic(&i32::MAX.to_be_bytes()), None);
        assert_eq!(produced(&[0xff; 4]), None);
        assert_eq!(speaks_ours(&[0, 35]), Some(false));
        let taken = [0, 33, 0, 0, 0, 1, 0, 5, b'P', b'L', b'A', b'I', b'N'];
        assert_eq!(mechanisms(&taken), Some((33, vec![b"PLAIN".as_slice()])));
        assert_eq!(mechanisms(taken.get(..12).unwrap()), None);
        assert_eq!(authenticated(&[0, 0, 0xff, 0xff, 0, 0, 0, 1, b'v']), Some((0, b"v".as_slice())));
        assert_eq!(authenticated(&[0, 0, 0xff, 0xff, 0, 0, 0, 2, b'v']), None);
    }
}
