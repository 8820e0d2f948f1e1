//! Names and passwords that come with every call (Basic, RFC 7617): which of them are a login that somebody tries.

use super::ages::{Ages, Forgotten};
use super::logins::{Login, Tried};
use super::{Seen, hash, mix, of_token};
use tapwire_inspect::{Credential, CredentialKind, Token};

/// Seconds after which what was not met is forgotten.
const SPAN: i64 = 30 * 86_400;

/// What is known of credentials that come with every call.
pub(super) struct Basics {
    /// Refusals by a hash of service and path: who is answered there at last, got in.
    pub(super) refused: Ages<u32>,
    /// What a name was last shown with from an address, and whether it was let in.
    pub(super) last: Ages<(u64, bool)>,
}

impl Basics {
    pub(super) fn new(places: usize, callers: usize) -> Self {
        Self { refused: Ages::new(places, SPAN), last: Ages::new(callers, SPAN) }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.refused.forgotten().and(self.last.forgotten())
    }

    /// The login that the Basic credentials of a call try, where they are not those that came before.
    pub(super) fn hear(&mut self, seen: &Seen<'_>) -> Option<Login> {
        let shown = basic(seen)?;
        let (user, password) = (shown.identity?, shown.password?);
        // A client of OAuth says in the same way which one it is (RFC 6749, 2.3.1).
        let client = seen.observation.issuance.as_deref().and_then(|issuance| issuance.client);
        if client == Some(user) {
            return None;
        }
        let result = self.result(seen)?;
        self.is_new(seen, user, password, result).then(|| Login::one(user, Some(password), result, seen))
    }

    /// What came of credentials. An answer to what was never refused proves nothing: the path may be for everybody.
    fn result(&mut self, seen: &Seen<'_>) -> Option<Tried> {
        let path = path(seen)?;
        match seen.status? {
            401 => {
                let count = self.refused.met_or_new(path, seen.now);
                *count = count.saturating_add(1);
                Some(Tried::Failed)
            }
            200..=399 => self.refused.met(path, seen.now).map(|_| Tried::Succeeded),
            _ => None,
        }
    }

    /// Whether the last of that name from there was another password, or fared otherwise: programs show the same one with each
    /// call, be it right or last year's.
    pub(super) fn is_new(&mut self, seen: &Seen<'_>, user: Token, password: Token, result: Tried) -> bool {
        let whose = mix(mix(seen.shape.service, seen.address), of_token(user));
        let now = (of_token(password), result == Tried::Succeeded);
        std::mem::replace(self.last.met_or_new(whose, seen.now), now) != now
    }
}

/// The Basic credentials of a call.
pub(super) fn basic<'a>(seen: &Seen<'a>) -> Option<&'a Credential> {
    seen.observation.credentials.iter().find(|one| one.kind == CredentialKind::Basic)
}

fn path(seen: &Seen<'_>) -> Option<u64> {
    let head = seen.observation.exchange.request_head()?;
    Some(mix(seen.shape.service, hash(seen.hashing, head.slice(seen.observation.path?).bytes())))
}
