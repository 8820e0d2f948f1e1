//! The documents of a rule file, each read for itself, so that a broken one leaves the others standing.

use rsigma_parser::{SigmaCollection, parse_sigma_yaml};

/// A document with the line it begins on, counted from 1.
pub(crate) struct Document<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// Something wrong on a line of the file.
pub(crate) struct Wrong {
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// What a complaint says, and the key that it is then about.
const KEYS: &[(&str, &str)] = &[
    ("unknown detection", "condition:"),
    ("condition", "condition:"),
    ("timespan", "timespan:"),
    ("correlation", "correlation:"),
    ("logsource", "logsource:"),
    ("detection", "detection:"),
    ("filter", "filter:"),
];

/// The documents of a file. One that uses collection actions, by which documents share parts, is read as a whole.
pub(crate) fn documents(text: &str) -> Vec<Document<'_>> {
    if text.lines().any(|line| line.starts_with("action:")) {
        return vec![Document { text, line: 1 }];
    }
    let mut found = Vec::new();
    let (mut start, mut line_of_start, mut at) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            found.push(Document { text: text.get(start..at).unwrap_or_default(), line: line_of_start });
            (start, line_of_start) = (at + line.len(), index + 2);
        }
        at += line.len();
    }
    found.push(Document { text: text.get(start..).unwrap_or_default(), line: line_of_start });
    found.retain(Document::says_something);
    found
}

impl Document<'_> {
    fn says_something(&self) -> bool {
        self.text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    }

    /// What it holds, and what is wrong with it.
    pub(crate) fn read(&self) -> (SigmaCollection, Vec<Wrong>) {
        match parse_sigma_yaml(self.text) {
            Ok(mut collection) => {
                let errors = std::mem::take(&mut collection.errors);
                (collection, errors.into_iter().map(|what| self.wrong(what)).collect())
            }
            Err(error) => (SigmaCollection::default(), vec![self.wrong(error.to_string())]),
        }
    }

    /// A complaint, with the line that it is most likely about.
    pub(crate) fn wrong(&self, what: String) -> Wrong {
        Wrong { line: self.line_of(&what), what: what.replace(['\n', '\r'], " ") }
    }

    fn line_of(&self, what: &str) -> usize {
        let stated = what.split("at line ").nth(1).and_then(|rest| {
            rest.split(|one: char| !one.is_ascii_digit())
                .next()
                .and_then(|number| number.parse::<usize>().ok())
        });
        let said = || stated.map(|line| self.line + line.saturating_sub(1));
        let quoted = || what.split('\'').skip(1).step_by(2).find_map(|word| self.line_with(word));
        let key = || {
            let low = what.to_ascii_lowercase();
            let (_, key) = KEYS.iter().find(|(word, _)| low.contains(word))?;
            self.line_with(key)
        };
        said().or_else(quoted).or_else(key).unwrap_or_else(|| self.first_line())
    }

    fn line_with(&self, word: &str) -> Option<usize> {
        let at = self.text.lines().position(|line| !word.is_empty() && line.contains(word))?;
        Some(self.line + at)
    }

    /// Where the rule of that title stands.
    pub(crate) fn line_of_title(&self, title: &str) -> usize {
        self.line_with(title).unwrap_or_else(|| self.first_line())
    }

    fn first_line(&self) -> usize {
        let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        self.line + self.text.lines().position(says).unwrap_or(0)
    }
}
