//! The brokers of one cluster: connections to them, who we are there, and who leads a topic.

use super::login::{Login, Step};
use super::wire::{self, Topic, Topics};
use crate::SinkError;
use crate::courier::Miss;
use crate::http::connection::{Connector, Stream, within};
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest answer that is read.
const ANSWER_MAX: usize = 16 << 20;

/// A broker: host and port.
pub(super) type Place = (String, u16);

pub(super) struct Cluster {
    pub(super) shown: String,
    first: Place,
    tls: Option<Arc<ClientConfig>>,
    pub(super) timeout: Duration,
    /// Brokers beside the first, as the last answer named them.
    others: Vec<Place>,
    pub(super) connections: BTreeMap<Place, Stream>,
    login: Option<Login>,
    number: i32,
}

impl Cluster {
    pub(super) const fn new(
        shown: String,
        first: Place,
        tls: Option<Arc<ClientConfig>>,
        timeout: Duration,
        login: Option<Login>,
    ) -> Self {
        Self {
            shown,
            first,
            tls,
            timeout,
            others: Vec::new(),
            connections: BTreeMap::new(),
            login,
            number: 0,
        }
    }

    /// Asks who leads a topic; a broker that makes topics makes it.
    pub(super) async fn ask(&mut self, topic: &str) -> Result<Topic, Miss> {
        let answer = self.ask_any(|number| wire::ask_topic(number, topic)).await?;
        let topic = wire::topic(&answer).ok_or_else(no_kafka)?;
        self.learn(&topic.brokers);
        Ok(topic)
    }

    /// Asks who leads which topics.
    pub(super) async fn ask_all(&mut self) -> Result<Topics, Miss> {
        let answer = self.ask_any(wire::ask_topics).await?;
        let topics = wire::topics(&answer).ok_or_else(no_kafka)?;
        self.learn(&topics.brokers);
        Ok(topics)
    }

    fn learn(&mut self, brokers: &BTreeMap<i32, Place>) {
        self.others = brokers.values().filter(|one| **one != self.first).cloned().collect();
    }

    /// Asks where it began, and where that does not answer, those it has learned of.
    async fn ask_any(&mut self, request: impl Fn(i32) -> Vec<u8>) -> Result<Vec<u8>, Miss> {
        let mut first = None;
        for broker in [self.first.clone()].into_iter().chain(self.others.clone()) {
            match self.ask_one(&broker, &request).await {
                Ok(answer) => return Ok(answer),
                Err(miss) => {
                    self.connections.remove(&broker);
                    first.get_or_insert(miss);
                }
            }
        }
        Err(first.unwrap_or(Miss::Closed))
    }

    async fn ask_one(&mut self, broker: &Place, request: &impl Fn(i32) -> Vec<u8>) -> Result<Vec<u8>, Miss> {
        let number = self.next_number();
        let answer = self.exchange(broker, &wire::ask_versions(number), number).await?;
        if !wire::speaks_ours(&answer).ok_or_else(no_kafka)? {
            return Err(Miss::NoTrust {
                cause: "speaks another version of the protocol".into(),
                hint: ": Kafka 2.1 or newer is needed",
            });
        }
        let number = self.next_number();
        self.exchange(broker, &request(number), number).await
    }

    /// A request and its answer, behind the number that both have.
    pub(super) async fn exchange(
        &mut self,
        broker: &Place,
        request: &[u8],
        number: i32,
    ) -> Result<Vec<u8>, Miss> {
        let mut stream = match self.connections.remove(broker) {
            Some(stream) => stream,
            None => {
                let (host, port) = broker;
                let connector = Connector::new(host, *port, &self.shown, self.tls.clone(), self.timeout);
                let unusable = |e: SinkError| Miss::NoTrust {
                    cause: format!("names a broker that is unusable: {e}"),
                    hint: "",
                };
                let connector = connector.map_err(unusable)?;
                connected(&connector, self.login.as_mut(), self.timeout).await?
            }
        };
        let step = async {
            match &mut stream {
                Stream::Plain(stream) => asked(stream, request, number).await,
                Stream::Tls(stream) => asked(&mut **stream, request, number).await,
            }
        };
        // The broker waits for its replicas as long as that, too.
        let answer = within(self.timeout.saturating_mul(2), step).await?;
        self.connections.insert(broker.clone(), stream);
        Ok(answer)
    }

    pub(super) const fn next_number(&mut self) -> i32 {
        self.number = self.number.wrapping_add(1);
        self.number
    }
}

/// A connection on which the broker knows who we are. One on which it wanted to know it otherwise is over.
async fn connected(
    connector: &Connector,
    login: Option<&mut Login>,
    timeout: Duration,
) -> Result<Stream, Miss> {
    let mut stream = connector.connect_stream().await?;
    let Some(login) = login else { return Ok(stream) };
    if let Step::Again = logged_in(login, &mut stream, timeout).await? {
        stream = connector.connect_stream().await?;
        if let Step::Again = logged_in(login, &mut stream, timeout).await? {
            return Err(no_kafka());
        }
    }
    Ok(stream)
}

async fn logged_in(login: &mut Login, stream: &mut Stream, timeout: Duration) -> Result<Step, Miss> {
    let step = async {
        match stream {
            Stream::Plain(stream) => login.step(stream).await,
            Stream::Tls(stream) => login.step(&mut **stream).await,
        }
    };
    within(timeout, step).await
}

pub(super) fn no_kafka() -> Miss {
    Miss::NoTrust { cause: "does not answer as Kafka does".into(), hint: ": is the port right?" }
}

pub(super) async fn asked(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
    number: i32,
) -> Result<Vec<u8>, Miss> {
    let closed = |_: io::Error| Miss::Closed;
    stream.write_all(request).await.map_err(closed)?;
    stream.flush().await.map_err(closed)?;
    let length = usize::try_from(stream.read_i32().await.map_err(closed)?).unwrap_or(usize::MAX);
    if !(4..=ANSWER_MAX).contains(&length) || stream.read_i32().await.map_err(closed)? != number {
        return Err(no_kafka());
    }
    let mut answer = vec![0; length - 4];
    stream.read_exact(&mut answer).await.map_err(closed)?;
    Ok(answer)
}
