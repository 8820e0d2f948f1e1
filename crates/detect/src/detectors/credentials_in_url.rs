//! Credentials in the URL: they end up in logs, histories and Referer headers.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, Spread, StateKind};
use crate::tally::times;
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::{Credential, CredentialKind, Place};
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "credentials-in-url",
    title: "Credentials in the URL",
    summary: "A request carried a credential in its URL: in the query, in a path parameter or as user information. URLs are \
              written to the logs of every server and proxy on the way, kept in histories and told to other sites in \
              Referer headers, so whoever reads one of these can use the credential. One finding per service, endpoint \
              and parameter; another one when a credential is accepted where earlier ones were not.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-598",
    attack: ("T1552", "Unsecured Credentials"),
    severity: "High for passwords, tokens and sessions, Medium for API keys, when the answer is 2xx or 3xx; one step less when no \
               answer was seen or it does not tell, Low when it was refused (401, 403)",
    scope: Scope::Endpoint,
    warm_up: "none: one request is enough",
    next_steps: &[
        "Send the credential in the Authorization header, and refuse it in the URL.",
        "Revoke the credentials that were seen: they stand in logs by now.",
        "Remove query strings from access logs, or mask the parameter there.",
    ],
    unjudged: "no request with a visible URL was seen",
    needs: Needs::NOTHING,
    nature: Nature { spread: Spread::Place, of_the_service: true, ..Nature::USUAL },
    judges: |call| call.observation.path.is_some(),
    concerns: |call| call.observation.credentials.iter().any(in_url),
    state: StateKind::of::<CredentialsInUrl>(),
};

/// Parameters remembered of one endpoint; a client that invents more is not reported for them.
const MAX_PARAMETERS: usize = 16;
/// Bytes of a parameter's name in a reason.
const MAX_NAME: usize = 32;

/// Which parameters of one endpoint were reported.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct CredentialsInUrl {
    reported: Vec<Reported>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Reported {
    place: Place,
    name: String,
    outcome: Outcome,
    /// Requests that carried it.
    seen: u64,
}

impl Detector for CredentialsInUrl {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let outcome = outcome(case.call);
        for credential in case.call.observation.credentials.iter().filter(|credential| in_url(credential)) {
            let name = name(case.call, credential);
            if let Some(seen) = self.rises(credential.place, &name, outcome) {
                let about = format!("{:?} {name}", credential.place);
                let severity = severity(credential.kind, outcome);
                let reason = reason(case, credential, &name, seen);
                out.push(case.finding(about.as_bytes(), severity, outcome, confidence(outcome), reason));
            }
        }
    }
}

impl CredentialsInUrl {
    /// Counts the parameter, and says how often it was seen when it is new, or accepted for the first time.
    fn rises(&mut self, place: Place, name: &str, outcome: Outcome) -> Option<u64> {
        if let Some(known) = self.reported.iter_mut().find(|known| known.place == place && known.name == name)
        {
            known.seen += 1;
            let rises = accepted(outcome) && !accepted(known.outcome);
            if rises {
                known.outcome = outcome;
            }
            return rises.then_some(known.seen);
        }
        if self.reported.len() >= MAX_PARAMETERS {
            return None;
        }
        self.reported.push(Reported { place, name: name.to_owned(), outcome, seen: 1 });
        Some(1)
    }
}

const fn in_url(credential: &Credential) -> bool {
    matches!(credential.place, Place::Query | Place::UserInfo | Place::Path)
}

/// Whether the server took the credential, as its answer says. A redirection may also lead to a login page.
fn outcome(call: &Call) -> Outcome {
    match call.observation.exchange.response.as_ref().and_then(|response| response.head.status) {
        Some(200..=299) => Outcome::Confirmed,
        Some(300..=399) => Outcome::Likely,
        Some(401 | 403) => Outcome::NoEffect,
        _ => Outcome::Attempted,
    }
}

const fn accepted(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Confirmed | Outcome::Likely)
}

const fn severity(kind: CredentialKind, outcome: Outcome) -> Severity {
    match (kind, outcome) {
        (_, Outcome::NoEffect | Outcome::Blocked) => Severity::Low,
        (CredentialKind::ApiKey, Outcome::Attempted) => Severity::Low,
        (CredentialKind::ApiKey, _) | (_, Outcome::Attempted) => Severity::Medium,
        _ => Severity::High,
    }
}

/// A name says what a value is; an answer says that it was one.
const fn confidence(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Confirmed => 90,
        Outcome::Likely => 80,
        _ => 70,
    }
}

/// The parameter's name, lower-case. Only names that the inspector knows come here; bytes that a name should not have are
/// left out all the same, for reasons are read by people.
fn name(call: &Call, credential: &Credential) -> String {
    let head = call.observation.exchange.request.as_deref().map(|request| &request.head);
    let Some((head, range)) = head.zip(credential.name) else { return "user information".to_owned() };
    let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let letters = head.slice(range).bytes().iter().filter(plain).take(MAX_NAME);
    letters.map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// One sentence: what was seen, what was expected, how often, out of how many.
fn reason(case: &Case<'_>, credential: &Credential, name: &str, seen: u64) -> String {
    let observation = &case.call.observation;
    let response = observation.exchange.response.as_ref().and_then(|response| response.head.status);
    let answer =
        response.map_or("whose answer was not seen".to_owned(), |status| format!("answered {status}"));
    let what = match credential.kind {
        CredentialKind::Bearer => "a bearer token",
        CredentialKind::Jwt => "a JSON Web Token",
        CredentialKind::Basic => "a user name with password",
        CredentialKind::ApiKey => "an API key",
        CredentialKind::Cookie => "a session identifier",
        CredentialKind::Password => "a password or client secret",
        CredentialKind::Other => "a credential",
    };
    let place = match credential.place {
        Place::Query => format!("Query parameter `{name}`"),
        Place::Path => format!("Path parameter `{name}`"),
        _ => "The user information".to_owned(),
    };
    let template = case.call.template.as_deref().unwrap_or("/");
    format!(
        "{place} of {template} carried {what} in a request {answer}: seen {}, expected none, among {} \
         with a visible URL so far.",
        times(seen, "time"),
        times(case.judged, "request"),
    )
}

#[cfg(test)]
mod tests;
