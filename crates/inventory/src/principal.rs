//! Who calls: the strongest name that a request gives its caller.

use crate::{Principal, PrincipalKind};
use tapwire_inspect::{Credential, CredentialKind, Domain, Observation, Tokens};

/// Chooses the principal. Credentials of one kind count in the order they stand in the request; a password in a body
/// names who logs in, which is not yet who calls.
pub(crate) fn principal(observation: &Observation, tokens: &mut Tokens) -> Option<Principal> {
    let head = observation.exchange.request_head()?;
    let strongest = observation.credentials.iter().filter_map(named).min_by_key(|principal| principal.kind);
    Some(strongest.unwrap_or_else(|| {
        let user_agent = head.header(b"user-agent").map_or(&b""[..], |value| value.bytes());
        let mut text = Vec::with_capacity(user_agent.len() + 16);
        text.extend_from_slice(observation.exchange.flow.client().octets());
        text.extend_from_slice(user_agent);
        Principal { kind: PrincipalKind::Network, token: tokens.token(Domain::Identity, &text) }
    }))
}

fn named(credential: &Credential) -> Option<Principal> {
    let (kind, token) = match (credential.kind, credential.identity) {
        (CredentialKind::Jwt, Some(identity)) => (PrincipalKind::JwtSubject, identity),
        (CredentialKind::Basic, Some(identity)) => (PrincipalKind::BasicUser, identity),
        (CredentialKind::ApiKey, _) => (PrincipalKind::ApiKey, credential.token),
        (CredentialKind::Cookie, _) => (PrincipalKind::Session, credential.token),
        (CredentialKind::Bearer | CredentialKind::Jwt | CredentialKind::Other, _) => {
            (PrincipalKind::Bearer, credential.token)
        }
        (CredentialKind::Basic | CredentialKind::Password, _) => return None,
    };
    Some(Principal { kind, token })
}
