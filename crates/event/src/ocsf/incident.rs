//! An incident as Incident Finding (2005).

use super::finding::{attacks, info};
use super::{Kind, Writer};
use crate::json;
use crate::number;
use tapwire_detect::incidents::{Affected, Beside, Change, Usual};
use tapwire_detect::{Incident, Moment, Outcome, Told};

/// `activity_id`: Create, Update, Close.
const fn activity(change: Change) -> i64 {
    match change {
        Change::Opened => 1,
        Change::Grew => 2,
        Change::Closed => 3,
    }
}

impl Writer<'_> {
    /// Writes the event, without a line end.
    pub(crate) fn incident(mut self, told: &Told, beside: &Beside, out: &mut Vec<u8>) {
        let incident = &told.incident;
        let (severity, closed) = (incident.worst.severity, told.change == Change::Closed);
        json::open(out);
        json::integer(out, "time", told.time.millis());
        Kind { category: 2, class: 2005, activity: activity(told.change), severity: severity as i64 }
            .write(out);
        // New, Closed: what lies between is what people do.
        json::integer(out, "status_id", if closed { 5 } else { 1 });
        json::own(out, "severity", severity.name());
        json::text(out, "message", self.pen.prose(&incident.worst.reason));
        json::count(out, "count", incident.findings);
        json::integer(out, "start_time", incident.first.time.millis());
        json::integer(out, "end_time", incident.last.millis());
        json::integer(out, "duration", incident.last.millis() - incident.first.time.millis());
        let breach = matches!(incident.reached, Outcome::Likely | Outcome::Confirmed);
        json::truth(out, "is_suspected_breach", breach);
        self.open_metadata(&told.event.0, None, out);
        json::close(out);
        assignee(beside, out);
        techniques(incident, out);
        json::list(out, "finding_info_list");
        for moment in &incident.timeline {
            json::element(out);
            self.moment_info(moment, out);
        }
        json::close_list(out);
        self.incident_unmapped(told, beside, out);
        json::close(out);
    }

    fn moment_info(&mut self, moment: &Moment, out: &mut Vec<u8>) {
        let info = info(moment.detector);
        json::open(out);
        uid("uid", &moment.finding.0, out);
        json::own(out, "title", info.map_or(moment.found_by(), |info| info.title));
        json::text(out, "desc", self.pen.prose(&moment.reason));
        if let Some(info) = info {
            json::words(out, "types", [info.owasp, info.cwe].into_iter());
        }
        json::integer(out, "created_time", moment.time.millis());
        json::object(out, "analytic");
        json::own(out, "name", moment.found_by());
        json::own(out, "uid", moment.rule.as_ref().map_or(moment.detector, |rule| &rule.id));
        json::integer(out, "type_id", 1);
        json::close(out);
        json::close(out);
    }

    fn incident_unmapped(&mut self, told: &Told, beside: &Beside, out: &mut Vec<u8>) {
        let incident = &told.incident;
        json::object(out, "unmapped");
        uid("incident", &incident.uid.0, out);
        json::own(out, "change", told.change.name());
        json::words(out, "why", told.why.iter().copied());
        json::count(out, "revision", incident.told.into());
        json::own(out, "outcome", incident.worst.outcome.name());
        json::own(out, "reached", incident.reached.name());
        json::count(out, "findings", incident.findings);
        json::count(out, "repeated", incident.repeated);
        self.behind(incident, beside, out);
        if let Some(service) = &incident.service {
            let service = self.pen.shown_service(service);
            json::key(out, "service");
            json::string(out, service.as_bytes());
        }
        self.affected(incident, beside, out);
        for (name, moment) in
            [("first", &incident.first), ("worst", &incident.worst), ("latest", &incident.latest)]
        {
            json::key(out, name);
            self.moment(moment, out);
        }
        json::list(out, "timeline");
        for moment in &incident.timeline {
            json::element(out);
            self.moment(moment, out);
        }
        json::close_list(out);
        json::words(out, "next_steps", incident.next_steps().into_iter());
        self.suggestions(beside, out);
        self.token_key(out);
        if self.pen.redactor.take_cut() {
            json::truth(out, "text_cut", true);
        }
        json::close(out);
    }

    /// Who is behind it, and what is known of them.
    fn behind(&mut self, incident: &Incident, beside: &Beside, out: &mut Vec<u8>) {
        json::object(out, "actor");
        json::list(out, "callers");
        for caller in &incident.callers {
            json::element(out);
            json::open(out);
            json::own(out, "kind", caller.kind.name());
            json::text(out, "token", self.pen.token(caller.token));
            if let Some(usual) = beside.callers.iter().find(|one| one.principal.token == caller.token) {
                self.usual(usual, out);
            }
            json::close(out);
        }
        json::close_list(out);
        json::list(out, "addresses");
        for address in &incident.addresses {
            json::element(out);
            out.push(b'"');
            number::ip(out, *address);
            out.push(b'"');
        }
        json::close_list(out);
        json::truth(out, "more_addresses", incident.more_addresses);
        json::words(out, "ja4", incident.fingerprints.iter().map(|one| &**one));
        json::words(out, "zones", incident.zones.iter().map(|one| &**one));
        json::words(out, "lists", incident.lists.iter().copied());
        json::close(out);
    }

    fn usual(&mut self, usual: &Usual, out: &mut Vec<u8>) {
        json::integer(out, "first_seen", usual.first_seen.millis());
        json::count(out, "calls", usual.calls.into());
        json::list(out, "services");
        for service in &usual.services {
            let service = self.pen.shown_service(service);
            json::element(out);
            json::string(out, service.as_bytes());
        }
        json::close_list(out);
        let networks: Vec<String> = usual.networks.iter().map(ToString::to_string).collect();
        json::words(out, "networks", networks.iter().map(String::as_str));
        json::words(out, "agents", usual.agents.iter().map(|agent| agent.name()));
    }

    fn affected(&mut self, incident: &Incident, beside: &Beside, out: &mut Vec<u8>) {
        json::list(out, "endpoints");
        for endpoint in &beside.endpoints {
            json::element(out);
            self.endpoint_of(endpoint, out);
        }
        json::close_list(out);
        json::truth(out, "more_endpoints", incident.more_endpoints);
    }

    fn endpoint_of(&mut self, endpoint: &Affected, out: &mut Vec<u8>) {
        let redactor = &mut self.pen.redactor;
        let shown = [
            ("service", Some(redactor.shown_host(&endpoint.service))),
            ("method", Some(redactor.shown_method(&endpoint.method))),
            ("template", Some(redactor.shown_path(&endpoint.template))),
            ("operation", endpoint.operation.as_ref().map(|one| redactor.shown_operation(one))),
        ];
        json::open(out);
        uid("id", &endpoint.id.0.to_be_bytes(), out);
        for (name, text) in shown {
            text.iter().for_each(|text| json::own(out, name, text));
        }
        json::words(out, "data_classes", endpoint.data_classes.iter().map(String::as_str));
        json::own(out, "exposure", endpoint.exposure);
        for (name, text) in [("owner", &endpoint.owner), ("zone", &endpoint.zone)] {
            text.iter().for_each(|text| json::own(out, name, text));
        }
        json::close(out);
    }

    fn moment(&mut self, moment: &Moment, out: &mut Vec<u8>) {
        json::open(out);
        json::integer(out, "time", moment.time.millis());
        json::own(out, "detector", moment.detector);
        if let Some(rule) = &moment.rule {
            json::object(out, "rule");
            json::own(out, "id", &rule.id);
            json::own(out, "title", &rule.title);
            json::close(out);
        }
        json::own(out, "severity", moment.severity.name());
        json::own(out, "outcome", moment.outcome.name());
        json::text(out, "reason", self.pen.prose(&moment.reason));
        uid("finding", &moment.finding.0, out);
        uid("exchange", &moment.exchange.0, out);
        json::close(out);
    }
}

/// `assignee_group`, which the class demands: who answers for what is affected, as the operator's files say.
fn assignee(beside: &Beside, out: &mut Vec<u8>) {
    let owner = beside.endpoints.iter().find_map(|endpoint| endpoint.owner.as_deref());
    json::object(out, "assignee_group");
    json::own(out, "name", owner.unwrap_or("unassigned"));
    json::close(out);
}

/// `attacks`: each technique once.
fn techniques(incident: &Incident, out: &mut Vec<u8>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for one in incident.timeline.iter().flat_map(techniques_of) {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    if !seen.is_empty() {
        attacks(&seen, out);
    }
}

/// The detector's, or those that a rule names, whose names it does not give.
pub(crate) fn techniques_of(moment: &Moment) -> impl Iterator<Item = (&str, &str)> {
    let own = moment.rule.iter().flat_map(|rule| rule.techniques.iter().map(|number| (&**number, "")));
    info(moment.detector).map(|info| info.attack).into_iter().chain(own)
}

fn uid(name: &str, uid: &[u8], out: &mut Vec<u8>) {
    json::key(out, name);
    out.push(b'"');
    number::hex(out, uid);
    out.push(b'"');
}
