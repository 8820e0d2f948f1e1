//! The sensors that may send: names with what the collector knows of each, as one text that is kept in a file.

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

const DAY_MS: i64 = 86_400_000;
/// So long before its end a token is warned of.
const WARN_DAYS: i64 = 30;
/// Longer no token holds.
pub const LONGEST_DAYS: u32 = 3_650;
/// Bytes of a name, a site, a tenant.
const MOST_NAME: usize = 64;
/// Sensors of one collector.
const MOST_SENSORS: usize = 4_096;
/// Whom the collector's own events come from: no sensor's name.
pub(crate) const ITSELF: &str = "collector";

/// Where the roll is kept.
pub trait Keeper: Send + Sync {
    /// As it is kept now; `None` where it cannot be read, and nobody may send.
    fn roll(&self) -> Option<Arc<Roll>>;
}

/// A sensor's record. Its token is not in it, only its digest: a token has 256 random bits, which nobody finds by trying.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    token_sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    added_ms: i64,
    expires_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_ms: Option<i64>,
}

/// Sensors by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roll(BTreeMap<String, Record>);

/// What events of a sensor are labelled with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The sensor's name.
    pub name: String,
    /// Its site.
    pub site: Option<String>,
    /// Its tenant.
    pub tenant: Option<String>,
}

/// A sensor that was added.
pub struct Enrolled {
    /// What it proves with who it is. It is known to nobody else, and not kept.
    pub token: String,
    /// When that ends, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// How a sensor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may send.
    Good,
    /// It may send, for so many days more at the most.
    Ends(i64),
    /// Its token's time is over.
    Expired,
    /// It may send no more.
    Revoked,
}

/// Why a sensor cannot be added or revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// 1 to 64 letters, digits and `._-`.
    Name,
    /// The same, with spaces.
    Label(&'static str),
    /// 1 to 3650.
    Days,
    /// There is one of that name.
    Known,
    /// There is none.
    Unknown,
    /// There are too many.
    Full,
    /// The system gave no random bytes.
    System,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => {
                write!(f, "a sensor's name has 1 to {MOST_NAME} letters (of ASCII), digits and the signs . _ -, and is not {ITSELF}")
            }
            Self::Label(what) => {
                write!(f, "--{what} has 1 to {MOST_NAME} letters (of ASCII), digits, spaces and the signs . _ -")
            }
            Self::Days => write!(f, "--days: 1 to {LONGEST_DAYS}"),
            Self::Known => f.write_str(
                "there is a sensor of this name; --renew gives it a new token, and the old one is worth nothing any more",
            ),
            Self::Unknown => f.write_str("there is no such sensor; `tapwire sensor list` has them"),
            Self::Full => write!(f, "there are {MOST_SENSORS} sensors: take another collector for more"),
            Self::System => f.write_str("the system gave no random bytes"),
        }
    }
}

impl std::error::Error for Unfit {}

impl Roll {
    /// Of the text that [`Roll::text`] gave; `None` where it is none.
    pub fn of(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What is kept.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Adds a sensor, or gives a known one a new token.
    ///
    /// # Errors
    /// What is not fit, or known already.
    pub fn enrol(&mut self, place: Place, days: u32, renew: bool, now_ms: i64) -> Result<Enrolled, Unfit> {
        let Place { name, site, tenant } = place;
        if !is_name(&name, b"._-") || name == ITSELF {
            return Err(Unfit::Name);
        }
        let fits = |text: &Option<String>| text.as_ref().is_none_or(|text| is_name(text, b"._- "));
        for (text, what) in [(&site, "site"), (&tenant, "tenant")] {
            if !fits(text) {
                return Err(Unfit::Label(what));
            }
        }
        if days == 0 || days > LONGEST_DAYS {
            return Err(Unfit::Days);
        }
        let known = self.0.get(&name);
        if known.is_some_and(|known| known.revoked_ms.is_none()) && !renew {
            return Err(Unfit::Known);
        }
        if known.is_none() && self.0.len() >= MOST_SENSORS {
            return Err(Unfit::Full);
        }
        // What is not said anew stays.
        let (site, tenant) = (site.or_else(|| known?.site.clone()), tenant.or_else(|| known?.tenant.clone()));
        let token = random().ok_or(Unfit::System)?;
        let expires_ms = now_ms.saturating_add(i64::from(days) * DAY_MS);
        let record = Record {
            token_sha256: sha256(&token),
            site,
            tenant,
            added_ms: known.map_or(now_ms, |known| known.added_ms),
            expires_ms,
            revoked_ms: None,
        };
        self.0.insert(name, record);
        Ok(Enrolled { token, expires_ms })
    }

    /// Takes nothing more from a sensor. Its name stays, so that its events can be told.
    ///
    /// # Errors
    /// There is none.
    pub fn revoke(&mut self, name: &str, now_ms: i64) -> Result<(), Unfit> {
        let record = self.0.get_mut(name).ok_or(Unfit::Unknown)?;
        record.revoked_ms.get_or_insert(now_ms);
        Ok(())
    }

    /// The sensors with how they stand, and when their tokens end.
    pub fn iter(&self, now_ms: i64) -> impl Iterator<Item = (Place, Standing, i64)> {
        self.0
            .iter()
            .map(move |(name, record)| (record.place(name), record.standing(now_ms), record.expires_ms))
    }

    /// The sensor of that name.
    pub(crate) fn named(&self, name: &str) -> Option<Place> {
        self.0.get(name).map(|record| record.place(name))
    }

    /// Who has that token, and how they stand.
    pub(crate) fn find(&self, token: &str, now_ms: i64) -> Option<(Place, Standing)> {
        let mark = sha256(token);
        // Looking for a digest tells nothing of tokens by its time.
        let (name, record) = self.0.iter().find(|(_, record)| record.token_sha256 == mark)?;
        Some((record.place(name), record.standing(now_ms)))
    }
}

impl Record {
    fn place(&self, name: &str) -> Place {
        Place { name: name.to_owned(), site: self.site.clone(), tenant: self.tenant.clone() }
    }

    const fn standing(&self, now_ms: i64) -> Standing {
        let left = self.expires_ms.saturating_sub(now_ms);
        if self.revoked_ms.is_some() {
            Standing::Revoked
        } else if left <= 0 {
            Standing::Expired
        } else if left <= WARN_DAYS * DAY_MS {
            Standing::Ends(left / DAY_MS)
        } else {
            Standing::Good
        }
    }
}

fn is_name(text: &str, signs: &[u8]) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || signs.contains(&byte);
    !text.trim().is_empty() && text.len() <= MOST_NAME && text.bytes().all(fits)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// 256 random bits in hexadecimal digits.
fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        Place { name: name.into(), site: Some("New York".into()), tenant: None }
    }

    #[test]
    fn a_token_is_known_by_its_digest_until_it_ends() {
        let mut roll = Roll::default();
        let told = roll.enrol(place("a"), 100, false, 0).unwrap();
        assert_eq!(told.token.len(), 64);
        assert!(!roll.text().contains(&told.token));
        let roll = Roll::of(&roll.text()).unwrap();
        let at = |ms| roll.find(&told.token, ms).map(|(place, standing)| (place.name, standing)).unwrap();
        assert_eq!(at(0), ("a".into(), Standing::Good));
        assert_eq!(at(70 * DAY_MS), ("a".into(), Standing::Ends(30)));
        assert_eq!(at(99 * DAY_MS + 1), ("a".into(), Standing::Ends(0)));
        assert_eq!(at(100 * DAY_MS), ("a".into(), Standing::Expired));
        assert!(roll.find("other", 0).is_none() && roll.find("", 0).is_none());
    }

    #[test]
    fn a_new_token_ends_the_old_one_and_keeps_the_labels() {
        let mut roll = Roll::default();
        let old = roll.enrol(place("a"), 1, false, 0).unwrap().token;
        assert_eq!(roll.enrol(place("a"), 1, false, 0).err(), Some(Unfit::Known));
        let again = Place { name: "a".into(), site: None, tenant: None };
        let new = roll.enrol(again, 1, true, 5).unwrap().token;
        assert!(roll.find(&old, 6).is_none());
        assert_eq!(roll.find(&new, 6).unwrap().0, place("a"));
        roll.revoke("a", 7).unwrap();
        assert_eq!(roll.find(&new, 8).unwrap().1, Standing::Revoked);
        assert_eq!(roll.revoke("b", 7), Err(Unfit::Unknown));
        let back = roll.enrol(place("a"), 1, false, 9).unwrap().token;
        assert_eq!(roll.find(&back, 9).unwrap().1, Standing::Ends(1));
    }

    #[test]
    fn names_stand_in_events_as_they_are() {
        let mut roll = Roll::default();
        for name in ["", " ", "a b", "a\"", "ä", ITSELF, &"x".repeat(65)] {
            assert_eq!(roll.enrol(place(name), 1, false, 0).err(), Some(Unfit::Name), "{name}");
        }
        let wrong = Place { tenant: Some("a\\".into()), ..place("a") };
        assert_eq!(roll.enrol(wrong, 1, false, 0).err(), Some(Unfit::Label("tenant")));
        assert_eq!(roll.enrol(place("a"), 0, false, 0).err(), Some(Unfit::Days));
    }
}
