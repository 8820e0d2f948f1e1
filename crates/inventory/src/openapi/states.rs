//! What an endpoint is beside being one: documented or not, left behind, not meant for production, new.

use crate::openapi::Documented;
use crate::{Endpoint, EndpointId, Inventory};
use std::collections::BTreeMap;
use std::sync::Arc;
use tapwire_inspect::SegmentKind;
use tapwire_wire::Timestamp;

const DAY: u64 = 86_400_000_000_000;
/// An endpoint that nobody called for so long, while others were, is dormant.
const DORMANT_AFTER: u64 = 30 * DAY;
/// What came up within this, on a service that was known before, is new.
const NEW_FOR: u64 = 7 * DAY;
/// On a service that is known for less, everything is new, which says nothing.
const LEARNING: u64 = DAY;

/// Words that stand in the names of hosts, and in front in paths, of what is not production.
const NON_PRODUCTION: &[&str] = &[
    "acc",
    "acceptance",
    "demo",
    "dev",
    "devel",
    "development",
    "int",
    "mock",
    "nonprod",
    "preprod",
    "preview",
    "qa",
    "sandbox",
    "sit",
    "stage",
    "staging",
    "stg",
    "test",
    "testing",
    "tst",
    "uat",
];

/// A state of an endpoint. It may be in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A description that was given has it.
    Documented,
    /// Nothing describes it, and nothing describes its service.
    Undocumented,
    /// Its service is described, and it is not.
    Shadow,
    /// Deprecated, or another version is called beside it, and it still answers.
    Zombie,
    /// Described, and never seen.
    Orphan,
    /// Not called for 30 days.
    Dormant,
    /// Its host or path says that it is not production.
    NonProduction,
    /// Seen for the first time within 7 days, on a service that was known for a day by then.
    New,
}

impl State {
    /// Every state, as lists show them.
    pub const ALL: [Self; 8] = [
        Self::Documented,
        Self::Undocumented,
        Self::Shadow,
        Self::Zombie,
        Self::Orphan,
        Self::Dormant,
        Self::NonProduction,
        Self::New,
    ];

    /// As events and lists spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Undocumented => "undocumented",
            Self::Shadow => "shadow",
            Self::Zombie => "zombie",
            Self::Orphan => "orphan",
            Self::Dormant => "dormant",
            Self::NonProduction => "non-production",
            Self::New => "new",
        }
    }
}

/// An operation that is described and was never seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The id it would have as an endpoint.
    pub id: EndpointId,
    /// The service it is described for.
    pub service: Arc<str>,
    /// In capitals.
    pub method: Box<str>,
    /// With the base path.
    pub template: Arc<str>,
    /// Where it is described.
    pub documented: Documented,
}

impl Orphan {
    /// Its states.
    pub const fn states(&self) -> [State; 2] {
        [State::Documented, State::Orphan]
    }
}

/// Version and place of a versioned endpoint: all but the version is the same for what supersedes it.
type Versioned<'a> = ((&'a str, &'a str, String), Vec<u32>);

/// The states of every endpoint.
#[derive(Debug, Default)]
pub struct States {
    of: BTreeMap<EndpointId, Vec<State>>,
}

impl States {
    /// Those of one endpoint, in the order of [`State::ALL`].
    pub fn of(&self, id: EndpointId) -> &[State] {
        self.of.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn new(inventory: &Inventory) -> Self {
        let latest = inventory.services().map(|service| service.last_seen).max().unwrap_or(Timestamp::MIN);
        let known: BTreeMap<&str, (bool, Timestamp)> = inventory
            .services()
            .map(|service| (&*service.name, (inventory.is_described(&service.name), service.first_seen)))
            .collect();
        let mut newest: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        // In no order: sorting 100,000 endpoints takes longer than a call should wait.
        for (place, version) in inventory.endpoints.iter().filter(|one| answers(one)).filter_map(versioned) {
            let best = newest.entry(place).or_default();
            *best = version.max(std::mem::take(best));
        }
        let mut states = Self::default();
        for endpoint in inventory.endpoints.iter() {
            let (described, since) = known.get(&*endpoint.service).copied().unwrap_or((false, latest));
            let superseded = versioned(endpoint)
                .is_some_and(|(place, version)| newest.get(&place).is_some_and(|best| version < *best));
            let mut mine = vec![documentation(endpoint, described)];
            let deprecated = inventory.documented(endpoint).is_some_and(|operation| operation.deprecated);
            let all = [
                (State::Zombie, (deprecated || superseded) && answers(endpoint)),
                (State::Dormant, nanos(latest, endpoint.last_seen) > DORMANT_AFTER),
                (State::NonProduction, is_non_production(endpoint)),
                (State::New, is_new(endpoint, since, latest)),
            ];
            mine.extend(all.into_iter().filter(|(_, is)| *is).map(|(state, _)| state));
            states.of.insert(endpoint.id, mine);
        }
        states
    }
}

fn documentation(endpoint: &Endpoint, described: bool) -> State {
    let has_operation = endpoint.documented.is_some_and(|documented| documented.operation.is_some());
    match (described, has_operation) {
        (true, true) => State::Documented,
        (true, false) => State::Shadow,
        (false, _) => State::Undocumented,
    }
}

/// Whether something is there: a refusal or an error alone says that nothing is.
fn answers(endpoint: &Endpoint) -> bool {
    let [_, ok, redirected, ..] = endpoint.status.classes;
    ok + redirected > 0
}

fn is_new(endpoint: &Endpoint, since: Timestamp, latest: Timestamp) -> bool {
    nanos(endpoint.first_seen, since) > LEARNING && nanos(latest, endpoint.first_seen) < NEW_FOR
}

/// From the second to the first; 0 where that is backwards.
fn nanos(later: Timestamp, earlier: Timestamp) -> u64 {
    u64::try_from(later.nanos().saturating_sub(earlier.nanos())).unwrap_or(0)
}

fn is_non_production(endpoint: &Endpoint) -> bool {
    let is_word = |word: &str| NON_PRODUCTION.contains(&word.to_ascii_lowercase().as_str());
    let host = endpoint.service.split(':').next().unwrap_or_default();
    // The last label is a top-level domain, and `.test` one for tests of names (RFC 6761).
    let labels = host.rsplit_once('.').map_or(host, |(labels, _)| labels);
    labels.split(['.', '-', '_']).any(is_word) || endpoint.template.split('/').skip(1).take(2).any(is_word)
}

/// Version and place of an endpoint with a version among its first segments.
fn versioned(endpoint: &Endpoint) -> Option<Versioned<'_>> {
    let mut version = None;
    let mut place = String::new();
    for (index, segment) in endpoint.template.split('/').skip(1).enumerate() {
        place.push('/');
        if version.is_none() && SegmentKind::of(segment.as_bytes(), index) == SegmentKind::Version {
            let numbers = segment.trim_start_matches(['v', 'V']).split(['.', '-']);
            version = Some(numbers.filter_map(|number| number.parse().ok()).collect::<Vec<u32>>());
        } else if segment.starts_with('{') {
            // However the parameter is called there.
            place.push_str("{}");
        } else {
            place.push_str(segment);
        }
    }
    Some(((&endpoint.service, &endpoint.method, place), version?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(service: &str, template: &str) -> Endpoint {
        Endpoint::new(EndpointId(1), service.into(), "GET".into(), template.into())
    }

    #[test]
    fn non_production_is_told_by_whole_words() {
        for (service, template, expected) in [
            ("api-staging.shop.example", "/orders", true),
            ("dev.shop.example:8080", "/orders", true),
            ("shop.example", "/sandbox/v1/orders", true),
            ("shop.test", "/orders", false),
            ("developers.example", "/orders", false),
            ("shop.example", "/v1/orders/test/results", false),
            ("shop.example", "/tests/{testId}", false),
        ] {
            assert_eq!(is_non_production(&endpoint(service, template)), expected, "{service}{template}");
        }
    }

    #[test]
    fn versions_are_compared_by_number_wherever_the_parameters_are_called_otherwise() {
        let (old, new) = (endpoint("a", "/api/v2/orders/{orderId}"), endpoint("a", "/api/v10/orders/{id}"));
        let (old, new) = (versioned(&old).unwrap(), versioned(&new).unwrap());
        assert_eq!(old.0, new.0);
        assert!(old.1 < new.1);
        assert!(versioned(&endpoint("a", "/orders/{orderId}")).is_none());
    }

    #[test]
    fn only_what_answers_is_left_behind() {
        let mut one = endpoint("a", "/v1/orders");
        one.status.classes[3] = 5;
        assert!(!answers(&one));
        one.status.classes[1] = 1;
        assert!(answers(&one));
    }
}
