//! What programs that think for themselves use: servers of the Model Context Protocol with what they offer, and language
//! models with what they are asked.
//!
//! Names out of payloads are content: they leave only through redaction. Of descriptions and schemas only digests are kept,
//! so that a change shows.

mod llm;
mod mcp;

pub use llm::{Model, Names};
pub use mcp::{Definition, Offer, OfferKind, Offers, Server};

use crate::endpoint::status;
use crate::state::{Unfit, put_some, take_all};
use std::collections::BTreeMap;
use std::sync::Arc;
use tapwire_inspect::{Fact, Facts, Observation};
use tapwire_wire::Timestamp;

/// Servers of MCP that are kept.
const MAX_SERVERS: usize = 256;
/// Tools, prompts and resources of all servers together.
const MAX_OFFERS: usize = 4_096;
/// Models, counted once for each service that serves them.
const MAX_MODELS: usize = 1_024;

/// What found no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgentCounters {
    /// Exchanges with servers beyond the limit.
    pub beyond_servers: u64,
    /// Calls and definitions of tools, prompts and resources beyond a limit.
    pub beyond_offers: u64,
    /// Models that made room for others.
    pub evicted_models: u64,
}

/// Servers of MCP and language models.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    servers: BTreeMap<Arc<str>, Server>,
    models: BTreeMap<(Arc<str>, Box<str>), Model>,
    offers: usize,
    counters: AgentCounters,
}

/// A call as servers and models need to know it.
struct Asked<'a> {
    facts: &'a Facts,
    caller: u64,
    time: Timestamp,
    /// Whether the answer, or what it says, is a failure.
    failed: bool,
    /// Whether the answer is one that the protocol has: JSON, a stream of events, or "accepted". Whoever answers anything else
    /// speaks something else, whatever was asked.
    is_spoken: bool,
    /// Whether this is a call, and no message of one that was counted.
    is_call: bool,
}

impl Agents {
    /// Servers of MCP, by service.
    pub fn servers(&self) -> impl Iterator<Item = (&Arc<str>, &Server)> {
        self.servers.iter()
    }

    /// Models, by service and the name that answers or requests give them; the name is empty where none does.
    pub fn models(&self) -> impl Iterator<Item = (&Arc<str>, &str, &Model)> {
        self.models.iter().map(|((service, name), model)| (service, &**name, model))
    }

    /// What found no room.
    pub const fn counters(&self) -> AgentCounters {
        self.counters
    }

    /// Learns from a call of such a style, or from a message of one.
    pub(crate) fn learn(&mut self, service: &Arc<str>, observation: &Observation, caller: u64) {
        let Some(said) = observation.said.as_deref() else { return };
        let is_failure = matches!(status(observation), Some(400..=599));
        let is_spoken = match status(observation) {
            Some(202) => true,
            Some(200..=299) => {
                matches!(observation.response_payload.format, Some("json" | "sse" | "ndjson"))
            }
            _ => observation.exchange.child.is_some(),
        };
        let asked = |facts| Asked {
            facts,
            is_spoken,
            caller,
            time: observation.exchange.started(),
            failed: said.failed || is_failure,
            is_call: observation.exchange.child.is_none(),
        };
        if let Some(facts) = said.facts("mcp") {
            let method = said.operation.as_ref().map_or("", |operation| operation.name.as_str());
            self.learn_server(service, method, &asked(facts));
        }
        if let Some(facts) = said.facts("llm") {
            self.learn_model(service, &asked(facts));
        }
    }

    /// Writes servers from `at` on, as checkpoints do.
    pub(crate) fn save_servers(&self, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        put_some(self.servers.iter().skip(at), |(_, server)| 1 + server.offers(), out)
    }

    /// Writes models from `at` on, likewise.
    pub(crate) fn save_models(&self, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        put_some(self.models.iter().skip(at), |_| 1, out)
    }

    /// Takes servers of a checkpoint; how many found no room.
    pub(crate) fn load_servers(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        take_all(entries, |(service, server): (Arc<str>, Server)| {
            let offers = self.offers + server.offers();
            let has_room = self.servers.len() < MAX_SERVERS && offers <= MAX_OFFERS;
            if has_room {
                self.offers = offers;
                self.servers.insert(service, server);
            }
            has_room
        })
    }

    /// Takes models of a checkpoint, likewise.
    pub(crate) fn load_models(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        take_all(entries, |(key, model): ((Arc<str>, Box<str>), Model)| {
            let has_room = self.models.len() < MAX_MODELS;
            if has_room {
                self.models.insert(key, model);
            }
            has_room
        })
    }

    fn learn_server(&mut self, service: &Arc<str>, method: &str, asked: &Asked<'_>) {
        if !asked.is_spoken && !self.servers.contains_key(service) {
            return;
        }
        if self.servers.len() >= MAX_SERVERS && !self.servers.contains_key(service) {
            self.counters.beyond_servers += 1;
            return;
        }
        let server = self.servers.entry(Arc::clone(service)).or_insert_with(|| Server::new(asked.time));
        let room = MAX_OFFERS.saturating_sub(self.offers);
        let before = server.offers();
        self.counters.beyond_offers += server.learn(method, asked, room);
        self.offers += server.offers() - before;
    }

    fn learn_model(&mut self, service: &Arc<str>, asked: &Asked<'_>) {
        let name = text(asked.facts, "model").unwrap_or_default();
        let key = (Arc::clone(service), name.into());
        if !self.models.contains_key(&key) {
            // Who asks chooses the names: only an answer says that there is such a model.
            if asked.failed || !asked.is_spoken {
                return;
            }
            self.make_room_for_model();
        }
        self.models.entry(key).or_insert_with(|| Model::new(asked.time)).learn(asked);
    }

    /// The model that was asked least lately makes room.
    fn make_room_for_model(&mut self) {
        if self.models.len() < MAX_MODELS {
            return;
        }
        let oldest = self.models.iter().min_by_key(|(_, model)| model.last_seen).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.models.remove(&oldest);
            self.counters.evicted_models += 1;
        }
    }
}

fn fact<'a>(facts: &'a Facts, name: &str) -> Option<&'a Fact> {
    facts.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact)
}

fn text<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
    match fact(facts, name)? {
        Fact::Name(name) => Some(name.as_str()),
        _ => None,
    }
}

fn truth(facts: &Facts, name: &str) -> bool {
    matches!(fact(facts, name), Some(Fact::Truth(true)))
}

fn list<'a>(facts: &'a Facts, name: &str) -> &'a [Fact] {
    match fact(facts, name) {
        Some(Fact::List(values)) => values,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
