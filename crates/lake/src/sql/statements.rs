//! Where statements end, as SQLite reads them: not within a text, a quoted name or a comment.

/// Statements of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statements<'a> {
    /// Those that `;` ends, without it, and lines that begin with `\`. What holds nothing but blanks and comments is none.
    pub whole: Vec<&'a str>,
    /// What no `;` has ended.
    pub rest: &'a str,
}

impl<'a> Statements<'a> {
    /// Takes a text apart.
    pub fn of(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut found = Self::default();
        let (mut begin, mut at, mut is_empty) = (0, 0, true);
        while let Some(byte) = bytes.get(at) {
            let end = match byte {
                b';' => Some(at),
                // A command of the prompt is a line.
                b'\\' if is_empty => {
                    begin = at;
                    at += length_until(bytes, at, |byte| matches!(byte, b'\n' | b';'));
                    is_empty = false;
                    Some(at)
                }
                _ => None,
            };
            if let Some(end) = end {
                if let Some(statement) = text.get(begin..end).filter(|_| !is_empty) {
                    found.whole.push(statement.trim());
                }
                at = bytes.len().min(end + 1);
                (begin, is_empty) = (at, true);
                continue;
            }
            let (length, counts) = piece(bytes, at);
            at += length;
            is_empty &= !counts;
        }
        found.rest = text.get(begin..).unwrap_or_default();
        // Blanks and comments alone are begun statements only where the comment goes on.
        if is_empty && !ends_within_comment(found.rest) {
            found.rest = "";
        }
        found
    }
}

/// How long the text, name, comment or single byte there is, and whether it is more than a blank.
fn piece(bytes: &[u8], at: usize) -> (usize, bool) {
    let next = bytes.get(at + 1);
    match (bytes.get(at), next) {
        // A doubled quote is the end of one piece and the beginning of another.
        (Some(quote @ (b'\'' | b'"' | b'`')), _) => (1 + length_behind(bytes, at + 1, *quote), true),
        (Some(b'['), _) => (1 + length_behind(bytes, at + 1, b']'), true),
        (Some(b'-'), Some(b'-')) => (length_until(bytes, at, |byte| byte == b'\n'), false),
        (Some(b'/'), Some(b'*')) => (2 + comment_length(bytes, at + 2), false),
        (Some(byte), _) => (1, !byte.is_ascii_whitespace()),
        (None, _) => (0, false),
    }
}

/// Bytes up to one that ends, without it.
fn length_until(bytes: &[u8], at: usize, ends: impl Fn(u8) -> bool) -> usize {
    bytes.iter().skip(at).take_while(|byte| !ends(**byte)).count()
}

/// Bytes up to that one, with it where it is there.
fn length_behind(bytes: &[u8], at: usize, last: u8) -> usize {
    let length = length_until(bytes, at, |byte| byte == last);
    length + usize::from(bytes.get(at + length).is_some())
}

/// Bytes up to the end of a comment that began before.
fn comment_length(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.windows(2).position(|two| two == b"*/").map_or(rest.len(), |end| end + 2)
}

fn ends_within_comment(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let (length, _) = piece(bytes, at);
        let is_comment = bytes.get(at..at + 2) == Some(b"/*");
        if is_comment && at + length == bytes.len() {
            return length < 4 || !text.ends_with("*/");
        }
        at += length;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn whole(text: &str) -> Vec<&str> {
        Statements::of(text).whole
    }

    #[test]
    fn statements_end_where_they_end() {
        assert_eq!(whole("SELECT 1; SELECT 2 ;"), ["SELECT 1", "SELECT 2"]);
        assert_eq!(whole("SELECT 'a;b', \"c;d\", `e;f`, [g;h];"), ["SELECT 'a;b', \"c;d\", `e;f`, [g;h]"]);
        assert_eq!(whole("SELECT 'it''s; one';"), ["SELECT 'it''s; one'"]);
        assert_eq!(whole("SELECT 1 -- not; yet\n, 2;"), ["SELECT 1 -- not; yet\n, 2"]);
        assert_eq!(whole("SELECT 1 /* not; 'yet */ , 2;"), ["SELECT 1 /* not; 'yet */ , 2"]);
        assert_eq!(whole("\\d\nSELECT 1;\\d usage;"), ["\\d", "SELECT 1", "\\d usage"]);
        assert_eq!(whole(" ;; -- nothing\n ; /* ; */ ;"), Vec::<&str>::new());
        for (text, rest) in [
            ("SELECT 1; SELECT 'é;", " SELECT 'é;"),
            ("SELECT 1; -- the end", ""),
            ("SELECT 1;\n \n", ""),
            ("/* goes on ;", "/* goes on ;"),
            ("/* over */ ", ""),
            ("/*/ ;", "/*/ ;"),
        ] {
            assert_eq!(Statements::of(text).rest, rest, "{text}");
        }
    }

    /// SQLite's own word for it.
    #[allow(unsafe_code)]
    fn is_complete(text: &str) -> bool {
        let text = CString::new(text).unwrap();
        // SAFETY: the text is alive and ends with a zero.
        unsafe { rusqlite::ffi::sqlite3_complete(text.as_ptr()) == 1 }
    }

    #[test]
    fn sqlite_ends_statements_at_the_same_places() {
        // Every text of up to seven of these, and none that begins a trigger, which cannot be written here.
        let pieces = ["a", "'", "\"", "[", "]", "`", "--", "\n", "/*", "*/", ";", " "];
        let mut seed = 7_u64;
        for _ in 0..200_000 {
            let mut text = String::new();
            for _ in 0..7 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text += pieces[(seed >> 33) as usize % pieces.len()];
            }
            // A statement of `a`, so that there is one, and an end for a comment of one line.
            let text = format!("a{text}\n");
            let Statements { whole, rest } = Statements::of(&text);
            assert_eq!(is_complete(&text), rest.is_empty() && !whole.is_empty(), "{text:?}");
        }
    }
}
