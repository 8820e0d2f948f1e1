//! A reader of JSON objects that builds no tree: names and values as the text has them.
//!
//! Events have hundreds of members of which a table takes some; the rest is copied as it stands.

/// The members of the object that `text` is: name and value, both as written, the name without its quotes. Ends early where
/// the text is no object. Objects within it can be entered, so that each byte is looked at once.
pub(crate) struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Members<'a> {
    /// Of an object; `None` where the text is something else.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let start = spaces(text.as_bytes(), 0);
        (text.as_bytes().get(start) == Some(&b'{')).then_some(Self { text, at: start + 1 })
    }

    /// The name of the next member; its value is to be taken or entered then. `None` where the object ends.
    pub(crate) fn name(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let mut at = spaces(bytes, self.at);
        if bytes.get(at) == Some(&b',') {
            at = spaces(bytes, at + 1);
        }
        self.at = at;
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let end = string_end(bytes, at)?;
        let name = self.text.get(at + 1..end - 1)?;
        let colon = spaces(bytes, end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        self.at = spaces(bytes, colon + 1);
        Some(name)
    }

    /// The value of the member whose name was told last.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        let end = value_end(self.text.as_bytes(), self.at)?;
        let value = self.text.get(self.at..end)?;
        self.at = end;
        Some(value)
    }

    /// Goes into the value where it is an object with members: these come next. `false` where it is another.
    pub(crate) fn enter(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        let is_object = bytes.get(self.at) == Some(&b'{');
        let has_members = is_object && bytes.get(spaces(bytes, self.at + 1)) == Some(&b'"');
        self.at += usize::from(has_members);
        has_members
    }

    /// Goes behind the object that was entered, after its last member; `false` where it does not end there.
    pub(crate) fn leave(&mut self) -> bool {
        let is_over = self.text.as_bytes().get(self.at) == Some(&b'}');
        self.at += usize::from(is_over);
        is_over
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.name()?;
        Some((name, self.value()?))
    }
}

/// The values of a list, as written. Ends early where the text is no list.
pub(crate) fn items(list: &str) -> impl Iterator<Item = &str> {
    let bytes = list.as_bytes();
    let mut at = spaces(bytes, 0) + 1;
    let is_list = bytes.get(at - 1) == Some(&b'[');
    std::iter::from_fn(move || {
        let mut begin = spaces(bytes, at);
        if bytes.get(begin) == Some(&b',') {
            begin = spaces(bytes, begin + 1);
        }
        let end = value_end(bytes, begin).filter(|_| is_list)?;
        at = end;
        list.get(begin..end)
    })
}

/// The texts of a list of texts without escapes; `None` where it holds anything else.
pub(crate) fn plain_texts(list: &str) -> Option<Vec<&str>> {
    let inside = list.strip_prefix('[')?.strip_suffix(']')?.trim_matches(' ');
    if inside.is_empty() {
        return Some(Vec::new());
    }
    let bytes = inside.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    loop {
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let end = string_end(bytes, at)?;
        found.push(inside.get(at + 1..end - 1).filter(|text| !is_escaped(text))?);
        match bytes.get(end) {
            None => return Some(found),
            Some(b',') => at = end + 1,
            Some(_) => return None,
        }
    }
}

/// The text of a string without escapes.
pub(crate) fn plain_text(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"').filter(|text| !is_escaped(text))
}

fn is_escaped(text: &str) -> bool {
    memchr::memchr(b'\\', text.as_bytes()).is_some()
}

fn spaces(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Behind the closing quote of the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        let found = at + quote_or_escape(bytes.get(at..)?)?;
        match bytes.get(found)? {
            b'"' => return Some(found + 1),
            _ => at = found + 2,
        }
    }
}

/// Bytes that are looked at without a call: most names and many texts are shorter.
const SHORT: usize = 24;

/// The place of the first `"` or `\`.
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    // The lowest bit that is set is that of the first byte which is zero; higher ones may be wrong.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let mut at = 0;
    while at < SHORT
        && let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>())
    {
        let word = u64::from_le_bytes(*eight);
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr::memchr2(b'"', b'\\', bytes.get(at..)?).map(|rest| at + rest)
}

/// Behind the value that begins at `at`.
fn value_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => string_end(bytes, at),
        b'{' | b'[' => nested_end(bytes, at),
        _ => {
            let is_more = |byte: &&u8| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
            let length = bytes.get(at..)?.iter().take_while(is_more).count();
            (length > 0).then_some(at + length)
        }
    }
}

fn nested_end(bytes: &[u8], at: usize) -> Option<usize> {
    let (mut at, mut depth) = (at, 0_u32);
    loop {
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth -= 1;
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Vec<(&str, &str)> {
        Members::of(text).into_iter().flatten().collect()
    }

    #[test]
    fn members_as_written() {
        let text = r#" { "a":1, "b" : {"c":[1,{"d":"}]\""}]} ,"e":"\\","f":null,"g":[] }"#;
        assert_eq!(
            members(text),
            [("a", "1"), ("b", r#"{"c":[1,{"d":"}]\""}]}"#), ("e", r#""\\""#), ("f", "null"), ("g", "[]")]
        );
        assert_eq!(members("{}"), []);
    }

    #[test]
    fn quotes_and_escapes_are_found_wherever_they_stand() {
        let odd = [0x00, 0x21, 0x23, 0x5b, 0x5d, 0x80, 0xa2, 0xdc, 0xff];
        for length in 0..70 {
            let mut bytes: Vec<u8> = (0..length).map(|at| odd[at % odd.len()]).collect();
            assert_eq!(quote_or_escape(&bytes), None);
            for at in (0..length).rev() {
                bytes[at] = if at % 3 == 0 { b'\\' } else { b'"' };
                assert_eq!(quote_or_escape(&bytes), Some(at), "{length}");
            }
        }
    }

    #[test]
    fn objects_are_entered_and_left() {
        let mut members = Members::of(r#"{"a": { "b":1,"c":{"d":2} } ,"e":{},"f":{ },"g":[{}]}"#).unwrap();
        assert_eq!(
            (members.name(), members.enter(), members.name(), members.value()),
            (Some("a"), true, Some("b"), Some("1"))
        );
        assert_eq!(
            (members.name(), members.enter(), members.next(), members.name()),
            (Some("c"), true, Some(("d", "2")), None)
        );
        assert_eq!((members.leave(), members.name(), members.leave()), (true, None, true));
        for (name, value) in [("e", "{}"), ("f", "{ }"), ("g", "[{}]")] {
            assert_eq!((members.name(), members.enter(), members.value()), (Some(name), false, Some(value)));
        }
        assert_eq!((members.name(), members.leave(), members.leave()), (None, true, false));
        let mut torn = Members::of(r#"{"a":{"b":1 x},"c":2}"#).unwrap();
        assert_eq!((torn.name(), torn.enter(), torn.next()), (Some("a"), true, Some(("b", "1"))));
        assert_eq!((torn.name(), torn.leave()), (None, false));
    }

    #[test]
    fn items_of_lists() {
        let of = |text| items(text).collect::<Vec<_>>();
        assert_eq!(of(r#" [ {"a":[1]} , 2,"]" ] "#), [r#"{"a":[1]}"#, "2", r#""]""#]);
        for none in ["[]", "{}", "", "1", "[", "[,"] {
            assert_eq!(of(none), Vec::<&str>::new(), "{none}");
        }
    }

    #[test]
    fn torn_text_ends_early() {
        let text = r#"{"a":1,"b":{"c":"d"},"e":[1,2]}"#;
        // Without its last brace all members are there.
        for end in 0..text.len() - 1 {
            assert!(members(&text[..end]).len() < 3, "{end}");
        }
        for odd in ["", "[]", "1", "{1}", "{\"a\"}", "{\"a\":}", "{\"a\":,}", "{\"a\\"] {
            assert_eq!(members(odd), [], "{odd}");
        }
    }

    #[test]
    fn lists_of_plain_texts() {
        assert_eq!(plain_texts(r#"["a","b,c"]"#), Some(vec!["a", "b,c"]));
        assert_eq!(plain_texts("[]"), Some(vec![]));
        for other in [r#"["a\n"]"#, "[1]", r#"["a",1]"#, r#"["a""b"]"#, "{}", r#"["a","#] {
            assert_eq!(plain_texts(other), None, "{other}");
        }
    }
}
