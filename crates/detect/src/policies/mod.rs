//! Posture policies: what the inventory shows to be built or kept wrongly.
//!
//! A policy is an expression over the fields of an endpoint ([`FIELDS`]). No call is judged: from time to time, in packet time,
//! and at the end all endpoints are gone through, some with each call, and what holds is told once for each policy and
//! service. What is told lives on: see [`Stage`].

mod case;
mod configuration;
mod data;
mod exposure;
mod fields;
mod judge;
mod posture;
mod rules;
mod saved;
mod settings;
mod sweep;
mod transport;

pub use case::{Cases, Stage};
pub use fields::{EndpointField, FIELDS};
pub use judge::{Policies, PolicyCounters, Unjudged};
pub use posture::{Change, Offence, Posture};
pub use rules::{Acceptance, BadPolicy, Rule, Rules};
pub use saved::{Cursor, Loading};
pub use settings::{Settings, UserAcceptance, UserPolicy};

use crate::Severity;

/// A policy, as `tapwire list policies` and `tapwire explain` print it.
#[derive(Debug)]
pub struct PolicyInfo {
    /// Its name in events and in the configuration.
    pub id: &'static str,
    /// The finding's title.
    pub title: &'static str,
    /// What an endpoint did that it is about, behind "3 endpoints".
    pub says: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it is judged unless the configuration says otherwise.
    pub on: bool,
    /// Which endpoints it is about, as an expression over [`FIELDS`].
    pub rule: &'static str,
    /// Where it is demanded or described: OWASP API Security Top 10, CWE, PCI DSS 4.0.1, HIPAA (45 CFR), GDPR.
    pub references: &'static [&'static str],
    /// What to do, in a developer's words.
    pub fix: &'static str,
    /// A test that fails as long as it is not done.
    pub test: &'static str,
}

/// Every policy. To add one: its line here, and itself in the file of its topic.
pub static POLICIES: &[PolicyInfo] = &[
    exposure::SENSITIVE_WITHOUT_AUTHENTICATION,
    exposure::HEALTH_WITHOUT_AUTHENTICATION,
    exposure::SOMETIMES_AUTHENTICATED,
    exposure::PUBLIC_WRITE,
    exposure::PUBLIC_ADMIN,
    exposure::MANAGEMENT,
    exposure::PUBLIC_MCP,
    exposure::AROUND_GATEWAY,
    exposure::SHADOW,
    exposure::ZOMBIE,
    exposure::PERSONAL_WITHOUT_AUTHENTICATION,
    exposure::WRITE_WITHOUT_AUTHENTICATION,
    exposure::UNDOCUMENTED,
    data::CARD_SECRET_IN_ANSWER,
    data::CARD_IN_ANSWER,
    data::KEY_IN_ANSWER,
    data::PASSWORD_IN_ANSWER,
    data::SENSITIVE_IN_URL,
    data::PERSONAL_IN_URL,
    data::SENSITIVE_IN_NON_PRODUCTION,
    data::CARD_IN_NON_PRODUCTION,
    data::PERSONAL_IN_SHARED_CACHE,
    transport::PUBLIC_CLEAR_TEXT,
    transport::SENSITIVE_IN_CLEAR,
    transport::BASIC_IN_CLEAR,
    transport::EGRESS_IN_CLEAR,
    transport::OLD_TLS,
    transport::WEAK_CIPHER,
    transport::CERTIFICATE_EXPIRED,
    transport::CERTIFICATE_EXPIRES,
    transport::NO_HSTS,
    configuration::JWT_UNSIGNED,
    configuration::JWT_WITHOUT_EXPIRY,
    configuration::JWT_LONG_LIVED,
    configuration::COOKIE_WITHOUT_SECURE,
    configuration::COOKIE_WITHOUT_HTTPONLY,
    configuration::COOKIE_WITHOUT_SAMESITE,
    configuration::CORS_NULL,
    configuration::CORS_ANY,
    configuration::CORS_FOREIGN,
    configuration::VERBOSE_ERROR,
    configuration::DIRECTORY_LISTING,
    configuration::TRACE,
    configuration::INTROSPECTION,
    configuration::VERSION_SHOWN,
    configuration::NO_NOSNIFF,
];

#[cfg(test)]
mod tests;
