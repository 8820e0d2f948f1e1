//! What the sensor says about itself.

use tapwire_wire::Timestamp;

/// Which report it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SensorCode {
    /// It is alive, with its counters.
    Heartbeat,
    /// It sheds or loses something.
    Degraded,
    /// It sees no traffic where it should.
    Silent,
    /// The run ended, with the counters of all of it.
    Summary,
}

impl SensorCode {
    /// As `metadata.event_code` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "sensor.heartbeat",
            Self::Degraded => "sensor.degraded",
            Self::Silent => "sensor.silent",
            Self::Summary => "sensor.summary",
        }
    }

    /// OCSF's `severity_id`: medium for what needs action, else informational.
    pub(crate) const fn severity(self) -> i64 {
        match self {
            Self::Heartbeat | Self::Summary => 1,
            Self::Degraded | Self::Silent => 3,
        }
    }
}

/// A report of the sensor about itself. It holds nothing from traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorReport {
    /// Which report.
    pub code: SensorCode,
    /// Packet time at which it holds.
    pub time: Timestamp,
    /// One sentence for people.
    pub message: String,
    /// Counters by name, in the order they are written.
    pub counters: Vec<(&'static str, u64)>,
}
