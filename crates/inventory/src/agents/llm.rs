//! Language models: who asks them how much, and which tools they may use and do use.

use super::{Asked, fact, list, truth};
use crate::Callers;
use std::collections::BTreeMap;
use tapwire_inspect::Fact;
use tapwire_wire::Timestamp;

/// Names of tools of one model, for those offered and for those called.
const MAX_TOOLS: usize = 64;

/// Names with how often they came.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Names {
    counts: BTreeMap<Box<str>, u64>,
    /// How often names came for which there was no room.
    pub beyond: u64,
}

impl Names {
    /// The names, sorted. Content: they leave only through redaction.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(name, count)| (&**name, *count))
    }

    fn add(&mut self, names: &[Fact]) {
        for fact in names {
            let Fact::Name(name) = fact else { continue };
            if let Some(count) = self.counts.get_mut(name.as_str()) {
                *count += 1;
            } else if self.counts.len() < MAX_TOOLS {
                self.counts.insert(name.as_str().into(), 1);
            } else {
                self.beyond += 1;
            }
        }
    }
}

/// A model as one service serves it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Model {
    /// Packet time of its first call.
    pub first_seen: Timestamp,
    /// Packet time of its last call.
    pub last_seen: Timestamp,
    /// Calls.
    pub calls: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of these, answered in pieces.
    pub streamed: u64,
    /// Who called.
    pub callers: Callers,
    /// Tokens of what was asked, where answers say.
    pub input_tokens: u64,
    /// Tokens of what was answered, likewise.
    pub output_tokens: u64,
    /// Tools that callers let it use, with the calls that did.
    pub offered: Names,
    /// Tools that it asked for, likewise.
    pub called: Names,
}

impl Model {
    pub(super) fn new(time: Timestamp) -> Self {
        Self {
            first_seen: time,
            last_seen: time,
            calls: 0,
            failed: 0,
            streamed: 0,
            callers: Callers::default(),
            input_tokens: 0,
            output_tokens: 0,
            offered: Names::default(),
            called: Names::default(),
        }
    }

    pub(super) fn learn(&mut self, asked: &Asked<'_>) {
        self.first_seen = self.first_seen.min(asked.time);
        self.last_seen = self.last_seen.max(asked.time);
        if asked.is_call {
            self.calls += 1;
            self.failed += u64::from(asked.failed);
            self.streamed += u64::from(truth(asked.facts, "streamed"));
            self.callers.add(asked.caller);
        }
        let tokens = |name| match fact(asked.facts, name) {
            Some(Fact::Count(count)) => *count,
            _ => 0,
        };
        self.input_tokens = self.input_tokens.saturating_add(tokens("input_tokens"));
        self.output_tokens = self.output_tokens.saturating_add(tokens("output_tokens"));
        self.offered.add(list(asked.facts, "tools"));
        self.called.add(list(asked.facts, "tool_calls"));
    }
}
