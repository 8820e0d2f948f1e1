//! Marks: what one exchange says of how its service is built and kept, as bits.
//!
//! A mark is a fact about one exchange that can be right or wrong only there: a session cookie without `Secure`, a version of
//! TLS, an answer without credentials. Each names the mark that says in which exchanges it could have come at all, so that
//! "41 of 52" can be said. Nothing here judges; policies over the inventory do.

mod answer;
mod data;
mod request;

use crate::Observation;

macro_rules! marks {
    ($($name:ident $text:literal $among:ident $doc:literal,)+) => {
        /// A fact about one exchange that policies ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Mark { $(#[doc = $doc] $name,)+ }

        impl Mark {
            /// Every mark, in the order of their bits.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name of its field.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $doc,)+ }
            }

            /// The mark of exchanges in which it could have come; its own where it is such a mark.
            pub const fn among(self) -> Self {
                match self { $(Self::$name => Self::$among,)+ }
            }
        }
    };
}

marks! {
    Called "called" Called "it was called",
    Answered "answered" Answered "an answer was seen",
    Ok "succeeded" Answered "an answer was 2xx",
    Succeeded "answers_2xx" Succeeded "an answer was 2xx; what is counted among these",
    Failed "failed" Failed "an answer was 4xx or 5xx",
    Encrypted "encrypted" Encrypted "a call came over TLS that was read",
    SessionSet "session_set" SessionSet "an answer set a session cookie",
    SessionSetEncrypted "session_set_over_tls" SessionSetEncrypted "an answer set a session cookie over TLS",
    Tokened "with_jwt" Tokened "a call with a JSON Web Token was answered with 2xx",
    Certified "certificate_seen" Certified "the server's certificate was seen",

    ClearText "clear_text" Called "a call came in clear, and no proxy says that it came over TLS before",
    PublicClients "public_callers" Called "a caller's address was neither private nor named as one's own or a partner's",
    PublicClearText "public_clear_text" Called "a call crossed public networks in clear: the client's address on the wire is public",
    Egress "egress" Called "a call went from a private address to a public one",
    AroundGateway "around_gateway" Called "a call from outside came by none of the gateways that are named",
    Basic "basic_authentication" Called "a call carried a user name with its password in the header Authorization",
    RequestSensitive "request_sensitive" Called "a request carried financial data, national ids or health data",
    UrlSensitive "url_sensitive" Called "a URL carried financial data, national ids or health data",
    UrlPersonal "url_personal" Called "a URL carried data about a person",

    Open "unauthenticated" Succeeded "a call without credentials was answered with 2xx; logins do not count",
    Traced "trace" Succeeded "TRACE was answered with 2xx",
    SharedCache "shared_cache" Succeeded "an answer to a call with credentials lets shared caches keep it",
    Introspected "introspection" Succeeded "a GraphQL schema was told to who asked",
    Listing "directory_listing" Succeeded "an answer was a generated list of a directory",
    CorsNull "cors_null" Succeeded "an answer lets the origin 'null' read it with credentials",
    CorsAny "cors_any" Succeeded "an answer names every origin and allows credentials",
    CorsForeign "cors_foreign" Succeeded "an answer lets a page of another site read it with credentials",
    Sniffable "no_nosniff" Succeeded "an answer has no X-Content-Type-Options: nosniff",
    VersionShown "version_shown" Answered "an answer tells the version of the server's software",
    VerboseError "verbose_error" Failed "an error tells a stack trace or a database's message",
    NoHsts "no_hsts" Encrypted "an answer over TLS has no Strict-Transport-Security",

    CookieInClear "cookie_without_secure" SessionSetEncrypted "a session cookie was set over TLS without Secure",
    CookieScripted "cookie_without_httponly" SessionSet "a session cookie was set without HttpOnly",
    CookieCrossSite "cookie_without_samesite" SessionSet "a session cookie was set without SameSite",

    TokenUnsigned "jwt_unsigned" Tokened "a JSON Web Token that nothing signs was accepted",
    TokenEndless "jwt_without_expiry" Tokened "a JSON Web Token without an end was accepted",
    TokenLong "jwt_long_lived" Tokened "a JSON Web Token that lives for more than a day was accepted",

    OldTls "old_tls" Encrypted "TLS 1.1 or older was spoken",
    WeakCipher "weak_cipher" Encrypted "a cipher suite was used that no longer protects",
    CertificateOver "certificate_expired" Certified "the server's certificate had expired",
    CertificateEnds "certificate_expires_soon" Certified "the server's certificate ends within 14 days",

    AnswerSensitive "answer_sensitive" Succeeded "an answer carried financial data, national ids or health data",
    AnswerFinancial "answer_financial" Succeeded "an answer carried cards, accounts or other financial data",
    AnswerNationalId "answer_national_id" Succeeded "an answer carried national ids",
    AnswerHealth "answer_health" Succeeded "an answer carried health data",
    AnswerPersonal "answer_personal" Succeeded "an answer carried data about a person",
    AnswerOwn "answer_own" Succeeded "an answer carried data of a class of the configuration",
    AnswerCard "answer_card" Succeeded "an answer carried a whole card number that is none for tests",
    AnswerCardSecret "answer_card_secret" Succeeded "an answer carried a card's CVV, PIN or track data",
    AnswerKey "answer_key" Succeeded "an answer carried a private key or a provider's key",
    AnswerPassword "answer_password" Succeeded "an answer carried a password",
}

/// A set of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(u64);

impl Marks {
    /// Whether it is one of them.
    pub const fn contains(self, mark: Mark) -> bool {
        self.0 & (1 << mark as u64) != 0
    }

    /// Adds a mark where it holds.
    pub const fn set(&mut self, mark: Mark, holds: bool) {
        if holds {
            self.0 |= 1 << mark as u64;
        }
    }

    /// The marks, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let at = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            Mark::ALL.get(at as usize).copied()
        })
    }

    /// What an exchange says by itself; messages on one that goes on say nothing of the kind. Who is public and what is a
    /// gateway follows from what is known of the network, which is added later.
    pub(crate) fn of(observation: &Observation) -> Self {
        let mut marks = Self::default();
        if observation.exchange.child.is_some() || observation.exchange.request_head().is_none() {
            return marks;
        }
        marks.set(Mark::Called, true);
        request::mark(&mut marks, observation);
        answer::mark(&mut marks, observation);
        data::mark(&mut marks, observation);
        marks
    }
}

const _: () = assert!(Mark::ALL.len() <= 64);

#[cfg(test)]
mod tests;
