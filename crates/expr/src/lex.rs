//! Text to lexemes.

use crate::ParseError;

/// What a lexeme is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lexeme {
    /// A name, keyword, number, address or another word without quotes.
    Word(String),
    /// Quoted text.
    Quoted(String),
    /// An operator made of signs.
    Sign(&'static str),
    /// The end of the expression.
    End,
}

/// A lexeme and where it begins, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub at: usize,
    pub lexeme: Lexeme,
}

/// Longer ones first, since the first that fits is taken.
const SIGNS: &[&str] = &["==", "!=", "<=", ">=", "!~", "<", ">", "~", "(", ")", "[", "]", ","];

/// Splits an expression. The last lexeme is [`Lexeme::End`].
pub(crate) fn lex(text: &str) -> Result<Vec<Placed>, ParseError> {
    let mut lexemes = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let (lexeme, after) = next(rest, at)?;
        lexemes.push(Placed { at, lexeme });
        rest = after.trim_start();
    }
    lexemes.push(Placed { at: text.len(), lexeme: Lexeme::End });
    Ok(lexemes)
}

fn next(rest: &str, at: usize) -> Result<(Lexeme, &str), ParseError> {
    for quote in ['"', '\''] {
        if let Some(inside) = rest.strip_prefix(quote) {
            return quoted(inside, quote).ok_or_else(|| ParseError::new(at, "this quote is never closed"));
        }
    }
    for &sign in SIGNS {
        if let Some(after) = rest.strip_prefix(sign) {
            return Ok((Lexeme::Sign(sign), after));
        }
    }
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    match rest.split_at_checked(end).filter(|(word, _)| !word.is_empty()) {
        Some((word, after)) => Ok((Lexeme::Word(word.to_owned()), after)),
        None => Err(unexpected(rest, at)),
    }
}

fn unexpected(rest: &str, at: usize) -> ParseError {
    let hint = match rest.chars().next() {
        Some('=') => Some("=="),
        Some('&') => Some("and"),
        Some('|') => Some("or"),
        Some('!') => Some("not"),
        _ => None,
    };
    ParseError::new(at, "this character means nothing here").hint(hint)
}

/// Characters of names, numbers with units, addresses with prefixes, times and kebab-case words.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '/' | '-' | '+' | '*' | '%')
}

/// The text up to the closing quote. Between double quotes `\"` and `\\` stand for themselves; any other backslash stays,
/// so that regular expressions need no doubling. Between single quotes every character stands for itself.
fn quoted(inside: &str, quote: char) -> Option<(Lexeme, &str)> {
    let mut text = String::new();
    let mut characters = inside.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            c if c == quote => return Some((Lexeme::Quoted(text), inside.get(at + 1..)?)),
            '\\' if quote == '"' => {
                let escaped = characters.next_if(|(_, next)| matches!(next, '"' | '\\'));
                text.push(escaped.map_or('\\', |(_, next)| next));
            }
            c => text.push(c),
        }
    }
    None
}
