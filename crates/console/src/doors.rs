//! Who asks: sessions of those that logged in, how often somebody may try, and what is noted of it.

use crate::users::{Role, Roll};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A session ends that long after the log-in, and that long after it was last used.
const LONGEST: Duration = Duration::from_secs(12 * 3_600);
const IDLE: Duration = Duration::from_secs(3_600);
const SESSIONS: usize = 1_000;
/// Failed log-ins from one address, and of one name, before the next has to wait.
const TRIES: u32 = 5;
const TRIES_OF_NAME: u32 = 20;
/// How long it waits.
const WAIT: Duration = Duration::from_secs(300);
const REMEMBERED: usize = 10_000;

/// Where users are kept, and what they did is noted.
pub trait Keeper: Send + Sync {
    /// Those that are kept now. Nobody: there is no log-in.
    fn users(&self) -> Arc<Roll>;

    /// Notes a line in the audit log.
    ///
    /// # Errors
    /// Why it could not be noted, in a line.
    fn note(&self, line: &Value) -> Result<(), String>;

    /// The last lines of the audit log, the latest first.
    fn noted(&self) -> Vec<Value>;
}

/// Somebody who may ask.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// What forms bring along, so that no page of another site can send one.
    pub(crate) token: String,
    /// Whether there is a session to end.
    pub(crate) logged_in: bool,
}

struct Session {
    name: String,
    mark: [u8; 32],
    token: String,
    began: Instant,
    used: Instant,
}

/// Why a log-in was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Wrong,
    TooOften,
}

pub(crate) struct Doors {
    keeper: Arc<dyn Keeper>,
    /// Whether only this machine can ask.
    is_local: bool,
    is_tls: bool,
    /// The token of forms where there is no log-in.
    token: String,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    /// By the digest of the cookie: looking one up tells nothing by its time.
    sessions: HashMap<[u8; 32], Session>,
    failed: HashMap<String, (u32, Instant)>,
}

impl Doors {
    /// `None` where the system has no random bytes.
    pub(crate) fn new(keeper: Arc<dyn Keeper>, is_local: bool, is_tls: bool) -> Option<Self> {
        Some(Self { keeper, is_local, is_tls, token: random()?, inside: Mutex::default() })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Each change is one insertion or removal, so whoever panicked left it whole.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn is_local(&self) -> bool {
        self.is_local
    }

    /// Whether somebody has to log in.
    pub(crate) fn are_closed(&self) -> bool {
        !self.is_local || !self.keeper.users().is_empty()
    }

    pub(crate) fn keeper(&self) -> &Arc<dyn Keeper> {
        &self.keeper
    }

    /// The cookie's name: browsers take one that begins so only from TLS, for this host, for all of it.
    pub(crate) const fn cookie(&self) -> &'static str {
        if self.is_tls { "__Host-tapwire" } else { "tapwire" }
    }

    /// The header that sets the cookie; an empty value ends it.
    pub(crate) fn set_cookie(&self, value: &str) -> String {
        let secure = if self.is_tls { "; Secure" } else { "" };
        let age = if value.is_empty() { "; Max-Age=0" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}", self.cookie())
    }

    /// Whoever has that cookie; without log-in, whoever asks.
    pub(crate) fn visitor(&self, cookie: Option<&str>) -> Option<Visitor> {
        if !self.are_closed() {
            let token = self.token.clone();
            return Some(Visitor { name: "local".into(), role: Role::Admin, token, logged_in: false });
        }
        let key = sha256(cookie?);
        let users = self.keeper.users();
        let mut inside = self.inside();
        let session = inside.sessions.get_mut(&key)?;
        let holds = session.began.elapsed() < LONGEST
            && session.used.elapsed() < IDLE
            && users.mark(&session.name) == Some(session.mark);
        let (Some(role), true) = (users.role(&session.name), holds) else {
            inside.sessions.remove(&key);
            return None;
        };
        session.used = Instant::now();
        let (name, token) = (session.name.clone(), session.token.clone());
        Some(Visitor { name, role, token, logged_in: true })
    }

    /// A new session for whoever knows the password: its cookie. Takes as long as Argon2 does.
    pub(crate) fn log_in(&self, name: &str, password: &str, from: IpAddr) -> Result<String, Refused> {
        let role = self.prove(name, password, from)?;
        let users = self.keeper.users();
        let (Some(cookie), Some(token), Some(mark)) = (random(), random(), users.mark(name)) else {
            return Err(Refused::Wrong);
        };
        let now = Instant::now();
        let session = Session { name: name.to_owned(), mark, token, began: now, used: now };
        let mut inside = self.inside();
        inside.sessions.retain(|_, one| one.began.elapsed() < LONGEST && one.used.elapsed() < IDLE);
        if inside.sessions.len() >= SESSIONS {
            let oldest = inside.sessions.iter().min_by_key(|(_, one)| one.used).map(|(key, _)| *key);
            oldest.map(|key| inside.sessions.remove(&key));
        }
        inside.sessions.insert(sha256(&cookie), session);
        drop(inside);
        self.note(name, "log-in", &json!({"from": from.to_string(), "role": role.name()}));
        Ok(cookie)
    }

    /// The role of whoever knows the password, unless it was tried too often.
    pub(crate) fn prove(&self, name: &str, password: &str, from: IpAddr) -> Result<Role, Refused> {
        let keys = [(format!("a {from}"), TRIES), (format!("n {name}"), TRIES_OF_NAME)];
        if !self.inside().may_try(&keys) {
            return Err(Refused::TooOften);
        }
        match self.keeper.users().check(name, password) {
            Some(role) => {
                let mut inside = self.inside();
                inside.failed.retain(|known, _| keys.iter().all(|(key, _)| key != known));
                Ok(role)
            }
            None => {
                self.inside().fail(&keys);
                self.note("", "log-in refused", &json!({"from": from.to_string()}));
                Err(Refused::Wrong)
            }
        }
    }

    pub(crate) fn log_out(&self, cookie: &str) {
        let ended = self.inside().sessions.remove(&sha256(cookie));
        ended.into_iter().for_each(|session| self.note(&session.name, "log-out", &json!({})));
    }

    fn note(&self, name: &str, action: &str, more: &Value) {
        let line = json!({"action": action, "user": name, "more": more});
        // Nothing was disclosed or changed by it; what is, is refused where it cannot be noted.
        if let Err(why) = self.keeper.note(&line) {
            eprintln!("tapwire: the audit log: {why}");
        }
    }
}

impl Inside {
    fn may_try(&mut self, keys: &[(String, u32)]) -> bool {
        if self.failed.len() >= REMEMBERED {
            self.failed.retain(|_, (_, last)| last.elapsed() < WAIT);
        }
        let is_free = |(key, most): &(String, u32)| {
            self.failed.get(key).is_none_or(|(tries, last)| tries < most || last.elapsed() >= WAIT)
        };
        self.failed.len() < REMEMBERED && keys.iter().all(is_free)
    }

    fn fail(&mut self, keys: &[(String, u32)]) {
        for (key, _) in keys {
            let (tries, last) = self.failed.entry(key.clone()).or_insert((0, Instant::now()));
            *tries = if last.elapsed() >= WAIT { 1 } else { tries.saturating_add(1) };
            *last = Instant::now();
        }
    }
}

fn sha256(text: &str) -> [u8; 32] {
    digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap_or_default()
}

/// 256 random bits in hexadecimal digits.
fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether two tokens are one; looks at digests, so that time tells nothing.
pub(crate) fn same(one: &str, other: &str) -> bool {
    sha256(one) == sha256(other)
}
