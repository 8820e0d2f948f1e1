//! Tokens that are made to look like others: unsigned, forged, over.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{has_privileged_role, is_denied, is_ok, is_privileged_place, short, status, template};
use crate::tally::{Distinct, Stretch};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Call, Minted, Owned, TokenFact};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "jwt-faults",
    title: "A JSON Web Token is forged (JWT)",
    summary: "A caller showed a JSON Web Token that says that nothing signs it (alg none); or one that no answer handed out, at a service that \
              hands out nearly all that are used, younger than what was seen of it; those of one person with the same rights count once, and not where the address was handed some: who forges wants to be \
              somebody else, or more. One is enough that lasts for more than forty days and twenty times as long as those that are handed out, or has \
              no end where those have one. Both are made by who shows them. Tokens that are accepted \
              after their end are a fact of the service, which policies tell.",
    owasp: "API2:2023 Broken Authentication",
    cwe: "CWE-347",
    attack: ("T1606.001", "Forge Web Credentials: Web Cookies"),
    severity: "Critical when one that nothing signs was accepted, High when several were that no answer handed out, or one that lasts and has a privileged role or comes to what others have, \
               Medium when one lasts, or when refused",
    scope: Scope::Address,
    warm_up: "none for alg none; for forged ones 20 tokens of the service, nine in ten of them handed out in sight, and those of three \
              persons from one address within a day, beyond its logins without an answer, a fifth of those it was handed and what is chance among people \
              who log in elsewhere, over all addresses that were looked at; or two, after 200 of which no other was not handed out in sight",
    next_steps: &[
        "Accept only the algorithm and the keys that the service itself uses.",
        "Change the signing key: who forged one knows it.",
    ],
    unjudged: "no JSON Web Token was seen",
    needs: Needs::NOTHING,
    nature: Nature { of_the_service: true, ..Nature::USUAL },
    judges: |call| {
        call.caller.facts.contains(TokenFact::Unsigned)
            || call.caller.session.is_some()
            || is_unanswered(call)
    },
    concerns: |call| kind(call).is_some() || is_new(call) || is_unanswered(call),
    state: StateKind::of::<JwtFaults>(),
};

const DAY: i64 = 86_400 * 1_000_000_000;
/// Persons of one address whose tokens nobody saw being handed out, from which on it is no lost answer.
const SEVERAL: usize = 3;
/// Answers that the sensor may have lost: who does not wait for more of them has done so on purpose.
const LOST: u64 = 3;
/// The same, where no other token of the service came from where nobody looked: people log in elsewhere and go on here.
const TWO: usize = 2;
/// The chance below which it is none, of one address; and of any of all that were looked at.
const CHANCE: f64 = 1e-4;
const CHANCE_OF_ALL: f64 = 1e-2;

/// What was told of an address, by kind, and when.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct JwtFaults {
    told: [i64; 8],
    lately: Lately,
    stretch: Stretch,
}

/// Whose tokens came in one stretch, each person once with the same rights: where somebody logs in, elsewhere or in sight, is a
/// habit, and no new chance with each token.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Lately {
    /// Those that nobody saw being handed out.
    unseen: Distinct,
    /// Those that were.
    issued: Distinct,
    /// Logins of which no answer was seen.
    lost: u64,
    /// How many of the address's persons would be among those that nobody sees being handed out, were it like everybody.
    expected: f64,
}

/// Whether the call is the first with a token that an answer handed out.
fn is_new(call: &Call) -> bool {
    call.caller.issued_in.is_some() && call.caller.session_calls == 0
}

/// Whether an answer may have handed out a token that nobody saw.
fn is_unanswered(call: &Call) -> bool {
    let asks = call.observation.issuance.as_deref().is_some_and(|issuance| issuance.grant.is_some());
    status(call).is_none() && (asks || call.relations.login.is_some())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Forged,
    Lasting,
    /// One that lasts, with more rights than others or at what others have.
    Mighty,
}

fn kind(call: &Call) -> Option<Kind> {
    let facts = call.caller.facts;
    match () {
        () if facts.contains(TokenFact::Unsigned) => Some(Kind::Unsigned),
        () if call.relations.minted == Minted::Unjudged => None,
        () if call.relations.minted == Minted::Lasting && is_mighty(call) => Some(Kind::Mighty),
        () if call.relations.minted == Minted::Lasting => Some(Kind::Lasting),
        () => Some(Kind::Forged),
    }
}

/// Whether a call is one for which somebody would make a token of its own.
fn is_mighty(call: &Call) -> bool {
    let object = call.relations.object.map(|object| object.owned);
    has_privileged_role(call) == Some(true)
        || is_privileged_place(call)
        || call.relations.other.is_some()
        || matches!(object, Some(Owned::Foreign | Owned::Strange))
}

impl Detector for JwtFaults {
    const VERSION: u32 = 2;

    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let start = case.call.observation.exchange.started();
        self.stretch.renew(&mut self.lately, start, 12 * 3_600, 86_400);
        self.lately.hear(case.call);
        let Some(kind) = kind(case.call) else { return };
        let (accepted, time) = (is_ok(case.call), start.nanos());
        if kind == Kind::Forged && !self.lately.is_enough(case.call) {
            return;
        }
        let Some(told) = self.told.get_mut(kind as usize * 2 + usize::from(accepted)) else { return };
        if *told != 0 && time.saturating_sub(*told) < DAY {
            return;
        }
        *told = time;
        let (severity, outcome) = match (kind, accepted) {
            (Kind::Unsigned, true) => (Severity::Critical, Outcome::Confirmed),
            // An answer that was lost and a login elsewhere look the same.
            (Kind::Forged | Kind::Mighty, true) => (Severity::High, Outcome::Likely),
            // A partner's token that was made elsewhere, for years, looks the same.
            (Kind::Lasting, true) => (Severity::Medium, Outcome::Likely),
            (_, false) if is_denied(case.call) => (Severity::Medium, Outcome::Blocked),
            (_, false) => (Severity::Medium, Outcome::Attempted),
        };
        let answer = if accepted { "accepted" } else { "not accepted" };
        let reason = match kind {
            Kind::Unsigned => format!(
                "A JSON Web Token that nothing signs (alg none) was shown to {} and {answer}.",
                template(case.call)
            ),
            Kind::Lasting | Kind::Mighty => format!(
                "A JSON Web Token that lasts far longer than this service's, and that no answer handed out, was shown to {} and {answer}; nine in ten and more of this service's were handed out in sight.",
                template(case.call)
            ),
            Kind::Forged => format!(
                "A JSON Web Token that no answer handed out was shown to {} and {answer}; nine in ten and more of this service's were handed out in sight.",
                template(case.call)
            ),
        };
        let confidence = if kind == Kind::Unsigned { 85 } else { 65 };
        out.push(case.finding(&[kind as u8, u8::from(accepted)], severity, outcome, confidence, reason));
    }
}

/// Who a token says that its bearer is, and with which rights.
fn whose(call: &Call) -> u64 {
    let rights = call.caller.grants.as_ref().map_or(0, |grants| grants.id);
    call.principal.map_or(0, |principal| short(principal.token)) ^ rights.rotate_left(17)
}

impl Lately {
    fn hear(&mut self, call: &Call) {
        let who = whose(call);
        let is_first = if call.relations.minted != Minted::Unjudged {
            !self.issued.has(who) && self.unseen.add(who)
        } else {
            is_new(call) && self.issued.add(who)
        };
        if is_first {
            self.expected += f64::from(call.relations.unseen_tokens.max(1)) / 1_000.0;
        }
        self.lost = LOST.min(self.lost + u64::from(is_unanswered(call)));
    }

    /// One token may have been handed out where nobody looked; several from one address were not, unless as many logins there
    /// had no answer, or so many people are behind it that a few answers are lost.
    fn is_enough(&self, call: &Call) -> bool {
        let never = self.lost == 0 && call.relations.minted == Minted::Never;
        let (unseen, several) = (self.unseen.len(), if never { TWO } else { SEVERAL });
        unseen as u64 >= several as u64 + self.lost
            && unseen * 5 >= self.issued.len()
            && self.is_no_chance(unseen, call.relations.shown_tokens)
    }

    /// Whether so many of one address are beyond chance: of people who came with a token from elsewhere several sit behind one
    /// address now and then (the first term of the tail of Poisson's distribution bounds it where few are expected). The more
    /// addresses were looked at, the likelier one of them is such a one (Bonferroni); no more were than the service was shown
    /// tokens.
    fn is_no_chance(&self, unseen: usize, shown: u32) -> bool {
        let mut odds = 1.0;
        for nth in 1..=unseen {
            odds *= self.expected / nth as f64;
        }
        self.expected * 2.0 < unseen as f64 && odds < CHANCE && odds * f64::from(shown) < CHANCE_OF_ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_addresses_were_looked_at_the_less_a_few_tokens_of_one_prove() {
        let is_no_chance = |people: u32, unseen: usize, shown: u32| {
            Lately { expected: f64::from(people) / 100.0, ..Lately::default() }.is_no_chance(unseen, shown)
        };
        assert!(is_no_chance(3, 3, 100), "three of three, where one in a hundred logs in elsewhere");
        assert!(!is_no_chance(3, 3, 5_000), "of thousands of addresses one is such a one");
        assert!(is_no_chance(4, 4, 5_000));
        assert!(!is_no_chance(40, 4, 100), "behind an address with many people");
        assert!(is_no_chance(40, 12, 5_000));
    }
}
