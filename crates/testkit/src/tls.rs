//! The same conversations inside TLS, between a real client and a real server, with their key log.

use crate::Turn;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Connection, KeyLog, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

/// How the two ends are set up.
#[derive(Debug, Clone)]
pub struct TlsSetup {
    /// TLS 1.3, else 1.2.
    pub version_13: bool,
    /// The cipher suite by its number; `None` for the first that both know.
    pub suite: Option<u16>,
    /// What the client offers inside, and the server chooses the first of.
    pub alpn: Vec<Vec<u8>>,
    /// The server that the client asks for.
    pub name: &'static str,
    /// Bytes of content in a record at most, where records are to be smaller.
    pub fragment: Option<usize>,
    /// Both ends change their keys after so many turns (TLS 1.3).
    pub update_after: Option<usize>,
}

impl Default for TlsSetup {
    fn default() -> Self {
        Self {
            version_13: true,
            suite: None,
            alpn: vec![b"http/1.1".to_vec()],
            name: "shop.test",
            fragment: None,
            update_after: None,
        }
    }
}

/// A conversation as its bytes travel, and the keys to them.
#[derive(Debug, Clone, Default)]
pub struct TlsTurns {
    /// The handshake, and then one turn for each turn inside.
    pub turns: Vec<Turn>,
    /// Turns of the handshake.
    pub handshake: usize,
    /// The key log.
    pub keys: Vec<u8>,
}

#[derive(Debug, Default)]
struct Log(Mutex<String>);

impl KeyLog for Log {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let mut log = self.0.lock().expect("nobody panics while writing");
        writeln!(log, "{label} {} {}", hex(client_random), hex(secret)).expect("memory");
    }
}

/// A client and a server that talk TLS, turn by turn.
#[derive(Debug)]
pub struct TlsPair {
    client: Connection,
    server: Connection,
    log: Arc<Log>,
}

impl TlsPair {
    /// What both ends send until they are done with their handshake: requests and their answers.
    pub fn handshake(&mut self) -> Vec<Turn> {
        let mut turns = Vec::new();
        while self.client.is_handshaking() || self.server.is_handshaking() {
            let request = sent(&mut self.client, &mut self.server);
            let response = sent(&mut self.server, &mut self.client);
            turns.push(Turn { request, response });
        }
        turns
    }

    /// A turn as its bytes travel.
    pub fn turn(&mut self, request: &[u8], response: &[u8]) -> Turn {
        self.client.writer().write_all(request).expect("memory");
        let request = sent(&mut self.client, &mut self.server);
        self.server.writer().write_all(response).expect("memory");
        let response = sent(&mut self.server, &mut self.client);
        Turn { request, response }
    }

    /// The key log so far.
    pub fn keys(&self) -> Vec<u8> {
        self.log.0.lock().expect("nobody panics while writing").clone().into_bytes()
    }

    fn refresh_keys(&mut self) {
        self.client.refresh_traffic_keys().expect("TLS 1.3");
        self.server.refresh_traffic_keys().expect("TLS 1.3");
    }
}

impl TlsSetup {
    /// A client and a server that have not met yet.
    pub fn pair(&self) -> TlsPair {
        let log = Arc::new(Log::default());
        let (client, server) = self.ends(&log);
        TlsPair { client, server, log }
    }

    /// Plays the handshake and the turns.
    pub fn wrap(&self, turns: &[Turn]) -> TlsTurns {
        let mut pair = self.pair();
        let mut wrapped = TlsTurns { turns: pair.handshake(), ..TlsTurns::default() };
        wrapped.handshake = wrapped.turns.len();
        for (number, turn) in turns.iter().enumerate() {
            if self.update_after == Some(number) {
                pair.refresh_keys();
            }
            wrapped.turns.push(pair.turn(&turn.request, &turn.response));
        }
        wrapped.keys = pair.keys();
        // Handshake turns in which nobody answers, as the Finished of a client, go with the next.
        wrapped.merge_silent();
        wrapped
    }

    fn ends(&self, log: &Arc<Log>) -> (Connection, Connection) {
        let mut provider = rustls::crypto::ring::default_provider();
        if let Some(suite) = self.suite {
            provider.cipher_suites.retain(|known| u16::from(known.suite()) == suite);
        }
        let provider = Arc::new(provider);
        let versions: [&SupportedProtocolVersion; 1] =
            [if self.version_13 { &rustls::version::TLS13 } else { &rustls::version::TLS12 }];
        let made = rcgen::generate_simple_self_signed(vec![self.name.to_owned()]).expect("a name");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a certificate");
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .expect("a version with suites")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .expect("a version with suites")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a key that fits");
        client.key_log = Arc::clone(log) as Arc<dyn KeyLog>;
        client.alpn_protocols = self.alpn.clone();
        client.max_fragment_size = self.fragment;
        server.alpn_protocols = self.alpn.clone();
        server.max_fragment_size = self.fragment;
        let name = ServerName::try_from(self.name).expect("a name");
        let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
        let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
        client.set_buffer_limit(None);
        server.set_buffer_limit(None);
        (client.into(), server.into())
    }
}

impl TlsTurns {
    fn merge_silent(&mut self) {
        let mut merged: Vec<Turn> = Vec::new();
        for turn in self.turns.drain(..) {
            match merged.last_mut() {
                Some(last) if last.response.is_empty() => {
                    last.request.extend(turn.request);
                    last.response = turn.response;
                    self.handshake = self.handshake.saturating_sub(1);
                }
                _ => merged.push(turn),
            }
        }
        self.turns = merged;
    }
}

/// What one end has to send, given to the other.
fn sent(from: &mut Connection, to: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).expect("memory");
    }
    let mut rest = bytes.as_slice();
    let mut plain = Vec::new();
    while !rest.is_empty() {
        to.read_tls(&mut rest).expect("memory");
        let state = to.process_new_packets().expect("the ends understand each other");
        plain.resize(state.plaintext_bytes_to_read(), 0);
        to.reader().read_exact(&mut plain).expect("bytes that are there");
    }
    bytes
}
