//! Reads topics: what a collector takes of its sensors.
//!
//! No group and no offsets of the broker's: who reads keeps its places itself, beside what it read. One request at a time to each
//! broker; nothing is read ahead.

use super::cluster::{Cluster, Place, no_kafka};
use super::{Fault, address, login, read, tls, user_of, wire};
use crate::config::Config;
use crate::courier::Miss;
use crate::http::target;
use crate::{Context, Pressure, SinkError};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Kafka's OFFSET_OUT_OF_RANGE.
const OUT_OF_RANGE: i16 = 1;
/// Bytes of records that are read at once.
const ROOM: usize = 64 << 20;
/// Topics that come into being are known after so long.
const LOOK: Duration = Duration::from_secs(5);

/// Where to go on: topics with their partitions and the offset of the next record of each.
pub type Places = BTreeMap<String, BTreeMap<i32, i64>>;

/// A cluster whose topics are read. Blocks its thread.
pub struct Consumer {
    cluster: Cluster,
    prefix: String,
    runtime: Runtime,
    /// Who leads; `None`: nobody was asked, or the last answer does not hold any more.
    known: Option<(wire::Topics, Instant)>,
    /// Who is first in a request may fill the answer: each is in turn.
    turn: usize,
}

/// What one partition had.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Records with their offsets, in order. A record without a value has an empty one.
    pub records: Vec<(i64, Vec<u8>)>,
    /// Where to go on when these are taken.
    pub next: i64,
    /// Records that the broker has deleted before they were read.
    pub lost: u64,
}

/// What a broker told of several partitions, and what is wrong with others.
#[derive(Debug, Default)]
pub struct Round {
    /// Partitions that had something.
    pub fetched: Vec<Fetched>,
    /// A line each.
    pub troubles: Vec<String>,
}

impl Round {
    fn trouble(&mut self, topic: &str, partition: i32, why: &str) {
        self.troubles.push(format!("{topic}, partition {partition}: {why}"));
    }
}

impl Consumer {
    /// Of `kafka://[USER@]HOST[:PORT]/PREFIX`, with the keys of `[sink.http]` for TLS and the password.
    ///
    /// # Errors
    /// What is wrong with the address or the keys.
    pub fn open(url: &str, config: &Config) -> Result<Self, SinkError> {
        let context = Context { config: config.clone(), ..Context::new(Pressure::Block) };
        let (user, destination) = user_of(url);
        let bad = |reason: String| SinkError::BadDestination {
            destination: target::shown_before_parsing(&destination),
            reason,
        };
        let is_tls = destination.starts_with("kafka+tls://");
        if !is_tls && !destination.starts_with("kafka://") {
            return Err(bad("is no address of a broker, like kafka://127.0.0.1:9092/PREFIX".into()));
        }
        let (shown, first, prefix) = address(&destination)?;
        let tls = if is_tls { Some(tls::client(&config.http)?) } else { None };
        let login = login(user, is_tls, &context)?;
        let timeout = Duration::from_millis(config.http.timeout_ms);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| bad(error.to_string()))?;
        let cluster = Cluster::new(shown, first, tls, timeout, login);
        Ok(Self { cluster, prefix, runtime, known: None, turn: 0 })
    }

    /// The cluster and the prefix, for people.
    pub fn shown(&self) -> &str {
        &self.cluster.shown
    }

    /// The topic of that name below the prefix.
    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Reads on in those topics that there are; partitions that are not among their places yet begin with the first record. Waits
    /// a moment where there is nothing.
    ///
    /// # Errors
    /// The broker's reason, in a line. The next call begins anew.
    pub fn fetch(&mut self, places: &Places) -> Result<Round, String> {
        let Self { cluster, runtime, known, turn, .. } = self;
        *turn = turn.wrapping_add(1);
        let done = runtime.block_on(round(cluster, known, *turn, places));
        done.map_err(|miss| {
            // Whoever leads now is asked for next time.
            *known = None;
            cluster.connections.clear();
            format!("{}: {}", cluster.shown, told(miss))
        })
    }
}

fn told(miss: Miss) -> String {
    match miss {
        Miss::Closed => "closed the connection before a whole answer".into(),
        Miss::NoAnswer { cause, hint } | Miss::NoTrust { cause, hint } => format!("{cause}{hint}"),
        Miss::Code(code) => {
            let (cause, hint) = Fault(code).told();
            format!("{cause}{hint}")
        }
        Miss::Status { .. } | Miss::TooLong { .. } => "does not answer as Kafka does".into(),
    }
}

/// Partitions by their leaders: topic, number, and where to go on.
type Shares<'a> = BTreeMap<Place, Vec<(&'a str, i32, i64)>>;

async fn round(
    cluster: &mut Cluster,
    known: &mut Option<(wire::Topics, Instant)>,
    turn: usize,
    places: &Places,
) -> Result<Round, Miss> {
    let topics = match known {
        Some((topics, asked)) if asked.elapsed() < LOOK => topics,
        _ => &mut known.insert((cluster.ask_all().await?, Instant::now())).0,
    };
    let mut round = Round::default();
    let mut shares = Shares::new();
    let count = places.len().max(1);
    let in_turn = places.iter().cycle().skip(turn % count).take(places.len());
    for (topic, at) in in_turn {
        let Some(about) = topics.by_name.get(topic) else { continue };
        if about.error != 0 {
            round.troubles.push(format!("{topic}: {}", told(Miss::Code(about.error))));
        }
        for (partition, leader) in &about.leaders {
            // One without a leader has one again some time; the others go on.
            let Some(broker) = topics.brokers.get(leader) else { continue };
            let next = match at.get(partition) {
                Some(next) => *next,
                None => match first(cluster, broker, topic, *partition).await {
                    Ok(next) => next,
                    Err(Miss::Code(code)) => {
                        round.trouble(topic, *partition, &told(Miss::Code(code)));
                        continue;
                    }
                    Err(miss) => return Err(miss),
                },
            };
            shares.entry(broker.clone()).or_default().push((topic, *partition, next));
        }
    }
    let mut room = ROOM;
    for (broker, share) in shares {
        share_of(cluster, &broker, &share, &mut room, &mut round).await?;
    }
    if !round.troubles.is_empty() {
        *known = None;
    }
    Ok(round)
}

/// The offset of the first record that there is.
async fn first(cluster: &mut Cluster, broker: &Place, topic: &str, partition: i32) -> Result<i64, Miss> {
    let number = cluster.next_number();
    let request = wire::ask_first(number, topic, partition);
    let answer = cluster.exchange(broker, &request, number).await?;
    match wire::offset(&answer).ok_or_else(no_kafka)? {
        (0, offset) => Ok(offset),
        (code, _) => Err(Miss::Code(code)),
    }
}

async fn share_of(
    cluster: &mut Cluster,
    broker: &Place,
    share: &[(&str, i32, i64)],
    room: &mut usize,
    round: &mut Round,
) -> Result<(), Miss> {
    let number = cluster.next_number();
    let request = wire::fetch(number, share);
    let answer = cluster.exchange(broker, &request, number).await?;
    for (topic, partition, code, batches) in wire::fetched(&answer).ok_or_else(no_kafka)? {
        // What was not asked for is not taken.
        let asked = share.iter().find(|(name, number, _)| *name == topic && *number == partition);
        let Some((topic, _, from)) = asked else { continue };
        let mut one = Fetched { topic: (*topic).to_owned(), partition, ..Fetched::default() };
        match code {
            0 => match read::records(batches, *from, room) {
                Ok((records, next)) => (one.records, one.next) = (records, next),
                Err(why) => {
                    round.trouble(topic, partition, why);
                    continue;
                }
            },
            OUT_OF_RANGE => {
                one.next = first(cluster, broker, topic, partition).await?;
                one.lost = u64::try_from(one.next.saturating_sub(*from)).unwrap_or_default();
            }
            // One that may not be read, or has another leader, holds up no other.
            code => {
                round.trouble(topic, partition, &told(Miss::Code(code)));
                continue;
            }
        }
        if one.next != *from {
            round.fetched.push(one);
        }
    }
    Ok(())
}
