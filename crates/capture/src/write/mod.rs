//! Capture files written: for carved evidence, and for tests that need every variant of the formats.

mod pcap;
mod pcapng;

pub use self::pcap::{PcapWriter, Resolution};
pub use self::pcapng::{InterfaceDescription, Labels, PcapngWriter};
