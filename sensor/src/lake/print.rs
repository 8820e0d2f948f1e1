//! Answers as a table, as JSON lines, as CSV.

use crate::cli::SqlArgs;
use crate::failure::Failure;
use crate::paper::plain;
use serde_json::Value;
use std::io::{BufWriter, ErrorKind, Write};
use std::ops::ControlFlow;
use std::process::{Child, ChildStdin, Command, Stdio};
use tapwire_lake::{Answer, Cell};

/// Rows that are looked at before the widths of a table are fixed.
const LOOKED_AT: usize = 1_000;

/// A cell of a table is no wider.
const WIDEST: usize = 60;

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Table,
    Json,
    Csv,
}

impl Form {
    pub(super) const fn of(args: &SqlArgs) -> Self {
        match (args.json, args.csv) {
            (true, _) => Self::Json,
            (false, true) => Self::Csv,
            (false, false) => Self::Table,
        }
    }
}

/// Prints an answer to standard output as it comes.
pub(super) struct Printer {
    form: Form,
    out: Out,
    /// Rows of the answer.
    rows: u64,
    columns: Vec<String>,
    /// Rows of a table whose widths are not known yet.
    held: Vec<Vec<String>>,
    widths: Vec<usize>,
    result: std::io::Result<()>,
}

impl Printer {
    /// To standard output, or through a pager.
    pub(super) fn new(form: Form, paged: bool) -> Self {
        let pager = if paged { pager() } else { None };
        Self {
            form,
            out: pager.unwrap_or_else(|| Out::Plain(BufWriter::new(std::io::stdout()))),
            rows: 0,
            columns: Vec::new(),
            held: Vec::new(),
            widths: Vec::new(),
            result: Ok(()),
        }
    }

    pub(super) fn take(&mut self, piece: Answer<'_>) -> ControlFlow<()> {
        self.result = match piece {
            Answer::Columns(names) => {
                self.columns = names.to_vec();
                if self.form == Form::Csv { self.csv(names.iter().map(String::as_str)) } else { Ok(()) }
            }
            Answer::Row(cells) => self.row(cells),
        };
        if self.result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn row(&mut self, cells: &[Cell]) -> std::io::Result<()> {
        self.rows += 1;
        match self.form {
            Form::Json => {
                let members = self.columns.iter().zip(cells);
                let members: Vec<String> = members
                    .map(|(name, cell)| format!("{}:{}", Value::from(name.as_str()), value(cell)))
                    .collect();
                writeln!(self.out, "{{{}}}", members.join(","))
            }
            Form::Csv => {
                let texts: Vec<String> = cells.iter().map(text).collect();
                self.csv(texts.iter().map(String::as_str))
            }
            Form::Table => {
                let row = cells.iter().map(|cell| cut(&plain(&text(cell)))).collect();
                if self.widths.is_empty() {
                    self.held.push(row);
                    if self.held.len() >= LOOKED_AT { self.begin_table() } else { Ok(()) }
                } else {
                    self.line(&row)
                }
            }
        }
    }

    fn csv<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> std::io::Result<()> {
        let quoted = cells.map(|cell| {
            let needs = cell.contains([',', '"', '\n', '\r']);
            if needs { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
        });
        writeln!(self.out, "{}", quoted.collect::<Vec<_>>().join(","))
    }

    /// Fixes the widths by the rows so far, and prints these.
    fn begin_table(&mut self) -> std::io::Result<()> {
        let names: Vec<String> = self.columns.iter().map(|name| plain(name)).collect();
        let held = std::mem::take(&mut self.held);
        let width = |at: usize| {
            let rows = held.iter().chain([&names]).filter_map(|row| row.get(at));
            rows.map(|cell| cell.chars().count()).max().unwrap_or_default().max(1)
        };
        self.widths = (0..names.len()).map(width).collect();
        self.line(&names)?;
        let rule: Vec<String> = self.widths.iter().map(|width| "-".repeat(*width)).collect();
        self.line(&rule)?;
        held.iter().try_for_each(|row| self.line(row))
    }

    fn line(&mut self, cells: &[String]) -> std::io::Result<()> {
        let padded = cells.iter().zip(&self.widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(self.out, "{}", line.trim_end())
    }

    /// Prints the rest; gives the rows. Who stops reading has seen enough.
    pub(super) fn finish(mut self) -> Result<u64, Failure> {
        if self.form == Form::Table && self.widths.is_empty() && self.result.is_ok() {
            self.result = self.begin_table();
        }
        let result = std::mem::replace(&mut self.result, Ok(())).and_then(|()| self.out.flush());
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(self.rows),
            Err(error) => Err(Failure::new(format!("writing to standard output: {error}"))),
            Ok(()) => Ok(self.rows),
        }
    }
}

/// Where an answer goes.
enum Out {
    Plain(BufWriter<std::io::Stdout>),
    /// A pager, which is waited for.
    Pager(Pager),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Pager(Pager { input: Some(out), .. }) => out.write(bytes),
            Self::Pager(_) => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Pager(pager) => pager.input.as_mut().map_or(Ok(()), Write::flush),
        }
    }
}

/// `$PAGER`, or `less` that ends by itself where everything fits on the screen; none where neither starts, or `PAGER` is
/// empty.
fn pager() -> Option<Out> {
    let wanted = std::env::var("PAGER").unwrap_or_else(|_| "less -FSX".into());
    let mut words = wanted.split_whitespace();
    let started = Command::new(words.next()?).args(words).stdin(Stdio::piped()).spawn();
    let mut child = started.ok()?;
    let input = child.stdin.take().map(BufWriter::new);
    Some(Out::Pager(Pager { input, child }))
}

/// A pager that runs.
struct Pager {
    input: Option<BufWriter<ChildStdin>>,
    child: Child,
}

impl Drop for Pager {
    fn drop(&mut self) {
        drop(self.input.take());
        // How it ended says nothing about the answer.
        let _ = self.child.wait();
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Int(number) => number.to_string(),
        Cell::Real(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
    }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => (*number).into(),
        Cell::Real(number) => (*number).into(),
        Cell::Text(text) => text.as_str().into(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
