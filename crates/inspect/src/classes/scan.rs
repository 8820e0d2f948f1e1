//! Classes inside longer text: a card in a sentence, a token in a log line.
//!
//! The text is cut into words, and only what could be something is judged: words with digits, `@`, or sixteen characters and more, and
//! groups of digits with single spaces between them. The words before it are its name.

use super::form::{Form, LONGEST};
use super::hits::Hits;
use super::look::{Classes, Clues};
use super::said::{NEAR, Said};
use super::{health, secret};
use crate::made::{Made, kinds};

/// Words with so many bytes may be keys.
const LONG: usize = 16;
/// One word of that length may have several things in it.
pub(super) const LEAST: usize = 65;
/// Candidates judged of one text.
const MOST_JUDGED: usize = 24;
/// Groups that are put together to one number.
const MOST_GROUPS: usize = 9;

/// What a text is searched with: what is looked for, what the names around the text say, and what words were known to say.
pub(super) struct Scan<'a> {
    pub(super) classes: &'a Classes,
    pub(super) clues: &'a Clues,
    pub(super) said: &'a mut Said,
}

/// Whether a text of several words has a word in it that is judged, or begins a private key or a message of HL7.
pub(super) fn may_find(made: Made, text: &[u8]) -> bool {
    text.len() >= LONG || made.has(Made::DIGIT | Made::AT) || health::is_hl7(text)
}

/// Bytes of a lead: shorter than any word that is judged for its length alone.
pub(super) const LONGEST_LEAD: usize = LONG - 1;

/// Bytes before the last word of a text, where no word in them is judged and all of them say what the last word is; else 0.
pub(super) fn lead_len(text: &[u8]) -> usize {
    let len = text.iter().rposition(|byte| kinds(*byte) & Made::BREAK != 0).map_or(0, |at| at + 1);
    let lead = text.get(..len.min(LONGEST_LEAD)).unwrap_or_default();
    let words = lead.iter().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    let stops = lead.iter().any(|byte| matches!(byte, b'\n' | b';' | b'!'));
    let judged = Made::of(lead).has(Made::DIGIT | Made::AT);
    if len > LONGEST_LEAD || words > 6 || stops || judged { 0 } else { len }
}

/// Looks through a text; what it finds counts by the words before it, and by the names around the text.
pub(super) fn text(scan: &mut Scan<'_>, form: Form, made: Made, text: &[u8], hits: &mut Hits) {
    // A private key has dashes and spaces in its first line.
    let may_be_key = made.has(Made::DASH) && made.has(Made::SPACE);
    if may_be_key
        && (secret::is_private_key(text)
            || memchr::memmem::find(text, b"-----BEGIN ").is_some_and(|at| at > 0 && is_key_at(text, at)))
    {
        return hits.push_sure("private-key");
    }
    if health::is_hl7(text) {
        return hits.push_sure("hl7");
    }
    if form != Form::Text && !made.has(Made::BREAK) {
        return;
    }
    let mut judged = 0;
    let mut at = 0;
    while let Some(word) = next_word(text, at) {
        at = word.end;
        if !word.may_be_something() || judged == MOST_JUDGED {
            continue;
        }
        judged += 1;
        at = judge(scan, text, &word, hits);
    }
}

fn is_key_at(text: &[u8], at: usize) -> bool {
    text.get(at..).is_some_and(secret::is_private_key)
}

/// Where a word stands, and what it is made of.
struct Span {
    start: usize,
    end: usize,
    made: Made,
}

impl Span {
    /// Whether it is the last word, and has no marks at its ends or in it that could be cut off.
    const fn is_alone(&self, text: &[u8]) -> bool {
        self.end == text.len() && !self.made.has(Made::GROUPS | Made::MARK)
    }

    const fn may_be_something(&self) -> bool {
        let len = self.end - self.start;
        self.made.has(Made::AT) || len >= LONG || self.made.has(Made::DIGIT) && len >= 2
    }
}

/// The next word from there on.
fn next_word(text: &[u8], from: usize) -> Option<Span> {
    let rest = text.get(from..)?;
    let start = from + rest.iter().position(|byte| kinds(*byte) & Made::BREAK == 0)?;
    let mut made = Made::NOTHING;
    let mut end = start;
    for byte in text.get(start..)? {
        let kinds = kinds(*byte);
        if kinds & Made::BREAK != 0 {
            break;
        }
        made.add(kinds);
        end += 1;
    }
    Some(Span { start, end, made })
}

/// Judges the word there, and longer and longer groups that begin with it, the longest first; where to go on.
fn judge(scan: &mut Scan<'_>, text: &[u8], word: &Span, hits: &mut Hits) -> usize {
    let named = before(scan, text, word.start);
    if word.is_alone(text) {
        let (form, bytes) = (Form::of_made(word.made), text.get(word.start..word.end).unwrap_or_default());
        let classes = scan.classes;
        if bytes.len() < 3
            || classes.asks_nothing(&classes.around(scan.clues), form, bytes)
                && classes.asks_nothing(&named, form, bytes)
        {
            return word.end;
        }
    }
    let clues = scan.classes.around(scan.clues).or(named);
    let mut ends = [word.end; MOST_GROUPS];
    let mut count = 1;
    let mut last = word.end;
    // Groups of a number stand one space apart.
    while let Some(slot) = ends.get_mut(count)
        && text.get(last) == Some(&b' ')
        && let Some(next) = next_word(text, last)
        && next.start == last + 1
        && next.end - word.start <= LONGEST
        && is_group(text.get(next.start..next.end).unwrap_or_default())
    {
        *slot = next.end;
        last = next.end;
        count += 1;
    }
    for end in ends.iter().take(count).rev() {
        let found = one(scan.classes, &clues, text.get(word.start..*end).unwrap_or_default());
        if found.any_reported() {
            found.list().iter().for_each(|hit| hits.push(*hit));
            return *end;
        }
    }
    word.end
}

/// Words of numbers in groups are short and in capitals, and most have digits.
fn is_group(word: &[u8]) -> bool {
    let word = trimmed(word);
    let longest = if word.iter().all(u8::is_ascii_digit) { 10 } else { 6 };
    (1..=longest).contains(&word.len())
        && word.iter().all(|byte| {
            byte.is_ascii_digit() || byte.is_ascii_uppercase() || matches!(byte, b'(' | b')' | b'-' | b'.')
        })
}

fn one(classes: &Classes, clues: &Clues, word: &[u8]) -> Hits {
    let mut hits = Hits::default();
    let word = trimmed(word);
    if word.len() < 3 {
        return hits;
    }
    classes.one(clues, Form::of(word), false, word, &mut hits);
    // `ssn:536-22-8471`: what stands before the colon is a name, unless it belongs to the value.
    let colon = memchr::memchr(b':', word).filter(|at| (1..20).contains(at) && !hits.any_reported());
    if let Some((name, rest)) = colon.and_then(|at| word.split_at_checked(at)) {
        let rest = trimmed(rest);
        if rest.len() >= 3 {
            classes.one(&clues.or(classes.clues(b"", name)), Form::of(rest), false, rest, &mut hits);
        }
    }
    hits
}

/// A word without the marks of its sentence.
fn trimmed(word: &[u8]) -> &[u8] {
    let mut word = word;
    while let [b'.' | b',' | b':' | b'!' | b')' | b'*' | b'`', ..] | [b'(', ..] = word {
        if word.first() == Some(&b'(') && memchr::memchr(b')', word).is_some() {
            break;
        }
        word = word.get(1..).unwrap_or_default();
    }
    while let [.., b'.' | b',' | b':' | b'!' | b'(' | b'*' | b'`'] | [.., b')'] = word {
        if word.last() == Some(&b')') && memchr::memchr(b'(', word).is_some() {
            break;
        }
        word = word.get(..word.len() - 1).unwrap_or_default();
    }
    word
}

/// What the words before a place say: at most five of them and 40 bytes, within the sentence or name.
fn before(scan: &mut Scan<'_>, text: &[u8], at: usize) -> Clues {
    let from = at.saturating_sub(NEAR);
    let near = text.get(from..at).unwrap_or_default();
    let mut words = 0;
    let mut start = near.len();
    for byte in near.iter().rev() {
        words += usize::from(!byte.is_ascii_alphanumeric());
        if words > 6 || matches!(byte, b'\n' | b';' | b'!') {
            break;
        }
        start -= 1;
    }
    if from > 0 {
        // A name that the window cut in two says nothing.
        let stop =
            near.iter().rposition(|byte| matches!(byte, b'\n' | b';' | b'!')).map_or(0, |stop| stop + 1);
        let space = near.get(stop..).and_then(|near| memchr::memchr(b' ', near));
        start = space.map_or(near.len(), |space| start.max(stop + space));
    }
    scan.said.of(scan.classes, near.get(start..).unwrap_or_default())
}
