//! Origins that are tried.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{short, status};
use crate::tally::{AtLeast, Told};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Mark;
use tapwire_inventory::{Call, Endpoint};
use tapwire_protocol::{host_of, origin_host};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "cors",
    title: "Pages of foreign origins call with credentials (CORS, cross-origin)",
    summary: "Five calls and more named one origin of another site, which one caller alone uses: it was let read the answers with its credentials, or was \
              refused. A site that belongs to a service has many visitors, so an origin of one caller is tried, or a trap. Origins on the \
              client's own machine and on private addresses are those of developers.",
    owasp: "API8:2023 Security Misconfiguration",
    cwe: "CWE-942",
    attack: ("T1185", "Browser Session Hijacking"),
    severity: "Medium when the answers were opened to it, Low when refused",
    scope: Scope::Service,
    warm_up: "5 calls of an origin that no other caller uses, and 20 callers of the endpoint",
    next_steps: &["Allow the origins that are meant by name, and never repeat the one that was sent."],
    unjudged: "no request named an origin",
    needs: Needs { least: ENOUGH_CALLERS, of: "callers of one endpoint", seen: callers },
    nature: Nature { of_the_service: true, ..Nature::USUAL },
    judges: |call| origin(call).is_some(),
    concerns: |call| origin(call).is_some(),
    state: StateKind::of::<Cors>(),
};

const ENOUGH: u32 = 5;
/// Callers of the endpoint without whom an origin of one says nothing: a partner's page may have one visitor among a few.
const ENOUGH_CALLERS: u64 = 20;
/// Origins that are kept of a service.
const MOST: usize = 24;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Cors {
    origins: Vec<Origin>,
    told: Told,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Origin {
    hash: u64,
    callers: AtLeast,
    opened: u32,
    refused: u32,
}

impl Detector for Cors {
    fn lessons(self) -> Option<Self> {
        Some(Self { told: Told::default(), ..self })
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(hash) = origin(case.call) else { return };
        let at = match self.origins.iter().position(|known| known.hash == hash) {
            Some(at) => at,
            None => {
                if self.origins.len() >= MOST {
                    // One that few use makes room: those of the service's own sites stay.
                    let least = self.origins.iter().enumerate().min_by_key(|(_, one)| one.callers.get());
                    let least = least.map_or(0, |(at, _)| at);
                    self.origins.remove(least);
                }
                self.origins.push(Origin { hash, callers: AtLeast::default(), opened: 0, refused: 0 });
                self.origins.len() - 1
            }
        };
        let Some(origin) = self.origins.get_mut(at) else { return };
        origin.callers.add(case.call.principal.map_or(0, |principal| short(principal.token)));
        let marks = case.call.observation.marks;
        let opened = marks.contains(Mark::CorsForeign) || marks.contains(Mark::CorsNull);
        origin.opened += u32::from(opened);
        origin.refused += u32::from(matches!(status(case.call), Some(400 | 401 | 403)));
        if origin.callers.get() > 1 || callers(case.call, case.endpoint) < ENOUGH_CALLERS {
            return;
        }
        let (severity, outcome, count, told) = match opened {
            true => (
                Severity::Medium,
                Outcome::Confirmed,
                origin.opened,
                "let it read the answers with credentials",
            ),
            false => (Severity::Low, Outcome::Blocked, origin.refused, "were refused"),
        };
        if count < ENOUGH || !self.told.rises(hash, outcome.rank(), case.call.observation.exchange.started())
        {
            return;
        }
        let reason = format!(
            "{count} calls of one caller named an origin of another site that no other caller names, and {told}."
        );
        out.push(case.finding(&hash.to_le_bytes(), severity, outcome, 70, reason));
    }
}

fn callers(_: &Call, endpoint: Option<&Endpoint>) -> u64 {
    endpoint.map_or(0, |endpoint| endpoint.callers.count().0 as u64)
}

/// A hash of the origin, where it is of another site than the service, on a public name.
fn origin(call: &Call) -> Option<u64> {
    let head = call.observation.exchange.request_head()?;
    let origin = head.header(b"origin")?.bytes();
    let host = host_of(head.header(b"host").map_or(&b""[..], |host| host.bytes()));
    let foreign = origin_host(origin);
    let is_name = foreign.iter().any(u8::is_ascii_alphabetic) && foreign.contains(&b'.');
    let inside =
        [&b".local"[..], b".internal", b".localhost", b".test"].iter().any(|zone| foreign.ends_with(zone));
    if origin != b"null" && (!is_name || inside || site(foreign) == site(host)) {
        return None;
    }
    Some(origin.iter().fold(11, |hash: u64, byte| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte)))
}

/// The last two labels: a site, as far as that can be told without a list of suffixes.
fn site(host: &[u8]) -> &[u8] {
    let dots = host.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
    dots.map(|(at, _)| at).nth(1).and_then(|at| host.get(at + 1..)).unwrap_or(host)
}
