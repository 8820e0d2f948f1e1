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

/// `[lake]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Lake {
    /// Days that each table is kept; 0: for good.
    pub(crate) days: Days,
    /// Bytes of all tables, such as 400GiB: beyond them the oldest exchanges go, never findings or incidents. 0: no limit.
    pub(crate) bytes: String,
    /// Minutes that a file stays on the disk after it was taken out of its table, for those who read it.
    pub(crate) grace_minutes: u32,
    /// Seconds between two rounds in which a tap keeps its tables; 0: only `tapwire lake maintain` does.
    pub(crate) every: u32,
}

impl Default for Lake {
    fn default() -> Self {
        Self { days: Days::default(), bytes: "0".into(), grace_minutes: 60, every: 600 }
    }
}

/// `[lake.days]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Days {
    pub(crate) exchanges: u32,
    pub(crate) findings: u32,
    pub(crate) incidents: u32,
    pub(crate) usage: u32,
    pub(crate) endpoints: u32,
    pub(crate) kpis: u32,
    pub(crate) sensors: u32,
}

impl Default for Days {
    fn default() -> Self {
        Self {
            exchanges: 14,
            findings: 400,
            incidents: 400,
            usage: 400,
            endpoints: 400,
            kpis: 400,
            sensors: 400,
        }
    }
}

/// `[collect]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Collect {
    /// Seconds after which events that were received are in the tables.
    pub(crate) commit: u32,
    /// Bytes of events that were acknowledged and are not in the tables yet, on disk; beyond them sensors have to wait.
    pub(crate) journal: String,
}

impl Default for Collect {
    fn default() -> Self {
        Self { commit: 30, journal: "1GiB".into() }
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

/// `[streams]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Streams {
    /// Messages that one stream tells in a second of packet time; further ones are counted. 0: only its end.
    pub(crate) children_per_second: u32,
}

impl Default for Streams {
    fn default() -> Self {
        Self { children_per_second: tapwire_protocol::Config::default().children_per_second }
    }
}
