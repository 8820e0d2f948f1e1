//! What an operator can do something about.

use std::io;

/// Why a destination cannot be opened or written. Texts name the destination without credentials and query, and
/// say what to try.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// No sink has this scheme.
    #[error("no output for `{scheme}://`{}; known are {known}", nearest(.near))]
    UnknownScheme {
        /// As given.
        scheme: String,
        /// The registry, for people.
        known: String,
        /// The known scheme that differs least, if one is near.
        near: Option<&'static str>,
    },
    /// The destination cannot be understood.
    #[error("output {destination}: {reason}")]
    BadDestination {
        /// As given, without credentials and query.
        destination: String,
        /// What is wrong and what to give instead.
        reason: String,
    },
    /// A file cannot be opened.
    #[error("output {path}: {cause}")]
    Open {
        /// As given.
        path: String,
        /// What is wrong and what to try.
        cause: String,
    },
    /// Opened, but writing failed.
    #[error("writing to {destination}: {cause}")]
    Write {
        /// The path, or `standard output`.
        destination: String,
        /// The system's reason.
        cause: String,
    },
    /// A token, certificate or key that the configuration names cannot be used.
    #[error("{key}: {cause}")]
    Setting {
        /// The configuration key.
        key: &'static str,
        /// What is wrong and what to try.
        cause: String,
    },
    /// No answer came from the collector.
    #[error("collector {url} {cause} ({tries} {}){hint}", tries_word(.tries))]
    Unreachable {
        /// Without credentials and query.
        url: String,
        /// "refused the connection".
        cause: String,
        /// How often the request was tried.
        tries: u32,
        /// What to try, with its separator; may be empty.
        hint: &'static str,
    },
    /// The collector answered, and not with success.
    #[error("collector {url} answered {status} ({tries} {}){hint}", tries_word(.tries))]
    Refused {
        /// Without credentials and query.
        url: String,
        /// The HTTP status.
        status: u16,
        /// How often the request was tried.
        tries: u32,
        /// What to try, with its separator; may be empty.
        hint: &'static str,
    },
    /// The collector accepts events more slowly than they come.
    #[error("collector {url} is slower than the events come: the queue of {queue_bytes} bytes is full")]
    TooSlow {
        /// Without credentials and query.
        url: String,
        /// The bound that was reached.
        queue_bytes: usize,
    },
}

fn nearest(near: &Option<&'static str>) -> String {
    near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default()
}

fn tries_word(tries: &u32) -> &'static str {
    if *tries == 1 { "try" } else { "tries" }
}

/// The system's reason in the words of a person, without the error number.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull => "the disk is full".into(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".into(),
        io::ErrorKind::IsADirectory => "is a directory: name a file in it".into(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".into(),
        _ => error.to_string(),
    }
}
