//! Passwords in request bodies: that a login happened, and of whom.

/// Bytes kept of a password or login name.
const KEPT: usize = 256;

/// A password found in a body, with the login name that stood beside it. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// The password's first 256 bytes.
    pub password: Vec<u8>,
    /// The login name's first 256 bytes; empty when there was none.
    pub user: Vec<u8>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(..)")
    }
}

/// What a field named like this holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    User,
    Password,
}

impl Wanted {
    /// By the decoded field name. Only names that stand for nothing else: `code` or `pin` may be anything.
    pub(super) fn by_name(name: &[u8]) -> Option<Self> {
        // Almost every name is none of these by its length and first letter alone.
        let (wanted, known): (Self, &[u8]) = match (name.len(), name.first()? | 0x20) {
            (3, b'p') => (Self::Password, b"pwd"),
            (6, b'p') => (Self::Password, b"passwd"),
            (8, b'p') => (Self::Password, b"password"),
            (10, b'p') => (Self::Password, b"passphrase"),
            (12, b'u') => (Self::Password, b"userpassword"),
            (13, b'u') => (Self::Password, b"user_password"),
            (4, b'u') => (Self::User, b"user"),
            (8, b'u') => (Self::User, b"username"),
            (9, b'u') => (Self::User, b"user_name"),
            (10, b'u') => (Self::User, b"user_email"),
            (5, b'l') => (Self::User, b"login"),
            (10, b'l') => (Self::User, b"login_name"),
            (5, b'e') => (Self::User, b"email"),
            _ => return None,
        };
        known.eq_ignore_ascii_case(name).then_some(wanted)
    }
}

/// Collects a login while a body is read.
#[derive(Default)]
pub(super) struct LoginFields {
    login: Login,
    /// What the value being read is.
    open: Option<Wanted>,
}

impl LoginFields {
    /// A field of that name begins; its value follows in [`LoginFields::value`].
    pub(super) fn begin(&mut self, name: &[u8]) {
        self.open = Wanted::by_name(name);
        if let Some(kept) = self.kept() {
            kept.clear();
        }
    }

    /// Whether the value of the open field is kept.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The next bytes of the open field's value.
    pub(super) fn value(&mut self, bytes: &[u8]) {
        if let Some(kept) = self.kept() {
            let room = KEPT.saturating_sub(kept.len()).min(bytes.len());
            kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
    }

    /// The open field ended.
    pub(super) fn end(&mut self) {
        self.open = None;
    }

    /// The login, when a password was read; empties the collection.
    pub(super) fn take(&mut self) -> Option<Login> {
        self.open = None;
        let login = std::mem::take(&mut self.login);
        (!login.password.is_empty()).then_some(login)
    }

    fn kept(&mut self) -> Option<&mut Vec<u8>> {
        match self.open? {
            Wanted::User => Some(&mut self.login.user),
            Wanted::Password => Some(&mut self.login.password),
        }
    }
}
