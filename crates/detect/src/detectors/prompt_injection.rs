//! What tools answer to models that read it as orders.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::network;
use crate::tally::{AtLeast, Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::AttemptKind;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "prompt-injection",
    title: "What a tool answers gives orders to the model that reads it (prompt injection)",
    summary: "An answer of a server of the Model Context Protocol, a tool's result or a definition, tells the reader to leave its instructions, to hide something \
              from people, to play another part, or to carry secrets away. Models read it beside what they are told by their owners. Whether a model \
              obeyed is not seen here.",
    owasp: "API10:2023 Unsafe Consumption of APIs",
    cwe: "CWE-1427",
    attack: ("T1659", "Content Injection"),
    severity: "High: it reached a client",
    scope: Scope::Service,
    warm_up: "none",
    next_steps: &[
        "Look where the text comes from: whoever writes there speaks to every agent.",
        "Ask people before tools act.",
    ],
    unjudged: "no server of the Model Context Protocol answered",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.observation.said.as_deref().is_some_and(|said| said.facts("mcp").is_some()),
    concerns: orders,
    state: StateKind::of::<PromptInjection>(),
};

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct PromptInjection {
    texts: AtLeast,
    told: Told,
}

fn orders(call: &Call) -> bool {
    let attempts = call.observation.attempts.as_deref().unwrap_or_default();
    attempts.iter().any(|attempt| attempt.kind == AttemptKind::Prompt)
}

impl Detector for PromptInjection {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let attempts = case.call.observation.attempts.as_deref().unwrap_or_default();
        for attempt in attempts.iter().filter(|attempt| attempt.kind == AttemptKind::Prompt) {
            let texts = self.texts.add(attempt.value);
            let reader = case.call.caller.address.map_or(0, |address| network(address.ip));
            let about = u64::from(texts.ilog2()) ^ reader << 8;
            if self.told.rises(about, 1, case.call.observation.exchange.started()) {
                let reason = format!(
                    "An answer to a model's client gives orders to who reads it; at least {} of the kind so far.",
                    times(texts, "text")
                );
                out.push(case.finding(b"", Severity::High, Outcome::Likely, 75, reason));
            }
        }
    }
}
