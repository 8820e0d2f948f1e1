//! The command line of the console.

use super::LearnArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `tapwire serve`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    pub(crate) action: Option<ServeAction>,
    #[command(flatten)]
    pub(crate) learn: LearnArgs,
    /// Where the console answers, as `console.listen` does (127.0.0.1:8470); beyond loopback it takes a certificate, and users to
    /// log in
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Serve over TLS with this chain of certificates, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// What `serve` does beside serving.
#[derive(Debug, Subcommand)]
pub(crate) enum ServeAction {
    /// Say who may log in to the console
    User {
        /// What to do with them
        #[command(subcommand)]
        action: UserAction,
    },
}

/// What is done with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserAction {
    /// Add a user, or give one a new role and password, which is asked for or read from standard input
    Add {
        /// Letters, digits and . _ @ -
        #[arg(value_name = "NAME")]
        name: String,
        /// viewer (reads), analyst (also asks tables by SQL, says what incidents were, mutes, carves), admin (also reads the audit log)
        #[arg(long, value_name = "ROLE")]
        role: String,
        /// Where users are kept
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Take a user away; sessions end at once
    Remove {
        /// The name
        #[arg(value_name = "NAME")]
        name: String,
        /// Where users are kept
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// List users with their roles
    List {
        /// Where users are kept
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}
