//! Facts about a credential at the time of a call, for detectors to judge.

use super::record::{Seconds, Session, second};
use tapwire_inspect::Claims;
use tapwire_wire::Timestamp;

/// Clocks of issuers and servers differ; libraries allow for about that many seconds.
const LEEWAY: i64 = 60;
/// A JSON Web Token that lives longer is long-lived: a day, in seconds.
const LONG: i64 = 86_400;

macro_rules! facts {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal,)+) => {
        /// A fact about a credential.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum TokenFact { $($(#[doc = $doc])+ $name,)+ }

        impl TokenFact {
            /// Every fact.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As events spell it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

facts! {
    /// A JSON Web Token whose header says that nothing signs it.
    Unsigned "alg-none",
    /// A JSON Web Token without an end.
    NoExpiry "no-expiry",
    /// A JSON Web Token that lives for more than a day.
    LongLived "long-lived",
    /// It begins later than the call.
    NotYetValid "not-yet-valid",
    /// It ended before the call.
    Expired "expired",
    /// Its session was ended before the call: by a logout, a revocation, or by taking its cookie away.
    AfterLogout "after-logout",
    /// Another had taken its place before the call.
    Superseded "superseded",
    /// A call with a credential that was over was answered with 2xx.
    Accepted "accepted",
}

/// The facts about a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenFacts(u8);

impl TokenFacts {
    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is one of them.
    pub const fn contains(self, fact: TokenFact) -> bool {
        self.0 & (1 << fact as u8) != 0
    }

    /// The facts, in order.
    pub fn iter(self) -> impl Iterator<Item = TokenFact> {
        TokenFact::ALL.iter().copied().filter(move |fact| self.contains(*fact))
    }

    const fn set(&mut self, fact: TokenFact, on: bool) {
        if on {
            self.0 |= 1 << fact as u8;
        }
    }

    /// What a JSON Web Token's own claims say at that second.
    pub(super) fn claims(&mut self, claims: &Claims, now: Seconds) {
        let now = i64::from(now);
        self.set(TokenFact::Unsigned, claims.is_unsigned());
        self.set(TokenFact::NoExpiry, claims.expires.is_none());
        self.set(TokenFact::LongLived, claims.lifetime().is_some_and(|seconds| seconds > LONG));
        self.set(
            TokenFact::NotYetValid,
            claims.not_before.is_some_and(|begin| begin > now.saturating_add(LEEWAY)),
        );
        self.set(TokenFact::Expired, claims.expires.is_some_and(|end| end.saturating_add(LEEWAY) < now));
    }

    /// What is known of the credential's session.
    pub(super) fn session(&mut self, session: &Session, time: Timestamp) {
        let over = |at: Timestamp| at != Timestamp::MIN && time > at;
        let late = i64::from(second(time)) - i64::from(session.expires);
        self.set(TokenFact::Expired, session.expires != 0 && late > LEEWAY);
        self.set(TokenFact::AfterLogout, over(session.ended));
        self.set(TokenFact::Superseded, over(session.superseded));
    }

    /// The answer was 2xx.
    pub(super) fn accepted(&mut self) {
        use TokenFact::{AfterLogout, Expired, NotYetValid, Superseded};
        let over = [NotYetValid, Expired, AfterLogout, Superseded].iter().any(|fact| self.contains(*fact));
        self.set(TokenFact::Accepted, over);
    }
}
