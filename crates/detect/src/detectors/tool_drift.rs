//! Tools that are no longer what was agreed to.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::tally::AtLeast;
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Fact;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "tool-drift",
    title: "A server of the Model Context Protocol says something else of a tool than before (tool-definition drift)",
    summary: "What a server says of a tool, prompt or resource changed, to models or in what it takes, after clients had read another text: whoever agreed to \
              the tool agreed to something else. What differs by who asks is no change. A text that gives orders to models is prompt-injection beside that. A release of a server \
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
    nature: Nature { of_the_service: true, ..Nature::USUAL },
    judges: |call| listed(call).is_some(),
    concerns: |call| listed(call).is_some(),
    state: StateKind::of::<ToolDrift>(),
};

/// Offers that are kept of a server, and texts of one: what is said may differ by who asks.
const MOST: usize = 60;
const TEXTS: usize = 4;

/// Readers of one text from which on it is the same for everybody.
const SAME: u64 = 3;
/// Readers of a text that are remembered.
const READERS: usize = 8;

/// What is said of an offer.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Offer {
    name: u64,
    /// One that is new takes the oldest place.
    texts: [Text; TEXTS],
    lists: u64,
}

#[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Text {
    /// A hash; 0: none.
    said: u64,
    /// Callers who read it last.
    last: [u64; READERS],
    /// By their roles, where they have some.
    readers: AtLeast,
}

impl Text {
    fn hear(&mut self, reader: Reader) {
        self.readers.add(reader.role);
        if !self.last.contains(&reader.caller) {
            self.last.rotate_right(1);
            self.last[0] = reader.caller;
        }
    }
}

/// Who reads: callers of one role may be of several tenants, each with a text of its own.
#[derive(Clone, Copy)]
struct Reader {
    /// Whoever has other roles than before is another one.
    caller: u64,
    role: u64,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct ToolDrift {
    offers: Vec<Offer>,
}

impl Offer {
    /// Whether what is said is another text than its reader was given before, or than everybody was.
    fn changes(&mut self, reader: Reader, said: u64) -> bool {
        self.lists += 1;
        if let Some(known) = self.texts.iter_mut().find(|text| text.said == said) {
            known.hear(reader);
            return false;
        }
        let mut known = self.texts.iter().filter(|text| text.said != 0);
        let own = self.texts.iter().position(|text| text.said != 0 && text.last.contains(&reader.caller));
        let is_one = known.next().is_some_and(|text| text.readers.get() >= SAME) && known.next().is_none();
        let oldest = usize::try_from(self.lists % TEXTS as u64).unwrap_or(0);
        let at = own.or_else(|| self.texts.iter().position(|text| text.said == 0)).unwrap_or(oldest);
        if let Some(place) = self.texts.get_mut(at) {
            *place = Text { said, ..Text::default() };
            place.hear(reader);
        }
        own.is_some() || is_one
    }
}

impl Detector for ToolDrift {
    const VERSION: u32 = 1;

    fn lessons(self) -> Option<Self> {
        Some(self)
    }

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(listed) = listed(case.call) else { return };
        let (mut changed, mut known) = (0_usize, 0_usize);
        let grants = case.call.caller.grants.as_ref().map(|grants| grants.id);
        let caller = case.call.principal.map_or(0, |who| crate::facts::short(who.token));
        let reader = Reader { caller: (caller ^ grants.unwrap_or(0)).max(1), role: grants.unwrap_or(caller) };
        for (name, said) in listed.iter().filter_map(offer) {
            let at = self.offers.iter().position(|offer| offer.name == name);
            let is_new = at.is_none() && self.offers.len() < MOST;
            if is_new {
                self.offers.push(Offer { name, ..Offer::default() });
            }
            let offer =
                if is_new { self.offers.last_mut() } else { at.and_then(|at| self.offers.get_mut(at)) };
            let Some(offer) = offer else { continue };
            known += usize::from(!is_new);
            changed += usize::from(offer.changes(reader, said));
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
