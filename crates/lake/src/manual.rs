//! The reference of tables and views, as docs/lake.md has it.

use crate::schema::{DAY, EXTRA, TABLES, VIEWS};
use std::fmt::Write;

/// Tables with their columns, and views, in Markdown.
pub fn manual() -> String {
    let mut out = String::new();
    for table in TABLES {
        let classes: Vec<String> = table.classes.iter().map(u32::to_string).collect();
        // Writing to a text cannot fail.
        let _ =
            writeln!(out, "### {}\n\n{}. OCSF class {}.\n", table.name, table.comment, classes.join(", "));
        out.push_str("| column | type | what | in the event |\n|---|---|---|---|\n");
        let _ = writeln!(out, "| `{DAY}` | date | UTC day of `time`; the partition | |");
        for column in table.columns {
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | `{}` |",
                column.name,
                column.kind.name(),
                column.comment,
                column.path
            );
        }
        let _ = writeln!(out, "| `{EXTRA}` | JSON | every member that is no column | |\n");
    }
    out.push_str("### Views\n\n| view | what |\n|---|---|\n");
    for view in VIEWS {
        let _ = writeln!(out, "| `{}` | {} |", view.name, view.comment);
    }
    out.push_str("| `events` | every row of every table as its OCSF event, in `event` |\n");
    out
}
