//! What the parts ask of a service and a path template, worked out once for each.

use super::{hash, mix};
use crate::hashing::Keyed;
use std::sync::Arc;

/// Slots of the cache; a power of two.
const SLOTS: usize = 1024;
/// Parameters of a template that are told apart.
const MAX_PARAMETERS: usize = 8;
/// Words of paths whose parameter names somebody.
const PEOPLE: &[&str] = &[
    "users",
    "user",
    "accounts",
    "account",
    "members",
    "member",
    "customers",
    "customer",
    "patients",
    "employees",
    "people",
    "persons",
    "profiles",
    "profile",
    "students",
    "clients",
    "owners",
    "admins",
    "agents",
    "drivers",
    "subscribers",
    "contacts",
];

/// A parameter of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameter {
    /// The number of its segment, from 0.
    pub(super) at: u8,
    /// A hash of the service and of the word before it: what it names.
    pub(super) kind: u64,
    /// Whether that word is one for people.
    pub(super) person: bool,
}

/// A service with a template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shape {
    pub(super) service: u64,
    /// A hash of both.
    pub(super) place: u64,
    pub(super) parameters: Vec<Parameter>,
    /// The kind of what a template without parameter behind it lists or makes: its last word's.
    pub(super) collection: Option<u64>,
    /// The last word says that one logs in there, or that an account is made there, or that it is got back there.
    pub(super) names: Names,
}

/// What a template's last word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Names {
    /// Names and passwords are shown there.
    Login,
    /// A new account is made there: a name that is taken is no failed login.
    SignUp,
    #[default]
    Other,
}

/// Shapes by the texts they were made of. They are held, so that an address in memory stands for one text.
pub(super) struct Shapes {
    slots: Box<[Option<Slot>]>,
}

struct Slot {
    service: Arc<str>,
    template: Arc<str>,
    shape: Arc<Shape>,
}

impl Default for Shapes {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| None).collect() }
    }
}

impl Shapes {
    pub(super) fn of(&mut self, hashing: &Keyed, service: &Arc<str>, template: &Arc<str>) -> Arc<Shape> {
        let at = |text: &Arc<str>| text.as_ptr().addr() >> 4;
        let place = (at(template) ^ at(service).rotate_left(5)) % SLOTS;
        let Some(slot) = self.slots.get_mut(place) else { return Arc::default() };
        if let Some(known) = slot
            && Arc::ptr_eq(&known.template, template)
            && Arc::ptr_eq(&known.service, service)
        {
            return Arc::clone(&known.shape);
        }
        let shape = Arc::new(Shape::new(hashing, service, template));
        let (service, template) = (Arc::clone(service), Arc::clone(template));
        *slot = Some(Slot { service, template, shape: Arc::clone(&shape) });
        shape
    }
}

impl Shape {
    fn new(hashing: &Keyed, service: &str, template: &str) -> Self {
        let service = hash(hashing, service.as_bytes());
        let kind = |word: &str| kind(hashing, service, word);
        let (mut parameters, mut word) = (Vec::new(), "");
        for (at, segment) in (0_u8..).zip(template.split('/').skip(1)) {
            if !segment.contains('{') {
                // A version names nothing: `/users/v1/{name}`.
                word = if is_version(segment) && !word.is_empty() { word } else { segment };
            } else if parameters.len() < MAX_PARAMETERS {
                let person = PEOPLE.iter().any(|known| known.eq_ignore_ascii_case(word));
                parameters.push(Parameter { at, kind: kind(word), person });
            }
        }
        let trimmed = template.trim_end_matches('/');
        let (before, last) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
        Self {
            service,
            place: mix(service, hash(hashing, template.as_bytes())),
            parameters,
            collection: (!last.is_empty() && !last.contains('{')).then(|| kind(last)),
            names: names(before.rsplit('/').next().unwrap_or_default(), last),
        }
    }

    /// The last parameter.
    pub(super) fn last(&self) -> Option<Parameter> {
        self.parameters.last().copied()
    }
}

fn is_version(segment: &str) -> bool {
    let digits = segment.strip_prefix(['v', 'V']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// A kind of things of a service: `orders` of a path and `order` of a query are one.
pub(super) fn kind(hashing: &Keyed, service: u64, word: &str) -> u64 {
    let plain = word.to_ascii_lowercase();
    let one = plain.strip_suffix('s').filter(|one| one.len() > 2).unwrap_or(&plain);
    mix(service, hash(hashing, one.as_bytes()))
}

/// What the last two words of a path say: `/auth/register` makes an account, `/login/password` is a login.
fn names(before: &str, last: &str) -> Names {
    const LOGINS: &[&str] = &[
        "login",
        "signin",
        "logon",
        "auth",
        "authenticate",
        "authentication",
        "token",
        "session",
        "sessions",
        "oauth",
        "logincheck",
        "jsecuritycheck",
        "jspringsecuritycheck",
        "jacegisecuritycheck",
    ];
    /// What such words end with: `wp-login.php`, `/admin_login`.
    const ENDS: &[&str] = &["login", "signin", "logon"];
    const SIGN_UPS: &[&str] =
        &["register", "registration", "registrations", "signup", "signups", "enroll", "join"];
    const WAYS: &[&str] = &["password", "local", "basic", "credentials", "email", "new", "create", "submit"];
    let plain = |word: &str| {
        let name = word.split('.').next().unwrap_or_default();
        name.replace(['-', '_'], "").to_ascii_lowercase()
    };
    let is = |word: &str, words: &[&str]| words.contains(&plain(word).as_str());
    let ends = |word: &str| ENDS.iter().any(|end| plain(word).ends_with(end));
    match () {
        () if is(last, SIGN_UPS) => Names::SignUp,
        () if is(last, LOGINS) || ends(last) || is(last, WAYS) && is(before, LOGINS) => Names::Login,
        () => Names::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_tells_kinds_apart_by_service_and_word() {
        let hashing = Keyed::new([7; 16]);
        let shape = |service: &str, template: &str| Shape::new(&hashing, service, template);
        let user = shape("shop", "/users/{userId}/orders");
        let order = shape("shop", "/api/orders/{orderId}");
        assert_eq!(order.last().map(|last| last.kind), Some(kind(&hashing, order.service, "order")));
        assert_eq!(user.collection, order.last().map(|last| last.kind));
        assert_ne!(user.last().map(|last| last.kind), order.last().map(|last| last.kind));
        assert_ne!(order.last(), shape("bank", "/api/orders/{orderId}").last());
        assert!(user.last().is_some_and(|last| last.person && last.at == 1));
        assert!(shape("shop", "/users/v1/{name}/password").last().is_some_and(|last| last.person));
        assert_eq!(shape("shop", "/auth/register").names, Names::SignUp);
        assert_eq!(shape("shop", "/auth/sign-in").names, Names::Login);
        assert_eq!(shape("shop", "/login/password").names, Names::Login);
        assert_eq!(shape("blog", "/wp-login.php").names, Names::Login);
        assert_eq!(shape("shop", "/auth/profile").names, Names::Other);
    }
}
