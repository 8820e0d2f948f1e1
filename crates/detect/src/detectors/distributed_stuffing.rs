//! Many names from many addresses.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, Spread, StateKind};
use crate::facts::{network, short, template};
use crate::tally::{Distinct, Names, Steps, Stretch, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::Tried;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "distributed-stuffing",
    title: "Logins with many names fail from many addresses (distributed stuffing)",
    summary: "At one place where people log in, most logins of the last hour failed, with many different names, a few from each of many \
              addresses: too few from each to be seen there. Before, logins mostly succeeded, as people's do.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-307",
    attack: ("T1110.004", "Credential Stuffing"),
    severity: "High; Critical when a name got in from an address that had failed with two others, or with another by the same program",
    scope: Scope::Endpoint,
    warm_up: "none: 30 names from 5 networks, three in five of the logins of the hour",
    next_steps: &[
        "Ask for a second factor or a proof of work at that place.",
        "Block by fingerprint of TLS rather than by address.",
    ],
    unjudged: "no login was seen",
    needs: Needs::NOTHING,
    nature: Nature { spread: Spread::Logins, of_many_calls: true, ..Nature::USUAL },
    judges: |call| call.relations.login.is_some(),
    concerns: |call| call.relations.login.is_some_and(|login| login.user.is_some()),
    state: StateKind::of::<DistributedStuffing>(),
};

/// A place under attack may keep 32 KiB of each sort.
type Seen = Names<4_096>;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct DistributedStuffing {
    names: Distinct,
    addresses: Distinct,
    /// The same once more, for as many as there are: which they were.
    failed_names: Seen,
    failed_at: Seen,
    /// Those from which a second name failed.
    repeated: Distinct,
    repeated_at: Seen,
    /// Addresses together with the programs there that failed.
    clients: Seen,
    /// The address with most failures by majority vote, and its lead.
    most: (u64, u64),
    failed: u64,
    succeeded: u64,
    taken: u64,
    steps: Steps,
    told: bool,
    stretch: Stretch,
}

impl Detector for DistributedStuffing {
    const VERSION: u32 = 2;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let (Some(login), Some(address)) = (case.call.relations.login, case.call.caller.address) else {
            return;
        };
        if self.stretch.begins(case.call.observation.exchange.started(), 1_800, 7_200) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        if login.result == Tried::Unknown {
            return;
        }
        let attempt = Attempt {
            name: login.user.map_or(0, short),
            address: network(address.ip),
            client: case.call.principal.map_or(network(address.ip), |principal| short(principal.token)),
            failed: login.result != Tried::Succeeded,
        };
        let taken = self.hear(&attempt);
        if self.tells(&attempt, taken) {
            out.push(self.finding(case));
        }
    }
}

/// One login that was tried.
struct Attempt {
    name: u64,
    address: u64,
    /// The address together with the program.
    client: u64,
    failed: bool,
}

impl DistributedStuffing {
    /// Counts a login; whether a name is taken by it.
    fn hear(&mut self, attempt: &Attempt) -> bool {
        let Attempt { name, address, client, failed } = *attempt;
        if !failed {
            let taken = self.comes_from_there(address, client) && !self.failed_names.has(name);
            self.succeeded += 1;
            self.taken += u64::from(taken);
            return taken;
        }
        self.failed += 1;
        self.clients.add(client);
        self.names.add(name);
        self.addresses.add(address);
        if self.failed_at.has(address) && !self.failed_names.has(name) {
            self.repeated.add(address);
            self.repeated_at.add(address);
        }
        self.failed_at.add(address);
        self.failed_names.add(name);
        self.most = match self.most {
            (_, 0) => (address, 1),
            (known, lead) if known == address => (known, lead + 1),
            (known, lead) => (known, lead - 1),
        };
        false
    }

    fn count_names(&self) -> u64 {
        (self.names.len() as u64).min(self.failed)
    }

    /// Whether most logins fail, with many names, from many addresses of which none has most of them.
    fn is_attack(&self) -> bool {
        let names = self.count_names();
        names >= 30
            && self.addresses.len() >= 5
            && self.failed * 10 >= (self.failed + self.succeeded) * 6
            && names * 2 >= self.failed
            && self.most.1 * 3 < self.failed
    }

    /// Whether it is told of this login: of one that failed, or of one that was taken, for others log in beside it; and not of
    /// somebody who mistyped meanwhile, unless a botnet tries one name from each address.
    fn tells(&mut self, attempt: &Attempt, taken: bool) -> bool {
        if !self.is_attack() {
            return false;
        }
        let told_taken = taken && !self.told;
        self.told |= told_taken;
        let one_each = self.repeated.len() * 4 < self.addresses.len();
        let again = attempt.failed && (one_each || self.repeated.has(attempt.address));
        told_taken || again && self.steps.reaches(self.count_names(), 30)
    }

    fn finding(&self, case: &Case<'_>) -> Finding {
        let success = self.taken > 0;
        let (severity, outcome) = match success {
            true => (Severity::Critical, Outcome::Confirmed),
            false => (Severity::High, Outcome::Attempted),
        };
        let reason = format!(
            "{} of {} from {} within {} at {}; {} succeeded, {} of them from addresses that had failed with other names{}.",
            times(self.failed, "failed login"),
            self.names.words_of("name", self.failed),
            self.addresses.words_of("network", self.failed),
            self.stretch.words(),
            template(case.call),
            self.succeeded,
            self.taken,
            if self.failed_at.is_crowded() { ", as far as they can be told apart" } else { "" },
        );
        case.finding(&[u8::from(success)], severity, outcome, 80, reason)
    }

    /// Whether somebody comes from where other names failed: two from its address, or one by its program there. Where addresses are
    /// too many to be told apart nobody is said to.
    fn comes_from_there(&self, address: u64, client: u64) -> bool {
        let at_all = !self.failed_at.is_crowded() && self.failed_at.has(address);
        at_all && (self.repeated_at.has(address) || !self.clients.is_crowded() && self.clients.has(client))
    }
}
