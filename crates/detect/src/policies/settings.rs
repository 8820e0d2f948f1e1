//! What an operator writes about policies.

use serde::{Deserialize, Serialize};

/// `[[policy]]`: a policy of one's own, or what is to be different of one that is built in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserPolicy {
    /// Its name: small letters, digits and `-`.
    pub id: String,
    /// The finding's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What an endpoint did that it is about, behind "3 endpoints".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// informational, low, medium, high or critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Whether it is judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Which endpoints it is about.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Where it is demanded or described.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// A test that fails as long as it is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
}

/// `[[accept]]`: a finding that somebody takes responsibility for, until a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserAcceptance {
    /// The policy.
    pub policy: String,
    /// The service.
    pub service: String,
    /// One endpoint: its id, or `GET /orders/{orderId}`; all of the service's without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Who accepts it.
    pub who: String,
    /// Why.
    pub why: String,
    /// Until when: `2027-01-31`, the beginning of that day in UTC, or RFC 3339.
    pub until: String,
}

/// `[policies]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Seconds of packet time between two looks at all endpoints.
    pub every: u32,
    /// Calls without a violation that verify that a finding is fixed.
    pub verified_after: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { every: 600, verified_after: 100 }
    }
}
