//! The command line of what is found, and of what becomes of it.

use super::{ConfigArgs, KeyArgs, LearnArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `tapwire incidents`.
#[derive(Debug, Args)]
pub(crate) struct IncidentsArgs {
    #[command(flatten)]
    pub(crate) learn: LearnArgs,
    /// Find them as `replay --two-pass` does: with findings that only a second look gives
    #[arg(long, requires = "paths")]
    pub(crate) two_pass: bool,
    /// Find incidents of these rules, too, as `replay --rules PATH` does (repeatable)
    #[arg(long, value_name = "PATH", requires = "paths")]
    pub(crate) rules: Vec<PathBuf>,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// With what policies say, as Markdown for a ticket or a wiki
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
}

/// `tapwire findings`.
#[derive(Debug, Args)]
pub(crate) struct FindingsArgs {
    #[command(flatten)]
    pub(crate) learn: LearnArgs,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tapwire blast-radius`.
#[derive(Debug, Args)]
pub(crate) struct BlastRadiusArgs {
    /// An incident, by the first 6 or more digits of its uid, or a caller as events and `tapwire callers` name it:
    /// tok:0123456789abcdef, user~0123456789abcdef
    #[arg(value_name = "INCIDENT|PRINCIPAL")]
    pub(crate) who: String,
    /// Captures that show it; without any, the packets kept under --data
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Where packets and state are kept
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    pub(crate) data: Option<PathBuf>,
    /// Find the incident as `replay --two-pass` does
    #[arg(long, requires = "paths")]
    pub(crate) two_pass: bool,
    /// Find the incident as `replay --learn-from PATH` does (repeatable)
    #[arg(long, value_name = "PATH", requires = "paths")]
    pub(crate) learn_from: Vec<PathBuf>,
    /// Find incidents of these rules, too, as `replay --rules PATH` does (repeatable)
    #[arg(long, value_name = "PATH", requires = "paths")]
    pub(crate) rules: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// Key of all tokens
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `tapwire feedback`.
#[derive(Debug, Args)]
pub(crate) struct FeedbackArgs {
    /// The first 6 or more digits of the incident's uid
    pub(crate) incident: String,
    /// What it was
    pub(crate) verdict: Verdict,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
    /// Where the run keeps what it found
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// What people say of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verdict {
    /// An attack, whether it worked or not
    True,
    /// Nothing of the kind happened
    False,
    /// It happened, and is allowed
    Benign,
}

impl Verdict {
    const ALL: [Self; 3] = [Self::True, Self::False, Self::Benign];

    /// As the file has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Benign => "benign",
        }
    }

    /// In words.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::True => "an attack",
            Self::False => "nothing of the kind happened",
            Self::Benign => "it happened, and is allowed",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}
