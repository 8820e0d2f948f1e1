//! Codes and names that are guessed until one is right.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_missing, is_named, is_ok, is_person, method_is, path, status, template};
use crate::refusal::others_miss;
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::fields::{Field, FieldList, Step};
use tapwire_inventory::{Call, Owned};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "object-guessing",
    title: "Codes are guessed (brute force of objects such as coupons)",
    summary: "A named caller asked one endpoint for one thing after the other that does not exist, 25 and more within a day and nearly nothing \
              else there, by the path or in a body, where others mostly ask for what there is: it guesses codes, vouchers, file names or \
              identifiers. When one of them is answered, the guess was right. A code is one short word; that a limit was reached (429) says nothing of it.",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-799",
    attack: ("T1110", "Brute Force"),
    severity: "Medium; High when a guess was right",
    scope: Scope::Principal,
    warm_up: "none: 25 different guesses, four in five of its calls there, at an endpoint that a second caller uses",
    next_steps: &["Limit how many wrong codes one caller may try.", "Make codes long and random."],
    unjudged: "no named caller called",
    needs: Needs::NOTHING,
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: is_named,
    concerns: |call| is_named(call) && (is_wrong(call) || is_ok(call) || is_limited(call)),
    state: StateKind::of::<ObjectGuessing>(),
};

/// Different guesses that were wrong, and the longest time between two.
const ENOUGH: u64 = 25;
/// Wrong ones before one that is answered, from which on that was a guess as well.
const AMID: u64 = 5;
/// Wrong codes in bodies that nobody mistypes, whatever becomes of others' codes.
const MANY: u64 = 40;
const QUIET: i64 = 6 * 3_600;
const DAY: i64 = 86_400;
/// Seconds after the last wrong guess within which a right one is one of them.
const SOON: i64 = 600;
/// Members of a body that asks for one thing, and the longest code.
const FEW: usize = 2;
const LONGEST: u32 = 40;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ObjectGuessing {
    /// Where it guesses: a path up to its last segment, or the path that bodies go to.
    folder: u64,
    tried: Tried,
    stretch: Stretch,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Tried {
    wrong: Distinct,
    calls: u64,
    limited: u64,
    /// Answered amid wrong guesses, before these were enough.
    right: u64,
    hit: bool,
    /// The second of the last wrong guess, and the longest time between two.
    last: i64,
    pace: i64,
    steps: Steps,
}

impl Detector for ObjectGuessing {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let (folder, guess) = guess(case.call);
        let wrong = is_wrong(case.call);
        if folder != self.folder {
            // Where most guesses go stays, until others outnumber them.
            let begins = wrong && self.tried.wrong.len() < 3;
            if !begins {
                return;
            }
            *self = Self { folder, ..Self::default() };
        }
        self.stretch.renew(&mut self.tried, case.call.observation.exchange.started(), QUIET, DAY);
        let tried = &mut self.tried;
        if is_limited(case.call) {
            tried.limited += 1;
            return;
        }
        tried.calls += 1;
        if wrong {
            tried.wrong.add(guess);
        }
        let count = tried.wrong.len() as u64;
        // What is one's own is no guess, and what comes long after the last guess is no part of them.
        let own = case.call.relations.object.is_some_and(|object| object.owned == Owned::Own);
        let now = case.call.observation.exchange.started().nanos() / 1_000_000_000;
        let soon = wrong || now - tried.last <= SOON.max(tried.pace * 3);
        if wrong {
            tried.pace = if tried.last == 0 { 0 } else { tried.pace.max(now - tried.last) };
            tried.last = now;
        }
        let answered = is_ok(case.call) && !own && soon;
        tried.right += u64::from(answered && (AMID..ENOUGH).contains(&count));
        let is_right = answered && count >= ENOUGH && !tried.hit;
        let most = count * 5 >= tried.calls * 4;
        if !most || !is_blamed(case, count) || !(is_right || tried.steps.reaches(count, ENOUGH)) {
            return;
        }
        tried.hit |= is_right;
        let is_right = is_right || tried.right > 0;
        let (severity, outcome) = match (is_right, tried.limited > tried.calls) {
            (true, _) => (Severity::High, Outcome::Confirmed),
            (false, true) => (Severity::Medium, Outcome::Blocked),
            (false, false) => (Severity::Medium, Outcome::Attempted),
        };
        let reason = format!(
            "{} at {} {} wrong within {}, of {} there{}; others' calls there are mostly right.",
            tried.wrong.words("different guess"),
            template(case.call),
            if count == 1 { "was" } else { "were" },
            self.stretch.words(),
            times(tried.calls, "call"),
            if is_right { ", and one was right" } else { "" },
        );
        out.push(case.finding(&[u8::from(is_right)], severity, outcome, 75, reason));
    }

    fn begins(call: &Call) -> bool {
        is_wrong(call)
    }
}

/// Whether so many guesses are this caller's fault. Where codes are sent in a body and nobody was ever right, no endpoint is known; a
/// person who sends one code after the other there guesses.
fn is_blamed(case: &Case<'_>, wrong: u64) -> bool {
    let many = case.endpoint.is_none() || wrong >= MANY;
    let alone = many && asks_by_body(case.call) && is_person(case.call);
    alone || !others_miss(case, wrong)
}

/// Whether an answer says that there is no such thing; to what a body asks for, also that it is no good.
pub(super) fn is_wrong(call: &Call) -> bool {
    is_missing(call) || matches!(status(call), Some(400 | 409 | 422)) && asks_by_body(call)
}

/// Whether a code was not looked at: that is so for right ones as well, as where everybody's quota is used up.
pub(super) fn is_limited(call: &Call) -> bool {
    status(call) == Some(429) && asks_by_body(call)
}

/// Whether a body asks for one thing by a code: a question, or what somebody writes, is none.
pub(super) fn asks_by_body(call: &Call) -> bool {
    let list = call.observation.request_payload.list.as_deref();
    method_is(call, &[b"POST", b"PUT"])
        && list.is_some_and(|list| {
            let mut members = list.fields().iter().filter(|field| field.step == Step::Member);
            (1..=FEW).contains(&members.clone().count()) && members.all(|field| is_code(list, field))
        })
}

/// Whether all texts of a field are short words, or of a format.
fn is_code(list: &FieldList, field: &Field) -> bool {
    let is_word = |text: &[u8]| !text.iter().any(u8::is_ascii_whitespace);
    let is_one = list.samples(field).next().is_some() || !field.formats.is_empty();
    field.lengths.most <= LONGEST && is_one && list.samples(field).all(is_word)
}

/// Where a call guesses, and what.
pub(super) fn guess(call: &Call) -> (u64, u64) {
    let observation = &call.observation;
    if !asks_by_body(call) {
        return (folder(call), path(call));
    }
    let Some(list) = observation.request_payload.list.as_deref() else { return (0, 0) };
    let texts = list.fields().iter().flat_map(|field| list.samples(field));
    let ids = list.ids().iter().map(|id| id.hash);
    let hash = texts
        .flat_map(|text| text.iter().copied())
        .fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    (path(call), ids.fold(hash, |hash, id| hash.rotate_left(9) ^ id))
}

/// FNV-1a.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// A hash of the path without its last segment.
fn folder(call: &Call) -> u64 {
    let observation = &call.observation;
    let Some(head) = observation.exchange.request_head() else { return 0 };
    let segments = observation.segments.split_last().map_or(&[][..], |(_, before)| before);
    let bytes = segments.iter().flat_map(|segment| head.slice(segment.range).bytes().iter().chain(b"/"));
    bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}
