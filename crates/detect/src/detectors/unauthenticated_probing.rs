//! Who tries one endpoint after the other without credentials.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_denied, is_ok, path};
use crate::tally::{Distinct, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "unauthenticated-probing",
    title: "Endpoints are probed without credentials (unauthenticated access, refused)",
    summary: "From one address several different paths were called without credentials within a day, and refused with 401 or 403: somebody \
              looks for one that does not check. A client whose session ended is refused once or twice, then logs in; one that waits to be \
              asked, as for Basic and Negotiate, or that comes back at once with its credentials and is answered, is not counted.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-306",
    attack: ("T1595", "Active Scanning"),
    severity: "Low: all were refused",
    scope: Scope::Address,
    warm_up: "none: 5 different paths and 10 calls within ten minutes, or 8 and 16 within a day",
    next_steps: &["Nothing at once: the server did what it should. Watch the address."],
    unjudged: "no call without credentials was seen",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.observation.credentials.is_empty(),
    concerns: |call| is_refused(call) || comes_back(call),
    state: StateKind::of::<UnauthenticatedProbing>(),
};

/// The longest time between two calls, and of all.
const QUIET: i64 = 3 * 3_600;
/// Within so many seconds fewer are enough.
const SOON: i64 = 600;
const DAY: i64 = 86_400;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct UnauthenticatedProbing {
    /// The path refused last, which does not count yet: it may be asked for again with credentials.
    last: Option<u64>,
    paths: Distinct,
    calls: u64,
    steps: Steps,
    stretch: Stretch,
}

impl Detector for UnauthenticatedProbing {
    const VERSION: u32 = 1;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if comes_back(case.call) {
            self.last = self.last.filter(|last| *last != path(case.call));
            return;
        }
        if self.stretch.begins(case.call.observation.exchange.started(), QUIET, DAY) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        let path = path(case.call);
        if let Some(last) = self.last.replace(path) {
            self.calls += 1;
            self.paths.add(last);
        }
        let (paths, calls) = if self.stretch.seconds() <= SOON { (5, 10) } else { (8, 16) };
        let all = (self.paths.len() + usize::from(!self.paths.has(path)), self.calls + 1);
        if all.0 < paths || !self.steps.reaches(all.1, calls) {
            return;
        }
        let reason = format!(
            "{} without credentials to {} were refused within {}; expected one or two before a login.",
            times(all.1, "call"),
            times(all.0 as u64, "different path"),
            self.stretch.words(),
        );
        out.push(case.finding(b"", Severity::Low, Outcome::Blocked, 70, reason));
    }

    fn begins(call: &Call) -> bool {
        is_refused(call)
    }
}

/// Whether a call without credentials was refused for want of them.
fn is_refused(call: &Call) -> bool {
    call.observation.credentials.is_empty()
        && is_denied(call)
        && call.relations.login.is_none()
        && !is_challenged(call)
}

/// Whether a call showed credentials and was answered: where it was refused without just before, its client waits to be asked.
fn comes_back(call: &Call) -> bool {
    !call.observation.credentials.is_empty() && is_ok(call)
}

/// Whether the answer asks for what clients show only when they are asked (RFC 9110, 11.6.1; RFC 4559): the first call of each
/// of their connections comes without.
fn is_challenged(call: &Call) -> bool {
    const SCHEMES: &[&[u8]] = &[b"basic", b"digest", b"negotiate", b"ntlm", b"kerberos"];
    let head = call.observation.exchange.response_head();
    let challenge = head.and_then(|head| head.header(b"www-authenticate"));
    challenge.is_some_and(|challenge| {
        let scheme = challenge.bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
    })
}
