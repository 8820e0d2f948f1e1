//! What left, as a page and as JSON.

use crate::incidents::span;
use crate::paper::{Paper, plain};
use crate::size::{self, counted};
use crate::summary::rfc3339;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tapwire_detect::radius::{Persons, Radius, Reached};
use tapwire_event::Redactor;
use tapwire_inventory::{EndpointId, Inventory};
use tapwire_wire::Timestamp;

/// What left.
pub(super) struct Left<'a> {
    name: String,
    radius: &'a Radius,
    inventory: &'a Inventory,
    endpoints: Vec<(EndpointId, Reached)>,
    persons: Persons,
}

impl<'a> Left<'a> {
    pub(super) fn new(name: String, radius: &'a Radius, inventory: &'a Inventory) -> Self {
        let endpoints = radius.reached(inventory);
        let mut persons = Persons::new();
        endpoints.iter().for_each(|(_, reached)| persons.join(&reached.persons));
        Self { name, radius, inventory, endpoints, persons }
    }

    fn sum(&self, of: impl Fn(&Reached) -> u64) -> u64 {
        self.endpoints.iter().map(|(_, reached)| of(reached)).sum()
    }

    /// Persons in what was not read, were they as close together there as in what was; `None` where nothing tells.
    fn unseen(&self) -> Option<u64> {
        let (count, _) = self.persons.count();
        let (read, unread) = (self.sum(|one| one.read_bytes), self.sum(|one| one.unread_bytes));
        if self.sum(|one| one.unread) == 0 {
            return Some(0);
        }
        let unknown = self.sum(|one| one.unknown_length) > 0;
        (!unknown && read > 0 && count > 0).then(|| count.saturating_mul(unread).div_ceil(read))
    }

    pub(super) fn page(&self, redactor: &mut Redactor) -> String {
        let mut paper = Paper::new(true);
        paper.line(&paper.strong(&format!("Blast radius of {}", self.name)));
        paper.hang("  ", &self.headline());
        if !self.endpoints.is_empty() {
            paper.heading("Endpoints");
        }
        for (id, reached) in &self.endpoints {
            paper.hang("  ", &paper.strong(&self.place(*id, redactor)));
            paper.hang("    ", &self.given(reached, redactor));
            paper.hang("    ", &span(reached.first, reached.last));
        }
        paper.heading("Not seen");
        self.not_seen().iter().for_each(|line| paper.hang("  - ", line));
        paper.into_text()
    }

    fn headline(&self) -> String {
        let (count, exact) = self.persons.count();
        let answers = counted(self.sum(|one| one.calls), "answer");
        let persons = counted(count, "person");
        let whose =
            if self.radius.target().logins.is_some() { ", to all who logged in there meanwhile" } else { "" };
        match (count, exact, self.is_bound()) {
            (0, ..) if self.sum(|one| one.too_few) > 0 => {
                format!("no person was told by what was read of {answers}, which hold data of people")
            }
            (0, ..) => format!("no person was told by what was read of {answers}"),
            (_, true, true) => format!("records of at least {persons} left, in {answers}{whose}"),
            (_, true, false) => format!("records of {persons} left, in {answers}{whose}: counted one by one"),
            (_, false, true) => format!("records of at least about {persons} left, in {answers}{whose}"),
            (_, false, false) => format!("records of about {persons} left, in {answers}{whose}: within 2 %"),
        }
    }

    /// Whether there may be persons in what was looked for that are in no figure.
    fn is_bound(&self) -> bool {
        let radius = self.radius;
        self.unseen() != Some(0)
            || self.sum(|one| one.too_few) > 0
            || radius.target().more
            || radius.beyond + radius.unfollowed > 0
            || self.before().is_some()
    }

    /// When the incident began and when the first call was read, where that was later.
    fn before(&self) -> Option<(Timestamp, Timestamp)> {
        let (began, read) = (self.radius.target().began?, self.radius.since?);
        (began < read).then_some((began, read))
    }

    fn place(&self, id: EndpointId, redactor: &mut Redactor) -> String {
        let Some(endpoint) = self.inventory.endpoint(id) else { return "no endpoint".into() };
        let (method, host) =
            (redactor.shown_method(&endpoint.method), redactor.shown_host(&endpoint.service));
        plain(&format!("{method} {host}{}", redactor.shown_path(&endpoint.template)))
    }

    fn given(&self, reached: &Reached, redactor: &mut Redactor) -> String {
        let (count, exact) = reached.persons.count();
        let about = if exact { "" } else { "about " };
        let by = told_by(reached, redactor);
        let persons = match count {
            0 => "no person told".to_owned(),
            _ => format!("{about}{} by {}", counted(count, "person"), by.join(", ")),
        };
        let classes: Vec<String> = self
            .classes(reached)
            .iter()
            .map(|(name, count)| format!("{name} {}", size::count(*count)))
            .collect();
        let classes = if classes.is_empty() { "no sensitive data".to_owned() } else { classes.join(", ") };
        format!("{}, {persons}; {classes}", counted(reached.calls, "answer"))
    }

    fn classes(&self, reached: &Reached) -> BTreeMap<String, u64> {
        reached
            .classes
            .iter()
            .map(|(class, count)| (self.inventory.class_name(*class).to_owned(), *count))
            .collect()
    }

    /// What is in no figure, each in a sentence.
    fn not_seen(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (unread, bytes) = (self.sum(|one| one.unread), self.sum(|one| one.unread_bytes));
        if unread > 0 {
            let bound = match self.unseen() {
                Some(more) => {
                    format!("as dense as the rest, they name up to {} more", counted(more, "person"))
                }
                None => "nothing bounds whom they name".to_owned(),
            };
            lines.push(format!(
                "{} of {} not read whole (missing, cut, or of no format that is read), {}: {bound}",
                counted(unread, "answer"),
                size::count(self.sum(|one| one.calls)),
                size::bytes(bytes)
            ));
        } else {
            lines.push("every answer to these calls was read whole".to_owned());
        }
        lines.extend(self.uncounted());
        lines.extend(self.unsure());
        lines.push("what passed outside of these packets, or was not decrypted".to_owned());
        lines.push(
            "a person who is named by e-mail in one answer and only by number in another counts twice"
                .to_owned(),
        );
        lines
    }

    /// Whom the figures leave out.
    fn uncounted(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let too_few = self.sum(|one| one.too_few);
        if too_few > 0 {
            lines.push(format!(
                "{}: more data of people, or more fields, than the persons whom they name account for",
                counted(too_few, "answer")
            ));
        }
        if self.radius.beyond > 0 {
            lines.push(format!("{} of further endpoints", counted(self.radius.beyond, "call")));
        }
        if self.radius.target().more {
            lines.push("callers or addresses beyond the 8 that an incident keeps".to_owned());
        }
        if self.radius.unfollowed > 0 {
            lines.push(format!(
                "what tokens of {} were given",
                counted(self.radius.unfollowed, "further login")
            ));
        }
        if let Some((began, read)) = self.before() {
            lines.push(format!(
                "what came before {}, the first call that was read: the first finding is of {}",
                rfc3339(read),
                rfc3339(began)
            ));
        }
        lines
    }

    /// Whose calls may be among them.
    fn unsure(&self) -> Vec<String> {
        let target = self.radius.target();
        let unnamed = target.unnamed().map(|(from, to)| {
            let time = span(from, to);
            format!("whose calls without a name those from its addresses are: all count, {time}")
        });
        let logins = target.logins.map(|(from, to)| {
            let time = span(from, to);
            format!("whose logins at its endpoints are: all that succeeded count, people's own too, {time}")
        });
        unnamed.into_iter().chain(logins).collect()
    }

    pub(super) fn json(&self, redactor: &mut Redactor) -> Value {
        let (count, exact) = self.persons.count();
        let endpoints: Vec<Value> =
            self.endpoints.iter().map(|(id, one)| self.endpoint_json(*id, one, redactor)).collect();
        json!({
            "of": self.name, "persons": count, "exact": exact && !self.is_bound(), "at_least": self.is_bound(), "endpoints": endpoints,
            "answers": self.sum(|one| one.calls), "refused": self.radius.refused,
            "unread_answers": self.sum(|one| one.unread), "unread_bytes": self.sum(|one| one.unread_bytes),
            "unseen_persons_at_most": self.unseen(), "calls_beyond": self.radius.beyond,
            "answers_of_more_persons": self.sum(|one| one.too_few), "more_callers": self.radius.target().more,
            "unfollowed_logins": self.radius.unfollowed,
            "logins_of_anybody": self.radius.target().logins.map(|(from, to)| [rfc3339(from), rfc3339(to)]),
            "unnamed_calls": self.radius.target().unnamed().map(|(from, to)| [rfc3339(from), rfc3339(to)]),
        })
    }

    fn endpoint_json(&self, id: EndpointId, reached: &Reached, redactor: &mut Redactor) -> Value {
        let (count, exact) = reached.persons.count();
        json!({
            "id": format!("{:016x}", id.0), "name": self.place(id, redactor), "answers": reached.calls,
            "persons": count, "exact": exact && reached.too_few == 0, "told_by": told_by(reached, redactor),
            "answers_of_more_persons": reached.too_few,
            "data_classes": self.classes(reached), "first": rfc3339(reached.first), "last": rfc3339(reached.last),
            "unread_answers": reached.unread, "unread_bytes": reached.unread_bytes,
        })
    }
}

/// Names of fields come from traffic: maps have persons' addresses for names.
fn told_by(reached: &Reached, redactor: &mut Redactor) -> Vec<String> {
    reached.told_by.iter().map(|name| plain(&redactor.shown_name(name))).collect()
}
