//! What a policy says of a service, as Application Security Posture Finding (2007).

use super::{Kind, Writer};
use crate::json;
use crate::number;
use tapwire_detect::policies::{Acceptance, Change, Offence};
use tapwire_detect::{Posture, Stage};

/// `activity_id`: Create, Update, Close.
const fn activity(change: Change) -> i64 {
    match change {
        Change::Created => 1,
        Change::Updated | Change::Unchanged => 2,
        Change::Closed => 3,
    }
}

/// `status_id`: New, In Progress, Suppressed, Resolved.
const fn status(stage: Stage) -> (i64, &'static str) {
    match stage {
        Stage::Open | Stage::Regressed => (1, "New"),
        Stage::Fixed => (2, "In Progress"),
        Stage::Accepted => (3, "Suppressed"),
        Stage::Verified => (4, "Resolved"),
    }
}

impl Writer<'_> {
    /// Writes the event, without a line end.
    pub(crate) fn posture(mut self, posture: &Posture, out: &mut Vec<u8>) {
        let (status_id, status) = status(posture.stage);
        let (activity, severity) = (activity(posture.change), posture.rule.severity);
        json::open(out);
        json::integer(out, "time", posture.time.millis());
        Kind { category: 2, class: 2007, activity, severity: severity as i64 }.write(out);
        json::integer(out, "status_id", status_id);
        json::own(out, "status", status);
        json::own(out, "severity", severity.name());
        json::text(out, "message", self.pen.prose(&posture.reason));
        self.open_metadata(&posture.event.0, None, out);
        json::close(out);
        self.posture_info(posture, out);
        compliance(posture, out);
        if !posture.rule.fix.is_empty() {
            json::object(out, "remediation");
            json::own(out, "desc", &posture.rule.fix);
            json::close(out);
        }
        self.resources(posture, out);
        self.posture_unmapped(posture, out);
        json::close(out);
    }

    fn posture_info(&mut self, posture: &Posture, out: &mut Vec<u8>) {
        let rule = &posture.rule;
        json::object(out, "finding_info");
        uid(out, "uid", &posture.uid.0);
        json::own(out, "title", &rule.title);
        json::text(out, "desc", self.pen.prose(&posture.reason));
        if !rule.references.is_empty() {
            json::words(out, "types", rule.references.iter().map(String::as_str));
        }
        json::object(out, "analytic");
        json::own(out, "name", &rule.id);
        json::own(out, "uid", &rule.id);
        json::integer(out, "type_id", 1);
        json::own(out, "desc", &rule.text);
        json::close(out);
        json::integer(out, "created_time", posture.opened.millis());
        if let Some(last) = posture.endpoints.iter().map(|offence| offence.last).max() {
            json::integer(out, "last_seen_time", last.millis());
        }
        json::close(out);
    }

    /// `resources`: the endpoints.
    fn resources(&mut self, posture: &Posture, out: &mut Vec<u8>) {
        if posture.endpoints.is_empty() {
            return;
        }
        json::list(out, "resources");
        for offence in &posture.endpoints {
            json::element(out);
            json::open(out);
            uid(out, "uid", &offence.id.0.to_be_bytes());
            let name = self.offence_name(offence);
            json::key(out, "name");
            json::string(out, name.as_bytes());
            json::own(out, "type", "API endpoint");
            json::close(out);
        }
        json::close_list(out);
    }

    fn offence_name(&mut self, offence: &Offence) -> String {
        let redactor = &mut self.pen.redactor;
        let name =
            format!("{} {}", redactor.shown_method(&offence.method), redactor.shown_path(&offence.template));
        match &offence.operation {
            Some(operation) => format!("{name} {}", redactor.shown_operation(operation)),
            None => name,
        }
    }

    fn posture_unmapped(&mut self, posture: &Posture, out: &mut Vec<u8>) {
        let rule = &posture.rule;
        json::object(out, "unmapped");
        json::own(out, "policy", &rule.id);
        json::own(out, "state", posture.stage.name());
        for (key, start) in [("owasp", "API"), ("cwe", "CWE-")] {
            if let Some(reference) = rule.references.iter().find(|reference| reference.starts_with(start)) {
                json::own(out, key, reference);
            }
        }
        json::own(out, "outcome", "not-applicable");
        json::text(out, "reason", self.pen.prose(&posture.reason));
        let service = self.pen.shown_service(&posture.service);
        json::key(out, "service");
        json::string(out, service.as_bytes());
        json::count(out, "endpoints", posture.total);
        json::list(out, "seen");
        for offence in &posture.endpoints {
            seen(offence, out);
        }
        json::close_list(out);
        if !rule.fix.is_empty() {
            json::words(out, "next_steps", [rule.fix.as_str()].into_iter());
        }
        if !rule.test.is_empty() {
            json::own(out, "test", &rule.test);
        }
        if let Some(acceptance) = &posture.accepted {
            accepted(acceptance, out);
        }
        self.token_key(out);
        if self.pen.redactor.take_cut() {
            json::truth(out, "text_cut", true);
        }
        json::close(out);
    }
}

/// `compliance`: what demands it, and that it is not so (Fail), or is again (Pass).
fn compliance(posture: &Posture, out: &mut Vec<u8>) {
    const STANDARDS: [&str; 3] = ["PCI DSS", "HIPAA", "GDPR"];
    let references = &posture.rule.references;
    let is_met = |standard: &&&str| references.iter().any(|reference| reference.starts_with(**standard));
    let standards: Vec<&str> = STANDARDS.iter().filter(is_met).copied().collect();
    json::object(out, "compliance");
    json::own(out, "control", &posture.rule.id);
    json::integer(out, "status_id", if posture.stage == Stage::Verified { 1 } else { 3 });
    if !standards.is_empty() {
        json::words(out, "standards", standards.iter().copied());
        let demands = references.iter().map(String::as_str);
        let demands = demands.filter(|text| standards.iter().any(|standard| text.starts_with(standard)));
        json::words(out, "requirements", demands);
    }
    json::close(out);
}

fn seen(offence: &Offence, out: &mut Vec<u8>) {
    json::element(out);
    json::open(out);
    uid(out, "endpoint", &offence.id.0.to_be_bytes());
    json::count(out, "calls", offence.hits);
    json::count(out, "among", offence.among);
    json::integer(out, "last", offence.last.millis());
    json::close(out);
}

fn accepted(acceptance: &Acceptance, out: &mut Vec<u8>) {
    json::object(out, "accepted");
    json::own(out, "who", &acceptance.who);
    json::own(out, "why", &acceptance.why);
    json::integer(out, "until", acceptance.until.millis());
    json::close(out);
}

fn uid(out: &mut Vec<u8>, name: &str, uid: &[u8]) {
    json::key(out, name);
    out.push(b'"');
    number::hex(out, uid);
    out.push(b'"');
}
