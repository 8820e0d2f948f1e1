//! What an endpoint is beside being one: documented or not, left behind, not meant for production, new.

use crate::openapi::Documented;
use crate::{Endpoint, EndpointId, Inventory};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
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

/// What the states of endpoints are found by, at one moment. Those of one are found when they are asked for, so that no call waits for all.
#[derive(Debug, Default)]
pub struct States {
    latest: Timestamp,
    /// Services with a description.
    described: BTreeSet<Arc<str>>,
    /// The latest version that answers, by [place](versioned).
    newest: BTreeMap<u64, Vec<u32>>,
}

/// The states of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateSet(u8);

impl StateSet {
    /// Whether that is one of them.
    pub const fn contains(self, state: State) -> bool {
        self.0 & (1 << state as u8) != 0
    }

    /// In the order of [`State::ALL`].
    pub fn iter(self) -> impl Iterator<Item = State> {
        State::ALL.into_iter().filter(move |state| self.contains(*state))
    }

    /// One more, where it holds.
    const fn and(self, state: State, holds: bool) -> Self {
        Self(self.0 | ((holds as u8) << state as u8))
    }
}

impl States {
    pub(crate) fn new(inventory: &Inventory) -> Self {
        let latest = inventory.services().map(|service| service.last_seen).max().unwrap_or(Timestamp::MIN);
        let mut newest: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        // In no order: sorting 100,000 endpoints takes longer than a call should wait.
        for (place, version) in inventory.endpoints.iter().filter(|one| answers(one)).filter_map(versioned) {
            let best = newest.entry(place).or_default();
            *best = version.max(std::mem::take(best));
        }
        Self { latest, described: inventory.described_services(), newest }
    }

    /// Those of an endpoint.
    pub fn of(&self, inventory: &Inventory, endpoint: &Endpoint) -> StateSet {
        let service = inventory.service_named(&endpoint.service);
        let since = service.map_or(self.latest, |service| service.first_seen);
        let is_deprecated = || inventory.documented(endpoint).is_some_and(|operation| operation.deprecated);
        StateSet::default()
            .and(documentation(endpoint, self.described.contains(&endpoint.service)), true)
            .and(State::Zombie, answers(endpoint) && (self.is_superseded(endpoint) || is_deprecated()))
            .and(State::Dormant, nanos(self.latest, endpoint.last_seen) > DORMANT_AFTER)
            .and(State::NonProduction, is_non_production(endpoint))
            .and(State::New, is_new(endpoint, since, self.latest))
    }

    fn is_superseded(&self, endpoint: &Endpoint) -> bool {
        versioned(endpoint)
            .is_some_and(|(place, version)| self.newest.get(&place).is_some_and(|best| version < *best))
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
    // By bytes, which takes a third of the time: it is asked of all endpoints.
    let is_word =
        |word: &[u8]| NON_PRODUCTION.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
    let host = endpoint.service.split(':').next().unwrap_or_default();
    // The last label is a top-level domain, and `.test` one for tests of names (RFC 6761).
    let labels = host.rsplit_once('.').map_or(host, |(labels, _)| labels).as_bytes();
    let segments = || endpoint.template.as_bytes().split(|byte| *byte == b'/').skip(1);
    labels.split(|byte| b".-_".contains(byte)).any(is_word) || segments().take(2).any(is_word)
}

/// Place and version of an endpoint with a version among its first segments. The place is a hash of all but the version, which is the same
/// for what supersedes it.
fn versioned(endpoint: &Endpoint) -> Option<(u64, Vec<u32>)> {
    // Most templates have no digit, and are not looked at closer.
    endpoint.template.bytes().find(u8::is_ascii_digit)?;
    let segments = || endpoint.template.split('/').skip(1).enumerate();
    let is_version = |(index, segment): &(usize, &str)| {
        SegmentKind::of(segment.as_bytes(), *index) == SegmentKind::Version
    };
    let (at, version) = segments().find(is_version)?;
    let mut place = DefaultHasher::new();
    (&endpoint.service, &endpoint.method).hash(&mut place);
    for (index, segment) in segments() {
        match segment {
            _ if index == at => None,
            // However the parameter is called there.
            parameter if parameter.starts_with('{') => Some("{}"),
            word => Some(word),
        }
        .hash(&mut place);
    }
    let numbers = version.trim_start_matches(['v', 'V']).split(['.', '-']);
    Some((place.finish(), numbers.filter_map(|number| number.parse().ok()).collect()))
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
