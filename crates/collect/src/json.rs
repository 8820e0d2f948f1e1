//! Reads JSON that strangers send without building a tree: whether it is JSON, and where the members of an object stand.
//!
//! Whoever reads an event later finds its members by the names as they are written. So two members of one name are refused,
//! and names with escapes, where columns of tables are looked for.

use memchr::memchr2;
use std::collections::HashSet;

/// Levels of objects and lists.
const DEEPEST: usize = 64;
/// Down to this level names are looked at.
const NAMED: usize = 5;
/// Members of such an object.
const MOST_NAMES: usize = 1_024;
/// Up to so many a new name is compared with each: what events have is less.
const FEW: usize = 32;

/// Why it is no JSON that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    Syntax,
    Deep,
    Twice,
    Name,
}

/// A member of an object: its name, and where its value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    pub(crate) begin: usize,
    pub(crate) end: usize,
    /// Whether it is a member of a member, which is told behind all of its own.
    pub(crate) is_inner: bool,
}

/// Hands out the members of the object that `text` is, and theirs.
pub(crate) fn members<'a>(text: &'a str, visit: &mut impl FnMut(Member<'a>)) -> Result<(), Bad> {
    // In pieces, each of which is looked at as a whole.
    let is_control = |piece: &[u8]| piece.iter().fold(false, |found, byte| found | (*byte < b' '));
    if text.as_bytes().chunks(256).any(is_control) {
        return Err(Bad::Syntax);
    }
    let mut scan =
        Scan { text, bytes: text.as_bytes(), at: 0, names: Vec::with_capacity(64), crowds: HashSet::new() };
    scan.spaces();
    if scan.peek() != Some(b'{') {
        return Err(Bad::Syntax);
    }
    scan.object(0, visit)?;
    scan.spaces();
    if scan.at == scan.bytes.len() { Ok(()) } else { Err(Bad::Syntax) }
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Of the objects that are open, the innermost last.
    names: Vec<&'a str>,
    /// The same of objects with more than a few, with where theirs begin among `names`.
    crowds: HashSet<(usize, &'a str)>,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_it = self.peek() == Some(byte);
        self.at += usize::from(is_it);
        is_it
    }

    fn object(&mut self, depth: usize, visit: &mut impl FnMut(Member<'a>)) -> Result<(), Bad> {
        self.at += 1;
        let first = self.names.len();
        self.spaces();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.spaces();
            let name = self.name(first, depth)?;
            self.spaces();
            if !self.take(b':') {
                return Err(Bad::Syntax);
            }
            self.spaces();
            let begin = self.at;
            self.value(depth + 1, visit)?;
            if depth < 2 {
                visit(Member { name, begin, end: self.at, is_inner: depth > 0 });
            }
            self.spaces();
            if self.take(b'}') {
                self.close(first);
                return Ok(());
            }
            if !self.take(b',') {
                return Err(Bad::Syntax);
            }
        }
    }

    /// Forgets the names of the object whose names begin at `first`.
    fn close(&mut self, first: usize) {
        let Self { names, crowds, .. } = self;
        let is_crowd = names.len() > first + FEW;
        for name in names.drain(first.min(names.len())..) {
            if is_crowd {
                crowds.remove(&(first, name));
            }
        }
    }

    /// Whether the object whose names begin at `first` has that one.
    fn has(&mut self, first: usize, name: &'a str) -> bool {
        let others = self.names.get(first..).unwrap_or_default();
        if others.len() < FEW {
            return others.contains(&name);
        }
        if others.len() == FEW {
            self.crowds.extend(others.iter().map(|other| (first, *other)));
        }
        !self.crowds.insert((first, name))
    }

    /// A name of the object whose names begin at `first`.
    fn name(&mut self, first: usize, depth: usize) -> Result<&'a str, Bad> {
        let begin = self.at + 1;
        if self.peek() != Some(b'"') {
            return Err(Bad::Syntax);
        }
        let is_plain = self.string()?;
        let name = self.text.get(begin..self.at - 1).ok_or(Bad::Syntax)?;
        if depth < NAMED {
            if !is_plain {
                return Err(Bad::Name);
            }
            if self.names.len() >= first + MOST_NAMES || self.has(first, name) {
                return Err(Bad::Twice);
            }
            self.names.push(name);
        }
        Ok(name)
    }

    fn value(&mut self, depth: usize, visit: &mut impl FnMut(Member<'a>)) -> Result<(), Bad> {
        if depth > DEEPEST {
            return Err(Bad::Deep);
        }
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.object(depth, visit),
            Some(b'[') => self.list(depth, visit),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize, visit: &mut impl FnMut(Member<'a>)) -> Result<(), Bad> {
        self.at += 1;
        self.spaces();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.spaces();
            // What stands in a list is nobody's member.
            self.value(depth.max(1) + 1, visit)?;
            self.spaces();
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(Bad::Syntax);
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Bad> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word) {
            return Err(Bad::Syntax);
        }
        self.at = end;
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - begin
    }

    fn number(&mut self) -> Result<(), Bad> {
        self.take(b'-');
        let is_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        if digits == 0 || is_zero && digits > 1 {
            return Err(Bad::Syntax);
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(Bad::Syntax);
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return Err(Bad::Syntax);
            }
        }
        Ok(())
    }

    /// A string; whether it has no escapes.
    fn string(&mut self) -> Result<bool, Bad> {
        self.at += 1;
        let mut is_plain = true;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let found = memchr2(b'"', b'\\', rest).ok_or(Bad::Syntax)?;
            self.at += found + 1;
            if rest.get(found) == Some(&b'"') {
                return Ok(is_plain);
            }
            is_plain = false;
            self.escape()?;
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<(), Bad> {
        let byte = self.peek().ok_or(Bad::Syntax)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.unit()? {
                0xd800..=0xdbff => {
                    let second = (self.take(b'\\') && self.take(b'u')).then(|| self.unit()).transpose()?;
                    if second.is_some_and(|unit| (0xdc00..=0xdfff).contains(&unit)) {
                        Ok(())
                    } else {
                        Err(Bad::Syntax)
                    }
                }
                0xdc00..=0xdfff => Err(Bad::Syntax),
                _ => Ok(()),
            },
            _ => Err(Bad::Syntax),
        }
    }

    fn unit(&mut self) -> Result<u32, Bad> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Bad::Syntax)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Bad::Syntax);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Bad::Syntax)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(&str, &str)>, Bad> {
        let mut found = Vec::new();
        members(text, &mut |member| {
            if !member.is_inner {
                found.push((member.name, &text[member.begin..member.end]));
            }
        })?;
        Ok(found)
    }

    #[test]
    fn members_stand_where_they_are_written() {
        let text = r#" {"a": 1, "b":{"c":[{},[],"\u00e9\"x"]},"d":-0.5e+7,"e":null} "#;
        let expected =
            vec![("a", "1"), ("b", r#"{"c":[{},[],"\u00e9\"x"]}"#), ("d", "-0.5e+7"), ("e", "null")];
        assert_eq!(read(text), Ok(expected));
        assert_eq!(read("{}"), Ok(Vec::new()));
    }

    #[test]
    fn members_of_members_come_before_them() {
        let text = r#"{"a":{"b":{"c":1},"d":[{"e":{"f":2}}]},"g":[{"h":3}]}"#;
        let mut found = Vec::new();
        members(text, &mut |member| found.push((member.name, member.is_inner))).unwrap();
        assert_eq!(found, [("b", true), ("d", true), ("a", false), ("g", false)]);
    }

    #[test]
    fn it_takes_what_serde_takes_and_refuses_what_it_refuses() {
        let texts = [
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":-}"#,
            r#"{"a":1e}"#,
            r#"{"a":tru}"#,
            r#"{"a":1,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a" 1}"#,
            r#"{a:1}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\udc00"}"#,
            r#"{"a":"\ud83d\ude00"}"#,
            r#"{"a":"\u12g4"}"#,
            r#"{"a":"x}"#,
            r#"{"a":1}}"#,
            r#"{"a":1"#,
            r#"{"a":{"b":[true,false,null,1.5E-3]}}"#,
            "",
            "[]",
            "1",
            r#"{"a":"ü"}"#,
            r#"{"a":""}"#,
            "{\"a\":\"\t\"}",
            r#"{,}"#,
            r#"{"a":1 "b":2}"#,
        ];
        for text in texts {
            let ours = read(text).is_ok();
            let serdes = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
            assert_eq!(ours, serdes, "{text}");
        }
    }

    #[test]
    fn what_would_be_read_in_two_ways_is_refused() {
        assert_eq!(read(r#"{"a":1,"a":2}"#), Err(Bad::Twice));
        assert_eq!(read(r#"{"m":{"t":1,"x":{"y":{}},"t":2}}"#), Err(Bad::Twice));
        assert_eq!(read(r#"{"m":{"\u0074":1}}"#), Err(Bad::Name));
        assert_eq!(read(r#"{"m":{"t":1},"n":{"t":1}}"#).map(|all| all.len()), Ok(2));
        for number in [FEW - 1, FEW, FEW + 1, MOST_NAMES - 2] {
            let names: String = (0..number).map(|at| format!("\"n{at}\":0,")).collect();
            let within = format!("{{{names}\"x\":{{{names}\"x\":0}},\"y\":{{{names}\"x\":0}}}}");
            assert!(read(&within).is_ok(), "{number}");
            for twice in [0, number - 1] {
                let text = format!("{{{names}\"x\":{{{names}\"n{twice}\":0}}}}");
                assert_eq!(read(&text), Err(Bad::Twice), "{number}, {twice}");
            }
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        assert_eq!(read(&deep), Err(Bad::Deep));
        let many: String = (0..2_000).map(|at| format!("\"n{at}\":0,")).collect();
        assert_eq!(read(&format!("{{{}}}", many.trim_end_matches(','))), Err(Bad::Twice));
    }
}
