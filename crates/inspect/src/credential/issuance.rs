//! Credentials that are asked for, handed out and ended: logins, OAuth's token endpoint (RFC 6749), revocation (RFC 7009),
//! session cookies (RFC 6265), logouts.

use super::claims::Grants;
use super::{Claims, Credentials, is_session};
use crate::Fact;
use crate::payload::{Login, Wanted};
use crate::{Credential, CredentialKind, Domain, Observation, Place, Token};
use std::sync::Arc;
use tapwire_protocol::Head;

/// Credentials kept of one answer.
const MAX_ISSUED: usize = 8;
/// Bytes of an answer that may say that a login failed.
const SAID: usize = 1024;
/// Bytes of a login's last path segment: the words are short.
const MAX_SEGMENT: usize = 24;

/// How credentials are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grant {
    /// A name and a password, in a body or as Basic credentials.
    Password,
    /// A refresh token (RFC 6749, 6).
    Refresh,
    /// A client for itself (RFC 6749, 4.4).
    Client,
    /// Anything else that OAuth grants for: a code, a device code, an assertion, another token.
    Other,
}

impl Grant {
    /// By OAuth's name.
    fn by_name(name: &[u8]) -> Self {
        match name {
            b"password" => Self::Password,
            b"refresh_token" => Self::Refresh,
            b"client_credentials" => Self::Client,
            _ => Self::Other,
        }
    }
}

/// What a credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum IssuedKind {
    /// A session cookie.
    Session,
    /// What calls are made with.
    Access,
    /// What further ones are got with.
    Refresh,
    /// It says who logged in.
    Identity,
}

/// A credential that an answer hands out. Its token is the one that a request with it will have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// What it is for.
    pub kind: IssuedKind,
    /// Where it stands.
    pub place: Place,
    /// The keyed token of its secret.
    pub token: Token,
    /// What it claims, where it is a JSON Web Token.
    pub claims: Option<Arc<Claims>>,
    /// Seconds that it lives, as the answer says.
    pub lifetime: Option<i64>,
}

/// What an exchange does to credentials. Whether it succeeded is for `succeeded` to say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Issuance {
    /// How credentials are asked for; `None` where they come unasked.
    pub grant: Option<Grant>,
    /// Who logs in, by the name that is sent or answered.
    pub user: Option<Token>,
    /// A hash of that name, as identifiers are hashed.
    pub user_id: Option<u64>,
    /// OAuth's client.
    pub client: Option<Token>,
    /// The refresh token that is shown.
    pub presented: Option<Token>,
    /// Whether the answer looks like that of a login that succeeded: 2xx and no page, or a redirect that does not lead back
    /// to a login.
    pub succeeded: bool,
    /// Whether nothing is handed out and the answer's body says that it failed, whatever its status says.
    pub says_failed: bool,
    /// Whether a name and a password were answered with a page that asks for a password: the form once more.
    pub asks_again: bool,
    /// What is handed out, at most 8.
    pub issued: Vec<Issued>,
    /// Cookies of the request that the answer takes away, and tokens that are revoked.
    pub ended: Vec<Token>,
    /// Whether this is a logout: all that the request shows ends.
    pub logout: bool,
    /// What the answer says that its credentials allow.
    pub grants: Option<Arc<Grants>>,
}

impl Issuance {
    fn is_empty(&self) -> bool {
        let Self { grant, issued, ended, logout, .. } = self;
        grant.is_none() && issued.is_empty() && ended.is_empty() && !logout
    }

    /// What the answer's content says of it. A page may come with a cookie for who is not let in.
    fn says(&mut self, text: &dyn Fn() -> Vec<u8>) {
        let (asks, nothing) =
            (self.grant == Some(Grant::Password) && !self.succeeded, self.issued.is_empty());
        let text = if asks || nothing { text() } else { Vec::new() };
        self.says_failed = nothing && says_failed(&text);
        self.asks_again = asks && asks_for_password(&text);
    }
}

impl Credentials {
    /// Who logs in, where a body says it.
    pub(super) fn user(&mut self, login: &Login) -> Option<Token> {
        self.named(login.user())
    }

    fn named(&mut self, name: &[u8]) -> Option<Token> {
        (!name.is_empty()).then(|| self.tokens.token(Domain::Identity, name))
    }

    /// What an exchange does to credentials, by its heads, its path and what its bodies say; `text` gives the beginning of the
    /// answer's content.
    pub(crate) fn issuance(
        &mut self,
        observation: &Observation,
        asked: Option<&Login>,
        answered: Option<&Login>,
        text: &dyn Fn() -> Vec<u8>,
    ) -> Option<Box<Issuance>> {
        let exchange = &observation.exchange;
        if exchange.child.is_some() {
            return None;
        }
        let response = exchange.response_head();
        let mut issuance = Issuance::default();
        let ending = ending(observation);
        issuance.logout = ending == Some(Ending::Logout);
        if let Some(asked) = asked {
            self.asked(&mut issuance, asked, ending);
        }
        if let Some(response) = response {
            self.headers(&mut issuance, observation, response);
        }
        let issuing = issuance.grant.is_some() || logs_in(observation) || mutates(observation);
        if let Some(answered) = answered.filter(|_| issuing || !observation.credentials.is_empty()) {
            self.answered(&mut issuance, answered, issuing);
        }
        if issuance.is_empty() {
            return None;
        }
        issuance.succeeded = response.is_some_and(succeeded);
        issuance.says(&text);
        basic(&mut issuance, &observation.credentials);
        Some(Box::new(issuance))
    }

    fn asked(&mut self, issuance: &mut Issuance, asked: &Login, ending: Option<Ending>) {
        if ending == Some(Ending::Revocation) {
            let tokens = [Wanted::Token, Wanted::Access, Wanted::Refresh];
            let shown = tokens.iter().map(|wanted| asked.get(*wanted)).filter(|text| !text.is_empty());
            issuance.ended.extend(shown.map(|text| self.of_secret(text, false).0));
            return;
        }
        let (grant, refresh) = (asked.get(Wanted::Grant), asked.get(Wanted::Refresh));
        issuance.grant = match () {
            () if !grant.is_empty() => Some(Grant::by_name(grant)),
            () if !asked.password().is_empty() => Some(Grant::Password),
            () if !refresh.is_empty() => Some(Grant::Refresh),
            () => None,
        };
        issuance.user = self.user(asked);
        issuance.user_id = self.tokens.ids().hash(asked.user());
        issuance.client = self.named(asked.get(Wanted::Client));
        issuance.presented = (!refresh.is_empty()).then(|| self.of_secret(refresh, false).0);
    }

    /// Credentials in an answer's head.
    fn headers(&mut self, issuance: &mut Issuance, observation: &Observation, head: &Head) {
        let end = head.trailers_from.unwrap_or(head.fields.len());
        for field in head.fields.iter().take(end) {
            let (Some(name), Some(value)) = (field.name, field.value) else { continue };
            let (name, value) = (head.slice(name), head.slice(value).bytes());
            match name.bytes().len() {
                10 if name.is(b"set-cookie") => self.set_cookie(issuance, observation, value),
                12 if name.is(b"x-auth-token") => self.issue_header(issuance, value),
                13 if name.is(b"authorization") => self.issue_header(issuance, value),
                14 if name.is(b"x-access-token") => self.issue_header(issuance, value),
                15 if name.is(b"x-subject-token") => self.issue_header(issuance, value),
                _ => {}
            }
        }
    }

    fn issue_header(&mut self, issuance: &mut Issuance, value: &[u8]) {
        let bare = value.split(|byte| *byte == b' ').next_back().unwrap_or_default();
        self.issue(issuance, IssuedKind::Access, Place::Header, bare, None);
    }

    /// RFC 6265, 4.1 and 5.2: a session cookie comes or goes.
    fn set_cookie(&mut self, issuance: &mut Issuance, observation: &Observation, line: &[u8]) {
        let mut parts = line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let Some(pair) = parts.next() else { return };
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { return };
        let (name, value) =
            (pair.get(..equals).unwrap_or_default(), pair.get(equals + 1..).unwrap_or_default());
        if !is_session(name) {
            return;
        }
        let mut lifetime = None;
        let mut gone = value.is_empty() || value == b"\"\"";
        for part in parts {
            let Some(equals) = part.iter().position(|byte| *byte == b'=') else { continue };
            let (key, value) =
                (part.get(..equals).unwrap_or_default(), part.get(equals + 1..).unwrap_or_default());
            if key.eq_ignore_ascii_case(b"max-age") {
                lifetime = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
            } else if key.eq_ignore_ascii_case(b"expires") {
                // What servers write to take a cookie away.
                gone |= value.windows(6).any(|six| six == b" 1970 ")
                    || value.windows(6).any(|six| six == b"-1970 ");
            }
        }
        if gone || lifetime.is_some_and(|seconds| seconds <= 0) {
            issuance.ended.extend(shown(observation, name).take(MAX_ISSUED));
        } else {
            self.issue(issuance, IssuedKind::Session, Place::Cookie, value, lifetime);
        }
    }

    /// Credentials in an answer's body. To who asked for none only those of OAuth's names are handed out: `token` may be
    /// anything.
    fn answered(&mut self, issuance: &mut Issuance, answered: &Login, issuing: bool) {
        let seconds = std::str::from_utf8(answered.get(Wanted::ExpiresIn)).ok();
        let lifetime = seconds.and_then(|text| text.parse::<i64>().ok());
        let own = [(Wanted::Token, IssuedKind::Access), (Wanted::Session, IssuedKind::Access)];
        let standard = [
            (Wanted::Access, IssuedKind::Access, lifetime),
            (Wanted::Refresh, IssuedKind::Refresh, None),
            (Wanted::Identity, IssuedKind::Identity, None),
        ];
        for (wanted, kind, lifetime) in standard {
            self.issue(issuance, kind, Place::Body, answered.get(wanted), lifetime);
        }
        for (wanted, kind) in own.into_iter().filter(|_| issuing) {
            self.issue(issuance, kind, Place::Body, answered.get(wanted), lifetime);
        }
        if issuance.user.is_none() {
            issuance.user = self.user(answered);
        }
        issuance.grants = self.granted(answered);
    }

    /// What an answer says that its credentials allow (RFC 6749, 5.1).
    fn granted(&mut self, answered: &Login) -> Option<Arc<Grants>> {
        let text = |wanted| String::from_utf8_lossy(answered.get(wanted)).into_owned().into();
        let mut grants = Grants::default();
        grants.add_scopes(&text(Wanted::Scope));
        grants.add_roles(&text(Wanted::Role));
        grants.finish(&self.tokens)
    }

    fn issue(
        &mut self,
        issuance: &mut Issuance,
        kind: IssuedKind,
        place: Place,
        secret: &[u8],
        lifetime: Option<i64>,
    ) {
        if secret.is_empty() || issuance.issued.len() >= MAX_ISSUED {
            return;
        }
        let (token, claims) = self.of_secret(secret, true);
        issuance.issued.push(Issued { kind, place, token, claims, lifetime });
    }
}

/// Basic credentials are a login's where nothing else is, and else those of OAuth's client (RFC 6749, 2.3.1).
fn basic(issuance: &mut Issuance, credentials: &[Credential]) {
    let mut basic = credentials.iter().filter(|credential| credential.kind == CredentialKind::Basic);
    let Some(name) = basic.find_map(|credential| credential.identity) else { return };
    if issuance.grant.is_some() {
        issuance.client = issuance.client.or(Some(name));
    } else if !issuance.issued.is_empty() {
        (issuance.grant, issuance.user) = (Some(Grant::Password), Some(name));
    }
}

/// The request's session cookies of that name.
fn shown<'a>(observation: &'a Observation, name: &'a [u8]) -> impl Iterator<Item = Token> + 'a {
    let head = observation.exchange.request_head();
    let is_it = move |credential: &&Credential| {
        credential.place == Place::Cookie
            && head.zip(credential.name).is_some_and(|(head, range)| head.slice(range).is(name))
    };
    observation.credentials.iter().filter(is_it).map(|credential| credential.token)
}

/// Whether a request shows a name and a password to be let in.
fn logs_in(observation: &Observation) -> bool {
    let shows =
        |credential: &Credential| matches!(credential.kind, CredentialKind::Basic | CredentialKind::Password);
    observation.credentials.iter().any(shows)
}

/// Whether a mutation of GraphQL is asked for: a query hands nothing out, and names and passwords may stand in its text.
fn mutates(observation: &Observation) -> bool {
    let said = observation.said.as_deref();
    said.is_some_and(|said| matches!(said.fact("graphql", "type"), Some(Fact::Own("mutation"))))
}

/// Whether an answer looks like that of a login that succeeded. A page (200 with HTML) is the form once more; a redirect to
/// a login, or to an error, is a refusal.
fn succeeded(head: &Head) -> bool {
    let value = |name: &[u8]| head.header(name).map(|value| value.bytes().to_ascii_lowercase());
    let has = |text: &[u8], word: &[u8]| memchr::memmem::find(text, word).is_some();
    match head.status {
        Some(200..=299) => !value(b"content-type").is_some_and(|kind| kind.starts_with(b"text/html")),
        Some(301..=303 | 307 | 308) => !value(b"location").is_some_and(|to| {
            let to = behind_authority(&to);
            [&b"login"[..], b"signin", b"sign-in", b"error", b"fail"].iter().any(|word| has(to, word))
        }),
        _ => false,
    }
}

/// An address from its path on: hosts that log people in are named after it.
fn behind_authority(address: &[u8]) -> &[u8] {
    let Some(at) = memchr::memmem::find(address, b"://") else { return address };
    let rest = address.get(at + 3..).unwrap_or_default();
    rest.iter().position(|byte| *byte == b'/').and_then(|at| rest.get(at..)).unwrap_or_default()
}

/// Whether a page has a field for a password (HTML, 4.10.5.1.6).
fn asks_for_password(page: &[u8]) -> bool {
    let page = page.to_ascii_lowercase();
    memchr::memmem::find_iter(&page, b"type=").any(|at| {
        let value = page.get(at + 5..).unwrap_or_default();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
        value.starts_with(b"password")
    })
}

/// Whether the beginning of an answer says in words that a login failed.
fn says_failed(answer: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"fail",
        b"invalid",
        b"incorrect",
        b"wrong",
        b"denied",
        b"unauthori",
        b"not correct",
        b"does not exist",
        b"not found",
        b"\"error\"",
        b"\"success\":false",
        b"\"success\": false",
        b"\"ok\":false",
        b"bad credentials",
        b"locked",
    ];
    let begin = answer.get(..SAID).unwrap_or(answer).to_ascii_lowercase();
    WORDS.iter().any(|word| memchr::memmem::find(&begin, word).is_some())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Logout,
    Revocation,
}

/// What a path ends by its last words: `/logout`, `/oauth/revoke`, and `DELETE /session`.
fn ending(observation: &Observation) -> Option<Ending> {
    let head = observation.exchange.request_head()?;
    let mut last = observation.segments.iter().rev().map(|segment| head.slice(segment.range).bytes());
    let name = last.next().filter(|name| name.len() <= MAX_SEGMENT)?;
    let is = |known: &[&[u8]], name: &[u8]| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    match name.first()? | 0x20 {
        b'l' | b's' | b'e' if is(LOGOUTS, name) => return Some(Ending::Logout),
        b'r' if is(REVOCATIONS, name) => return Some(Ending::Revocation),
        b's' | b'm' | b'c' => {}
        _ => return None,
    }
    let deletes = head.method().is_some_and(|method| method.bytes() == b"DELETE");
    let session = is(SESSIONS, name)
        || is(&[b"me", b"current"], name) && last.next().is_some_and(|name| is(SESSIONS, name));
    (deletes && session).then_some(Ending::Logout)
}

const LOGOUTS: &[&[u8]] = &[
    b"logout",
    b"log-out",
    b"log_out",
    b"logoff",
    b"signout",
    b"sign-out",
    b"sign_out",
    b"signoff",
    b"end-session",
    b"end_session",
    b"endsession",
];
const REVOCATIONS: &[&[u8]] = &[b"revoke", b"revocation", b"revoke-token", b"revoke_token"];
const SESSIONS: &[&[u8]] = &[b"session", b"sessions"];

#[cfg(test)]
mod tests;
