//! What was learned as rows of the console. Everything that came out of traffic goes through the redactor here.

use crate::callers;
use crate::cli::LearnArgs;
use crate::feedback::Feedback;
use crate::incidents::{self, Reading};
use crate::inventory::endpoint_id;
use crate::kpis::{date, goal, sensed, today, told};
use crate::learn::Learned;
use crate::ledger;
use crate::next;
use crate::summary::rfc3339;
use serde_json::Value;
use std::collections::BTreeMap;
use tapwire_console::{
    Caller, DataFlow, Endpoint as Row, Figure, Finding, Incident, Level, Mark, Posture, Service, Snapshot,
    Spot,
};
use tapwire_detect::Severity;
use tapwire_detect::policies::Acceptance;
use tapwire_event::Redactor;
use tapwire_inventory::kpis::{KPIS, Kpi, Kpis, Scope, Standing, Target, Unit, Value as Worth, target_of};
use tapwire_inventory::{AuthCounts, Endpoint, Inventory, Risks};
use tapwire_pipeline::Report;
use tapwire_store::Directories;

/// Days that a chart shows.
const DAYS: usize = 90;

/// Everything that lists show.
pub(super) fn snapshot(
    learned: &mut Learned,
    targets: &[Target],
    args: &LearnArgs,
    version: u64,
) -> Snapshot {
    let Learned { report, redactor, .. } = learned;
    let evidence = next::same_again(args, &[], false);
    // Whoever types it is another user, with another directory by default.
    let evidence = match args.paths.is_empty() && args.data.is_none() {
        true => format!(" --data {}{evidence}", next::quote(&source(args))),
        false => evidence,
    };
    let described = args.openapi.iter().map(|one| format!(" --openapi {}", next::quote(one))).collect();
    // Standard input cannot be read again.
    let has_packets = !args.paths.is_empty() && args.paths.iter().all(|path| path.as_os_str() != "-");
    let mut snapshot =
        Snapshot { version, source: source(args), evidence, described, has_packets, ..Snapshot::default() };
    snapshot.incidents = incidents(report, redactor);
    snapshot.findings = findings(report, redactor);
    if snapshot.findings.is_empty() {
        snapshot.findings = moments(&snapshot.incidents);
    }
    snapshot.postures = postures(report, redactor);
    snapshot.not_judged = not_judged(report);
    snapshot.counters = ledger::stages(report);
    let Some(inventory) = &report.inventory else { return snapshot };
    let risks = inventory.risks();
    for endpoint in inventory.endpoints() {
        snapshot.endpoints.push(row(inventory, endpoint, &risks, redactor));
        snapshot.flows.extend(flows(inventory, endpoint, redactor));
    }
    snapshot.services = services(inventory, &snapshot.endpoints, redactor);
    snapshot.first = snapshot.services.iter().map(|service| service.first.clone()).min().unwrap_or_default();
    snapshot.last = snapshot.services.iter().map(|service| service.last.clone()).max().unwrap_or_default();
    let known = inventory.principals().callers();
    snapshot.callers =
        known.iter().map(|known| caller(&callers::object(inventory, known, redactor))).collect();
    snapshot.days = days(inventory);
    let kpis = Kpis::new(inventory, &sensed(report, Feedback::of_run(args)));
    let figures = KPIS.iter().filter_map(|kpi| Some((kpi, figure(inventory, &kpis, kpi, targets)?)));
    let (blind, judged): (Vec<_>, Vec<_>) = figures.partition(|(kpi, _)| kpi.is_blind_spot());
    snapshot.figures = judged.into_iter().map(|(_, figure)| figure).collect();
    snapshot.blind_spots = blind.into_iter().map(|(_, figure)| figure).collect();
    snapshot
}

/// What it was learned from, in words.
fn source(args: &LearnArgs) -> String {
    match args.paths.as_slice() {
        [] => args
            .data
            .clone()
            .or_else(|| Directories::from_env().data)
            .unwrap_or_default()
            .display()
            .to_string(),
        [one] => one.display().to_string(),
        [first, rest @ ..] => format!("{} and {} more", first.display(), rest.len()),
    }
}

const fn level(severity: Severity) -> Level {
    match severity {
        Severity::Informational => Level::Informational,
        Severity::Low => Level::Low,
        Severity::Medium => Level::Medium,
        Severity::High => Level::High,
        Severity::Critical => Level::Critical,
    }
}

fn incidents(report: &Report, redactor: &mut Redactor) -> Vec<Incident> {
    let mut reading = Reading { redactor, inventory: report.inventory.as_ref() };
    let all = report.incidents.worst_first().into_iter();
    all.map(|incident| {
        let whole = incidents::value(incident, &mut reading);
        Incident {
            uid: incident.uid.to_string(),
            level: level(incident.worst.severity),
            title: incidents::title_of(incident).to_owned(),
            outcome: incident.worst.outcome.name().to_owned(),
            who: incidents::who(incident),
            service: text(&whole, "service"),
            first: rfc3339(incident.first.time),
            last: rfc3339(incident.last),
            findings: incident.findings,
            closed: incident.closed,
            verdict: String::new(),
            muted: String::new(),
            whole,
        }
    })
    .collect()
}

fn findings(report: &Report, redactor: &mut Redactor) -> Vec<Finding> {
    let all = report.findings.iter();
    all.map(|finding| Finding {
        uid: finding.uid.to_string(),
        exchange: finding.exchanges.first().map(ToString::to_string).unwrap_or_default(),
        incident: finding.incident.map(|uid| uid.to_string()).unwrap_or_default(),
        time: rfc3339(finding.time),
        detector: finding.detector.to_owned(),
        rule: finding.rule.as_ref().map(|rule| rule.title.clone()).unwrap_or_default(),
        level: level(finding.severity),
        outcome: finding.outcome.name().to_owned(),
        reason: redactor.shown_sentence(&finding.reason),
    })
    .collect()
}

/// What a run keeps of findings is in the timelines of their incidents.
fn moments(incidents: &[Incident]) -> Vec<Finding> {
    let of = |incident: &Incident| -> Vec<Finding> {
        let all = incident.whole["timeline"].as_array().into_iter().flatten();
        all.map(|moment| Finding {
            uid: text(moment, "finding"),
            exchange: text(moment, "exchange"),
            incident: incident.uid.clone(),
            time: text(moment, "time"),
            detector: text(moment, "detector"),
            rule: text(&moment["rule"], "title"),
            level: Level::named(&text(moment, "severity")),
            outcome: text(moment, "outcome"),
            reason: text(moment, "reason"),
        })
        .collect()
    };
    let mut all: Vec<Finding> = incidents.iter().flat_map(of).collect();
    all.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    all
}

fn postures(report: &Report, redactor: &mut Redactor) -> Vec<Posture> {
    let all = report.postures.iter();
    all.map(|posture| {
        let rule = &posture.rule;
        let named = posture.endpoints.iter();
        let named = named.map(|offence| (endpoint_id(offence.id), crate::posture::name(offence, redactor)));
        Posture {
            endpoints: named.collect(),
            policy: rule.id.to_string(),
            title: rule.title.to_string(),
            service: redactor.shown_host(&posture.service),
            level: level(rule.severity),
            state: posture.stage.name().to_owned(),
            stands: posture.stage.stands(),
            reason: redactor.shown_sentence(&posture.reason),
            fix: rule.fix.to_string(),
            test: rule.test.to_string(),
            references: rule.references.iter().map(ToString::to_string).collect(),
            total: posture.total,
            since: rfc3339(posture.opened),
            owner: owner(report, &posture.service),
            accepted: posture.accepted.as_ref().map(|one| accepted(one)).unwrap_or_default(),
        }
    })
    .collect()
}

fn owner(report: &Report, service: &str) -> String {
    let about = report.inventory.as_ref().map(|inventory| inventory.about_service(service));
    about.and_then(|about| about.owner.as_deref().map(str::to_owned)).unwrap_or_default()
}

fn accepted(one: &Acceptance) -> String {
    let until = rfc3339(one.until);
    format!("{} until {}: {}", one.who, until.get(..10).unwrap_or(&until), one.why)
}

fn not_judged(report: &Report) -> Vec<Spot> {
    let detectors = report.not_judged.iter().filter(|one| one.judged == 0);
    let detectors = detectors.map(|one| Spot { what: one.detector.to_owned(), why: one.reason.clone() });
    let policies = report.unjudged_policies.iter();
    let policies = policies.map(|one| Spot { what: one.policies.join(", "), why: one.reason.to_string() });
    detectors.chain(policies).collect()
}

fn row(inventory: &Inventory, endpoint: &Endpoint, risks: &Risks<'_>, redactor: &mut Redactor) -> Row {
    let [one, two, three, four, five] = endpoint.status.classes;
    let (callers, more_callers) = endpoint.callers.count();
    let classes = endpoint.data_classes();
    Row {
        id: endpoint_id(endpoint.id),
        service: redactor.shown_host(&endpoint.service),
        method: redactor.shown_method(&endpoint.method),
        template: redactor.shown_path(&endpoint.template),
        operation: endpoint.operation.as_ref().map(|name| redactor.shown_operation(name)).unwrap_or_default(),
        calls: endpoint.calls,
        callers: callers as u64,
        more_callers,
        status: [one, two, three, four, five, endpoint.status.unseen],
        auth: auth(&endpoint.auth, endpoint.calls),
        classes: classes.iter().map(|one| inventory.class_name(one.class).to_owned()).collect(),
        states: risks.states(endpoint).iter().map(|state| state.name().to_owned()).collect(),
        exposure: risks.exposure(endpoint).points,
        threat: risks.threat(endpoint).points,
        owner: inventory.about(endpoint).owner.as_deref().unwrap_or_default().to_owned(),
        latency: endpoint.usage.latency.quantiles().map(|found| (found.p50, found.p99)),
        first: rfc3339(endpoint.first_seen),
        last: rfc3339(endpoint.last_seen),
    }
}

/// Kinds of credentials with the percent of calls that had one, the most first.
fn auth(counts: &AuthCounts, calls: u64) -> Vec<(String, u8)> {
    let kinds = counts.iter().map(|(kind, calls)| (kind.name(), calls));
    let mut all: Vec<(&str, u64)> =
        kinds.chain([("none", counts.none)]).filter(|(_, calls)| *calls > 0).collect();
    all.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    all.into_iter().map(|(name, part)| (name.to_owned(), percent(part, calls))).collect()
}

/// What is not all is at most 99, and what is not nothing at least 1.
pub(super) fn percent(part: u64, all: u64) -> u8 {
    match part {
        0 => 0,
        part if part >= all => 100,
        part => u8::try_from(u128::from(part) * 100 / u128::from(all.max(1))).unwrap_or(99).clamp(1, 99),
    }
}

fn flows(inventory: &Inventory, endpoint: &Endpoint, redactor: &mut Redactor) -> Vec<DataFlow> {
    let carried = endpoint.data_classes().into_iter().filter(|one| !one.is_credential());
    carried
        .map(|one| DataFlow {
            class: inventory.class_name(one.class).to_owned(),
            sensitivity: one.sensitivity().name().to_owned(),
            endpoint: endpoint_id(endpoint.id),
            service: redactor.shown_host(&endpoint.service),
            name: format!(
                "{} {}",
                redactor.shown_method(&endpoint.method),
                redactor.shown_path(&endpoint.template)
            ),
            sent: one.in_requests.into(),
            answered: one.in_answers.into(),
            open: endpoint.open() > 0,
            clear: endpoint.clear() > 0,
        })
        .collect()
}

fn services(inventory: &Inventory, endpoints: &[Row], redactor: &mut Redactor) -> Vec<Service> {
    let mut worst: BTreeMap<&str, (u8, u8)> = BTreeMap::new();
    for row in endpoints {
        let (exposure, threat) = worst.entry(&row.service).or_default();
        (*exposure, *threat) = ((*exposure).max(row.exposure), (*threat).max(row.threat));
    }
    let all = inventory.services();
    all.map(|service| {
        let name = redactor.shown_host(&service.name);
        let about = inventory.about_service(&service.name);
        let (exposure, threat) = worst.get(name.as_str()).copied().unwrap_or_default();
        Service {
            calls: service.calls,
            endpoints: service.endpoints.into(),
            findings: service.findings,
            owner: about.owner.as_deref().unwrap_or_default().to_owned(),
            zone: about.zone.as_deref().unwrap_or_default().to_owned(),
            exposure,
            threat,
            first: rfc3339(service.first_seen),
            last: rfc3339(service.last_seen),
            name,
        }
    })
    .collect()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// Of an object as `tapwire callers --json` writes it.
fn caller(object: &Value) -> Caller {
    let list = |name: &str| -> Vec<String> {
        object[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let number = |name: &str| object[name].as_u64().unwrap_or(0);
    Caller {
        name: text(object, "principal"),
        kind: text(object, "kind"),
        calls: number("calls"),
        credentials: list("credentials"),
        grants: [list("roles"), list("scopes")].concat(),
        services: list("services"),
        networks: list("networks"),
        agents: list("agents"),
        sessions: number("sessions"),
        first: text(object, "first_seen"),
        last: text(object, "last_seen"),
    }
}

/// Calls of each day.
fn days(inventory: &Inventory) -> Vec<(String, u64)> {
    let series = inventory.series();
    let Some(kpi) = Kpi::named("zombie-traffic") else { return Vec::new() };
    let days: Vec<i64> = series.days().collect();
    let last = days.get(days.len().saturating_sub(DAYS)..).unwrap_or_default();
    let calls = |day: &i64| series.on(*day, kpi, &Scope::All).part().map_or(0, |part| part.denominator);
    last.iter().map(|day| (date(*day), calls(day))).collect()
}

/// A KPI of everything; `None` where it could not be judged.
fn figure(inventory: &Inventory, kpis: &Kpis, kpi: &'static Kpi, targets: &[Target]) -> Option<Figure> {
    let part = match kpis.value(kpi, &Scope::All) {
        value @ Worth::NotJudged(_) => return value.part().map(|_| Figure::default()),
        value => value.part()?,
    };
    let now = kpi.figure(part);
    let target = target_of(targets, kpi, &Scope::All);
    let mark = match target.map(|target| target.standing(now, today(inventory))) {
        None => Mark::None,
        Some(Standing::Met) => Mark::Met,
        Some(Standing::Missed) => Mark::Missed,
        Some(Standing::Overdue) => Mark::Overdue,
    };
    Some(Figure {
        name: kpi.name.to_owned(),
        title: kpi.title.to_owned(),
        now: told(kpi, part),
        of: kpi.of.to_owned(),
        share: (kpi.unit == Unit::Percent).then_some(now / 100.0),
        target: target.map(goal).unwrap_or_default(),
        mark,
        trend: trend(inventory, kpi),
    })
}

fn trend(inventory: &Inventory, kpi: &'static Kpi) -> Vec<Option<f64>> {
    if kpi.is_blind_spot() {
        return Vec::new();
    }
    let series = inventory.series();
    let on = |day| series.on(day, kpi, &Scope::All).part().map(|part| kpi.figure(part));
    let days: Vec<Option<f64>> = series.days().map(on).collect();
    let days = days.get(days.len().saturating_sub(DAYS)..).unwrap_or_default();
    let most = match kpi.unit {
        Unit::Percent => 100.0,
        _ => days.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max),
    };
    days.iter().map(|day| day.map(|value| value / most)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_all_only_where_it_is() {
        let shares = [(0, 9), (1, 1_000), (1, 2), (999, 1_000), (7, 7)].map(|(part, all)| percent(part, all));
        assert_eq!(shares, [0, 1, 50, 99, 100]);
    }

    #[test]
    fn findings_of_what_is_kept_are_those_of_timelines() {
        let moment =
            |severity: &str| serde_json::json!({"severity": severity, "detector": "bola", "reason": "why"});
        let whole =
            serde_json::json!({"timeline": [moment("Low"), moment("Critical"), moment("Informational")]});
        let incidents = [Incident { uid: "ab".into(), whole, ..Incident::default() }];
        let levels: Vec<Level> = moments(&incidents).iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Critical, Level::Low, Level::Informational]);
        assert_eq!(moments(&incidents)[0].incident, "ab");
    }
}
