//! Judges calls by the rules that apply.

use crate::Names;
use crate::Subject;
use crate::event::{CallEvent, Grouped};
use crate::groups::Groups;
use crate::percentiles::Percentiles;
use rsigma_eval::{
    CorrelationBody, CorrelationEngine, CorrelationSnapshot, DetectionBody, EvaluationResult, Event,
    ResultBody,
};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tapwire_detect::{
    CallRules, Finding, HeldGroups, Outcome, RULE, RuleCounters, RuleInfo, RulePieces, Severity,
};
use tapwire_inspect::TokenKey;
use tapwire_inventory::{Call, EndpointId};
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// Exchanges that a finding names.
pub(crate) const MAX_EXCHANGES: usize = 8;

/// Bytes of a rule's description that its findings tell.
const MAX_DESCRIPTION: usize = 300;

/// What a rule gives its findings.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) info: Arc<RuleInfo>,
    pub(crate) severity: Severity,
    /// By how well its author says it is tried.
    pub(crate) confidence: u8,
}

/// The exchange that a finding is of.
pub(crate) struct At {
    pub(crate) uid: Uid,
    pub(crate) time: Timestamp,
    pub(crate) status: Option<u16>,
    pub(crate) endpoint: Option<EndpointId>,
}

/// What correlations held when rules were read again.
struct Held {
    windows: CorrelationSnapshot,
    /// By correlation what it reckons: groups of one that reckons otherwise are of no use.
    reckoning: BTreeMap<String, String>,
}

/// Judges calls by the rules that apply.
pub struct Judge {
    pub(crate) engine: CorrelationEngine,
    pub(crate) known: BTreeMap<String, Known>,
    pub(crate) reckoning: BTreeMap<String, String>,
    /// Shared, so that a call that is looked at does not hold the rest.
    pub(crate) names: Arc<Names>,
    pub(crate) groups: Groups,
    pub(crate) percentiles: Percentiles,
    /// Fields that correlations reckon with.
    pub(crate) numbers: BTreeSet<String>,
    /// What texts of groups are hashed with.
    key: [u8; 16],
    pub(crate) counters: RuleCounters,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

impl Judge {
    pub(crate) fn new(
        engine: CorrelationEngine,
        known: BTreeMap<String, Known>,
        reckoning: BTreeMap<String, String>,
        percentiles: Percentiles,
        numbers: BTreeSet<String>,
    ) -> Self {
        let counters = RuleCounters { rules: known.len() as u64, ..RuleCounters::default() };
        Self {
            engine,
            known,
            reckoning,
            names: Arc::default(),
            groups: Groups::default(),
            percentiles,
            numbers,
            key: [0; 16],
            counters,
        }
    }

    /// What holds of an event: rules and, where they come to it, correlations.
    fn results(&mut self, call: &Call) -> Vec<EvaluationResult> {
        let subject = Subject::new(call);
        let names = Arc::clone(&self.names);
        let event = CallEvent { subject: &subject, names: &names };
        let found = self.engine.evaluate(&event);
        self.counters.cut_texts += subject.cut.get();
        let now = call.observation.exchange.started().nanos() / 1_000_000_000;
        self.counted(&event, found, now)
    }

    /// The same with correlations, where these come to it.
    pub(crate) fn counted(
        &mut self,
        event: &impl Event,
        found: Vec<EvaluationResult>,
        now: i64,
    ) -> Vec<EvaluationResult> {
        if found.is_empty() || self.reckoning.is_empty() {
            return found;
        }
        self.groups.make_room(&mut self.engine, now, self.reckoning.len());
        let grouped = Grouped { call: event, key: &self.key, numbers: &self.numbers };
        let mut found = self.engine.process_with_detections(&grouped, found, now);
        found.retain(|result| self.percentiles.hold(result, now));
        found
    }

    pub(crate) fn finding(&self, result: &EvaluationResult, at: &At) -> Option<Finding> {
        let known = self.known.get(result.header.rule_id.as_ref()?)?;
        let (uid, info) = (at.uid, &known.info);
        let (about, matched, exchanges) = match &result.body {
            ResultBody::Detection(body) => (String::new(), held(&info.title, body), vec![uid]),
            ResultBody::Correlation(body) => {
                (format!("{:?}", body.group_key), counted(&info.title, body), calls(body, uid))
            }
        };
        let reason = matched + &described(info);
        Some(Finding {
            detector: RULE,
            rule: Some(Arc::clone(&known.info)),
            uid: Finding::identity(&known.info.id, about.as_bytes(), uid),
            time: at.time,
            severity: known.severity,
            confidence: known.confidence,
            outcome: outcome(at.status),
            reason,
            endpoint: at.endpoint,
            incident: None,
            exchanges,
        })
    }
}

impl CallRules for Judge {
    fn judge(&mut self, call: &Call, out: &mut Vec<Finding>) {
        // What its heads say was judged with the exchange that carries it.
        if call.observation.exchange.child.is_some() || call.observation.exchange.request_head().is_none() {
            return;
        }
        self.counters.judged += 1;
        let results = self.results(call);
        let exchange = &call.observation.exchange;
        let at = At {
            uid: exchange.uid(),
            time: exchange.started(),
            status: exchange.response_head().and_then(|head| head.status),
            endpoint: call.endpoint,
        };
        let found = results.iter().filter_map(|result| self.finding(result, &at));
        let before = out.len();
        out.extend(found);
        self.counters.findings += (out.len() - before) as u64;
    }

    fn counters(&self) -> RuleCounters {
        let (groups, evicted_groups) = (self.engine.state_count() as u64, self.groups.evicted);
        RuleCounters { groups, evicted_groups, ..self.counters }
    }

    fn hand_over(&mut self) -> Option<Box<dyn Any + Send>> {
        let reckoning = self.reckoning.clone();
        Some(Box::new(Held { windows: self.engine.export_state(), reckoning }))
    }

    fn take_over(&mut self, held: Box<dyn Any + Send>, before: RuleCounters) {
        self.counters = RuleCounters { rules: self.counters.rules, ..before };
        self.groups.evicted = before.evicted_groups;
        let Ok(held) = held.downcast::<Held>() else { return };
        let Held { mut windows, reckoning } = *held;
        let same =
            |rule: &String| reckoning.contains_key(rule) && reckoning.get(rule) == self.reckoning.get(rule);
        windows.windows.retain(|rule, _| same(rule));
        windows.last_alert.retain(|rule, _| same(rule));
        windows.event_ref_buffers.retain(|rule, _| same(rule));
        self.engine.import_state(windows);
    }

    fn set_key(&mut self, key: &TokenKey) {
        self.key = key.derived(b"groups of rules").table_key();
    }

    fn pieces(&self, key: &TokenKey) -> RulePieces {
        Box::new(self.save(key))
    }

    fn restore(&mut self, held: &HeldGroups) {
        self.load(held);
    }
}

/// A rule sees the request and a status; whether what was asked for came, it does not.
const fn outcome(status: Option<u16>) -> Outcome {
    match status {
        Some(401 | 403) => Outcome::Blocked,
        Some(400..) => Outcome::NoEffect,
        _ => Outcome::Attempted,
    }
}

/// What the rule says of itself, as the end of a sentence: its author's words, on one line.
fn described(info: &RuleInfo) -> String {
    let words = info.description.iter().flat_map(|text| text.split_whitespace());
    let mut told = words.collect::<Vec<_>>().join(" ");
    if told.is_empty() {
        return told;
    }
    if told.len() > MAX_DESCRIPTION {
        told.truncate(told.floor_char_boundary(MAX_DESCRIPTION));
        told.push('…');
    }
    format!(". {told}")
}

fn held(title: &str, body: &DetectionBody) -> String {
    let mut fields: Vec<&str> = body.matched_fields.iter().map(|found| found.field.as_str()).collect();
    fields.sort_unstable();
    fields.dedup();
    match fields.as_slice() {
        [] => format!("rule {title}: its keywords stand in the request"),
        [field] => format!("rule {title}: {field} is as it says"),
        fields => format!("rule {title}: {} are as it says", fields.join(", ")),
    }
}

fn counted(title: &str, body: &CorrelationBody) -> String {
    let by: Vec<&str> = body.group_key.iter().map(|(name, _)| name.as_str()).collect();
    let by = if by.is_empty() { String::new() } else { format!(" for one {}", by.join(", ")) };
    let (kind, value, seconds) = (body.correlation_type.as_str(), body.aggregated_value, body.timespan_secs);
    format!("rule {title}: {kind} is {value} within {seconds} s{by}")
}

/// The latest exchanges of a group, this one with them.
fn calls(body: &CorrelationBody, this: Uid) -> Vec<Uid> {
    let kept = body.event_refs.iter().flatten().filter_map(|call| uid(call.id.as_deref()?));
    let mut all: Vec<Uid> = kept.filter(|uid| *uid != this).collect();
    all.drain(..all.len().saturating_sub(MAX_EXCHANGES - 1));
    all.push(this);
    all
}

fn uid(text: &str) -> Option<Uid> {
    u128::from_str_radix(text, 16).ok().map(|number| Uid(number.to_be_bytes()))
}
