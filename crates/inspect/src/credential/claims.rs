//! What a JSON Web Token claims (RFC 7519), read without checking its signature: a claim, not a proof.

use super::Reader;
use crate::{Domain, Token, Tokens, percent};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::hash::Hasher;
use std::sync::Arc;

/// Bytes of a header or of claims that are read.
const MAX_PART: usize = 8192;
/// Roles, and as many scopes, that are kept of one token.
const MAX_WORDS: usize = 32;
/// Characters of a word: what is longer is no name of a role.
const MAX_WORD: usize = 64;

/// Claims that name whom a token is about (OpenID Connect Core, 5.1, and what issuers add), and to which tenant they belong.
const NAMES: &[&str] = &[
    "sub",
    "preferred_username",
    "username",
    "user_name",
    "user_id",
    "uid",
    "email",
    "upn",
    "tenant",
    "tenant_id",
    "tid",
    "org_id",
];

/// A word that an API uses for a role, a scope or an algorithm: at most 64 of letters, digits and `_ . : / - * +`, one letter
/// among them. Anything else may be a person's, and is not kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Word(Box<str>);

impl Word {
    /// The word, where it is one.
    pub fn new(text: &str) -> Option<Self> {
        let plain = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'/' | b'-' | b'*' | b'+')
        };
        let is_word = text.len() <= MAX_WORD
            && text.bytes().all(plain)
            && text.bytes().any(|byte| byte.is_ascii_alphabetic());
        is_word.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a caller may do, in the words of its API.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Grants {
    /// Roles and groups, sorted, at most 32.
    pub roles: Vec<Word>,
    /// Scopes and permissions, sorted, at most 32.
    pub scopes: Vec<Word>,
    /// Names that were none of a role or scope, or one too many.
    pub dropped: u16,
    /// A keyed hash of the words.
    pub id: u64,
}

impl Grants {
    /// Whether there is no word.
    pub const fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.scopes.is_empty()
    }

    pub(super) fn add_roles(&mut self, value: &Value) {
        words(value, &mut self.roles, &mut self.dropped);
    }

    pub(super) fn add_scopes(&mut self, value: &Value) {
        words(value, &mut self.scopes, &mut self.dropped);
    }

    /// Sorts the words and makes their hash; `None` where there are none.
    pub(super) fn finish(mut self, tokens: &Tokens) -> Option<Arc<Self>> {
        if self.is_empty() {
            return None;
        }
        let mut hash = tokens.hasher();
        for words in [&mut self.roles, &mut self.scopes] {
            words.sort_unstable();
            words.dedup();
            for word in words.iter() {
                hash.write(word.as_str().as_bytes());
                hash.write_u8(0);
            }
            hash.write_u8(1);
        }
        self.id = hash.finish();
        Some(Arc::new(self))
    }
}

/// Takes the words of a text with spaces (RFC 8693, 4.2) or of a list.
fn words(value: &Value, into: &mut Vec<Word>, dropped: &mut u16) {
    let mut take = |text: &str| {
        match Word::new(text).filter(|_| into.len() < MAX_WORDS) {
            Some(word) => into.push(word),
            None => *dropped = dropped.saturating_add(1),
        };
    };
    match value {
        Value::String(text) => {
            text.split([' ', ',', '\t']).filter(|part| !part.is_empty()).for_each(&mut take);
        }
        Value::Array(list) => list.iter().filter_map(Value::as_str).for_each(take),
        _ => {}
    }
}

/// Header and claims of a JSON Web Token. Whom it names is only kept as keyed tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// `alg` of the header, as it stands there.
    pub algorithm: Option<Word>,
    /// `typ` of the header.
    pub media_type: Option<Word>,
    /// Whether the header names a key (`kid`).
    pub key_id: bool,
    /// Whom it names: issuer and subject, else issuer and client.
    pub identity: Option<Token>,
    /// The issuer.
    pub issuer: Option<Token>,
    /// The subject alone.
    pub subject: Option<Token>,
    /// Hashes of what names the subject: its identifier, its user name, its e-mail address, its tenant.
    pub names: Vec<u64>,
    /// For whom it is; of several the first.
    pub audience: Option<Token>,
    /// The client it was issued to (`azp`, `client_id`).
    pub client: Option<Token>,
    /// `iat`, in seconds since 1970.
    pub issued_at: Option<i64>,
    /// `nbf`, likewise.
    pub not_before: Option<i64>,
    /// `exp`, likewise.
    pub expires: Option<i64>,
    /// Roles and scopes, where it has any.
    pub grants: Option<Arc<Grants>>,
}

impl Claims {
    /// Whether its header says that nothing signs it (RFC 7519, 6).
    pub fn is_unsigned(&self) -> bool {
        self.algorithm.as_ref().is_some_and(|name| name.as_str().eq_ignore_ascii_case("none"))
    }

    /// Seconds from its issue, else from its beginning, to its end.
    pub fn lifetime(&self) -> Option<i64> {
        Some(self.expires?.saturating_sub(self.issued_at.or(self.not_before)?))
    }
}

/// Whether that can be a JSON Web Token in compact form (RFC 7515, 7.1): `{"` in base64, and three parts.
pub(super) fn is_jwt(text: &[u8]) -> bool {
    text.starts_with(b"eyJ") && memchr::memchr_iter(b'.', text).count() == 2
}

impl Reader<'_> {
    /// What a token claims; `None` where its claims cannot be read.
    pub(super) fn claims(&mut self, jwt: &[u8]) -> Option<Claims> {
        let mut parts = jwt.split(|byte| *byte == b'.');
        let header = object(parts.next()?).unwrap_or_default();
        let body = object(parts.next()?)?;
        let issuer = text(body.get("iss")).unwrap_or_default();
        let subject = text(body.get("sub"));
        let client = text(body.get("azp").or_else(|| body.get("client_id")));
        let audience = body.get("aud").map(|aud| aud.as_array().and_then(|all| all.first()).unwrap_or(aud));
        let identity = match (&subject, &client) {
            (Some(subject), _) => Some(format!("{issuer}\0{subject}")),
            (None, Some(client)) => Some(format!("{issuer}\0client\0{client}")),
            (None, None) => None,
        };
        let ids = self.tokens.ids();
        let named = NAMES.iter().filter_map(|name| ids.hash(text(body.get(*name))?.as_bytes()));
        let names = named.collect();
        let mut grants = Grants::default();
        body.iter().for_each(|(name, value)| grant(&mut grants, name, value));
        Some(Claims {
            algorithm: word(header.get("alg")),
            media_type: word(header.get("typ")),
            key_id: header.contains_key("kid"),
            identity: self.identity(identity.as_deref()),
            issuer: self.identity(Some(&issuer)),
            subject: self.identity(subject.as_deref()),
            names,
            audience: self.identity(text(audience).as_deref()),
            client: self.identity(client.as_deref()),
            issued_at: seconds(body.get("iat")),
            not_before: seconds(body.get("nbf")),
            expires: seconds(body.get("exp")),
            grants: grants.finish(self.tokens),
        })
    }

    fn identity(&mut self, name: Option<&str>) -> Option<Token> {
        let name = name.filter(|name| !name.is_empty())?;
        Some(self.tokens.token(Domain::Identity, name.as_bytes()))
    }
}

/// Takes what a claim of that name grants. Claims of an issuer's own have its name in front: `https://shop.example/roles`,
/// `cognito:groups`.
fn grant(grants: &mut Grants, name: &str, value: &Value) {
    let own = name.rsplit(['/', ':']).next().unwrap_or(name);
    match own {
        "scope" | "scp" | "scopes" | "permissions" => grants.add_scopes(value),
        "roles" | "role" | "groups" | "authorities" => grants.add_roles(value),
        "realm_access" => value.get("roles").into_iter().for_each(|roles| grants.add_roles(roles)),
        "resource_access" => {
            let clients = value.as_object().into_iter().flat_map(Map::values);
            clients.filter_map(|client| client.get("roles")).for_each(|roles| grants.add_roles(roles));
        }
        _ => {}
    }
}

fn object(part: &[u8]) -> Option<Map<String, Value>> {
    let Object(members) = serde_json::from_slice(&percent::base64(part, MAX_PART)?).ok()?;
    Some(members)
}

/// A JSON object whose names are distinct: of two subjects nobody knows which one the server takes (RFC 7519, 4).
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with distinct names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Object, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = from.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name twice"));
            }
        }
        Ok(Object(members))
    }
}

/// A claim as text; some issuers write subjects as numbers.
fn text(claim: Option<&Value>) -> Option<String> {
    match claim? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn word(claim: Option<&Value>) -> Option<Word> {
    Word::new(claim?.as_str()?)
}

/// A NumericDate (RFC 7519, 2), which may have a fraction.
#[allow(clippy::cast_possible_truncation, reason = "a fraction of a second is of no use, and `as` saturates")]
fn seconds(claim: Option<&Value>) -> Option<i64> {
    let number = claim?.as_number()?;
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenKey;

    const KEY: TokenKey = TokenKey::new([7; 32]);

    fn encode(text: &str) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut out = String::new();
        for chunk in text.as_bytes().chunks(3) {
            let mut bytes = [0; 4];
            bytes[1..=chunk.len()].copy_from_slice(chunk);
            let bits = u32::from_be_bytes(bytes);
            for index in 0..=chunk.len() {
                out.push(char::from(ALPHABET[(bits >> (18 - 6 * index) & 63) as usize]));
            }
        }
        out
    }

    fn read(header: &str, body: &str) -> Option<Claims> {
        let jwt = format!("{}.{}.c2ln", encode(header), encode(body));
        assert!(is_jwt(jwt.as_bytes()), "{header}");
        let mut tokens = Tokens::new(KEY);
        Reader { tokens: &mut tokens }.claims(jwt.as_bytes())
    }

    fn roles(claims: &Claims) -> Vec<&str> {
        claims.grants.iter().flat_map(|grants| &grants.roles).map(Word::as_str).collect()
    }

    fn scopes(claims: &Claims) -> Vec<&str> {
        claims.grants.iter().flat_map(|grants| &grants.scopes).map(Word::as_str).collect()
    }

    #[test]
    fn header_and_claims_are_read() {
        let claims = read(
            r#"{"alg":"RS256","typ":"at+jwt","kid":"k1"}"#,
            r#"{"iss":"https://id.example","sub":"u1","aud":["shop","pay"],"azp":"app","iat":100,"nbf":90,"exp":3700.5}"#,
        )
        .expect("claims");
        let token = |name: &str| Some(KEY.token(Domain::Identity, name.as_bytes()));
        assert_eq!(claims.algorithm.as_ref().map(Word::as_str), Some("RS256"));
        assert_eq!(claims.media_type.as_ref().map(Word::as_str), Some("at+jwt"));
        assert!(claims.key_id && !claims.is_unsigned());
        assert_eq!(claims.identity, token("https://id.example\0u1"));
        assert_eq!((claims.audience, claims.client), (token("shop"), token("app")));
        assert_eq!((claims.expires, claims.lifetime()), (Some(3700), Some(3600)));
    }

    #[test]
    fn a_token_without_subject_names_its_client() {
        let claims = read(r#"{"alg":"none"}"#, r#"{"iss":"i","client_id":"batch"}"#).expect("claims");
        assert_eq!(claims.identity, Some(KEY.token(Domain::Identity, b"i\0client\0batch")));
        assert!(claims.is_unsigned());
        assert_eq!(read("{\"alg\":\"HS256\"}", "{}").expect("claims").identity, None);
    }

    #[test]
    fn roles_and_scopes_of_many_issuers() {
        for (body, wanted) in [
            (r#"{"roles":["b","a"]}"#, &["a", "b"][..]),
            (r#"{"role":"admin"}"#, &["admin"]),
            (r#"{"groups":["x"]}"#, &["x"]),
            (r#"{"realm_access":{"roles":["realm"]}}"#, &["realm"]),
            (r#"{"resource_access":{"shop":{"roles":["clerk"]}}}"#, &["clerk"]),
            (r#"{"https://shop.example/roles":["vip"]}"#, &["vip"]),
            (r#"{"cognito:groups":["staff"]}"#, &["staff"]),
        ] {
            assert_eq!(roles(&read("{\"alg\":\"HS256\"}", body).expect("claims")), wanted, "{body}");
        }
        for (body, wanted) in [
            (r#"{"scope":"read:all write:own"}"#, &["read:all", "write:own"][..]),
            (r#"{"scp":["a.b"]}"#, &["a.b"]),
            (r#"{"permissions":["orders.read"]}"#, &["orders.read"]),
        ] {
            assert_eq!(scopes(&read("{\"alg\":\"HS256\"}", body).expect("claims")), wanted, "{body}");
        }
    }

    #[test]
    fn names_that_may_be_peoples_are_dropped_and_counted() {
        let body =
            format!(r#"{{"roles":["ok","jane@shop.example","{}","12345","a b","é"]}}"#, "x".repeat(65));
        let claims = read(r#"{"alg":"HS256"}"#, &body).expect("claims");
        assert_eq!(roles(&claims), ["ok"]);
        assert_eq!(claims.grants.map(|grants| grants.dropped), Some(5));
        let many: Vec<String> = (0..40).map(|n| format!("\"r{n}\"")).collect();
        let claims =
            read(r#"{"alg":"HS256"}"#, &format!(r#"{{"roles":[{}]}}"#, many.join(","))).expect("claims");
        assert_eq!(claims.grants.map(|grants| (grants.roles.len(), grants.dropped)), Some((32, 8)));
    }

    #[test]
    fn what_cannot_be_read_claims_nothing() {
        let mut tokens = Tokens::new(KEY);
        for jwt in ["eyJ..", "eyJhbGciOiJIUzI1NiJ9.bm9qc29u.x", "eyJhbGciOiJIUzI1NiJ9.!!!.x"] {
            assert_eq!(Reader { tokens: &mut tokens }.claims(jwt.as_bytes()), None, "{jwt}");
        }
    }
}
