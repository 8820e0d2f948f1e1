//! Writes JSON objects: bodies and label lines.

use std::fmt::{Display, Write};

/// An object that is being written.
#[derive(Debug, Clone)]
pub(crate) struct Json(String);

impl Json {
    /// An object without members.
    pub(crate) fn new() -> Self {
        Self("{".to_owned())
    }

    /// A member that is a string.
    pub(crate) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        quote(&mut self.0, value);
        self
    }

    /// A member that is a number, a truth value or JSON already.
    pub(crate) fn plain(&mut self, key: &str, value: impl Display) -> &mut Self {
        self.key(key);
        let _ = write!(self.0, "{value}");
        self
    }

    /// A member that is a list of strings.
    pub(crate) fn texts<'a>(&mut self, key: &str, values: impl IntoIterator<Item = &'a str>) -> &mut Self {
        let quoted: Vec<String> = values.into_iter().map(quoted).collect();
        self.plain(key, format_args!("[{}]", quoted.join(",")))
    }

    /// A string, or null.
    pub(crate) fn maybe(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(key, value),
            None => self.plain(key, "null"),
        }
    }

    /// The object, and an empty one takes its place.
    pub(crate) fn end(&mut self) -> String {
        self.0.push('}');
        std::mem::replace(&mut self.0, "{".to_owned())
    }

    fn key(&mut self, key: &str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        quote(&mut self.0, key);
        self.0.push(':');
    }
}

/// The text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(&mut out, text);
    out
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for symbol in text.chars() {
        match symbol {
            '"' | '\\' => out.extend(['\\', symbol]),
            '\n' => out.push_str("\\n"),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", symbol as u32);
            }
            _ => out.push(symbol),
        }
    }
    out.push('"');
}
