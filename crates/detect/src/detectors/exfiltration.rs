//! Who carries away far more than its peers.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_person, is_program, method_is, place, status, template};
use crate::tally::{Distinct, Steps};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{AgentFamily, Call, PrincipalKind};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "exfiltration",
    title: "A caller is given far more records than its peers (exfiltration, insider)",
    summary: "Lists gave one person's account more different records of a service within a day than four times what other callers of its roles were given in a \
              day, two of them left out, twice what any other was given on the same day, twice what it was given itself on a day before, and a thousand at least. A crawler has no account: who says that it is one, and is no program by its role, is a person like others. It may see each of them; nobody needs all. Or one page of a list after the other was refused to it: it tries \
              to carry them away. Programs with a key or a certificate are not judged.",
    owasp: "API6:2023 Unrestricted Access to Sensitive Business Flows",
    cwe: "CWE-770",
    attack: ("T1530", "Data from Cloud Storage"),
    severity: "High: the records were given out; Low when refused",
    scope: Scope::Principal,
    warm_up: "3 other callers of its roles that were given lists; none for pages that are refused, 20 of one list within a day",
    next_steps: &[
        "Ask what the records were needed for.",
        "Limit how many records an account may read in a day, and how large a page is.",
    ],
    unjudged: "no person's account was given a list whose peers were given any",
    needs: Needs {
        least: PEERS as u64,
        of: "other callers of a role that were given lists",
        seen: |call, _| call.relations.usual.peers.into(),
    },
    nature: Nature { of_many_calls: true, ..Nature::USUAL },
    judges: |call| is_person(call) && (call.relations.usual.records > 0 || is_refused_page(call)),
    concerns: |call| is_person(call) && (is_far_more(call) || is_refused_page(call)),
    state: StateKind::of::<Exfiltration>(),
};

const PEERS: u32 = 3;
const RECORDS: u32 = 1_000;
const TIMES: u32 = 4;
/// The same of what another was given on the same day: several who do so at once have been told to, as at the end of a month.
const TIMES_TODAY: u32 = 2;
/// The same of what it was itself given on a day before: who exports once a month does so again.
const TIMES_OF_ITS_OWN: u32 = 2;
/// Pages of one list that are refused, from which on it is no mistake.
const PAGES: u64 = 20;
const DAY: i64 = 86_400;

fn is_far_more(call: &Call) -> bool {
    let usual = &call.relations.usual;
    usual.records >= RECORDS
        && usual.peers >= PEERS
        && usual.records > usual.peers_records.saturating_mul(TIMES)
        && usual.records > usual.peers_today.saturating_mul(TIMES_TODAY)
        && usual.records > usual.own_records.saturating_mul(TIMES_OF_ITS_OWN)
        && !is_crawler(call)
}

/// Whether a program reads what is meant to be read: one that says so, and has no account but a cookie that anybody is given, or
/// a role of programs.
fn is_crawler(call: &Call) -> bool {
    let says = call.caller.from.is_some_and(|from| from.agent == AgentFamily::Bot as u8);
    let is_anybody = call.principal.is_some_and(|principal| principal.kind == PrincipalKind::Session);
    says && (is_anybody || is_program(call))
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Exfiltration {
    day: i64,
    steps: Steps,
    /// Where pages are refused, and which.
    place: u64,
    pages: Distinct,
    refused: Steps,
}

/// Whether a page of a list was refused: a query on a path that names no object.
fn is_refused_page(call: &Call) -> bool {
    status(call) == Some(403)
        && call.relations.named == 0
        && method_is(call, &[b"GET"])
        && target(call).is_some()
}

/// Parameters that say which page of a list is asked for.
const PAGING: &[&[u8]] = &[
    b"page",
    b"pagenumber",
    b"pageno",
    b"pagetoken",
    b"offset",
    b"cursor",
    b"limit",
    b"start",
    b"skip",
    b"from",
    b"after",
    b"before",
    b"pagesize",
    b"perpage",
];

/// A hash of what a query says of pages; `None`: nothing.
fn target(call: &Call) -> Option<u64> {
    let target = call.observation.exchange.request_head()?.target()?.bytes();
    let mark = memchr::memchr(b'?', target)?;
    let pages = target.get(mark + 1..)?.split(|byte| *byte == b'&').filter(|pair| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        let plain: Vec<u8> =
            name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
        PAGING.contains(&plain.as_slice())
    });
    let hash = pages.flatten().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash != 0xcbf2_9ce4_8422_2325).then_some(hash)
}

impl Detector for Exfiltration {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let usual = case.call.relations.usual;
        let day = case.call.observation.exchange.started().nanos() / 1_000_000_000 / DAY;
        if day != self.day {
            *self = Self { day, ..Self::default() };
        }
        if is_refused_page(case.call) {
            return self.refused(case, out);
        }
        if !self.steps.reaches(usual.records.into(), RECORDS.into()) {
            return;
        }
        let reason = format!(
            "About {} different records were given to one caller by lists of a service today, the last by {}; others of its roles had {} in a day, two left out (of {} peers and more).",
            usual.records,
            template(case.call),
            usual.peers_records,
            usual.peers,
        );
        out.push(case.finding(b"", Severity::High, Outcome::Confirmed, 70, reason));
    }
}

impl Exfiltration {
    fn refused(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let place = place(case.call);
        if self.place != place {
            (self.place, self.pages) = (place, Distinct::default());
        }
        self.pages.add(target(case.call).unwrap_or(0));
        if !self.refused.reaches(self.pages.len() as u64, PAGES) {
            return;
        }
        let reason = format!(
            "{} of {} were refused to one caller today; a person who may not see a list asks once or twice.",
            self.pages.words("different page"),
            template(case.call),
        );
        out.push(case.finding(b"refused", Severity::Low, Outcome::Blocked, 65, reason));
    }
}
