//! A finding as Detection Finding (2004).

use super::{Kind, Writer};
use crate::json;
use crate::number;
use crate::view::View;
use tapwire_detect::{DETECTORS, DetectorInfo, Finding, RuleInfo};

/// `confidence_id` of a confidence in percent: Low, Medium, High.
const fn confidence_id(percent: u8) -> i64 {
    match percent {
        ..40 => 1,
        40..75 => 2,
        75.. => 3,
    }
}

impl Writer<'_> {
    /// Writes the event, without a line end.
    pub(crate) fn finding(mut self, finding: &Finding, view: &View<'_>, out: &mut Vec<u8>) {
        json::open(out);
        json::integer(out, "time", finding.time.millis());
        Kind { category: 2, class: 2004, activity: 1, severity: finding.severity as i64 }.write(out);
        json::integer(out, "status_id", 1);
        json::own(out, "severity", finding.severity.name());
        json::integer(out, "confidence_id", confidence_id(finding.confidence));
        json::count(out, "confidence_score", finding.confidence.into());
        json::text(out, "message", self.pen.prose(&finding.reason));
        self.open_metadata(&finding.uid.0, None, out);
        json::close(out);
        self.finding_info(finding, out);
        self.evidences(view, out);
        self.finding_unmapped(finding, view, out);
        json::close(out);
    }

    fn finding_info(&mut self, finding: &Finding, out: &mut Vec<u8>) {
        let info = detector(finding);
        json::object(out, "finding_info");
        json::key(out, "uid");
        uid(out, &finding.uid.0);
        json::own(out, "title", info.map_or(finding.found_by(), |info| info.title));
        json::text(out, "desc", self.pen.prose(&finding.reason));
        if let Some(info) = info {
            json::words(out, "types", [info.owasp, info.cwe].into_iter());
        }
        analytic(finding, info, out);
        if let Some(info) = info {
            attacks(&[info.attack], out);
        }
        if let Some(rule) = finding.rule.as_ref().filter(|rule| !rule.techniques.is_empty()) {
            let techniques: Vec<_> = rule.techniques.iter().map(|number| (number.as_str(), "")).collect();
            attacks(&techniques, out);
        }
        json::close(out);
    }

    fn evidences(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        json::list(out, "evidences");
        json::open(out);
        self.endpoints(view, out);
        if !view.is_unsaid() {
            self.actor(view, out);
            self.api(view, true, out);
            self.request(view, out);
            self.response(view, out);
        }
        json::close(out);
        json::close_list(out);
    }

    fn finding_unmapped(&mut self, finding: &Finding, view: &View<'_>, out: &mut Vec<u8>) {
        json::object(out, "unmapped");
        json::own(out, "detector", finding.detector);
        if let Some(info) = detector(finding) {
            json::own(out, "owasp", info.owasp);
            json::own(out, "cwe", info.cwe);
        }
        if let Some(rule) = &finding.rule {
            own_words(rule, out);
        }
        json::own(out, "outcome", finding.outcome.name());
        json::text(out, "reason", self.pen.prose(&finding.reason));
        if let Some(incident) = &finding.incident {
            json::key(out, "incident");
            uid(out, &incident.0);
        }
        self.endpoint(view, out);
        json::list(out, "exchanges");
        for exchange in &finding.exchanges {
            json::element(out);
            uid(out, &exchange.0);
        }
        json::close_list(out);
        if let Some(info) = detector(finding) {
            json::words(out, "next_steps", info.next_steps.iter().copied());
        }
        json::own(out, "source", view.source);
        self.token_key(out);
        if self.pen.redactor.take_cut() {
            json::truth(out, "text_cut", true);
        }
        json::close(out);
    }
}

fn detector(finding: &Finding) -> Option<&'static DetectorInfo> {
    info(finding.detector)
}

/// The registry's entry, which has what is the same for every finding of a detector.
pub(crate) fn info(detector: &str) -> Option<&'static DetectorInfo> {
    DETECTORS.iter().find(|info| info.name == detector)
}

/// What a user's rule says of itself.
fn own_words(rule: &RuleInfo, out: &mut Vec<u8>) {
    json::object(out, "rule");
    json::own(out, "id", &rule.id);
    json::own(out, "title", &rule.title);
    for (name, words) in [("tags", &rule.tags), ("false_positives", &rule.false_positives)] {
        if !words.is_empty() {
            json::words(out, name, words.iter().map(String::as_str));
        }
    }
    json::close(out);
}

/// `analytic`, of the type Rule.
fn analytic(finding: &Finding, info: Option<&DetectorInfo>, out: &mut Vec<u8>) {
    let rule = finding.rule.as_deref();
    json::object(out, "analytic");
    json::own(out, "name", finding.found_by());
    json::own(out, "uid", rule.map_or(finding.detector, |rule| &rule.id));
    json::integer(out, "type_id", 1);
    let text = info.map(|info| info.summary).or_else(|| rule?.description.as_deref());
    text.into_iter().for_each(|text| json::own(out, "desc", text));
    json::close(out);
}

/// `attacks`: techniques by number and name; the name is empty where a rule gives only the number.
pub(super) fn attacks(techniques: &[(&str, &str)], out: &mut Vec<u8>) {
    json::list(out, "attacks");
    for (number, name) in techniques {
        json::element(out);
        json::open(out);
        json::object(out, "technique");
        json::own(out, "uid", number);
        if !name.is_empty() {
            json::own(out, "name", name);
        }
        json::close(out);
        json::close(out);
    }
    json::close_list(out);
}

fn uid(out: &mut Vec<u8>, uid: &[u8]) {
    out.push(b'"');
    number::hex(out, uid);
    out.push(b'"');
}
