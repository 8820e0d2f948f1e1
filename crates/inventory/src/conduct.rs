//! How the calls of an endpoint came: encrypted or not, what proved who called, and through what.

use crate::endpoint::status;
use tapwire_inspect::{Credential, CredentialKind, Observation, Place};

/// Counts of how calls came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Conduct {
    /// Calls that were read out of TLS.
    pub encrypted: u64,
    /// Calls with a credential, or with a client's certificate.
    pub proven: u64,
    /// Of those, calls of which anybody who sees a log or the wire can use the credential: it stands in the URL; it is a
    /// password, as of Basic, and the call was not encrypted; it is a JSON Web Token that nothing signs, or without an end.
    pub careless: u64,
    /// Calls with a certificate and no credential that were answered with 2xx.
    pub certified: u64,
    /// Calls while gateways were named.
    pub gateway_known: u64,
    /// Of those, calls that came from a gateway, or went to one.
    pub through_gateway: u64,
}

impl Conduct {
    pub(crate) fn add(&mut self, observation: &Observation, through_gateway: Option<bool>) {
        let tls = observation.exchange.flow.tls.as_deref();
        let credentials = &observation.credentials;
        let certified = tls.is_some_and(|facts| facts.client_certificate.is_some());
        self.encrypted += u64::from(tls.is_some());
        self.proven += u64::from(certified || !credentials.is_empty());
        self.careless += u64::from(credentials.iter().any(|one| is_careless(one, tls.is_some())));
        if certified && credentials.is_empty() {
            self.certified += u64::from(matches!(status(observation), Some(200..=299)));
        }
        self.gateway_known += u64::from(through_gateway.is_some());
        self.through_gateway += u64::from(through_gateway == Some(true));
    }

    pub(crate) const fn absorb(&mut self, other: &Self) {
        // Every field, so that a new one is not forgotten.
        let Self { encrypted, proven, careless, certified, gateway_known, through_gateway } = other;
        self.encrypted += *encrypted;
        self.proven += *proven;
        self.careless += *careless;
        self.certified += *certified;
        self.gateway_known += *gateway_known;
        self.through_gateway += *through_gateway;
    }
}

fn is_careless(credential: &Credential, encrypted: bool) -> bool {
    let in_url = matches!(credential.place, Place::Path | Place::Query | Place::UserInfo);
    let in_clear = !encrypted && matches!(credential.kind, CredentialKind::Basic | CredentialKind::Password);
    let loose =
        credential.claims.as_ref().is_some_and(|claims| claims.is_unsigned() || claims.expires.is_none());
    in_url || in_clear || loose
}
