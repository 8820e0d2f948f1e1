//! Options of `tapwire content`.

use crate::cli::ConfigArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with content.
#[derive(Debug, Subcommand)]
pub(crate) enum ContentAction {
    /// Write a folder of rules, mutes, lists and data classes as one signed file
    Pack(PackArgs),
    /// Check such a file and use it from now on; versions before it are kept
    Install(InstallArgs),
    /// List versions that are kept, and whether each is as it was signed
    List(ListArgs),
    /// Use a version again that is kept
    Rollback(RollbackArgs),
}

/// `tapwire content pack`.
#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// The folder: content.toml with [[mute]] and [[data_class]], lists.toml with [networks], [lists], [owners] and [tags], rules/
    #[arg(value_name = "FOLDER")]
    pub(super) folder: PathBuf,
    /// Write here
    #[arg(short = 'w', long = "write", value_name = "OUT")]
    pub(super) out: PathBuf,
    /// Private Ed25519 key that signs it (PKCS #8); made where there is no such file
    #[arg(long, value_name = "FILE")]
    pub(super) sign: PathBuf,
    /// Its number, greater than that of the one before, such as 20261123
    #[arg(long, value_name = "NUMBER")]
    pub(super) version: u64,
    /// What it is called
    #[arg(long, value_name = "NAME", default_value = "content")]
    pub(super) name: String,
    /// Replace OUT where it exists
    #[arg(long)]
    pub(super) force: bool,
}

/// `tapwire content install`.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The public key that it must be signed with, 64 hexadecimal digits; by default content.key of the configuration
    #[arg(long, value_name = "HEX")]
    pub(super) key: Option<String>,
    /// Also where the same version or a newer one is installed
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

/// `tapwire content list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// As JSON, one object a line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

/// `tapwire content rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// This version instead of the one before
    #[arg(long, value_name = "NUMBER")]
    pub(super) to: Option<u64>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}
