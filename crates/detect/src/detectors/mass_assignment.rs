//! Fields that nobody sends, and that decide what one may do.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{Words, calls_of_the_endpoint, is_ok, short, status, template, writes};
use crate::tally::{AtLeast, Names, Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::fields::{Field, FieldList, Kind, Step};
use tapwire_inventory::{Call, Property};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "mass-assignment",
    title: "A field that decides about rights or money is sent where nobody sends it (mass assignment)",
    summary: "A request that changes something had a field such as role, admin, balance or verified, which no other body to that endpoint ever \
              had, or which callers of another role send as a rule and none of ten others of the caller's. Frameworks that copy all members of a body onto an object let callers set what is not theirs to set.",
    owasp: "API3:2023 Broken Object Property Level Authorization",
    cwe: "CWE-915",
    attack: ("T1098", "Account Manipulation"),
    severity: "High when the answer has the field as it was sent, or a name such as is_admin was accepted; Medium when accepted and the answer does not tell; Low when ignored or refused",
    scope: Scope::Endpoint,
    warm_up: "5 bodies to the endpoint without that field, 50 for words such as status and price and in forms of 24 members and more; none for names such as is_admin",
    next_steps: &[
        "Name the fields that a caller may set, and ignore or refuse all others.",
        "Look what became of the object that was written.",
    ],
    unjudged: "no request that changes something had a body with fields",
    needs: Needs {
        least: 5,
        of: "calls of one endpoint that changes something",
        seen: calls_of_the_endpoint,
    },
    nature: Nature::USUAL,
    judges: |call| writes(call) && call.observation.request_payload.list.is_some(),
    concerns: |call| {
        writes(call) && call.observation.request_payload.list.is_some() && call.relations.login.is_none()
    },
    state: StateKind::of::<MassAssignment>(),
};

const ENOUGH: u64 = 5;
/// Words of names that decide about rights or money.
const WORDS: Words = Words::of(&[
    "admin",
    "isadmin",
    "role",
    "roles",
    "permission",
    "permissions",
    "superuser",
    "staff",
    "verified",
    "balance",
    "credit",
    "credits",
    "discount",
    "price",
    "plan",
    "tier",
    "privilege",
    "privileges",
    "approved",
    "groups",
    "scopes",
    "owner",
    "tenant",
    "quota",
    "limit",
    "paid",
    "status",
]);

/// Words that stand in what clients send now and then, and that partial updates hold when it is their turn.
const USUAL: Words =
    Words::of(&["status", "price", "plan", "tier", "limit", "discount", "groups", "owner", "approved"]);
/// Bodies without such a word that make it new.
const MANY: u64 = 50;
/// Members from which on a body is a form of many questions, of which some are seldom answered: there only an answer that has the
/// field proves something.
const FORM: usize = 24;
/// Callers that send a field, from which on it is one that clients send.
const SPREAD: u64 = 4;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct MassAssignment {
    /// Fields that were sent, and fields that were answered.
    sent: Names<64>,
    answered: Vec<u64>,
    bodies: u64,
    /// Of these, forms.
    forms: u64,
    told: Told,
    /// Fields that were told of, with who sent them.
    senders: Vec<(u64, AtLeast)>,
}

/// What became of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// The answer has it as it was sent, or for the first time.
    Taken,
    /// The answer has another value, or other fields.
    Ignored,
    /// The answer does not tell.
    Unknown,
}

impl Detector for MassAssignment {
    const VERSION: u32 = 2;

    fn lessons(self) -> Option<Self> {
        Some(Self { told: Told::default(), senders: Vec::new(), ..self })
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(list) = case.call.observation.request_payload.list.as_deref() else { return };
        let who = case.call.principal.map_or(0, |principal| short(principal.token));
        let has_many = list.fields().iter().filter(|field| field.step == Step::Member).count() >= FORM;
        // What bodies are here say those before it: who writes one may fill it up.
        let is_form = self.forms * 4 > self.bodies;
        for field in list.fields().iter().filter(|field| field.step == Step::Member) {
            let name = list.name(field);
            let weight = weight(name);
            if weight == 0 && !self.sent.has(field.hash) {
                self.sent.add(field.hash);
            } else if weight > 0 && !self.sent.has(field.hash) {
                let enough = match makes_admins(name) {
                    true => 0,
                    false if is_form => MANY,
                    false => weight,
                };
                let is_first = !makes_admins(name) && is_first_of_role(case.call);
                if self.bodies < enough || is_first || self.is_spread(field.hash, who) {
                    self.sent.add(field.hash);
                } else if !is_form
                    || makes_admins(name)
                    || self.effect(case.call, list, field) == Effect::Taken
                {
                    self.tell(case, list, field, who, out);
                }
            } else if let Some(others) = of_another_role(case.call, field, weight) {
                self.tell_role(case, list, field, (who, others), out);
            }
        }
        if is_ok(case.call) {
            self.bodies += 1;
            self.forms += u64::from(has_many);
            self.learn_answer(case.call);
        }
    }
}

impl MassAssignment {
    /// Whether so many callers send the field that clients do.
    fn is_spread(&mut self, field: u64, who: u64) -> bool {
        if let Some((_, senders)) = self.senders.iter_mut().find(|(known, _)| *known == field) {
            return senders.add(who) > SPREAD;
        }
        if self.senders.len() >= 8 {
            self.senders.remove(0);
        }
        let mut senders = AtLeast::default();
        senders.add(who);
        self.senders.push((field, senders));
        false
    }

    /// Which fields that decide answers have as a rule.
    fn learn_answer(&mut self, call: &Call) {
        let Some(answer) = call.observation.response_payload.list.as_deref() else { return };
        for field in answer.fields().iter().filter(|field| field.step == Step::Member) {
            if self.answered.len() < 16
                && !self.answered.contains(&field.hash)
                && weight(answer.name(field)) > 0
            {
                self.answered.push(field.hash);
            }
        }
    }

    fn tell(&mut self, case: &Case<'_>, list: &FieldList, field: &Field, who: u64, out: &mut Vec<Finding>) {
        let name = list.name(field);
        let effect = self.effect(case.call, list, field);
        let (severity, outcome, told) = match (status(case.call), effect) {
            (Some(200..=299), Effect::Taken) => {
                (Severity::High, Outcome::Confirmed, "it was accepted, and the answer has it as it was sent")
            }
            (Some(200..=299), Effect::Ignored) => (
                Severity::Low,
                Outcome::NoEffect,
                "it was answered with 2xx, and the answer does not have it so",
            ),
            (Some(200..=299), Effect::Unknown) if makes_admins(name) => (
                Severity::High,
                Outcome::Likely,
                "it was accepted, and the answer does not tell what became of it",
            ),
            (Some(200..=299), Effect::Unknown) => (
                Severity::Medium,
                Outcome::Attempted,
                "it was answered with 2xx, which does not tell what became of it",
            ),
            (Some(400..=499), _) => (Severity::Low, Outcome::Blocked, "it was refused"),
            _ => (Severity::Low, Outcome::Attempted, "the answer does not tell"),
        };
        let time = case.call.observation.exchange.started();
        if !self.told.rises(field.hash ^ who, outcome.rank(), time) {
            return;
        }
        let shown = tapwire_inspect::plain_name(name, 32);
        let bodies = times(self.bodies, "body");
        let reason = format!(
            "Field `{shown}` was sent to {}: {told}; none of {bodies} accepted before had it.",
            template(case.call),
        );
        out.push(case.finding(&field.hash.to_le_bytes(), severity, outcome, 75, reason));
    }

    /// Tells of a field that only callers of another role send.
    fn tell_role(
        &mut self,
        case: &Case<'_>,
        list: &FieldList,
        field: &Field,
        (who, others): (u64, Property),
        out: &mut Vec<Finding>,
    ) {
        let (severity, outcome, told) = match (status(case.call), self.effect(case.call, list, field)) {
            (Some(400..=499), _) => (Severity::Low, Outcome::Blocked, "refused"),
            (_, Effect::Taken) => {
                (Severity::High, Outcome::Confirmed, "accepted, and the answer has it as it was sent")
            }
            (_, Effect::Ignored) => (Severity::Low, Outcome::NoEffect, "the answer does not have it so"),
            (_, Effect::Unknown) => (Severity::Medium, Outcome::Likely, "accepted"),
        };
        if !self.told.rises(field.hash ^ who, outcome.rank(), case.call.observation.exchange.started()) {
            return;
        }
        let reason = format!(
            "Field `{}` was sent to {}, {told}: about {} other callers of its role never sent it in {}, and of another role {} of {} do.",
            tapwire_inspect::plain_name(list.name(field), 32),
            template(case.call),
            others.peers,
            times(others.calls.into(), "call"),
            others.others.0,
            others.others.1,
        );
        out.push(case.finding(&field.hash.to_le_bytes(), severity, outcome, 75, reason));
    }

    /// By the answer's member of that name: a value as it was sent proves it where answers do not have it as a rule, or where
    /// it says so in words.
    fn effect(&self, call: &Call, list: &FieldList, field: &Field) -> Effect {
        let Some(answer) = call.observation.response_payload.list.as_deref() else { return Effect::Unknown };
        let name = list.name(field);
        let same = |other: &&Field| answer.name(other).eq_ignore_ascii_case(name);
        let Some(told) = answer.fields().iter().find(same) else {
            let known = answer.fields().iter().filter(|other| {
                other.step == Step::Member
                    && list.fields().iter().any(|sent| list.name(sent) == answer.name(other))
            });
            return if known.count() > 0 { Effect::Ignored } else { Effect::Unknown };
        };
        let is_new = !self.answered.contains(&told.hash) && self.bodies > 0;
        let text = list.samples(field).any(|sent| answer.samples(told).any(|told| told == sent));
        let number = !field.numbers.is_empty() && field.numbers.most.to_bits() == told.numbers.most.to_bits();
        match (is_new || text || number, field.kinds.has(Kind::Boolean)) {
            (true, _) => Effect::Taken,
            (false, true) => Effect::Unknown,
            (false, false) => Effect::Ignored,
        }
    }
}

/// Whether nobody else of the caller's role sends anything there, where several of another one do.
fn is_first_of_role(call: &Call) -> bool {
    call.relations.properties.as_ref().is_some_and(|properties| properties.is_first)
}

/// What is known of a field that decides and that callers of another role send as a rule, and of the caller's own none did.
fn of_another_role(call: &Call, field: &Field, weight: u64) -> Option<Property> {
    /// How likely it may be that no role has to do with it, and callers of its own at the least.
    const CHANCE: f64 = 0.001;
    const PEERS: u64 = 10;
    let found =
        call.relations.properties.as_ref()?.found.iter().find(|property| {
            property.in_request && property.field == field.hash && property.chance <= CHANCE
        })?;
    (weight > 0 && u64::from(found.peers) >= PEERS.max(weight)).then_some(*found)
}

/// Names that clients have no reason to send at all.
fn makes_admins(name: &[u8]) -> bool {
    [&b"admin"[..], b"is_admin", b"isadmin", b"superuser", b"is_superuser", b"is_staff"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Bodies without a field of that name that make it new; 0 of names that decide nothing.
fn weight(name: &[u8]) -> u64 {
    let name = name.get(..40).unwrap_or(name);
    let words = name.split(|byte| !byte.is_ascii_alphanumeric());
    let parts = words.flat_map(|word| {
        word.chunk_by(|before, byte| !(before.is_ascii_lowercase() && byte.is_ascii_uppercase()))
    });
    parts.map(of_word).max().unwrap_or(0)
}

fn of_word(word: &[u8]) -> u64 {
    match () {
        () if !WORDS.has(word) => 0,
        () if USUAL.has(word) => MANY,
        () => ENOUGH,
    }
}
