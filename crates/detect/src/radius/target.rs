//! Whose calls are looked at.

use crate::Spread;
use crate::detectors::nature;
use crate::facts::is_named;
use crate::incidents::{Incident, QUIET};
use tapwire_inspect::Token;
use tapwire_inventory::{Call, EndpointId};
use tapwire_protocol::Uid;
use tapwire_wire::{Timestamp, site};

/// Logins at a place that many addresses attack belong to the attack from so long before it is found, in nanoseconds: the
/// detector looks back as far.
const BEFORE: i64 = 2 * 3_600 * 1_000_000_000;
/// And for so long behind the last finding.
const BEHIND: i64 = 1_800 * 1_000_000_000;
/// Probes that are spread over many callers are counted over so long at most.
const STRETCH: i64 = 3 * 3_600 * 1_000_000_000;

/// By what a call is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Its caller's name.
    Caller,
    /// It is a login at a place that is attacked.
    Login,
    /// It is at that place.
    Anybody,
    /// Its address.
    Address,
}

/// Whose calls are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Callers by name.
    pub callers: Vec<Token>,
    /// IPv4 addresses, and the first 64 bits of IPv6 addresses, for calls without a name.
    networks: Vec<u128>,
    /// Within that time.
    time: Option<(Timestamp, Timestamp)>,
    /// When logins belong to it, whoever makes them: many addresses are behind an incident at a place.
    pub logins: Option<(Timestamp, Timestamp)>,
    /// When every call at its endpoints belongs to it, where nothing tells whose are: probes of many callers.
    pub anybody: Option<(Timestamp, Timestamp)>,
    /// Exchanges that show the incident.
    shown: Vec<Uid>,
    /// Only these endpoints, where it is about an incident.
    pub endpoints: Option<Vec<EndpointId>>,
    /// When the first finding of the incident was.
    pub began: Option<Timestamp>,
    /// Whether the incident had more callers or addresses than it keeps.
    pub more: bool,
}

impl Target {
    /// One caller.
    pub fn caller(token: Token) -> Self {
        Self { callers: vec![token], ..Self::default() }
    }

    /// Who is behind an incident, at its endpoints. An address stands for calls without a name alone, where it had findings
    /// without one, and from four hours before the first to four hours behind the last of all findings.
    pub fn incident(incident: &Incident) -> Self {
        let (first, last) = (incident.first.time, incident.last);
        let is_spread = |over| incident.at_place && nature(incident.first.detector).spread == over;
        let (logins, anybody) = (is_spread(Spread::Logins), is_spread(Spread::Anybody));
        Self {
            callers: incident.callers.iter().map(|caller| caller.token).collect(),
            // Whoever has them is one of many.
            networks: if logins || anybody { Vec::new() } else { incident.networks.clone() },
            began: Some(first),
            time: Some((before(first, QUIET), behind(last, QUIET))),
            logins: logins.then(|| (before(first, BEFORE), behind(last, BEHIND))),
            anybody: anybody.then(|| (before(first, STRETCH), behind(last, STRETCH))),
            shown: incident.timeline.iter().map(|moment| moment.exchange).collect(),
            // Where there were more endpoints than are kept, all of them count.
            endpoints: (!incident.more_endpoints && !incident.endpoints.is_empty())
                .then(|| incident.endpoints.clone()),
            more: !anybody && (incident.more_callers || incident.more_networks && !logins),
        }
    }

    /// From when to when calls without a name belong to it by their address, where any do.
    pub fn unnamed(&self) -> Option<(Timestamp, Timestamp)> {
        self.time.filter(|_| !self.networks.is_empty())
    }

    /// By what a call is meant; `None`: it is not.
    pub(super) fn by(&self, call: &Call) -> Option<By> {
        let is_caller = || call.principal.is_some_and(|principal| self.callers.contains(&principal.token));
        let is_address = || {
            let address = call.caller.address.filter(|_| !is_named(call) && within(self.time, call));
            address.is_some_and(|address| self.networks.contains(&site(address.ip)))
        };
        match () {
            () if call.relations.login.is_some() && within(self.logins, call) && self.is_there(call) => {
                Some(By::Login)
            }
            () if within(self.anybody, call) && self.is_there(call) => Some(By::Anybody),
            () if is_caller() => Some(By::Caller),
            () if is_address() => Some(By::Address),
            () => None,
        }
    }

    /// Whether an exchange shows the incident.
    pub(super) fn shows(&self, exchange: Uid) -> bool {
        self.shown.contains(&exchange)
    }

    /// Whether a call goes to its endpoints.
    pub(super) fn is_there(&self, call: &Call) -> bool {
        let endpoints = self.endpoints.as_ref();
        endpoints.is_none_or(|all| call.endpoint.is_some_and(|endpoint| all.contains(&endpoint)))
    }
}

fn within(time: Option<(Timestamp, Timestamp)>, call: &Call) -> bool {
    let now = call.observation.exchange.started();
    time.is_some_and(|(from, to)| from <= now && now <= to)
}

const fn before(time: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_sub(nanos))
}

const fn behind(time: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(time.nanos().saturating_add(nanos))
}
