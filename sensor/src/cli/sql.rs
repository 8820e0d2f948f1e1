//! The command line of the lake.

use super::ConfigArgs;
use clap::{Args, Subcommand};
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
    /// Where a run keeps its tables, or their copy in a store: s3://BUCKET/FOLDER
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) data: Option<PathBuf>,
    /// As JSON, one object a line
    #[arg(long, conflicts_with = "csv")]
    pub(crate) json: bool,
    /// As CSV
    #[arg(long)]
    pub(crate) csv: bool,
    /// Write the answer to this Parquet file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv"])]
    pub(crate) parquet: Option<PathBuf>,
    /// Replace FILE where it exists
    #[arg(long, requires = "parquet")]
    pub(crate) force: bool,
    /// The key of tokens, for the function token()
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
}

/// What `lake` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum LakeAction {
    /// Say what the tables keep, and how long disk and limits last
    Info(LakeInfoArgs),
    /// Take out what is not to be kept, put small files together, delete what nobody reads any more
    Maintain(LakeMaintainArgs),
    /// Keep days, whatever retention says, until they are released
    Hold(LakeHoldArgs),
    /// Let go of what is held under a name
    Release(LakeReleaseArgs),
    /// Write endpoints and KPIs into their tables as a running tap has learned them by now; runs do when they end
    Note(LakeNoteArgs),
    /// Copy the tables to an S3-compatible store, for engines elsewhere
    Copy(LakeCopyArgs),
}

/// `tapwire lake info`.
#[derive(Debug, Args)]
pub(crate) struct LakeInfoArgs {
    /// Where a run keeps its tables, or their copy in a store: s3://BUCKET/FOLDER
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) data: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `tapwire lake maintain`.
#[derive(Debug, Args)]
pub(crate) struct LakeMaintainArgs {
    /// Where a run keeps its tables
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `tapwire lake hold`.
#[derive(Debug, Args)]
pub(crate) struct LakeHoldArgs {
    /// What the hold is called
    pub(crate) name: String,
    /// The first day, such as 2026-11-01
    #[arg(long, value_name = "DAY", required_unless_present = "incident", requires = "until")]
    pub(crate) from: Option<String>,
    /// The last day
    #[arg(long, value_name = "DAY", requires = "from")]
    pub(crate) until: Option<String>,
    /// The days of this incident, its findings and the exchanges that show them, also those to come
    #[arg(long, value_name = "UID", conflicts_with_all = ["from", "until"])]
    pub(crate) incident: Option<String>,
    /// Where a run keeps its tables
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// `tapwire lake release`.
#[derive(Debug, Args)]
pub(crate) struct LakeReleaseArgs {
    /// What the hold is called
    pub(crate) name: String,
    /// Where a run keeps its tables
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// `tapwire lake copy`. Credentials and the place of the store come from the environment.
#[derive(Debug, Args)]
pub(crate) struct LakeCopyArgs {
    /// Where to: s3://BUCKET/FOLDER; who asks is in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which store in
    /// AWS_ENDPOINT_URL and AWS_REGION
    #[arg(value_name = "URL")]
    pub(crate) to: String,
    /// Where a run keeps its tables
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Go on until interrupted, and copy what is new each time that so many seconds are over
    #[arg(long, value_name = "SECONDS")]
    pub(crate) every: Option<u64>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tapwire lake note`.
#[derive(Debug, Args)]
pub(crate) struct LakeNoteArgs {
    /// Where a run keeps what it learns
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The key that it was written with
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}
