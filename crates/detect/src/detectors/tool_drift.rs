//! Tools that are no longer what was agreed to.

use crate::detector::{Case, Detector, DetectorInfo, Needs, Scope, StateKind};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Fact;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "tool-drift",
    title: "A server of the Model Context Protocol says something else of a tool than before (tool-definition drift)",
    summary: "What a server says of a tool, prompt or resource changed, to models or in what it takes, after clients had read another text: whoever agreed to \
              the tool agreed to something else. A text that gives orders to models is prompt-injection beside that. A release of a server \
              that changes many tools at once is told once.",
    owasp: "API10:2023 Unsafe Consumption of APIs",
    cwe: "CWE-494",
    attack: ("T1195", "Supply Chain Compromise"),
    severity: "Medium; Low where half of the tools and more change at once",
    scope: Scope::Service,
    warm_up: "a list that was read before",
    next_steps: &["Compare what the tool says now with what was agreed to, and pin definitions."],
    unjudged: "no server of the Model Context Protocol listed what it offers",
    needs: Needs::NOTHING,
    judges: |call| listed(call).is_some(),
    concerns: |call| listed(call).is_some(),
    state: StateKind::of::<ToolDrift>(),
};

/// Offers that are kept of a server: name and what is said, as hashes.
const MOST: usize = 60;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ToolDrift {
    offers: Vec<(u64, u64)>,
}

impl Detector for ToolDrift {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(listed) = listed(case.call) else { return };
        let (mut changed, mut known) = (0_usize, 0_usize);
        for (name, said) in listed.iter().filter_map(offer) {
            let at = self.offers.iter().position(|(offer, _)| *offer == name);
            if let Some((_, before)) = at.and_then(|at| self.offers.get_mut(at)) {
                known += 1;
                changed += usize::from(*before != said);
                *before = said;
            } else if self.offers.len() < MOST {
                self.offers.push((name, said));
            }
        }
        if changed == 0 {
            return;
        }
        let many = known >= 4 && changed * 2 >= known;
        let reason =
            format!("{changed} of {known} offers of the server say something else than they did before.");
        let severity = if many { Severity::Low } else { Severity::Medium };
        out.push(case.finding(b"", severity, Outcome::Confirmed, 75, reason));
    }
}

fn listed(call: &Call) -> Option<&[Fact]> {
    let said = call.observation.said.as_deref()?;
    let facts = said.facts("mcp")?;
    facts.iter().find_map(|(key, fact)| match fact {
        Fact::List(list) if matches!(*key, "tools" | "prompts" | "resources" | "definitions") => {
            Some(list.as_slice())
        }
        _ => None,
    })
}

/// The name of an offer and what is said of it, as hashes.
fn offer(fact: &Fact) -> Option<(u64, u64)> {
    let Fact::Group(group) = fact else { return None };
    let mix = |hash: u64, bytes: &[u8]| {
        bytes.iter().fold(hash, |hash, byte| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte))
    };
    let (mut name, mut said) = (None, 17);
    for (key, fact) in group {
        match fact {
            Fact::Name(text) if *key == "name" => name = Some(mix(3, text.as_str().as_bytes())),
            Fact::Digest(digest) => said = mix(mix(said, key.as_bytes()), digest.as_ref()),
            _ => {}
        }
    }
    Some((name?, said))
}
