//! Servers of the Model Context Protocol: what they say they offer, whether that changed, and what is called.

use super::{Asked, fact, list, text, truth};
use crate::Callers;
use siphasher::sip::SipHasher24;
use std::collections::BTreeMap;
use std::hash::Hasher;
use tapwire_inspect::{Fact, Facts};
use tapwire_wire::Timestamp;

/// Offers of one kind of one server.
const MAX_OF_KIND: usize = 512;
/// Bytes of the name and the versions of a server.
const MAX_TEXT: usize = 64;

/// What a server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfferKind {
    /// Something to call.
    Tool,
    /// A text to begin with.
    Prompt,
    /// Something to read.
    Resource,
}

impl OfferKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Tool, Self::Prompt, Self::Resource];

    /// As lists spell many of them.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Prompt => "prompts",
            Self::Resource => "resources",
        }
    }
}

/// What a server says of an offer, as the beginnings of SHA-256 digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Definition {
    /// Of what it says to a model.
    pub description: Option<[u8; 8]>,
    /// Of the schema of what it takes.
    pub schema: Option<[u8; 8]>,
}

/// A tool, prompt or resource.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Offer {
    /// Packet time of when it was first listed or called.
    pub first_seen: Timestamp,
    /// Packet time of when it was last listed or called.
    pub last_seen: Timestamp,
    /// What the server said of it first, and last; `None` where it never listed it.
    pub defined: Option<[Definition; 2]>,
    /// How often it said something else than before.
    pub changes: u32,
    /// When it did so last.
    pub changed: Option<Timestamp>,
    /// Calls.
    pub calls: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Who called.
    pub callers: Callers,
}

impl Offer {
    fn new(time: Timestamp) -> Self {
        Self {
            first_seen: time,
            last_seen: time,
            defined: None,
            changes: 0,
            changed: None,
            calls: 0,
            failed: 0,
            callers: Callers::default(),
        }
    }

    fn define(&mut self, now: Definition, time: Timestamp) {
        match &mut self.defined {
            None => self.defined = Some([now; 2]),
            Some([_, last]) if *last != now => {
                *last = now;
                self.changes = self.changes.saturating_add(1);
                self.changed = Some(time);
            }
            Some(_) => {}
        }
    }
}

/// Offers of one kind, by name. Names are content: they leave only through redaction.
pub type Offers = BTreeMap<Box<str>, Offer>;

/// A server of the Model Context Protocol.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Server {
    /// Packet time of the first exchange.
    pub first_seen: Timestamp,
    /// Packet time of the last exchange.
    pub last_seen: Timestamp,
    /// What it calls itself. Content, as the versions are.
    pub name: Option<Box<str>>,
    /// Its version.
    pub version: Option<Box<str>>,
    /// The protocol's version.
    pub protocol_version: Option<Box<str>>,
    /// Requests of the protocol.
    pub calls: u64,
    /// Who called.
    pub callers: Callers,
    /// Reads of resources.
    pub reads: u64,
    /// Of these, failed.
    pub failed_reads: u64,
    /// Distinct resources that were read, by hashes of their URIs, counted as callers are.
    pub read: Callers,
    offers: [Offers; 3],
}

impl Server {
    pub(super) fn new(time: Timestamp) -> Self {
        Self {
            first_seen: time,
            last_seen: time,
            name: None,
            version: None,
            protocol_version: None,
            calls: 0,
            callers: Callers::default(),
            reads: 0,
            failed_reads: 0,
            read: Callers::default(),
            offers: Default::default(),
        }
    }

    /// What it offers of a kind.
    pub const fn offers_of(&self, kind: OfferKind) -> &Offers {
        let [tools, prompts, resources] = &self.offers;
        match kind {
            OfferKind::Tool => tools,
            OfferKind::Prompt => prompts,
            OfferKind::Resource => resources,
        }
    }

    pub(super) fn offers(&self) -> usize {
        self.offers.iter().map(BTreeMap::len).sum()
    }

    /// Learns from what an exchange says; what found no room.
    pub(super) fn learn(&mut self, method: &str, asked: &Asked<'_>, room: usize) -> u64 {
        self.first_seen = self.first_seen.min(asked.time);
        self.last_seen = self.last_seen.max(asked.time);
        self.introduce(asked.facts);
        if asked.is_call {
            self.calls += 1;
            self.callers.add(asked.caller);
            if method.starts_with("resources/read") {
                self.read(asked);
            }
        }
        let mut room = room;
        let beyond = self.learn_definitions(asked, &mut room);
        beyond + if asked.is_call { self.learn_calls(asked, &mut room) } else { 0 }
    }

    /// What it says of itself; the last word counts.
    fn introduce(&mut self, facts: &Facts) {
        let kept = |text: &str| Some(text.chars().take(MAX_TEXT).collect::<String>().into());
        if let Some(version) = text(facts, "protocol_version") {
            self.protocol_version = kept(version);
        }
        if let Some(Fact::Group(peer)) = fact(facts, "server") {
            self.name = text(peer, "name").and_then(kept).or_else(|| self.name.take());
            self.version = text(peer, "version").and_then(kept).or_else(|| self.version.take());
        }
    }

    fn read(&mut self, asked: &Asked<'_>) {
        self.reads += 1;
        self.failed_reads += u64::from(asked.failed);
        let one = fact(asked.facts, "resource").filter(|fact| matches!(fact, Fact::Content(_)));
        for uri in one.into_iter().chain(list(asked.facts, "resource")) {
            if let Fact::Content(uri) = uri {
                let mut hash = SipHasher24::new();
                hash.write(uri.as_str().as_bytes());
                self.read.add(hash.finish());
            }
        }
    }

    fn learn_definitions(&mut self, asked: &Asked<'_>, room: &mut usize) -> u64 {
        let mut beyond = 0;
        let listed = OfferKind::ALL.into_iter().map(|kind| (Some(kind), list(asked.facts, kind.name())));
        for (kind, definitions) in listed.chain([(None, list(asked.facts, "definitions"))]) {
            for definition in definitions {
                let Fact::Group(facts) = definition else { continue };
                let Some(name) = text(facts, "name") else { continue };
                let now =
                    Definition { description: digest(facts, "description"), schema: digest(facts, "schema") };
                let Some(kind) = kind.or_else(|| self.kind_of(name, now)) else { continue };
                match self.offer(kind, name, asked.time, room) {
                    Some(offer) => offer.define(now, asked.time),
                    None => beyond += 1,
                }
            }
        }
        beyond
    }

    /// What a definition is that came by itself, on a stream: only tools have a schema of what they take.
    fn kind_of(&self, name: &str, definition: Definition) -> Option<OfferKind> {
        let known = |kind: &OfferKind| self.offers_of(*kind).contains_key(name);
        let by_name = OfferKind::ALL.into_iter().find(known);
        definition.schema.map(|_| OfferKind::Tool).or(by_name)
    }

    fn learn_calls(&mut self, asked: &Asked<'_>, room: &mut usize) -> u64 {
        let failed = asked.failed || truth(asked.facts, "tool_failed");
        let mut beyond = self.called(asked.facts, failed, asked, room);
        for call in list(asked.facts, "calls") {
            if let Fact::Group(call) = call {
                beyond += self.called(call, truth(call, "failed"), asked, room);
            }
        }
        beyond
    }

    fn called(&mut self, facts: &Facts, failed: bool, asked: &Asked<'_>, room: &mut usize) -> u64 {
        let mut beyond = 0;
        for (kind, key) in [(OfferKind::Tool, "tool"), (OfferKind::Prompt, "prompt")] {
            let Some(name) = text(facts, key) else { continue };
            match self.offer(kind, name, asked.time, room) {
                Some(offer) => {
                    offer.calls += 1;
                    offer.failed += u64::from(failed);
                    offer.callers.add(asked.caller);
                }
                None => beyond += 1,
            }
        }
        beyond
    }

    /// The offer of that name, made where there is room.
    fn offer(
        &mut self,
        kind: OfferKind,
        name: &str,
        time: Timestamp,
        room: &mut usize,
    ) -> Option<&mut Offer> {
        let offers = self.offers.get_mut(kind as usize)?;
        if !offers.contains_key(name) {
            if *room == 0 || offers.len() >= MAX_OF_KIND {
                return None;
            }
            *room -= 1;
            offers.insert(name.into(), Offer::new(time));
        }
        let offer = offers.get_mut(name)?;
        offer.first_seen = offer.first_seen.min(time);
        offer.last_seen = offer.last_seen.max(time);
        Some(offer)
    }
}

fn digest(facts: &Facts, name: &str) -> Option<[u8; 8]> {
    match fact(facts, name)? {
        Fact::Digest(digest) => Some(*digest),
        _ => None,
    }
}
