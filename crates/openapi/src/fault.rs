//! What could not be read, and where it stands.

use std::fmt;

/// Where a fault stands in its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole.
    File,
    /// Line and column, from 1: what is no JSON or YAML.
    Line(usize, usize),
    /// A JSON pointer (RFC 6901): what is no OpenAPI.
    Pointer(String),
}

/// Something in a file that could not be read. Its `Display` is one line: `shop.yaml:3:7: what`, or
/// `shop.yaml#/paths/~1orders: what`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file's name as it was given.
    pub file: String,
    /// Where in it.
    pub place: Place,
    /// What is wrong, and what to do about it where that is not plain.
    pub what: String,
    /// Whether nothing of the file could be used.
    pub whole: bool,
}

impl Fault {
    pub(crate) fn file(file: &str, what: impl Into<String>) -> Self {
        Self { file: file.into(), place: Place::File, what: what.into(), whole: true }
    }

    pub(crate) fn line(file: &str, line: usize, column: usize, what: impl Into<String>) -> Self {
        Self { file: file.into(), place: Place::Line(line, column), what: what.into(), whole: true }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.place {
            Place::File => String::new(),
            Place::Line(line, column) => format!(":{line}:{column}"),
            Place::Pointer(pointer) => format!("#{pointer}"),
        };
        // Parts of the file stand in it: they must not end the line, nor steer a terminal.
        let line = format!("{}{place}: {}", self.file, self.what);
        line.chars().try_for_each(|c| fmt::Write::write_char(f, if c.is_control() { '\u{fffd}' } else { c }))
    }
}

impl std::error::Error for Fault {}
