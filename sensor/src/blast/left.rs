//! What left, as a page and as JSON.

use crate::incidents::span;
use crate::paper::{Paper, plain};
use crate::size::{self, counted};
use crate::summary::rfc3339;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
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
    /// What packets could not be read, and why.
    unread: Vec<String>,
    /// What was learned and had no room.
    left_out: u64,
}

impl<'a> Left<'a> {
    pub(super) fn new(
        name: String,
        radius: &'a Radius,
        inventory: &'a Inventory,
        unread: Vec<String>,
        left_out: u64,
    ) -> Self {
        let endpoints = radius.reached(inventory);
        let mut persons = Persons::new();
        endpoints.iter().for_each(|(_, reached)| persons.join(&reached.persons));
        Self { name, radius, inventory, endpoints, persons, unread, left_out }
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
        let target = self.radius.target();
        let whose = match (target.logins, target.anybody) {
            (Some(_), _) => ", to all who logged in there meanwhile",
            (None, Some(_)) => ", to all who called there meanwhile",
            (None, None) => "",
        };
        if count == 0 {
            if !self.unread.is_empty() {
                return format!("at least no person, in {answers}: not all packets could be read");
            }
            let people = if self.sum(|one| one.too_few) > 0 { ", which hold data of people" } else { "" };
            return format!("no person was told by what was read of {answers}{people}");
        }
        let about = if exact { "" } else { "about " };
        let (bound, how) = match (self.is_bound(), self.is_loose()) {
            (false, false) if exact => ("", ": counted one by one"),
            (false, false) => ("", ": within 2 %"),
            (true, false) => ("at least ", ""),
            (false, true) => ("up to ", ""),
            (true, true) => ("", ": some may be others', or counted twice, and some may be missing"),
        };
        format!("records of {bound}{about}{persons} left, in {answers}{whose}{how}")
    }

    /// Whether there may be persons in what was looked for that are in no figure.
    fn is_bound(&self) -> bool {
        let radius = self.radius;
        self.unseen() != Some(0)
            || !self.unread.is_empty()
            || self.sum(|one| one.too_few) > 0
            || self.endpoints.iter().any(|(_, one)| one.has_more())
            || radius.target().more
            || radius.apart > 0
            || radius.beyond + radius.unfollowed > 0
            || self.before().is_some()
            || self.left_out > 0
    }

    /// Whether there may be persons in the figures who are others', or who are counted several times.
    fn is_loose(&self) -> bool {
        let (radius, target) = (self.radius, self.radius.target());
        target.logins.is_some()
            || target.anybody.is_some()
            || radius.likely > 0
            || radius.has_several_programs()
            || self.sum(|one| one.several) > 0
            || self.spaces() > 1
    }

    /// In how many ways persons are named.
    fn spaces(&self) -> usize {
        self.endpoints.iter().flat_map(|(_, one)| &one.spaces).collect::<BTreeSet<_>>().len()
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
        } else if self.unread.is_empty() {
            lines.push("every answer to these calls was read whole".to_owned());
        }
        lines.extend(
            self.unread.iter().map(|what| format!("packets that could not be read: {}", plain(what))),
        );
        lines.extend(self.uncounted());
        lines.extend(self.unsure());
        lines.push("what passed outside of these packets, or was not decrypted".to_owned());
        lines
    }

    /// Whom the figures leave out.
    fn uncounted(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let too_few = self.sum(|one| one.too_few);
        if too_few > 0 {
            lines.push(format!(
                "{}: more data of people, or more fields, than the persons whom they name account for, or one name for most of \
                 their records",
                counted(too_few, "answer")
            ));
        }
        let more = self.endpoints.iter().filter(|(_, one)| one.has_more()).count() as u64;
        if more > 0 {
            lines.push(format!(
                "who shares an address with others: at {} more persons have numbers, or were asked for, than are told",
                counted(more, "endpoint")
            ));
        }
        if self.radius.apart > 0 {
            lines.push(format!(
                "what {} at its endpoints from its addresses led to: neither the name nor the program had failed there before",
                counted(self.radius.apart, "login")
            ));
        }
        if self.radius.beyond > 0 {
            lines.push(format!("{} of further endpoints", counted(self.radius.beyond, "call")));
        }
        if self.radius.target().more {
            lines.push("callers or addresses beyond the 8 that an incident keeps".to_owned());
        }
        if self.left_out > 0 {
            lines.push(format!(
                "{} of what was learned found no room: more memory may know more endpoints",
                counted(self.left_out, "part")
            ));
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

    /// Whose calls may be among them, and who may be counted twice.
    fn unsure(&self) -> Vec<String> {
        let (radius, target) = (self.radius, self.radius.target());
        let unnamed = target.unnamed().map(|(from, to)| {
            let time = span(from, to);
            format!("whose calls without a name those from its addresses are: all count, {time}")
        });
        let logins = target.logins.map(|(from, to)| {
            let time = span(from, to);
            format!("whose logins at its endpoints are: all that succeeded count, people's own too, {time}")
        });
        let anybody = target.anybody.map(|(from, to)| {
            let time = span(from, to);
            format!("whose calls at its endpoints are: all count, people's own too, {time}")
        });
        let likely = (radius.likely > 0 && logins.is_none()).then(|| {
            let logins = counted(radius.likely, "login");
            format!("whose {logins} from its addresses are: name or program had failed there, and what their tokens got counts")
        });
        let several = self.sum(|one| one.several);
        let several = (several > 0).then(|| {
            let answers = counted(several, "answer");
            format!("whose several records of one person are: {answers} tell by numbers of which a person may have more")
        });
        let twice = (self.spaces() > 1).then(|| {
            "who is named by e-mail in one answer and only by number in another, or by numbers of two kinds: counted twice"
                .to_owned()
        });
        unnamed.into_iter().chain(logins).chain(anybody).chain(likely).chain(several).chain(twice).collect()
    }

    pub(super) fn json(&self, redactor: &mut Redactor) -> Value {
        let (count, exact) = self.persons.count();
        let endpoints: Vec<Value> =
            self.endpoints.iter().map(|(id, one)| self.endpoint_json(*id, one, redactor)).collect();
        json!({
            "of": self.name, "told": self.headline(), "persons": count, "exact": exact && !self.is_bound() && !self.is_loose(),
            "at_least": self.is_bound(), "at_most": self.is_loose(), "endpoints": endpoints,
            "answers": self.sum(|one| one.calls), "refused": self.radius.refused,
            "unread_answers": self.sum(|one| one.unread), "unread_bytes": self.sum(|one| one.unread_bytes),
            "unseen_persons_at_most": self.unseen(), "calls_beyond": self.radius.beyond,
            "answers_of_more_persons": self.sum(|one| one.too_few), "more_callers": self.radius.target().more,
            "unfollowed_logins": self.radius.unfollowed, "logins_apart": self.radius.apart,
            "logins_followed_by_likeness": self.radius.likely,
            "answers_that_may_tell_one_person_several_times": self.sum(|one| one.several),
            "unread_packets": self.unread, "not_seen": self.not_seen(),
            "calls_of_anybody": self.radius.target().anybody.map(|(from, to)| [rfc3339(from), rfc3339(to)]),
            "logins_of_anybody": self.radius.target().logins.map(|(from, to)| [rfc3339(from), rfc3339(to)]),
            "unnamed_calls": self.radius.target().unnamed().map(|(from, to)| [rfc3339(from), rfc3339(to)]),
        })
    }

    fn endpoint_json(&self, id: EndpointId, reached: &Reached, redactor: &mut Redactor) -> Value {
        let (count, exact) = reached.persons.count();
        let is_sure =
            reached.too_few + reached.several == 0 && reached.spaces.len() < 2 && !reached.has_more();
        let is_exact = exact && is_sure && self.unread.is_empty();
        json!({
            "id": format!("{:016x}", id.0), "name": self.place(id, redactor), "answers": reached.calls,
            "persons": count, "exact": is_exact, "told_by": told_by(reached, redactor),
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
