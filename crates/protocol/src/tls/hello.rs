//! The two hellos: the messages of a connection that are always in clear, unless the client's is encrypted by ECH.

use super::bytes::{byte, number, numbers, take, vector_8, vector_16};

/// More than any ClientHello: with post-quantum key shares they have some 2 KiB. What is longer is not read.
pub(super) const MAX_HELLO: usize = 16 << 10;

/// Record head (RFC 8446, 5.1) and handshake head (RFC 8446, 4).
const RECORD_HEAD: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// Extension numbers (RFC 6066, 3; RFC 8422, 5.1; RFC 7301, 3.1; RFC 7366; RFC 7627; RFC 8446, 4.2).
pub(super) const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
pub(super) const ALPN: u16 = 16;
const ENCRYPT_THEN_MAC: u16 = 22;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SESSION_TICKET: u16 = 35;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;

/// The longest name that DNS can carry.
const MAX_NAME: usize = 253;

/// A HelloRetryRequest is a ServerHello with this random (RFC 8446, 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a client says before everything else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientHello {
    /// The version in its head: 0x0303 for every version since 1.2.
    pub version: u16,
    /// Its random, by which key logs name a connection.
    pub random: [u8; 32],
    /// The session that it wants to go on with.
    pub session: Vec<u8>,
    /// The ticket of the session that it wants to go on with.
    pub ticket: Vec<u8>,
    /// Cipher suites, in its order.
    pub suites: Vec<u16>,
    /// Numbers of extensions, in its order.
    pub extensions: Vec<u16>,
    /// Groups for key exchange.
    pub groups: Vec<u16>,
    /// Formats of points on elliptic curves.
    pub point_formats: Vec<u8>,
    /// Signature algorithms.
    pub signatures: Vec<u16>,
    /// Versions that it supports, where it lists them.
    pub versions: Vec<u16>,
    /// Protocols inside, in its order.
    pub alpn: Vec<Vec<u8>>,
    /// Whether data follows before the server's answer (RFC 8446, 4.2.10).
    pub early_data: bool,
    /// The server it asks for, in lower case: letters, digits, dots, hyphens and underscores only, so that it can be shown.
    /// `None` where it names none, or none that a DNS name can be.
    pub server_name: Option<String>,
}

impl ClientHello {
    /// Whether it offers HTTP/2.
    pub fn offers_http2(&self) -> bool {
        self.alpn.iter().any(|name| name == b"h2")
    }
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerHello {
    /// The version in its head.
    pub legacy_version: u16,
    /// The version that is spoken from here on.
    pub version: u16,
    /// Its random.
    pub random: [u8; 32],
    /// The session's name.
    pub session: Vec<u8>,
    /// The cipher suite.
    pub suite: u16,
    /// Numbers of extensions, in its order.
    pub extensions: Vec<u16>,
    /// The protocol inside, where that is said in clear (TLS 1.2 and older).
    pub alpn: Option<Vec<u8>>,
    /// It asks for another ClientHello (HelloRetryRequest).
    pub retry: bool,
    /// Whether the master secret is bound to the handshake (RFC 7627).
    pub extended_master_secret: bool,
    /// Whether CBC suites authenticate what is encrypted (RFC 7366).
    pub encrypt_then_mac: bool,
}

/// What the beginning of a stream is to TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelloOutcome {
    /// Something else, or a ClientHello that contradicts itself.
    NotHello,
    /// The beginning of a ClientHello.
    Partial,
    /// A whole one.
    Hello(Box<ClientHello>),
}

/// Reads the ClientHello at the beginning of a client's stream. It may lie in several records.
pub fn client_hello(stream: &[u8]) -> HelloOutcome {
    let message = match handshake(stream) {
        Ok(message) => message,
        Err(outcome) => return outcome,
    };
    let [CLIENT_HELLO, high, middle, low, rest @ ..] = message.as_slice() else {
        return if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            HelloOutcome::NotHello
        } else {
            HelloOutcome::Partial
        };
    };
    let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
    if length > MAX_HELLO {
        return HelloOutcome::NotHello;
    }
    let Some(body) = rest.get(..length) else { return HelloOutcome::Partial };
    ClientHello::parse(body).map_or(HelloOutcome::NotHello, |hello| HelloOutcome::Hello(Box::new(hello)))
}

/// The handshake bytes of the records at the beginning of the stream, as far as there are any.
fn handshake(mut stream: &[u8]) -> Result<Vec<u8>, HelloOutcome> {
    let mut message = Vec::new();
    while message.len() <= MAX_HELLO {
        let [kind, major, _, high, low, rest @ ..] = stream else {
            // A record head that is cut; with nothing before it, it must at least look like one.
            let begins = stream.first().is_none_or(|kind| *kind == HANDSHAKE)
                && stream.get(1).is_none_or(|major| *major == 3);
            return if begins { Ok(message) } else { Err(HelloOutcome::NotHello) };
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind != HANDSHAKE || *major != 3 || length == 0 {
            // Whatever follows the hello is none of it.
            return if message.is_empty() { Err(HelloOutcome::NotHello) } else { Ok(message) };
        }
        message.extend_from_slice(rest.get(..length).unwrap_or(rest));
        stream = stream.get(RECORD_HEAD + length..).unwrap_or_default();
        if stream.is_empty() {
            break;
        }
    }
    Ok(message)
}

impl ClientHello {
    /// Reads the message behind its head: version, random, session, cipher suites, compression methods, extensions
    /// (RFC 8446, 4.1.2).
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut rest = body;
        let mut hello = Self { version: number(&mut rest)?, ..Self::default() };
        hello.random = *take(&mut rest, 32)?.first_chunk()?;
        hello.session = vector_8(&mut rest)?.to_vec();
        hello.suites = numbers(vector_16(&mut rest)?);
        vector_8(&mut rest)?;
        // TLS 1.2 and older allow a hello without extensions.
        each_extension(rest, |kind, content| hello.extension(kind, content))?;
        Some(hello)
    }

    fn extension(&mut self, kind: u16, mut content: &[u8]) {
        self.extensions.push(kind);
        let list = |content: &mut &[u8]| vector_16(content).map(numbers).unwrap_or_default();
        match kind {
            SERVER_NAME => self.server_name = server_name(content),
            SUPPORTED_GROUPS => self.groups = list(&mut content),
            POINT_FORMATS => self.point_formats = vector_8(&mut content).unwrap_or_default().to_vec(),
            SIGNATURE_ALGORITHMS => self.signatures = list(&mut content),
            ALPN => self.alpn = protocols(content),
            SESSION_TICKET => self.ticket = content.to_vec(),
            EARLY_DATA => self.early_data = true,
            SUPPORTED_VERSIONS => self.versions = vector_8(&mut content).map(numbers).unwrap_or_default(),
            _ => {}
        }
    }
}

impl ServerHello {
    /// Reads the message behind its head (RFC 8446, 4.1.3).
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut rest = body;
        let version = number(&mut rest)?;
        let mut hello = Self { legacy_version: version, version, ..Self::default() };
        hello.random = *take(&mut rest, 32)?.first_chunk()?;
        hello.retry = hello.random == RETRY;
        hello.session = vector_8(&mut rest)?.to_vec();
        hello.suite = number(&mut rest)?;
        byte(&mut rest)?;
        each_extension(rest, |kind, content| hello.extension(kind, content))?;
        Some(hello)
    }

    fn extension(&mut self, kind: u16, mut content: &[u8]) {
        self.extensions.push(kind);
        match kind {
            SUPPORTED_VERSIONS => self.version = number(&mut content).unwrap_or(self.version),
            ALPN => self.alpn = protocols(content).into_iter().next(),
            EXTENDED_MASTER_SECRET => self.extended_master_secret = true,
            ENCRYPT_THEN_MAC => self.encrypt_then_mac = true,
            _ => {}
        }
    }
}

/// Hands on each extension of the list that ends a hello; `None` where the list contradicts itself.
pub(super) fn each_extension<'a>(mut rest: &'a [u8], mut take: impl FnMut(u16, &'a [u8])) -> Option<()> {
    if rest.is_empty() {
        return Some(());
    }
    let mut extensions = vector_16(&mut rest)?;
    while !extensions.is_empty() {
        let kind = number(&mut extensions)?;
        take(kind, vector_16(&mut extensions)?);
    }
    Some(())
}

/// The first host name of the list.
fn server_name(mut content: &[u8]) -> Option<String> {
    let mut list = vector_16(&mut content)?;
    let kind = byte(&mut list)?;
    let name = vector_16(&mut list)?;
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_name = kind == 0 && !name.is_empty() && name.len() <= MAX_NAME && name.iter().all(allowed);
    is_name.then(|| name.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect())
}

/// The names of protocols (RFC 7301, 3.1).
pub(super) fn protocols(mut content: &[u8]) -> Vec<Vec<u8>> {
    let Some(mut list) = vector_16(&mut content) else { return Vec::new() };
    std::iter::from_fn(|| vector_8(&mut list)).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::tls) fn with_length(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &with_length(content)].concat()
    }

    fn message(name: &[u8], padding: usize) -> Vec<u8> {
        let names = with_length(&[&[0][..], &with_length(name)].concat());
        let extensions = [
            extension(21, &vec![0; padding]),
            extension(SERVER_NAME, &names),
            extension(ALPN, &with_length(b"\x02h2\x08http/1.1")),
        ];
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0]);
        body.extend(with_length(&[0x13, 0x01]));
        body.extend([1, 0]);
        body.extend(with_length(&extensions.concat()));
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[CLIENT_HELLO][..], &length[1..], &body].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |part: &[u8]| [&[HANDSHAKE, 3, 1][..], &with_length(part)].concat();
        message.chunks(size).flat_map(record).collect()
    }

    fn name(stream: &[u8]) -> Option<String> {
        match client_hello(stream) {
            HelloOutcome::Hello(hello) => hello.server_name,
            _ => None,
        }
    }

    #[test]
    fn the_name_is_read_however_the_message_is_cut_into_records() {
        let message = message(b"API.example.com", 1_800);
        for size in [1, 5, 100, 16_000] {
            assert_eq!(name(&records(&message, size)).as_deref(), Some("api.example.com"), "{size}");
        }
        let HelloOutcome::Hello(hello) = client_hello(&records(&message, 16_000)) else { panic!("a hello") };
        assert!(hello.offers_http2());
        assert_eq!((hello.extensions.as_slice(), hello.random), (&[21, 0, 16][..], [7; 32]));
    }

    #[test]
    fn every_beginning_is_partial() {
        let stream = records(&message(b"a.b", 20), 30);
        for end in 0..stream.len() {
            assert_eq!(client_hello(&stream[..end]), HelloOutcome::Partial, "{end}");
        }
        assert!(matches!(client_hello(&[stream, vec![23, 3, 3, 0, 9]].concat()), HelloOutcome::Hello(_)));
    }

    #[test]
    fn what_is_no_hello_is_not_taken_for_one() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], &[22, 3, 3, 0, 4, 2, 0, 0, 9], &[23, 3, 3, 0, 1, 0]] {
            assert_eq!(client_hello(bytes), HelloOutcome::NotHello);
        }
        let mut wrong = message(b"a.b", 0);
        wrong[1] = 0xff;
        assert_eq!(client_hello(&records(&wrong, 16_000)), HelloOutcome::NotHello);
    }

    #[test]
    fn a_name_that_could_steer_a_terminal_is_no_name() {
        assert_eq!(name(&records(&message(b"a\x1b[2Jb", 0), 16_000)), None);
        assert_eq!(name(&records(&message(&[b'a'; 254], 0), 16_000)), None);
    }

    #[test]
    fn a_server_hello_says_the_version_that_counts() {
        let mut body = vec![3, 3];
        body.extend([9; 32]);
        body.extend([0, 0x13, 0x02, 0]);
        body.extend(with_length(&extension(SUPPORTED_VERSIONS, &[3, 4])));
        let hello = ServerHello::parse(&body).unwrap();
        assert_eq!((hello.legacy_version, hello.version, hello.suite), (0x0303, 0x0304, 0x1302));
        assert!(!hello.retry);
        body[2..34].copy_from_slice(&RETRY);
        assert!(ServerHello::parse(&body).unwrap().retry);
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..400, byte: u8) {
            client_hello(&bytes);
            client_hello(&records(&bytes, 50));
            ServerHello::parse(&bytes);
            let mut stream = records(&message(b"api.example.com", 40), 120);
            if let Some(place) = stream.get_mut(at) {
                *place = byte;
            }
            client_hello(&stream);
        }
    }
}
