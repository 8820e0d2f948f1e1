//! The reference of tables and views, as docs/lake.md has it.

use crate::schema::{Column, DAY, EXTRA, TABLES, VIEWS};
use std::fmt::Write;

/// Tables with their columns, and views, in Markdown.
pub fn manual() -> String {
    let mut out = String::new();
    for table in TABLES {
        let classes: Vec<String> = table.classes.iter().map(u32::to_string).collect();
        let (classes, place) = match classes.as_slice() {
            [] => (String::new(), "as JSON"),
            some => (format!(" OCSF class {}.", some.join(", ")), "in the event"),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(out, "### {}\n\n{}.{classes}\n", table.name, table.comment);
        let _ = writeln!(out, "| column | type | what | {place} |\n|---|---|---|---|");
        let _ = writeln!(out, "| `{DAY}` | date | UTC day of `time`; the partition | |");
        for column in table.columns {
            let Column { name, kind, path, comment } = column;
            let path = if path.is_empty() { String::new() } else { format!("`{path}` ") };
            let _ = writeln!(out, "| `{name}` | {} | {comment} | {path}|", kind.name());
        }
        let _ = writeln!(out, "| `{EXTRA}` | JSON | every member that is no column | |\n");
    }
    out.push_str("### Views\n\n| view | what |\n|---|---|\n");
    for view in VIEWS {
        let _ = writeln!(out, "| `{}` | {} |", view.name, view.comment);
    }
    out.push_str("| `events` | every event of every table as it was told, an OCSF event, in `event` |\n");
    out
}
