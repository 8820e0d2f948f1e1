//! A scripted Kafka broker on loopback with three partitions: it keeps what it takes and answers by script, then takes all.

pub(crate) mod sasl;

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sasl::{Door, Visit};

/// What it does with one request to produce.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    Take,
    /// This code for this partition; it takes the others.
    Code(i16, i32),
    /// It takes everything and closes without an answer.
    CloseUnanswered,
    /// It closes and takes nothing.
    CloseBefore,
    /// 10, `MESSAGE_TOO_LARGE`, for each batch of more bytes; stays first in the script for ever.
    TooLargeBeyond(usize),
    /// What no broker says, to any request; stays first in the script for ever.
    Nonsense,
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    taken: Mutex<BTreeMap<i32, Vec<Vec<u8>>>>,
    door: Option<Door>,
}

pub(crate) struct Broker {
    pub(crate) host: String,
    shared: Arc<Shared>,
}

impl Broker {
    /// One at port 9092 of that address.
    pub(crate) fn start(host: &str, script: impl IntoIterator<Item = Reply>) -> Self {
        Self::listen(host, script, None, None)
    }

    /// The same over TLS.
    pub(crate) fn start_tls(host: &str, config: ServerConfig, door: Option<Door>) -> Self {
        Self::listen(host, [], Some(Arc::new(config)), door)
    }

    /// One that lets only its user in.
    pub(crate) fn start_with(host: &str, door: Door) -> Self {
        Self::listen(host, [], None, Some(door))
    }

    fn listen(
        host: &str,
        script: impl IntoIterator<Item = Reply>,
        tls: Option<Arc<ServerConfig>>,
        door: Option<Door>,
    ) -> Self {
        let listener = TcpListener::bind((host, 9092)).unwrap();
        let shared =
            Arc::new(Shared { script: Mutex::new(script.into_iter().collect()), door, ..Shared::default() });
        let (served, name) = (Arc::clone(&shared), host.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, name) = (Arc::clone(&served), name.clone());
                let tls = tls.clone().map(|config| ServerConnection::new(config).unwrap());
                thread::spawn(move || match tls {
                    Some(session) => serve(StreamOwned::new(session, stream), &name, &shared),
                    None => serve(stream, &name, &shared),
                });
            }
        });
        Self { host: host.to_owned(), shared }
    }

    /// Events by partition, in the order of their coming.
    pub(crate) fn taken(&self) -> BTreeMap<i32, Vec<Vec<u8>>> {
        self.shared.taken.lock().unwrap().clone()
    }
}

/// Answers requests until one ends the connection.
fn serve(mut stream: impl Read + Write, host: &str, shared: &Shared) -> Option<()> {
    let mut visit = Visit::default();
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request).ok()?;
        let mut rest = Rest(&request);
        let (key, _version) = (rest.short(), rest.short());
        let mut answer = rest.take(4).to_vec();
        rest.text();
        if matches!(shared.script.lock().unwrap().front(), Some(Reply::Nonsense)) {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").ok()?;
            continue;
        }
        if let Some(door) = &shared.door {
            let said = match key {
                17 => visit.handshake(door, rest.text()),
                36 => {
                    let length = rest.long();
                    visit.authenticate(door, rest.take(usize::try_from(length).unwrap()))
                }
                _ if visit.is_in => Vec::new(),
                // As Kafka does with who is not known.
                _ => return None,
            };
            if !said.is_empty() {
                answer.extend(said);
                stream.write_all(&u32::try_from(answer.len()).unwrap().to_be_bytes()).ok()?;
                stream.write_all(&answer).ok()?;
                continue;
            }
        }
        match key {
            18 => answer.extend([0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 9, 0, 3, 0, 0, 0, 9]),
            3 => answer.extend(metadata(host)),
            _ => answer.extend(produce(&mut rest, shared)?),
        }
        stream.write_all(&u32::try_from(answer.len()).unwrap().to_be_bytes()).ok()?;
        stream.write_all(&answer).ok()?;
    }
}

/// One broker that leads all partitions.
fn metadata(host: &str) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 1, 0, 0, 0, 1, 0, u8::try_from(host.len()).unwrap()];
    out.extend(host.as_bytes());
    out.extend(9092u32.to_be_bytes());
    out.extend([0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, b't', 0, 0, 0, 0, 3]);
    for partition in [2u8, 0, 1] {
        out.extend([0, 0, 0, 0, 0, partition, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
    }
    out
}

fn produce(rest: &mut Rest<'_>, shared: &Shared) -> Option<Vec<u8>> {
    rest.text();
    assert_eq!(rest.short(), -1, "acks of all");
    rest.take(4);
    assert_eq!(rest.long(), 1, "one topic");
    let topic = rest.text().to_vec();
    let mut script = shared.script.lock().unwrap();
    let reply = match script.front() {
        Some(Reply::TooLargeBeyond(most)) => Reply::TooLargeBeyond(*most),
        Some(_) => script.pop_front().unwrap(),
        None => Reply::Take,
    };
    if matches!(reply, Reply::CloseBefore) {
        return None;
    }
    let partitions = rest.long();
    let mut answer = vec![0, 0, 0, 1, 0, u8::try_from(topic.len()).unwrap()];
    answer.extend(topic);
    answer.extend(partitions.to_be_bytes());
    for _ in 0..partitions {
        let (partition, length) = (rest.long(), rest.long());
        let batch = rest.take(usize::try_from(length).unwrap());
        let code = match reply {
            Reply::Code(code, of) if of == partition => code,
            Reply::TooLargeBeyond(most) if batch.len() > most => 10,
            _ => 0,
        };
        if code == 0 {
            shared.taken.lock().unwrap().entry(partition).or_default().extend(values(batch));
        }
        answer.extend(partition.to_be_bytes());
        answer.extend(code.to_be_bytes());
        answer.extend([0; 24]);
    }
    answer.extend([0; 4]);
    (!matches!(reply, Reply::CloseUnanswered)).then_some(answer)
}

/// The events of a batch that is not compressed.
fn values(batch: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = Rest(batch);
    rest.take(8);
    assert_eq!(usize::try_from(rest.long()).unwrap(), batch.len() - 12, "the length of the batch");
    rest.take(4);
    assert_eq!(rest.take(1), [2], "the format");
    let sum = rest.long().cast_unsigned();
    let mut crc = tapwire_store::Crc32c::NEW;
    crc.add(rest.0);
    assert_eq!(sum, crc.sum());
    rest.take(36);
    let count = rest.long();
    let values = (0..count)
        .map(|place| {
            let (_length, _attributes, _time) = (rest.varint(), rest.take(1), rest.varint());
            assert_eq!(rest.varint(), i64::from(place));
            let key = rest.varint();
            rest.take(usize::try_from(key).unwrap_or(0));
            let length = usize::try_from(rest.varint()).unwrap();
            let value = rest.take(length).to_vec();
            assert_eq!(rest.varint(), 0, "no headers");
            value
        })
        .collect();
    assert!(rest.0.is_empty());
    values
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn short(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn long(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn text(&mut self) -> &'a [u8] {
        let length = self.short();
        self.take(usize::try_from(length).unwrap_or(0))
    }

    fn varint(&mut self) -> i64 {
        let mut number = 0u64;
        for place in 0.. {
            let byte = self.take(1)[0];
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }
}
