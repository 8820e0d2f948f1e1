//! What `tapwire rules` takes.

use crate::cli::ConfigArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What `rules` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesAction {
    /// Say which rules apply, which do not and why, and which are broken and where
    Check(RulesCheckArgs),
    /// Try rules on the events and captures of the test files beside them
    Test(RulesTestArgs),
    /// Draft a rule with its tests from an exchange or finding
    New(RulesNewArgs),
    /// Say how often rules would have held: hits a day, callers hit, and cost
    Backtest(RulesBacktestArgs),
}

/// `tapwire rules test`.
#[derive(Debug, Args)]
pub(crate) struct RulesTestArgs {
    /// Rule files with their NAME.test.yml beside them, or folders of them
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
}

/// `tapwire rules new`.
#[derive(Debug, Args)]
pub(crate) struct RulesNewArgs {
    /// The uid of an exchange or finding, or its first 6 or more digits
    #[arg(long, value_name = "UID", required = true)]
    pub(crate) from: String,
    /// Captures to look in; without any, the packets kept under --data
    #[arg(value_name = "CAPTURE")]
    pub(crate) captures: Vec<PathBuf>,
    /// Where packets are kept
    #[arg(long, value_name = "DIR", conflicts_with = "captures")]
    pub(crate) data: Option<PathBuf>,
    /// The key of callers' tokens, as of the run that the rule is for
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    /// Write NAME.yml and NAME.test.yml; without it, both go to standard output
    #[arg(short = 'w', long = "write", value_name = "NAME.yml")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `tapwire rules backtest`.
#[derive(Debug, Args)]
pub(crate) struct RulesBacktestArgs {
    /// Rule file, or folder of them
    #[arg(value_name = "RULES", required = true)]
    pub(crate) rules: PathBuf,
    /// Captures to try them on; without any, the packets kept under --data
    #[arg(value_name = "CAPTURE")]
    pub(crate) captures: Vec<PathBuf>,
    /// Where packets are kept
    #[arg(long, value_name = "DIR", conflicts_with = "captures")]
    pub(crate) data: Option<PathBuf>,
    /// The key of callers' tokens, as of the run that rules are for
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    /// Count from then on: a time before the newest packet such as -30d or -12h, a day, or RFC 3339; UTC
    /// where no zone is given
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `tapwire hunt`.
#[derive(Debug, Args)]
pub(crate) struct HuntArgs {
    /// Rule file, or folder of them
    #[arg(value_name = "RULES", required = true)]
    pub(crate) rules: PathBuf,
    /// Captures for rules that read what the tables do not keep; without any, the packets kept under --data
    #[arg(value_name = "PATH")]
    pub(crate) captures: Vec<PathBuf>,
    /// Where a run keeps its tables and packets, or a copy of the tables in a store: s3://BUCKET/FOLDER
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) data: Option<PathBuf>,
    /// The key of callers' tokens, where the run that kept them was given one: packets are read under it
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    /// Hits from then on: a time before the newest exchange or packet such as -30d or -12h, a day, or RFC 3339; UTC where no
    /// zone is given
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Hits before then, written alike
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `tapwire rules check`.
#[derive(Debug, Args)]
pub(crate) struct RulesCheckArgs {
    /// Rule files, or folders of them
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Name every rule that does not apply
    #[arg(short, long)]
    pub(crate) verbose: bool,
}
