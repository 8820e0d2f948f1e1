//! Whether tokens were handed out by the services they are shown to.

use super::Seen;
use crate::Caller;
use crate::hashing::BuildAsIs;
use std::collections::HashMap;
use tapwire_inspect::CredentialKind;

/// Services that are remembered.
const MAX_SERVICES: usize = 10_000;
/// Tokens that must have been shown for the first time before one is judged.
const ENOUGH: u32 = 20;

#[derive(Default)]
struct Shown {
    /// Second of the first call.
    since: i64,
    /// Tokens shown for the first time, of those that began after that.
    first: u32,
    /// Of these, handed out in an answer that was seen.
    issued: u32,
}

/// What is known of services' tokens.
#[derive(Default)]
pub(super) struct Minted {
    services: HashMap<u64, Shown, BuildAsIs>,
}

impl Minted {
    /// Whether the call shows a token that nobody saw being handed out, where nearly all others were.
    pub(super) fn hear(&mut self, seen: &Seen<'_>, caller: &Caller) -> bool {
        let now = seen.observation.exchange.started().nanos() / 1_000_000_000;
        if self.services.len() >= MAX_SERVICES && !self.services.contains_key(&seen.service) {
            return false;
        }
        let shown = self.services.entry(seen.service).or_insert(Shown { since: now, ..Shown::default() });
        let jwt = seen
            .observation
            .credentials
            .iter()
            .find(|one| one.kind == CredentialKind::Jwt && one.identity.is_some());
        let Some(claims) = jwt.and_then(|one| one.claims.as_deref()) else { return false };
        let young = claims.issued_at.is_some_and(|issued| issued > shown.since + 60);
        if !young || caller.session.is_none() {
            return false;
        }
        let was_issued = caller.issued_in.is_some();
        if caller.session_calls == 0 && matches!(seen.status, Some(200..=299)) {
            shown.first = shown.first.saturating_add(1);
            shown.issued = shown.issued.saturating_add(was_issued.into());
        }
        !was_issued && shown.first >= ENOUGH && u64::from(shown.issued) * 10 >= u64::from(shown.first) * 9
    }
}
