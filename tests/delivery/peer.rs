//! A scripted collector on an address of its own, which may go away and come back.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use flate2::read::MultiGzDecoder;

/// What the peer does with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Takes the events and says so.
    Take,
    /// Answers with this status and takes nothing.
    Refuse(u16),
    /// Takes the events and closes without a word: they come again.
    TakeAndHangUp,
    /// Closes in the middle of the body.
    HangUp,
    /// Takes the events after a while.
    Slow,
    /// Says that it has the request and does nothing with it, until its connection is closed.
    Hold,
    /// The same, and the events are taken.
    TakeAndHold,
}

/// Everything that was taken, and how the peer goes on.
struct Shared {
    taken: Mutex<Vec<String>>,
    script: Mutex<VecDeque<Act>>,
    /// After the script.
    usual: Act,
    /// Requests of more events are too large.
    most: usize,
    held: Mutex<Sender<()>>,
    open: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

/// The collector.
pub(crate) struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
    held: Receiver<()>,
    serving: Option<JoinHandle<()>>,
}

impl Peer {
    /// A peer that is down, with what it does with its first requests and with those behind.
    pub(crate) fn down(script: impl IntoIterator<Item = Act>, usual: Act) -> Self {
        let (send, held) = channel();
        let shared = Shared {
            taken: Mutex::default(),
            script: Mutex::new(script.into_iter().collect()),
            usual,
            most: usize::MAX,
            held: Mutex::new(send),
            open: AtomicBool::new(false),
            connections: Mutex::default(),
        };
        // Nobody else listens on this address, so that its port stays free while the peer is down.
        let address = SocketAddr::from((own_address(), 9000));
        Self { address, shared: Arc::new(shared), held, serving: None }
    }

    /// A peer that listens.
    pub(crate) fn up(script: impl IntoIterator<Item = Act>, usual: Act) -> Self {
        let mut peer = Self::down(script, usual);
        peer.open();
        peer
    }

    /// The same, to which requests of more than `most` events are too large.
    pub(crate) fn taking_at_most(mut self, most: usize) -> Self {
        self.close();
        Arc::get_mut(&mut self.shared).expect("a peer that is down").most = most;
        self.open();
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    pub(crate) fn open(&mut self) {
        let listener = TcpListener::bind(self.address).expect("an address of our own");
        let shared = Arc::clone(&self.shared);
        shared.open.store(true, Ordering::SeqCst);
        self.serving = Some(std::thread::spawn(move || accept(&listener, &shared)));
    }

    /// Closes its port and every connection.
    pub(crate) fn close(&mut self) {
        let Some(serving) = self.serving.take() else { return };
        self.shared.open.store(false, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        for connection in lock(&self.shared.connections).drain(..) {
            // It may be closed already.
            let _closed = connection.shutdown(Shutdown::Both);
        }
        serving.join().expect("a peer that did not panic");
    }

    /// Does this with the next requests.
    pub(crate) fn script(&self, acts: impl IntoIterator<Item = Act>) {
        lock(&self.shared.script).extend(acts);
    }

    /// Waits until a request is held.
    pub(crate) fn wait_until_held(&self) {
        self.held.recv_timeout(super::PATIENCE).expect("a request to hold");
    }

    /// Every event that was taken, in the order of their arrival.
    pub(crate) fn taken(&self) -> Vec<String> {
        lock(&self.shared.taken).clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.close();
        }
    }
}

/// One of 127/8 that no other test of any process uses.
pub(crate) fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let process = std::process::id();
    let [.., second, third] = process.to_be_bytes();
    let next = NEXT.fetch_add(1, Ordering::SeqCst).to_be_bytes()[3];
    Ipv4Addr::new(127, 64 | (second & 63), third, next)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut serving = Vec::new();
    for stream in listener.incoming() {
        if !shared.open.load(Ordering::SeqCst) {
            break;
        }
        let stream = stream.expect("a connection");
        lock(&shared.connections).push(stream.try_clone().expect("a second handle"));
        let shared = Arc::clone(shared);
        serving.push(std::thread::spawn(move || while serve(&stream, &shared).is_some() {}));
    }
    // Those that came while it closed.
    for connection in lock(&shared.connections).drain(..) {
        let _closed = connection.shutdown(Shutdown::Both);
    }
    serving.into_iter().for_each(|one| one.join().expect("a connection's thread"));
}

/// Does with one request what the script says; `None` at the connection's end.
fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let act = lock(&shared.script).pop_front().unwrap_or(shared.usual);
    let mut body = vec![0; length.expect("a stated length")];
    if let Act::HangUp = act {
        let half = body.len() / 2;
        reader.read_exact(&mut body[..half]).ok()?;
        let _closed = stream.shutdown(Shutdown::Both);
        return None;
    }
    reader.read_exact(&mut body).ok()?;
    let mut text = String::new();
    MultiGzDecoder::new(body.as_slice()).read_to_string(&mut text).expect("gzip of text");
    let events: Vec<String> = text.lines().map(str::to_owned).collect();
    if events.len() > shared.most {
        return answer(stream, 413);
    }
    act_on(act, events, stream, shared)
}

fn act_on(act: Act, events: Vec<String>, stream: &TcpStream, shared: &Shared) -> Option<()> {
    match act {
        Act::Refuse(status) => return answer(stream, status),
        Act::Hold => {}
        Act::Slow => {
            std::thread::sleep(Duration::from_millis(20));
            lock(&shared.taken).extend(events);
        }
        _ => lock(&shared.taken).extend(events),
    }
    match act {
        Act::Hold | Act::TakeAndHold => {
            // Nobody may wait for it any more.
            let _told = lock(&shared.held).send(());
            let _end = (&*stream).read(&mut [0]);
            None
        }
        Act::TakeAndHangUp => {
            let _closed = stream.shutdown(Shutdown::Both);
            None
        }
        _ => answer(stream, 200),
    }
}

fn answer(mut stream: &TcpStream, status: u16) -> Option<()> {
    let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(text.as_bytes()).ok()
}
