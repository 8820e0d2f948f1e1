//! Programs and machines that connect to send key log lines.

use crate::feed::Feeder;
use crate::lines::{Lines, PIECE};
use crate::sources::Shared;
use nix::sys::socket::{setsockopt, sockopt::KeepAlive};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How often a thread that waits looks whether the run is over.
const LOOK: Duration = Duration::from_millis(100);
/// For the whole handshake: whoever has no certificate holds a place no longer.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Senders at a time, over all sources.
const MOST_SENDERS: u64 = 256;
/// What a receiver says when it takes a sender, and after each batch: how many lines it has taken so far.
pub(crate) const GREETING: &str = "tapwire-keys 1\n";

/// Takes senders at a local socket until the run is over.
pub(crate) fn local(listener: &UnixListener, feeder: &Feeder, shared: &Arc<Shared>) {
    accept(
        shared,
        || listener.accept().map(|(stream, _)| stream),
        |stream: UnixStream| {
            let (feeder, shared) = (feeder.clone(), Arc::clone(shared));
            move || {
                let ready = stream.set_nonblocking(false).and_then(|()| stream.set_read_timeout(Some(LOOK)));
                if ready.is_ok() {
                    receive(stream, &feeder, &shared, false);
                }
            }
        },
    );
}

/// Takes senders with a certificate at a port until the run is over.
pub(crate) fn remote(listener: &TcpListener, tls: &Arc<ServerConfig>, feeder: &Feeder, shared: &Arc<Shared>) {
    accept(
        shared,
        || listener.accept(),
        |(stream, from): (TcpStream, SocketAddr)| {
            let (tls, feeder, shared) = (Arc::clone(tls), feeder.clone(), Arc::clone(shared));
            move || match handshake(stream, tls, &shared) {
                Ok(stream) => {
                    shared.counters.senders.fetch_add(1, Ordering::Relaxed);
                    receive(stream, &feeder, &shared, true);
                }
                Err(error) => shared.refuse(&format!("keys: {from} refused: {error}")),
            }
        },
    );
}

/// A thread for each sender, as long as there is a place.
fn accept<S, T: FnOnce() + Send + 'static>(
    shared: &Arc<Shared>,
    next: impl Fn() -> io::Result<S>,
    serve: impl Fn(S) -> T,
) {
    while !shared.is_over() {
        let Ok(sender) = next() else {
            std::thread::sleep(LOOK);
            continue;
        };
        if shared.present.fetch_add(1, Ordering::Relaxed) >= MOST_SENDERS {
            shared.present.fetch_sub(1, Ordering::Relaxed);
            shared.refuse(&format!("keys: a sender is turned away: {MOST_SENDERS} are connected"));
            continue;
        }
        let (work, place) = (serve(sender), Arc::clone(shared));
        let done = move || {
            work();
            place.present.fetch_sub(1, Ordering::Relaxed);
        };
        if std::thread::Builder::new().name("keys-sender".into()).spawn(done).is_err() {
            shared.present.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

type TlsStream = StreamOwned<ServerConnection, TcpStream>;

fn handshake(stream: TcpStream, tls: Arc<ServerConfig>, shared: &Shared) -> io::Result<TlsStream> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(LOOK))?;
    stream.set_write_timeout(Some(HANDSHAKE))?;
    // Who vanished without a word is noticed by the kernel.
    setsockopt(&stream, KeepAlive, &true)?;
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let begun = Instant::now();
    while stream.conn.is_handshaking() {
        if begun.elapsed() > HANDSHAKE || shared.is_over() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no handshake within 10 seconds"));
        }
        match stream.conn.complete_io(&mut stream.sock) {
            Err(error) if waits(&error) => {}
            Err(error) => {
                // What it is told why.
                let _ = stream.conn.complete_io(&mut stream.sock);
                return Err(error);
            }
            Ok(_) => {}
        }
    }
    Ok(stream)
}

fn waits(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// Reads lines until the sender ends. Tells it how many were taken, where it expects that.
fn receive(mut stream: impl Read + Write, feeder: &Feeder, shared: &Shared, answers: bool) {
    let mut lines = Lines::default();
    let mut buffer = Zeroizing::new(vec![0; PIECE]);
    let mut taken = 0;
    if answers && (stream.write_all(GREETING.as_bytes()).is_err() || stream.flush().is_err()) {
        return;
    }
    while !shared.is_over() {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                let (batch, cut) = lines.cut(buffer.get(..read).unwrap_or_default());
                shared.count(&"a sender", cut);
                taken += cut.lines + cut.too_long;
                if !feeder.give(batch) {
                    return;
                }
                if answers && writeln!(stream, "{taken}").and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Err(error) if waits(&error) => {}
            Err(_) => break,
        }
    }
    let (batch, cut) = lines.end();
    shared.count(&"a sender", cut);
    feeder.give(batch);
}
