//! Text for people: headings, aligned rows wrapped to the width, colour only where it can be seen.

use crate::failure::Failure;
use console::Term;
use std::io::{IsTerminal, Write};

/// Width of the names of rows.
const NAME: usize = 13;

/// Lines are no longer than this on a wide terminal, and where there is none: longer ones are hard to read.
const WIDEST: usize = 110;

/// Narrower than this nothing is aligned any more.
const NARROWEST: usize = 50;

/// A page that is being written.
pub(crate) struct Paper {
    text: String,
    colour: bool,
    width: usize,
}

impl Paper {
    /// `to_stdout` says where it will be printed; `NO_COLOR` is obeyed.
    pub(crate) fn new(to_stdout: bool) -> Self {
        let terminal =
            if to_stdout { std::io::stdout().is_terminal() } else { std::io::stderr().is_terminal() };
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let screen = if to_stdout { Term::stdout() } else { Term::stderr() };
        let width = screen.size_checked().map_or(WIDEST, |(_, columns)| usize::from(columns));
        Self::of(width, terminal && !refused)
    }

    fn of(width: usize, colour: bool) -> Self {
        Self { text: String::new(), colour, width: width.clamp(NARROWEST, WIDEST) }
    }

    /// Columns of a line.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// A line as it is.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A heading with an empty line before it.
    pub(crate) fn heading(&mut self, title: &str) {
        let title = self.strong(title);
        self.text.push('\n');
        self.line(&title);
    }

    /// A name and what there is to say about it, wrapped below itself.
    pub(crate) fn row(&mut self, name: &str, what: &str) {
        self.hang(&format!("  {name:<NAME$} "), what);
    }

    /// A paragraph behind `lead`; its further lines begin below its first word.
    pub(crate) fn hang(&mut self, lead: &str, text: &str) {
        let indent = console::measure_text_width(lead);
        let mut lead = lead.to_owned();
        for line in wrap(text, self.width.saturating_sub(indent)) {
            self.line(&format!("{lead}{line}"));
            lead = " ".repeat(indent);
        }
    }

    /// Bold where it can be seen.
    pub(crate) fn strong(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A severity, in the colour of its alarm.
    pub(crate) fn alarm(&self, severity: &str) -> String {
        match severity {
            "Critical" | "High" if self.colour => format!("\x1b[1;31m{severity}\x1b[0m"),
            "Medium" if self.colour => format!("\x1b[33m{severity}\x1b[0m"),
            _ => severity.to_owned(),
        }
    }

    /// Faint where it can be seen.
    pub(crate) fn faint(&self, text: &str) -> String {
        if self.colour { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Another page below this one.
    pub(crate) fn page(&mut self, other: Self) {
        self.text.push_str(&other.text);
    }

    /// The page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Breaks between words; a word that is longer than a line has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        let long = console::measure_text_width(line) + 1 + console::measure_text_width(word) > width;
        if !line.is_empty() && long {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Beginning with a capital letter.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Cuts `text` to `width` columns, with a sign that something is missing.
pub(crate) fn fit(text: &str, width: usize) -> String {
    console::truncate_str(text, width, "…").into_owned()
}

/// Text of traffic made safe for a terminal: nothing in it moves the cursor, changes colours or turns the direction.
pub(crate) fn plain(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Prints to standard output, or to standard error where that carries events. Who stops reading has seen enough.
pub(crate) fn print(text: &str, to_stdout: bool) -> Result<(), Failure> {
    let written = if to_stdout {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    } else {
        std::io::stderr().write_all(text.as_bytes())
    };
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            Err(Failure::new("writing to standard output: the disk is full"))
        }
        result => result.map_err(|error| Failure::new(format!("writing to standard output: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_wrap_below_themselves() {
        let mut paper = Paper::of(50, false);
        paper.row("exchanges", "3,000: 2,965 whole (98.8 %), 4 with missing bytes");
        assert_eq!(
            paper.into_text(),
            "  exchanges     3,000: 2,965 whole (98.8 %), 4\n                with missing bytes\n"
        );
    }

    #[test]
    fn a_long_word_is_not_broken() {
        assert_eq!(wrap("a verylongwordindeed b", 8), ["a", "verylongwordindeed", "b"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn text_of_traffic_cannot_steer_the_terminal() {
        assert_eq!(plain("/a\x1b[2J\u{202e}b"), "/a\u{fffd}[2J\u{fffd}b");
        assert_eq!(fit("/orders/{orderId}/lines", 10), "/orders/{…");
    }
}
