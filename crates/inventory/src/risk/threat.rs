//! What is happening to an endpoint.

use super::{Factor, Reason, Score, share};
use crate::usage::Happened;

const fn factor(name: &'static str, most: u8, meaning: &'static str) -> Factor {
    Factor { name, score: Score::Threat, most, meaning }
}

pub(super) static FINDINGS: Factor = factor(
    "findings",
    40,
    "detectors found something on it: 40 critical, 30 high, 20 medium, 10 low, 3 informational, by the worst",
);
pub(super) static LISTED: Factor =
    factor("listed", 25, "calls whose address, JA4, host or user stands on one of [lists]");
pub(super) static DENIED: Factor = factor(
    "denied",
    20,
    "calls were refused with 401 or 403, five at least: their share of all calls, of 20 points",
);
pub(super) static FAILING: Factor = factor(
    "failing",
    15,
    "calls failed with 5xx or by what their answer says, five at least: their share of all calls, of 15 points",
);
pub(super) static PROBED: Factor = factor(
    "probed",
    15,
    "calls came from callers of whose calls at least 20, and at least half, were answered with 404, 405 or 501",
);
pub(super) static UNKNOWN: Factor = factor(
    "unknown-networks",
    10,
    "calls came from addresses that should be in one of [networks] and are in none",
);
pub(super) static THROTTLED: Factor =
    factor("throttled", 5, "calls were refused because there were too many (429)");

/// Fewer are everyday life.
const ENOUGH: u32 = 5;

/// What speaks for a threat.
pub(super) fn reasons(happened: &Happened) -> Vec<Reason> {
    let calls = happened.calls;
    let of_calls = |count: u32| format!("{count} of {calls} calls");
    let part = |factor: &'static Factor, count: u32| Reason {
        factor,
        points: if count >= ENOUGH { share(factor, count.into(), calls.into()) } else { 0 },
        seen: of_calls(count),
    };
    let any = |factor: &'static Factor, count: u32| Reason {
        factor,
        points: if count > 0 { factor.most } else { 0 },
        seen: of_calls(count),
    };
    vec![
        findings(happened),
        any(&LISTED, happened.listed),
        part(&DENIED, happened.denied),
        part(&FAILING, happened.failed),
        any(&PROBED, happened.probed),
        any(&UNKNOWN, happened.unknown),
        any(&THROTTLED, happened.throttled),
    ]
}

/// By OCSF's `severity_id`.
fn findings(happened: &Happened) -> Reason {
    let (points, worst) = match happened.worst {
        0 => (0, "none"),
        1 => (3, "informational"),
        2 => (10, "low"),
        3 => (20, "medium"),
        4 => (30, "high"),
        _ => (FINDINGS.most, "critical"),
    };
    Reason {
        factor: &FINDINGS,
        points,
        seen: format!(
            "{} finding{}, the worst {worst}",
            happened.findings,
            if happened.findings == 1 { "" } else { "s" }
        ),
    }
}
