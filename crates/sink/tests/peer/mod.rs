//! A scripted HTTP peer on loopback: it records requests and answers by script, then with 200.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use flate2::read::GzDecoder;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the peer does with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// Answers, with further header lines that each end in CRLF.
    Answer(u16, &'static str),
    /// Answers 200, then closes without having said so.
    AnswerAndClose,
    /// Reads the head and a part of the body, then closes.
    CloseInBody,
    /// Reads all, then closes without an answer.
    CloseUnanswered,
    /// Answers 200 after `Peer::release`.
    Wait,
    /// Answers 200 with this body.
    Body(&'static str),
    /// The same, and closes before the end that it named.
    BodyBrokenOff(&'static str),
    /// Answers 400 as long as a request holds this text, and stays first in the script for ever.
    Poison(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The status of the answer; 0 = none.
    pub(crate) answered: u16,
}

impl Request {
    /// The value of a field, its name in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut fields = self.head.lines().skip(1).filter_map(|l| l.split_once(':'));
        fields.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned())
    }

    #[expect(clippy::disallowed_methods, reason = "what a sink under test has sent")]
    pub(crate) fn text(&self) -> String {
        if self.field("content-encoding").is_none() {
            return String::from_utf8(self.body.clone()).unwrap();
        }
        let mut text = String::new();
        GzDecoder::new(self.body.as_slice()).read_to_string(&mut text).unwrap();
        text
    }
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<u32>,
    released: Mutex<bool>,
    release: Condvar,
}

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Peer {
    pub(crate) fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::listen(script, None)
    }

    pub(crate) fn start_tls(config: ServerConfig) -> Self {
        Self::listen([], Some(Arc::new(config)))
    }

    fn listen(script: impl IntoIterator<Item = Reply>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { script: Mutex::new(script.into_iter().collect()), ..Shared::default() });
        let peer = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                *peer.connections.lock().unwrap() += 1;
                let (peer, tls) = (Arc::clone(&peer), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(&peer, stream),
                    Some(config) => {
                        serve(&peer, StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
                    }
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> u32 {
        *self.shared.connections.lock().unwrap()
    }

    /// All bodies, decoded, in order of arrival.
    pub(crate) fn text(&self) -> String {
        self.requests().iter().map(Request::text).collect()
    }

    pub(crate) fn release(&self) {
        *self.shared.released.lock().unwrap() = true;
        self.shared.release.notify_all();
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn serve(peer: &Shared, stream: impl Read + Write) {
    let mut stream = BufReader::new(stream);
    while answer(peer, &mut stream).is_some() {}
}

fn next_reply(peer: &Shared) -> Reply {
    let mut script = peer.script.lock().unwrap();
    match script.front() {
        Some(Reply::Poison(text)) => Reply::Poison(text),
        _ => script.pop_front().unwrap_or(Reply::Answer(200, "")),
    }
}

/// `None` when the connection is over.
fn answer(peer: &Shared, stream: &mut BufReader<impl Read + Write>) -> Option<()> {
    let head = read_head(stream)?;
    let mut reply = next_reply(peer);
    let mut request = Request { head, body: Vec::new(), answered: 0 };
    let length: usize = request.field("content-length")?.parse().ok()?;
    if matches!(reply, Reply::CloseInBody) {
        stream.read_exact(&mut vec![0; length / 2]).ok()?;
        return None;
    }
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).ok()?;
    if let Reply::Poison(text) = reply {
        let spoilt = request.text().contains(text);
        reply = Reply::Answer(if spoilt { 400 } else { 200 }, "");
    }
    request.answered = match reply {
        Reply::Answer(status, _) => status,
        Reply::CloseUnanswered => 0,
        _ => 200,
    };
    peer.requests.lock().unwrap().push(request);
    let (status, fields) = match reply {
        Reply::Answer(status, fields) => (status, fields),
        Reply::CloseUnanswered => return None,
        Reply::Wait => {
            let released = peer.released.lock().unwrap();
            let _released = peer.release.wait_while(released, |r| !*r).unwrap();
            (200, "")
        }
        _ => (200, ""),
    };
    let (body, missing) = match reply {
        Reply::Body(body) => (body, 0),
        Reply::BodyBrokenOff(body) => (body, 1000),
        _ => ("ok", 0),
    };
    let length = body.len() + missing;
    let text = format!("HTTP/1.1 {status} Scripted\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
    stream.get_mut().write_all(text.as_bytes()).ok()?;
    stream.get_mut().flush().ok()?;
    (!matches!(reply, Reply::AnswerAndClose | Reply::BodyBrokenOff(_))).then_some(())
}

fn read_head(stream: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}
