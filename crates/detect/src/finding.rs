//! What is wrong, why, and whether it worked.

use crate::RuleInfo;
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;
use std::sync::Arc;
use tapwire_inventory::EndpointId;
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// How bad it is, by OCSF's `severity_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Severity {
    /// Worth knowing.
    Informational = 1,
    /// Low.
    Low = 2,
    /// Medium.
    Medium = 3,
    /// High.
    High = 4,
    /// Critical.
    Critical = 5,
}

impl Severity {
    /// As OCSF captions it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }
}

/// Whether what was tried worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Outcome {
    /// It was tried; the answer was not seen or does not tell.
    Attempted,
    /// The server refused it.
    Blocked,
    /// It was answered without effect.
    NoEffect,
    /// The answer speaks for success.
    Likely,
    /// The traffic shows that it worked.
    Confirmed,
}

impl Outcome {
    /// How much it tells of success: a refusal least.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Blocked => 0,
            Self::NoEffect => 1,
            Self::Attempted => 2,
            Self::Likely => 3,
            Self::Confirmed => 4,
        }
    }

    /// As events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempted => "attempted",
            Self::Blocked => "blocked",
            Self::NoEffect => "no-effect",
            Self::Likely => "likely",
            Self::Confirmed => "confirmed",
        }
    }
}

/// Something that is wrong, as a detector says it. It names its detector; title, OWASP and CWE mapping stand in the
/// `DETECTORS` registry.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The detector's name in the registry; [`RULE`](crate::RULE) for what a user's rule found.
    pub detector: &'static str,
    /// The user's rule that found it.
    pub rule: Option<Arc<RuleInfo>>,
    /// Its identity: the same for the same input.
    pub uid: Uid,
    /// Packet time of the exchange that raised it.
    pub time: Timestamp,
    /// How bad.
    pub severity: Severity,
    /// 0 to 100.
    pub confidence: u8,
    /// Whether it worked.
    pub outcome: Outcome,
    /// One sentence with what was seen, against what, how often and since when. Holds no content of traffic but templates
    /// and parameter names.
    pub reason: String,
    /// The endpoint it is about.
    pub endpoint: Option<EndpointId>,
    /// The incident it belongs to.
    pub incident: Option<Uid>,
    /// The exchanges that show it, first, worst, last; at most 8.
    pub exchanges: Vec<Uid>,
}

impl Finding {
    /// The identity of what `finder` found in an exchange: sensors that see the same traffic name it alike. `about` tells
    /// findings apart that one exchange raises.
    pub fn identity(finder: &str, about: &[u8], exchange: Uid) -> Uid {
        let mut hash = SipHasher24::new();
        hash.write(finder.as_bytes());
        hash.write_u8(0);
        hash.write(about);
        hash.write_u8(0);
        hash.write(&exchange.0);
        Uid(hash.finish128().as_bytes())
    }

    /// What found it: the rule's title, else the detector's name.
    pub fn found_by(&self) -> &str {
        self.rule.as_ref().map_or(self.detector, |rule| &rule.title)
    }
}
