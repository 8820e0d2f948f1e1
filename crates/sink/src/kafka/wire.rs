//! The requests that a producer and a reader need: what the broker speaks, who leads which partition, take these events, give
//! what there is; and, where the broker asks, who we are.
//!
//! The versions are the newest without tagged fields (KIP-482) that brokers from 2.1 to 4 have in common.

use std::collections::BTreeMap;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;

const PRODUCE_VERSION: i16 = 7;
const FETCH_VERSION: i16 = 4;
const LIST_OFFSETS_VERSION: i16 = 1;
const METADATA_VERSION: i16 = 1;
/// From this on what follows is a request of its own, too.
const HANDSHAKE_VERSION: i16 = 1;

/// All replicas that are in sync have the events before the answer comes.
const ACKS_ALL: i16 = -1;

/// As the offset of the first record is asked for.
const EARLIEST: i64 = -2;
/// A broker waits so long for something to be there.
const FETCH_WAIT_MS: i32 = 200;
/// Bytes of records of an answer, and of one partition in it; the first batch comes whole (KIP-74).
const FETCH_BYTES: i32 = 4 << 20;
const PARTITION_BYTES: i32 = 1 << 20;

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

    fn brokers(&mut self) -> Option<BTreeMap<i32, (String, u16)>> {
        let mut brokers = BTreeMap::new();
        for _ in 0..self.count()? {
            let (id, host, port) = (self.long()?, self.text()?, self.long()?);
            let _rack = self.text()?;
            let host = std::str::from_utf8(host).ok()?.to_owned();
            brokers.insert(id, (host, u16::try_from(port).ok()?));
        }
        Some(brokers)
    }

    /// Partitions in the order of their numbers: number and leader.
    fn leaders(&mut self) -> Option<Vec<(i32, i32)>> {
        let mut leaders = Vec::new();
        for _ in 0..self.count()? {
            let (_error, partition, leader) = (self.short()?, self.long()?, self.long()?);
            self.skip_longs()?;
            self.skip_longs()?;
            leaders.push((partition, leader));
        }
        leaders.sort_unstable();
        Some(leaders)
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
    let brokers = reading.brokers()?;
    let _controller = reading.long()?;
    // One was asked for.
    if reading.count()? != 1 {
        return None;
    }
    let error = reading.short()?;
    let (_name, _internal) = (reading.text()?, reading.take::<1>()?);
    Some(Topic { brokers, leaders: reading.leaders()?, error })
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

/// Every topic that we may see, with who leads its partitions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Topics {
    pub(super) brokers: BTreeMap<i32, (String, u16)>,
    pub(super) by_name: BTreeMap<String, About>,
}

/// A topic among others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) error: i16,
    /// Number and leader of each partition.
    pub(super) leaders: Vec<(i32, i32)>,
}

/// Asks who leads which partition of all topics, which makes none.
pub(super) fn ask_topics(number: i32) -> Vec<u8> {
    let mut request = Writing::new(METADATA, METADATA_VERSION, number);
    request.long(-1);
    request.end()
}

/// Asks for the offset of the first record that there is.
pub(super) fn ask_first(number: i32, topic: &str, partition: i32) -> Vec<u8> {
    let mut request = Writing::new(LIST_OFFSETS, LIST_OFFSETS_VERSION, number);
    // No replica.
    request.long(-1);
    request.count(1);
    request.text(topic);
    request.count(1);
    request.long(partition);
    request.0.extend_from_slice(&EARLIEST.to_be_bytes());
    request.end()
}

/// Asks for records of these partitions, from that offset on.
pub(super) fn fetch(number: i32, places: &[(&str, i32, i64)]) -> Vec<u8> {
    let mut request = Writing::new(FETCH, FETCH_VERSION, number);
    request.long(-1);
    request.long(FETCH_WAIT_MS);
    // At least one byte, at most so many.
    request.long(1);
    request.long(FETCH_BYTES);
    // Only what is committed, where producers use transactions.
    request.0.push(1);
    request.count(places.len());
    for (topic, partition, offset) in places {
        request.text(topic);
        request.count(1);
        request.long(*partition);
        request.0.extend_from_slice(&offset.to_be_bytes());
        request.long(PARTITION_BYTES);
    }
    request.end()
}

/// Who leads what.
pub(super) fn topics(answer: &[u8]) -> Option<Topics> {
    let mut reading = Reading(answer);
    let brokers = reading.brokers()?;
    let _controller = reading.long()?;
    let mut topics = Topics { brokers, ..Topics::default() };
    for _ in 0..reading.count()? {
        let error = reading.short()?;
        let name = std::str::from_utf8(reading.text()?).ok()?.to_owned();
        let _internal = reading.take::<1>()?;
        topics.by_name.insert(name, About { error, leaders: reading.leaders()? });
    }
    Some(topics)
}

/// The error and the offset that were asked for.
pub(super) fn offset(answer: &[u8]) -> Option<(i16, i64)> {
    let mut reading = Reading(answer);
    (reading.count()? == 1).then_some(())?;
    reading.text()?;
    (reading.count()? == 1).then_some(())?;
    let (_partition, error) = (reading.long()?, reading.short()?);
    let _time = reading.take::<8>()?;
    Some((error, i64::from_be_bytes(reading.take()?)))
}

/// Topic, partition, error and batches of records.
pub(super) type Partition<'a> = (&'a str, i32, i16, &'a [u8]);

/// What partitions have.
pub(super) fn fetched(answer: &[u8]) -> Option<Vec<Partition<'_>>> {
    let mut reading = Reading(answer);
    let _throttled = reading.long()?;
    let mut all = Vec::new();
    for _ in 0..reading.count()? {
        let topic = std::str::from_utf8(reading.text()?).ok()?;
        for _ in 0..reading.count()? {
            let (partition, error) = (reading.long()?, reading.short()?);
            // The end of the log, and of what is committed.
            reading.take::<16>()?;
            // Transactions that were broken off; there may be no list.
            for _ in 0..usize::try_from(reading.long()?).unwrap_or_default() {
                reading.take::<16>()?;
            }
            let length = usize::try_from(reading.long()?).unwrap_or_default();
            let (batches, rest) = reading.0.split_at_checked(length)?;
            reading.0 = rest;
            all.push((topic, partition, error, batches));
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
        let all = topics(&answer).unwrap();
        assert_eq!((all.by_name["t"].leaders.as_slice(), all.brokers.len()), ([(0, 7)].as_slice(), 1));
        assert!((0..answer.len()).all(|length| topics(answer.get(..length).unwrap()).is_none()));
        assert_eq!(produced(&[0xff; 4]), None);
        assert_eq!((offset(&[0xff; 4]), fetched(&[0xff; 8])), (None, None));
        let mut answer = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 3, 0, 0];
        answer.extend_from_slice(&[0; 16]);
        answer.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2, 8, 9]);
        assert_eq!(fetched(&answer), Some(vec![("t", 3, 0, [8, 9].as_slice())]));
        assert!((4..answer.len()).all(|length| fetched(answer.get(..length).unwrap()).is_none()));
        assert_eq!(speaks_ours(&[0, 35]), Some(false));
        let taken = [0, 33, 0, 0, 0, 1, 0, 5, b'P', b'L', b'A', b'I', b'N'];
        assert_eq!(mechanisms(&taken), Some((33, vec![b"PLAIN".as_slice()])));
        assert_eq!(mechanisms(taken.get(..12).unwrap()), None);
        assert_eq!(authenticated(&[0, 0, 0xff, 0xff, 0, 0, 0, 1, b'v']), Some((0, b"v".as_slice())));
        assert_eq!(authenticated(&[0, 0, 0xff, 0xff, 0, 0, 0, 2, b'v']), None);
    }
}
