//! Options of `tapwire carve`.

use super::{ConfigArgs, KeyArgs};
use clap::Args;
use std::path::PathBuf;

/// `tapwire carve`.
#[derive(Debug, Args)]
pub(crate) struct CarveArgs {
    /// Uids of exchanges, findings or incidents, each its first 6 or more hexadecimal digits; then captures to carve from (one whose
    /// name could be a uid is written ./NAME). Without captures, the packets kept under --data
    #[arg(value_name = "UID|PATH")]
    pub(crate) words: Vec<String>,
    /// The packets of all exchanges for which this holds, such as 'status >= 500'
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) filter: Option<String>,
    /// Write here, as pcapng that only you can read; - for standard output
    #[arg(short = 'w', long = "write", value_name = "OUT", required = true)]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// Only the packets that carry these exchanges, not their whole connections
    #[arg(long)]
    pub(crate) exact: bool,
    /// Replace OUT where it exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Where packets, state and the audit log are kept
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Key of all tokens
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}
