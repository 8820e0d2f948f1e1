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
    /// Which share of a service's exchanges was seen in an hour.
    Coverage,
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
            Self::Coverage => "sensor.coverage",
            Self::Summary => "sensor.summary",
        }
    }

    /// Every report, for `tapwire explain`.
    pub const ALL: [Self; 5] = [Self::Heartbeat, Self::Degraded, Self::Silent, Self::Coverage, Self::Summary];

    /// What it means, and what to do about it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Heartbeat => "The sensor is alive; its counters so far.",
            Self::Degraded => {
                "The sensor cannot keep up and leaves work out, in the order that the message names, or keeps up again. Give it \
                 more memory or a core of its own, or mirror less traffic to it."
            }
            Self::Silent => {
                "The sensor sees no traffic where it saw some. Look at the mirror and the interface."
            }
            Self::Coverage => {
                "Which share of a service's exchanges of one hour was seen: both heads captured and reported as a pair. Halves \
                 and what is missing between exchanges are found by TCP's sequence and acknowledgement numbers; the number of \
                 exchanges in missing bytes is estimated, and the interval holds the truth with 95 % confidence. Connections \
                 of which a mirror shows no packet at all leave no trace. Below 100 %: `tapwire doctor` says why."
            }
            Self::Summary => "The run ended; the counters of all of it.",
        }
    }

    /// OCSF's `severity_id`: medium for what needs action, else informational.
    pub(crate) const fn severity(self) -> i64 {
        match self {
            Self::Heartbeat | Self::Coverage | Self::Summary => 1,
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
