//! Values that are written to be executed.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, place, status, template};
use crate::tally::{AtLeast, Stretch, Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::{Attempt, AttemptKind, Evidence, Place};
use tapwire_inventory::{Call, Tried};
use tapwire_protocol::Message;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "injection",
    title: "Code in a value (injection)",
    summary: "A value of a request is written to be executed by what is behind the API: SQL, NoSQL, commands, paths, scripts, templates, XXE, LDAP, \
              JNDI, serialised objects, header fields. A pattern alone says little: the answer says whether it \
              worked, by a message of the interpreter, by what only success gives (a file of the system, the output of a command, a computed \
              value) and the request does not say itself, by a wait that was asked for where others wait a quarter of it, by answers to conditions that hold \
              and that do not, by a login that succeeds, by a page that has the script in it, or by an answer of 2xx to a path that names nothing. What stands between sentences, as in tickets, counts where the answer says that it worked, or where it cuts a statement off or leaves a text open for it; lookups count but in fields for long texts, \
              and in names, identifiers and codes no sentence hides anything. \
              Not seen: what comes of it later, and answers beyond their first 16 KiB.",
    owasp: "API8:2023 Security Misconfiguration",
    cwe: "CWE-74",
    attack: ("T1190", "Exploit Public-Facing Application"),
    severity: "Critical when it worked, High when that is likely or the interpreter failed on it, Low when it was tried, Informational when refused",
    scope: Scope::Address,
    warm_up: "none; a second value where the answer tells nothing and people may write such; for waits, 8 calls of the endpoint",
    next_steps: &[
        "Where it worked: find the statement that is put together from the value, and bind the value instead.",
        "Look for what else came from the same address.",
    ],
    unjudged: "no request with a value was seen",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| {
        call.observation.request_fields.is_some() || call.observation.request_payload.list.is_some()
    },
    concerns: |call| call.observation.attempts.as_deref().is_some_and(|all| all.iter().any(executes)),
    state: StateKind::of::<Injection>(),
};

/// Calls to an endpoint from which on its usual latency is known.
const KNOWN: u64 = 8;
/// Answers to conditions that hold, and to those that do not, that are compared.
const PAIRS: usize = 4;
/// Bytes by which such answers differ at least, beyond what the value itself makes of them.
const APART: u64 = 64;

/// What an address tried.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Injection {
    /// Different values, by kind.
    values: Vec<(AttemptKind, AtLeast)>,
    told: Told,
    stretch: Stretch,
    pairs: Vec<Pair>,
}

/// Lengths of answers to conditions that do not hold, and to those that do, at one place.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Pair {
    place: u64,
    answers: [Lengths; 2],
}

#[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Lengths {
    count: u32,
    least: u64,
    most: u64,
}

impl Lengths {
    fn add(&mut self, length: u64) {
        self.least = if self.count == 0 { length } else { self.least.min(length) };
        self.most = self.most.max(length);
        self.count = self.count.saturating_add(1);
    }
}

/// What is thought of one attempt.
struct Verdict {
    outcome: Outcome,
    evidence: Evidence,
    told: &'static str,
}

impl Detector for Injection {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 6 * 3_600, 7 * 86_400) {
            self.values.clear();
            self.pairs.clear();
        }
        let attempts = case.call.observation.attempts.as_deref().unwrap_or_default();
        for attempt in attempts.iter().filter(|attempt| executes(attempt)) {
            self.attempt(case, attempt, out);
        }
    }
}

/// Whether an attempt is to be executed by what is behind the API.
fn executes(attempt: &Attempt) -> bool {
    !matches!(attempt.kind, AttemptKind::Fetch | AttemptKind::Prompt)
}

impl Injection {
    fn attempt(&mut self, case: &Case<'_>, attempt: &Attempt, out: &mut Vec<Finding>) {
        let values = self.count(attempt);
        let differ = self.differ(case, attempt);
        let verdict = verdict(case, attempt, values, differ);
        // One odd value that came to nothing may be what somebody looks for.
        let shown = verdict.evidence != Evidence::None || verdict.outcome.rank() >= Outcome::Likely.rank();
        if !(shown || attempt.is_certain() && (values >= 2 || nobody_writes(attempt))) {
            return;
        }
        let worked = verdict.outcome.rank() >= Outcome::Likely.rank();
        let key = if worked { place(case.call) } else { 0 } ^ (attempt.kind as u64 + 1) << 56;
        if !self.told.rises(key, verdict.outcome.rank(), case.call.observation.exchange.started()) {
            return;
        }
        out.push(case.finding(
            attempt.kind.name().as_bytes(),
            severity(verdict.outcome),
            verdict.outcome,
            if verdict.evidence == Evidence::None && !differ { 60 } else { 90 },
            reason(case, attempt, verdict.told, values),
        ));
    }

    fn count(&mut self, attempt: &Attempt) -> u64 {
        let at = match self.values.iter().position(|(kind, _)| *kind == attempt.kind) {
            Some(at) => at,
            None => {
                self.values.push((attempt.kind, AtLeast::default()));
                self.values.len() - 1
            }
        };
        self.values.get_mut(at).map_or(0, |(_, values)| values.add(attempt.value))
    }

    /// Whether answers to conditions that hold differ from those to conditions that do not, as often as both were tried.
    fn differ(&mut self, case: &Case<'_>, attempt: &Attempt) -> bool {
        let Some(truth) = attempt.truth.filter(|_| matches!(status(case.call), Some(200..=299 | 404))) else {
            return false;
        };
        let key = place(case.call) ^ attempt.name.len() as u64;
        let at = match self.pairs.iter().position(|pair| pair.place == key) {
            Some(at) => at,
            None => {
                if self.pairs.len() >= PAIRS {
                    self.pairs.remove(0);
                }
                self.pairs.push(Pair { place: key, ..Pair::default() });
                self.pairs.len() - 1
            }
        };
        let Some(pair) = self.pairs.get_mut(at) else { return false };
        if let Some(lengths) = pair.answers.get_mut(usize::from(truth)) {
            lengths.add(case.call.observation.response_payload.decoded_len);
        }
        let [no, yes] = pair.answers;
        let apart = |less: Lengths, more: Lengths| more.least > less.most.saturating_add(APART);
        no.count >= 2 && yes.count >= 2 && (apart(no, yes) || apart(yes, no))
    }
}

fn verdict(case: &Case<'_>, attempt: &Attempt, values: u64, differ: bool) -> Verdict {
    let status = status(case.call);
    let refused = matches!(status, Some(400 | 401 | 403 | 406 | 413 | 414 | 422 | 429 | 431));
    let (outcome, told) = match attempt.evidence {
        Evidence::Shown => (Outcome::Confirmed, "the answer has what only success gives"),
        _ if differ => (
            Outcome::Confirmed,
            "answers to conditions that hold differ from those to conditions that do not",
        ),
        _ if attempt.sure && lets_in(case.call, attempt) => {
            (Outcome::Confirmed, "and a login that it stood in succeeded")
        }
        Evidence::Delayed => delayed(case),
        // The interpreter read the value as code, whatever the status says.
        Evidence::Error => (Outcome::Likely, "the answer has the interpreter's error message"),
        Evidence::Reflected if !refused => (Outcome::Likely, "the answer has what it was to bring about"),
        _ if refused => (Outcome::Blocked, "it was refused"),
        _ if values >= 2 && attempt.sure && names_nothing(case.call, attempt) => {
            (Outcome::Likely, "the path names nothing, and was answered with 2xx")
        }
        _ if matches!(status, Some(200..=399 | 404)) => (Outcome::NoEffect, "the answer does not tell"),
        _ => (Outcome::Attempted, "the answer does not tell"),
    };
    let idle = outcome.rank() < Outcome::Likely.rank();
    Verdict { outcome, told, evidence: if idle { Evidence::None } else { attempt.evidence } }
}

/// Values that nobody writes by accident: where they stand, texts of people do not. A second one is not waited for.
fn nobody_writes(attempt: &Attempt) -> bool {
    use AttemptKind::{Entity, Ldap, Line, Lookup, NoSql, Object, Path};
    match attempt.kind {
        Entity | Ldap | NoSql | Object => true,
        Path | Lookup | Line => attempt.place != Place::Body,
        _ => false,
    }
}

/// Whether the request logged somebody in with the value as its name or password.
fn lets_in(call: &Call, attempt: &Attempt) -> bool {
    let asks = matches!(attempt.kind, AttemptKind::Sql | AttemptKind::NoSql | AttemptKind::Ldap);
    if !asks {
        return false;
    }
    let name = attempt.name.to_ascii_lowercase();
    let named =
        ["user", "login", "mail", "pass", "pwd", "name", "uid"].iter().any(|word| name.contains(word));
    let hands_out = || {
        call.observation
            .issuance
            .as_deref()
            .is_some_and(|issuance| issuance.succeeded && !issuance.issued.is_empty())
    };
    let succeeded = call.relations.login.is_some_and(|login| login.result == Tried::Succeeded);
    named && is_ok(call) && (succeeded || hands_out() || gives_token(call))
}

/// Whether an answer has a token for who asked without a text for a password, and so by no login that is known as one.
fn gives_token(call: &Call) -> bool {
    const TOKENS: &[&str] =
        &["token", "accesstoken", "authtoken", "jwt", "idtoken", "sessionid", "sessiontoken"];
    let is_token = |name: &[u8]| {
        let plain = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
        let name: String = plain.take(24).map(|byte| char::from(byte.to_ascii_lowercase())).collect();
        TOKENS.contains(&name.as_str())
    };
    let list = call.observation.response_payload.list.as_deref();
    list.is_some_and(|list| list.fields().iter().any(|field| is_token(list.name(field))))
}

/// An endpoint that takes its time for everybody was not made to wait.
fn delayed(case: &Case<'_>) -> (Outcome, &'static str) {
    let latency = case.call.observation.exchange.latency().unwrap_or(0) / 1_000;
    let usual = case.endpoint.filter(|endpoint| endpoint.calls >= KNOWN);
    match usual.and_then(|endpoint| endpoint.usage.latency.quantiles()) {
        Some(usual) if latency >= usual.p50.saturating_mul(4) => (
            Outcome::Confirmed,
            "the answer came as late as the value asked, four times as late as half of all do",
        ),
        Some(_) => (Outcome::NoEffect, "answers of that endpoint take long whatever is asked"),
        None => {
            (Outcome::Likely, "the answer came as late as the value asked; what is usual is not known yet")
        }
    }
}

/// Whether a value in the path was answered with something that is no page for whatever is asked.
fn names_nothing(call: &Call, attempt: &Attempt) -> bool {
    let asks = matches!(attempt.kind, AttemptKind::Sql | AttemptKind::Path | AttemptKind::NoSql);
    let answers = |response: &Message| {
        let kind = response.head.header(b"content-type").map(|kind| kind.bytes().to_ascii_lowercase());
        response.body.len > 2 && kind.is_none_or(|kind| !kind.starts_with(b"text/html"))
    };
    asks && attempt.place == Place::Path
        && is_ok(call)
        && call.observation.exchange.response.as_deref().is_some_and(answers)
}

const fn severity(outcome: Outcome) -> Severity {
    match outcome {
        Outcome::Confirmed => Severity::Critical,
        Outcome::Likely => Severity::High,
        Outcome::Blocked => Severity::Informational,
        _ => Severity::Low,
    }
}

fn reason(case: &Case<'_>, attempt: &Attempt, told: &str, values: u64) -> String {
    let place = match (attempt.place, &*attempt.name) {
        (Place::Path, _) => "the path".to_owned(),
        (Place::Query, name) => format!("query parameter `{name}`"),
        (Place::Header, name) => format!("header `{name}`"),
        (Place::Cookie, name) => format!("cookie `{name}`"),
        (_, "") => "the body".to_owned(),
        (_, name) => format!("field `{name}`"),
    };
    format!(
        "{} in {place} of {}: {told}; at least {} of that kind from this address so far.",
        attempt.kind.name(),
        template(case.call),
        times(values, "different value"),
    )
}
