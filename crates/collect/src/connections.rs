//! Connections: how many there are at once, from where, and how long each step of a request may take.

use crate::desk::Desk;
use crate::patient::Patient;
use crate::server::answer;
use crate::tls::{Shown, Tls};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// At once.
const MOST: usize = 1_024;
/// From one network: a site's sensors may share an address.
const MOST_OF_ONE: usize = 128;
/// A handshake, and the head of a request, come whole within this time; so long may a connection rest between two requests.
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer is read within this time.
const READING: Duration = Duration::from_secs(10);
/// Bytes of a head.
const HEAD: usize = 32 << 10;
/// What is being answered when the end comes has so long.
const GRACE: Duration = Duration::from_secs(5);
/// After the system refused a connection, as when descriptors are used up.
const BREATH: Duration = Duration::from_millis(100);

/// Connections by network.
#[derive(Default)]
struct Counts(Mutex<BTreeMap<IpAddr, usize>>);

/// One connection's place.
struct Held {
    counts: Arc<Counts>,
    network: IpAddr,
}

impl Counts {
    fn take(self: &Arc<Self>, from: IpAddr) -> Option<Held> {
        let network = network(from);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.values().sum::<usize>() >= MOST
            || counts.get(&network).is_some_and(|own| *own >= MOST_OF_ONE)
        {
            return None;
        }
        *counts.entry(network).or_default() += 1;
        Some(Held { counts: Arc::clone(self), network })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = counts.get(&self.network).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            counts.remove(&self.network);
        } else {
            counts.insert(self.network, left);
        }
    }
}

/// What an address is counted as: of IPv6, the 64 bits that one site has (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [one, two, three, four, ..] = address.segments();
            Ipv6Addr::new(one, two, three, four, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// Answers on every connection until `stop` is done.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<&Tls>,
    desk: Arc<Desk>,
    stop: impl Future<Output = ()>,
) {
    let acceptor = tls.map(Tls::acceptor);
    let (end, ending) = watch::channel(());
    let counts = Arc::new(Counts::default());
    let mut tasks = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_ended) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    // Who is one too many is let go without a word.
                    if let Some(held) = counts.take(from.ip()) {
                        tasks.spawn(attend(stream, acceptor.clone(), Arc::clone(&desk), ending.clone(), held));
                    }
                }
                Err(_) => sleep(BREATH).await,
            }
        }
    }
    drop((listener, end));
    let rest = async { while tasks.join_next().await.is_some() {} };
    // Whatever is still there is dropped; its batches come again.
    let _late = timeout(GRACE, rest).await;
}

async fn attend(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    desk: Arc<Desk>,
    ending: watch::Receiver<()>,
    held: Held,
) {
    // Answers are short, and are waited for.
    let _best_effort = stream.set_nodelay(true);
    let stream = Patient::new(stream, READING);
    match tls {
        None => speak(stream, None, desk, ending).await,
        // Others speak no TLS, show no certificate that is trusted, or are too slow.
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await {
                let shown = Shown::on(stream.get_ref().1);
                speak(stream, shown, desk, ending).await;
            }
        }
    }
    drop(held);
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send>(
    stream: S,
    shown: Option<Shown>,
    desk: Arc<Desk>,
    mut ending: watch::Receiver<()>,
) {
    let shown = shown.map(Arc::new);
    let service = service_fn(move |request| {
        let (desk, shown) = (Arc::clone(&desk), shown.clone());
        async move { Ok::<_, Infallible>(answer(&desk, shown.as_deref(), request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut is_ending = false;
    loop {
        tokio::select! {
            _ended = connection.as_mut() => return,
            _over = ending.changed(), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_does_not_take_all_places() {
        let counts = Arc::new(Counts::default());
        let one: IpAddr = "192.0.2.7".parse().unwrap();
        let held: Vec<Held> = std::iter::from_fn(|| counts.take(one)).collect();
        assert_eq!(held.len(), MOST_OF_ONE);
        let other = counts.take("192.0.2.8".parse().unwrap());
        assert!(other.is_some());
        drop(held);
        assert!(counts.take(one).is_some());
        assert_eq!(
            network("2001:db8:1:2::9".parse().unwrap()),
            network("2001:db8:1:2:3::".parse::<IpAddr>().unwrap())
        );
    }
}
