//! The order of names: what names a person or a program comes before what names a session or a string.

use super::KnownBy;
use super::record::Session;
use super::table::Table;
use crate::endpoint::status;
use crate::{Principal, PrincipalKind};
use tapwire_inspect::{Credential, CredentialKind, Domain, Observation, Token, Tokens};

/// The strongest name of a request, with what it is known by and the credential of its session.
pub(super) struct Chosen {
    pub(super) principal: Principal,
    pub(super) by: KnownBy,
}

/// Chooses among what the request shows. Credentials of one kind count in the order they stand there; a password in a body
/// names who logs in, which is not yet who calls, and so does a name whose password was wrong.
pub(super) fn choose(
    observation: &Observation,
    sessions: &mut Table<Session>,
    tokens: &mut Tokens,
) -> Option<Chosen> {
    let is_refused = status(observation) == Some(401);
    let shown = observation.credentials.iter().filter(|one| !is_refused || one.kind != CredentialKind::Basic);
    let shown = shown.filter_map(|credential| named(credential, sessions));
    let certificate = certificate(observation, tokens);
    shown.chain(certificate).min_by_key(|(rank, _)| *rank).map(|(_, chosen)| chosen)
}

/// A credential's name and its rank: that of its own kind, also where it is bound to a user.
fn named(credential: &Credential, sessions: &mut Table<Session>) -> Option<(PrincipalKind, Chosen)> {
    let (rank, principal) = match (credential.kind, credential.identity) {
        (CredentialKind::Jwt, Some(identity)) => of(PrincipalKind::JwtSubject, identity),
        (CredentialKind::Basic, Some(identity)) => of(PrincipalKind::BasicUser, identity),
        (CredentialKind::ApiKey, _) => of(PrincipalKind::ApiKey, credential.token),
        (CredentialKind::Cookie, _) => bound(PrincipalKind::Session, credential.token, sessions),
        (CredentialKind::Bearer | CredentialKind::Jwt | CredentialKind::Other, _) => {
            bound(PrincipalKind::Bearer, credential.token, sessions)
        }
        (CredentialKind::Basic | CredentialKind::Password, _) => return None,
    };
    Some((rank, Chosen { principal, by: KnownBy::Credential(credential.kind) }))
}

const fn of(kind: PrincipalKind, token: Token) -> (PrincipalKind, Principal) {
    (kind, Principal { kind, token })
}

/// Whose a session's credential is: the user of the login that issued it, else the session, by the first of its chain.
fn bound(kind: PrincipalKind, token: Token, sessions: &mut Table<Session>) -> (PrincipalKind, Principal) {
    let session = sessions.used(token);
    match session.as_ref().and_then(|session| session.owner) {
        Some(owner) if kind == PrincipalKind::Bearer => (PrincipalKind::LoginUser, owner),
        Some(owner) => (kind, owner),
        None => of(kind, session.and_then(|session| session.root).unwrap_or(token)),
    }
}

/// The subject of the certificate that the client showed.
fn certificate(observation: &Observation, tokens: &mut Tokens) -> Option<(PrincipalKind, Chosen)> {
    let facts = observation.exchange.flow.tls.as_deref()?;
    let name = facts.client_certificate.as_ref()?.subject_name.as_deref()?;
    let token = tokens.token(Domain::Identity, name.as_bytes());
    let (rank, principal) = of(PrincipalKind::Certificate, token);
    Some((rank, Chosen { principal, by: KnownBy::Certificate }))
}
