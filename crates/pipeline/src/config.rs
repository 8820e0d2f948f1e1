//! What an operator can set about threads and memory.

use crate::Secrets;
use std::time::Duration;

/// Signs of life of a tap, by this machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// How often it says that it lives; zero: never.
    pub every: Duration,
    /// After how long without a packet it says that it hears nothing; zero: never.
    pub silent_after: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { every: Duration::from_secs(60), silent_after: Duration::from_secs(300) }
    }
}

/// Everything the stages are built from.
#[derive(Debug, Clone)]
pub struct Config {
    /// Inspector threads; 0 runs everything on the capture thread.
    pub threads: usize,
    /// Whether exchanges are inspected, learned from and judged; otherwise they are only reported.
    pub analysis: bool,
    /// Whether what is wrong is told; otherwise calls are only learned from.
    pub tells: bool,
    /// Stop after so many reported exchanges.
    pub max_exchanges: Option<u64>,
    /// Bytes of exchanges and body parts between the capture thread and the analyst.
    pub in_flight_bytes: usize,
    /// Signs of life, on a tap.
    pub heartbeat: Heartbeat,
    /// Tunnels, tenants and IP fragments.
    pub wire: tapwire_wire::Config,
    /// Flow table and reassembly.
    pub flow: tapwire_flow::Config,
    /// Secrets of encrypted traffic.
    pub secrets: Secrets,
    /// Protocol parsers.
    pub protocol: tapwire_protocol::Config,
    /// Payload inspection.
    pub inspect: tapwire_inspect::Config,
    /// What is learned.
    pub inventory: tapwire_inventory::Config,
    /// What files say of the network, where it changes while a run goes on.
    pub context: crate::ContextFeed,
    /// Detectors.
    pub detect: tapwire_detect::Config,
    /// Policies that are judged, and what of them is accepted.
    pub rules: tapwire_detect::policies::Rules,
    /// Findings that are not told.
    pub mutes: Vec<crate::Mute>,
    /// Those that take their place while a run goes on.
    pub mute_feed: crate::MuteFeed,
    /// Whose calls are looked at for what they gave away.
    pub radius: Option<tapwire_detect::radius::Radius>,
    /// When policies are judged.
    pub policies: tapwire_detect::policies::Settings,
    /// Both, where they change while a run goes on.
    pub policy_feed: crate::PolicyFeed,
    /// Users' rules, those of the start included.
    pub rule_feed: crate::RuleFeed,
}
