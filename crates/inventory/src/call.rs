//! A call: an observation placed in what is learned.

use crate::hours::Standing;
use crate::knocks::Knocks;
use crate::principals::Caller;
use crate::relations::Relations;
use std::sync::Arc;
use tapwire_inspect::{Observation, Token};

/// Names an endpoint for good: given at creation, never recomputed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct EndpointId(pub u64);

/// By what a caller is known, strongest first: what names a person or a program before what names a session or a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum PrincipalKind {
    /// Issuer and subject of a JSON Web Token.
    JwtSubject,
    /// An API key.
    ApiKey,
    /// A session cookie.
    Session,
    /// A Basic user name.
    BasicUser,
    /// The subject of a client's certificate.
    Certificate,
    /// The name of the login that handed out an opaque token or cookie.
    LoginUser,
    /// An opaque bearer token, or another `Authorization`.
    Bearer,
    /// Network, fingerprint of TLS and User-Agent: who cannot be told better.
    Network,
}

impl PrincipalKind {
    /// As events and the line format spell it, before the tilde: `user~3f2a`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JwtSubject | Self::BasicUser | Self::LoginUser => "user",
            Self::Certificate => "cert",
            Self::ApiKey => "key",
            Self::Bearer => "token",
            Self::Session => "session",
            Self::Network => "net",
        }
    }
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Principal {
    /// By what it is known.
    pub kind: PrincipalKind,
    /// Its keyed token.
    pub token: Token,
}

/// An observation placed in what is learned.
#[derive(Debug, Clone)]
pub struct Call {
    /// The observation.
    pub observation: Observation,
    /// The service's name; `None` when the request was not seen.
    pub service: Option<Arc<str>>,
    /// The endpoint; `None` when the request was not seen, or its answer does not vouch for one (404).
    pub endpoint: Option<EndpointId>,
    /// The endpoint's path template, `/orders/{orderId}`, also where no endpoint was made.
    pub template: Option<Arc<str>>,
    /// Whether this call made the endpoint known.
    pub discovered: bool,
    /// Who calls; `None` when the request was not seen.
    pub principal: Option<Principal>,
    /// What is known of it beside its name.
    pub caller: Caller,
    /// What relates it to the calls of others.
    pub relations: Relations,
    /// How its caller's hour stands to those of peers.
    pub standing: Standing,
    /// What knocking at ports has come to: of a connection on which nobody said a word, and of no other call.
    pub knocks: Option<Knocks>,
}

impl Call {
    /// An observation of which nothing is known beside itself.
    pub(crate) fn unplaced(observation: Observation) -> Self {
        Self {
            observation,
            service: None,
            endpoint: None,
            template: None,
            discovered: false,
            principal: None,
            caller: Caller::default(),
            relations: Relations::default(),
            standing: Standing::default(),
            knocks: None,
        }
    }
}
