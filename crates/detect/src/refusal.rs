//! How a service says no: by its status, and in the answers of styles that keep 200 for everything.

use crate::detector::Case;
use tapwire_inspect::Fact;
use tapwire_inventory::Call;

/// What a refusal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not for this caller.
    Denied,
    /// There is no such thing.
    Missing,
}

/// Whether and how a call was refused. Codes of GraphQL are those that its servers and clients agree on; those of gRPC stand in
/// its list of status codes.
pub(crate) fn refusal(call: &Call) -> Option<Refusal> {
    match crate::facts::status(call)? {
        401 | 403 | 405 => Some(Refusal::Denied),
        404 | 410 => Some(Refusal::Missing),
        200 => call.observation.said.as_deref().filter(|said| said.failed).and_then(|said| {
            let code = match (said.fact("graphql", "error_codes"), said.fact("grpc", "status_name")) {
                (Some(Fact::List(codes)), _) => codes.iter().find_map(|code| match code {
                    Fact::Name(name) => Some(name.as_str()),
                    _ => None,
                }),
                (_, Some(Fact::Own(name))) => Some(*name),
                _ => None,
            };
            of_code(code?)
        }),
        _ => None,
    }
}

fn of_code(code: &str) -> Option<Refusal> {
    let plain: String = code.chars().filter(char::is_ascii_alphabetic).collect();
    match plain.to_ascii_uppercase().as_str() {
        "FORBIDDEN" | "UNAUTHENTICATED" | "UNAUTHORIZED" | "PERMISSIONDENIED" | "ACCESSDENIED" => {
            Some(Refusal::Denied)
        }
        "NOTFOUND" => Some(Refusal::Missing),
        _ => None,
    }
}

/// Calls of others that say whether they miss.
const KNOWN: u64 = 20;

/// Whether others miss there, too, besides so many misses of who asks: pictures that people have not uploaded, objects that were
/// deleted. Where little is known of others, or nothing was found yet, nobody is to blame.
pub(crate) fn others_miss(case: &Case<'_>, wrong: u64) -> bool {
    let Some(endpoint) = case.endpoint else { return true };
    let [_, good, _, bad, _] = endpoint.status.classes;
    let bad = bad.saturating_sub(wrong);
    bad * 2 > good || good + bad < KNOWN || endpoint.callers.count().0 < 2
}

/// Whether it was answered as asked for, in every style.
pub(crate) fn is_given(call: &Call) -> bool {
    crate::facts::is_ok(call) && !call.observation.failed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_styles_say_no() {
        for (code, refusal) in [
            ("FORBIDDEN", Some(Refusal::Denied)),
            ("PERMISSION_DENIED", Some(Refusal::Denied)),
            ("NotFound", Some(Refusal::Missing)),
            ("GRAPHQL_VALIDATION_FAILED", None),
        ] {
            assert_eq!(of_code(code), refusal, "{code}");
        }
    }
}
