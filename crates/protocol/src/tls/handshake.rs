//! What the messages of a handshake say, in clear or decrypted, and the keys that follow from it.

use super::bytes::{number, vector_16, vector_24};
use super::certificate::Certificate;
use super::cipher::{Block, Opener};
use super::facts::protocol_name;
use super::fingerprint::{Transport, ja3, ja3s, ja4};
use super::hello::{ALPN, ClientHello, ServerHello, each_extension};
use super::keys::{KeyStore, Session};
use super::schedule::{MAX_SECRET, Secret, prf};
use super::suite::{Hash, Protection, Suite, name, version_name};
use super::{Facts, Shared};
use crate::Direction;
use sha2::{Digest, Sha256, Sha384};
use zeroize::Zeroizing;

/// Messages (RFC 8446, 4; RFC 5246, 7.4).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const NEW_SESSION_TICKET: u8 = 4;
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const CLIENT_KEY_EXCHANGE: u8 = 16;
pub(super) const FINISHED: u8 = 20;
pub(super) const KEY_UPDATE: u8 = 24;

const TLS_1_3: u16 = 0x0304;

/// The extension by which a server goes on with a session (RFC 8446, 4.2.11).
const PRE_SHARED_KEY: u16 = 41;

/// The extension by which a server takes early data (RFC 8446, 4.2.10).
const EARLY_DATA: u16 = 42;

/// Bytes of a hello's short lists, as usual clients have them.
const HELLO_LISTS: usize = 256;

/// Bytes of handshake messages that are hashed for the extended master secret.
const MAX_TRANSCRIPT: usize = 64 << 10;

/// What is known of a connection's handshake.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    client: Option<Box<ClientHello>>,
    server: Option<Box<ServerHello>>,
    /// The premaster secret as the client encrypted it to the server's RSA key.
    premaster: Vec<u8>,
    /// The messages as they were sent, where a master secret may depend on them.
    transcript: Option<Vec<u8>>,
    master: Option<Secret>,
    pub(super) facts: Facts,
    /// Whether the server takes early data; `None` as long as it has not said so.
    pub(super) takes_early_data: Option<bool>,
}

/// Which keys of TLS 1.3 a direction uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Epoch {
    Early,
    Handshake,
    Application,
}

/// Whether records can be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The keys are at hand.
    Ready,
    /// They are not.
    NoKeys,
    /// No keys could help: what they depend on was not captured, or the suite is not known.
    Hopeless,
}

impl Handshake {
    /// Bytes on the heap, about.
    pub(super) fn held(&self) -> usize {
        let client = self.client.as_ref().map_or(0, |client| {
            size_of::<ClientHello>() + client.ticket.capacity() + 2 * client.suites.capacity() + HELLO_LISTS
        });
        let server = self.server.as_ref().map_or(0, |_| size_of::<ServerHello>() + HELLO_LISTS);
        client + server + self.premaster.capacity() + self.transcript.as_ref().map_or(0, Vec::capacity)
    }

    /// Nothing is decrypted any more: only the facts count.
    pub(super) fn forget(&mut self) {
        self.client = None;
        self.master = None;
        self.transcript = None;
        self.premaster = Vec::new();
    }

    /// The version that is spoken; `None` as long as no server has said so.
    pub(super) fn version(&self) -> Option<u16> {
        self.server.as_ref().map(|server| server.version)
    }

    pub(super) fn is_13(&self) -> bool {
        self.version() == Some(TLS_1_3)
    }

    /// What names the session in a key log.
    pub(super) fn random(&self) -> Option<[u8; 32]> {
        self.client.as_ref().map(|client| client.random)
    }

    pub(super) const fn has_client_hello(&self) -> bool {
        self.client.is_some()
    }

    pub(super) const fn has_server_hello(&self) -> bool {
        self.server.is_some()
    }

    /// Whether the client sends data before the server has answered.
    pub(super) fn has_early_data(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.early_data)
    }

    /// Whether it can be read what the server says to that data.
    pub(super) fn knows_of_early_data(&self, keys: &KeyStore) -> bool {
        self.session(keys).is_some_and(|session| session.server_handshake.is_some())
    }

    /// Whether the server may take that data: it goes on with the session that the client named (RFC 8446, 4.2.10).
    pub(super) fn may_take_early_data(&self) -> bool {
        self.has_early_data()
            && self.server.as_ref().is_some_and(|server| server.extensions.contains(&PRE_SHARED_KEY))
    }

    /// Takes a message with its head of four bytes.
    pub(super) fn message(&mut self, shared: &mut Shared, from: Direction, message: &[u8]) {
        let [kind, _, _, _, body @ ..] = message else { return };
        if let Some(transcript) = &mut self.transcript
            && transcript.len() + message.len() <= MAX_TRANSCRIPT
        {
            transcript.extend_from_slice(message);
        }
        match (*kind, from) {
            (CLIENT_HELLO, Direction::ToServer) => self.client_hello(shared, message, body),
            (SERVER_HELLO, Direction::ToClient) => self.server_hello(body),
            (ENCRYPTED_EXTENSIONS, Direction::ToClient) => self.extensions(body),
            (CERTIFICATE, from) => self.certificate(body, from),
            (CLIENT_KEY_EXCHANGE, Direction::ToServer) => self.key_exchange(shared, body),
            (NEW_SESSION_TICKET, Direction::ToClient) => self.ticket(shared, body),
            _ => {}
        }
    }

    fn client_hello(&mut self, shared: &Shared, message: &[u8], body: &[u8]) {
        let Some(hello) = ClientHello::parse(body) else { return };
        if self.client.is_none() {
            let facts = &mut self.facts;
            facts.sni = hello.server_name.clone();
            facts.alpn = hello.alpn.first().and_then(|name| protocol_name(name));
            facts.ja3 = Some(ja3(&hello));
            facts.ja4 = Some(ja4(&hello, Transport::Tcp));
        }
        // The second hello behind a HelloRetryRequest has the same random (RFC 8446, 4.1.2); that of a renegotiation not.
        self.transcript = shared.keys.has_rsa().then(|| message.to_vec());
        self.master = None;
        self.premaster.clear();
        self.client = Some(Box::new(hello));
    }

    fn server_hello(&mut self, body: &[u8]) {
        let Some(hello) = ServerHello::parse(body) else { return };
        let facts = &mut self.facts;
        facts.version = Some(version_name(hello.version));
        facts.cipher = Some(name(hello.suite));
        facts.ja3s = Some(ja3s(&hello));
        if let Some(alpn) = &hello.alpn {
            facts.alpn = protocol_name(alpn);
        }
        facts.alpn_chosen = hello.version != TLS_1_3;
        let asked = self.client.as_ref();
        facts.resumed = hello.version < TLS_1_3
            && asked.is_some_and(|client| !client.session.is_empty() && client.session == hello.session);
        if hello.version >= TLS_1_3 || !Suite::by_id(hello.suite).is_some_and(|suite| suite.static_rsa) {
            self.transcript = None;
        }
        self.server = Some(Box::new(hello));
    }

    /// TLS 1.3 says there what was chosen (RFC 8446, 4.3.1).
    fn extensions(&mut self, body: &[u8]) {
        let (mut chosen, mut takes_early_data) = (None, false);
        // What was read before something odd stays.
        let _ = each_extension(body, |kind, content| {
            if kind == ALPN {
                chosen = super::hello::protocols(content).into_iter().next();
            }
            takes_early_data |= kind == EARLY_DATA;
        });
        self.facts.alpn = chosen.and_then(|name| protocol_name(&name));
        self.facts.alpn_chosen = true;
        self.takes_early_data = Some(takes_early_data);
    }

    /// The first certificate of the list; TLS 1.3 has a context in front (RFC 8446, 4.4.2).
    fn certificate(&mut self, mut body: &[u8], from: Direction) {
        if self.is_13() && super::bytes::vector_8(&mut body).is_none() {
            return;
        }
        let leaf = vector_24(&mut body).and_then(|mut list| vector_24(&mut list));
        let certificate = leaf.map(Certificate::read);
        match from {
            Direction::ToClient => self.facts.certificate = certificate.or(self.facts.certificate.take()),
            // A client that has none sends an empty list (RFC 5246, 7.4.6).
            Direction::ToServer => self.facts.client_certificate = certificate,
        }
    }

    fn key_exchange(&mut self, shared: &mut Shared, body: &[u8]) {
        let mut rest = body;
        let is_rsa = self.suite().is_some_and(|suite| suite.static_rsa);
        if is_rsa && let Some(encrypted) = vector_16(&mut rest) {
            self.premaster = encrypted.to_vec();
            self.master_from_rsa(shared);
        }
        self.transcript = None;
    }

    /// A session that an RSA key opened may go on under its ticket (RFC 5077, 3.3).
    fn ticket(&mut self, shared: &mut Shared, body: &[u8]) {
        let mut rest = body.get(4..).unwrap_or_default();
        if let (Some(ticket), Some(master)) = (vector_16(&mut rest), &self.master) {
            shared.remember(ticket, master);
        }
    }

    /// Whether a key log has what opens the data of a direction.
    pub(super) fn has_keys(&self, keys: &KeyStore, from: Direction) -> bool {
        let session = self.session(keys);
        match from {
            _ if !self.is_13() => self.master.is_some(),
            Direction::ToServer => session.is_some_and(|session| session.client.is_some()),
            Direction::ToClient => session.is_some_and(|session| session.server.is_some()),
        }
    }

    fn suite(&self) -> Option<&'static Suite> {
        self.server.as_ref().and_then(|server| Suite::by_id(server.suite))
    }

    fn session<'a>(&self, keys: &'a KeyStore) -> Option<&'a Session> {
        keys.session(&self.client.as_ref()?.random)
    }

    /// Whether the keys are at hand.
    pub(super) fn readiness(&mut self, shared: &Shared) -> Readiness {
        if self.client.is_none() {
            return Readiness::Hopeless;
        }
        let session = self.session(&shared.keys);
        match (&self.server, self.suite()) {
            (Some(_), None) => Readiness::Hopeless,
            (Some(server), Some(_)) if server.version < TLS_1_3 => {
                if self.master.is_none() {
                    self.master =
                        session.and_then(|session| session.master.clone()).or_else(|| self.resumed(shared));
                }
                if self.master.is_some() { Readiness::Ready } else { Readiness::NoKeys }
            }
            // Without a ServerHello, secrets of TLS 1.3 can still be tried.
            // Early data waits for it: it tells whether the server takes that data.
            _ if (self.server.is_some() || !self.has_early_data())
                && session.is_some_and(|session| session.client.is_some() && session.server.is_some()) =>
            {
                Readiness::Ready
            }
            _ => Readiness::NoKeys,
        }
    }

    /// The master secret of the session that goes on.
    fn resumed(&self, shared: &Shared) -> Option<Secret> {
        let client = self.client.as_ref().filter(|_| self.facts.resumed)?;
        shared.resumed(&client.session).or_else(|| shared.resumed(&client.ticket)).cloned()
    }

    /// RFC 5246, 8.1; RFC 7627, 4.
    fn master_from_rsa(&mut self, shared: &mut Shared) {
        let (Some(client), Some(server), Some(suite)) = (&self.client, &self.server, self.suite()) else {
            return;
        };
        let Some(premaster) = shared.keys.premaster(&self.premaster) else { return };
        let mut master = Zeroizing::new([0; MAX_SECRET]);
        if server.extended_master_secret {
            let transcript = self.transcript.as_deref().unwrap_or_default();
            let hash = session_hash(server.version, suite, transcript);
            prf(
                server.version,
                suite,
                premaster.bytes(),
                "extended master secret",
                &[&hash],
                &mut master[..],
            );
        } else {
            let seeds = [&client.random[..], &server.random];
            prf(server.version, suite, premaster.bytes(), "master secret", &seeds, &mut master[..]);
        }
        let master = Secret::new(&master[..]);
        shared.remember(&server.session, &master);
        self.master = Some(master);
    }

    /// The protection of one direction, TLS 1.2 and older (RFC 5246, 6.3).
    pub(super) fn opener(&self, from: Direction) -> Option<Opener> {
        let (client, server, suite) = (self.client.as_ref()?, self.server.as_ref()?, self.suite()?);
        let mac = match suite.protection {
            Protection::Cbc(_, mac) => mac.length(),
            _ => 0,
        };
        let (key, iv) = (suite.protection.key(), iv_length(suite.protection));
        let mut block = Zeroizing::new(vec![0; 2 * (mac + key + iv)]);
        let seeds = [&server.random[..], &client.random];
        prf(server.version, suite, self.master.as_ref()?.bytes(), "key expansion", &seeds, &mut block);
        let second = from == Direction::ToClient;
        let part = |begin: usize, length: usize| {
            let begin = begin + if second { length } else { 0 };
            block.get(begin..begin + length)
        };
        let block =
            Block { mac_key: part(0, mac)?, key: part(2 * mac, key)?, iv: part(2 * (mac + key), iv)? };
        Opener::from_block(server.version, suite, &block, server.encrypt_then_mac)
    }

    /// The protection of one direction in an epoch of TLS 1.3: one for each suite that it may be.
    pub(super) fn openers(&self, keys: &KeyStore, from: Direction, epoch: Epoch) -> Vec<Opener> {
        let Some(session) = self.session(keys) else { return Vec::new() };
        let secret = match (epoch, from) {
            (Epoch::Early, Direction::ToServer) => &session.early,
            (Epoch::Early, Direction::ToClient) => &None,
            (Epoch::Handshake, Direction::ToServer) => &session.client_handshake,
            (Epoch::Handshake, Direction::ToClient) => &session.server_handshake,
            (Epoch::Application, Direction::ToServer) => &session.client,
            (Epoch::Application, Direction::ToClient) => &session.server,
        };
        let Some(secret) = secret else { return Vec::new() };
        match self.suite() {
            // Early data has the suite of the session that goes on, whose hash is the same (RFC 8446, 4.2.11).
            Some(suite) if epoch != Epoch::Early => Opener::from_secret(secret, suite).into_iter().collect(),
            _ => Suite::with_secret_of(secret.bytes().len())
                .filter_map(|suite| Opener::from_secret(secret, suite))
                .collect(),
        }
    }
}

/// The hash of all messages up to the ClientKeyExchange (RFC 7627, 3).
fn session_hash(version: u16, suite: &Suite, transcript: &[u8]) -> Vec<u8> {
    match suite.hash {
        _ if version < 0x0303 => {
            [&md5::Md5::digest(transcript)[..], &sha1::Sha1::digest(transcript)[..]].concat()
        }
        Hash::Sha384 => Sha384::digest(transcript).to_vec(),
        _ => Sha256::digest(transcript).to_vec(),
    }
}

/// What a key block gives as an initial vector: TLS 1.1 and later send theirs with each record of CBC.
const fn iv_length(protection: Protection) -> usize {
    match protection {
        Protection::Aes128Gcm | Protection::Aes256Gcm => 4,
        Protection::ChaCha20 => 12,
        Protection::Cbc(..) => 16,
    }
}

/// The messages in a direction's handshake bytes, as far as they are whole.
#[derive(Debug, Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
}

/// More than certificates and tickets of usual servers; what is longer is not read.
const MAX_MESSAGE: usize = 128 << 10;

impl Messages {
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes are missing: what was begun is of no use.
    pub(super) fn lose(&mut self) {
        self.bytes = Vec::new();
    }

    /// Takes the content of a handshake record, and hands on the messages that it completes.
    pub(super) fn take(&mut self, content: &[u8], mut deliver: impl FnMut(&[u8])) {
        if self.bytes.len() + content.len() > MAX_MESSAGE {
            return self.lose();
        }
        self.bytes.extend_from_slice(content);
        let mut used = 0;
        while let Some(message) = first_message(self.bytes.get(used..).unwrap_or_default()) {
            used += message.len();
            deliver(message);
        }
        self.bytes.drain(..used);
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }
}

fn first_message(bytes: &[u8]) -> Option<&[u8]> {
    let (_, mut rest) = bytes.split_first()?;
    let high = super::bytes::byte(&mut rest)?;
    let low = number(&mut rest)?;
    bytes.get(..4 + (usize::from(high) << 16 | usize::from(low)))
}
