//! What an endpoint is.

use super::{Factor, Reason, Score, share};
use crate::context::Side;
use crate::openapi::{State, StateSet};
use crate::{Carried, Endpoint, Inventory};
use tapwire_inspect::classes::Sensitivity;

const fn factor(name: &'static str, most: u8, meaning: &'static str) -> Factor {
    Factor { name, score: Score::Exposure, most, meaning }
}

pub(super) static PUBLIC: Factor = factor("public-callers", 25, "calls came from public networks");
pub(super) static PARTNER: Factor =
    factor("partner-callers", 10, "calls came from partners' networks, and none from public ones");
pub(super) static OPEN: Factor = factor(
    "unauthenticated",
    20,
    "calls without credentials were answered with 2xx: the share of all calls answered so, of 20 points",
);
pub(super) static SENSITIVE: Factor = factor(
    "sensitive-data",
    25,
    "answers carry a data class: 25 critical, 20 high, 12 medium, 4 low; half of it where only requests do; credentials do not count",
);
pub(super) static OPEN_SENSITIVE: Factor = factor(
    "unauthenticated-sensitive",
    10,
    "answers carry a data class of medium sensitivity or more, and calls without credentials got them",
);
pub(super) static SHADOW: Factor = factor("shadow", 10, "its service is described, and it is not");
pub(super) static UNDOCUMENTED: Factor = factor("undocumented", 3, "no description of its service was given");
pub(super) static ZOMBIE: Factor =
    factor("zombie", 10, "it is deprecated, or another version is called beside it, and it still answers");
pub(super) static NON_PRODUCTION: Factor =
    factor("non-production", 5, "its host or path says that it is not production");
pub(super) static CLEAR_TEXT: Factor = factor(
    "clear-text",
    10,
    "calls came without TLS, as far as the sensor sees: 10 where some are from public networks, 3 elsewhere",
);
pub(super) static WRITES: Factor =
    factor("writes", 5, "its method changes something: POST, PUT, PATCH, DELETE");
pub(super) static PRIVILEGED: Factor = factor(
    "privileged-path",
    10,
    "its path has a word of administration or of debugging, such as admin or actuator",
);

/// Words of paths behind which administration, debugging and the insides of servers are.
const PRIVILEGED_WORDS: &[&str] = &[
    "_debug",
    "_internal",
    "actuator",
    "admin",
    "administration",
    "administrator",
    "backoffice",
    "console",
    "debug",
    "diagnostics",
    "env",
    "graphiql",
    "heapdump",
    "internal",
    "jmx",
    "jolokia",
    "manage",
    "management",
    "metrics",
    "phpinfo",
    "pprof",
    "root",
    "superuser",
    "swagger",
    "swagger-ui",
    "sysadmin",
    "threaddump",
    "trace",
];

/// What speaks for its exposure.
pub(super) fn reasons(inventory: &Inventory, endpoint: &Endpoint, states: StateSet) -> Vec<Reason> {
    let carried: Vec<Carried> =
        endpoint.data_classes().into_iter().filter(|carried| !carried.is_credential()).collect();
    let mut reasons = Vec::new();
    reasons.extend(callers(endpoint));
    reasons.extend(open(endpoint));
    reasons.extend(sensitive(inventory, &carried));
    reasons.extend(open_sensitive(endpoint, &carried));
    reasons.extend(states.iter().filter_map(of_state));
    reasons.extend(clear_text(endpoint));
    reasons.extend(writes(endpoint));
    reasons.extend(privileged(endpoint));
    reasons
}

const fn reason(factor: &'static Factor, points: u8, seen: String) -> Reason {
    Reason { factor, points, seen }
}

fn callers(endpoint: &Endpoint) -> Option<Reason> {
    let clients = &endpoint.usage.clients;
    let (public, partner) = (clients.of(Side::Public), clients.of(Side::Partner));
    match (public, partner) {
        (0, 0) => None,
        (0, _) => Some(reason(&PARTNER, PARTNER.most, format!("{partner} of {} calls", endpoint.calls))),
        _ => Some(reason(&PUBLIC, PUBLIC.most, format!("{public} of {} calls", endpoint.calls))),
    }
}

fn open(endpoint: &Endpoint) -> Option<Reason> {
    let [_, ok, ..] = endpoint.status.classes;
    let open = endpoint.open();
    (open > 0).then(|| {
        reason(
            &OPEN,
            share(&OPEN, open, ok),
            format!("{open} of {ok} answers 2xx went to calls without credentials"),
        )
    })
}

fn sensitive(inventory: &Inventory, carried: &[Carried]) -> Option<Reason> {
    let points = |carried: &Carried| {
        let points = match carried.sensitivity() {
            Sensitivity::Critical => SENSITIVE.most,
            Sensitivity::High => 20,
            Sensitivity::Medium => 12,
            Sensitivity::Low => 4,
        };
        if carried.in_answers > 0 { points } else { points / 2 }
    };
    let most = carried.iter().map(points).max()?;
    let mut worst: Vec<&Carried> = carried.iter().collect();
    worst.sort_by_key(|carried| std::cmp::Reverse(points(carried)));
    let told = worst.iter().map(|carried| {
        let place = if carried.in_answers > 0 { "answers" } else { "requests" };
        format!("{} in {place} ({})", inventory.class_name(carried.class), carried.sensitivity().name())
    });
    let mut seen = told.clone().take(4).collect::<Vec<_>>().join(", ");
    if worst.len() > 4 {
        seen.push_str(&format!(" and {} more", worst.len() - 4));
    }
    Some(reason(&SENSITIVE, most, seen))
}

fn open_sensitive(endpoint: &Endpoint, carried: &[Carried]) -> Option<Reason> {
    let is_bad = |one: &&Carried| one.in_answers > 0 && one.sensitivity() >= Sensitivity::Medium;
    let classes = carried.iter().filter(is_bad).count();
    (classes > 0 && endpoint.open() > 0).then(|| {
        let seen = format!("{classes} such data classes, {} answers without credentials", endpoint.open());
        reason(&OPEN_SENSITIVE, OPEN_SENSITIVE.most, seen)
    })
}

fn of_state(state: State) -> Option<Reason> {
    let factor = match state {
        State::Shadow => &SHADOW,
        State::Undocumented => &UNDOCUMENTED,
        State::Zombie => &ZOMBIE,
        State::NonProduction => &NON_PRODUCTION,
        State::Documented | State::Orphan | State::Dormant | State::New => return None,
    };
    Some(reason(factor, factor.most, state.name().to_owned()))
}

fn clear_text(endpoint: &Endpoint) -> Option<Reason> {
    let clear = endpoint.clear();
    let public = endpoint.usage.clients.of(Side::Public) > 0;
    let points = if public { CLEAR_TEXT.most } else { 3 };
    (clear > 0).then(|| reason(&CLEAR_TEXT, points, format!("{clear} of {} calls", endpoint.calls)))
}

fn writes(endpoint: &Endpoint) -> Option<Reason> {
    // With one path for all, the method says nothing; nor does it where a query may be POSTed.
    let is_write = matches!(&*endpoint.method, "POST" | "PUT" | "PATCH" | "DELETE");
    let is_query = endpoint.operation.as_deref().is_some_and(|operation| operation.starts_with("query"));
    (is_write && !is_query).then(|| reason(&WRITES, WRITES.most, endpoint.method.to_string()))
}

fn privileged(endpoint: &Endpoint) -> Option<Reason> {
    let word = endpoint.template.split('/').find_map(|segment| {
        let segment = segment.to_ascii_lowercase();
        PRIVILEGED_WORDS.iter().find(|word| **word == segment)
    });
    word.map(|word| reason(&PRIVILEGED, PRIVILEGED.most, format!("'{word}'")))
}
