//! Options of `tapwire case`.

use crate::cli::{ConfigArgs, KeyArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with a case.
#[derive(Debug, Subcommand)]
pub(crate) enum CaseAction {
    /// Write an incident with its packets, and with all that it takes to derive it again, as one signed file
    Export(Box<ExportArgs>),
    /// Check such a file: nothing in it was changed, and its packets give the same incident again
    Verify(VerifyArgs),
}

/// `tapwire case export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The first 6 or more digits of the incident's uid
    pub(super) incident: String,
    /// Captures that show it; without any, the packets kept under --data
    #[arg(value_name = "PATH", required_unless_present = "data")]
    pub(super) paths: Vec<PathBuf>,
    /// Where a sensor keeps packets (`packets.budget`), and its key of tokens
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Write here, as a tar archive that only you can read
    #[arg(short = 'w', long = "write", value_name = "OUT", required = true)]
    pub(super) out: PathBuf,
    /// Private Ed25519 key that signs the case (PKCS #8); made where there is no such file
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) sign: PathBuf,
    /// Who exports it, as the case names them; by default the user
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
    /// Find the incident as `replay --two-pass` does
    #[arg(long)]
    pub(super) two_pass: bool,
    /// Find the incident as `replay --learn-from PATH` does (repeatable)
    #[arg(long, value_name = "PATH")]
    pub(super) learn_from: Vec<PathBuf>,
    /// Find incidents of these rules, too, as `replay --rules PATH` does (repeatable)
    #[arg(long, value_name = "PATH")]
    pub(super) rules: Vec<PathBuf>,
    /// Find the incident as `replay --openapi FILE` does (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(super) openapi: Vec<String>,
    #[command(flatten)]
    pub(super) keys: KeyArgs,
    /// Key of all tokens, by which the incident is named; the case gets a key of its own
    #[arg(long, value_name = "FILE")]
    pub(super) token_key: Option<PathBuf>,
    /// Replace OUT where it exists
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

/// `tapwire case verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The case
    #[arg(value_name = "CASE")]
    pub(super) case: PathBuf,
    /// The public key that it must be signed with, as 64 hexadecimal digits: given to you by who exported it, on another way
    #[arg(long, value_name = "HEX")]
    pub(super) key: Option<String>,
}
