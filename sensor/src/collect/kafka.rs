//! Reads what sensors write to Kafka: the topic `PREFIX.NAME` has the events of the sensor NAME.
//!
//! Who may write to it is the broker's to say, by the rights that it gives. Places in topics are kept beside the journal, and only after the
//! journal has what they are behind: what a kill cuts off is read again, and known by its uid.

use super::now_ms;
use crate::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tapwire_collect::{Delivered, Desk, Keeper, Standing};
use tapwire_sink::{Config, Consumer, Fetched, Places};
use tapwire_store::write_private;

const PLACES: &str = "kafka.json";
/// Places are written down at most so often.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// After a broker failed, or where the tables are behind.
const BREATH: Duration = Duration::from_millis(500);
/// Between two lines about one trouble.
const QUIET: Duration = Duration::from_secs(60);
/// Bytes of records that are handed over together.
const BODY: usize = 2 << 20;
/// Records that are handed over together after one that was refused.
const FEW: usize = 64;

/// Places of each cluster.
type Clusters = BTreeMap<String, Places>;

/// What reads. Ends when it is dropped.
pub(super) struct Topics {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Opens the address, before privileges are given up.
pub(super) fn open(url: &str, config: &Config) -> Result<Consumer, Failure> {
    Consumer::open(url, config).map_err(|error| Failure::new(format!("--kafka: {error}")))
}

impl Topics {
    pub(super) fn start(
        consumer: Consumer,
        data: &Path,
        desk: &Arc<Desk>,
        keeper: Arc<dyn Keeper>,
    ) -> Result<Self, Failure> {
        let over = Arc::new(AtomicBool::new(false));
        let path = data.join(PLACES);
        let all = places(&path)?;
        let mut reader = Reading {
            consumer,
            desk: Arc::clone(desk),
            keeper,
            path,
            all,
            written: None,
            told: BTreeMap::new(),
            over: Arc::clone(&over),
        };
        let work = move || reader.run();
        let thread = std::thread::Builder::new().name("kafka".into()).spawn(work)?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A panic there was reported on standard error.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Where to go on. A file that cannot be read is no empty one: all that topics have would come again.
fn places(path: &Path) -> Result<Clusters, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| {
            Failure::new(format!(
                "{}: these are no places in topics; without the file topics are read from their beginning, and what is remembered is left out",
                path.display()
            ))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Clusters::new()),
        Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
    }
}

struct Reading {
    consumer: Consumer,
    desk: Arc<Desk>,
    keeper: Arc<dyn Keeper>,
    path: PathBuf,
    all: Clusters,
    /// When places were written last; `None`: they are as they were read.
    written: Option<Instant>,
    told: BTreeMap<String, Instant>,
    over: Arc<AtomicBool>,
}

impl Reading {
    fn run(&mut self) {
        let mut is_new = false;
        while !self.over.load(Ordering::Relaxed) {
            match self.round() {
                Ok(moved) => is_new |= moved,
                Err(why) => {
                    self.complain(&why);
                    std::thread::sleep(BREATH);
                }
            }
            if is_new && self.written.is_none_or(|written| written.elapsed() >= WRITE_EVERY) {
                self.keep();
                is_new = false;
            }
        }
        if is_new {
            self.keep();
        }
    }

    /// Takes what there is; says whether anything was.
    fn round(&mut self) -> Result<bool, String> {
        let sensors = self.sensors();
        let cluster = self.consumer.shown().to_owned();
        let known = self.all.entry(cluster).or_default();
        let topics = sensors.iter().map(|name| {
            let topic = self.consumer.topic(name);
            let at = known.get(&topic).cloned().unwrap_or_default();
            (topic, at)
        });
        let places: Places = topics.collect();
        if places.is_empty() {
            std::thread::sleep(BREATH);
            return Ok(false);
        }
        let round = self.consumer.fetch(&places)?;
        round.troubles.iter().for_each(|why| self.complain(why));
        // Asked again: who was revoked while the broker was waited for sends no more.
        let names: BTreeMap<String, String> =
            self.sensors().into_iter().map(|name| (self.consumer.topic(&name), name)).collect();
        let (mut moved, mut waits) = (false, false);
        for one in round.fetched {
            let Some(sensor) = names.get(&one.topic) else { continue };
            let before = places.get(&one.topic).and_then(|at| at.get(&one.partition)).copied();
            if one.lost > 0 && before.is_some() {
                self.complain(&format!(
                    "{}: {} records were deleted by the broker before they were read: a longer retention.ms keeps them",
                    one.topic, one.lost
                ));
            }
            let next = self.take(sensor, &one);
            waits |= next != one.next;
            if before != Some(next) {
                let known = self.all.entry(self.consumer.shown().to_owned()).or_default();
                known.entry(one.topic).or_default().insert(one.partition, next);
                moved = true;
            }
        }
        if waits {
            std::thread::sleep(BREATH);
        }
        Ok(moved)
    }

    /// Those that may send.
    fn sensors(&self) -> BTreeSet<String> {
        let Some(roll) = self.keeper.roll() else { return BTreeSet::new() };
        let good = roll
            .iter(now_ms())
            .filter(|(_, standing, _)| matches!(standing, Standing::Good | Standing::Ends(_)));
        good.map(|(place, ..)| place.name).collect()
    }

    /// Hands records over; gives where to go on.
    fn take(&self, sensor: &str, one: &Fetched) -> i64 {
        let mut rest = one.records.as_slice();
        let mut most = usize::MAX;
        while let Some((offset, value)) = rest.first() {
            if self.over.load(Ordering::Relaxed) {
                return *offset;
            }
            let (body, count) = body(rest, most);
            if value.len() > BODY || value.contains(&b'\n') {
                self.desk.refuse(sensor, "a record that is no event in one line of at most 1 MiB");
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            match self.desk.deliver(sensor, body) {
                Delivered::Taken => {
                    rest = rest.get(count..).unwrap_or_default();
                    most = usize::MAX;
                }
                // What this version does not know yet waits for another.
                Delivered::Later | Delivered::Refused { line: 0, newer: true } => return *offset,
                // The one in front is dropped, those before another are taken without it.
                Delivered::Refused { line: 0, .. } => {
                    rest = rest.get(1..).unwrap_or_default();
                    most = FEW;
                }
                Delivered::Refused { line, .. } => most = line,
            }
        }
        one.next
    }

    fn keep(&mut self) {
        self.written = Some(Instant::now());
        let text = serde_json::to_vec_pretty(&self.all).unwrap_or_default();
        if let Err(error) = write_private(&self.path, &text) {
            self.complain(&error.to_string());
        }
    }

    /// Says it, once a minute.
    fn complain(&mut self, why: &str) {
        let told = self.told.get(why).is_some_and(|told| told.elapsed() < QUIET);
        if !told {
            self.told.retain(|_, told| told.elapsed() < QUIET);
            self.told.insert(why.to_owned(), Instant::now());
            eprintln!("tapwire: kafka: {why}");
        }
    }
}

/// Lines of the first records, and how many these are.
fn body(records: &[(i64, Vec<u8>)], most: usize) -> (Vec<u8>, usize) {
    let (mut body, mut count) = (Vec::new(), 0);
    for (_, value) in records.iter().take(most) {
        let is_full = body.len() + value.len() > BODY;
        if count > 0 && (is_full || value.contains(&b'\n')) {
            break;
        }
        body.extend_from_slice(value);
        body.push(b'\n');
        count += 1;
    }
    (body, count)
}
