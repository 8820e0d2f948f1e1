//! What could be done against an incident, and whom it would hit: from what is learned, when it is told. Nothing is done.

use super::Incident;
use super::incident::Shown;
use crate::detectors::nature;
use std::collections::BTreeSet;
use std::net::IpAddr;
use tapwire_inspect::Token;
use tapwire_inventory::{EndpointId, Inventory, KnownCaller, Network, Principal};
use tapwire_protocol::Uid;
use tapwire_wire::Timestamp;

/// Suggestions of one kind, at most.
const EACH: usize = 3;
/// Who called so long before the first finding has an honest use, as far as anybody can tell, in nanoseconds.
const HABIT: i64 = 24 * 3_600 * 1_000_000_000;

/// What could be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Refuse a caller, whatever its address and credential.
    BlockPrincipal(Principal),
    /// End a session, or refuse its credential.
    RevokeToken {
        /// The credential, as its keyed token.
        token: Token,
        /// Whose it is, where that is known.
        owner: Option<Principal>,
        /// The exchange whose answer handed it out.
        issued_in: Option<Uid>,
    },
    /// Refuse addresses.
    BlockAddress(Vec<IpAddr>),
    /// Let no caller call an endpoint more often than that within an hour.
    Quota {
        /// Where.
        endpoint: EndpointId,
        /// How often.
        calls_an_hour: u64,
    },
}

impl Response {
    /// As events spell it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BlockPrincipal(_) => "block-principal",
            Self::RevokeToken { .. } => "revoke-token",
            Self::BlockAddress(_) => "block-address",
            Self::Quota { .. } => "quota",
        }
    }
}

/// Whether callers would be hit who did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honest {
    /// As far as is known, yes.
    Hit,
    /// Nobody is known who would be.
    NoneKnown,
    /// Nobody counted.
    NotCounted,
}

impl Honest {
    /// As events spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::NoneKnown => "none-known",
            Self::NotCounted => "not-counted",
        }
    }
}

/// One thing that could be done, with what it would have hit so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What.
    pub response: Response,
    /// Calls that it would have hit, where they are counted.
    pub calls: Option<u64>,
    /// Of these, calls before the first finding, where they are counted.
    pub before: Option<u64>,
    /// Callers that it would have hit, where they are counted.
    pub principals: Option<u64>,
    /// From when on that is counted.
    pub since: Option<Timestamp>,
    /// Whether some of it is honest.
    pub honest: Honest,
    /// In a sentence, with no word of traffic.
    pub why: String,
}

impl Incident {
    /// What could be done, and what it would have hit: nothing where the service itself is at fault.
    pub(super) fn suggestions(&self, inventory: &Inventory) -> Vec<Suggestion> {
        if self.timeline.iter().all(|moment| nature(moment.detector).of_the_service) {
            return Vec::new();
        }
        let mut all = Vec::new();
        // At a place everybody who passed by is among the callers.
        if !self.at_place {
            let callers = self.callers.iter().zip(&self.before).take(EACH);
            all.extend(callers.map(|(caller, before)| self.block(*caller, *before, inventory)));
            all.extend(self.sessions.iter().filter_map(|shown| self.revoke(shown, inventory)).take(EACH));
        }
        all.extend(self.block_address(inventory));
        if self.timeline.iter().any(|moment| nature(moment.detector).of_many_calls) {
            let most = self.most_calls(inventory);
            all.extend(self.endpoints.iter().filter_map(|id| quota(*id, most, inventory)).take(EACH));
        }
        all
    }

    /// The most calls that one of its callers made; `None` where nobody knows who they are.
    fn most_calls(&self, inventory: &Inventory) -> Option<u64> {
        let all = self.callers.iter().chain(&self.unnamed).filter(|_| !self.at_place);
        all.filter_map(|caller| inventory.principals().caller(caller.token))
            .map(|known| u64::from(known.calls))
            .max()
    }

    fn block(&self, caller: Principal, before: u32, inventory: &Inventory) -> Suggestion {
        let response = Response::BlockPrincipal(caller);
        let Some(known) = inventory.principals().caller(caller.token) else {
            return forgotten(
                response,
                "The caller made room for others: what this would have hit is not known.",
            );
        };
        let ahead = self.first.time.since(known.first_seen);
        let calls = counted(known.calls.into(), "call");
        let (honest, why) = if ahead >= HABIT && before > 0 {
            let why = format!(
                "It called for {} before its first finding: {} of {calls} are from then. Whoever uses this name honestly is shut \
                 out with it; a credential that was taken is better revoked.",
                duration(ahead),
                before,
            );
            (Honest::Hit, why)
        } else {
            let why = format!(
                "It was first seen {} before its first finding, and made {calls} in all: no honest use of it is known.",
                duration(ahead)
            );
            (Honest::NoneKnown, why)
        };
        Suggestion {
            response,
            calls: Some(known.calls.into()),
            before: Some(before.into()),
            principals: Some(1),
            since: Some(known.first_seen),
            honest,
            why,
        }
    }

    fn revoke(&self, shown: &Shown, inventory: &Inventory) -> Option<Suggestion> {
        let session = inventory.principals().session(shown.token)?;
        // What is over needs no end.
        if session.ended.is_some() || session.superseded.is_some() {
            return None;
        }
        let (first, _, calls) = session.used?;
        let (networks, more) = &session.networks;
        let ahead = self.first.time.since(first);
        let is_shared = networks.len() > 1 || *more;
        let honest = if ahead >= HABIT || is_shared { Honest::Hit } else { Honest::NoneKnown };
        let places = match (networks.len(), *more) {
            (1, false) => "one network".to_owned(),
            (networks, false) => format!("{networks} networks"),
            (networks, true) => format!("more than {networks} networks"),
        };
        let after = match honest {
            Honest::Hit => "Its owner may be among them, and logs in again",
            _ => "Who holds it logs in again",
        };
        let why = format!(
            "{} came with it, {} of them before the first finding, from {places}. {after}.",
            counted(calls.into(), "call"),
            shown.before
        );
        Some(Suggestion {
            response: Response::RevokeToken {
                token: shown.token,
                owner: session.owner.or(shown.owner),
                issued_in: session.issued.map(|(uid, _)| uid),
            },
            calls: Some(calls.into()),
            before: Some(shown.before.into()),
            principals: Some(1),
            since: Some(first),
            honest,
            why,
        })
    }

    fn block_address(&self, inventory: &Inventory) -> Option<Suggestion> {
        let principals = inventory.principals();
        let networks: BTreeSet<Network> = self.addresses.iter().copied().map(Network::of).collect();
        if networks.is_empty() {
            return None;
        }
        let own: Vec<KnownCaller> =
            self.callers.iter().filter_map(|caller| principals.caller(caller.token)).collect();
        let unnamed: Vec<KnownCaller> =
            self.unnamed.iter().filter_map(|caller| principals.caller(caller.token)).collect();
        let mut around = Around { is_least: self.more_addresses, ..Around::default() };
        for network in &networks {
            let crowd = principals.crowd(*network);
            let here = own.iter().filter(|caller| caller.networks.0.contains(network));
            let settled = here.clone().filter(|caller| caller.last_seen.since(caller.first_seen) >= HABIT);
            around.others += u64::from(crowd.callers).saturating_sub(here.clone().count() as u64);
            around.settled += u64::from(crowd.settled).saturating_sub(settled.count() as u64);
            around.is_least |= crowd.is_least;
            around.is_young |= crowd.since.is_none_or(|since| self.first.time.since(since) < HABIT);
        }
        // Calls are counted by caller: those of a name may have come from elsewhere.
        let is_alone = own.is_empty() && around.others == 0;
        let calls: Option<u64> = (!unnamed.is_empty() && is_alone)
            .then(|| unnamed.iter().map(|caller| u64::from(caller.calls)).sum());
        Some(Suggestion {
            response: Response::BlockAddress(self.addresses.clone()),
            calls,
            before: None,
            principals: Some(around.others + (own.len() + unnamed.len()) as u64),
            since: unnamed.iter().chain(&own).map(|caller| caller.first_seen).min(),
            honest: around.honest(),
            why: around.why(),
        })
    }
}

/// Who else comes from an incident's networks.
#[derive(Default)]
struct Around {
    /// Callers with names, and those of them that called for a day: names are made in seconds, by whoever wants not to be blocked.
    others: u64,
    settled: u64,
    is_least: bool,
    /// Nobody can have called for a day: the first call of all is no day before the first finding.
    is_young: bool,
}

impl Around {
    const fn honest(&self) -> Honest {
        match () {
            () if self.settled > 0 => Honest::Hit,
            () if self.is_least || self.is_young && self.others > 0 => Honest::NotCounted,
            () => Honest::NoneKnown,
        }
    }

    fn why(&self) -> String {
        let Self { others, settled, is_least, is_young } = *self;
        let least = if is_least { "at least " } else { "" };
        let (came, shared) = ("the same networks (/24, IPv6: /48)", "a router may be shared");
        let callers = |count: u64| match count {
            1 => "one other caller with a name".to_owned(),
            _ => format!("{count} other callers with names"),
        };
        match (others, settled) {
            (0, _) if is_least => {
                format!("Nobody else with a name is known from {came}, and not all are counted.")
            }
            (0, _) => format!(
                "Nobody else with a name was seen from {came}; callers without one were not told apart."
            ),
            (_, 0) if is_young => format!(
                "{least}{} came from {came}; what was seen does not go back a day, so nobody knows whether they are honest: {shared}.",
                callers(others)
            ),
            (_, 0) => format!(
                "{least}{} came from {came}, none of them for a day: no honest use of these is known.",
                callers(others)
            ),
            _ => format!("{least}{} called from {came} for a day and longer: {shared}.", callers(settled)),
        }
    }
}

fn quota(endpoint: EndpointId, most: Option<u64>, inventory: &Inventory) -> Option<Suggestion> {
    let limit = inventory.hours().suggested(endpoint)?;
    // A limit that the actor never came to stops nothing.
    if most.is_some_and(|most| most <= limit.calls) {
        return None;
    }
    let honest = if limit.hit > 0 { Honest::Hit } else { Honest::NoneKnown };
    let why = format!(
        "Of the last seven days it would have refused {} in {} of callers; 99 of 100 of these had at most {}.{}",
        counted(limit.hit, "legitimate call"),
        counted(limit.hours.into(), "hour"),
        limit.p99,
        match limit.unusual {
            0 => String::new(),
            1 => " One hour was left out as unusual.".to_owned(),
            hours => format!(" {hours} hours were left out as unusual."),
        },
    );
    Some(Suggestion {
        response: Response::Quota { endpoint, calls_an_hour: limit.calls },
        calls: Some(limit.hit),
        before: None,
        principals: None,
        since: None,
        honest,
        why,
    })
}

fn forgotten(response: Response, why: &str) -> Suggestion {
    Suggestion {
        response,
        calls: None,
        before: None,
        principals: None,
        since: None,
        honest: Honest::NotCounted,
        why: why.to_owned(),
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// In its largest unit, of which there are at least two.
fn duration(nanos: i64) -> String {
    let seconds = nanos.max(0) / 1_000_000_000;
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let unit = units.into_iter().find(|(size, _)| seconds >= 2 * size);
    unit.map_or_else(|| format!("{seconds} s"), |(size, name)| format!("{} {name}", seconds / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_their_largest_unit() {
        let told = [1, 119, 120, 7_199, 7_200, 172_800].map(|seconds| duration(seconds * 1_000_000_000));
        assert_eq!(told, ["1 s", "119 s", "2 minutes", "119 minutes", "2 hours", "2 days"]);
    }
}
