//! Syslog, RFC 5424: over TCP and TLS with octet counting, and over UDP.
//!
//! The protocol has no answers. Over TCP and TLS events count as delivered when their connection stood for a while after
//! them, or when the receiver closed it after ours had ended; what rested on a connection that broke is sent again.

mod message;

use std::io;
use std::time::Duration;

use hyper::Uri;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;

use crate::courier::{Carrier, Miss, Taken};
use crate::http::connection::{Connector, Stream, within};
use crate::http::{target, tls};
use crate::network::NetworkSink;
use crate::queue::Load;
use crate::{Context, Opened, Reach, SinkError};
use message::Header;

/// Over UDP a load is one datagram an event: few, so that a failure repeats little.
const MOST_DATAGRAMS: u32 = 100;

/// RFC 5426 section 3.3, RFC 6587 section 3.
const PORT: u16 = 514;
/// RFC 5425 section 4.1.
const PORT_TLS: u16 = 6514;

/// Speaks syslog with one receiver.
pub(crate) struct Wire {
    shown: String,
    header: Header,
    transport: Transport,
    timeout: Duration,
    scratch: Vec<u8>,
    frames: Vec<u8>,
}

enum Transport {
    Stream { connector: Connector, open: Option<Stream> },
    Datagram { address: (String, u16), socket: Option<UdpSocket>, longest: usize },
}

/// TCP, port 514.
pub(crate) fn open_tcp(destination: &str, context: &Context) -> Opened {
    open(destination, Kind::Tcp, context)
}

/// TLS, port 6514: RFC 5425 section 4.1.
pub(crate) fn open_tls(destination: &str, context: &Context) -> Opened {
    open(destination, Kind::Tls, context)
}

/// UDP, port 514: RFC 5426 section 3.3.
pub(crate) fn open_udp(destination: &str, context: &Context) -> Opened {
    open(destination, Kind::Udp, context)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tcp,
    Tls,
    Udp,
}

fn open(destination: &str, kind: Kind, context: &Context) -> Opened {
    let (http, syslog) = (&context.config.http, &context.config.syslog);
    let port = if kind == Kind::Tls { PORT_TLS } else { PORT };
    let (shown, host, port) = address(destination, port)?;
    let timeout = Duration::from_millis(http.timeout_ms);
    let transport = match kind {
        Kind::Udp => {
            Transport::Datagram { address: (host, port), socket: None, longest: syslog.datagram_bytes }
        }
        Kind::Tcp | Kind::Tls => {
            let tls = if kind == Kind::Tls { Some(tls::client(http)?) } else { None };
            Transport::Stream { connector: Connector::new(&host, port, &shown, tls, timeout)?, open: None }
        }
    };
    let header = Header::new(syslog.facility, &syslog.hostname);
    let most = if kind == Kind::Udp { MOST_DATAGRAMS } else { u32::MAX };
    let wire =
        Wire { shown: shown.clone(), header, transport, timeout, scratch: Vec::new(), frames: Vec::new() };
    let place = shown.clone();
    NetworkSink::open(shown, &place, most, Carrier::Syslog(Box::new(wire)), context)
}

/// One text for each address.
pub(crate) fn place(destination: &str) -> Result<String, SinkError> {
    Ok(address(destination, PORT)?.0)
}

/// The same over TLS.
pub(crate) fn place_tls(destination: &str) -> Result<String, SinkError> {
    Ok(address(destination, PORT_TLS)?.0)
}

/// The port of a receiver over TCP.
pub(crate) fn reach(destination: &str) -> Result<Reach, SinkError> {
    Ok(Reach::Port(address(destination, PORT)?.2))
}

/// The same over TLS.
pub(crate) fn reach_tls(destination: &str) -> Result<Reach, SinkError> {
    Ok(Reach::Port(address(destination, PORT_TLS)?.2))
}

/// The address for people, its host, and its port.
pub(crate) fn address(destination: &str, default: u16) -> Result<(String, String, u16), SinkError> {
    let bad = |reason: &str| SinkError::BadDestination {
        destination: target::shown_before_parsing(destination),
        reason: reason.to_owned(),
    };
    let uri: Uri = destination.parse().map_err(|_| {
        bad(target::reason_of(destination).unwrap_or("is no URL, like syslog://127.0.0.1:514"))
    })?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("has no host"))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(bad("no credentials in the URL"));
    }
    let port = target::port(&uri, default).ok_or_else(|| bad(target::NO_PORT))?;
    let scheme = uri.scheme_str().unwrap_or_default();
    let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((format!("{scheme}://{host}:{port}"), plain, port))
}

impl Wire {
    pub(crate) fn shown(&self) -> String {
        self.shown.clone()
    }

    pub(crate) const fn is_datagram(&self) -> bool {
        matches!(self.transport, Transport::Datagram { .. })
    }

    pub(crate) async fn send(&mut self, load: &Load) -> Result<Taken, Miss> {
        match &mut self.transport {
            Transport::Datagram { address, socket, longest } => {
                let ready = match socket.take() {
                    Some(socket) => socket,
                    None => within(self.timeout, bind(address)).await?,
                };
                datagrams(&ready, &self.header, load, *longest, &mut self.scratch).await?;
                *socket = Some(ready);
            }
            Transport::Stream { connector, open } => {
                self.frames.clear();
                for line in load.lines() {
                    self.header.frame(line, &mut self.scratch, &mut self.frames);
                }
                let mut stream = match open.take() {
                    Some(stream) => stream,
                    None => connector.connect_stream().await?,
                };
                let frames = self.frames.as_slice();
                let written = match &mut stream {
                    Stream::Plain(stream) => write(stream, frames, self.timeout).await,
                    Stream::Tls(stream) => write(stream, frames, self.timeout).await,
                };
                written?;
                *open = Some(stream);
            }
        }
        Ok(Taken::default())
    }

    /// Whether the connection stands, as far as that can be seen: a receiver that ends closes its side.
    pub(crate) async fn is_open(&mut self) -> bool {
        let Transport::Stream { open, .. } = &mut self.transport else { return true };
        let stands = match open {
            None => false,
            Some(Stream::Plain(stream)) => stands(stream).await,
            Some(Stream::Tls(stream)) => stands(stream).await,
        };
        if !stands {
            *open = None;
        }
        stands
    }

    /// Ends our side and waits until the receiver has read everything and ends its own.
    pub(crate) async fn close(&mut self) -> bool {
        let Transport::Stream { open, .. } = &mut self.transport else { return true };
        match open.take() {
            None => false,
            Some(Stream::Plain(mut stream)) => drained(&mut stream, self.timeout).await,
            Some(Stream::Tls(mut stream)) => drained(&mut *stream, self.timeout).await,
        }
    }
}

async fn bind((host, port): &(String, u16)) -> Result<UdpSocket, Miss> {
    let failed = |e: io::Error| Miss::NoAnswer { cause: format!("cannot be sent to ({e})"), hint: "" };
    let found = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(failed)?;
    let remote = found.into_iter().next().ok_or(Miss::NoAnswer {
        cause: "has a name that cannot be resolved".into(),
        hint: ": is it spelled right?",
    })?;
    let any = if remote.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.map_err(failed)?;
    socket.connect(remote).await.map_err(failed)?;
    Ok(socket)
}

async fn datagrams(
    socket: &UdpSocket,
    header: &Header,
    load: &Load,
    longest: usize,
    scratch: &mut Vec<u8>,
) -> Result<(), Miss> {
    for line in load.lines() {
        scratch.clear();
        header.write(line, scratch);
        if scratch.len() > longest {
            return Err(Miss::TooLong { bytes: scratch.len() });
        }
        match socket.send(scratch).await {
            Ok(_) => {}
            // Somebody answered an earlier datagram that nobody listens there.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                return Err(Miss::NoAnswer {
                    cause: "refused the datagrams".into(),
                    hint: ": is it running?",
                });
            }
            Err(e) => {
                return Err(Miss::NoAnswer { cause: format!("cannot be sent to ({e})"), hint: "" });
            }
        }
    }
    Ok(())
}

/// Writes to the end as long as the receiver goes on reading, however slowly: only one that takes nothing for the whole of
/// `limit` is given up, or a slow one would get the same bytes again and again.
async fn write(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    frames: &[u8],
    limit: Duration,
) -> Result<(), Miss> {
    // What a receiver that has ended would not read need not be written.
    if !stands(stream).await {
        return Err(Miss::Closed);
    }
    let mut rest = frames;
    while !rest.is_empty() {
        let step = async { stream.write(rest).await.map_err(|_| Miss::Closed) };
        let taken = within(limit, step).await?;
        if taken == 0 {
            return Err(Miss::Closed);
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    within(limit, async { stream.flush().await.map_err(|_| Miss::Closed) }).await
}

/// A receiver says nothing until it ends.
async fn stands(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut said = [0; 64];
    match tokio::time::timeout(Duration::ZERO, stream.read(&mut said)).await {
        Err(_nothing_yet) => true,
        Ok(read) => matches!(read, Ok(1..)),
    }
}

async fn drained(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), limit: Duration) -> bool {
    let step = async {
        stream.shutdown().await?;
        let mut said = [0; 64];
        while stream.read(&mut said).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    matches!(tokio::time::timeout(limit, step).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_reads_slowly_gets_everything_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let frames = vec![b'x'; 4000];
        let got = runtime.block_on(async {
            let (mut ours, mut theirs) = tokio::io::duplex(1000);
            let reader = tokio::spawn(async move {
                let mut got = Vec::new();
                let mut window = [0; 100];
                while let Ok(read @ 1..) = theirs.read(&mut window).await {
                    got.extend_from_slice(window.get(..read).unwrap());
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                got
            });
            // The whole takes longer than this; no single step does.
            write(&mut ours, &frames, Duration::from_millis(1500)).await.unwrap();
            drop(ours);
            reader.await.unwrap()
        });
        assert_eq!(got, frames);
    }
}
