//! The command line of the lake.

use clap::Args;
use std::path::PathBuf;

/// `tapwire sql`.
#[derive(Debug, Args)]
#[command(after_help = "`tapwire -r FILE sql QUERY` is short for `tapwire sql --on FILE QUERY`.")]
pub(crate) struct SqlArgs {
    /// The query, or \d for tables, \d TABLE for columns; without it those of standard input, or a prompt
    pub(crate) query: Option<String>,
    /// Ask these captures (repeatable), and keep nothing
    #[arg(long, value_name = "PATH", conflicts_with = "data")]
    pub(crate) on: Vec<PathBuf>,
    /// Where a run keeps its tables
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// As JSON, one object a line
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// As CSV
    #[arg(long)]
    pub(crate) csv: bool,
}
