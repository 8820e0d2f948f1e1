//! What the console may do.

use super::LEAST_MEMORY;
use crate::failure::Failure;
use crate::size::parse_bytes;
use serde::{Deserialize, Serialize};

/// `[console]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Console {
    /// Where `tapwire serve` answers, unless `--listen` says something else.
    pub(crate) listen: String,
    /// Queries of its users.
    pub(crate) hunt: Hunt,
    /// Looking again at what was captured.
    pub(crate) look: Look,
}

impl Default for Console {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8470".into(), hunt: Hunt::default(), look: Look::default() }
    }
}

/// `[console.hunt]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Hunt {
    /// Rows of an answer.
    pub(crate) rows: usize,
    /// Seconds until it has to be there.
    pub(crate) seconds: u64,
    /// Bytes of an answer; eight of them are held.
    pub(crate) bytes: String,
    /// Bytes of memory for all queries together, beside what `memory` bounds.
    pub(crate) memory: String,
}

impl Default for Hunt {
    fn default() -> Self {
        Self { rows: 10_000, seconds: 30, bytes: "4MiB".into(), memory: "128MiB".into() }
    }
}

impl Hunt {
    /// Bytes of an answer, and of memory.
    pub(crate) fn sizes(&self) -> Result<(usize, usize), Failure> {
        let size = |name: &str, text: &str| {
            let bad = || {
                Failure::new(format!(
                    "console.hunt.{name} = {text}: a size is a number and a unit, such as 4MiB"
                ))
            };
            parse_bytes(text).ok_or_else(bad)
        };
        Ok((size("bytes", &self.bytes)?, size("memory", &self.memory)?))
    }

    /// What would let no query through is refused.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let (bytes, memory) = self.sizes()?;
        match self.rows == 0 || self.seconds == 0 || bytes == 0 || memory < 1 << 20 {
            true => Err(Failure::new(
                "console.hunt: rows, seconds and bytes are at least 1, and memory is at least 1MiB",
            )),
            false => Ok(()),
        }
    }
}

/// `[console.look]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Look {
    /// Seconds until an exchange is found, or a blast radius counted.
    pub(crate) seconds: u64,
    /// Bytes of memory for each of the two, beside what `memory` bounds.
    pub(crate) memory: String,
}

impl Default for Look {
    fn default() -> Self {
        Self { seconds: 60, memory: "256MiB".into() }
    }
}

impl Look {
    /// What nothing could be found with is refused.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match (self.seconds, parse_bytes(&self.memory)) {
            (1.., Some(bytes)) if bytes >= LEAST_MEMORY => Ok(()),
            _ => Err(Failure::new("console.look: seconds is at least 1, and memory at least 64MiB")),
        }
    }
}
