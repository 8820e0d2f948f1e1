//! Connections: how many there are at once, how long they may keep quiet, and how they end. None of them shuts others out
//! or holds up the end.

use crate::tls::{Peer, Tls, network};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// At once. Beside a run, their descriptors and buffers are the sensor's.
const MOST: usize = 256;
/// A handshake, the head of a request, and the body of one come whole within this time.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A connection on which no byte moves is given up, unless its request is being answered.
const STALLED: Duration = Duration::from_secs(60);
/// Bytes of a head.
const HEAD: usize = 32 << 10;
/// What is being answered when the end comes has so long.
const GRACE: Duration = Duration::from_secs(2);
/// After the system refused a connection, as when descriptors are used up.
const BREATH: Duration = Duration::from_millis(100);

/// Answers on every connection until `stop` is done.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<&Tls>,
    router: Router,
    patience: Duration,
    stop: impl Future<Output = ()>,
) {
    let acceptor = tls.map(Tls::acceptor);
    let (end, ending) = watch::channel(());
    let mut room = Room { patience, places: Vec::new(), tasks: JoinSet::new() };
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_ended) = room.tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => room.take(stream, from, acceptor.clone(), &router, &ending),
                Err(_) => {
                    room.let_one_go();
                    sleep(BREATH).await;
                }
            }
        }
    }
    drop((listener, end));
    let rest = async { while room.tasks.join_next().await.is_some() {} };
    // Whatever is still there is dropped.
    let _late = timeout(GRACE, rest).await;
}

/// The connections that there are.
struct Room {
    patience: Duration,
    places: Vec<Place>,
    tasks: JoinSet<()>,
}

struct Place {
    task: AbortHandle,
    pulse: Pulse,
    network: IpAddr,
}

impl Room {
    /// Takes a connection, for which another may have to go. Where all are being answered, it is this one.
    fn take(
        &mut self,
        stream: TcpStream,
        from: SocketAddr,
        tls: Option<TlsAcceptor>,
        router: &Router,
        ending: &watch::Receiver<()>,
    ) {
        self.places.retain(|place| !place.task.is_finished());
        if self.places.len() >= MOST && !self.let_one_go() {
            return;
        }
        let pulse = Pulse::begin();
        let (patience, peer) = (self.patience, Peer(from.ip()));
        let call = Call { patience, peer, pulse: pulse.clone(), ending: ending.clone() };
        let task = self.tasks.spawn(call.attend(stream, tls, router.clone()));
        self.places.push(Place { task, pulse, network: network(from.ip()) });
    }

    /// Ends a connection that waits for its next request: of the network with the most, the one that has been quiet for the
    /// longest. So whoever opens many ends their own.
    fn let_one_go(&mut self) -> bool {
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        self.places.iter().for_each(|place| *counts.entry(place.network).or_default() += 1);
        let waiting = self.places.iter().enumerate().filter(|(_, place)| !place.pulse.beat().answers);
        let worth = |place: &Place| (counts.get(&place.network).copied(), place.pulse.beat().last.elapsed());
        let chosen = waiting.max_by_key(|(_, place)| worth(place)).map(|(at, _)| at);
        chosen.map(|at| self.places.swap_remove(at).task.abort()).is_some()
    }
}

/// One connection.
struct Call {
    patience: Duration,
    peer: Peer,
    pulse: Pulse,
    ending: watch::Receiver<()>,
}

impl Call {
    async fn attend(self, stream: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
        let Some(acceptor) = tls else { return self.answer(stream, router).await };
        // Who speaks no TLS, or is too slow, is let go without a word.
        if let Ok(Ok(stream)) = timeout(self.patience, acceptor.accept(stream)).await {
            self.answer(stream, router).await;
        }
    }

    async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send>(self, stream: S, router: Router) {
        let Self { patience, peer, pulse, mut ending } = self;
        let stream = TokioIo::new(Felt { stream, pulse: pulse.clone() });
        let (inner, felt) = (TowerToHyperService::new(router), pulse.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(felt.clone());
            inner.call(request)
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HEAD);
        let mut connection = pin!(http.serve_connection(stream, service));
        let mut is_ending = false;
        loop {
            tokio::select! {
                _ended = connection.as_mut() => return,
                _over = ending.changed(), if !is_ending => {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = pulse.stalled() => return,
            }
        }
    }
}

/// When something moved on a connection.
#[derive(Clone)]
pub(crate) struct Pulse(Arc<Mutex<Beat>>);

#[derive(Clone, Copy)]
struct Beat {
    last: Instant,
    /// Whether a request of it is being answered, however long that takes.
    answers: bool,
}

impl Pulse {
    fn begin() -> Self {
        Self(Arc::new(Mutex::new(Beat { last: Instant::now(), answers: false })))
    }

    fn locked(&self) -> MutexGuard<'_, Beat> {
        // Two fields that are set one by one are whole, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beat(&self) -> Beat {
        *self.locked()
    }

    fn moved(&self) {
        self.locked().last = Instant::now();
    }

    /// Until it is dropped, a request is being answered: all of it has come.
    pub(crate) fn answering(&self) -> Answering {
        self.locked().answers = true;
        Answering(self.clone())
    }

    /// Done when nothing has moved for too long.
    async fn stalled(&self) {
        loop {
            let beat = self.beat();
            let quiet = if beat.answers { Duration::ZERO } else { beat.last.elapsed() };
            match STALLED.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
                Some(rest) => sleep(rest).await,
                None => return,
            }
        }
    }
}

/// See [`Pulse::answering`].
pub(crate) struct Answering(Pulse);

impl Drop for Answering {
    fn drop(&mut self) {
        *self.0.locked() = Beat { last: Instant::now(), answers: false };
    }
}

/// A stream that notes when bytes move.
struct Felt<S> {
    stream: S,
    pulse: Pulse,
}

impl<S> Felt<S> {
    fn note<T>(&self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() {
            self.pulse.moved();
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Felt<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.note(polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Felt<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
