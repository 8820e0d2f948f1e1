//! Connections over TLS. Handshakes go on beside each other: who is slow keeps nobody waiting.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A handshake takes at most so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Handshakes that go on at once.
const AT_ONCE: usize = 64;
/// After the system refused a connection, as when descriptors are used up.
const BREATH: Duration = Duration::from_millis(100);

/// A certificate with its key.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Of a chain of certificates and a private key, both as PEM.
    ///
    /// # Errors
    /// What is wrong with them, in a line.
    pub fn of(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|error| format!("the certificate: {error}"))?;
        if chain.is_empty() {
            return Err("the certificate: no certificate in PEM is in it".into());
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key: {error}"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| format!("certificate and key: {error}"))?;
        Ok(Self(Arc::new(config)))
    }
}

/// Connections whose handshake is done.
pub(crate) struct Secure {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Secure {
    /// Begins to accept.
    pub(crate) fn new(listener: TcpListener, tls: &Tls) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (done, ready) = mpsc::channel(AT_ONCE);
        let acceptor = TlsAcceptor::from(Arc::clone(&tls.0));
        tokio::spawn(accept(listener, acceptor, done));
        Ok(Self { ready, address })
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    done: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while !done.is_closed() {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, from)) = listener.accept().await else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let (acceptor, done) = (acceptor.clone(), done.clone());
        tokio::spawn(async move {
            // Who speaks no TLS, or is too slow, is let go without a word.
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
                let _gone = done.send((stream, from)).await;
            }
            drop(place);
        });
    }
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The task that accepts ends with this one only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Default for Peer {
    fn default() -> Self {
        Self(Ipv4Addr::UNSPECIFIED.into())
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

impl Connected<IncomingStream<'_, Secure>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Secure>) -> Self {
        Self(stream.remote_addr().ip())
    }
}
