//! Record batches, format 2 (KIP-98), and which partition an event goes to.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tapwire_store::Crc32c;

use crate::http::{number_behind, text_behind};

const GZIP: i16 = 1;
/// No timestamp is told.
const NO_TIME: i64 = -1;

/// The key of an event: its caller, so that what one caller did stays in order. Events about nobody have none.
pub(super) fn key(line: &[u8]) -> Option<&[u8]> {
    let token = |behind: &str| text_behind(line, behind).filter(|text| text.starts_with(b"tok"));
    token("\"principal\":{\"kind\":\"user\",\"token\":\"")
        .or_else(|| token("\"actor\":{\"user\":{\"uid\":\""))
        .or_else(|| token("\"actor\":{\"app_uid\":\""))
        .or_else(|| token("\"actor\":{\"session\":{\"uid\":\""))
        .or_else(|| token("\"user\":{\"id\":\""))
}

/// As Kafka's own producers choose: murmur2 of the key, without its sign, by the number of partitions. What has no key stays
/// together in the first.
pub(super) fn place(key: Option<&[u8]>, partitions: usize) -> usize {
    let Some(key) = key else { return 0 };
    let hash = murmur2(key) & 0x7fff_ffff;
    usize::try_from(hash).unwrap_or_default().checked_rem(partitions).unwrap_or_default()
}

/// Austin Appleby's MurmurHash2 with the seed that Kafka gives it.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = words.iter().fold(0x9747_b28c ^ length, |hash, word| {
        let k = u32::from_le_bytes(*word).wrapping_mul(M);
        hash.wrapping_mul(M) ^ (k ^ (k >> 24)).wrapping_mul(M)
    });
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail: u32, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// One batch of these events, each without its line end.
pub(super) fn batch(lines: &[&[u8]], gzip: bool) -> Vec<u8> {
    let times: Vec<Option<i64>> = lines.iter().map(|line| time(line)).collect();
    let first = times.first().copied().flatten().unwrap_or(NO_TIME);
    let latest = times.iter().flatten().copied().max().unwrap_or(NO_TIME);
    let mut records = Vec::new();
    let mut one = Vec::new();
    for (place, (line, time)) in lines.iter().zip(&times).enumerate() {
        let delta = if first == NO_TIME { 0 } else { time.unwrap_or(first) - first };
        one.clear();
        one.push(0);
        varint(delta, &mut one);
        varint(signed(place), &mut one);
        match key(line) {
            Some(key) => counted(key, &mut one),
            None => varint(-1, &mut one),
        }
        counted(line, &mut one);
        varint(0, &mut one);
        counted(&one, &mut records);
    }
    let records = if gzip { packed(&records) } else { records };
    let latest = if first == NO_TIME { NO_TIME } else { latest };
    sealed(lines.len(), [first, latest], if gzip { GZIP } else { 0 }, &records)
}

/// The head of a batch, its sum, and the records.
fn sealed(count: usize, [first, latest]: [i64; 2], attributes: i16, records: &[u8]) -> Vec<u8> {
    let mut summed = Vec::with_capacity(records.len() + 64);
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    summed.extend_from_slice(&attributes.to_be_bytes());
    summed.extend_from_slice(&(count - 1).to_be_bytes());
    summed.extend_from_slice(&first.to_be_bytes());
    summed.extend_from_slice(&latest.to_be_bytes());
    // Producer, its epoch and first sequence: none, events are known by their uid.
    summed.extend_from_slice(&(-1i64).to_be_bytes());
    summed.extend_from_slice(&(-1i16).to_be_bytes());
    summed.extend_from_slice(&(-1i32).to_be_bytes());
    summed.extend_from_slice(&count.to_be_bytes());
    summed.extend_from_slice(records);
    let mut sum = Crc32c::NEW;
    sum.add(&summed);
    let mut batch = Vec::with_capacity(summed.len() + 21);
    batch.extend_from_slice(&0i64.to_be_bytes());
    // Behind this field: leader's epoch, format, sum.
    batch.extend_from_slice(&i32::try_from(summed.len() + 9).unwrap_or(i32::MAX).to_be_bytes());
    batch.extend_from_slice(&(-1i32).to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&sum.sum().to_be_bytes());
    batch.extend_from_slice(&summed);
    batch
}

/// Milliseconds, where the format tells them.
fn time(line: &[u8]) -> Option<i64> {
    i64::try_from(number_behind(line, "\"time\":")?).ok()
}

fn packed(records: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory cannot fail.
    let _infallible = encoder.write_all(records);
    encoder.finish().unwrap_or_default()
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn counted(bytes: &[u8], out: &mut Vec<u8>) {
    varint(signed(bytes.len()), out);
    out.extend_from_slice(bytes);
}

/// Zigzag, seven bits a byte, the lowest first.
fn varint(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_those_of_kafkas_own_producers() {
        // From the tests of org.apache.kafka.common.utils.Utils.
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
        assert_eq!(place(None, 7), 0);
        assert_eq!(place(Some(b"x"), 0), 0);
    }

    #[test]
    fn numbers_take_as_few_bytes_as_they_need() {
        let of = |number| {
            let mut out = Vec::new();
            varint(number, &mut out);
            out
        };
        assert_eq!(of(0), [0]);
        assert_eq!(of(-1), [1]);
        assert_eq!(of(63), [126]);
        assert_eq!(of(-65), [129, 1]);
        assert_eq!(of(300), [216, 4]);
    }

    #[test]
    fn an_event_has_the_key_of_its_caller() {
        for (line, expected) in [
            (r#"{"time":1,"actor":{"user":{"uid":"tok:aa","type_id":1}}}"#, Some("tok:aa")),
            (r#"{"actor":{"app_uid":"tok2:bb"}}"#, Some("tok2:bb")),
            (r#"{"actor":{"app_name":"curl/8"}}"#, None),
            (r#"{"user":{"id":"tok:cc"}}"#, Some("tok:cc")),
            ("CEF:0|", None),
        ] {
            assert_eq!(key(line.as_bytes()), expected.map(str::as_bytes), "{line}");
        }
    }
}
