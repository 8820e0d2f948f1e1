//! Names and passwords that were tried, and whether they were right: by the status, by what is handed out, and by what the
//! body says where a service answers failures with 200.

use super::Seen;
use super::ages::{Ages, Forgotten};
use super::basic::{Basics, basic};
use super::shapes::Names;
use tapwire_inspect::{CredentialKind, Fact, Grant, Issuance, PayloadState, Place, Token};

/// Places where names and passwords are tried that are remembered.
const MAX_PLACES: usize = 4096;
/// Logins that handed something out, from which on a page or a way back has refused one.
const USUALLY: u32 = 3;
/// Seconds after which a place that was not met is forgotten.
const SPAN: i64 = 30 * 86_400;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It was let in.
    Succeeded,
    /// It was refused.
    Failed,
    /// The answer was not seen, or does not tell.
    Unknown,
}

/// A name and a password that were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    /// The keyed token of the name; `None` where it stands in a document that was not taken apart.
    pub user: Option<Token>,
    /// The keyed token of the password.
    pub password: Option<Token>,
    /// What came of it.
    pub result: Tried,
    /// How many were tried in this one request, as batches and aliases of GraphQL allow.
    pub tries: u32,
    /// How many of these were refused, at least.
    pub refused: u32,
    /// A hash of the answer's length and status.
    pub answer: u64,
}

impl Login {
    /// One name with one password.
    pub(super) fn one(user: Token, password: Option<Token>, result: Tried, seen: &Seen<'_>) -> Self {
        let refused = (result == Tried::Failed).into();
        Self { user: Some(user), password, result, tries: 1, refused, answer: answer(seen) }
    }
}

/// What is known of places where logins are tried.
pub(super) struct Logins {
    /// Logins that handed out a credential, by a hash of service and template.
    pub(super) issued: Ages<u32>,
    /// Those that were answered with the form once more, by the same.
    pub(super) repeated: Ages<u32>,
    pub(super) basics: Basics,
}

impl Logins {
    pub(super) fn new(callers: usize) -> Self {
        let places = (callers / 20).min(MAX_PLACES);
        Self {
            issued: Ages::new(places, SPAN),
            repeated: Ages::new(places, SPAN),
            basics: Basics::new(places, callers / 4),
        }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.issued.forgotten().and(self.repeated.forgotten()).and(self.basics.forgotten())
    }

    /// What a call tries.
    pub(super) fn hear(&mut self, seen: &Seen<'_>) -> Option<Login> {
        let issuance = seen.observation.issuance.as_deref();
        let issuance = issuance.filter(|issuance| issuance.grant == Some(Grant::Password));
        issuance
            .and_then(|issuance| self.shown(seen, issuance))
            .or_else(|| graphql(seen))
            .or_else(|| self.xml_rpc(seen, issuance?))
            .or_else(|| self.basics.hear(seen))
    }

    /// A name and a password in a body, or as Basic credentials.
    fn shown(&mut self, seen: &Seen<'_>, issuance: &Issuance) -> Option<Login> {
        let method = seen.observation.exchange.request_head()?.method()?;
        let posts = seen.is_post || method.is(b"GET") || method.is(b"PUT");
        let place = seen.shape.place;
        let usually = self.issued.met(place, seen.now).copied().unwrap_or(0);
        let hands_out = !issuance.issued.is_empty() && issuance.succeeded;
        let is_login = hands_out || usually > 0 || seen.shape.names == Names::Login;
        let user = issuance.user.filter(|_| is_login && posts && seen.shape.names != Names::SignUp)?;
        let result = match result(seen.status, issuance, hands_out, usually) {
            // A way to elsewhere, where a wrong password leads to the form.
            Tried::Unknown if leads_on(seen.status) && self.repeated.met(place, seen.now).is_some() => {
                Tried::Succeeded
            }
            result => result,
        };
        for (table, more) in [(&mut self.issued, hands_out), (&mut self.repeated, issuance.asks_again)] {
            if more {
                let count = table.met_or_new(place, seen.now);
                *count = count.saturating_add(1);
            }
        }
        Some(Login::one(user, password(seen), result, seen))
    }
}

impl Logins {
    /// Names and passwords that calls of XML-RPC show, one or several in one request.
    fn xml_rpc(&mut self, seen: &Seen<'_>, issuance: &Issuance) -> Option<Login> {
        let said = seen.observation.said.as_deref()?;
        let count = |name: &str| match said.fact("xmlrpc", name) {
            Some(Fact::Count(count)) => u32::try_from(*count).unwrap_or(u32::MAX),
            _ => 0,
        };
        let (tries, user) = (count("logins"), issuance.user);
        let is_answered =
            seen.status == Some(200) && seen.observation.response_payload.state == PayloadState::Read;
        let (result, refused) = match (count("faults"), count("refused")) {
            _ if tries == 0 => return None,
            _ if !is_answered => (Tried::Unknown, 0),
            (_, refused) if refused >= tries => (Tried::Failed, tries),
            (0, _) => (Tried::Succeeded, 0),
            (faults, 0) if faults >= tries => (Tried::Unknown, 0),
            (_, refused) => (Tried::Succeeded, refused),
        };
        let password = password(seen).filter(|_| tries == 1);
        if let (Some(user), Some(password)) = (user, password)
            && !self.basics.is_new(seen, user, password, result)
        {
            return None;
        }
        Some(Login { user, password, result, tries, refused, answer: answer(seen) })
    }
}

/// The password of a body, else that of Basic credentials.
fn password(seen: &Seen<'_>) -> Option<Token> {
    let mut shown = seen.observation.credentials.iter();
    let body = shown.find(|one| one.kind == CredentialKind::Password && one.place == Place::Body);
    body.map(|one| one.token).or_else(|| basic(seen)?.password)
}

const fn leads_on(status: Option<u16>) -> bool {
    matches!(status, Some(301..=303 | 307 | 308))
}

/// What an answer says of a login: only what refuses it says that it failed. A second factor that is asked for, a limit that
/// is reached, a name that is taken and an answer that was not seen do not.
fn result(status: Option<u16>, issuance: &Issuance, hands_out: bool, usually: u32) -> Tried {
    match status {
        Some(400 | 401 | 403 | 422 | 423) => Tried::Failed,
        // A path that is not there logs nobody in; a name that is not there does, elsewhere.
        Some(404) if usually > 0 || issuance.says_failed => Tried::Failed,
        Some(200..=399) if hands_out => Tried::Succeeded,
        Some(200..=399) if issuance.says_failed || issuance.asks_again => Tried::Failed,
        // The form once more, or a way back to it.
        Some(200..=399) if !issuance.succeeded && usually >= USUALLY => Tried::Failed,
        Some(301..=308) if !issuance.succeeded => Tried::Failed,
        _ => Tried::Unknown,
    }
}

/// A hash of what tells answers apart without reading them.
fn answer(seen: &Seen<'_>) -> u64 {
    let len = seen.observation.response_payload.decoded_len;
    super::mix(len, seen.status.map_or(0, u64::from))
}

/// Mutations that log in: many of them in one request are many tries.
fn graphql(seen: &Seen<'_>) -> Option<Login> {
    let said = seen.observation.said.as_deref()?;
    let facts = said.facts("graphql")?;
    let within = facts.iter().find_map(|(key, fact)| match fact {
        Fact::List(list) if *key == "operations" => Some(list.as_slice()),
        _ => None,
    });
    let count = |name: &str| match said.fact("graphql", name) {
        Some(Fact::Count(count)) => *count,
        _ => 0,
    };
    let tries = match within {
        None => match logins(facts) {
            (0, _) => 0,
            // Aliases of one field are as many tries; beside others nobody knows whose they are.
            (_, true) => count("aliases").max(1).max(count("batch")),
            (some, false) => some,
        },
        Some(list) => {
            let each =
                list.iter().filter_map(|one| if let Fact::Group(group) = one { Some(group) } else { None });
            let (all, some) = each.fold((true, 0), |(all, sum), group| {
                let (logins, only) = logins(group);
                (all && only, sum + logins)
            });
            if all && some > 0 { count("batch").max(count("aliases")).max(some) } else { some }
        }
    };
    if tries == 0 {
        return None;
    }
    let handed = seen.observation.issuance.as_ref().is_some_and(|issuance| !issuance.issued.is_empty());
    let tries = u32::try_from(tries).unwrap_or(u32::MAX);
    let errors = u32::try_from(count("errors")).unwrap_or(u32::MAX);
    // Of many in one request one may succeed where the others are errors.
    let (result, refused) = match (said.failed || errors > 0, handed) {
        (_, true) => (Tried::Succeeded, errors.min(tries - 1)),
        (true, false) => (Tried::Failed, tries),
        (false, false) => (Tried::Unknown, 0),
    };
    Some(Login { user: None, password: None, result, tries, refused, answer: answer(seen) })
}

/// How many root fields of an operation log in, and whether it is a mutation that does nothing else.
fn logins(operation: &[(&'static str, Fact)]) -> (u64, bool) {
    let fact = |name: &str| operation.iter().find(|(key, _)| *key == name).map(|(_, fact)| fact);
    if !matches!(fact("type"), Some(Fact::Own("mutation"))) {
        return (0, false);
    }
    let Some(Fact::List(fields)) = fact("root_fields") else { return (0, false) };
    let is = |field: &&Fact| matches!(field, Fact::Name(name) if logs_in(name.as_str()));
    let logins = fields.iter().filter(is).count();
    (logins as u64, logins == fields.len())
}

/// Whether the words of a mutation's name say that it logs in: `userLogin`, `signIn`, `tokenAuth`.
fn logs_in(name: &str) -> bool {
    const WORDS: &[&str] = &["login", "signin", "logon", "authenticate"];
    const PAIRS: &[[&str; 2]] = &[
        ["sign", "in"],
        ["log", "in"],
        ["token", "auth"],
        ["create", "token"],
        ["token", "create"],
        ["obtain", "token"],
    ];
    let words = tapwire_inspect::name_words(name);
    words.iter().any(|word| WORDS.contains(&word.as_str()))
        || words.windows(2).any(|two| PAIRS.iter().any(|pair| two.iter().eq(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_that_log_in_are_told_by_whole_words() {
        for name in ["login", "userLogin", "signIn", "sign_in", "tokenAuth", "createToken", "Authenticate"] {
            assert!(logs_in(name), "{name}");
        }
        for name in ["catalogInfo", "logins2go", "blogInput", "designInfo", "createTokenizer", "logout", ""] {
            assert!(!logs_in(name), "{name}");
        }
    }
}
