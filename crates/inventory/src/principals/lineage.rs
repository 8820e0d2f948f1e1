//! Where credentials come from and where they go: which login handed them out, what renewed them, what ended them.

use super::choose::Chosen;
use super::known::{is_session, session_at};
use super::record::{Seconds, second};
use super::{Caller, Principals};
use crate::endpoint::status;
use crate::{Principal, PrincipalKind};
use tapwire_inspect::{Claims, Grant, Issuance, Issued, IssuedKind, Observation, Place, Token};
use tapwire_wire::Timestamp;

/// What was handed out, with all that is common to it.
struct Handed<'a> {
    issuance: &'a Issuance,
    observation: &'a Observation,
    /// Whose it is.
    owner: Option<Principal>,
    /// The cookie of the request, whose place a new one takes.
    cookie: Option<Token>,
    grants: u16,
    time: Timestamp,
}

impl Principals {
    /// Learns what an exchange did to credentials.
    pub(super) fn issuance(
        &mut self,
        issuance: &Issuance,
        observation: &Observation,
        chosen: &Chosen,
        grants: u16,
        caller: &mut Caller,
    ) {
        let time = observation.exchange.ended();
        self.end(issuance, observation, time);
        self.show_presented(issuance, caller, observation);
        if !issuance.succeeded || issuance.logout {
            return;
        }
        let cookie =
            observation.credentials.iter().find(|one| one.place == Place::Cookie).map(|one| one.token);
        let owner = self.owner(issuance, chosen);
        let handed = Handed { issuance, observation, owner, cookie, grants, time };
        self.counters.logins += u64::from(issuance.grant.is_some());
        issuance.issued.iter().for_each(|issued| self.hand_out(&handed, issued));
        self.bind_cookie(&handed);
        self.supersede(&handed);
    }

    /// What a logout, a revocation or a cookie that is taken away ends.
    fn end(&mut self, issuance: &Issuance, observation: &Observation, time: Timestamp) {
        let done = matches!(status(observation), Some(200..=399));
        let shown = observation.credentials.iter().filter(|one| issuance.logout && is_session(one));
        let shown = shown.map(|one| one.token).filter(|_| done);
        let named = issuance.ended.iter().copied().filter(|_| done);
        for token in shown.chain(named) {
            let Some(session) = session_at(&mut self.sessions, token, second(time)) else { continue };
            // Two log-ins got it: one of them ended.
            if session.root == Some(token) {
                session.root = None;
            } else if session.ended == Timestamp::MIN {
                session.ended = time;
            }
        }
    }

    /// A refresh token is used where it is shown, and what is wrong with it is a fact about the call.
    fn show_presented(&mut self, issuance: &Issuance, caller: &mut Caller, observation: &Observation) {
        let Some(token) = issuance.presented else { return };
        let time = observation.exchange.started();
        let Some(session) = session_at(&mut self.sessions, token, second(time)) else { return };
        session.span.add(second(time));
        session.kind = session.kind.or(Some(IssuedKind::Refresh));
        caller.facts.session(session, time);
        if issuance.succeeded {
            caller.facts.accepted();
        }
    }

    /// Whose credentials are handed out: the user who logs in, whoever the refresh token or the ID token belongs to, OAuth's
    /// client for itself, else who asks.
    fn owner(&mut self, issuance: &Issuance, chosen: &Chosen) -> Option<Principal> {
        let user = |token| Principal { kind: PrincipalKind::LoginUser, token };
        let claimed = |claims: &Claims| claims.identity;
        let identity = issuance.issued.iter().find(|one| one.kind == IssuedKind::Identity);
        let identity = identity.and_then(|one| one.claims.as_deref()).and_then(claimed);
        let subject = identity.map(|token| Principal { kind: PrincipalKind::JwtSubject, token });
        let caller = Some(chosen.principal).filter(|principal| principal.kind != PrincipalKind::Network);
        let presented =
            issuance.presented.and_then(|token| self.sessions.used(token)).and_then(|one| one.owner);
        match issuance.grant {
            Some(Grant::Password) => issuance.user.map(user).or(subject),
            Some(Grant::Refresh) => presented.or(subject).or(issuance.client.map(user)),
            Some(Grant::Client) => issuance.client.map(user),
            Some(Grant::Other) => subject.or(issuance.user.map(user)).or(caller),
            None => caller,
        }
    }

    fn hand_out(&mut self, handed: &Handed<'_>, issued: &Issued) {
        let parent = match issued.kind {
            IssuedKind::Session => handed.cookie,
            _ => handed.issuance.presented,
        }
        .filter(|parent| *parent != issued.token);
        let (root, renewals, login) = match parent.and_then(|parent| self.sessions.used(parent)) {
            Some(before) => (before.root.or(parent), before.renewals.saturating_add(1), before.login),
            None => (parent, 0, None),
        };
        let claims = issued.claims.as_deref();
        let subject = claims.and_then(|claims| claims.identity);
        let now = second(handed.time);
        let Some(session) = session_at(&mut self.sessions, issued.token, now) else { return };
        let unbound = session.issued_in.is_none();
        session.kind = Some(issued.kind);
        session.owner = match subject {
            Some(token) => Some(Principal { kind: PrincipalKind::JwtSubject, token }),
            None => handed.owner.filter(|owner| owner.token != issued.token).or(session.owner),
        };
        session.login = handed.issuance.user.or(login).or(session.login);
        session.grants = if handed.grants == 0 { session.grants } else { handed.grants };
        // A credential that is handed out once more, as some servers do with every answer, stays what it was.
        if unbound {
            (session.root, session.parent, session.renewals) = (root.or(session.root), parent, renewals);
            session.issued_in = Some(handed.observation.exchange.uid());
            session.issued = now;
            self.counters.issued += 1;
        }
        // Services whose users have one token for ever hand it out again: with that log-in it is good again. While it is good,
        // a second device has it (two log-ins within a second, without a `jti`): a chain of its own.
        if handed.issuance.grant.is_some() {
            let is_good = !unbound && session.ended == Timestamp::MIN;
            session.root = session.root.or(Some(issued.token).filter(|_| is_good));
            (session.ended, session.superseded) = (Timestamp::MIN, Timestamp::MIN);
        }
        session.expires = expires(issued, now).unwrap_or(session.expires);
    }

    /// A login whose answer leaves the cookie as it is binds that one; one whose cookie is changed binds the old one, too:
    /// before and after it is the same caller.
    fn bind_cookie(&mut self, handed: &Handed<'_>) {
        let Some(session) = handed.cookie.and_then(|cookie| self.sessions.used(cookie)) else { return };
        if handed.issuance.grant == Some(Grant::Password) && handed.owner.is_some() {
            session.owner = handed.owner;
            session.login = handed.issuance.user;
        }
    }

    /// A new cookie takes the place of the old one, a new refresh token that of the one that was shown.
    fn supersede(&mut self, handed: &Handed<'_>) {
        let replaced = |kind: IssuedKind, old: Option<Token>| {
            let mut issued = handed.issuance.issued.iter().filter(|issued| issued.kind == kind);
            old.filter(|old| issued.any(|issued| issued.token != *old))
        };
        let old = [
            replaced(IssuedKind::Session, handed.cookie),
            replaced(IssuedKind::Refresh, handed.issuance.presented),
        ];
        for token in old.into_iter().flatten() {
            if let Some(session) = self.sessions.used(token)
                && session.superseded == Timestamp::MIN
            {
                session.superseded = handed.time;
            }
        }
    }
}

/// When a credential ends by itself: as the answer says, else as it says itself.
fn expires(issued: &Issued, now: Seconds) -> Option<Seconds> {
    let told = issued.lifetime.map(|seconds| i64::from(now).saturating_add(seconds));
    let own = issued.claims.as_deref().and_then(|claims| claims.expires);
    Some(Seconds::try_from(told.or(own)?.max(1)).unwrap_or(Seconds::MAX))
}
