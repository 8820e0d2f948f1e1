//! `tapwire sql`: one query, those of standard input, or a prompt.

use super::print::{Form, Printer};
use super::prompt::prompt;
use super::store::tables;
use crate::cli::{Cli, Command, SqlArgs};
use crate::failure::{Exit, Failure};
use crate::size::counted;
use crate::{paper, sense, stored};
use clap::Parser;
use std::ffi::OsString;
use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use tapwire_inspect::{Domain, Token, TokenKey};
use tapwire_lake::{LakeError, Place, Reader, Statements, TABLES, VIEWS};
use tapwire_store::{Directories, token_key};
use tempfile::TempDir;

pub(super) fn sql(args: &SqlArgs) -> Result<Exit, Failure> {
    let made = if args.on.is_empty() { None } else { Some(sensed(args)?) };
    let data = match &made {
        Some(folder) => folder.path().to_owned(),
        None => stored::directory(args.data.clone())?,
    };
    let key = key(args, &data)?;
    let asked = Asked { key, place: tables(&data).map_err(told)?, form: Form::of(args) };
    let input = std::io::stdin();
    match (&args.query, &args.parquet) {
        (Some(query), None) => all(&asked, query),
        (Some(query), Some(path)) => into_file(&asked, query, path, args.force),
        (None, None) if input.is_terminal() => prompt(&asked),
        (None, None) => all(&asked, &std::io::read_to_string(input)?),
        (None, Some(path)) => into_file(&asked, &std::io::read_to_string(input)?, path, args.force),
    }
}

/// The key of the tokens in the tables, for `token()`; without one there is no such function.
fn key(args: &SqlArgs, data: &Path) -> Result<Option<TokenKey>, Failure> {
    if args.token_key.is_some() || !args.on.is_empty() {
        return sense::load_key(args.token_key.as_deref(), None).map(Some);
    }
    let kept = tapwire_store::Reader::open(data).and_then(|reader| reader.token_key());
    Ok(kept.ok().map(|key| TokenKey::new(*key.bytes())))
}

/// What is asked, and how it is answered.
pub(super) struct Asked {
    place: Place,
    key: Option<TokenKey>,
    form: Form,
}

/// A lake of the captures alone, in a directory that goes when the answer is there.
fn sensed(args: &SqlArgs) -> Result<TempDir, Failure> {
    let folder = TempDir::with_prefix("tapwire-sql-")?;
    let key = token_key(None, None, &Directories::from_env())?;
    let mut words: Vec<OsString> =
        ["tapwire", "replay", "-q", "--events", "null://", "--data"].map(Into::into).into();
    words.push(folder.path().into());
    words.extend(["--token-key".into(), key.path.into()]);
    words.extend(args.on.iter().map(OsString::from));
    let Command::Replay(replay) = Cli::parse_from(words).command else {
        return Err(Failure::new("--on: takes captures"));
    };
    match sense::replay(&replay)? {
        Exit::Operator => Err(Failure::new("--on: nothing could be read")),
        _ => Ok(folder),
    }
}

impl Asked {
    /// One query, or what begins with `\`; gives the rows of an answer. Long tables go through a pager where asked.
    pub(super) fn carry_out(&self, text: &str, paged: bool) -> Result<Option<u64>, Failure> {
        if let Some(name) = text.strip_prefix("\\d") {
            paper::print(&described(name.trim())?, true)?;
            return Ok(None);
        }
        let reader = self.reader()?;
        let mut printer = Printer::new(self.form, paged);
        reader.query(text, &mut |piece| printer.take(piece)).map_err(told)?;
        printer.finish().map(Some)
    }

    fn reader(&self) -> Result<Reader, Failure> {
        let key = self.key.clone();
        let reader = Reader::open(self.place.clone()).map_err(told)?;
        reader.with_tokens(move |name| Some(shown(key.as_ref()?, name))).map_err(told)
    }
}

fn told(error: LakeError) -> Failure {
    Failure::new(format!("sql: {error}"))
}

/// The token of who is called so, as events show it.
pub(crate) fn shown(key: &TokenKey, name: &str) -> String {
    let Token(bytes) = key.token(Domain::Identity, name.as_bytes());
    let digits: String = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("tok:{digits}")
}

/// Tables and views; or the columns of one.
fn described(name: &str) -> Result<String, Failure> {
    let line = |name: &str, kind: &str, what: &str| format!("{name:<28} {kind:<14} {what}\n");
    if name.is_empty() {
        let tables = TABLES.iter().map(|table| line(table.name, "table", table.comment));
        let views = VIEWS.iter().map(|view| line(view.name, "view", view.comment));
        let events = line("events", "view", "Every row of every table as its OCSF event");
        return Ok(tables.chain(views).chain([events]).collect());
    }
    if let Some(view) = VIEWS.iter().find(|view| view.name == name) {
        return Ok(format!("{}\n{}\n", view.comment, view.query));
    }
    let table = TABLES.iter().find(|table| table.name == name).ok_or_else(|| {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        Failure::new(format!("sql: \\d {name}: no such table; there are {}", names.join(", ")))
    })?;
    let columns = table.columns.iter();
    let columns = columns.map(|column| line(column.name, column.kind.name(), column.comment));
    let rest = [
        line("extra", "JSON", "every member of the event that is no column"),
        line("day", "date", "UTC day of time; the partition"),
    ];
    Ok(columns.chain(rest).collect())
}

/// Queries, each ended by `;`, perhaps but for the last.
fn all(asked: &Asked, text: &str) -> Result<Exit, Failure> {
    let Statements { whole, rest } = Statements::of(text);
    let last = Some(rest.trim()).filter(|rest| !rest.is_empty());
    whole.into_iter().chain(last).try_for_each(|query| asked.carry_out(query, false).map(|_| ()))?;
    Ok(Exit::Done)
}

/// One query, whose answer becomes a Parquet file.
fn into_file(asked: &Asked, text: &str, path: &Path, replace: bool) -> Result<Exit, Failure> {
    let why = match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => Some("is a directory; name a file"),
        Ok(_) if !replace => Some("exists; give another name, or --force"),
        _ => None,
    };
    if let Some(why) = why {
        return Err(Failure::new(format!("--parquet {}: {why}", path.display())));
    }
    let Statements { whole, rest } = Statements::of(text);
    let last = Some(rest.trim()).filter(|rest| !rest.is_empty());
    let queries: Vec<&str> = whole.into_iter().chain(last).collect();
    let [query] = queries.as_slice() else {
        return Err(Failure::new("sql: --parquet takes the answer to one query"));
    };
    let rows = asked.reader()?.write_answer(query, path, replace).map_err(told)?;
    eprintln!("tapwire: {}: {}", path.display(), counted(rows, "row"));
    Ok(Exit::Done)
}
