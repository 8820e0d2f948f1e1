//! Credentials of a request: where APIs put them, and whom they name.

mod claims;
mod issuance;

pub use claims::{Claims, Grants, Word};
pub use issuance::{Grant, Issuance, Issued, IssuedKind};

use self::claims::is_jwt;
use crate::target::Target;
use crate::{Credential, CredentialKind, Domain, Parameter, Place, Token, Tokens, percent};
use std::sync::Arc;
use tapwire_protocol::{Head, Range};

/// Credentials kept of one request.
const MAX_CREDENTIALS: usize = 8;
/// Bytes of a value that count for its token.
const MAX_SECRET: usize = 8192;
/// Slots of the cache of JWT claims; a power of two.
const CLAIMS: usize = 1024;

use CredentialKind::{ApiKey, Basic, Bearer, Cookie, Jwt, Other, Password};

/// Request headers that hold a credential under a name of their own.
const HEADERS: &[(&[u8], CredentialKind)] = &[
    (b"x-api-key", ApiKey),
    (b"api-key", ApiKey),
    (b"apikey", ApiKey),
    (b"x-apikey", ApiKey),
    (b"x-api-token", ApiKey),
    (b"x-app-key", ApiKey),
    (b"x-functions-key", ApiKey),
    (b"x-goog-api-key", ApiKey),
    (b"ocp-apim-subscription-key", ApiKey),
    (b"x-auth-token", Bearer),
    (b"x-access-token", Bearer),
    (b"private-token", Bearer),
    (b"x-vault-token", Bearer),
];

/// Cookies that carry a session, by the names that frameworks give them.
const COOKIES: &[&[u8]] = &[
    b"session",
    b"sessionid",
    b"session_id",
    b"sessid",
    b"sid",
    b"jsessionid",
    b"phpsessid",
    b"connect.sid",
    b"asp.net_sessionid",
    b".aspnetcore.session",
    b".aspnetcore.cookies",
    b"laravel_session",
    b"_session_id",
    b"auth",
    b"auth_token",
    b"access_token",
    b"token",
    b"jwt",
];

/// What frameworks put behind an application's name: `_shop_session`.
const SESSION: &[u8] = b"_session";

/// What WordPress puts in front of a hash of the site's address: a cookie for all of the site, and one for its
/// administration, without and with TLS.
const WORDPRESS: &[&[u8]] = &[WORDPRESS_EVERYWHERE, b"wordpress_sec_", b"wordpress_"];
const WORDPRESS_EVERYWHERE: &[u8] = b"wordpress_logged_in_";
/// Digits of that hash.
const MD5: usize = 32;

/// Query parameters that hold a credential. Left out on purpose: `code` and `state` (OAuth puts them in the URL, for one use),
/// `sig` and `signature` (signed URLs are made to be handed on), page and CSRF tokens. `key` and `token` are also names
/// of harmless things: see [`looks_random`].
const PARAMETERS: &[(&[u8], CredentialKind)] = &[
    (b"access_token", Bearer),
    (b"auth_token", Bearer),
    (b"oauth_token", Bearer),
    (b"id_token", Bearer),
    (b"refresh_token", Bearer),
    (b"bearer", Bearer),
    (b"jwt", Bearer),
    (b"token", Bearer),
    (b"api_key", ApiKey),
    (b"apikey", ApiKey),
    (b"api-key", ApiKey),
    (b"x-api-key", ApiKey),
    (b"app_key", ApiKey),
    (b"subscription-key", ApiKey),
    (b"key", ApiKey),
    (b"client_secret", Password),
    (b"secret", Password),
    (b"password", Password),
    (b"passwd", Password),
    (b"pwd", Password),
    (b"sessionid", Cookie),
    (b"session_id", Cookie),
    (b"jsessionid", Cookie),
    (b"phpsessid", Cookie),
    (b"sid", Cookie),
];

/// Finds credentials, and remembers what the last JSON Web Tokens claimed.
pub(crate) struct Credentials {
    tokens: Tokens,
    claims: Box<[Option<Claimed>]>,
}

/// The keyed token of a JSON Web Token, with what it claims.
type Claimed = (Token, Option<Arc<Claims>>);

/// Reads claims, with the tokens that name whom they are about.
struct Reader<'a> {
    tokens: &'a mut Tokens,
}

/// The credentials found so far in one request.
struct Found<'a> {
    head: &'a Head,
    list: Vec<Credential>,
}

impl Found<'_> {
    fn push(&mut self, credential: Credential) {
        if self.list.len() < MAX_CREDENTIALS {
            self.list.push(credential);
        }
    }
}

impl Credentials {
    pub(crate) fn new(tokens: Tokens) -> Self {
        Self { tokens, claims: vec![None; CLAIMS].into() }
    }

    /// Every credential of a request head: headers and cookies first, then the URL.
    pub(crate) fn of_head(
        &mut self,
        head: &Head,
        target: &Target,
        parameters: &[Parameter],
    ) -> Vec<Credential> {
        let mut found = Found { head, list: Vec::new() };
        let end = head.trailers_from.unwrap_or(head.fields.len());
        for field in head.fields.iter().take(end) {
            if let (Some(name), Some(value)) = (field.name, field.value) {
                self.header(&mut found, name, value);
            }
        }
        if let Some(range) = target.user_info {
            self.user_info(&mut found, range);
        }
        if let Some(path) = target.path {
            self.path_parameters(&mut found, path);
        }
        for parameter in parameters {
            self.parameter(&mut found, Place::Query, *parameter);
        }
        found.list
    }

    /// The password of a login in a body.
    pub(crate) fn of_login(&mut self, login: &crate::payload::Login) -> Credential {
        Credential {
            kind: Password,
            place: Place::Body,
            name: None,
            token: self.tokens.token(Domain::Credential, login.password()),
            identity: self.user(login),
            password: None,
            claims: None,
        }
    }

    fn header(&mut self, found: &mut Found<'_>, name: Range, value: Range) {
        let (text, secret) = (found.head.slice(name), found.head.slice(value).bytes());
        match text.bytes().first() {
            Some(b'a' | b'A') if text.is(b"authorization") => {
                if let Some(credential) = self.authorization(name, secret) {
                    found.push(credential);
                }
            }
            Some(b'c' | b'C') if text.is(b"cookie") => self.cookies(found, value),
            Some(b'a' | b'A' | b'o' | b'O' | b'p' | b'P' | b'x' | b'X') if !secret.is_empty() => {
                if let Some((_, kind)) =
                    HEADERS.iter().find(|(known, _)| known.len() == text.bytes().len() && text.is(known))
                {
                    found.push(self.secret(*kind, Place::Header, Some(name), secret));
                }
            }
            _ => {}
        }
    }

    /// `Authorization` (RFC 9110, 11.6.2): the scheme decides.
    fn authorization(&mut self, name: Range, value: &[u8]) -> Option<Credential> {
        let space = value.iter().position(|byte| *byte == b' ')?;
        let (scheme, rest) = value.split_at_checked(space)?;
        let secret = rest.trim_ascii();
        let is = |known: &[u8]| scheme.eq_ignore_ascii_case(known);
        match () {
            () if secret.is_empty() => None,
            () if is(b"basic") => Some(self.basic(name, secret)),
            () if is(b"bearer") || is(b"token") || is(b"jwt") => {
                Some(self.secret(Bearer, Place::Header, Some(name), secret))
            }
            () if is(b"apikey") || is(b"api-key") => {
                Some(self.secret(ApiKey, Place::Header, Some(name), secret))
            }
            () => Some(self.secret(Other, Place::Header, Some(name), secret)),
        }
    }

    /// RFC 7617. What is no base64 of `user:password` still is a credential, of nobody.
    fn basic(&mut self, name: Range, secret: &[u8]) -> Credential {
        let plain = percent::base64(secret, MAX_SECRET);
        self.user_and_password(Place::Header, Some(name), plain.as_deref().unwrap_or(secret))
    }

    fn user_and_password(&mut self, place: Place, name: Option<Range>, plain: &[u8]) -> Credential {
        let colon = plain.iter().position(|byte| *byte == b':');
        let both = colon.and_then(|colon| Some((plain.get(..colon)?, plain.get(colon + 1..)?)));
        let both = both.filter(|(user, _)| !user.is_empty());
        Credential {
            kind: Basic,
            place,
            name,
            token: self.tokens.token(Domain::Credential, plain),
            identity: both.map(|(user, _)| self.tokens.token(Domain::Identity, user)),
            password: both.map(|(_, password)| self.tokens.token(Domain::Credential, password)),
            claims: None,
        }
    }

    fn cookies(&mut self, found: &mut Found<'_>, value: Range) {
        let text = found.head.slice(value).bytes();
        let mut at = value.start;
        let first = found.list.len();
        for pair in text.split(|byte| *byte == b';') {
            let start = at + len(pair.len() - pair.trim_ascii_start().len());
            at += len(pair.len() + 1);
            let pair = pair.trim_ascii();
            let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { continue };
            let (name, secret) =
                (pair.get(..equals).unwrap_or_default(), pair.get(equals + 1..).unwrap_or_default());
            if is_session(name) && !secret.is_empty() {
                let range = Range { start, end: start + len(equals) };
                found.push(self.secret(Cookie, Place::Cookie, Some(range), secret));
                // The one that comes with every request names the session, the other where there is no such one.
                if is_wordpress(name, &[WORDPRESS_EVERYWHERE]) {
                    found.list.get_mut(first..).unwrap_or_default().rotate_right(1);
                }
            }
        }
    }

    /// User information of an absolute target (RFC 9110, 4.2.4 forbids it). A name without password is no secret.
    fn user_info(&mut self, found: &mut Found<'_>, range: Range) {
        let plain = percent::decode(found.head.slice(range).bytes(), MAX_SECRET);
        if plain.contains(&b':') {
            found.push(self.user_and_password(Place::UserInfo, None, &plain));
        }
    }

    /// `;jsessionid=…` behind a segment, as servlet containers write it for clients without cookies.
    fn path_parameters(&mut self, found: &mut Found<'_>, path: Range) {
        let text = found.head.slice(path).bytes();
        for semicolon in memchr::memchr_iter(b';', text) {
            let pair = text.get(semicolon + 1..).unwrap_or_default();
            let end = pair.iter().position(|byte| matches!(byte, b';' | b'/')).unwrap_or(pair.len());
            let Some(equals) = memchr::memchr(b'=', pair.get(..end).unwrap_or_default()) else { continue };
            let start = path.start + len(semicolon + 1);
            let name = Range { start, end: start + len(equals) };
            let value = Range { start: name.end + 1, end: start + len(end) };
            self.parameter(found, Place::Path, Parameter { name, value });
        }
    }

    fn parameter(&mut self, found: &mut Found<'_>, place: Place, parameter: Parameter) {
        let name = found.head.slice(parameter.name);
        let value = found.head.slice(parameter.value).bytes();
        let len = name.bytes().len();
        let is_it = |(known, _): &&(&[u8], CredentialKind)| known.len() == len && name.is(known);
        let Some((_, kind)) = PARAMETERS.iter().find(is_it) else { return };
        let secret = percent::decode(value, MAX_SECRET);
        let ambiguous = name.is(b"key") || name.is(b"token") || name.is(b"sid") || name.is(b"secret");
        if !secret.is_empty() && (!ambiguous || looks_random(&secret)) {
            found.push(self.secret(*kind, place, Some(parameter.name), &secret));
        }
    }

    /// A credential whose text may be a JSON Web Token, wherever it stands.
    fn secret(
        &mut self,
        kind: CredentialKind,
        place: Place,
        name: Option<Range>,
        secret: &[u8],
    ) -> Credential {
        let (token, claims) = self.of_secret(secret, kind != Password);
        let jwt = kind != Password && is_jwt(secret);
        let identity = claims.as_ref().and_then(|claims| claims.identity);
        let kind = if jwt { Jwt } else { kind };
        Credential { kind, place, name, token, identity, password: None, claims }
    }

    /// The token of a secret, and what it claims where it is a JSON Web Token and somebody wants to know.
    fn of_secret(&mut self, secret: &[u8], read: bool) -> (Token, Option<Arc<Claims>>) {
        let secret = secret.get(..MAX_SECRET).unwrap_or(secret);
        let token = self.tokens.token(Domain::Credential, secret);
        let claims = if read && is_jwt(secret) { self.claims(token, secret) } else { None };
        (token, claims)
    }

    fn claims(&mut self, token: Token, jwt: &[u8]) -> Option<Arc<Claims>> {
        let [low, high, ..] = token.0;
        let slot = self.claims.get_mut(usize::from(u16::from_le_bytes([low, high])) % CLAIMS)?;
        if let Some((known, claims)) = slot
            && *known == token
        {
            return claims.clone();
        }
        let claims = Reader { tokens: &mut self.tokens }.claims(jwt).map(Arc::new);
        *slot = Some((token, claims.clone()));
        claims
    }
}

/// Whether a cookie of that name carries a session, by the names that frameworks give them.
pub(crate) fn is_session(name: &[u8]) -> bool {
    let name = name.strip_prefix(b"__Host-").or_else(|| name.strip_prefix(b"__Secure-")).unwrap_or(name);
    let tail = name.len().checked_sub(SESSION.len()).and_then(|at| name.get(at..));
    COOKIES.iter().any(|known| known.len() == name.len() && known.eq_ignore_ascii_case(name))
        || tail.is_some_and(|tail| tail.eq_ignore_ascii_case(SESSION))
        || is_wordpress(name, WORDPRESS)
}

/// Whether a name is one of these with a hash behind it.
fn is_wordpress(name: &[u8], known: &[&[u8]]) -> bool {
    let is_hash = |rest: &[u8]| rest.len() == MD5 && rest.iter().all(u8::is_ascii_hexdigit);
    known.iter().any(|known| name.strip_prefix(*known).is_some_and(is_hash))
}

/// Whether a value of an ambiguous name can be a secret: sixteen bytes and more, letters and digits.
fn looks_random(value: &[u8]) -> bool {
    value.len() >= 16 && value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic)
}

/// A length within a head, which is far shorter than 4 GiB.
fn len(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
