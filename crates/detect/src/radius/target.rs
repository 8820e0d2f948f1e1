//! Whose calls are looked at.

use crate::facts::is_named;
use crate::incidents::{Incident, QUIET, network};
use tapwire_inspect::Token;
use tapwire_inventory::{Call, EndpointId, Tried};
use tapwire_wire::Timestamp;

/// Logins at a place that many addresses attack belong to the attack from so long before it is found, in nanoseconds: the
/// detector looks back as far.
const BEFORE: i64 = 2 * 3_600 * 1_000_000_000;
/// And for so long behind the last finding.
const BEHIND: i64 = 1_800 * 1_000_000_000;

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
        let is_place = incident.at_place;
        Self {
            callers: incident.callers.iter().map(|caller| caller.token).collect(),
            networks: incident.networks.clone(),
            began: Some(first),
            time: Some((before(first, QUIET), behind(last, QUIET))),
            logins: is_place.then(|| (before(first, BEFORE), behind(last, BEHIND))),
            // Where there were more endpoints than are kept, all of them count.
            endpoints: (!incident.more_endpoints && !incident.endpoints.is_empty())
                .then(|| incident.endpoints.clone()),
            more: incident.more_callers || incident.more_networks && !is_place,
        }
    }

    /// From when to when calls without a name belong to it by their address, where any do.
    pub fn unnamed(&self) -> Option<(Timestamp, Timestamp)> {
        self.time.filter(|_| !self.networks.is_empty())
    }

    pub(super) fn means(&self, call: &Call) -> bool {
        if call.principal.is_some_and(|principal| self.callers.contains(&principal.token))
            || self.is_login(call)
        {
            return true;
        }
        let address = call.caller.address.filter(|_| !is_named(call) && within(self.time, call));
        address.is_some_and(|address| self.networks.contains(&network(address.ip)))
    }

    /// Whether what a call hands out is its, too: it is a login at its endpoints that succeeded.
    pub(super) fn follows(&self, call: &Call) -> bool {
        let login = call.relations.login.is_some_and(|login| login.result == Tried::Succeeded);
        login && self.is_there(call)
    }

    fn is_login(&self, call: &Call) -> bool {
        call.relations.login.is_some() && within(self.logins, call) && self.is_there(call)
    }

    fn is_there(&self, call: &Call) -> bool {
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
