//! One file a detector.

mod account_farming;
mod account_takeover;
mod bot_timing;
mod brute_force;
mod cors;
mod credential_stuffing;
mod credentials_in_url;
mod denied_probes;
mod directory_listing;
mod disruption;
mod distributed_probing;
mod distributed_stuffing;
mod enumeration;
mod error_probing;
mod excessive_exposure;
mod exfiltration;
mod expired_token;
mod flow_skipping;
mod foreign_objects;
mod foreign_token;
mod function_level_access;
mod graphql_abuse;
mod injection;
mod jwt_faults;
mod limit_ignored;
mod logged_out_token;
mod mass_assignment;
mod method_probing;
mod method_swap;
mod missing_authentication;
mod new_sensitive_data;
mod object_guessing;
mod parameter_pollution;
mod port_scan;
mod prompt_injection;
mod property_level_access;
mod reconnaissance;
mod refused_token;
mod resource_consumption;
mod slow_requests;
mod smuggling;
mod ssrf;
mod syn_flood;
mod token_in_two_places;
mod tool_drift;
mod unauthenticated_probing;
mod unusual_usage;
mod user_enumeration;

use crate::DetectorInfo;
use crate::detector::Nature;
use crate::facts::is_person;
use tapwire_inventory::{Call, PrincipalKind};

/// Every detector. To add one: its file here, and its line.
pub static DETECTORS: &[DetectorInfo] = &[
    credentials_in_url::INFO,
    foreign_objects::INFO,
    enumeration::INFO,
    denied_probes::INFO,
    object_guessing::INFO,
    distributed_probing::INFO,
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
    foreign_token::INFO,
    logged_out_token::INFO,
    expired_token::INFO,
    user_enumeration::INFO,
    mass_assignment::INFO,
    excessive_exposure::INFO,
    property_level_access::INFO,
    resource_consumption::INFO,
    graphql_abuse::INFO,
    function_level_access::INFO,
    method_swap::INFO,
    flow_skipping::INFO,
    exfiltration::INFO,
    account_farming::INFO,
    bot_timing::INFO,
    ssrf::INFO,
    injection::INFO,
    smuggling::INFO,
    reconnaissance::INFO,
    port_scan::INFO,
    error_probing::INFO,
    method_probing::INFO,
    directory_listing::INFO,
    cors::INFO,
    slow_requests::INFO,
    limit_ignored::INFO,
    disruption::INFO,
    syn_flood::INFO,
    new_sensitive_data::INFO,
    tool_drift::INFO,
    prompt_injection::INFO,
    unusual_usage::INFO,
];

/// Of the detector, or the rule, of that name.
pub(crate) fn nature(name: &str) -> Nature {
    DETECTORS.iter().find(|detector| detector.name == name).map_or(Nature::USUAL, |detector| detector.nature)
}

/// Whether a caller may be one that walks: a person's account, or a client without a name.
fn walks(call: &Call) -> bool {
    is_person(call) || call.principal.is_some_and(|principal| principal.kind == PrincipalKind::Network)
}

#[cfg(test)]
mod tests;
