//! What an operator can set about decoding.

use serde::{Deserialize, Serialize};

/// What separates networks with the same addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tenant {
    /// Nothing: addresses are unique wherever they are seen.
    #[default]
    None,
    /// The innermost network identifier of VXLAN, NVGRE or GENEVE.
    Vni,
    /// The outermost VLAN. Only where both directions are tagged alike.
    Vlan,
    /// The interface or capture file. Only where each sees both directions.
    Interface,
}

/// Limits and choices of a [`Decoder`](crate::Decoder).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What separates networks with the same addresses: none, vni, vlan or interface.
    pub tenant: Tenant,
    /// UDP ports of VXLAN, beside 4789, 4790 and 8472.
    pub vxlan_ports: Vec<u16>,
    /// UDP ports of GENEVE, beside 6081.
    pub geneve_ports: Vec<u16>,
    /// Bytes of IP fragments that wait for the rest of their datagram, at least 256 KiB.
    pub fragment_memory: usize,
    /// Seconds of packet time that a datagram's fragments wait for the rest. Receivers wait 30 (Linux) to 60 (RFC 8200, 4.5).
    pub fragment_timeout: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tenant: Tenant::None,
            vxlan_ports: Vec::new(),
            geneve_ports: Vec::new(),
            fragment_memory: 4 << 20,
            fragment_timeout: 30,
        }
    }
}
