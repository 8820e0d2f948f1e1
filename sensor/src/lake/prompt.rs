//! The prompt of `tapwire sql`: history, completion of names, how long answers took, and a pager for long ones.

use super::query::Asked;
use crate::failure::{Exit, Failure};
use crate::size::counted;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Instant;
use tapwire_lake::{Statements, TABLES, VIEWS};
use tapwire_store::Directories;

/// Queries that are remembered.
const REMEMBERED: usize = 1_000;

/// Words that begin or go on in a query.
const WORDS: [&str; 20] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "JOIN",
    "LEFT JOIN",
    "WITH",
    "AS MATERIALIZED",
    "DISTINCT",
    "COUNT",
    "BETWEEN",
    "IS NOT NULL",
    "LIKE",
    "json_each",
    "json_extract",
    "token",
    "DESC",
];

/// Asks until the input ends.
pub(super) fn prompt(asked: &Asked) -> Result<Exit, Failure> {
    println!(
        "Queries end with ;   Tab completes names   \\d lists tables   \\d TABLE lists columns   \\q ends"
    );
    let failed = |error: ReadlineError| Failure::new(format!("sql: {error}"));
    let config = Config::builder().auto_add_history(true).completion_type(CompletionType::List);
    let config = config.max_history_size(REMEMBERED).map_err(failed)?.build();
    let mut editor: Editor<Names, DefaultHistory> = Editor::with_config(config).map_err(failed)?;
    editor.set_helper(Some(Names));
    let history = history();
    // The first time there is none.
    let _ = history.as_ref().map(|path| editor.load_history(path));
    loop {
        match editor.readline("tapwire> ") {
            Ok(line) if line.trim() == "\\q" => break,
            Ok(line) => answer(asked, &line),
            // What was begun is thrown away, as in a shell.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(failed(error)),
        }
    }
    if let Some(path) = &history
        && let Err(error) = editor.save_history(path)
    {
        eprintln!("tapwire: sql: {}: queries are not remembered: {error}", path.display());
    }
    Ok(Exit::Done)
}

fn answer(asked: &Asked, line: &str) {
    for query in Statements::of(line).whole {
        let began = Instant::now();
        match asked.carry_out(query, true) {
            Ok(Some(rows)) => println!("{}, {:.3} s", counted(rows, "row"), began.elapsed().as_secs_f64()),
            Ok(None) => {}
            Err(failure) => eprintln!("{failure}"),
        }
    }
}

/// Where queries are remembered, for this user only: they may hold names and other text that stood in traffic.
fn history() -> Option<PathBuf> {
    let folder = Directories::from_env().state?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.is_ok().then(|| folder.join("sql-history"))
}

/// What is completed.
struct Names;

impl Helper for Names {}
impl Highlighter for Names {}
impl Hinter for Names {
    type Hint = String;
}

impl Validator for Names {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_whole = Statements::of(context.input()).rest.trim().is_empty();
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Names {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let (from, names) = candidates(line, at);
        Ok((from, names.into_iter().map(str::to_owned).collect()))
    }
}

/// Names that the word before the cursor may become, and where it begins: tables and views behind `FROM`, `JOIN` and `\d`;
/// elsewhere the columns of the tables that the query names, or of all while it names none, and words.
fn candidates(line: &str, at: usize) -> (usize, Vec<&'static str>) {
    let before = line.get(..at).unwrap_or(line);
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let from = before.rfind(|c| !is_name(c)).map_or(0, |at| at + before.get(at..).map_or(1, first_len));
    let begun = before.get(from..).unwrap_or_default();
    let last = before.get(..from).unwrap_or_default().split_whitespace().next_back().unwrap_or_default();
    let tables = || TABLES.iter().map(|table| table.name);
    let mut names: Vec<&str> = if ["FROM", "JOIN", "\\D"].contains(&last.to_ascii_uppercase().as_str()) {
        tables().chain(VIEWS.iter().map(|view| view.name)).chain(["events"]).collect()
    } else {
        let words: Vec<&str> = line.split(|c| !is_name(c)).collect();
        let is_any = tables().any(|name| words.contains(&name));
        let wanted = TABLES.iter().filter(|table| !is_any || words.contains(&table.name));
        let columns = wanted.flat_map(|table| table.columns.iter().map(|column| column.name));
        columns.chain(["day", "extra"]).chain(WORDS).collect()
    };
    let fits = |name: &str| {
        name.get(..begun.len()).is_some_and(|start| start.eq_ignore_ascii_case(begun)) && !begun.is_empty()
            || begun.is_empty() && !WORDS.contains(&name)
    };
    names.retain(|name| fits(name));
    names.sort_unstable();
    names.dedup();
    (from, names)
}

fn first_len(text: &str) -> usize {
    text.chars().next().map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(line: &str) -> Vec<&'static str> {
        candidates(line, line.len()).1
    }

    #[test]
    fn names_are_completed_where_they_may_stand() {
        assert_eq!(completed("SELECT * FROM ex"), ["exchanges"]);
        assert_eq!(completed("select * from un"), ["unauthenticated_sensitive", "undocumented_endpoints"]);
        assert_eq!(completed("\\d kp"), ["kpis"]);
        assert_eq!(completed("SELECT principal_ki"), ["principal_kind"]);
        assert_eq!(completed("sel"), ["SELECT"]);
        // Once it is known which table, only its columns are offered.
        assert_eq!(candidates("SELECT conf FROM findings", 11).1, ["confidence"]);
        assert_eq!(candidates("SELECT conf FROM exchanges", 11).1, Vec::<&str>::new());
        assert_eq!(candidates("SELECT 'é' , sev FROM findings", 17), (14, vec!["severity", "severity_id"]));
        assert!(completed("SELECT * FROM ").contains(&"usage"));
    }
}
