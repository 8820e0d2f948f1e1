//! Text for people: headings, aligned rows, colour only where it can be seen.

use std::io::IsTerminal;

/// Width of the names of rows.
const NAME: usize = 14;

/// A page that is being written.
pub struct Paper {
    text: String,
    colour: bool,
}

impl Paper {
    /// `to_stdout` says where it will be printed; `NO_COLOR` is obeyed.
    pub fn new(to_stdout: bool) -> Self {
        let terminal = if to_stdout { std::io::stdout().is_terminal() } else { std::io::stderr().is_terminal() };
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { text: String::new(), colour: terminal && !refused }
    }

    /// A line as it is.
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A heading with an empty line before it.
    pub fn heading(&mut self, title: &str) {
        let title = self.strong(title);
        self.text.push('\n');
        self.line(&title);
    }

    /// A name and what there is to say about it.
    pub fn row(&mut self, name: &str, what: &str) {
        self.line(&format!("  {name:<NAME$} {what}"));
    }

    /// Bold where it can be seen.
    pub fn strong(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.text
    }
}
