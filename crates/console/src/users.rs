//! Who may log in: names with roles and Argon2id hashes, as one text that is kept in a file.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Shorter is guessed.
pub const LEAST_PASSWORD: usize = 12;
/// Longer only costs time.
const MOST_PASSWORD: usize = 1_000;
/// Bytes of a name.
pub(crate) const MOST_NAME: usize = 64;

/// What somebody may do; each may what the one before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read.
    Viewer,
    /// Ask tables by SQL, say what incidents were, mute, and carve packets.
    Analyst,
    /// Read the audit log.
    Admin,
}

impl Role {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Analyst, Self::Admin];

    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct User {
    role: Role,
    hash: String,
}

/// Users by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roll(BTreeMap<String, User>);

/// Why a user cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// 1 to 64 letters, digits and `._@-`.
    Name,
    /// 12 to 1,000 bytes.
    Password,
    /// The system gave no random bytes, or the hash failed.
    System,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name => {
                write!(f, "a name has 1 to {MOST_NAME} letters (of ASCII), digits and the signs . _ @ -")
            }
            Self::Password => write!(f, "a password has {LEAST_PASSWORD} to {MOST_PASSWORD} bytes"),
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

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names with roles.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Role)> {
        self.0.iter().map(|(name, user)| (name.as_str(), user.role))
    }

    /// The role of that name.
    pub fn role(&self, name: &str) -> Option<Role> {
        Some(self.0.get(name)?.role)
    }

    /// A mark of a user that changes with password and role: sessions end with it.
    pub(crate) fn mark(&self, name: &str) -> Option<[u8; 32]> {
        let user = self.0.get(name)?;
        let text = format!("{} {}", user.role.name(), user.hash);
        ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref().try_into().ok()
    }

    /// Adds a user, or gives a known one a new role and password.
    ///
    /// # Errors
    /// The name or password is not fit to be one; the system has no random bytes.
    pub fn put(&mut self, name: &str, role: Role, password: &str) -> Result<(), Unfit> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        if name.is_empty() || name.len() > MOST_NAME || !name.bytes().all(fits) {
            return Err(Unfit::Name);
        }
        if !(LEAST_PASSWORD..=MOST_PASSWORD).contains(&password.len()) {
            return Err(Unfit::Password);
        }
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| Unfit::System)?;
        let salt = SaltString::encode_b64(&salt).map_err(|_| Unfit::System)?;
        let hash = argon2().hash_password(password.as_bytes(), &salt).map_err(|_| Unfit::System)?;
        self.0.insert(name.to_owned(), User { role, hash: hash.to_string() });
        Ok(())
    }

    /// Takes a user away; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// The role of whoever knows this password. Takes tens of milliseconds and 19 MiB, also where there is nobody of that name.
    pub(crate) fn check(&self, name: &str, password: &str) -> Option<Role> {
        let known = self.0.get(name);
        let hash = known.or_else(|| self.0.values().next()).map(|user| user.hash.as_str())?;
        let hash = PasswordHash::new(hash).ok()?;
        let fits =
            password.len() <= MOST_PASSWORD && argon2().verify_password(password.as_bytes(), &hash).is_ok();
        known.filter(|_| fits).map(|user| user.role)
    }
}

/// Argon2id with 19 MiB and two passes: what OWASP's Password Storage Cheat Sheet asks for at least.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 << 10, 2, 1, None).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_of_a_user_opens() {
        let mut roll = Roll::default();
        roll.put("ana", Role::Analyst, "correct horse battery").unwrap();
        let roll = Roll::of(&roll.text()).unwrap();
        assert_eq!(roll.check("ana", "correct horse battery"), Some(Role::Analyst));
        assert_eq!(roll.check("ana", "correct horse batterz"), None);
        assert_eq!(roll.check("bob", "correct horse battery"), None);
        assert!(roll.text().contains("$argon2id$v=19$m=19456,t=2,p=1$") && !roll.text().contains("horse"));
        assert_eq!(Roll::default().check("ana", "correct horse battery"), None);
    }

    #[test]
    fn what_is_unfit_is_refused() {
        let mut roll = Roll::default();
        assert_eq!(roll.put("a b", Role::Viewer, "correct horse battery"), Err(Unfit::Name));
        assert_eq!(roll.put("", Role::Viewer, "correct horse battery"), Err(Unfit::Name));
        assert_eq!(roll.put("ana", Role::Viewer, "short"), Err(Unfit::Password));
        assert!(roll.is_empty() && !roll.remove("ana") && Roll::of("torn").is_none());
    }
}
