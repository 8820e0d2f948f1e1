//! What is wrong with an expression, and where.

use std::fmt;

/// An expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Where in the text, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

impl ParseError {
    pub(crate) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }

    /// The expression with a caret below the place and the message behind it, in two lines.
    pub fn pointed(&self, text: &str) -> String {
        let before = text.get(..self.offset).map_or(0, |before| before.chars().count());
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{line}\n{:before$}^ {self}", "")
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; did you mean '{hint}'?"))
    }
}

impl std::error::Error for ParseError {}
