//! Classes inside longer text: a card in a sentence, a token in a log line.
//!
//! The text is cut into words, and only what could be something is judged: words with digits, `@`, or sixteen characters and more, and
//! groups of digits with single spaces between them. The words before it are its name.

use super::form::{Form, LONGEST};
use super::look::{Classes, Clues, Hits};
use super::{health, secret};

/// Words with so many bytes may be keys.
const LONG: usize = 16;
/// One word of that length may have several things in it.
pub(super) const LEAST: usize = 65;
/// Candidates judged of one text.
const MOST_JUDGED: usize = 24;
/// Groups that are put together to one number.
const MOST_GROUPS: usize = 9;

/// Looks through a text; what it finds counts by the words before it, and by the names around the text.
pub(super) fn text(classes: &Classes, clues: &Clues, form: Form, text: &[u8], hits: &mut Hits) {
    if secret::is_private_key(text)
        || memchr::memmem::find(text, b"-----BEGIN ").is_some_and(|at| at > 0 && is_key_at(text, at))
    {
        return hits.push_sure("private-key");
    }
    if health::is_hl7(text) {
        return hits.push_sure("hl7");
    }
    if form != Form::Text && !text.iter().any(|byte| is_break(*byte)) {
        return;
    }
    let mut judged = 0;
    let mut at = 0;
    while let Some((start, end)) = next_word(text, at) {
        at = end;
        let word = text.get(start..end).unwrap_or_default();
        if !may_be_something(word) || judged == MOST_JUDGED {
            continue;
        }
        judged += 1;
        at = judge(classes, clues, text, start, end, hits);
    }
}

fn is_key_at(text: &[u8], at: usize) -> bool {
    text.get(at..).is_some_and(secret::is_private_key)
}

const fn is_break(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t'
            | b'\n'
            | b'\r'
            | b','
            | b';'
            | b'"'
            | b'\''
            | b'<'
            | b'>'
            | b'|'
            | b'='
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'&'
            | b'?'
    )
}

/// The next word from there on.
fn next_word(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let start = from + rest.iter().position(|byte| !is_break(*byte))?;
    let word = text.get(start..)?;
    Some((start, start + word.iter().position(|byte| is_break(*byte)).unwrap_or(word.len())))
}

fn may_be_something(word: &[u8]) -> bool {
    let mut digits = 0;
    for byte in word {
        digits += usize::from(byte.is_ascii_digit());
        if *byte == b'@' {
            return true;
        }
    }
    word.len() >= LONG || digits >= 1 && word.len() >= 2
}

/// Judges the word there, and longer and longer groups that begin with it, the longest first; where to go on.
fn judge(classes: &Classes, clues: &Clues, text: &[u8], start: usize, end: usize, hits: &mut Hits) -> usize {
    let named = before(classes, text, start);
    let clues = classes.around(clues).or(named);
    let mut ends = [end; MOST_GROUPS];
    let mut count = 1;
    let mut last = end;
    // Groups of a number stand one space apart.
    while let Some(slot) = ends.get_mut(count)
        && text.get(last) == Some(&b' ')
        && let Some((next, next_end)) = next_word(text, last)
        && next == last + 1
        && next_end - start <= LONGEST
        && is_group(text.get(next..next_end).unwrap_or_default())
    {
        *slot = next_end;
        last = next_end;
        count += 1;
    }
    for end in ends.iter().take(count).rev() {
        let found = one(classes, &clues, text.get(start..*end).unwrap_or_default());
        if found.any_reported() {
            found.list().iter().for_each(|hit| hits.push(*hit));
            return *end;
        }
    }
    end
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
fn before(classes: &Classes, text: &[u8], at: usize) -> Clues {
    let from = at.saturating_sub(40);
    let near = text.get(from..at).unwrap_or_default();
    let near = near.rsplit(|byte| matches!(byte, b'\n' | b';' | b'!')).next().unwrap_or_default();
    // A name that the window cut in two says nothing.
    let near = if from > 0 {
        memchr::memchr(b' ', near).and_then(|space| near.get(space..)).unwrap_or_default()
    } else {
        near
    };
    let words = near.iter().rev().scan(0, |words, byte| {
        *words += usize::from(!byte.is_ascii_alphanumeric());
        (*words <= 6).then_some(())
    });
    let from = near.len().saturating_sub(words.count());
    classes.clues(b"", near.get(from..).unwrap_or_default())
}
