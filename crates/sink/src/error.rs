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
    /// What waits cannot be read now.
    #[error("reading {destination}: {cause}")]
    Read {
        /// What is read.
        destination: String,
        /// The system's reason.
        cause: String,
    },
    /// The spool has reached its cap.
    #[error(
        "the spool of {destination} has reached its {bytes} bytes: the oldest of what matters least is dropped (`sink.spool.bytes` allows more)"
    )]
    SpoolFull {
        /// Without credentials and query.
        destination: String,
        /// The cap.
        bytes: u64,
    },
    /// Something of the spool cannot be read.
    #[error("{}: {bytes} bytes of the spool cannot be read{}", path.display(), events_lost(.events))]
    SpoolDamaged {
        /// The file, or where it was put aside.
        path: std::path::PathBuf,
        /// Events that are lost, as far as known.
        events: u64,
        /// Bytes that are no record.
        bytes: u64,
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
    /// An event that no message of the protocol can hold.
    #[error(
        "{url} cannot take an event of {bytes} bytes: `--detail lean` makes them shorter, and TCP has no limit"
    )]
    TooLong {
        /// Without credentials and query.
        url: String,
        /// Its length.
        bytes: usize,
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

fn events_lost(events: &u64) -> String {
    match events {
        0 => " (a write that a kill left torn, or damage on disk)".into(),
        _ => format!("; {events} events are lost"),
    }
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
