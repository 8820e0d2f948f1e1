//! Probes and walks that are spread over many callers, so that each of them asks for little.

use super::object_guessing;
use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, Spread, StateKind};
use crate::facts::{is_denied, is_named, is_ok, short, status, template};
use crate::refusal::{Refusal, is_given, others_miss, refusal};
use crate::tally::{Distinct, Names as Bloom, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{AgentFamily, Call, Owned};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "distributed-probing",
    title: "Objects or names are tried from many addresses, a few from each (distributed enumeration)",
    summary: "At one endpoint many callers were refused object after object, where others are answered; or numbers were asked for one next to the other by many addresses, \
              some by each; or many names were asked for where passwords are reset, several from each address; or wrong codes were sent by many accounts that were never right before. Each caller alone asks for \
              too little to be seen. People ask for what is theirs, and for one name; numbers above all that were asked for before are those of new objects, which are looked at one after the other as they come.",
    owasp: "API1:2023 Broken Object Level Authorization",
    cwe: "CWE-639",
    attack: ("T1119", "Automated Collection"),
    severity: "High when objects were given out in between, else Medium",
    scope: Scope::Endpoint,
    warm_up: "none: 6 callers refused several times and 25 objects, 60 numbers in a row by 8 networks, 40 names by 5 networks; three and more a caller",
    next_steps: &[
        "Limit by fingerprint, by account age and by endpoint rather than by address.",
        "Look which objects were given out in between.",
    ],
    unjudged: "no call named an object, and no name was asked for where passwords are reset",
    needs: Needs::NOTHING,
    nature: Nature { spread: Spread::Anybody, of_many_calls: true, ..Nature::USUAL },
    judges: |call| call.relations.named != 0 || super::user_enumeration::asks(call) || guesses(call),
    concerns: |call| {
        super::user_enumeration::asks(call)
            || call.relations.named != 0 && super::walks(call)
            || guesses(call)
    },
    state: StateKind::of::<DistributedProbing>(),
};

/// Callers that were refused more than once, objects, and callers that were answered within a week and meanwhile.
const CALLERS: usize = 6;
const OBJECTS: u64 = 25;
const ANSWERED: u64 = 5;
const MEANWHILE: usize = 2;
/// Numbers in a row, and the networks that asked for them.
const ROW: u64 = 60;
const ROW_NETWORKS: usize = 8;
/// Names, and the networks that asked for them.
const NAMES: u64 = 40;
const NETWORKS: usize = 5;
/// Of each by a caller or a network: people ask for one.
const EACH: u64 = 3;
/// Numbers that far from the last are next to it; calls in between that belong to no row, after which it is over.
const NEAR: u64 = 10;
const STRAY: u8 = 6;
const QUIET: i64 = 1_800;
const LONGEST: i64 = 3 * 3_600;
const DAY: i64 = 86_400;
/// Wrong codes in all, and of one caller: people mistype one or two.
const GUESSES: u64 = 60;
const GUESSED: u8 = 4;
/// The same where nobody was ever right: what a code is for may be out of order, and people try a few times.
const GUESSED_ALONE: u8 = 8;
/// Callers of which that is counted.
const COUNTED: usize = 64;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct DistributedProbing {
    probes: Probes,
    row: Row,
    names: Names,
    guesses: Guesses,
    stretch: Stretch,
    /// Who was answered here within a week before anything of it was refused, and how many.
    answered: Bloom<128>,
    others: u64,
    week: Stretch,
    /// The highest number that was answered.
    newest: u64,
}

/// What was refused.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Probes {
    objects: Distinct,
    missing: u64,
    callers: Distinct,
    repeated: Distinct,
    networks: Distinct,
    /// Others that were answered meanwhile.
    meanwhile: Distinct,
    /// Callers that were refused several times and had been answered before.
    regulars: u64,
    /// What callers that were refused several times were given.
    given: u64,
    steps: Steps,
}

/// Numbers next to each other, whoever asks.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Row {
    last: u64,
    /// Its lowest and its highest number.
    ends: (u64, u64),
    /// The highest number that was answered before it began.
    known: u64,
    in_a_row: u64,
    stray: u8,
    given: u64,
    seen: Distinct,
    networks: Distinct,
    steps: Steps,
}

/// Codes that bodies ask for.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Guesses {
    wrong: Distinct,
    /// Callers, each with its wrong guesses: the first so many.
    callers: Vec<(u64, u8)>,
    networks: Distinct,
    right: u64,
    limited: u64,
    /// Guessers that had been right before.
    regulars: u64,
    hit: bool,
    steps: Steps,
}

/// Names that were asked for.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Names {
    names: Distinct,
    networks: Distinct,
    given: u64,
    refused: u64,
    limited: u64,
    steps: Steps,
}

impl Detector for DistributedProbing {
    const VERSION: u32 = 1;

    fn begins(call: &Call) -> bool {
        call.relations.named != 0 || asks(call) || guesses(call)
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let known = self.newest;
        if case.call.relations.named != 0 && is_given(case.call) {
            self.newest = self.newest.max(case.call.relations.number.unwrap_or(0));
        }
        // A crawler shows what there is, and walks openly.
        if case.call.relations.named != 0 && is_bot(case.call) {
            return;
        }
        if self.stretch.begins(case.call.observation.exchange.started(), QUIET, LONGEST) {
            let Self { stretch, answered, others, week, newest, .. } = std::mem::take(self);
            *self = Self { stretch, answered, others, week, newest, ..Self::default() };
        }
        if self.week.begins(case.call.observation.exchange.started(), DAY, 7 * DAY) {
            (self.answered, self.others) = (Bloom::default(), 0);
        }
        if let Some(name) = super::user_enumeration::name(case.call).filter(|_| asks(case.call)) {
            return self.names.hear(case, name, self.stretch, out);
        }
        if case.call.relations.named == 0 {
            let who = who(case.call);
            if is_given(case.call) && !self.guesses.callers.iter().any(|(known, _)| *known == who) {
                self.answers(who);
            }
            return self.guesses.hear(case, self.stretch, (&self.answered, self.others), out);
        }
        let who = who(case.call);
        if is_given(case.call) && !self.probes.callers.has(who) {
            self.probes.meanwhile.add(who);
            self.answers(who);
        }
        if is_own(case.call) {
            return;
        }
        self.probes.hear(case, self.stretch, (&self.answered, self.others), out);
        self.row.hear(case, self.stretch, known, out);
    }
}

impl DistributedProbing {
    /// Somebody was answered who had not been refused lately.
    fn answers(&mut self, who: u64) {
        self.others += u64::from(!self.answered.has(who));
        self.answered.add(who);
    }
}

/// Whether a body asks for one thing by a code, and it is a wrong one, or a right one where others were wrong.
fn guesses(call: &Call) -> bool {
    call.relations.named == 0
        && call.relations.login.is_none()
        && is_named(call)
        && (object_guessing::is_wrong(call) || is_ok(call) || object_guessing::is_limited(call))
        && object_guessing::asks_by_body(call)
}

fn asks(call: &Call) -> bool {
    super::user_enumeration::asks(call)
}

fn is_bot(call: &Call) -> bool {
    call.caller.from.is_some_and(|from| from.agent == AgentFamily::Bot as u8)
}

fn is_own(call: &Call) -> bool {
    call.relations.object.is_some_and(|object| matches!(object.owned, Owned::Own | Owned::Usual))
}

fn who(call: &Call) -> u64 {
    call.principal.map_or(0, |principal| short(principal.token))
}

fn network(call: &Call) -> u64 {
    call.caller.address.map_or(0, |address| crate::facts::network(address.ip))
}

impl Probes {
    fn hear(
        &mut self,
        case: &Case<'_>,
        stretch: Stretch,
        (answered, others): (&Bloom<128>, u64),
        out: &mut Vec<Finding>,
    ) {
        let (call, who) = (case.call, who(case.call));
        let Some(refusal) = refusal(call).filter(|_| status(call) != Some(401)) else {
            self.given += u64::from(is_given(call) && self.repeated.has(who));
            return;
        };
        // What is missing for everybody is tried by nobody.
        if refusal == Refusal::Missing && others_miss(case, self.missing) {
            return;
        }
        self.missing += u64::from(refusal == Refusal::Missing);
        let is_new = self.objects.add(call.relations.named);
        if !self.callers.add(who) && is_new && self.repeated.add(who) {
            self.regulars += u64::from(answered.has(who));
        }
        self.networks.add(network(call));
        let objects = self.objects.len() as u64;
        let spread = self.repeated.len() >= CALLERS && self.networks.len() >= NETWORKS;
        let several = objects >= EACH * self.callers.len() as u64;
        // Where nobody is answered meanwhile, or those are refused who were before, the service has changed.
        let others = others >= ANSWERED
            && self.meanwhile.len() >= MEANWHILE
            && self.regulars * 2 <= self.repeated.len() as u64;
        let shown = self.repeated.has(who);
        if !(spread && several && others && shown && self.steps.reaches(objects, OBJECTS)) {
            return;
        }
        let (severity, outcome) = match () {
            () if self.given * 3 > objects => (Severity::High, Outcome::Likely),
            () if self.missing * 2 > objects => (Severity::Medium, Outcome::Attempted),
            () => (Severity::Medium, Outcome::Blocked),
        };
        let reason = format!(
            "{} of {} were refused or do not exist, asked for by {} from {} within {}; {} not known to be their own were given to them, and others were answered.",
            self.objects.words("different object"),
            template(call),
            self.callers.words("caller"),
            self.networks.words("network"),
            stretch.words(),
            times(self.given, "object"),
        );
        out.push(case.finding(b"refused", severity, outcome, 75, reason));
    }
}

impl Guesses {
    fn hear(
        &mut self,
        case: &Case<'_>,
        stretch: Stretch,
        (answered, others): (&Bloom<128>, u64),
        out: &mut Vec<Finding>,
    ) {
        let (call, who) = (case.call, who(case.call));
        if object_guessing::is_limited(call) {
            self.limited += 1;
            return;
        }
        let known = self.callers.iter().position(|(known, _)| *known == who);
        let is_right = !object_guessing::is_wrong(call);
        let least = if others > 0 { GUESSED } else { GUESSED_ALONE };
        if is_right {
            self.right += 1;
        } else if self.wrong.add(object_guessing::guess(call).1) {
            self.networks.add(network(call));
            if let Some((_, count)) = known.and_then(|at| self.callers.get_mut(at)) {
                *count = count.saturating_add(1);
                self.regulars += u64::from(*count == least && answered.has(who));
            } else if self.callers.len() < COUNTED {
                self.callers.push((who, 1));
            }
        }
        let often = |count: u8| count >= least;
        let guessers = self.callers.iter().filter(|(_, count)| often(*count)).count();
        let one = known.and_then(|at| self.callers.get(at)).is_some_and(|(_, count)| often(*count));
        let wrong = self.wrong.len() as u64;
        let is_attack = guessers >= CALLERS
            && self.networks.len() >= NETWORKS
            && wrong >= GUESSES
            && wrong > self.right * 4
            // Where those are wrong who were right before, the service has changed.
            && self.regulars * 2 <= guessers as u64;
        let hits = is_attack && one && is_right && !self.hit;
        if !(hits || is_attack && one && !is_right && self.steps.reaches(wrong, GUESSES)) {
            return;
        }
        self.hit |= hits;
        let (severity, outcome) = match (hits, self.limited > wrong) {
            (true, _) => (Severity::High, Outcome::Confirmed),
            (false, true) => (Severity::Medium, Outcome::Blocked),
            (false, false) => (Severity::Medium, Outcome::Attempted),
        };
        let reason = format!(
            "{} were sent to {} by {} of {} and more each, from {} within {}{}; people mistype one or two.",
            self.wrong.words("wrong code"),
            template(call),
            times(guessers as u64, "caller"),
            least,
            self.networks.words("network"),
            stretch.words(),
            if hits { ", and one was right now" } else { "" },
        );
        out.push(case.finding(&[b'g', u8::from(hits)], severity, outcome, 75, reason));
    }
}

impl Row {
    fn hear(&mut self, case: &Case<'_>, stretch: Stretch, known: u64, out: &mut Vec<Finding>) {
        let Some(number) = case.call.relations.number else { return };
        if !self.is_next(number, known, is_given(case.call)) {
            return;
        }
        self.given += u64::from(is_ok(case.call));
        self.networks.add(network(case.call));
        let networks = self.networks.len();
        let spread = networks >= ROW_NETWORKS && self.in_a_row >= EACH * networks as u64;
        if !(spread && self.steps.reaches(self.in_a_row, ROW)) {
            return;
        }
        let (severity, outcome, what) = match self.given * 3 > self.in_a_row {
            true => (Severity::High, Outcome::Confirmed, "were given out"),
            false if is_denied(case.call) || status(case.call) == Some(429) => {
                (Severity::Medium, Outcome::Blocked, "were given out, others refused")
            }
            false => (Severity::Medium, Outcome::Attempted, "were given out"),
        };
        let reason = format!(
            "{} of {} were asked for one next to the other by {} within {}; {} of them {what}.",
            times(self.in_a_row, "object"),
            template(case.call),
            self.networks.words("network"),
            stretch.words(),
            self.given.min(self.in_a_row),
        );
        out.push(case.finding(b"row", severity, outcome, 75, reason));
    }

    /// Whether a number is a new one in the row; others' calls come in between.
    fn is_next(&mut self, number: u64, known: u64, is_given: bool) -> bool {
        let near = number.abs_diff(self.last) <= NEAR;
        if near && is_given && number > self.known {
            // It may just have been made.
            self.last = number;
            return false;
        }
        if near {
            // Of many numbers the set knows how many, and no more which; the ends of the row are known.
            let is_new = self.seen.add(number) || number > self.ends.1 || number < self.ends.0;
            self.ends = (self.ends.0.min(number), self.ends.1.max(number));
            self.in_a_row = self.in_a_row.max(self.seen.len() as u64);
            self.stray = 0;
            self.last = number;
            return is_new;
        }
        self.stray += 1;
        if self.stray >= STRAY || self.in_a_row < 3 {
            *self = Self { last: number, known, ends: (number, number), ..Self::default() };
        }
        false
    }
}

impl Names {
    fn hear(&mut self, case: &Case<'_>, name: u64, stretch: Stretch, out: &mut Vec<Finding>) {
        self.names.add(name);
        self.networks.add(network(case.call));
        self.given += u64::from(is_ok(case.call));
        self.refused += u64::from(matches!(status(case.call), Some(400 | 404 | 409 | 422)));
        self.limited += u64::from(matches!(status(case.call), Some(401 | 403 | 429)));
        let (names, networks) = (self.names.len() as u64, self.networks.len());
        let spread = networks >= NETWORKS && names >= EACH * networks as u64;
        if !(spread && self.steps.reaches(names, NAMES)) {
            return;
        }
        let (severity, outcome) = match () {
            () if self.limited * 2 > self.given + self.refused => (Severity::Medium, Outcome::Blocked),
            () if self.given > 0 && self.refused > 0 => (Severity::High, Outcome::Confirmed),
            () => (Severity::Medium, Outcome::Attempted),
        };
        let reason = format!(
            "{} were asked for at {} by {} within {}: {} answered, {} said not to be there, {} refused; people ask for one.",
            self.names.words("different name"),
            template(case.call),
            self.networks.words("network"),
            stretch.words(),
            times(self.given, "call"),
            self.refused,
            self.limited,
        );
        out.push(case.finding(b"names", severity, outcome, 75, reason));
    }
}
