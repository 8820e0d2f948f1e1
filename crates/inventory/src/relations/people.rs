//! Who callers are: the identifiers that their accepted tokens, their logins and what they are told of themselves give them.

use super::ages::{Ages, Forgotten};
use super::objects::answered;
use super::{Seen, mix};
use tapwire_inspect::{Grant, Issuance};

/// Identifiers of one caller.
const MAX_OWN: usize = 8;
/// Callers that must have been told the same of themselves twice before a field is known to do that, and their share.
const ENOUGH: u32 = 5;
const SHARE: (u32, u32) = (9, 10);

/// Identifiers of one caller: those that came first stay.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Own {
    ids: [u64; MAX_OWN],
    len: u8,
}

impl Own {
    pub(super) fn has(&self, id: u64) -> bool {
        self.ids.get(..usize::from(self.len)).is_some_and(|own| own.contains(&id))
    }

    pub(super) const fn has_any(&self) -> bool {
        self.len > 0
    }

    fn add(&mut self, id: u64) -> bool {
        let Some(slot) = self.ids.get_mut(usize::from(self.len)) else { return false };
        *slot = id;
        self.len += 1;
        true
    }
}

/// Whether one caller or several hold something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(super) enum Holder {
    #[default]
    Nobody,
    One(u64),
    Several,
}

impl Holder {
    /// Somebody holds it, too.
    pub(super) fn add(&mut self, who: u64) {
        *self = match *self {
            Self::Nobody => Self::One(who),
            Self::One(known) if known == who => Self::One(who),
            _ => Self::Several,
        };
    }
}

/// What an identifier is to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// It names the caller alone.
    Mine,
    /// It names the caller and others: a tenant, a team.
    Ours,
    /// It is not the caller's.
    Others,
}

/// A field of answers that may tell callers of themselves.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Telling {
    /// Callers that were told the same each time, and others.
    same: u32,
    other: u32,
}

/// What one field told one caller.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Told {
    id: u64,
    /// Counted as the same, as another.
    counted: [bool; 2],
}

/// Who callers are.
pub(super) struct People {
    pub(super) own: Ages<Own>,
    pub(super) whose: Ages<Holder>,
    pub(super) told: Ages<Told>,
    pub(super) tellings: Ages<Telling>,
}

impl People {
    pub(super) fn new(callers: usize, span: i64) -> Self {
        Self {
            own: Ages::new(callers / 5, span),
            whose: Ages::new(callers / 3, span),
            told: Ages::new(callers / 5, span),
            tellings: Ages::new(callers / 50, span),
        }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.own
            .forgotten()
            .and(self.whose.forgotten())
            .and(self.told.forgotten())
            .and(self.tellings.forgotten())
    }

    /// What is known of a caller that calls now.
    pub(super) fn met(&mut self, who: u64, now: i64) -> Option<Own> {
        self.own.met(who, now).copied()
    }

    /// What an identifier is to a caller that has these.
    pub(super) fn whose(&self, own: &Own, id: u64) -> Whose {
        match (own.has(id), self.whose.get(id)) {
            (true, Some(Holder::Several)) => Whose::Ours,
            (true, _) => Whose::Mine,
            (false, _) => Whose::Others,
        }
    }

    /// Who else an identifier names, where it names one.
    pub(super) fn other(&self, who: u64, id: u64) -> Option<u64> {
        match self.whose.get(id) {
            Some(Holder::One(other)) if *other != who => Some(*other),
            _ => None,
        }
    }

    fn is_own(&mut self, who: u64, id: u64, now: i64) {
        let own = self.own.met_or_new(who, now);
        if !own.has(id) && own.add(id) {
            self.whose.met_or_new(id, now).add(who);
        }
    }

    /// A login says who somebody is: by its name, and by the identifiers of its answer.
    pub(super) fn logged_in(&mut self, seen: &Seen<'_>, issuance: &Issuance) {
        if !issuance.succeeded || issuance.issued.is_empty() || issuance.grant != Some(Grant::Password) {
            return;
        }
        let subject = issuance.issued.iter().find_map(|one| one.claims.as_ref()?.identity);
        let Some(token) = subject.or(issuance.user) else { return };
        let who = token.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        issuance.user_id.into_iter().for_each(|id| self.is_own(who, id, seen.now));
        for (_, id) in answered(seen).take(MAX_OWN) {
            self.is_own(who, id, seen.now);
        }
    }

    /// What a token says of its subject, once the service has accepted it: anybody can write a token.
    pub(super) fn claims(&mut self, seen: &Seen<'_>, who: u64) {
        let mut claims = seen.observation.credentials.iter().filter_map(|one| one.claims.as_deref());
        let Some(claims) = claims.find(|claims| claims.identity.is_some()) else { return };
        claims.names.iter().for_each(|id| self.is_own(who, *id, seen.now));
    }

    /// An answer to a call that names nothing, such as `/me`, has identifiers that stay the same for each caller: once that is
    /// so for nearly all of several, they are the caller's own.
    pub(super) fn told(&mut self, seen: &Seen<'_>, who: u64, own: &Own) {
        if seen.observation.credentials.is_empty() {
            return;
        }
        for (field, id) in answered(seen).take(MAX_OWN).filter(|(_, id)| !own.has(*id)) {
            let source = mix(seen.endpoint, field);
            let told = self.told.met_or_new(mix(source, who), seen.now);
            if told.id == 0 {
                told.id = id;
                continue;
            }
            let changed = usize::from(told.id != id);
            let telling = self.tellings.met_or_new(source, seen.now);
            if let Some(counted) = told.counted.get_mut(changed)
                && !std::mem::replace(counted, true)
            {
                let count = if changed == 0 { &mut telling.same } else { &mut telling.other };
                *count = count.saturating_add(1);
            }
            let all = telling.same.saturating_add(telling.other);
            let is_its_own = telling.same.saturating_mul(SHARE.1) >= all.saturating_mul(SHARE.0);
            if changed == 0 && telling.same >= ENOUGH && is_its_own {
                self.is_own(who, id, seen.now);
            }
        }
    }
}
