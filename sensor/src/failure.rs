//! What ends the program, and with which exit code.

use crate::paper::plain;
use std::fmt;

/// An operator's mistake or a broken environment: one line that says what, where, and what to try.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// With that line.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.0))
    }
}

/// Names of files are somebody's, and no commands to a terminal. An expression follows on a line of its own, with one that points
/// into it.
pub(crate) fn visible(line: &str) -> String {
    let pointed = line.rsplit_once('\n').filter(|(_, pointer)| pointer.trim_start().starts_with('^'));
    let Some((above, pointer)) = pointed else { return plain(line) };
    let (what, text) = above.rsplit_once('\n').unwrap_or((above, ""));
    let text = if text.is_empty() { String::new() } else { format!("\n{}", plain(text)) };
    format!("{}{text}\n{}", plain(what), plain(pointer))
}

macro_rules! from {
    ($($error:ty),+) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self(chain(&error))
            }
        })+
    };
}

from!(
    tapwire_capture::SourceError,
    tapwire_sink::SinkError,
    tapwire_store::StoreError,
    tapwire_keys::KeyError,
    std::io::Error
);

/// An error with all its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    line
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done.
    Done,
    /// There were findings at or above `--fail-on`.
    Findings,
    /// What was to be checked does not hold.
    Refuted,
    /// The operator's error.
    Operator,
    /// Interrupted; everything known was reported.
    Interrupted,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Findings | Exit::Refuted => 1,
            Exit::Operator => 2,
            Exit::Interrupted => 130,
        })
    }
}
