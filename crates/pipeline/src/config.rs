//! What an operator can set about threads and memory.

/// Everything the stages are built from.
#[derive(Debug, Clone)]
pub struct Config {
    /// Inspector threads; 0 runs everything on the capture thread.
    pub threads: usize,
    /// Whether exchanges are inspected, learned from and judged; otherwise they are only reported.
    pub analysis: bool,
    /// Stop after so many reported exchanges.
    pub max_exchanges: Option<u64>,
    /// Bytes of exchanges and body parts between the capture thread and the analyst.
    pub in_flight_bytes: usize,
    /// Tunnels, tenants and IP fragments.
    pub wire: tapwire_wire::Config,
    /// Flow table and reassembly.
    pub flow: tapwire_flow::Config,
    /// Protocol parsers.
    pub protocol: tapwire_protocol::Config,
    /// Payload inspection.
    pub inspect: tapwire_inspect::Config,
    /// What is learned.
    pub inventory: tapwire_inventory::Config,
    /// Detectors.
    pub detect: tapwire_detect::Config,
}
