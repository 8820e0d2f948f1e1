//! What bodies say about logins: names, passwords and grants that are sent, and credentials that are handed out.

/// Bytes kept of a password, a name or a word.
const KEPT: usize = 256;
/// Bytes kept of a credential: as many as count for its token.
const KEPT_SECRET: usize = 8192;

/// What a field holds by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A login name.
    User,
    /// A password.
    Password,
    /// How credentials are asked for (RFC 6749, 4).
    Grant,
    /// The client that asks (RFC 6749, 2.2).
    Client,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// An ID token (OpenID Connect Core, 2).
    Identity,
    /// A token of an API's own kind; in RFC 7009 the one to revoke.
    Token,
    /// A session's identifier.
    Session,
    /// Seconds that what is handed out lives.
    ExpiresIn,
    /// Scopes.
    Scope,
    /// A role.
    Role,
}

const KINDS: usize = Wanted::Role as usize + 1;

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
            // Jakarta Servlet, 13.6.3: how a form names both.
            (10, b'j') if name.ends_with(b"d") => (Self::Password, b"j_password"),
            (10, b'j') => (Self::User, b"j_username"),
            // WordPress; beside a password only does it make a login.
            (3, b'l') => (Self::User, b"log"),
            (4, b'u') => (Self::User, b"user"),
            (8, b'u') => (Self::User, b"username"),
            (9, b'u') => (Self::User, b"user_name"),
            (10, b'u') => (Self::User, b"user_email"),
            (5, b'l') => (Self::User, b"login"),
            (8, b'l') => (Self::User, b"login_id"),
            (10, b'l') => (Self::User, b"login_name"),
            (5, b'e') => (Self::User, b"email"),
            _ => return Self::of_grant(name),
        };
        known.eq_ignore_ascii_case(name).then_some(wanted)
    }

    /// Names of OAuth and of what APIs use in its place.
    fn of_grant(name: &[u8]) -> Option<Self> {
        let (wanted, known): (Self, &[u8]) = match (name.len(), name.first()? | 0x20) {
            (10, b'g') => (Self::Grant, b"grant_type"),
            (9, b'g') => (Self::Grant, b"granttype"),
            (9, b'c') => (Self::Client, b"client_id"),
            (8, b'c') => (Self::Client, b"clientid"),
            (12, b'a') => (Self::Access, b"access_token"),
            (11, b'a') => (Self::Access, b"accesstoken"),
            (10, b'a') => (Self::Access, b"auth_token"),
            (9, b'a') => (Self::Access, b"authtoken"),
            (13, b'r') => (Self::Refresh, b"refresh_token"),
            (12, b'r') => (Self::Refresh, b"refreshtoken"),
            (8, b'i') => (Self::Identity, b"id_token"),
            (7, b'i') => (Self::Identity, b"idtoken"),
            (5, b't') => (Self::Token, b"token"),
            (3, b'j') => (Self::Token, b"jwt"),
            (13, b's') => (Self::Session, b"session_token"),
            (12, b's') => (Self::Session, b"sessiontoken"),
            (10, b's') => (Self::Session, b"session_id"),
            (9, b's') => (Self::Session, b"sessionid"),
            (10, b'e') => (Self::ExpiresIn, b"expires_in"),
            (9, b'e') => (Self::ExpiresIn, b"expiresin"),
            (5, b's') => (Self::Scope, b"scope"),
            (4, b'r') => (Self::Role, b"role"),
            _ => return None,
        };
        known.eq_ignore_ascii_case(name).then_some(wanted)
    }

    /// Bytes of its value that are kept.
    pub(super) const fn kept(self) -> usize {
        match self {
            Self::Access | Self::Refresh | Self::Identity | Self::Token | Self::Session => KEPT_SECRET,
            _ => KEPT,
        }
    }
}

/// What a body says about a login. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Login {
    values: [Vec<u8>; KINDS],
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(..)")
    }
}

impl Login {
    /// The last value of that kind, its beginning where it is long; empty when there was none.
    pub fn get(&self, wanted: Wanted) -> &[u8] {
        self.values.get(wanted as usize).map_or(&[], Vec::as_slice)
    }

    /// The password's first 256 bytes; empty when there was none.
    pub fn password(&self) -> &[u8] {
        self.get(Wanted::Password)
    }

    /// The login name's first 256 bytes; empty when there was none.
    pub fn user(&self) -> &[u8] {
        self.get(Wanted::User)
    }
}

/// Collects a login while a body is read.
#[derive(Default)]
pub(super) struct LoginFields {
    login: Login,
    /// What the value being read is.
    open: Option<Wanted>,
    /// A bit for each kind that was met.
    met: u16,
}

impl LoginFields {
    /// A field of that name begins; its value follows in [`LoginFields::value`].
    pub(super) fn begin(&mut self, name: &[u8]) {
        self.begin_as(Wanted::by_name(name));
    }

    /// The same of a field that is known to be that.
    pub(super) fn begin_as(&mut self, wanted: Option<Wanted>) {
        self.open = wanted;
        if let Some(kept) = self.kept() {
            kept.clear();
        }
        self.met |= self.open.map_or(0, |wanted| 1 << wanted as u16);
    }

    /// What the open field is, where its value is kept.
    pub(super) const fn open(&self) -> Option<Wanted> {
        self.open
    }

    /// Whether the value of the open field is kept.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether it is kept when it is a number.
    pub(super) const fn takes_numbers(&self) -> bool {
        matches!(self.open, Some(Wanted::ExpiresIn))
    }

    /// The next bytes of the open field's value.
    pub(super) fn value(&mut self, bytes: &[u8]) {
        let most = self.open.map_or(0, Wanted::kept);
        if let Some(kept) = self.kept() {
            let room = most.saturating_sub(kept.len()).min(bytes.len());
            kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
        }
    }

    /// The open field ended.
    pub(super) fn end(&mut self) {
        self.open = None;
    }

    /// The login, when there was something of one; empties the collection.
    pub(super) fn take(&mut self) -> Option<Login> {
        // The beginning of a credential is none.
        if self.open.is_some_and(|wanted| wanted.kept() == KEPT_SECRET)
            && let Some(cut) = self.kept()
        {
            cut.clear();
        }
        self.open = None;
        if std::mem::take(&mut self.met) == 0 {
            return None;
        }
        let tells = |kind: &Wanted| !self.login.get(*kind).is_empty();
        if TELLING.iter().any(tells) {
            return Some(std::mem::take(&mut self.login));
        }
        self.login.values.iter_mut().for_each(Vec::clear);
        None
    }

    /// Bytes held for values.
    pub(super) fn held(&self) -> usize {
        self.login.values.iter().map(Vec::capacity).sum()
    }

    fn kept(&mut self) -> Option<&mut Vec<u8>> {
        self.login.values.get_mut(self.open? as usize)
    }
}

/// What makes a body one about a login.
const TELLING: &[Wanted] = &[
    Wanted::Password,
    Wanted::Grant,
    Wanted::Access,
    Wanted::Refresh,
    Wanted::Identity,
    Wanted::Token,
    Wanted::Session,
    // An answer to a login may say no more in its body: the cookie is in its head.
    Wanted::Role,
];
