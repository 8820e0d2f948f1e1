//! Who asks: sessions of those that logged in, how often somebody may try, and what is noted of it.

use crate::tls::network;
use crate::users::{MOST_NAME, Role, Roll};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A session ends that long after the log-in, and that long after it was last used.
const LONGEST: Duration = Duration::from_secs(12 * 3_600);
const IDLE: Duration = Duration::from_secs(3_600);
const SESSIONS: usize = 1_000;
/// Failed log-ins from one network, and of one name, before the next has to wait.
const TRIES: u32 = 5;
const TRIES_OF_NAME: u32 = 20;
/// How long it waits.
const WAIT: Duration = Duration::from_secs(300);
const REMEMBERED: usize = 10_000;

/// Where users are kept, and what they did is noted.
pub trait Keeper: Send + Sync {
    /// Those that are kept now. Nobody: there is no log-in. `None`: that cannot be read, and nobody may come in.
    fn users(&self) -> Option<Arc<Roll>>;

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
    /// Whether somebody had to log in: then that stays so, or whoever removes the last user would let everybody in.
    were_closed: AtomicBool,
    /// The token of forms where there is no log-in.
    token: String,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    /// By the digest of the cookie: looking one up tells nothing by its time.
    sessions: HashMap<[u8; 32], Session>,
    /// By the digest of a network or a name. Where there is no room, what failed the longest ago is forgotten.
    failed: HashMap<[u8; 32], (u32, Instant)>,
}

/// Whether a request says that somebody is there; what a page asks for by itself does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Somebody,
    Page,
}

impl Doors {
    /// `None` where the system has no random bytes.
    pub(crate) fn new(keeper: Arc<dyn Keeper>, is_local: bool, is_tls: bool) -> Option<Self> {
        let were_closed = AtomicBool::new(false);
        Some(Self { keeper, is_local, is_tls, were_closed, token: random()?, inside: Mutex::default() })
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
        let nobody = self.keeper.users().is_some_and(|users| users.is_empty());
        let closed = !self.is_local || !nobody || self.were_closed.load(Ordering::Relaxed);
        self.were_closed.fetch_or(closed, Ordering::Relaxed);
        closed
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
    pub(crate) fn visitor(&self, cookie: Option<&str>, asks: Asks) -> Option<Visitor> {
        if !self.are_closed() {
            let token = self.token.clone();
            return Some(Visitor { name: "local".into(), role: Role::Admin, token, logged_in: false });
        }
        let key = sha256(cookie?);
        let users = self.keeper.users()?;
        let mut inside = self.inside();
        let session = inside.sessions.get_mut(&key)?;
        let holds = session.began.elapsed() < LONGEST
            && session.used.elapsed() < IDLE
            && users.mark(&session.name) == Some(session.mark);
        let (Some(role), true) = (users.role(&session.name), holds) else {
            inside.sessions.remove(&key);
            return None;
        };
        if asks == Asks::Somebody {
            session.used = Instant::now();
        }
        let (name, token) = (session.name.clone(), session.token.clone());
        Some(Visitor { name, role, token, logged_in: true })
    }

    /// A new session for whoever knows the password: its cookie. Takes as long as Argon2 does.
    pub(crate) fn log_in(&self, name: &str, password: &str, from: IpAddr) -> Result<String, Refused> {
        let role = self.prove(name, password, from)?;
        let mark = self.keeper.users().and_then(|users| users.mark(name));
        let (Some(cookie), Some(token), Some(mark)) = (random(), random(), mark) else {
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
        let of_name = (name.len() <= MOST_NAME).then(|| (sha256(&format!("n {name}")), TRIES_OF_NAME));
        let of_network = (sha256(&format!("a {}", network(from))), TRIES);
        let keys: Vec<([u8; 32], u32)> = [of_network].into_iter().chain(of_name).collect();
        if !self.inside().may_try(&keys) {
            return Err(Refused::TooOften);
        }
        match self.keeper.users().and_then(|users| users.check(name, password)) {
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
    fn may_try(&self, keys: &[([u8; 32], u32)]) -> bool {
        keys.iter().all(|(key, most)| {
            self.failed.get(key).is_none_or(|(tries, last)| tries < most || last.elapsed() >= WAIT)
        })
    }

    fn fail(&mut self, keys: &[([u8; 32], u32)]) {
        for (key, _) in keys {
            if self.failed.len() >= REMEMBERED && !self.failed.contains_key(key) {
                let oldest = self.failed.iter().min_by_key(|(_, (_, last))| *last).map(|(key, _)| *key);
                oldest.map(|key| self.failed.remove(&key));
            }
            let (tries, last) = self.failed.entry(*key).or_insert((0, Instant::now()));
            *tries = if last.elapsed() >= WAIT { 1 } else { tries.saturating_add(1) };
            *last = Instant::now();
        }
    }
}

fn sha256(text: &str) -> [u8; 32] {
    digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap_or_default()
}

/// 256 random bits in hexadecimal digits.
pub(crate) fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether two tokens are one; looks at digests, so that time tells nothing.
pub(crate) fn same(one: &str, other: &str) -> bool {
    sha256(one) == sha256(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse battery";

    /// Users that a test changes.
    struct Changing(Mutex<Option<Arc<Roll>>>);

    impl Changing {
        fn put(&self, roll: Option<Roll>) {
            *self.0.lock().unwrap() = roll.map(Arc::new);
        }
    }

    impl Keeper for Changing {
        fn users(&self) -> Option<Arc<Roll>> {
            self.0.lock().unwrap().clone()
        }

        fn note(&self, _line: &Value) -> Result<(), String> {
            Ok(())
        }

        fn noted(&self) -> Vec<Value> {
            Vec::new()
        }
    }

    fn roll() -> Roll {
        let mut roll = Roll::default();
        roll.put("ana", Role::Viewer, PASSWORD).unwrap();
        roll
    }

    fn doors(roll: Option<Roll>) -> (Arc<Changing>, Doors) {
        let keeper = Arc::new(Changing(Mutex::new(roll.map(Arc::new))));
        let doors = Doors::new(Arc::<Changing>::clone(&keeper), true, false).unwrap();
        (keeper, doors)
    }

    fn here() -> IpAddr {
        IpAddr::from([127, 0, 0, 1])
    }

    #[test]
    fn doors_that_were_closed_stay_closed() {
        let (keeper, doors) = doors(Some(Roll::default()));
        assert!(doors.visitor(None, Asks::Somebody).is_some(), "nobody has to log in");
        keeper.put(Some(roll()));
        assert!(doors.visitor(None, Asks::Somebody).is_none());
        keeper.put(Some(Roll::default()));
        assert!(doors.visitor(None, Asks::Somebody).is_none(), "the last user was removed");
    }

    #[test]
    fn users_that_cannot_be_read_let_nobody_in() {
        let (keeper, doors) = doors(Some(roll()));
        let cookie = doors.log_in("ana", PASSWORD, here()).unwrap();
        assert!(doors.visitor(Some(&cookie), Asks::Somebody).is_some());
        keeper.put(None);
        assert!(doors.visitor(Some(&cookie), Asks::Somebody).is_none());
        assert!(doors.visitor(None, Asks::Somebody).is_none());
        assert_eq!(doors.prove("ana", PASSWORD, here()), Err(Refused::Wrong));
    }

    #[test]
    fn what_a_page_asks_for_by_itself_keeps_no_session() {
        let (_, doors) = doors(Some(roll()));
        let cookie = doors.log_in("ana", PASSWORD, here()).unwrap();
        let used = || doors.inside().sessions[&sha256(&cookie)].used;
        let before = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        doors.inside().sessions.get_mut(&sha256(&cookie)).unwrap().used = before;
        assert!(doors.visitor(Some(&cookie), Asks::Page).is_some());
        assert_eq!(used(), before);
        assert!(doors.visitor(Some(&cookie), Asks::Somebody).is_some());
        assert!(used() > before);
    }

    #[test]
    fn many_that_guess_shut_nobody_out() {
        let mut inside = Inside::default();
        let key = |text: String| (sha256(&text), TRIES);
        for at in 0..=REMEMBERED {
            inside.fail(&[key(at.to_string())]);
        }
        assert_eq!(inside.failed.len(), REMEMBERED);
        let guesser = key("one that guesses".into());
        assert!(inside.may_try(&[guesser]));
        for _ in 0..TRIES {
            inside.fail(&[guesser]);
        }
        assert!(!inside.may_try(&[guesser]));
    }

    #[test]
    fn a_name_that_is_none_is_not_remembered() {
        let (_, doors) = doors(Some(roll()));
        assert_eq!(doors.prove(&"x".repeat(16 << 10), PASSWORD, here()), Err(Refused::Wrong));
        assert_eq!(doors.inside().failed.len(), 1, "where it came from");
    }
}
