//! How callers of an endpoint proved who they are: under which names, and whether some did not.

use crate::endpoint::status;
use tapwire_inspect::{CredentialKind, Observation, Place};

/// Ways to prove who calls, kept of one endpoint.
const MAX_PROOFS: usize = 6;
/// A longer name is noise.
const MAX_NAME: usize = 96;

/// How and where callers proved who they are.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Proof {
    /// What it is.
    pub kind: CredentialKind,
    /// Where it stands.
    pub place: Place,
    /// The name of its header, parameter or cookie, as it was sent first; empty where it has none.
    pub name: Box<str>,
}

/// The proofs that the calls of one endpoint carried.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Proofs {
    all: Vec<Proof>,
    /// Calls without credential that were answered with 2xx.
    pub open: u64,
}

impl Proofs {
    /// Each way once, in the order they came; at most six.
    pub fn iter(&self) -> impl Iterator<Item = &Proof> {
        self.all.iter()
    }

    pub(crate) fn add(&mut self, observation: &Observation) {
        if observation.credentials.is_empty() {
            self.open += u64::from(matches!(status(observation), Some(200..=299)));
        }
        let request = observation.exchange.request_head();
        for credential in &observation.credentials {
            let named = credential.name.zip(request).map(|(name, head)| head.slice(name).bytes());
            self.prove(credential.kind, credential.place, named.unwrap_or_default());
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.open += other.open;
        other.all.iter().for_each(|proof| self.prove(proof.kind, proof.place, proof.name.as_bytes()));
    }

    fn prove(&mut self, kind: CredentialKind, place: Place, name: &[u8]) {
        let name = name.get(..MAX_NAME).unwrap_or(name);
        let same = |known: &Proof| {
            known.kind == kind && known.place == place && known.name.as_bytes().eq_ignore_ascii_case(name)
        };
        if self.all.len() >= MAX_PROOFS || self.all.iter().any(same) {
            return;
        }
        if let Ok(name) = std::str::from_utf8(name) {
            self.all.push(Proof { kind, place, name: name.into() });
        }
    }
}
