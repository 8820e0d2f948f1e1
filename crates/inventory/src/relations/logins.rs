//! Names and passwords that were tried, and whether they were right: by the status, by what is handed out, and by what the
//! body says where a service answers failures with 200.

use super::Seen;
use crate::hashing::BuildAsIs;
use std::collections::HashMap;
use tapwire_inspect::{CredentialKind, Fact, Grant, Observation, Place, Token};

/// Places where names and passwords are tried that are remembered.
const MAX_PLACES: usize = 4096;
/// Logins that handed something out, from which on one that did not has failed.
const USUALLY: u32 = 3;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It was let in.
    Succeeded,
    /// It was refused.
    Failed,
    /// The answer was not seen, or does not tell.
    Unknown,
}

/// A name and a password that were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    /// The keyed token of the name; `None` where it stands in a document that was not taken apart.
    pub user: Option<Token>,
    /// The keyed token of the password.
    pub password: Option<Token>,
    /// What came of it.
    pub result: Tried,
    /// How many were tried in this one request, as batches and aliases of GraphQL allow.
    pub tries: u32,
    /// A hash of the answer's length and status: answers that tell names that exist from others differ.
    pub answer: u64,
}

/// What is known of places where logins are tried.
#[derive(Default)]
pub(super) struct Logins {
    /// Logins that handed out a credential, by a hash of service and template.
    issued: HashMap<u64, u32, BuildAsIs>,
}

impl Logins {
    /// What a call tries.
    pub(super) fn hear(&mut self, seen: &Seen<'_>) -> Option<Login> {
        let observation = seen.observation;
        let issuance = observation.issuance.as_deref();
        let Some(issuance) = issuance.filter(|issuance| issuance.grant == Some(Grant::Password)) else {
            return graphql(seen);
        };
        let method = observation.exchange.request_head()?.method()?;
        let posts = method.is(b"POST") || method.is(b"GET");
        let usually = self.issued.get(&seen.place).copied().unwrap_or(0);
        let hands_out = !issuance.issued.is_empty() && issuance.succeeded;
        let is_login =
            posts && issuance.user.is_some() && (hands_out || usually > 0 || is_named_so(observation));
        if !is_login {
            return None;
        }
        if hands_out && (usually > 0 || self.issued.len() < MAX_PLACES) {
            *self.issued.entry(seen.place).or_default() = usually.saturating_add(1);
        }
        let result = match seen.status {
            Some(400 | 401 | 403 | 404 | 409 | 422 | 423 | 429) => Tried::Failed,
            Some(200..=399) if hands_out => Tried::Succeeded,
            Some(200..=399) if issuance.says_failed || usually >= USUALLY || !issuance.succeeded => {
                Tried::Failed
            }
            Some(200..=399) => Tried::Unknown,
            _ => Tried::Unknown,
        };
        let password = observation
            .credentials
            .iter()
            .find(|one| one.kind == CredentialKind::Password && one.place == Place::Body);
        Some(Login {
            user: issuance.user,
            password: password.map(|one| one.token),
            result,
            tries: 1,
            answer: answer(seen),
        })
    }
}

/// A hash of what tells answers apart without reading them.
fn answer(seen: &Seen<'_>) -> u64 {
    let len = seen.observation.response_payload.decoded_len;
    super::mix(len, seen.status.map_or(0, u64::from))
}

/// Whether the path says that one logs in there.
fn is_named_so(observation: &Observation) -> bool {
    const WORDS: &[&[u8]] = &[
        b"login",
        b"signin",
        b"sign-in",
        b"sign_in",
        b"logon",
        b"auth",
        b"authenticate",
        b"token",
        b"session",
        b"sessions",
        b"oauth",
    ];
    let Some(head) = observation.exchange.request_head() else { return false };
    let mut segments =
        observation.segments.iter().rev().take(2).map(|segment| head.slice(segment.range).bytes());
    segments.any(|segment| WORDS.iter().any(|word| word.eq_ignore_ascii_case(segment)))
}

/// Mutations that log in: many of them in one request are many tries.
fn graphql(seen: &Seen<'_>) -> Option<Login> {
    let said = seen.observation.said.as_deref()?;
    let facts = said.facts("graphql")?;
    let is_login = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["login", "signin", "authenticate", "tokenauth", "createtoken"].iter().any(|word| name.contains(word))
    };
    let names = |facts: &[(&'static str, Fact)]| {
        facts.iter().any(|(key, fact)| {
            *key == "root_fields" && matches!(fact, Fact::List(list) if list.iter().any(|one| matches!(one, Fact::Name(name) if is_login(name.as_str()))))
        })
    };
    let within = facts.iter().any(|(key, fact)| {
        *key == "operations" && matches!(fact, Fact::List(list) if list.iter().any(|one| matches!(one, Fact::Group(group) if names(group))))
    });
    if !names(facts) && !within {
        return None;
    }
    let count = |name: &str| match said.fact("graphql", name) {
        Some(Fact::Count(count)) => *count,
        _ => 0,
    };
    let tries = count("batch").max(count("aliases")).max(1);
    let result = if said.failed || count("errors") > 0 { Tried::Failed } else { Tried::Unknown };
    Some(Login {
        user: None,
        password: None,
        result,
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
        answer: answer(seen),
    })
}
