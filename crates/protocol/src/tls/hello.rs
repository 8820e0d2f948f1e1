//! The ClientHello: the one message of a client that is always in clear, unless it is encrypted by ECH.

/// More than any ClientHello: with post-quantum key shares they have some 2 KiB. What is longer is not read.
const MAX_HELLO: usize = 16 << 10;

/// Record head (RFC 8446, 5.1) and handshake head (RFC 8446, 4).
const RECORD_HEAD: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// Extension numbers (RFC 6066, 3; RFC 7301, 3.1).
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

/// The longest name that DNS can carry.
const MAX_NAME: usize = 253;

/// What a client says before everything else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientHello {
    /// The server it asks for, in lower case: letters, digits, dots, hyphens and underscores only, so that it can be shown.
    /// `None` where it names none, or none that a DNS name can be.
    pub server_name: Option<String>,
    /// Whether it offers HTTP/2.
    pub offers_http2: bool,
}

/// What the beginning of a stream is to TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelloOutcome {
    /// Something else, or a ClientHello that contradicts itself.
    NotHello,
    /// The beginning of a ClientHello.
    Partial,
    /// A whole one.
    Hello(ClientHello),
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
    body_of(body).map_or(HelloOutcome::NotHello, HelloOutcome::Hello)
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

/// Version, random, session, cipher suites, compression methods, extensions (RFC 8446, 4.1.2).
fn body_of(body: &[u8]) -> Option<ClientHello> {
    let mut rest = body.get(34..)?;
    take_8(&mut rest)?;
    take_16(&mut rest)?;
    take_8(&mut rest)?;
    let mut hello = ClientHello::default();
    if rest.is_empty() {
        // TLS 1.2 and older allow a hello without extensions.
        return Some(hello);
    }
    let mut extensions = take_16(&mut rest)?;
    while let [high, low, after @ ..] = extensions {
        let kind = u16::from_be_bytes([*high, *low]);
        extensions = after;
        let content = take_16(&mut extensions)?;
        match kind {
            SERVER_NAME => hello.server_name = server_name(content),
            ALPN => hello.offers_http2 = offers_http2(content),
            _ => {}
        }
    }
    extensions.is_empty().then_some(hello)
}

/// The first host name of the list.
fn server_name(mut content: &[u8]) -> Option<String> {
    let mut list = take_16(&mut content)?;
    let (kind, rest) = list.split_first()?;
    list = rest;
    let name = take_16(&mut list)?;
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_name = *kind == 0 && !name.is_empty() && name.len() <= MAX_NAME && name.iter().all(allowed);
    is_name.then(|| name.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect())
}

fn offers_http2(mut content: &[u8]) -> bool {
    let Some(mut list) = take_16(&mut content) else { return false };
    std::iter::from_fn(|| take_8(&mut list)).any(|protocol| protocol == b"h2")
}

/// Takes what a length of one byte announces.
fn take_8<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first()?;
    take(rest, after, usize::from(*length))
}

/// Takes what a length of two bytes announces.
fn take_16<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    take(rest, after, usize::from(u16::from_be_bytes(*length)))
}

fn take<'a>(rest: &mut &'a [u8], after: &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (content, behind) = after.split_at_checked(length)?;
    *rest = behind;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_length(bytes: &[u8]) -> Vec<u8> {
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
        assert!(hello.offers_http2);
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

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..400, byte: u8) {
            client_hello(&bytes);
            client_hello(&records(&bytes, 50));
            let mut stream = records(&message(b"api.example.com", 40), 120);
            if let Some(place) = stream.get_mut(at) {
                *place = byte;
            }
            client_hello(&stream);
        }
    }
}
