//! What detectors ask of a call, in one place.

use crate::{Outcome, Severity};
use tapwire_inventory::{Call, Endpoint, Principal, PrincipalKind, TokenFact};
use tapwire_protocol::Head;

/// Words of paths behind which only some callers belong.
const PRIVILEGED: Words = Words::of(&[
    "admin",
    "administrator",
    "administration",
    "internal",
    "manage",
    "management",
    "backoffice",
    "staff",
    "superuser",
    "root",
    "sudo",
    "ops",
    "console",
    "system",
]);
/// Roles that belong there.
const ROLES: &[&str] = &[
    "admin", "staff", "support", "operator", "ops", "manager", "root", "super", "service", "system", "owner",
    "internal", "agent",
];

/// Roles of accounts that programs use.
const PROGRAMS: &[&str] =
    &["service", "system", "batch", "bot", "robot", "machine", "worker", "integration", "daemon", "m2m"];

/// The status of the answer, where it was seen.
pub(crate) fn status(call: &Call) -> Option<u16> {
    call.observation.exchange.response_head().and_then(|head| head.status)
}

pub(crate) fn is_ok(call: &Call) -> bool {
    matches!(status(call), Some(200..=299))
}

/// Whether the server said no to who asks, or to what.
pub(crate) fn is_denied(call: &Call) -> bool {
    matches!(status(call), Some(401 | 403))
}

pub(crate) fn is_missing(call: &Call) -> bool {
    matches!(status(call), Some(404 | 410))
}

/// Whether the caller has a name of its own.
pub(crate) fn is_named(call: &Call) -> bool {
    call.principal.is_some_and(|principal| principal.kind != PrincipalKind::Network)
}

/// Who is behind a call, where its name is more than a claim: a token that nothing signs names whomever its maker wants to be.
pub(crate) fn actor(call: &Call) -> Option<Principal> {
    let is_claim = call.caller.facts.contains(TokenFact::Unsigned);
    call.principal.filter(|_| is_named(call) && !is_claim)
}

/// Whether a person calls, as far as that can be told: programs have keys and certificates.
pub(crate) fn is_person(call: &Call) -> bool {
    call.principal.is_some_and(|principal| {
        !matches!(principal.kind, PrincipalKind::Network | PrincipalKind::ApiKey | PrincipalKind::Certificate)
    })
}

pub(crate) fn method_is(call: &Call, methods: &[&[u8]]) -> bool {
    let method = call.observation.exchange.request_head().and_then(Head::method);
    method.is_some_and(|method| methods.contains(&method.bytes()))
}

/// Whether the call changes something.
pub(crate) fn writes(call: &Call) -> bool {
    method_is(call, &[b"POST", b"PUT", b"PATCH", b"DELETE"])
}

pub(crate) fn template(call: &Call) -> &str {
    call.template.as_deref().unwrap_or("/")
}

/// Words in lower case, with the letters that they begin with: nearly all words of paths and fields begin with another one.
pub(crate) struct Words {
    all: &'static [&'static str],
    first: u64,
}

impl Words {
    pub(crate) const fn of(all: &'static [&'static str]) -> Self {
        let (mut first, mut rest) = (0, all);
        while let [word, behind @ ..] = rest {
            if let [letter, ..] = word.as_bytes() {
                first |= 1 << (*letter & 63);
            }
            rest = behind;
        }
        Self { all, first }
    }

    /// Whether a word is one of these, in either case.
    pub(crate) fn has(&self, word: &[u8]) -> bool {
        let begins = |first: &u8| self.first >> (first.to_ascii_lowercase() & 63) & 1 == 1;
        word.first().is_some_and(begins)
            && self.all.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
    }
}

/// Whether a word of the template is one of these.
pub(crate) fn has_word(call: &Call, words: &Words) -> bool {
    let segments = template(call).as_bytes().split(|byte| *byte == b'/');
    let mut fixed = segments.filter(|segment| !segment.contains(&b'{'));
    fixed.any(|segment| {
        let mut parts = segment.split(|byte| matches!(byte, b'-' | b'_' | b'.'));
        parts.any(|part| words.has(part))
    })
}

/// Whether only some callers belong where a call goes, by its path.
pub(crate) fn is_privileged_place(call: &Call) -> bool {
    has_word(call, &PRIVILEGED)
}

/// Whether the caller's roles or scopes say that it belongs there; `None` where it has none.
pub(crate) fn has_privileged_role(call: &Call) -> Option<bool> {
    let grants = call.caller.grants.as_ref()?;
    let words = grants.roles.iter().chain(&grants.scopes);
    let is = |word: &str| ROLES.iter().any(|role| word.to_ascii_lowercase().contains(role));
    (!grants.is_empty()).then(|| words.into_iter().any(|word| is(word.as_str())))
}

/// Whether a role of the caller says that a program calls.
pub(crate) fn is_program(call: &Call) -> bool {
    let is_part = |part: &str| PROGRAMS.iter().any(|program| part.eq_ignore_ascii_case(program));
    let says = |role: &str| role.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_part);
    call.caller.grants.as_ref().is_some_and(|grants| grants.roles.iter().any(|role| says(role.as_str())))
}

/// How bad calls out of order are, and what came of them: enough were accepted, some, or none.
pub(crate) const fn came_to(worked: bool, accepted: u64) -> (Severity, Outcome) {
    match (worked, accepted) {
        (true, _) => (Severity::High, Outcome::Confirmed),
        (false, 0) => (Severity::Low, Outcome::Blocked),
        (false, _) => (Severity::Low, Outcome::Attempted),
    }
}

/// Calls of the endpoint that a call goes to, with this one.
pub(crate) fn calls_of_the_endpoint(_: &Call, endpoint: Option<&Endpoint>) -> u64 {
    endpoint.map_or(0, |endpoint| endpoint.calls)
}

/// A hash of where a call goes, for states that keep several apart.
pub(crate) fn place(call: &Call) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let method = call.observation.exchange.request_head().and_then(Head::method);
    let parts = [
        call.service.as_deref().unwrap_or("").as_bytes(),
        method.map_or(&b""[..], |method| method.bytes()),
        template(call).as_bytes(),
    ];
    for part in parts {
        for byte in part {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // A zero ends each.
        hash = hash.wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// A hash of bytes (FNV-1a), for states that keep several things apart.
pub(crate) fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A hash of the raw path: paths that no endpoint was made of differ by it.
pub(crate) fn path(call: &Call) -> u64 {
    let Some((head, range)) = call.observation.exchange.request_head().zip(call.observation.path) else {
        return 0;
    };
    hash(head.slice(range).bytes().iter().copied())
}

/// The network of an address as a number: a host of IPv4, what a site has of IPv6.
pub(crate) fn network(ip: std::net::IpAddr) -> u64 {
    match ip {
        std::net::IpAddr::V4(v4) => u64::from(v4.to_bits()),
        std::net::IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

/// A hash of the program that calls, as it says itself and as its TLS tells.
pub(crate) fn program(call: &Call) -> u64 {
    let fingerprint = call.caller.from.map_or(0, |from| from.fingerprint);
    let agent = call.observation.exchange.request_head().and_then(|head| head.header(b"user-agent"));
    agent
        .into_iter()
        .flat_map(|agent| agent.bytes())
        .fold(0xcbf2_9ce4_8422_2325 ^ u64::from(fingerprint), |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// A token as a number.
pub(crate) fn short(token: tapwire_inspect::Token) -> u64 {
    token.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
