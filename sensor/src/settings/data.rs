//! What is kept under `--data`.

use serde::{Deserialize, Serialize};

/// `[packets]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Packets {
    /// Bytes of packets kept under `--data`, encrypted, for `tapwire carve`; 0 keeps none. A quarter is for what findings
    /// are about.
    pub(crate) budget: String,
}

impl Default for Packets {
    fn default() -> Self {
        Self { budget: "0".into() }
    }
}

/// `[events]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Events {
    /// Which of them are kept under `--data`, beside what goes to outputs.
    pub(crate) keep: Keep,
    /// Whether those that are kept become tables for `tapwire sql`, too, in builds that have the lake.
    pub(crate) lake: bool,
}

impl Default for Events {
    fn default() -> Self {
        Self { keep: Keep::default(), lake: true }
    }
}

/// What is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Keep {
    /// Exchanges, findings, and what a tap says about itself.
    #[default]
    All,
    /// The same without exchanges.
    Findings,
    /// Nothing.
    None,
}

/// `[state]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct State {
    /// Seconds between two checkpoints of what a run learns; 0: only when it ends.
    pub(crate) every: u32,
}

impl Default for State {
    fn default() -> Self {
        Self { every: 60 }
    }
}

impl State {
    pub(crate) fn every(&self) -> Option<std::time::Duration> {
        (self.every > 0).then(|| std::time::Duration::from_secs(self.every.into()))
    }
}
