//! A reader of JSON objects that builds no tree: names and values as the text has them.
//!
//! Events have hundreds of members of which a table takes some; the rest is copied as it stands.

/// The members of the object that `text` is: name and value, both as written, the name without its quotes. Ends early where
/// the text is no object.
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
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let mut at = spaces(bytes, self.at);
        if bytes.get(at) == Some(&b',') {
            at = spaces(bytes, at + 1);
        }
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let name_end = string_end(bytes, at)?;
        let name = self.text.get(at + 1..name_end - 1)?;
        let colon = spaces(bytes, name_end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let begin = spaces(bytes, colon + 1);
        let end = value_end(bytes, begin)?;
        self.at = end;
        Some((name, self.text.get(begin..end)?))
    }
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
        found.push(inside.get(at + 1..end - 1).filter(|text| !text.contains('\\'))?);
        match bytes.get(end) {
            None => return Some(found),
            Some(b',') => at = end + 1,
            Some(_) => return None,
        }
    }
}

/// The text of a string without escapes.
pub(crate) fn plain_text(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.contains('\\'))
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
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes.get(found)? {
            b'"' => return Some(found + 1),
            _ => at = found + 2,
        }
    }
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
