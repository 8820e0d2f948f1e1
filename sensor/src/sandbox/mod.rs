//! What the process can still do when it has opened what it needs: which files it reaches (landlock), and which calls it may
//! make (seccomp). A fault in what reads traffic then meets a process that starts no program and reads no other file.

mod calls;
mod files;
mod reach;

pub(crate) use reach::Reach;

use serde::{Deserialize, Serialize};
use std::fmt;

/// `sandbox`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sandbox {
    /// As far as the kernel can.
    #[default]
    On,
    /// Not at all.
    Off,
}

/// What came of it. Its text is one line for the operator.
#[derive(Debug)]
pub(crate) struct Confined {
    /// Landlock's version, or why files are not confined.
    files: Result<String, String>,
    /// Why calls are not.
    calls: Result<(), String>,
}

/// Confines this thread and those that it starts to `reach`, for good. Threads that run already keep their files: call it before
/// there are any. A kernel that cannot is no error: what was not possible is part of the answer.
pub(crate) fn confine(sandbox: Sandbox, reach: &Reach) -> Option<Confined> {
    // Files first: the calls that confine them are needed for it.
    (sandbox == Sandbox::On).then(|| Confined { files: files::confine(reach), calls: calls::confine(reach) })
}

/// The same, and says what came of it.
pub(crate) fn confine_and_tell(sandbox: Sandbox, reach: &Reach, quiet: bool) {
    let confined = confine(sandbox, reach);
    if !quiet {
        match confined {
            Some(confined) => eprintln!("tapwire: {confined}"),
            None => eprintln!("tapwire: sandbox: off, by the configuration"),
        }
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.files {
            Ok(version) => write!(f, "sandbox: files by landlock {version}")?,
            Err(why) => write!(f, "sandbox: files are not confined ({why})")?,
        }
        match &self.calls {
            Ok(()) => f.write_str(", calls by seccomp"),
            Err(why) => write!(f, ", calls are not confined ({why})"),
        }
    }
}

#[cfg(test)]
mod tests;
