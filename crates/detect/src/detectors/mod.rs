//! One file a detector.

mod account_farming;
mod account_takeover;
mod bot_timing;
mod brute_force;
mod credential_stuffing;
mod credentials_in_url;
mod denied_probes;
mod distributed_stuffing;
mod enumeration;
mod error_probing;
mod excessive_exposure;
mod foreign_objects;
mod function_level_access;
mod graphql_abuse;
mod injection;
mod jwt_faults;
mod mass_assignment;
mod missing_authentication;
mod object_guessing;
mod parameter_pollution;
mod reconnaissance;
mod refused_token;
mod resource_consumption;
mod smuggling;
mod ssrf;
mod token_in_two_places;
mod unauthenticated_probing;

use crate::DetectorInfo;
use crate::facts::is_person;
use tapwire_inventory::{Call, PrincipalKind};

/// Every detector. To add one: its file here, and its line.
pub static DETECTORS: &[DetectorInfo] = &[
    credentials_in_url::INFO,
    foreign_objects::INFO,
    enumeration::INFO,
    denied_probes::INFO,
    object_guessing::INFO,
    parameter_pollution::INFO,
    brute_force::INFO,
    credential_stuffing::INFO,
    distributed_stuffing::INFO,
    account_takeover::INFO,
    token_in_two_places::INFO,
    missing_authentication::INFO,
    unauthenticated_probing::INFO,
    refused_token::INFO,
    jwt_faults::INFO,
    mass_assignment::INFO,
    excessive_exposure::INFO,
    resource_consumption::INFO,
    graphql_abuse::INFO,
    function_level_access::INFO,
    account_farming::INFO,
    bot_timing::INFO,
    ssrf::INFO,
    injection::INFO,
    smuggling::INFO,
    reconnaissance::INFO,
    error_probing::INFO,
];

/// Whether a caller may be one that walks: a person's account, or a client without a name.
fn walks(call: &Call) -> bool {
    is_person(call) || call.principal.is_some_and(|principal| principal.kind == PrincipalKind::Network)
}

#[cfg(test)]
mod tests;
