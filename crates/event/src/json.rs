//! JSON text, written straight into the output buffer.
//!
//! Traffic text reaches it only as [`Redacted`]; everything else it writes is the sensor's own. Commas follow from the
//! last byte written, so there is no state to keep.

use crate::number;
use crate::redact::Redacted;

/// JSON of the sensor's own as it stands: names and punctuation that are the same in every event, joined beforehand. A
/// copy of known length costs a store or two, and most of an event is this.
#[inline(always)]
pub(crate) fn raw(out: &mut Vec<u8>, json: &'static str) {
    out.extend_from_slice(json.as_bytes());
}

/// A member's beginning, joined beforehand, with a comma unless it is the first.
#[inline(always)]
pub(crate) fn member(out: &mut Vec<u8>, json: &'static str) {
    element(out);
    raw(out, json);
}

/// Opens an object or list that is no member of another.
pub(crate) fn open(out: &mut Vec<u8>) {
    out.push(b'{');
}

/// Ends an object.
pub(crate) fn close(out: &mut Vec<u8>) {
    out.push(b'}');
}

/// Begins a member: comma, name, colon. Names are the sensor's own and need no escaping. Inlined, so that a copy of a name is
/// one of known length.
#[inline(always)]
pub(crate) fn key(out: &mut Vec<u8>, name: &str) {
    element(out);
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Begins a list element: a comma unless it is the first.
#[inline(always)]
pub(crate) fn element(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        out.push(b',');
    }
}

/// Opens a member object.
#[inline(always)]
pub(crate) fn object(out: &mut Vec<u8>, name: &str) {
    key(out, name);
    out.push(b'{');
}

/// Opens a member list.
#[inline(always)]
pub(crate) fn list(out: &mut Vec<u8>, name: &str) {
    key(out, name);
    out.push(b'[');
}

/// Ends a list.
pub(crate) fn close_list(out: &mut Vec<u8>) {
    out.push(b']');
}

/// A whole-number member.
#[inline(always)]
pub(crate) fn integer(out: &mut Vec<u8>, name: &str, value: i64) {
    key(out, name);
    number::signed(out, value);
}

/// A count member.
#[inline(always)]
pub(crate) fn count(out: &mut Vec<u8>, name: &str, value: u64) {
    key(out, name);
    number::unsigned(out, value);
}

/// A finite number with so many digits behind the point.
pub(crate) fn decimal(out: &mut Vec<u8>, name: &str, value: f64, digits: usize) {
    key(out, name);
    out.extend_from_slice(format!("{value:.digits$}").as_bytes());
}

/// A truth member.
#[inline(always)]
pub(crate) fn truth(out: &mut Vec<u8>, name: &str, value: bool) {
    key(out, name);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// A member of the sensor's own text.
#[inline(always)]
pub(crate) fn own(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    string(out, value.as_bytes());
}

/// A member of redacted text.
#[inline(always)]
pub(crate) fn text(out: &mut Vec<u8>, name: &str, value: Redacted<'_>) {
    key(out, name);
    string(out, value.bytes());
}

/// A list of the sensor's own words.
pub(crate) fn words<'w>(out: &mut Vec<u8>, name: &str, words: impl Iterator<Item = &'w str>) {
    list(out, name);
    for word in words {
        element(out);
        string(out, word.as_bytes());
    }
    close_list(out);
}

/// A string with quotes. Bytes that are no UTF-8 are percent-encoded, since JSON cannot hold them.
pub(crate) fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    contents(out, bytes);
    out.push(b'"');
}

/// The inside of a string, without quotes.
pub(crate) fn contents(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        escaped(out, bytes);
    }
}

/// Whether every byte stands for itself. No early exit, so that the compiler makes it a vector loop.
fn is_plain(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |special, &b| special | (b < 0x20) | (b == b'"') | (b == b'\\') | (b >= 0x7f))
}

fn escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| character(out, c));
        chunk.invalid().iter().for_each(|&b| number::percent(out, b));
    }
}

fn character(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // U+2028 and U+2029 end a line for some readers, and an event is one line.
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' => unicode_escape(out, c),
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn unicode_escape(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(b"\\u");
    let [_, _, high, low] = (c as u32).to_be_bytes();
    number::hex(out, &[high, low]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        string(&mut out, bytes);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn text_comes_back_as_it_was() {
        for text in
            ["", "plain", "quote \" back \\ slash /", "\0\x01\x1f\x7f\r\n\t", "grüße 你好 🦀 \u{2028}\u{85}"]
        {
            assert_eq!(read_back(text.as_bytes()), text);
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_percent_encoded() {
        assert_eq!(read_back(b"a\xffb\xc3"), "a%FFb%C3");
    }

    #[test]
    fn control_characters_never_stand_in_the_output() {
        let mut out = Vec::new();
        string(&mut out, "\u{1b}[31m\u{9b}0m\x7f".as_bytes());
        assert!(out.iter().all(|b| (0x20..0x7f).contains(b)), "{out:?}");
    }

    #[test]
    fn commas_follow_from_what_stands_before() {
        let mut out = Vec::new();
        open(&mut out);
        integer(&mut out, "a", -1);
        words(&mut out, "b", ["x", "y"].into_iter());
        object(&mut out, "c");
        truth(&mut out, "d", false);
        close(&mut out);
        close(&mut out);
        assert_eq!(out, br#"{"a":-1,"b":["x","y"],"c":{"d":false}}"#);
    }
}
