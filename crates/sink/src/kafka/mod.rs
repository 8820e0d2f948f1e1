//! Kafka and what speaks its protocol: `kafka://HOST:9092/TOPIC`.
//!
//! One request at a time for each broker, answered by all replicas in sync before the next one, so that order holds in each
//! partition; a caller's events go to one partition. What is sent twice has the same `metadata.uid`.

mod login;
mod record;
mod sasl;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::courier::{Carrier, Miss, Taken};
use crate::http::connection::{Connector, Stream, within};
use crate::http::{target, tls, token};
use crate::network::NetworkSink;
use crate::queue::Load;
use crate::syslog;
use crate::{Context, Opened, SinkError};
use login::{Login, Step};
use wire::Topic;

const PORT: u16 = 9092;
/// The topic unless the address names one.
const TOPIC: &str = "tapwire-events";
/// Longest name of a topic.
const TOPIC_MAX: usize = 249;
/// Longest answer that is read.
const ANSWER_MAX: usize = 4 << 20;

/// Speaks with the brokers of one cluster.
pub(crate) struct Producer {
    shown: String,
    first: (String, u16),
    topic: String,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
    gzip: bool,
    /// Who leads; `None`: nobody was asked, or the last answer does not hold any more.
    known: Option<Topic>,
    /// Brokers beside the first, as the last answer named them.
    others: Vec<(String, u16)>,
    connections: BTreeMap<(String, u16), Stream>,
    login: Option<Login>,
    number: i32,
}

/// Without TLS.
pub(crate) fn open_plain(destination: &str, context: &Context) -> Opened {
    open(destination, None, context)
}

/// Over TLS.
pub(crate) fn open_tls(destination: &str, context: &Context) -> Opened {
    open(destination, Some(tls::client(&context.config.http)?), context)
}

fn open(destination: &str, tls: Option<Arc<ClientConfig>>, context: &Context) -> Opened {
    let (user, destination) = user_of(destination);
    let (shown, first, topic) = address(&destination)?;
    let http = &context.config.http;
    let login = login(user, tls.is_some(), context)?;
    let producer = Producer {
        shown: shown.clone(),
        first,
        topic,
        tls,
        timeout: Duration::from_millis(http.timeout_ms),
        gzip: http.gzip,
        known: None,
        others: Vec::new(),
        connections: BTreeMap::new(),
        login,
        number: 0,
    };
    let place = shown.clone();
    NetworkSink::open(shown, &place, u32::MAX, Carrier::Kafka(Box::new(producer)), context)
}

/// One text for each topic.
pub(crate) fn place(destination: &str) -> Result<String, SinkError> {
    Ok(address(&user_of(destination).1)?.0)
}

/// The user that an address names, and the address without it.
fn user_of(destination: &str) -> (Option<String>, String) {
    let parts = destination.split_once("://").and_then(|(scheme, rest)| {
        let (user, rest) = rest.split_once('@').filter(|(user, _)| !user.contains(['/', ':', '?']))?;
        Some((Some(user.to_owned()), format!("{scheme}://{rest}")))
    });
    parts.unwrap_or_else(|| (None, destination.to_owned()))
}

/// Where the address names a user, its password is the output's token.
fn login(user: Option<String>, is_hidden: bool, context: &Context) -> Result<Option<Login>, SinkError> {
    let Some(user) = user else { return Ok(None) };
    let password = token(&context.config)?.ok_or_else(|| SinkError::Setting {
        key: "sink.http.token_file",
        cause: format!("is needed: the password of {user}"),
    })?;
    Ok(Some(Login::new(user, password, is_hidden)))
}

/// The address for people, where to ask first, and the topic.
fn address(destination: &str) -> Result<(String, (String, u16), String), SinkError> {
    let (shown, host, port) = syslog::address(destination, PORT)?;
    let bad = |reason: &str| SinkError::BadDestination {
        destination: target::shown_before_parsing(destination),
        reason: reason.to_owned(),
    };
    let uri: Uri = destination.parse().map_err(|_| bad("is no URL, like kafka://127.0.0.1:9092/topic"))?;
    let topic = match uri.path().trim_matches('/') {
        "" => TOPIC,
        topic => topic,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if topic.len() > TOPIC_MAX || !topic.bytes().all(plain) {
        return Err(bad("its topic is no name that Kafka takes: letters, digits, ., _ and -"));
    }
    Ok((format!("{shown}/{topic}"), (host, port), topic.to_owned()))
}

/// Kafka's LEADER_NOT_AVAILABLE.
const LED_BY_NOBODY: i16 = 5;

/// The events of one broker: places in the load, by partition.
type Shares = BTreeMap<(String, u16), BTreeMap<i32, Vec<usize>>>;

impl Producer {
    pub(crate) fn shown(&self) -> String {
        self.shown.clone()
    }

    /// Gives every broker its share. Where some partitions took theirs and others did not, only those are sent again.
    pub(crate) async fn send(&mut self, load: &Load) -> Result<Taken, Miss> {
        if load.amount.events == 0 {
            return Ok(Taken::default());
        }
        if self.known.is_none() {
            self.ask().await?;
        }
        let lines: Vec<&[u8]> = load.lines().map(|line| line.strip_suffix(b"\n").unwrap_or(line)).collect();
        let (shares, mut missed) = self.shares(&lines)?;
        let mut miss = (!missed.is_empty()).then_some(Miss::Code(LED_BY_NOBODY));
        for (broker, shares) in shares {
            match self.produce(&broker, &shares, &lines).await {
                Ok(answers) => {
                    for (partition, places) in shares {
                        // A partition without an answer has not taken anything.
                        let code =
                            answers.iter().find(|(told, _)| *told == partition).map_or(7, |(_, code)| *code);
                        if code != 0 {
                            missed.extend(places);
                            miss.get_or_insert(Miss::Code(code));
                        }
                    }
                }
                Err(failed) => {
                    self.connections.remove(&broker);
                    missed.extend(shares.into_values().flatten());
                    miss.get_or_insert(failed);
                }
            }
        }
        let Some(miss) = miss else { return Ok(Taken::default()) };
        self.known = None;
        if missed.len() == lines.len() {
            return Err(miss);
        }
        missed.sort_unstable();
        let again = load.only(|place| missed.binary_search(&place).is_ok());
        Ok(Taken { again: Some(again), ..Taken::default() })
    }

    /// What each broker is to take, and what nobody can take at this time.
    fn shares(&mut self, lines: &[&[u8]]) -> Result<(Shares, Vec<usize>), Miss> {
        let (mut shares, mut led_by_nobody) = (Shares::new(), Vec::new());
        let known = self.known.as_ref().filter(|topic| topic.error == 0 && !topic.leaders.is_empty());
        let Some(topic) = known else {
            // It is being made.
            let told = self.known.take().map_or(0, |topic| topic.error);
            let code = if told == 0 { LED_BY_NOBODY } else { told };
            return Err(Miss::Code(code));
        };
        for (place, line) in lines.iter().enumerate() {
            let at = record::place(record::key(line), topic.leaders.len());
            let (partition, leader) = topic.leaders.get(at).copied().unwrap_or_default();
            match topic.brokers.get(&leader) {
                Some(broker) => {
                    shares.entry(broker.clone()).or_default().entry(partition).or_default().push(place);
                }
                None => led_by_nobody.push(place),
            }
        }
        Ok((shares, led_by_nobody))
    }

    async fn produce(
        &mut self,
        broker: &(String, u16),
        shares: &BTreeMap<i32, Vec<usize>>,
        lines: &[&[u8]],
    ) -> Result<Vec<(i32, i16)>, Miss> {
        let batches: Vec<(i32, Vec<u8>)> = shares
            .iter()
            .map(|(partition, places)| {
                let share: Vec<&[u8]> =
                    places.iter().filter_map(|place| lines.get(*place).copied()).collect();
                (*partition, record::batch(&share, self.gzip))
            })
            .collect();
        let wait = i32::try_from(self.timeout.as_millis()).unwrap_or(i32::MAX);
        let number = self.next_number();
        let request = wire::produce(number, &self.topic, wait, &batches);
        let answer = self.exchange(broker, &request, number).await?;
        wire::produced(&answer).ok_or_else(no_kafka)
    }

    /// Asks who leads: where it began, and where that does not answer, those it has learned of.
    async fn ask(&mut self) -> Result<(), Miss> {
        let mut first = None;
        for broker in [self.first.clone()].into_iter().chain(self.others.clone()) {
            match self.ask_one(&broker).await {
                Ok(topic) => {
                    self.others = topic.brokers.values().filter(|one| **one != self.first).cloned().collect();
                    self.known = Some(topic);
                    return Ok(());
                }
                Err(miss) => {
                    self.connections.remove(&broker);
                    first.get_or_insert(miss);
                }
            }
        }
        Err(first.unwrap_or(Miss::Closed))
    }

    async fn ask_one(&mut self, broker: &(String, u16)) -> Result<Topic, Miss> {
        let number = self.next_number();
        let answer = self.exchange(broker, &wire::ask_versions(number), number).await?;
        if !wire::speaks_ours(&answer).ok_or_else(no_kafka)? {
            return Err(Miss::NoTrust {
                cause: "speaks another version of the protocol".into(),
                hint: ": Kafka 2.1 or newer is needed",
            });
        }
        let number = self.next_number();
        let answer = self.exchange(broker, &wire::ask_topic(number, &self.topic), number).await?;
        wire::topic(&answer).ok_or_else(no_kafka)
    }

    /// A request and its answer, behind the number that both have.
    async fn exchange(
        &mut self,
        broker: &(String, u16),
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

    fn next_number(&mut self) -> i32 {
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

fn no_kafka() -> Miss {
    Miss::NoTrust { cause: "does not answer as Kafka does".into(), hint: ": is the port right?" }
}

async fn asked(
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

/// What an error of a broker means for what is sent.
pub(crate) struct Fault(pub(crate) i16);

impl Fault {
    /// No further try will help by itself.
    pub(crate) const fn is_final(&self) -> bool {
        !wire::is_passing(self.0)
    }

    /// Others may pass.
    pub(crate) const fn is_about_content(&self) -> bool {
        matches!(self.0, 2 | 32 | 43 | 87)
    }

    /// A smaller request may pass.
    pub(crate) const fn is_too_large(&self) -> bool {
        matches!(self.0, 10 | 18)
    }

    /// For people, with what to try.
    pub(crate) fn told(&self) -> (String, &'static str) {
        let (name, hint) = wire::meaning(self.0);
        (format!("answered {name} ({})", self.0), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_without_a_leader_holds_up_its_own_events_alone() {
        let broker = ("127.0.0.1".to_owned(), 9092);
        let topic = Topic {
            brokers: BTreeMap::from([(1, broker.clone())]),
            leaders: vec![(0, 1), (1, -1)],
            error: 0,
        };
        let mut producer = Producer {
            shown: String::new(),
            first: broker.clone(),
            topic: TOPIC.into(),
            tls: None,
            timeout: Duration::ZERO,
            gzip: false,
            known: Some(topic),
            others: Vec::new(),
            connections: BTreeMap::new(),
            login: None,
            number: 0,
        };
        let lines: Vec<String> =
            (0..64).map(|n| format!(r#"{{"actor":{{"user":{{"uid":"tok:{n:016x}"}}}}}}"#)).collect();
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        let Ok((shares, left)) = producer.shares(&lines) else { panic!("there are leaders") };
        let sent = shares.get(&broker).and_then(|shares| shares.get(&0)).map_or(0, Vec::len);
        assert!(sent > 0 && !left.is_empty(), "{sent} {left:?}");
        assert_eq!(sent + left.len(), 64);
    }
}
