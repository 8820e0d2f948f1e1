//! Five things to do: incidents of the month, then what policies found, the worst first, then what misses its target, then what stands worst.

use super::ALL;
use super::figures::Looked;
use crate::incidents::{Reading, headline};
use crate::kpis::{goal, told};
use crate::paper::plain;
use crate::size::{count, counted};
use tapwire_detect::Posture;
use tapwire_detect::policies::Offence;
use tapwire_event::{Mark, Place, Task};
use tapwire_inventory::kpis::{Contributor, KPIS, Kpi, Part, target_of, worst};

/// How many.
const TASKS: usize = 5;
/// Of these, incidents.
const INCIDENTS: usize = 3;
/// Places of one that are named.
const PLACES: usize = 4;
/// Places that are counted.
const COUNTED: usize = 1_000;
/// A blind spot above this is to do something about, whatever its target.
const BLIND: f64 = 10.0;

/// What matters more stands first; what is not here is no task without a target.
const URGENT: [&str; 14] = [
    "unauthenticated-sensitive",
    "mixed-authentication",
    "credential-hygiene",
    "shadow-traffic",
    "zombie-traffic",
    "third-party-exposure",
    "gateway-coverage",
    "authentication-coverage",
    "server-errors",
    "conformance",
    "undecrypted",
    "tls-coverage",
    "owner-coverage",
    "orphans",
];

impl Looked<'_> {
    /// The most urgent first.
    pub(super) fn tasks(&mut self) -> Vec<Task> {
        let standing = self.postures.iter().filter(|posture| posture.stage.stands()).take(TASKS);
        let mut tasks = self.incidents_of_month();
        let findings: Vec<Task> = standing.map(|posture| self.finding(posture)).collect();
        tasks.extend(findings);
        tasks.truncate(TASKS);
        let mut ranked: Vec<(u8, usize, &Kpi, Part)> =
            KPIS.iter().filter_map(|kpi| self.ranked(kpi)).collect();
        ranked.sort_by_key(|(mark, urgency, ..)| (*mark, *urgency));
        for (_, _, kpi, part) in ranked {
            if tasks.len() >= TASKS {
                break;
            }
            let Some(task) = self.task(kpi, part) else { continue };
            // Two figures may tell of the same places: one visit is enough.
            let names = |task: &Task| task.places.iter().map(|place| place.name.clone()).collect::<Vec<_>>();
            let new = task.places.is_empty() || tasks.iter().all(|known| names(known) != names(&task));
            tasks.extend(new.then_some(task));
        }
        tasks
    }

    /// Somebody did harm, or tried: that comes before what could be.
    fn incidents_of_month(&mut self) -> Vec<Task> {
        let (inventory, redactor) = (Some(self.inventory), &mut *self.redactor);
        let mut reading = Reading { redactor, inventory };
        let all = self.incidents.len();
        let shown = self.incidents.iter().take(INCIDENTS).zip(1..);
        shown
            .map(|(incident, number)| {
                let severity = incident.worst.severity.name();
                let more = if number == INCIDENTS { all.saturating_sub(number) as u64 } else { 0 };
                let more = if more > 0 {
                    format!(" {} in this month: tapwire incidents", counted(more, "more incident"))
                } else {
                    String::new()
                };
                let why = plain(&reading.redactor.shown_sentence(&incident.worst.reason));
                Task {
                    what: incident.next_steps().first().map_or_else(
                        || "Look into the incident, and say what it was.".to_owned(),
                        |step| plain(step),
                    ),
                    why: format!(
                        "Incident {} ({severity}): {}. {why}.{more}",
                        incident.uid,
                        headline(incident, &mut reading)
                    ),
                    places: Vec::new(),
                    more: 0,
                }
            })
            .collect()
    }

    /// A finding of a policy, which brings its own fix.
    fn finding(&mut self, posture: &Posture) -> Task {
        let rule = &posture.rule;
        let reason = plain(&self.redactor.shown_sentence(&posture.reason));
        let service = plain(&self.redactor.shown_host(&posture.service));
        let places = posture.endpoints.iter().take(PLACES);
        let places: Vec<Place> = places.map(|offence| self.offender(posture, offence)).collect();
        Task {
            what: plain(if rule.fix.is_empty() { &rule.title } else { &rule.fix }),
            why: format!("{} ({}) on {service}: {reason}", plain(&rule.title), rule.severity.name()),
            more: usize::try_from(posture.total).unwrap_or(usize::MAX).saturating_sub(places.len()),
            places,
        }
    }

    fn offender(&mut self, posture: &Posture, offence: &Offence) -> Place {
        let (method, template) = (&offence.method, &offence.template);
        Place {
            name: self.name(&posture.service, method, template, offence.operation.as_deref()),
            what: format!("{} of {}", count(offence.hits), counted(offence.among, "call")),
            owner: owned(self.inventory.owner(offence.id)),
        }
    }

    fn ranked<'k>(&self, kpi: &'k Kpi) -> Option<(u8, usize, &'k Kpi, Part)> {
        let part = self.value(kpi, &ALL).part()?;
        let place = URGENT.iter().position(|name| *name == kpi.name);
        let mark = match self.mark(kpi, &ALL) {
            Mark::Overdue => 0,
            Mark::Missed => 1,
            Mark::Met => return None,
            Mark::None => 2,
        };
        let blind = kpi.is_blind_spot() && kpi.figure(part) >= BLIND;
        let matters = mark < 2 || blind || place.is_some() && !kpi.is_blind_spot();
        (matters && kpi.against(part) > 0).then_some((mark, place.unwrap_or(URGENT.len()), kpi, part))
    }

    /// Nothing where a figure has no place that anything could be done at.
    fn task(&mut self, kpi: &Kpi, part: Part) -> Option<Task> {
        let found = worst(self.inventory, kpi, &ALL, COUNTED);
        if found.is_empty() && !kpi.is_blind_spot() {
            return None;
        }
        let target = target_of(self.targets, kpi, &ALL);
        let target = target.map(|target| format!("; the target is {}", goal(target))).unwrap_or_default();
        let why = format!(
            "{} is {} ({} of {} {}){target}.",
            kpi.title,
            told(kpi, part),
            count(part.numerator),
            count(part.denominator),
            kpi.of
        );
        Some(Task {
            what: kpi.advice.into(),
            why,
            places: found.iter().take(PLACES).map(|one| self.place(kpi, one)).collect(),
            more: found.len().saturating_sub(PLACES),
        })
    }

    fn place(&mut self, kpi: &Kpi, one: &Contributor) -> Place {
        let endpoint = one.endpoint.and_then(|id| self.inventory.endpoint(id));
        let Some(endpoint) = endpoint else {
            let owner = self.inventory.about_service(&one.service).owner;
            let what = format!("{} of {}", count(kpi.against(one.part)), count(one.part.denominator));
            let name = plain(&self.redactor.shown_host(&one.service));
            return Place { name, what, owner: owned(owner) };
        };
        let what = match one.part.denominator {
            1 => counted(endpoint.calls, "call"),
            all => format!("{} of {}", count(kpi.against(one.part)), counted(all, "call")),
        };
        Place {
            name: self.name(
                &one.service,
                &endpoint.method,
                &endpoint.template,
                endpoint.operation.as_deref(),
            ),
            what,
            owner: owned(self.inventory.about(endpoint).owner),
        }
    }

    /// What an endpoint is called, as it may leave.
    fn name(&mut self, service: &str, method: &str, template: &str, operation: Option<&str>) -> String {
        let service = self.redactor.shown_host(service);
        let (method, path) = (self.redactor.shown_method(method), self.redactor.shown_path(template));
        let operation = operation.map(|operation| format!(" {}", self.redactor.shown_operation(operation)));
        plain(&format!("{method} {service}{path}{}", operation.unwrap_or_default()))
    }
}

fn owned(owner: Option<std::sync::Arc<str>>) -> String {
    owner.map(|owner| plain(&owner)).unwrap_or_default()
}
