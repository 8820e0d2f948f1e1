//! What opens something, where no provider's prefix names it.

use super::form::{Form, Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};
use crate::percent;

pub(super) const PRIVATE_KEY: DataClass = DataClass {
    name: "private-key",
    title: "Private key",
    summary: "The first line of a private key as PEM or OpenSSH or PGP write it",
    kind: ClassKind::Secret,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::Critical,
    keys: &["private key"],
    example: ("key", "-----BEGIN RSA PRIVATE KEY-----"),
    twin: "-----BEGIN RSA PUBLIC KEY-----",
    gate: Gate::new(Forms::ANY, 27, 65).first(b"-"),
    check: |value| is_private_key(value.text).then_some(Evidence::Sure),
};

pub(super) const JWT: DataClass = DataClass {
    name: "jwt",
    title: "JSON Web Token",
    summary: "Three parts in base64url, the first of which names an algorithm (RFC 7519)",
    kind: ClassKind::Secret,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::High,
    keys: &["jwt", "id token", "access token"],
    example: ("token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxNyJ9.c2lnbmF0dXJlLW9mLW5vLW9uZQ"),
    twin: "eyJiYWQiOiJIUzI1NiJ9.eyJzdWIiOiIxNyJ9.c2lnbmF0dXJlLW9mLW5vLW9uZQ",
    gate: Gate::new(Forms::of(&[Form::Token]), 20, 65).first(b"e"),
    check: |value| is_jwt(value.text).then_some(Evidence::Sure),
};

pub(super) const BASIC: DataClass = DataClass {
    name: "basic-credentials",
    title: "Name and password as of HTTP Basic",
    summary: "`Basic` with base64 of a name, a colon and a password (RFC 7617), or both in a URL",
    kind: ClassKind::Secret,
    region: None,
    strength: Strength::Certain,
    sensitivity: Sensitivity::Critical,
    keys: &["basic auth"],
    example: ("Authorization", "Basic amFuZTpjb3JyZWN0LWhvcnNl"),
    twin: "Basic amFuZS1jb3JyZWN0LWhvcnNl",
    gate: Gate::new(Forms::ANY, 10, 65).first(b"BbhHpPmMfFaAwWrRs"),
    check: |value| is_basic(value.text).then_some(Evidence::Sure),
};

pub(super) const PASSWORD: DataClass = DataClass {
    name: "password",
    title: "Password",
    summary: "A text under a name that says so; masks and hashes are left out",
    kind: ClassKind::Secret,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::Critical,
    keys: &[
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "new password",
        "old password",
        "current password",
        "passcode",
        "user password",
        "userpassword",
        "kennwort",
        "passwort",
        "contrasena",
        "senha",
    ],
    example: ("password", "correct-horse-7"),
    twin: "********",
    gate: Gate::new(Forms::ANY, 3, 65).texts(),
    check: password,
};

pub(super) const GENERIC: DataClass = DataClass {
    name: "api-key",
    title: "Key, token or secret",
    summary: "Sixteen characters and more that look random, under a name that says secret",
    kind: ClassKind::Secret,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::Critical,
    keys: &[
        "api key",
        "apikey",
        "api token",
        "api secret",
        "secret",
        "secret key",
        "client secret",
        "access key",
        "access token",
        "auth token",
        "refresh token",
        "bearer",
        "session token",
        "private key",
        "signing key",
        "encryption key",
        "auth key",
        "secret token",
        "app secret",
        "app key",
        "consumer secret",
        "consumer key",
        "webhook secret",
        "access key secret",
        "account key",
        "storage key",
        "secret access key",
        "shared secret",
        "oauth token",
        "id token",
        "master key",
        "license key",
        "service key",
        "subscription key",
        "connection string",
        "security token",
        "sas token",
        "deploy token",
        "private token",
        "personal access token",
        "credential",
    ],
    example: ("apiKey", "q7Rz0mVt4KxW9bLs2JdN"),
    twin: "please-change-me",
    gate: Gate::new(Forms::of(&[Form::Mixed, Form::Word, Form::Token]), 16, 65),
    check: generic,
};

/// RFC 7468 and what is usual beside it.
pub(super) fn is_private_key(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"-----BEGIN ") else { return false };
    let Some(end) = rest.windows(5).position(|window| window == b"-----") else { return false };
    let label = rest.get(..end).unwrap_or_default();
    label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK"
}

/// The first part is read, so that three words with points are no token.
pub(super) fn is_jwt(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"Bearer ").unwrap_or(text);
    let mut parts = text.split(|byte| *byte == b'.');
    let (Some(head), Some(claims), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    let written = head.iter().chain(claims).all(plain);
    // Encrypted tokens have no readable claims.
    written
        && head.starts_with(b"eyJ")
        && percent::base64(head, 512).is_some_and(|head| memchr::memmem::find(&head, b"\"alg\"").is_some())
}

pub(super) fn is_basic(text: &[u8]) -> bool {
    match text.split_at_checked(6) {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"basic ") => {
            percent::base64(secret.trim_ascii(), 256).is_some_and(|plain| {
                let colon = memchr::memchr(b':', &plain).unwrap_or(0);
                colon > 0 && plain.iter().all(|byte| *byte >= 0x20)
            })
        }
        _ => is_url_with_password(text),
    }
}

/// `scheme://name:password@host`, as connection strings have it.
fn is_url_with_password(text: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(text, b"://") else { return false };
    let scheme = text.get(..at).unwrap_or_default();
    let rest = text.get(at + 3..).unwrap_or_default();
    let authority = rest.split(|byte| matches!(byte, b'/' | b'?' | b'#' | b' ')).next().unwrap_or_default();
    let user = memchr::memrchr(b'@', authority).and_then(|at| authority.get(..at)).unwrap_or_default();
    let colon = memchr::memchr(b':', user).unwrap_or(0);
    let password = user.get(colon + 1..).unwrap_or_default();
    let hidden = password.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.'))
        || password.starts_with(b"$")
        || password.starts_with(b"{");
    (2..=20).contains(&scheme.len())
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'+')
        && colon > 0
        && !hidden
}

fn password(value: &Value<'_>) -> Option<Evidence> {
    let text = value.text;
    let hidden = text.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.')) || text.contains(&0xe2);
    let words: &[&[u8]] = &[
        b"null",
        b"none",
        b"true",
        b"false",
        b"string",
        b"undefined",
        b"required",
        b"optional",
        b"forgotten",
        b"expired",
        b"n/a",
        b"changed",
        b"invalid",
        b"hidden",
        b"redacted",
    ];
    let said = words.iter().any(|word| word.eq_ignore_ascii_case(text))
        || text.starts_with(b"$2")
        || text.starts_with(b"$argon2");
    let spaces = text.iter().filter(|byte| **byte == b' ').count();
    (!hidden && !said && spaces < 3).then_some(Evidence::Shape)
}

fn generic(value: &Value<'_>) -> Option<Evidence> {
    let text = value.text;
    let plain = text.iter().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'=' | b'.' | b'~' | b':')
    });
    (plain && !text.starts_with(b"http") && is_random(text)).then_some(Evidence::Shape)
}

/// Whether a text has the letters of a random one: 3.2 bits for each of its characters, or 3.0 in hexadecimal, and digits in it.
fn is_random(text: &[u8]) -> bool {
    let text = text.get(..64).unwrap_or(text);
    let mut counts = [0_u8; 128];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let len = f64::from(u8::try_from(text.len()).unwrap_or(u8::MAX));
    let share = |count: &u8| f64::from(*count) / len;
    let bits: f64 =
        counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum();
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    // Words are long runs of one case.
    let case = |byte: &u8| (byte.is_ascii_lowercase(), byte.is_ascii_uppercase());
    let words = text
        .chunk_by(|a, b| case(a) == case(b) && a.is_ascii_alphabetic())
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    (bits >= 3.0 && digits >= 2 && words <= 10) || bits >= 4.4
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn tokens_and_keys_name_themselves() {
        assert_eq!(found("x", "-----BEGIN PRIVATE KEY-----\nMIIEvQ"), ["private-key"]);
        assert_eq!(found("x", "-----BEGIN CERTIFICATE-----\nMIIEvQ"), [""; 0]);
        assert_eq!(found("x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."), ["jwt"]);
        assert_eq!(found("x", "www.example.com"), [""; 0]);
        assert_eq!(found("x", "postgres://app:s3cr3t-9@db.example:5432/shop"), ["basic-credentials"]);
        assert_eq!(found("x", "https://example.com:8080/a@b"), [""; 0]);
    }

    #[test]
    fn passwords_and_keys_need_a_name() {
        assert_eq!(found("user.password", "hunter2"), ["password"]);
        assert_eq!(found("title", "hunter2"), [""; 0]);
        assert_eq!(found("password", "$2b$12$abcdefghijklmnopqrstuv"), [""; 0]);
        assert_eq!(found("clientSecret", "8f14e45fceea167a5a36dedd4bea2543"), ["api-key"]);
        assert_eq!(found("etag", "8f14e45fceea167a5a36dedd4bea2543"), [""; 0]);
        assert_eq!(found("secret", "this-is-not-a-secret-value"), [""; 0]);
    }
}
