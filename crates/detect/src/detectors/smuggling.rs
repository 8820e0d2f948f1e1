//! Requests that two servers would read differently.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, status, template};
use crate::tally::Told;
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Call;
use tapwire_protocol::Anomaly;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "request-smuggling",
    title: "A request is framed so that two servers read it differently (smuggling)",
    summary: "A request had two lengths, a length beside chunks, a transfer coding that is spelled so that some servers do not see it, or what HTTP/2 \
              forbids because HTTP/1 behind it would read it as more. Where proxy and server disagree on where a request ends, what is behind it \
              becomes another caller's.",
    owasp: "API8:2023 Security Misconfiguration",
    cwe: "CWE-444",
    attack: ("T1190", "Exploit Public-Facing Application"),
    severity: "High when it was answered with 2xx or 3xx, Low when refused",
    scope: Scope::Address,
    warm_up: "none",
    next_steps: &[
        "Refuse such requests at the first server.",
        "Speak HTTP/2 to the servers behind, or close connections after such requests.",
    ],
    unjudged: "no request was seen",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.observation.exchange.request.is_some(),
    concerns: |call| found(call).is_some(),
    state: StateKind::of::<Smuggling>(),
};

const SIGNS: &[Anomaly] = &[
    Anomaly::ConflictingContentLength,
    Anomaly::LengthWithTransferEncoding,
    Anomaly::ObfuscatedTransferEncoding,
    Anomaly::DuplicateTransferEncoding,
    Anomaly::TransferEncodingNotChunked,
    Anomaly::TransferEncodingInHttp2,
];

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Smuggling {
    told: Told,
}

fn found(call: &Call) -> Option<(usize, Anomaly)> {
    // Of the request alone: how a server frames its answers is no attack of who reads them.
    let all =
        call.observation.exchange.request.as_deref().map(|request| request.anomalies).unwrap_or_default();
    if all.is_empty() {
        return None;
    }
    SIGNS.iter().copied().enumerate().find(|(_, sign)| all.contains(*sign))
}

impl Detector for Smuggling {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some((at, sign)) = found(case.call) else { return };
        let answered = is_ok(case.call) || matches!(status(case.call), Some(300..=399));
        let (severity, outcome) = match (answered, status(case.call)) {
            (true, _) => (Severity::High, Outcome::Likely),
            (false, Some(400..=499 | 501)) => (Severity::Low, Outcome::Blocked),
            _ => (Severity::Medium, Outcome::Attempted),
        };
        if !self.told.rises(at as u64, outcome.rank(), case.call.observation.exchange.started()) {
            return;
        }
        let reason = format!(
            "A request to {} has the sign {}; {}.",
            template(case.call),
            sign.name(),
            if answered { "it was answered" } else { "it was not answered with 2xx" }
        );
        out.push(case.finding(sign.name().as_bytes(), severity, outcome, 70, reason));
    }
}
