//! The analyst: a single writer that takes observations in the order of their numbers, learns, detects and reports.

use crate::outlet::Outlet;
use crate::report::Tally;
use crate::work::{Seen, Shed};
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tapwire_detect::{Detectors, Finding};
use tapwire_event::View;
use tapwire_inspect::Observation;
use tapwire_inventory::Inventory;
use tapwire_protocol::{Exchange, Message};
use tapwire_sink::Notice;

/// Findings kept for the summary.
const MAX_KEPT_FINDINGS: usize = 1_000;

/// Everything behind the inspectors.
pub(crate) struct Analyst {
    pub(crate) inventory: Inventory,
    pub(crate) detectors: Detectors,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) tally: Tally,
    pub(crate) findings: Vec<Finding>,
    sources: Arc<Vec<String>>,
    limit: u64,
    stop: Arc<AtomicBool>,
    /// Number of the exchange at the front of `waiting`.
    next: u64,
    waiting: VecDeque<Option<Seen>>,
    fresh: Vec<Finding>,
}

impl Analyst {
    pub(crate) fn new(
        config: &crate::Config,
        outlets: Vec<Outlet>,
        sources: Arc<Vec<String>>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            inventory: Inventory::new(config.inventory.clone()),
            detectors: Detectors::new(config.detect.clone()),
            outlets,
            tally: Tally::default(),
            findings: Vec::new(),
            sources,
            limit: config.max_exchanges.unwrap_or(u64::MAX),
            stop,
            next: 1,
            waiting: VecDeque::new(),
            fresh: Vec::new(),
        }
    }

    /// Takes what an inspector made of one exchange and works off all that is next in order. Used messages go to
    /// `spares`.
    pub(crate) fn take(&mut self, seen: Seen, spares: &mut Vec<Box<Message>>) {
        if seen.number() == self.next && self.waiting.front().is_none_or(Option::is_none) {
            self.waiting.pop_front();
            self.process(seen, spares);
        } else {
            self.keep(seen);
        }
        while let Some(Some(_)) = self.waiting.front() {
            if let Some(Some(seen)) = self.waiting.pop_front() {
                self.process(seen, spares);
            }
        }
    }

    fn keep(&mut self, seen: Seen) {
        let place = usize::try_from(seen.number().saturating_sub(self.next)).unwrap_or(usize::MAX);
        if self.waiting.len() <= place {
            self.waiting.resize_with(place + 1, || None);
        }
        if let Some(slot) = self.waiting.get_mut(place) {
            *slot = Some(seen);
        }
    }

    fn process(&mut self, seen: Seen, spares: &mut Vec<Box<Message>>) {
        if let Seen::Shed(shed) = seen {
            self.pass(shed);
            return;
        }
        self.next += 1;
        self.tally.exchanges += 1;
        if self.tally.reported >= self.limit {
            self.tally.beyond_limit += 1;
            return;
        }
        let exchange = match seen {
            Seen::Shed(_) => return,
            Seen::Plain(exchange) => self.report_plain(exchange),
            Seen::Observed(observation) => self.judge(observation),
        };
        spares.extend([exchange.request, exchange.response].into_iter().flatten());
        if self.tally.reported >= self.limit {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Shed exchanges are only numbers; the places kept for them go with them.
    fn pass(&mut self, shed: Shed) {
        self.next += shed.count;
        self.tally.exchanges += shed.count;
        self.tally.shed += shed.count;
        let places = usize::try_from(shed.count - 1).unwrap_or(usize::MAX).min(self.waiting.len());
        self.waiting.drain(..places);
    }

    fn report_plain(&mut self, exchange: Exchange) -> Exchange {
        let view = View { exchange: &exchange, call: None, source: source_of(&self.sources, &exchange) };
        let mut wanted = false;
        for outlet in &mut self.outlets {
            if outlet.wants(&view) {
                wanted = true;
                outlet.exchange(&view);
            }
        }
        self.count(&exchange, wanted);
        exchange
    }

    fn judge(&mut self, observation: Observation) -> Exchange {
        let call = self.inventory.place(observation);
        self.fresh.clear();
        self.detectors.judge(&call, &mut self.fresh);
        let exchange = &call.observation.exchange;
        let view = View { exchange, call: Some(&call), source: source_of(&self.sources, exchange) };
        let mut wanted = false;
        for outlet in &mut self.outlets {
            if outlet.wants(&view) {
                wanted = true;
                outlet.exchange(&view);
                for finding in &self.fresh {
                    outlet.finding(finding, &view);
                }
            }
        }
        self.tally.findings += self.fresh.len() as u64;
        let room = MAX_KEPT_FINDINGS.saturating_sub(self.findings.len());
        self.findings.extend(self.fresh.drain(..).take(room));
        let exchange = call.observation.exchange;
        self.count(&exchange, wanted);
        exchange
    }

    /// Counts an exchange in the summary; one that every filter refused does not count against `-c`.
    fn count(&mut self, exchange: &Exchange, wanted: bool) {
        if wanted || self.outlets.is_empty() {
            self.tally.count(exchange);
        } else {
            self.tally.filtered += 1;
        }
    }

    pub(crate) fn flush(&mut self, push: bool) {
        self.outlets.iter_mut().for_each(|outlet| outlet.flush(push));
    }

    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        self.outlets.iter_mut().flat_map(Outlet::notices).collect()
    }

    /// Whether an outlet can take no more: its sink failed for good, or nobody reads it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.error.is_some() || outlet.reader_gone)
    }

    pub(crate) fn sort_findings(&mut self) {
        self.findings.sort_by_key(|finding| (Reverse(finding.severity), finding.time, finding.uid));
    }
}

fn source_of<'a>(sources: &'a [String], exchange: &Exchange) -> &'a str {
    let half = exchange.request.as_ref().or(exchange.response.as_ref());
    half.and_then(|message| sources.get(usize::from(message.source.0))).map_or("", String::as_str)
}
