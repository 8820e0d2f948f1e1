//! What the sensor says about itself.

use crate::known::KnownEndpoint;
use std::sync::Arc;
use tapwire_protocol::Anomalies;
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
    /// A service stopped while its neighbours go on, or goes on again.
    ServiceSilent,
    /// What is known of a service behind TLS that was not decrypted.
    BehindTls,
    /// What is known of a service's endpoints beside their calls.
    Endpoints,
    /// Which detectors could not judge, and what they waited for.
    NotJudged,
    /// The run ended, with the counters of all of it.
    Summary,
    /// A sensor's token for its collector ends soon, or has ended.
    TokenEnds,
}

impl SensorCode {
    /// As `metadata.event_code` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "sensor.heartbeat",
            Self::Degraded => "sensor.degraded",
            Self::Silent => "sensor.silent",
            Self::Coverage => "sensor.coverage",
            Self::ServiceSilent => "service.silent",
            Self::BehindTls => "service.behind-tls",
            Self::Endpoints => "service.endpoints",
            Self::NotJudged => "sensor.not-judged",
            Self::Summary => "sensor.summary",
            Self::TokenEnds => "sensor.token-ends",
        }
    }

    /// Every report, for `tapwire explain`.
    pub const ALL: [Self; 10] = [
        Self::Heartbeat,
        Self::Degraded,
        Self::Silent,
        Self::ServiceSilent,
        Self::Coverage,
        Self::BehindTls,
        Self::Endpoints,
        Self::NotJudged,
        Self::Summary,
        Self::TokenEnds,
    ];

    /// What it means, and what to do about it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Heartbeat => "The sensor is alive; its counters so far.",
            Self::Degraded => {
                "The sensor cannot keep up and leaves work out, in the order that the message names, or keeps up again: give it \
                 more memory or a core of its own, or mirror less traffic to it. Or an interface went down, was removed, or is \
                 back: what passed meanwhile was not seen."
            }
            Self::Silent => {
                "No packet came for `heartbeat.silent_after` seconds, or packets come again. Look at the mirror and the \
                 interface."
            }
            Self::ServiceSilent => {
                "A service with steady traffic (`heartbeat.service_least` exchanges in every 15th of \
                 `heartbeat.service_window`) had none for five times its longest pause and `heartbeat.service_after` seconds, \
                 while most of the other steady services went on; or it goes on again. Look whether it is down, or moved out of \
                 sight of the mirror. When all stop at once, it is the mirror: `sensor.silent`."
            }
            Self::Coverage => {
                "Which share of a service's exchanges of one hour was seen: both heads captured and reported as a pair. Halves \
                 and what is missing between exchanges are found by TCP's sequence and acknowledgement numbers; the number of \
                 exchanges in missing bytes is estimated, and the interval holds the truth with 95 % confidence. Connections \
                 of which a mirror shows no packet at all leave no trace. Below 100 %: `tapwire doctor` says why."
            }
            Self::BehindTls => {
                "A service whose connections are encrypted: who it is by the name that clients ask for, and how many exchanges \
                 it had, estimated from sizes and turns of TLS records. They are no exchanges that were seen. With keys \
                 (`--keylog`) they would be: counters say how many connections had none, or wrong ones."
            }
            Self::Endpoints => {
                "What the sensor knows of endpoints of a service beside their calls: states, exposure and threat with what adds to \
                 them, owner, zone and tags. Each is told when one of these changed, once a day, and as it is at the end of a run. \
                 In the format ocsf alone; a collector's inventory is made of it."
            }
            Self::NotJudged => {
                "Which detectors could not judge, or not from the first call on, and how much of what they need was seen, at the \
                 end of a run. That nothing was found by them says nothing. A run that goes on, `--two-pass` and `--learn-from` \
                 know more."
            }
            Self::Summary => "The run ended; the counters of all of it.",
            Self::TokenEnds => {
                "The token by which a sensor sends to its collector ends within 30 days, or has ended. `tapwire sensor add NAME \
                 --renew` on the collector makes another; until the sensor has it, what it senses waits in its spool."
            }
        }
    }

    /// OCSF's `severity_id`: medium for what needs action, else informational.
    pub(crate) const fn severity(self) -> i64 {
        match self {
            Self::Heartbeat
            | Self::Coverage
            | Self::BehindTls
            | Self::Endpoints
            | Self::NotJudged
            | Self::Summary => 1,
            Self::Degraded | Self::Silent | Self::ServiceSilent | Self::TokenEnds => 3,
        }
    }
}

/// What a report says in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Words of the sensor and of the protocol: versions, cipher suites, fingerprints.
    Own(Vec<String>),
    /// Names of hosts, as traffic has them: they leave redacted.
    Hosts(Vec<String>),
    /// A name of something else out of traffic: it leaves redacted.
    Name(String),
    /// Endpoints of the service: their names leave redacted.
    Endpoints(Vec<KnownEndpoint>),
}

/// A report of the sensor about itself. It holds nothing from traffic but names, which leave redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorReport {
    /// Which report.
    pub code: SensorCode,
    /// Packet time at which it holds.
    pub time: Timestamp,
    /// One sentence for people.
    pub message: String,
    /// The service it is about, as traffic names it: it leaves redacted, and stands before the message.
    pub service: Option<Arc<str>>,
    /// Why a service was not read, as far as that is known.
    pub anomalies: Anomalies,
    /// What is known beside counters, by name, in the order it is written.
    pub told: Vec<(&'static str, Told)>,
    /// Counters by name, in the order they are written.
    pub counters: Vec<(&'static str, u64)>,
}
