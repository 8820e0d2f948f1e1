//! What rules found, by rule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tapwire_detect::{CallRules, Finding, RuleCounters};
use tapwire_inventory::Call;
use tapwire_rules::{Names, Subject};
use tapwire_wire::Timestamp;

/// Findings of one rule that are kept; more are counted.
const MOST_HITS: usize = 200_000;

/// Callers and exchanges that an answer names.
pub(super) const MOST_NAMED: usize = 1_000;

/// A finding of a rule.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) time: Timestamp,
    pub(super) principal: Option<String>,
    pub(super) uids: Vec<String>,
}

/// Findings by rule.
#[derive(Debug, Default)]
pub(super) struct Hits {
    by_rule: BTreeMap<String, Vec<Hit>>,
    /// Findings that found no room.
    pub(super) cut: u64,
    /// Calls that were judged.
    pub(super) judged: u64,
    /// The first and the last of them.
    pub(super) times: Option<(Timestamp, Timestamp)>,
}

/// Those of one rule within a time.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) hits: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    pub(super) principals: BTreeSet<String>,
    /// Exchanges, once each, in the order of findings.
    pub(super) uids: Vec<String>,
}

impl Hits {
    /// Counts a call that is judged.
    pub(super) fn judged(&mut self, time: Timestamp) {
        self.judged += 1;
        let (first, last) =
            self.times.map_or((time, time), |(first, last)| (first.min(time), last.max(time)));
        self.times = Some((first, last));
    }

    /// Takes what a call raised.
    pub(super) fn take(&mut self, findings: impl Iterator<Item = Finding>, principal: Option<&str>) {
        for finding in findings {
            let Some(rule) = &finding.rule else { continue };
            let hits = self.by_rule.entry(rule.id.clone()).or_default();
            if hits.len() >= MOST_HITS {
                self.cut += 1;
                continue;
            }
            hits.push(Hit {
                time: finding.time,
                principal: principal.map(str::to_owned),
                uids: finding.exchanges.iter().map(ToString::to_string).collect(),
            });
        }
    }

    /// Those of a rule from then on, until then.
    pub(super) fn of(&self, rule: &str, from: Timestamp, until: Timestamp) -> Sum {
        let mut sum = Sum::default();
        let mut named = BTreeSet::new();
        let hits = self.by_rule.get(rule).map_or(&[][..], Vec::as_slice);
        for hit in hits.iter().filter(|hit| (from..=until).contains(&hit.time)) {
            sum.hits += 1;
            sum.first = Some(sum.first.map_or(hit.time, |first| first.min(hit.time)));
            sum.last = sum.last.max(Some(hit.time));
            if sum.principals.len() < MOST_NAMED {
                sum.principals.extend(hit.principal.clone());
            }
            for uid in &hit.uids {
                if sum.uids.len() < MOST_NAMED && named.insert(uid.clone()) {
                    sum.uids.push(uid.clone());
                }
            }
        }
        sum
    }
}

/// Rules whose findings are kept aside.
pub(super) struct Watched {
    pub(super) inner: Box<dyn CallRules>,
    pub(super) names: Names,
    pub(super) hits: Arc<Mutex<Hits>>,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl CallRules for Watched {
    fn judge(&mut self, call: &Call, out: &mut Vec<Finding>) {
        let before = out.len();
        self.inner.judge(call, out);
        let mut hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        let exchange = &call.observation.exchange;
        if exchange.child.is_none() && exchange.request_head().is_some() {
            hits.judged(exchange.started());
        }
        if out.len() > before {
            let principal = self.principal(call);
            hits.take(out.drain(before..), principal.as_deref());
        }
    }

    fn counters(&self) -> RuleCounters {
        self.inner.counters()
    }
}

impl Watched {
    /// Who calls, as events and rules name it.
    fn principal(&self, call: &Call) -> Option<String> {
        let subject = Subject::new(call);
        match self.names.find("principal")?.value(&subject) {
            tapwire_expr::Value::Text(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            _ => None,
        }
    }
}
