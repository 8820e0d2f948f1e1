//! What an operator is told.

use std::io;

/// Why a source cannot be read, or nothing can be sent: one line.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The address makes no sense.
    #[error("'{text}': {why}")]
    Address {
        /// As it was typed.
        text: String,
        /// What is wrong with it, and what there is.
        why: &'static str,
    },
    /// It cannot be opened.
    #[error("{what}: {cause}")]
    Open {
        /// The address.
        what: String,
        /// The reason, and what to try.
        cause: String,
    },
    /// A certificate or key cannot be used.
    #[error("{setting}: {cause}")]
    Setting {
        /// The configuration's key, or the option.
        setting: String,
        /// The reason.
        cause: String,
    },
}

impl KeyError {
    pub(crate) fn open(what: &impl ToString, cause: impl ToString) -> Self {
        Self::Open { what: what.to_string(), cause: cause.to_string() }
    }

    pub(crate) fn setting(setting: impl ToString, cause: impl ToString) -> Self {
        Self::Setting { setting: setting.to_string(), cause: cause.to_string() }
    }
}

/// The system's reason without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::AddrInUse => "another program listens there".into(),
        _ => error.to_string(),
    }
}
