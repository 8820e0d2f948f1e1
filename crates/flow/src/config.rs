//! What an operator can set about flows.

/// Limits and timeouts of the flow table. Times are seconds of packet time.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes for flow records, hot and cold, and for what the listener keeps of their connections; a share of the
    /// process's bound.
    #[serde(skip)]
    pub memory: usize,
    /// Bytes for out-of-order payload that waits for a hole to fill.
    #[serde(skip)]
    pub out_of_order_memory: usize,
    /// Out-of-order bytes that one direction may hold before its first hole is declared a gap.
    pub out_of_order_per_direction: usize,
    /// Connections on which nothing is open and that keep what makes their next exchange quick: more than are active at
    /// the same time on one lane, and few enough that what they keep is small. The others rest. No output depends on
    /// it, but for what is known of the last segments of a connection that rested.
    #[serde(skip)]
    pub awake: usize,
    /// Forget a connection that has only shown a SYN.
    pub syn_timeout: u32,
    /// Forget a connection without packets.
    pub idle_timeout: u32,
    /// The same while an exchange is open.
    pub open_timeout: u32,
    /// The same for WebSocket, server-sent events and other long-lived uses.
    pub long_lived_timeout: u32,
    /// Forget a connection after both FINs.
    pub fin_timeout: u32,
    /// Keep the tombstone of a reset connection, so that late packets do not open it anew.
    pub rst_timeout: u32,
    /// Milliseconds of packet time after which a hole with later data is a gap. `None` for files, where only evidence
    /// counts.
    #[serde(skip)]
    pub gap_after_ms: Option<u32>,
    /// Deliver segments whose checksum is bad even from senders that are normally right.
    pub accept_bad_checksums: bool,
    /// Whether usual segments take a short way through the table. No output depends on it; it is off only where the
    /// two ways are compared.
    #[serde(skip)]
    pub shortcuts: bool,
    /// Seeds the hash of flow keys and payloads, so that nobody outside can aim for collisions. No output depends on
    /// it.
    #[serde(skip)]
    pub hash_seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            out_of_order_memory: 100 << 20,
            out_of_order_per_direction: 1 << 20,
            awake: 16_384,
            syn_timeout: 10,
            idle_timeout: 300,
            open_timeout: 900,
            long_lived_timeout: 1_800,
            fin_timeout: 5,
            rst_timeout: 2,
            gap_after_ms: None,
            accept_bad_checksums: false,
            shortcuts: true,
            hash_seed: 0x7461_7077_6972_6531,
        }
    }
}
