//! Kafka and what speaks its protocol: `kafka://HOST:9092/TOPIC`.
//!
//! One request at a time for each broker, answered by all replicas in sync before the next one, so that order holds in each
//! partition; a caller's events go to one partition. What is sent twice has the same `metadata.uid`.

mod cluster;
mod consumer;
mod login;
mod read;
mod record;
mod sasl;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use rustls::ClientConfig;

use crate::courier::{Carrier, Miss, Taken};
use crate::http::{target, tls, token};
use crate::network::NetworkSink;
use crate::queue::Load;
use crate::syslog;
use crate::{Context, Opened, SinkError};
use cluster::{Cluster, asked, no_kafka};
pub use consumer::{Consumer, Fetched, Places, Round};
use login::Login;
use wire::Topic;

const PORT: u16 = 9092;
/// The topic unless the address names one.
const TOPIC: &str = "tapwire-events";
/// Longest name of a topic.
const TOPIC_MAX: usize = 249;

/// Speaks with the brokers of one cluster.
pub(crate) struct Producer {
    cluster: Cluster,
    topic: String,
    gzip: bool,
    /// Who leads; `None`: nobody was asked, or the last answer does not hold any more.
    known: Option<Topic>,
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
    let cluster = Cluster::new(shown.clone(), first, tls, Duration::from_millis(http.timeout_ms), login);
    let producer = Producer { cluster, topic, gzip: http.gzip, known: None };
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
        self.cluster.shown.clone()
    }

    /// Gives every broker its share. Where some partitions took theirs and others did not, only those are sent again.
    pub(crate) async fn send(&mut self, load: &Load) -> Result<Taken, Miss> {
        if load.amount.events == 0 {
            return Ok(Taken::default());
        }
        if self.known.is_none() {
            self.known = Some(self.cluster.ask(&self.topic).await?);
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
                    self.cluster.connections.remove(&broker);
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
        let wait = i32::try_from(self.cluster.timeout.as_millis()).unwrap_or(i32::MAX);
        let number = self.cluster.next_number();
        let request = wire::produce(number, &self.topic, wait, &batches);
        let answer = self.cluster.exchange(broker, &request, number).await?;
        wire::produced(&answer).ok_or_else(no_kafka)
    }
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
        let cluster = Cluster::new(String::new(), broker.clone(), None, Duration::ZERO, None);
        let mut producer = Producer { cluster, topic: TOPIC.into(), gzip: false, known: Some(topic) };
        let lines: Vec<String> =
            (0..64).map(|n| format!(r#"{{"actor":{{"user":{{"uid":"tok:{n:016x}"}}}}}}"#)).collect();
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        let Ok((shares, left)) = producer.shares(&lines) else { panic!("there are leaders") };
        let sent = shares.get(&broker).and_then(|shares| shares.get(&0)).map_or(0, Vec::len);
        assert!(sent > 0 && !left.is_empty(), "{sent} {left:?}");
        assert_eq!(sent + left.len(), 64);
    }
}
