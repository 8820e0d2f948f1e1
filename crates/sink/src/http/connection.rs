//! One HTTP/1.1 connection to a collector, and why there is none.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::SinkError;
use crate::courier::Miss;

/// A request body that can be sent again without copying.
pub(crate) type Body = Full<Bytes>;

/// A connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

impl Connector {
    /// `shown` names the destination in errors.
    pub(crate) fn new(
        host: &str,
        port: u16,
        shown: &str,
        tls: Option<Arc<ClientConfig>>,
        timeout: Duration,
    ) -> Result<Self, SinkError> {
        let name = |config| {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| SinkError::BadDestination {
                destination: shown.to_owned(),
                reason: "its host is no name that a certificate can have".into(),
            })?;
            Ok((TlsConnector::from(config), name))
        };
        let tls = tls.map(name).transpose()?;
        Ok(Self { host: host.to_owned(), port, tls, timeout })
    }

    pub(crate) async fn connect(&self) -> Result<SendRequest<Body>, Miss> {
        within(self.timeout, self.open()).await
    }

    async fn open(&self) -> Result<SendRequest<Body>, Miss> {
        match self.stream().await? {
            Stream::Plain(stream) => handshake(TokioIo::new(stream)).await,
            Stream::Tls(stream) => handshake(TokioIo::new(stream)).await,
        }
    }

    /// A connection for a protocol other than HTTP.
    pub(crate) async fn connect_stream(&self) -> Result<Stream, Miss> {
        within(self.timeout, self.stream()).await
    }

    async fn stream(&self) -> Result<Stream, Miss> {
        let stream =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| unconnected(&e))?;
        // Requests are written whole: waiting to fill a segment only delays their end.
        let _best_effort = stream.set_nodelay(true);
        match &self.tls {
            None => Ok(Stream::Plain(stream)),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await.map_err(|e| broken(&e))?;
                Ok(Stream::Tls(Box::new(stream)))
            }
        }
    }
}

/// Bounds one step of a try.
pub(crate) async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, Miss>>,
) -> Result<T, Miss> {
    match tokio::time::timeout(limit, step).await {
        Ok(result) => result,
        Err(_) => Err(Miss::NoAnswer {
            cause: format!("did not answer within {} s", limit.as_secs_f32()),
            hint: ": is it overloaded, or a firewall between? `sink.http.timeout_ms` allows more",
        }),
    }
}

async fn handshake<T>(io: T) -> Result<SendRequest<Body>, Miss>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(io).await.map_err(|e| broken(&e))?;
    // Its error reaches the request that is under way.
    tokio::spawn(async move {
        let _told_elsewhere = connection.await;
    });
    Ok(sender)
}

fn unconnected(error: &io::Error) -> Miss {
    let (cause, hint) = match error.kind() {
        io::ErrorKind::ConnectionRefused => ("refused the connection".into(), ": is it running?"),
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => (
            format!("cannot be reached ({})", plain(error)),
            ": is the address right, is a firewall between?",
        ),
        // The resolver's errors have no kind of their own.
        _ if error.to_string().contains("lookup address") => {
            ("has a name that cannot be resolved".into(), ": is it spelled right?")
        }
        _ => (format!("cannot be reached ({})", plain(error)), ""),
    };
    Miss::NoAnswer { cause, hint }
}

/// The exchange broke after the connection stood: by TLS, or by the peer.
pub(crate) fn broken(error: &(dyn Error + 'static)) -> Miss {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(why)) if is_authority(why) => Miss::NoTrust {
            cause: "shows the certificate of an authority itself (CA:TRUE), which proves no server".into(),
            hint: ": have that authority sign one with CA:FALSE for its name, give it that, and name the authority with `sink.http.ca_file`",
        },
        Some(rustls::Error::InvalidCertificate(why)) => Miss::NoTrust {
            cause: format!("has a certificate that is not trusted ({why})"),
            hint: ": name its authority with `sink.http.ca_file`",
        },
        Some(rustls::Error::AlertReceived(alert)) => Miss::NoTrust {
            cause: format!("refused the TLS session ({alert:?})"),
            hint: ": does it ask for `sink.http.client_cert`?",
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            Miss::NoTrust { cause: "does not speak TLS there".into(), hint: ": is it an http:// address?" }
        }
        Some(other) => {
            Miss::NoAnswer { cause: format!("broke the TLS session ({other})"), hint: ": see its own log" }
        }
        None => Miss::Closed,
    }
}

/// Whether a server shows what only signs others (RFC 5280, 4.2.1.9). The reason has no variant of its own.
fn is_authority(why: &rustls::CertificateError) -> bool {
    why.to_string().contains("CaUsedAsEndEntity")
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An io::Error gives its inner error's source as its own, and so would hide the inner error.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
