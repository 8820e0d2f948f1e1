//! A page about one thing: headings with what is known below each. The terminal prints it, the console draws it.

use crate::paper::Paper;

/// Columns of the names of facts, at least.
const NAME: usize = 13;

/// What is known, in the order in which it is told.
#[derive(Debug, Default)]
pub(crate) struct Sheet(Vec<Part>);

/// What stands below one heading.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) title: String,
    pub(crate) pieces: Vec<Piece>,
}

/// One of the things that are told.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A name of this program's with what there is to say about it.
    Row(String, String),
    /// A header of a message.
    Header(String, String),
    /// What a payload says, by its own name.
    Fact(String, String),
    /// A sentence.
    Said(&'static str),
}

impl Sheet {
    pub(crate) fn heading(&mut self, title: impl Into<String>) {
        self.0.push(Part { title: title.into(), pieces: Vec::new() });
    }

    pub(crate) fn row(&mut self, name: &str, text: &str) {
        self.add(Piece::Row(name.to_owned(), text.to_owned()));
    }

    /// Below the last heading; what has none is told nowhere.
    pub(crate) fn add(&mut self, piece: Piece) {
        if let Some(part) = self.0.last_mut() {
            part.pieces.push(piece);
        }
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }

    pub(crate) fn print(&self, paper: &mut Paper) {
        for part in &self.0 {
            paper.heading(&part.title);
            part.print(paper);
        }
    }
}

impl Part {
    fn print(&self, paper: &mut Paper) {
        let names = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Fact(name, _) => Some(name.len()),
            _ => None,
        });
        let width = names.max().unwrap_or(0).max(NAME);
        for piece in &self.pieces {
            match piece {
                Piece::Row(name, text) => paper.row(name, text),
                Piece::Header(name, value) => {
                    paper.hang(&format!("    {}", paper.faint(&format!("{name}: "))), value);
                }
                Piece::Fact(name, text) => paper.hang(&format!("  {name:<width$} "), text),
                Piece::Said(said) => paper.line(&format!("  {said}")),
            }
        }
    }
}
