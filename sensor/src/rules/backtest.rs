//! `rules backtest`: how often rules would have held, for whom, and what that costs.

use super::args::RulesBacktestArgs;
use super::files;
use super::past::Past;
use super::since::Since;
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, print};
use crate::size::{count, counted, duration};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tapwire_detect::{CallRules, Finding, RuleCounters};
use tapwire_inventory::Call;
use tapwire_rules::{Entry, Kind};
use tapwire_wire::Timestamp;

const DAY: i64 = 86_400_000_000_000;
/// Callers and moments kept of one rule.
const MOST_CALLERS: usize = 100_000;
const MOST_HITS: usize = 1_000_000;

/// `tapwire rules backtest`.
pub(super) fn backtest(args: &RulesBacktestArgs) -> Result<Exit, Failure> {
    let since = args.since.as_deref().map(|text| Since::read("--since", text)).transpose()?;
    let loaded = files::load(std::slice::from_ref(&args.rules))?;
    super::check::say(&loaded, args.json);
    if loaded.applied.is_empty() {
        return Err(Failure::new("no rule to try: `tapwire rules check` says why"));
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let measured = Measured { inner: Box::new(loaded.judge), seen: Arc::clone(&seen) };
    let past = Past {
        captures: &args.captures,
        data: args.data.as_deref(),
        token_key: args.token_key.as_deref(),
        config: &args.config,
    };
    let (report, _) = past.run(Box::new(measured), args.json)?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some(first), Some(last)) = (report.wire.first, report.wire.last) else {
        return Err(Failure::new("no packet could be read there"));
    };
    let from = since.map_or(first, |since| since.before(last)).max(first);
    if from > last {
        return Err(Failure::new("--since: nothing later than that was read"));
    }
    let told = Told { seen: &seen, from, span: last.since(from).max(1) };
    print(&if args.json { told.lines(&loaded.applied) } else { told.page(&loaded.applied) }, true)?;
    Ok(Exit::Done)
}

/// When a rule held, and of whom, where that is known.
type Hit = (Timestamp, Option<[u8; 16]>);

/// What was seen of all rules.
#[derive(Debug, Default)]
struct Seen {
    calls: u64,
    nanos: u64,
    /// Calls by the minute they began in, so that those before `--since` can be left out when the last packet is known.
    by_minute: BTreeMap<i64, u64>,
    /// By rule: who was hit, and when.
    hits: BTreeMap<String, Vec<Hit>>,
}

/// Rules whose time is taken.
#[derive(Debug)]
struct Measured {
    inner: Box<dyn CallRules>,
    seen: Arc<Mutex<Seen>>,
}

impl CallRules for Measured {
    fn judge(&mut self, call: &Call, out: &mut Vec<Finding>) {
        let before = out.len();
        let began = Instant::now();
        self.inner.judge(call, out);
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.calls += 1;
        *seen.by_minute.entry(minute(call.observation.exchange.started())).or_default() += 1;
        seen.nanos = seen.nanos.saturating_add(took);
        for finding in out.drain(before..) {
            let Some(rule) = &finding.rule else { continue };
            let hits = seen.hits.entry(rule.id.clone()).or_default();
            if hits.len() < MOST_HITS {
                hits.push((finding.time, call.principal.map(|principal| principal.token.0)));
            }
        }
    }

    fn counters(&self) -> RuleCounters {
        self.inner.counters()
    }
}

fn minute(time: Timestamp) -> i64 {
    time.nanos().div_euclid(60_000_000_000)
}

/// What is told of it.
struct Told<'a> {
    seen: &'a Seen,
    from: Timestamp,
    span: i64,
}

impl Told<'_> {
    /// Hits and callers of a rule.
    fn of(&self, entry: &Entry) -> (u64, u64) {
        let hits = self.seen.hits.get(&entry.id).map_or(&[][..], Vec::as_slice);
        let late = hits.iter().filter(|(time, _)| *time >= self.from);
        let callers: BTreeSet<_> =
            late.clone().filter_map(|(_, caller)| *caller).take(MOST_CALLERS).collect();
        (late.count() as u64, callers.len() as u64)
    }

    /// Calls from the minute on from which hits count.
    fn calls(&self) -> u64 {
        self.seen.by_minute.range(minute(self.from)..).map(|(_, calls)| calls).sum()
    }

    fn a_day(&self, hits: u64) -> f64 {
        hits as f64 * DAY as f64 / self.span as f64
    }

    fn nanos_a_call(&self) -> u64 {
        self.seen.nanos / self.seen.calls.max(1)
    }

    fn rules(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
        entries.iter().filter(|entry| entry.kind != Kind::Filter)
    }

    fn page(&self, entries: &[Entry]) -> String {
        let mut paper = Paper::new(true);
        paper.heading("Hits");
        for entry in Self::rules(entries) {
            let (hits, callers) = self.of(entry);
            let text = match hits {
                0 => format!("{}: none", entry.title),
                _ => format!(
                    "{}: {} of {}, {:.1} a day",
                    entry.title,
                    counted(hits, "hit"),
                    counted(callers, "caller"),
                    self.a_day(hits)
                ),
            };
            paper.row(entry.severity.name(), &text);
        }
        paper.line(&format!(
            "\n{} in {}; all rules together cost {:.1} µs a call",
            counted(self.calls(), "call"),
            duration(self.span),
            self.nanos_a_call() as f64 / 1e3
        ));
        if self.span < DAY {
            paper.line(&format!(
                "less than a day was seen: {} is little to reckon a day from",
                duration(self.span)
            ));
        }
        if self.seen.hits.values().any(|hits| hits.len() >= MOST_HITS) {
            paper.line(&format!("at most {} hits of a rule are counted", count(MOST_HITS as u64)));
        }
        paper.into_text()
    }

    fn lines(&self, entries: &[Entry]) -> String {
        let line = |entry: &Entry| {
            let (hits, callers) = self.of(entry);
            let value = json!({
                "id": entry.id, "title": entry.title, "severity": entry.severity.name(), "hits": hits,
                "hits_a_day": self.a_day(hits), "callers": callers, "calls": self.calls(),
                "seconds": self.span / 1_000_000_000, "nanoseconds_a_call": self.nanos_a_call(),
            });
            format!("{value}\n")
        };
        Self::rules(entries).map(line).collect()
    }
}
