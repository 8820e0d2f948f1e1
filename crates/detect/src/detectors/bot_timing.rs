//! Calls as regular as no person makes them.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, is_person, is_program, place, status, template};
use crate::tally::Distinct;
use crate::{Finding, Outcome, Severity};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "bot-timing",
    title: "A person's session calls like a clock (bot timing)",
    summary: "A person's account called one endpoint sixty times and more with pauses that hardly differ, and ten times as often as others do; or for several objects by turns, or ten and more, with pauses of a clock, and three times as often. That is a \
              program: it waits for stock, prices or appointments faster than people can. What pages ask for by themselves they ask for \
              everybody; programs with a key, a certificate or a role of their own are not judged.",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-799",
    attack: ("T1059", "Command and Scripting Interpreter"),
    severity: "Low",
    scope: Scope::Principal,
    warm_up: "60 calls of one endpoint, which 20 others call, too; a day of it where one thing is asked for",
    next_steps: &[
        "Limit calls of one path by caller.",
        "Ask for a proof that a person is there where it matters.",
    ],
    unjudged: "no person's account was used",
    needs: Needs { least: 60, of: "calls of one caller", seen: |call, _| call.caller.calls.into() },
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: is_person,
    concerns: |call| {
        is_person(call)
            && call.caller.calls >= 20
            && !is_program(call)
            && (is_ok(call) || status(call) == Some(429))
    },
    state: StateKind::of::<BotTiming>(),
};

const ENOUGH: u64 = 60;
/// The longest pause, in seconds, and how far pauses may be from their mean, as a share of it.
const LONGEST: f64 = 900.0;
const REGULAR: f64 = 0.15;
/// How many times as often as others it must call, and how many others there must be.
const TIMES: u64 = 10;
/// The same for pauses that differ by no more than a network's delay does: those are a clock's, as those of pages that ask by themselves.
const CLOCK: f64 = 0.02;
const TIMES_OF_A_CLOCK: u64 = 3;
const SEVERAL: usize = 2;
const MANY: usize = 10;
/// Calls of each other caller from which on a page asks there by itself: who leaves it open asks more often, and for one thing.
const POLLED: u64 = 10;
const OTHERS: u64 = 20;
const DAY: i64 = 86_400 * 1_000_000_000;

/// The pauses between calls of one endpoint.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct BotTiming {
    place: u64,
    last: i64,
    count: u64,
    refused: u64,
    /// Pauses that were far from the others.
    odd: u64,
    /// What it asked for by name.
    objects: Distinct,
    /// The last of these, and how often another came.
    last_object: u64,
    turns: u64,
    /// Mean and sum of squared differences (Welford), in seconds.
    mean: f64,
    squares: f64,
    told: bool,
}

impl Detector for BotTiming {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let (place, now) = (place(case.call), case.call.observation.exchange.started().nanos());
        if place != self.place {
            // What is called in between, such as to log in again, does not end it.
            self.odd += 1;
            if self.odd * 5 > self.count {
                *self = Self { place, last: now, told: self.told, ..Self::default() };
            }
            return;
        }
        let pause = now.saturating_sub(self.last) as f64 / 1e9;
        self.last = now;
        if !(0.0..=LONGEST).contains(&pause) {
            *self = Self { place, last: now, told: self.told, ..Self::default() };
            return;
        }
        self.count += 1;
        let object = case.call.relations.named;
        if object != 0 {
            self.objects.add(object);
            self.turns += u64::from(object != self.last_object);
            self.last_object = object;
        }
        self.refused += u64::from(!is_ok(case.call));
        let delta = pause - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (pause - self.mean);
        let deviation = (self.squares / self.count as f64).sqrt();
        let is_regular = deviation <= self.mean * REGULAR && self.mean >= 0.2;
        if self.told || self.count < ENOUGH || !is_regular || !self.is_alone(case, deviation) {
            return;
        }
        self.told = true;
        let outcome = if self.refused * 2 > self.count { Outcome::Blocked } else { Outcome::Confirmed };
        let reason = format!(
            "{} calls of {} with pauses of {:.1} s that differ by {:.2} s; people's differ by as much as they last, and others call it far less often.",
            self.count,
            template(case.call),
            self.mean,
            deviation,
        );
        out.push(case.finding(b"", Severity::Low, outcome, 65, reason));
    }
}

impl BotTiming {
    /// Whether others call there far less: what a page asks for by itself, it asks for everybody.
    fn is_alone(&self, case: &Case<'_>, deviation: f64) -> bool {
        let Some(endpoint) = case.endpoint else { return false };
        let (callers, more) = endpoint.callers.count();
        let others = (callers as u64).saturating_sub(1);
        let calls = endpoint.calls.saturating_sub(self.count);
        // A list, or one thing after the other whose state is waited for, is what a page asks for by itself.
        let objects = self.objects.len();
        let by_turns = objects >= SEVERAL && self.turns > objects as u64;
        let is_watch = by_turns || objects >= MANY;
        let is_clock = deviation <= self.mean * CLOCK && is_watch;
        let times = if is_clock { TIMES_OF_A_CLOCK } else { TIMES };
        let is_polled = calls >= POLLED * others && !is_watch;
        // A page that asks for one thing by itself is told from a program by how others come, and in the first hours of a place
        // few have come twice.
        let is_new = self.last - endpoint.first_seen.nanos() < DAY && !is_watch;
        (others >= OTHERS || more)
            && !is_polled
            && !is_new
            && calls * times <= self.count * others.max(OTHERS)
    }
}
