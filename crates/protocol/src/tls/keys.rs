//! Keys of others: key logs, RSA keys, and whose connections they may open.
//!
//! Everything here is secret: it is overwritten when it is dropped, and no `Debug` shows it.

use super::schedule::{MAX_SECRET, Secret};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use zeroize::{Zeroize, Zeroizing};

/// Sessions whose secrets are kept: some 40 MB. The oldest go first.
const MAX_SESSIONS: usize = 1 << 17;
/// RSA keys that are tried.
const MAX_RSA: usize = 64;
/// Bytes of a line; the longest that is of use has 32 + 2 × 112 of them.
const MAX_LINE: usize = 1_024;

/// What a key log says about one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    /// TLS 1.2 and older.
    pub(super) master: Option<Secret>,
    /// TLS 1.3, from here on.
    pub(super) early: Option<Secret>,
    pub(super) client_handshake: Option<Secret>,
    pub(super) server_handshake: Option<Secret>,
    pub(super) client: Option<Secret>,
    pub(super) server: Option<Secret>,
}

/// What became of lines of key logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyCounters {
    /// Secrets taken.
    pub secrets: u64,
    /// Lines with a secret that nothing here needs, such as those of exporters.
    pub unused: u64,
    /// Lines that are no line of a key log.
    pub malformed: u64,
    /// Sessions that went because there were too many.
    pub evicted: u64,
}

impl KeyCounters {
    /// Adds what another lane counted.
    pub const fn add(&mut self, other: Self) {
        self.secrets += other.secrets;
        self.unused += other.unused;
        self.malformed += other.malformed;
        self.evicted += other.evicted;
    }
}

/// Why an RSA key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaKeyError {
    /// It is no private RSA key in PEM: PKCS#8 or PKCS#1, without a passphrase.
    Unreadable,
    /// There are too many.
    TooMany,
}

/// The secrets of connections, by the client's random.
///
/// Lines come in at any time, also before or after the connection that they are for.
#[derive(Default)]
pub struct KeyStore {
    sessions: BTreeMap<[u8; 32], Session>,
    /// In the order in which they came.
    order: VecDeque<[u8; 32]>,
    /// The beginning of a line.
    partial: Zeroizing<Vec<u8>>,
    rsa: Vec<RsaPrivateKey>,
    /// Keys will come, or have come.
    expected: bool,
    generation: u64,
    /// Sessions of connections that have ended and wait, and those of them that got a secret since.
    awaited: BTreeSet<[u8; 32]>,
    found: BTreeSet<[u8; 32]>,
    counters: KeyCounters,
}

impl std::fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyStore")
            .field("sessions", &self.sessions.len())
            .field("rsa", &self.rsa.len())
            .finish_non_exhaustive()
    }
}

impl KeyStore {
    /// Keys will come: connections wait for theirs. Also said by the first key.
    pub const fn expect(&mut self) {
        self.expected = true;
    }

    /// Whether connections wait for keys.
    pub(super) const fn is_expecting(&self) -> bool {
        self.expected
    }

    /// Counts changes, so that a connection looks for its keys only when there are new ones.
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// What became of the lines so far.
    pub const fn counters(&self) -> KeyCounters {
        self.counters
    }

    /// Takes a piece of a key log in the format of NSS, cut anywhere: what follows its last line end waits for the next.
    pub fn feed(&mut self, text: &[u8]) {
        self.expected = true;
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            // What is longer than any line is read to its end as one that says nothing.
            let room = MAX_LINE.saturating_sub(self.partial.len());
            self.partial.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// The last line of a key log may lack its end.
    pub fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.partial);
        self.line(&line);
        line.zeroize();
        line.clear();
        self.partial = line;
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        match parse(line) {
            Some((label, random, secret)) => self.secret(label, random, secret),
            None => self.counters.malformed += 1,
        }
    }

    fn secret(&mut self, label: &[u8], random: [u8; 32], secret: Secret) {
        let Some(place) = place_of(label) else {
            self.counters.unused += 1;
            return;
        };
        if !self.sessions.contains_key(&random) {
            self.order.push_back(random);
        }
        *place(self.sessions.entry(random).or_default()) = Some(secret);
        self.counters.secrets += 1;
        self.generation += 1;
        if self.awaited.contains(&random) {
            self.found.insert(random);
        }
        if self.order.len() > MAX_SESSIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.sessions.remove(&oldest);
            self.counters.evicted += 1;
        }
    }

    /// A session's first secret that comes from now on is told by [`KeyStore::next_found`], and every further one.
    pub(super) fn wait_for(&mut self, random: [u8; 32]) {
        self.awaited.insert(random);
    }

    pub(super) fn wait_no_more_for(&mut self, random: &[u8; 32]) {
        self.awaited.remove(random);
    }

    /// It is looked at once more.
    pub(super) fn found_again(&mut self, random: [u8; 32]) {
        self.found.insert(random);
    }

    /// A session that was waited for and got a secret.
    pub(super) fn next_found(&mut self) -> Option<[u8; 32]> {
        self.found.pop_first()
    }

    pub(super) fn session(&self, random: &[u8; 32]) -> Option<&Session> {
        self.sessions.get(random)
    }

    /// Adds a server's private RSA key, for suites in which the client encrypts the premaster secret to it.
    ///
    /// # Errors
    /// When it cannot be read, or there are too many.
    pub fn add_rsa(&mut self, pem: &str) -> Result<(), RsaKeyError> {
        if self.rsa.len() >= MAX_RSA {
            return Err(RsaKeyError::TooMany);
        }
        let key = RsaPrivateKey::from_pkcs8_pem(pem).ok().or_else(|| RsaPrivateKey::from_pkcs1_pem(pem).ok());
        self.rsa.push(key.ok_or(RsaKeyError::Unreadable)?);
        self.generation += 1;
        Ok(())
    }

    pub(super) const fn has_rsa(&self) -> bool {
        !self.rsa.is_empty()
    }

    /// The premaster secret that a client encrypted to one of the keys (RFC 5246, 7.4.7.1).
    pub(super) fn premaster(&self, encrypted: &[u8]) -> Option<Secret> {
        let fitting = self.rsa.iter().filter(|key| key.size() == encrypted.len());
        fitting
            .filter_map(|key| key.decrypt(Pkcs1v15Encrypt, encrypted).ok().map(Zeroizing::new))
            .find_map(|premaster| (premaster.len() == MAX_SECRET).then(|| Secret::new(&premaster)))
    }
}

type Place = fn(&mut Session) -> &mut Option<Secret>;

fn place_of(label: &[u8]) -> Option<Place> {
    Some(match label {
        b"CLIENT_RANDOM" => |session| &mut session.master,
        b"CLIENT_EARLY_TRAFFIC_SECRET" => |session| &mut session.early,
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => |session| &mut session.client_handshake,
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => |session| &mut session.server_handshake,
        b"CLIENT_TRAFFIC_SECRET_0" => |session| &mut session.client,
        b"SERVER_TRAFFIC_SECRET_0" => |session| &mut session.server,
        _ => return None,
    })
}

/// Label, client random and secret of a line.
fn parse(line: &[u8]) -> Option<(&[u8], [u8; 32], Secret)> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (label, random, secret) = (words.next()?, words.next()?, words.next()?);
    let is_label =
        label.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
    let mut random_bytes = [0; 32];
    let mut bytes = Zeroizing::new([0; MAX_SECRET]);
    let length = secret.len() / 2;
    let whole = is_label && words.next().is_none() && matches!(length, 32 | 48) && random.len() == 64;
    whole.then_some(())?;
    unhex(random, &mut random_bytes)?;
    unhex(secret, bytes.get_mut(..length)?)?;
    Some((label, random_bytes, Secret::new(bytes.get(..length)?)))
}

fn unhex(text: &[u8], out: &mut [u8]) -> Option<()> {
    (text.len() == 2 * out.len()).then_some(())?;
    for (place, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *place = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(label: &str, random: u8, length: usize) -> String {
        format!("{label} {} {}\n", format!("{random:02x}").repeat(32), "Ab".repeat(length))
    }

    #[test]
    fn a_log_may_be_cut_anywhere() {
        let text = format!(
            "# comment\r\n{}{}{}",
            line("CLIENT_RANDOM", 1, 48),
            line("SERVER_TRAFFIC_SECRET_0", 2, 32),
            line("EXPORTER_SECRET", 2, 32)
        );
        for cut in 0..text.len() {
            let mut keys = KeyStore::default();
            keys.feed(&text.as_bytes()[..cut]);
            keys.feed(&text.as_bytes()[cut..]);
            let counted = KeyCounters { secrets: 2, unused: 1, ..KeyCounters::default() };
            assert_eq!(keys.counters(), counted, "{cut}");
            assert_eq!(keys.session(&[1; 32]).unwrap().master.as_ref().unwrap().bytes(), [0xab; 48]);
            assert_eq!(keys.session(&[2; 32]).unwrap().server.as_ref().unwrap().bytes(), [0xab; 32]);
        }
    }

    #[test]
    fn what_is_no_line_is_counted() {
        let mut keys = KeyStore::default();
        for text in ["CLIENT_RANDOM 00 11", "hello", "CLIENT_RANDOM", &line("CLIENT_RANDOM", 1, 31)] {
            keys.feed(text.as_bytes());
            keys.end_line();
        }
        keys.feed(&vec![b'x'; 1 << 20]);
        keys.feed(b"\n");
        assert_eq!(keys.counters().secrets, 0);
        assert!(keys.counters().malformed >= 4);
        assert!(keys.partial.capacity() <= 2 * MAX_LINE);
    }

    #[test]
    fn the_oldest_sessions_go_first() {
        let mut keys = KeyStore::default();
        for number in 0..MAX_SESSIONS + 2 {
            let mut random = [0; 32];
            random[..8].copy_from_slice(&number.to_be_bytes());
            keys.secret(b"CLIENT_RANDOM", random, Secret::new(&[1; 48]));
        }
        assert_eq!((keys.sessions.len(), keys.counters().evicted), (MAX_SESSIONS, 2));
        assert!(keys.session(&[0; 32]).is_none());
    }

    #[test]
    fn nothing_shows_a_secret() {
        let mut keys = KeyStore::default();
        keys.feed(line("CLIENT_RANDOM", 0x5a, 48).as_bytes());
        let shown = format!("{keys:?} {:?}", keys.session(&[0x5a; 32]));
        assert!(!shown.to_lowercase().contains("abab") && !shown.contains("171"), "{shown}");
        assert_eq!(keys.add_rsa("-----BEGIN RSA PRIVATE KEY-----"), Err(RsaKeyError::Unreadable));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            KeyStore::default().feed(&bytes);
        }
    }
}
