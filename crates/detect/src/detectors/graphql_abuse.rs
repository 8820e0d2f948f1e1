//! Documents of GraphQL that ask for more than a client does.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{short, status};
use crate::tally::{AtLeast, Told};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Fact;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "graphql-abuse",
    title: "A GraphQL document asks for too much (batching, aliases, depth, duplication, introspection)",
    summary: "A request held a batch of ten operations and more, a hundred aliases (twenty where the documents of a service are known), a depth of twelve, or hundreds of fields, many times what other \
              documents of the service have; or it asked for the whole schema, which clients do not. Each is a way around limits \
              that count requests.",
    owasp: "API4:2023 Unrestricted Resource Consumption",
    cwe: "CWE-770",
    attack: ("T1499.003", "Application Exhaustion Flood"),
    severity: "Medium when it was answered, Low when refused; introspection Low",
    scope: Scope::Service,
    warm_up: "none, for 20 aliases 50 documents of the service; where documents are as large as a rule, three times their largest",
    next_steps: &[
        "Limit depth, aliases, batches and cost of documents.",
        "Turn introspection off, or allow only known documents.",
    ],
    unjudged: "no GraphQL was spoken",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| facts(call).is_some(),
    concerns: |call| facts(call).is_some(),
    state: StateKind::of::<GraphqlAbuse>(),
};

/// What is counted, and from where on it is much.
const LIMITS: [(&str, u64, &str); 5] = [
    ("batch", 10, "a batch of operations"),
    ("aliases", 100, "aliases"),
    ("depth", 12, "levels (deep nesting)"),
    ("fields", 400, "fields (duplication)"),
    ("directives", 50, "directives"),
];

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct GraphqlAbuse {
    documents: u64,
    /// The largest of each that many documents have.
    usual: [u64; 5],
    /// Who sends documents that are larger than usual, at least, since that was usual.
    callers: [AtLeast; 5],
    /// Who was told of, by what.
    told: Told,
}

/// Aliases that are much where so many documents are known: dashboards ask for dozens of values by them.
const ALIASES: (u64, u64) = (20, 50);
/// Callers whose documents are larger than usual, from which on that is how clients are.
const SPREAD: u64 = 5;

fn facts(call: &Call) -> Option<&tapwire_inspect::Said> {
    let said = call.observation.said.as_deref()?;
    said.facts("graphql").map(|_| said)
}

fn count(said: &tapwire_inspect::Said, name: &str) -> u64 {
    match said.fact("graphql", name) {
        Some(Fact::Count(count)) => *count,
        _ => 0,
    }
}

impl Detector for GraphqlAbuse {
    fn lessons(self) -> Option<Self> {
        Some(Self { told: Told::default(), ..self })
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(said) = facts(case.call) else { return };
        self.documents += 1;
        let (severity, outcome) = match status(case.call) {
            Some(200..=299) if !said.failed => (Severity::Medium, Outcome::Confirmed),
            Some(200..=299 | 400..=499) => (Severity::Low, Outcome::Blocked),
            _ => (Severity::Low, Outcome::Attempted),
        };
        for (at, (name, least, what)) in (0_u8..).zip(LIMITS) {
            let least = if name == "aliases" && self.documents > ALIASES.1 { ALIASES.0 } else { least };
            let count = count(said, name);
            let usual = self.usual.get(usize::from(at)).copied().unwrap_or(0);
            let is_large = count >= least && count >= usual.saturating_mul(3);
            if is_large && !self.is_spread(case, at) {
                if self.tell(case, at, outcome) {
                    let reason = format!(
                        "A document had {count} {what}; the largest of {} usual documents had {usual}.",
                        self.documents - 1
                    );
                    out.push(case.finding(name.as_bytes(), severity, outcome, 80, reason));
                }
            } else if let Some(usual) = self.usual.get_mut(usize::from(at)) {
                *usual = count.max(*usual);
            }
        }
        if said.fact("graphql", "introspection") == Some(&Fact::Truth(true))
            && is_whole_schema(case.call)
            && self.tell(case, 9, outcome)
        {
            let reason =
                "A document asked for the whole schema (introspection); clients know theirs.".to_owned();
            out.push(case.finding(b"introspection", Severity::Low, outcome, 75, reason));
        }
    }
}

impl GraphqlAbuse {
    /// Whether a caller was not told of yet, or more came of it now.
    fn tell(&mut self, case: &Case<'_>, what: u8, outcome: Outcome) -> bool {
        let time = case.call.observation.exchange.started();
        self.told.rises(who(case) ^ u64::from(what), outcome.rank(), time)
    }

    /// Whether so many callers send such documents that it is how clients are.
    fn is_spread(&mut self, case: &Case<'_>, what: u8) -> bool {
        let Some(callers) = self.callers.get_mut(usize::from(what)) else { return false };
        let spread = callers.add(who(case)) >= SPREAD;
        if spread {
            *callers = AtLeast::default();
        }
        spread
    }
}

fn who(case: &Case<'_>) -> u64 {
    case.call.principal.map_or(0, |principal| short(principal.token))
}

/// Whether the whole schema is asked for, and not the name of a type.
fn is_whole_schema(call: &Call) -> bool {
    call.observation.operation().is_some_and(|operation| operation.name.as_str().contains("__schema"))
}
