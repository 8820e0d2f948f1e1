//! Whether tokens were handed out by the services they are shown to.

use super::Seen;
use super::ages::{Ages, Forgotten};
use crate::Caller;
use tapwire_inspect::{Claims, CredentialKind, PayloadState};

/// Services that are remembered.
const MAX_SERVICES: usize = 10_000;
/// Tokens that must have been shown for the first time before one is judged, and before one is judged alone.
const ENOUGH: u32 = 20;
const ALONE: u32 = 200;
/// Seconds that a token may last before it is asked who made it, longer than the month for which people stay logged in; and how
/// many times as long as those that are handed out it has to last.
const LASTING: i64 = 40 * 86_400;
const TIMES: i64 = 20;
/// Of a thousand tokens at least so many are taken to be handed out where nobody looks, where a few were.
const LEAST: u64 = 10;
/// Of many that were all handed out in sight, the one that nobody saw before the next.
const ONE: u32 = 1;
/// Where no token was looked at.
pub(super) const UNJUDGED: (Minted, u16, u32) = (Minted::Unjudged, 1_000, 0);
/// Tokens of one day that nobody handed out in sight from which on, where they are most, the service has changed.
const CHANGED: u32 = 30;
/// Issuers of one service that are remembered, and tokens of one from which on it is usual somewhere.
const MAX_ISSUERS: usize = 4;
const USUAL: u32 = 50;
/// Seconds after which a service that was not met is forgotten.
const SPAN: i64 = 30 * 86_400;
const DAY: i64 = 86_400;

#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Shown {
    /// Second of the first call.
    since: i64,
    /// Tokens shown for the first time and accepted, of those that began after that.
    first: u32,
    /// Of these, handed out in an answer that was seen.
    issued: u32,
    /// When an answer to a login was last missed.
    lost: i64,
    /// Those shown for the first time on one day, and those that nobody handed out in sight.
    day: i64,
    today: (u32, u32),
    /// Seconds that the longest of those handed out in sight lasts.
    longest: i64,
    /// Those of them that have no end.
    endless: u32,
    /// Issuers of tokens that were accepted, and how often: the first four.
    issuers: [(u64, u32); MAX_ISSUERS],
}

impl Shown {
    /// A token is shown for the first time. Of those that nobody handed out, so many on one day are no habit of the service.
    fn learn(&mut self, was_issued: bool, day: i64) {
        if self.day != day {
            (self.day, self.today) = (day, (0, 0));
        }
        self.today.0 = self.today.0.saturating_add(1);
        self.today.1 = self.today.1.saturating_add((!was_issued).into());
        if was_issued || self.first < ENOUGH || self.today.1 <= (self.first / 20).max(3) {
            self.first = self.first.saturating_add(1);
            self.issued = self.issued.saturating_add(was_issued.into());
        }
    }

    /// Whether so many of a day's tokens were handed out elsewhere that the service must have changed.
    const fn has_changed(&self) -> bool {
        self.today.1 >= CHANGED && self.today.1 > self.today.0 / 2
    }

    /// How many in a thousand of its tokens are handed out where nobody looks.
    fn unseen(&self) -> u16 {
        let (missed, first) = (self.first.saturating_sub(self.issued), u64::from(self.first).max(1));
        // Where none was, the next may be the first.
        let least = if missed <= ONE { (1_000 / first).clamp(1, LEAST) } else { LEAST };
        u16::try_from((u64::from(missed) * 1_000 / first).max(least)).unwrap_or(1_000)
    }

    /// Hears how long a token lasts that was handed out in sight.
    fn lasts(&mut self, claims: &Claims) {
        self.longest = self.longest.max(claims.lifetime().unwrap_or(0));
        self.endless = self.endless.saturating_add(claims.expires.is_none().into());
    }

    /// Whether a token lasts far longer than those that are handed out, which have an end.
    fn is_outlasted(&self, claims: &Claims) -> bool {
        let longest = LASTING.max(self.longest.saturating_mul(TIMES));
        let outlasts = claims.expires.is_none() || claims.lifetime().is_some_and(|lasts| lasts > longest);
        self.longest > 0 && self.endless == 0 && outlasts
    }
}

/// How surely nobody handed a token out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Minted {
    /// It was handed out, or nothing is known.
    #[default]
    Unjudged,
    /// It was not seen being handed out, where nearly all others were.
    Unseen,
    /// The same, and it lasts far longer than those that are handed out, or for ever.
    Lasting,
    /// Nor was any other but one of many of that service not, and no answer to a login was missed lately.
    Never,
}

/// What is known of services' tokens.
pub(super) struct Mints {
    pub(super) services: Ages<Shown>,
    /// Accepted tokens of an issuer, at any service.
    pub(super) issuers: Ages<u32>,
}

impl Mints {
    pub(super) fn new(services: usize) -> Self {
        let most = services.min(MAX_SERVICES);
        Self { services: Ages::new(most, SPAN), issuers: Ages::new(most, SPAN) }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.services.forgotten().and(self.issuers.forgotten())
    }

    /// Whether the call shows a token that nobody saw being handed out. Answers that were lost and a login elsewhere look the
    /// same, so that this alone proves nothing.
    /// With it, how many in a thousand of the service's tokens are handed out where nobody looks, and how many it was shown.
    pub(super) fn hear(&mut self, seen: &Seen<'_>, caller: &Caller) -> (Minted, u16, u32) {
        let shown = self.services.met_or_new(seen.shape.service, seen.now);
        if shown.since == 0 {
            shown.since = seen.now;
        }
        let asks = seen.observation.issuance.as_ref().is_some_and(|issuance| issuance.grant.is_some());
        if asks && (seen.status.is_none() || seen.observation.response_payload.state == PayloadState::Partial)
        {
            shown.lost = seen.now;
        }
        let mut jwts = seen.observation.credentials.iter().filter(|one| one.kind == CredentialKind::Jwt);
        let Some(claims) = jwts.find_map(|one| one.claims.as_deref().filter(|_| one.identity.is_some()))
        else {
            return UNJUDGED;
        };
        let young = claims.issued_at.is_some_and(|issued| issued > shown.since.saturating_add(60));
        if !young || caller.session.is_none() {
            return UNJUDGED;
        }
        let was_issued = caller.issued_in.is_some();
        let before = *shown;
        if caller.session_calls == 0 && matches!(seen.status, Some(200..=299)) {
            shown.learn(was_issued, seen.now / DAY);
            if was_issued {
                shown.lasts(claims);
            }
        }
        let missed = before.first.saturating_sub(before.issued);
        let is_whole = before.lost == 0 || seen.now.saturating_sub(before.lost) > DAY;
        let minted = match () {
            () if was_issued
                || before.first < ENOUGH
                || missed.saturating_mul(10) > before.first
                || before.has_changed() =>
            {
                Minted::Unjudged
            }
            () if before.is_outlasted(claims) => Minted::Lasting,
            () if missed <= ONE && is_whole && before.first >= ALONE => Minted::Never,
            () => Minted::Unseen,
        };
        (minted, before.unseen(), before.first)
    }

    /// Whether a token's issuer is usual at other services, and not at this one, which takes those of others; learns from what
    /// is accepted.
    pub(super) fn is_strange(&mut self, seen: &Seen<'_>) -> bool {
        let mut claims = seen.observation.credentials.iter().filter_map(|one| one.claims.as_deref());
        let Some(issuer) = claims.find_map(|claims| claims.issuer) else { return false };
        let issuer = issuer.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let Some(shown) = self.services.met(seen.shape.service, seen.now) else { return false };
        let (here, all) = shown.issuers.iter().fold((0_u32, 0_u32), |(here, all), (known, count)| {
            let own = if *known == issuer { *count } else { 0 };
            (here.saturating_add(own), all.saturating_add(*count))
        });
        let anywhere = self.issuers.get(issuer).copied().unwrap_or(0);
        let is_strange = all.saturating_sub(here) >= USUAL
            && here.saturating_mul(20) < all
            && anywhere.saturating_sub(here) >= USUAL;
        // What is strange is not learned from: that would make it usual.
        if matches!(seen.status, Some(200..=299)) && !is_strange {
            let place = shown.issuers.iter_mut().find(|(known, count)| *known == issuer || *count == 0);
            if let Some(place) = place {
                *place = (issuer, place.1.saturating_add(1));
                let anywhere = self.issuers.met_or_new(issuer, seen.now);
                *anywhere = anywhere.saturating_add(1);
            }
        }
        is_strange
    }
}
