//! The body of a request: lines, perhaps compressed, all of them events or none of them taken.

use crate::event::{self, Fault};
use crate::roll::Place;
use crate::seen::Hasher;
use flate2::read::MultiGzDecoder;
use memchr::memchr;
use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

/// Days that events of one batch may be of: each is a file of a table.
const MOST_DAYS: usize = 16;
const DAY_MS: i64 = 86_400_000;

/// Why a batch is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// More bytes than are read.
    Large,
    /// What says to be gzip is none.
    Coding,
    /// That line, counted from 1.
    Line(u64, Fault),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Large => f.write_str("too large: send smaller batches"),
            Self::Coding => f.write_str("the body is no gzip"),
            Self::Line(line, fault) => write!(f, "line {line}: {fault}"),
        }
    }
}

/// Events that were checked, each a line with its labels.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) text: String,
    pub(crate) marks: Vec<Mark>,
}

/// What the writer needs to know of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// Behind its line end.
    pub(crate) end: usize,
    pub(crate) ms: i64,
    pub(crate) key: u64,
    pub(crate) is_exchange: bool,
}

impl Checked {
    /// The days of its events.
    pub(crate) fn days(&self) -> BTreeSet<i64> {
        self.marks.iter().map(|mark| mark.ms.div_euclid(DAY_MS)).collect()
    }

    /// The first and the last time.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        let times = self.marks.iter().map(|mark| mark.ms);
        times.clone().min().zip(times.max())
    }
}

/// Buffers that were used before: memory that is fresh from the system costs more than what is done with it.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    plain: Mutex<Vec<Vec<u8>>>,
    texts: Mutex<Vec<String>>,
    /// Bytes of texts that are kept at most.
    most: usize,
}

/// So many bodies are kept: no more are checked at once.
const POOLED: usize = 8;

impl Pool {
    /// One that keeps texts of so many bytes.
    pub(crate) fn of(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    fn take_plain(&self) -> Vec<u8> {
        self.plain.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn take_text(&self) -> String {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_plain(&self, mut lines: Vec<u8>) {
        lines.clear();
        let mut kept = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < POOLED {
            kept.push(lines);
        }
    }

    /// Takes a buffer back that is needed no more.
    pub(crate) fn give_text(&self, mut text: String) {
        text.clear();
        let mut kept = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().map(String::capacity).sum::<usize>() + text.capacity() <= self.most {
            kept.push(text);
        }
    }
}

/// How many bytes the lines of a body take, as it says itself: the last four bytes of gzip (RFC 1952, 2.3.1) are believed no
/// further than that.
pub(crate) fn expected(body: &[u8], gzip: bool) -> usize {
    let length = body.last_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if gzip { usize::try_from(length).unwrap_or(usize::MAX) } else { body.len() }
}

/// How a body is to be read.
pub(crate) struct Way<'a> {
    pub(crate) gzip: bool,
    /// Bytes of its lines.
    pub(crate) most: usize,
    pub(crate) place: &'a Place,
    /// `None` for what was taken before: clocks and versions are not looked at again, for it was acknowledged.
    pub(crate) now_ms: Option<i64>,
    pub(crate) hasher: &'a Hasher,
    pub(crate) pool: &'a Pool,
}

/// Checks every line of a body.
pub(crate) fn check(body: &[u8], way: &Way<'_>) -> Result<Checked, Refusal> {
    if !way.gzip {
        return if body.len() > way.most { Err(Refusal::Large) } else { lines(body, way) };
    }
    let mut plain = way.pool.take_plain();
    let limit = u64::try_from(way.most).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(body).take(limit).read_to_end(&mut plain);
    let checked = match read {
        Ok(_) if plain.len() > way.most => Err(Refusal::Large),
        Ok(_) => lines(&plain, way),
        Err(_) => Err(Refusal::Coding),
    };
    way.pool.give_plain(plain);
    checked
}

fn lines(bytes: &[u8], way: &Way<'_>) -> Result<Checked, Refusal> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let before = whole.iter().filter(|byte| **byte == b'\n').count() as u64;
            return Err(Refusal::Line(before + 1, Fault::Text));
        }
    };
    let mut checked = Checked { text: way.pool.take_text(), marks: Vec::new() };
    // At once, for a text that grows is copied; labels take a little.
    checked.text.reserve(text.len() + text.len() / 16);
    let done = each(text, way, &mut checked);
    match done {
        Ok(()) => Ok(checked),
        Err(refusal) => {
            way.pool.give_text(checked.text);
            Err(refusal)
        }
    }
}

fn each(text: &str, way: &Way<'_>, checked: &mut Checked) -> Result<(), Refusal> {
    let mut days = BTreeSet::new();
    let (mut begin, mut number) = (0, 0);
    while begin < text.len() {
        let rest = text.get(begin..).unwrap_or_default();
        let length = memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        begin += length + 1;
        number += 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let refused = |fault| Refusal::Line(number, fault);
        let about = event::take(line, way.place, way.now_ms, &mut checked.text).map_err(refused)?;
        days.insert(about.ms.div_euclid(DAY_MS));
        if days.len() > MOST_DAYS {
            return Err(refused(Fault::Days));
        }
        let key = way.hasher.key(way.place.tenant.as_deref(), &about.uid);
        let end = checked.text.len();
        checked.marks.push(Mark { end, ms: about.ms, key, is_exchange: about.is_exchange });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    const NOW: i64 = 1_800_000_000_000;
    const MOST: usize = 1 << 20;

    fn line(uid: u32, ms: i64) -> String {
        format!(
            "{{\"time\":{ms},\"class_uid\":6003,\"metadata\":{{\"version\":\"1.8.0\",\"uid\":\"{uid:08x}\"}}}}\n"
        )
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn checked(body: &[u8], coded: bool) -> Result<Checked, Refusal> {
        let place = Place { name: "n".into(), site: None, tenant: None };
        let (hasher, pool) = (Hasher::default(), Pool::default());
        let way =
            Way { gzip: coded, most: MOST, place: &place, now_ms: Some(NOW), hasher: &hasher, pool: &pool };
        check(body, &way)
    }

    #[test]
    fn compressed_or_not_it_is_the_same() {
        let text = line(1, NOW) + "\n" + &line(2, NOW - 5);
        let one = checked(text.as_bytes(), false).unwrap();
        let both = [gzip(line(1, NOW).as_bytes()), gzip(line(2, NOW - 5).as_bytes())].concat();
        let two = checked(&both, true).unwrap();
        assert_eq!(one.text, two.text);
        assert_eq!((one.marks.len(), one.span()), (2, Some((NOW - 5, NOW))));
        assert_eq!(one.marks[1].end, one.text.len());
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        let wrong = line(1, NOW) + &line(2, NOW) + "garbage\n";
        assert_eq!(
            checked(wrong.as_bytes(), false).unwrap_err(),
            Refusal::Line(3, Fault::Json(crate::json::Bad::Syntax))
        );
        let bytes = [line(1, NOW).as_bytes(), b"\xff\n"].concat();
        assert_eq!(checked(&bytes, false).unwrap_err(), Refusal::Line(2, Fault::Text));
        assert_eq!(checked(b"not gzip", true).unwrap_err(), Refusal::Coding);
        let torn = gzip(line(1, NOW).as_bytes());
        assert_eq!(checked(&torn[..torn.len() - 4], true).unwrap_err(), Refusal::Coding);
        let days: String = (0..20).map(|day| line(day, NOW - i64::from(day) * DAY_MS)).collect();
        assert_eq!(checked(days.as_bytes(), false).unwrap_err(), Refusal::Line(17, Fault::Days));
    }

    #[test]
    fn a_body_says_what_room_it_takes() {
        let text = line(1, NOW).repeat(100);
        assert_eq!(expected(text.as_bytes(), false), text.len());
        assert_eq!(expected(&gzip(text.as_bytes()), true), text.len());
        assert_eq!(expected(b"x", true), 0);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < MOST);
        assert_eq!(checked(&bomb, true).unwrap_err(), Refusal::Large);
        assert_eq!(checked(&vec![b' '; MOST + 1], false).unwrap_err(), Refusal::Large);
    }
}
