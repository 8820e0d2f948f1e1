//! The tables of callers and sessions, and how a call is placed in them.

use super::address::{ClientHeaders, client};
use super::choose::{Chosen, choose};
use super::crowds::{Crowd, Crowds, is_settled};
use super::prints::{self, Prints};
use super::record::{CERTIFICATE, Few, Known, Place, Places, Seconds, Session, Span, bit, second, time};
use super::table::Table;
use super::{AgentFamily, Caller, ClientAddress, KnownBy, Network};
use crate::context::Context;
use crate::endpoint::status;
use crate::hashing::{BuildAsIs, Keyed};
use crate::{Config, Principal, PrincipalKind};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use tapwire_inspect::{Credential, CredentialKind, Domain, Grants, Issuance, Observation, Token, Tokens};
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// Distinct sets of roles and scopes that are kept.
const MAX_GRANTS: usize = 4096;
/// User-Agents whose family is remembered; a power of two.
const AGENTS: usize = 256;
/// Credentials of one request that stand for sessions and are looked at.
const MAX_SHOWN: usize = 2;

/// Everybody who called, and the credentials that stood for sessions.
pub struct Principals {
    pub(super) callers: Table<Known>,
    pub(super) sessions: Table<Session>,
    pub(super) crowds: Crowds,
    pub(super) prints: Prints,
    pub(super) grants: GrantSets,
    agents: Agents,
    pub(super) counters: Counters,
}

/// What became of callers and sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    /// Logins whose answer handed something out, or that bound a session.
    pub(crate) logins: u64,
    /// Credentials that were handed out.
    pub(crate) issued: u64,
    /// Sets of roles and scopes beyond the limit.
    pub(crate) beyond_grants: u64,
    /// Names that are none of a role or scope.
    pub(crate) dropped_words: u64,
}

/// A caller, as it is told.
#[derive(Debug, Clone)]
pub struct KnownCaller {
    /// Its name.
    pub principal: Principal,
    /// Its first call, to the second.
    pub first_seen: Timestamp,
    /// Its last call, to the second.
    pub last_seen: Timestamp,
    /// Its calls.
    pub calls: u32,
    /// The kinds of credentials it showed, as events spell them.
    pub credentials: Vec<&'static str>,
    /// Services it called, by index, at most four, and whether there were more.
    pub services: (Vec<usize>, bool),
    /// Networks it came from, at most three, and whether there were more.
    pub networks: (Vec<Network>, bool),
    /// Fingerprints of TLS it had, at most two, and whether there were more.
    pub fingerprints: (usize, bool),
    /// Programs it called with.
    pub agents: Vec<AgentFamily>,
    /// What it may do, as last seen.
    pub grants: Option<Arc<Grants>>,
    /// Credentials of sessions that are its own and known.
    pub sessions: usize,
}

/// A credential that stands for a session, as it is told.
#[derive(Debug, Clone)]
pub struct KnownSession {
    /// The credential's token.
    pub token: Token,
    /// Whose it is.
    pub owner: Option<Principal>,
    /// By which login name it was got.
    pub login: Option<Token>,
    /// The exchange whose answer handed it out, and when.
    pub issued: Option<(Uid, Timestamp)>,
    /// What it was got with.
    pub parent: Option<Token>,
    /// How often its chain was renewed before it.
    pub renewals: u16,
    /// Its first and last use, to the second, and how often it was used; `None` when it was only handed out.
    pub used: Option<(Timestamp, Timestamp, u32)>,
    /// Networks it was used from, and whether there were more.
    pub networks: (Vec<Network>, bool),
    /// Programs it was used with.
    pub agents: Vec<AgentFamily>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When its session was ended.
    pub ended: Option<Timestamp>,
    /// When another took its place.
    pub superseded: Option<Timestamp>,
}

/// What a call is placed with.
pub(crate) struct Placing<'a> {
    pub(crate) observation: &'a Observation,
    pub(crate) context: &'a Context,
    pub(crate) tokens: &'a mut Tokens,
    /// The service's index.
    pub(crate) service: Option<usize>,
}

impl Principals {
    pub(crate) fn new(config: &Config, hashing: Keyed) -> Self {
        Self {
            callers: Table::new(config.max_principals),
            sessions: Table::new(config.max_sessions),
            crowds: Crowds::new(config.max_principals, hashing.clone()),
            prints: Prints::default(),
            grants: GrantSets::default(),
            agents: Agents { hashing, slots: vec![None; AGENTS].into() },
            counters: Counters::default(),
        }
    }

    /// How many callers are known.
    pub fn len(&self) -> usize {
        self.callers.len()
    }

    /// Whether nobody called.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Callers and sessions that made room for others.
    pub const fn evicted(&self) -> (u64, u64) {
        (self.callers.evicted(), self.sessions.evicted())
    }

    pub(crate) const fn forgotten_prints(&self) -> u64 {
        self.prints.forgotten()
    }

    /// Bytes held for callers and sessions.
    pub fn held(&self) -> usize {
        self.callers.held() + self.sessions.held() + self.crowds.held()
    }

    /// Who calls, and what is known of it; learns from the call. A message on an exchange that goes on is no call of its own.
    pub(crate) fn place(&mut self, placing: &mut Placing<'_>) -> Option<(Principal, Caller)> {
        let observation = placing.observation;
        let head = observation.exchange.request_head()?;
        let headers = ClientHeaders::of(head);
        let address = client(&observation.exchange, &headers, placing.context);
        let chosen = choose(observation, &mut self.sessions, placing.tokens)
            .unwrap_or_else(|| unnamed(observation, address.ip, headers.user_agent, placing.tokens));
        let place = self.place_of(observation, &address, headers.user_agent);
        let mut caller = Caller { by: chosen.by, address: Some(address), ..Caller::default() };
        caller.fellows = place.fingerprint.map(|print| self.prints.hear(print, self.address(address.ip)));
        let now = second(observation.exchange.started());
        self.shown(observation, &chosen, now, &place, &mut caller);
        if matches!(status(observation), Some(200..=299)) {
            caller.facts.accepted();
        }
        self.count(placing, &chosen, now, &place, &mut caller);
        if let Some(issuance) = observation.issuance.as_deref() {
            self.learn(issuance, observation, &chosen, &mut caller);
        }
        place_ends(placing, &chosen, &mut caller);
        Some((chosen.principal, caller))
    }

    fn address(&self, address: IpAddr) -> u64 {
        prints::place(&self.agents.hashing, address)
    }

    /// Something was found of who called from there with that fingerprint of TLS.
    pub(crate) fn found(&mut self, ja4: &str, address: IpAddr) {
        let (print, address) = (self.agents.hash(ja4.as_bytes()), self.address(address));
        self.prints.found(print, address);
    }

    fn place_of(&mut self, observation: &Observation, address: &ClientAddress, agent: &[u8]) -> Place {
        let ja4 = ja4(observation);
        Place {
            network: Network::of(address.ip),
            fingerprint: ja4.map(|text| self.agents.hash(text.as_bytes())),
            agent: self.agents.of(agent),
        }
    }

    /// The credentials of sessions that the request shows.
    fn shown(
        &mut self,
        observation: &Observation,
        chosen: &Chosen,
        now: Seconds,
        place: &Place,
        caller: &mut Caller,
    ) {
        let is_call = observation.exchange.child.is_none();
        for credential in observation.credentials.iter().filter(|one| is_session(one)).take(MAX_SHOWN) {
            let session = match is_call {
                true => session_at(&mut self.sessions, credential.token, now),
                false => self.sessions.used(credential.token),
            };
            let Some(session) = session else { continue };
            let before = session.span.calls;
            if is_call {
                session.span.add(now);
                session.places.add(place);
            }
            if credential.kind == CredentialKind::Jwt && credential.identity.is_some() {
                session.owner = Some(chosen.principal);
            }
            if let Some(claims) = &credential.claims {
                caller.facts.claims(claims, now);
                caller.grants = caller.grants.take().or_else(|| claims.grants.clone());
            }
            caller.facts.session(session, observation.exchange.started());
            caller.ended = caller.ended.or(Some(session.ended).filter(|at| *at != Timestamp::MIN));
            if caller.session.is_none() {
                caller.session = Some(credential.token);
                caller.session_calls = before;
                (caller.login, caller.issued_in) = (session.login, session.issued_in);
                caller.issued = session.issued_in.map(|_| time(session.issued));
                caller.renewals = session.renewals;
                caller.grants = caller.grants.take().or_else(|| self.grants.get(session.grants));
            }
        }
    }

    /// The caller's own record.
    fn count(
        &mut self,
        placing: &Placing<'_>,
        chosen: &Chosen,
        now: Seconds,
        place: &Place,
        caller: &mut Caller,
    ) {
        if placing.observation.exchange.child.is_some() {
            return;
        }
        let grants = match &caller.grants {
            // Of a token that nobody accepted, anybody may have written what it grants.
            Some(grants) if matches!(status(placing.observation), Some(200..=299)) => {
                self.grants.index(grants, &mut self.counters)
            }
            Some(grants) => self.grants.known(grants),
            None => 0,
        };
        let kind = chosen.principal.kind;
        let Some(known) = self.callers.used_or(chosen.principal.token, || Known::new(kind)) else { return };
        (caller.calls, caller.from) = (known.span.calls, Some(place.told()));
        caller.strange = known.places.strange(place);
        let was_settled = is_settled(known);
        known.span.add(now);
        let is_new_there = known.places.add(place) && known.kind != PrincipalKind::Network;
        placing.service.and_then(|index| u16::try_from(index).ok()).into_iter().for_each(|at| {
            known.services.add(at);
        });
        known.credentials |= match chosen.by {
            KnownBy::Credential(kind) => bit(kind),
            KnownBy::Certificate => 1 << CERTIFICATE,
            KnownBy::Network => 0,
        };
        if grants != 0 {
            known.grants = grants;
        }
        caller.grants = caller.grants.take().or_else(|| self.grants.get(known.grants));
        caller.first_seen = Some(time(known.span.first));
        let is_settled = is_settled(known);
        self.crowds.hear(now);
        if is_settled && !was_settled && known.kind != PrincipalKind::Network {
            self.crowds.settle(known, is_new_there.then_some(place.network));
        }
        if is_new_there {
            self.crowds.enter(place.network, is_settled);
        }
        if let Some(gone) = self.callers.take_fallen() {
            self.crowds.leave(&gone);
        }
    }

    /// How many callers with a name came from that network.
    pub fn crowd(&self, network: Network) -> Crowd {
        self.crowds.of(network)
    }

    fn learn(
        &mut self,
        issuance: &Issuance,
        observation: &Observation,
        chosen: &Chosen,
        caller: &mut Caller,
    ) {
        let grants =
            issuance.grants.as_ref().map_or(0, |grants| self.grants.index(grants, &mut self.counters));
        self.issuance(issuance, observation, chosen, grants, caller);
    }

    /// Every caller, who called most first.
    pub fn callers(&self) -> Vec<KnownCaller> {
        let mut sessions: BTreeMap<Token, usize> = BTreeMap::new();
        for owner in self.sessions.iter().filter_map(|(_, session)| session.owner) {
            *sessions.entry(owner.token).or_default() += 1;
        }
        let all = self
            .callers
            .iter()
            .map(|(token, known)| self.told(token, known, sessions.get(&token).copied().unwrap_or(0)));
        let mut all: Vec<KnownCaller> = all.collect();
        all.sort_by_key(|caller| {
            (std::cmp::Reverse(caller.calls), caller.first_seen, caller.principal.token)
        });
        all
    }

    /// One caller; its sessions are not counted, since that takes a look at all of them.
    pub fn caller(&self, token: Token) -> Option<KnownCaller> {
        self.callers.get(token).map(|known| self.told(token, known, 0))
    }

    fn told(&self, token: Token, known: &Known, sessions: usize) -> KnownCaller {
        KnownCaller {
            principal: Principal { kind: known.kind, token },
            first_seen: time(known.span.first),
            last_seen: time(known.span.last),
            calls: known.span.calls,
            credentials: known.credential_names(),
            services: (known.services.iter().map(usize::from).collect(), known.services.more()),
            networks: networks(&known.places),
            fingerprints: (known.places.fingerprints.iter().count(), known.places.fingerprints.more()),
            agents: known.places.agents().collect(),
            grants: self.grants.get(known.grants),
            sessions,
        }
    }

    /// One credential of a session.
    pub fn session(&self, token: Token) -> Option<KnownSession> {
        self.sessions.get(token).map(|session| session.told(token))
    }

    /// Every credential of a session, by when it was handed out or first used.
    pub fn sessions(&self) -> Vec<KnownSession> {
        let all = self.sessions.iter().map(|(token, session)| session.told(token));
        let mut all: Vec<KnownSession> = all.collect();
        all.sort_by_key(|session| {
            let first = session.used.map(|(first, ..)| first);
            (session.issued.map(|(_, time)| time).or(first), session.token)
        });
        all
    }
}

/// What files say of both ends, and whose name stands on their lists.
fn place_ends(placing: &Placing<'_>, chosen: &Chosen, caller: &mut Caller) {
    let context = placing.context;
    if context.is_empty() {
        return;
    }
    let observation = placing.observation;
    let server = observation.exchange.flow.server().ip();
    let host = observation.authority.as_deref();
    let ip = caller.address.map_or(server, |client| client.ip);
    caller.client = context.place(ip, None);
    caller.server = context.place(server, host);
    let subjects = observation.credentials.iter().filter_map(|one| one.claims.as_ref()?.subject);
    let users: Vec<Token> = subjects.chain(caller.login).chain([chosen.principal.token]).collect();
    caller.lists = context.hits(ip, ja4(observation), host, &users);
}

fn networks(places: &Places) -> (Vec<Network>, bool) {
    (places.networks.iter().collect(), places.networks.more())
}

fn ja4(observation: &Observation) -> Option<&str> {
    observation.exchange.flow.tls.as_ref()?.ja4.as_deref()
}

/// A credential's session that is used now; a new one comes instead of one that is over.
pub(super) fn session_at(sessions: &mut Table<Session>, token: Token, now: Seconds) -> Option<&mut Session> {
    sessions.used_or_instead(token, Session::new, |session| session.is_over(now))
}

/// Whether a credential stands for a session, which begins and ends.
pub(super) const fn is_session(credential: &Credential) -> bool {
    use CredentialKind::{Bearer, Cookie, Jwt, Other};
    matches!(credential.kind, Bearer | Jwt | Cookie | Other)
}

/// Who shows nothing is told by where it comes from and what it calls with. An IPv6 host has a whole /64 to choose its
/// addresses from (RFC 8981).
fn unnamed(observation: &Observation, address: IpAddr, agent: &[u8], tokens: &mut Tokens) -> Chosen {
    let mut text = Vec::with_capacity(64 + agent.len());
    match address {
        IpAddr::V4(address) => text.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => text.extend_from_slice(address.octets().get(..8).unwrap_or_default()),
    }
    if let Some(ja4) = ja4(observation) {
        text.extend_from_slice(ja4.as_bytes());
        text.push(0);
    }
    text.extend_from_slice(agent);
    let token = tokens.token(Domain::Identity, &text);
    Chosen { principal: Principal { kind: PrincipalKind::Network, token }, by: KnownBy::Network }
}

impl Session {
    fn told(&self, token: Token) -> KnownSession {
        let at = |second: Seconds| (second != 0).then(|| time(second));
        let happened = |at: Timestamp| (at != Timestamp::MIN).then_some(at);
        KnownSession {
            token,
            owner: self.owner,
            login: self.login,
            issued: self.issued_in.map(|uid| (uid, time(self.issued))),
            parent: self.parent,
            renewals: self.renewals,
            used: self.span.used(),
            networks: networks(&self.places),
            agents: self.places.agents().collect(),
            expires: at(self.expires),
            ended: happened(self.ended),
            superseded: happened(self.superseded),
        }
    }
}

impl Known {
    pub(super) fn new(kind: PrincipalKind) -> Self {
        Self { kind, span: Span::NEW, places: Places::new(), services: Few::new(), credentials: 0, grants: 0 }
    }

    fn credential_names(&self) -> Vec<&'static str> {
        use CredentialKind::{ApiKey, Basic, Bearer, Cookie, Jwt, Other, Password};
        let kinds = [Jwt, ApiKey, Cookie, Basic, Bearer, Password, Other];
        let shown = kinds.into_iter().filter(|kind| self.credentials & bit(*kind) != 0);
        let certificate = (self.credentials & 1 << CERTIFICATE != 0).then_some("certificate");
        shown.map(CredentialKind::name).chain(certificate).collect()
    }
}

/// Sets of roles and scopes, by index from 1.
#[derive(Default)]
pub(super) struct GrantSets {
    pub(super) all: Vec<Arc<Grants>>,
    by_id: HashMap<u64, u16, BuildAsIs>,
}

impl GrantSets {
    fn get(&self, index: u16) -> Option<Arc<Grants>> {
        self.all.get(usize::from(index).checked_sub(1)?).cloned()
    }

    /// The index of a set that is there.
    fn known(&self, grants: &Grants) -> u16 {
        self.by_id.get(&grants.id).copied().unwrap_or(0)
    }

    fn index(&mut self, grants: &Arc<Grants>, counters: &mut Counters) -> u16 {
        if let Some(index) = self.by_id.get(&grants.id) {
            return *index;
        }
        counters.dropped_words += u64::from(grants.dropped);
        if self.all.len() >= MAX_GRANTS {
            counters.beyond_grants += 1;
            return 0;
        }
        self.push(Arc::clone(grants))
    }

    /// Adds a set that is not there; its index.
    fn push(&mut self, grants: Arc<Grants>) -> u16 {
        let id = grants.id;
        self.all.push(grants);
        let index = u16::try_from(self.all.len()).unwrap_or(0);
        self.by_id.insert(id, index);
        index
    }

    /// Adds the next set of those that were known, unless there are too many.
    pub(super) fn restore(&mut self, grants: Arc<Grants>) -> bool {
        let room = self.all.len() < MAX_GRANTS;
        if room {
            self.push(grants);
        }
        room
    }
}

/// Families of User-Agents, with the last ones at hand.
struct Agents {
    hashing: Keyed,
    slots: Box<[Option<(u64, AgentFamily)>]>,
}

impl Agents {
    #[allow(clippy::cast_possible_truncation, reason = "only the low bits choose the slot")]
    fn of(&mut self, text: &[u8]) -> AgentFamily {
        let hash = self.long_hash(text);
        let Some(slot) = self.slots.get_mut(hash as usize % AGENTS) else { return AgentFamily::of(text) };
        match slot {
            Some((known, family)) if *known == hash => *family,
            _ => slot.insert((hash, AgentFamily::of(text))).1,
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    fn hash(&self, text: &[u8]) -> u32 {
        (self.long_hash(text) >> 32) as u32
    }

    fn long_hash(&self, text: &[u8]) -> u64 {
        let mut hash = self.hashing.build_hasher();
        hash.write(text);
        hash.finish()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
