//! What users' rules bring into detection: what a finding says of its rule, and what judges calls by rules.

use crate::Finding;
use std::any::Any;
use tapwire_inventory::Call;

/// What the finding of a user's rule says of it: the operator's own words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleInfo {
    /// The rule's id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: Option<String>,
    /// Its tags, as written.
    pub tags: Vec<String>,
    /// Techniques of MITRE ATT&CK among them, such as `T1190.001`.
    pub techniques: Vec<String>,
    /// When it is wrong, as its author says.
    pub false_positives: Vec<String>,
}

/// The name that findings of rules have in the place of a detector's.
pub const RULE: &str = "rule";

/// What became of calls and groups so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleCounters {
    /// Rules that calls are judged by, correlations with them.
    pub rules: u64,
    /// Calls judged.
    pub judged: u64,
    /// Findings raised.
    pub findings: u64,
    /// Groups that correlations keep.
    pub groups: u64,
    /// Groups that made room for others before their time was over.
    pub evicted_groups: u64,
    /// Texts longer than what is looked at.
    pub cut_texts: u64,
}

/// Judges calls by users' rules, after the detectors.
pub trait CallRules: Send + std::fmt::Debug {
    /// Judges a call; `out` holds what detectors found in it, and takes what rules find.
    fn judge(&mut self, call: &Call, out: &mut Vec<Finding>);

    /// What became of calls so far.
    fn counters(&self) -> RuleCounters;

    /// What correlations hold, for the rules that take over when they were read again.
    fn hand_over(&mut self) -> Option<Box<dyn Any + Send>> {
        None
    }

    /// Goes on with what the rules before held, as far as they are the same.
    fn take_over(&mut self, _held: Box<dyn Any + Send>, _before: RuleCounters) {}
}
