//! Who calls: the strongest name that a request gives its caller, what that name is bound to, and what is known of it.
//!
//! A table of callers and one of the credentials that stand for sessions, both bounded, in event time only. Names and
//! credentials are in it as keyed tokens.

mod address;
mod choose;
mod crowds;
mod facts;
mod known;
mod lineage;
mod prints;
mod record;
mod saved;
mod table;

pub use address::{AddressSource, ClientAddress};
pub use crowds::Crowd;
pub use facts::{TokenFact, TokenFacts};
pub(crate) use known::Placing;
pub use known::{KnownCaller, KnownSession, Principals};
pub use prints::Fellows;
pub use record::{AgentFamily, Network};

use crate::context::{Hits, Placed};
use std::sync::Arc;
use tapwire_inspect::{CredentialKind, Grants, Token};
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// By which credential a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum KnownBy {
    /// A credential of the request.
    Credential(CredentialKind),
    /// The client's certificate.
    Certificate,
    /// None: network, fingerprint of TLS and User-Agent.
    #[default]
    Network,
}

impl KnownBy {
    /// As events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credential(kind) => kind.name(),
            Self::Certificate => "certificate",
            Self::Network => "network",
        }
    }
}

/// From where a call comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct From {
    /// The client's network.
    pub network: Network,
    /// A hash of the fingerprint of its TLS; 0 where there is none.
    pub fingerprint: u32,
    /// The kind of program, as its place in [`AgentFamily::ALL`].
    pub agent: u8,
}

impl From {
    /// In how many of network, fingerprint and program two differ.
    pub fn differences(self, other: Self) -> u32 {
        let both = self.fingerprint != 0 && other.fingerprint != 0;
        u32::from(self.network != other.network)
            + u32::from(both && self.fingerprint != other.fingerprint)
            + u32::from(self.agent != other.agent)
    }
}

/// What of a call's place its caller never had before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strange {
    /// The network.
    pub network: bool,
    /// The fingerprint of TLS.
    pub fingerprint: bool,
    /// The kind of program.
    pub agent: bool,
}

impl Strange {
    /// How many of them.
    pub fn count(self) -> u32 {
        u32::from(self.network) + u32::from(self.fingerprint) + u32::from(self.agent)
    }
}

/// What is known of the caller of one call, beside its name.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// By what it is known.
    pub by: KnownBy,
    /// Its address as trusted proxies tell it, else as on the wire; `None` when the request was not seen.
    pub address: Option<ClientAddress>,
    /// The token of the credential that stands for its session.
    pub session: Option<Token>,
    /// The login name by which that credential was got.
    pub login: Option<Token>,
    /// The exchange whose answer handed that credential out.
    pub issued_in: Option<Uid>,
    /// When that was, to the second.
    pub issued: Option<Timestamp>,
    /// How often the chain of that credential was renewed before it.
    pub renewals: u16,
    /// Facts about the credential at the time of the call.
    pub facts: TokenFacts,
    /// Roles and scopes.
    pub grants: Option<Arc<Grants>>,
    /// When the session of that credential was ended.
    pub ended: Option<Timestamp>,
    /// Calls with the credential of its session before this one.
    pub session_calls: u32,
    /// Its calls before this one.
    pub calls: u32,
    /// From where this one comes.
    pub from: Option<From>,
    /// What of that is new for it.
    pub strange: Strange,
    /// Who has the same fingerprint of TLS; `None` where there is none.
    pub fellows: Option<Fellows>,
    /// When it was first seen; `None` for what is not kept.
    pub first_seen: Option<Timestamp>,
    /// What files say of the client.
    pub client: Placed,
    /// What files say of the server.
    pub server: Placed,
    /// On which of the lists in files the call stands.
    pub lists: Hits,
}
