//! Sends key log lines to a sensor on another machine.

use crate::file::{Tail, open_fifo};
use crate::lines::Lines;
use crate::listen::GREETING;
use crate::{Address, KeyError, Target, Tell, Tls, tls};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Lines that wait for the receiver: at most 32 MB of the usual length. The oldest go first: their connections have begun long ago.
const WAITING: usize = 1 << 16;
/// Lines on their way that the receiver has not answered for.
const UNDER_WAY: usize = 1_024;
const LOOK: Duration = Duration::from_millis(20);
/// For answers to what is under way when the sender ends.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(5);
/// From the first to the longest wait before the next try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What a sender did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Lines that the receiver said it has taken.
    pub lines: u64,
    /// Lines that went because too many waited.
    pub dropped: u64,
    /// Lines that nobody took before the end.
    pub left: u64,
    /// Times that a receiver was reached.
    pub connections: u64,
}

/// From a file or FIFO to a receiver.
pub struct Forward {
    tail: Tail,
    target: Target,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    queue: VecDeque<Zeroizing<Vec<u8>>>,
    /// From the front of the queue, how many the receiver has been sent on this connection.
    under_way: usize,
    sent: Sent,
    tell: Tell,
}

impl std::fmt::Debug for Forward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forward")
            .field("target", &self.target)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Forward {
    /// Opens the source and reads the certificates; connects to nobody yet.
    ///
    /// # Errors
    /// When the source is no file or FIFO that can be read, or a certificate cannot be used.
    pub fn new(source: &Address, target: Target, files: &Tls, tell: Tell) -> Result<Self, KeyError> {
        let tail = match source {
            Address::File(path) => Tail::open(path, u64::MAX)?,
            Address::Fifo(path) => open_fifo(path)?,
            Address::Unix(_) | Address::Tls(..) => {
                return Err(KeyError::open(source, "only FILE and fifo:PATH can be forwarded"));
            }
        };
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| KeyError::open(&target, "is neither a host name nor an address"))?;
        let tls = tls::client(files, &tls::OPTIONS)?;
        let (queue, sent) = (VecDeque::new(), Sent::default());
        Ok(Self { tail, target, name, tls, queue, under_way: 0, sent, tell })
    }

    /// Sends until `stop`. With `once`, until everything that the source holds now has been taken.
    #[must_use]
    pub fn run(mut self, once: bool, stop: &AtomicBool) -> Sent {
        let mut pause = PAUSES.0;
        while !self.is_done(once, stop) {
            let error = match self.connect() {
                Ok(stream) => {
                    pause = PAUSES.0;
                    self.converse(stream, once, stop).err()
                }
                Err(error) => Some(error),
            };
            self.under_way = 0;
            let Some(error) = error else { continue };
            (self.tell)(&format!("{}: {error}; trying again", self.target));
            self.wait(pause, stop);
            pause = PAUSES.1.min(pause * 2);
        }
        self.sent.left = self.queue.len() as u64;
        self.sent
    }

    fn is_done(&mut self, once: bool, stop: &AtomicBool) -> bool {
        stop.load(Ordering::Relaxed)
            || once && self.sent.connections > 0 && !self.fill() && self.queue.is_empty()
    }

    /// Reads on while nobody takes lines: a FIFO that is not read would hold up the program that writes to it.
    fn wait(&mut self, pause: Duration, stop: &AtomicBool) {
        let begun = Instant::now();
        while begun.elapsed() < pause && !stop.load(Ordering::Relaxed) {
            self.fill();
            std::thread::sleep(LOOK);
        }
    }

    /// Reads what the source has; whether there was anything.
    fn fill(&mut self) -> bool {
        let mut any = false;
        while let Ok(Some((batch, _))) = self.tail.read() {
            any = true;
            for line in batch.split_inclusive(|byte| *byte == b'\n') {
                self.queue.push_back(Zeroizing::new(line.to_vec()));
            }
            while self.queue.len() > WAITING {
                // What is under way stands at the front and may have arrived.
                self.queue.remove(self.under_way);
                self.sent.dropped += 1;
            }
        }
        if !any {
            let _ = self.tail.follow_name();
        }
        any
    }

    fn connect(&mut self) -> io::Result<Stream> {
        let none = || io::Error::new(io::ErrorKind::NotFound, "has no address");
        let address =
            (self.target.host.as_str(), self.target.port).to_socket_addrs()?.next().ok_or_else(none)?;
        let socket = TcpStream::connect_timeout(&address, CONNECT)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(CONNECT))?;
        socket.set_write_timeout(Some(CONNECT))?;
        let connection =
            ClientConnection::new(Arc::clone(&self.tls), self.name.clone()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, socket);
        // In TLS 1.3 a client learns only now whether its certificate was taken.
        let mut greeting = [0; GREETING.len()];
        stream.read_exact(&mut greeting)?;
        if greeting != GREETING.as_bytes() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "is no receiver of keys"));
        }
        stream.sock.set_read_timeout(Some(LOOK))?;
        self.sent.connections += 1;
        Ok(stream)
    }

    fn converse(&mut self, mut stream: Stream, once: bool, stop: &AtomicBool) -> io::Result<()> {
        let mut answers = Lines::default();
        let mut answered = 0;
        while !stop.load(Ordering::Relaxed) {
            let any = self.fill();
            self.send(&mut stream)?;
            self.hear(&mut stream, &mut answers, &mut answered)?;
            if once && !any && self.queue.is_empty() {
                break;
            }
        }
        let ended = Instant::now();
        while self.under_way > 0 && ended.elapsed() < LAST_ANSWERS {
            self.hear(&mut stream, &mut answers, &mut answered)?;
        }
        stream.conn.send_close_notify();
        let _ = stream.flush();
        Ok(())
    }

    fn send(&mut self, stream: &mut Stream) -> io::Result<()> {
        let room = UNDER_WAY.saturating_sub(self.under_way);
        let mut text = Zeroizing::new(Vec::with_capacity(64 << 10));
        let mut lines = 0;
        for line in self.queue.iter().skip(self.under_way).take(room) {
            if text.len() + line.len() > text.capacity() {
                break;
            }
            text.extend_from_slice(line);
            lines += 1;
        }
        stream.write_all(&text)?;
        stream.flush()?;
        self.under_way += lines;
        Ok(())
    }

    /// What the receiver has taken leaves the queue; what it has not is sent again on the next connection, since a line that
    /// comes twice does no harm.
    fn hear(&mut self, stream: &mut Stream, answers: &mut Lines, answered: &mut u64) -> io::Result<()> {
        let mut buffer = [0; 256];
        let read = match stream.read(&mut buffer) {
            Ok(0) => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the receiver closed the connection",
                ));
            }
            Ok(read) => read,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let (text, _) = answers.cut(buffer.get(..read).unwrap_or_default());
        let last = text.rsplit(|byte| *byte == b'\n').find(|line| !line.is_empty());
        let taken = last.and_then(|line| std::str::from_utf8(line).ok()).and_then(|line| line.parse().ok());
        let more = taken.unwrap_or(*answered).saturating_sub(*answered).min(self.under_way as u64);
        for _ in 0..more {
            self.queue.pop_front();
            self.under_way -= 1;
        }
        self.sent.lines += more;
        *answered += more;
        Ok(())
    }
}
