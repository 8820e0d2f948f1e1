//! Takes batches in: starts the threads behind it, and bounds what waits for them.

use crate::batch::{self, Checked, Pool, Refusal, Way, check};
use crate::event::Fault;
use crate::journal::{self, Head, Journal, Recovered};
use crate::roll::{ITSELF, Keeper, Place, Standing};
use crate::seen::{Hasher, Seen};
use crate::tally::Tallies;
use crate::writer::{Tables, Work, Writer};
use hyper::body::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tapwire_store::{Spool, Spools, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The journal's name among the spools.
const JOURNAL: &str = "collected";
/// Batches that wait for the journal.
const WAITING: usize = 256;
/// What room is counted in.
const UNIT: usize = 1 << 10;
/// Batches of one sensor at once: it sends one after another.
const MOST_OF_SENSOR: u32 = 2;
/// Days of one sensor's events that go into the tables at once: each is a file of every table, and one thread writes them.
const MOST_DAYS: usize = 32;
/// What a remembered event takes, with what tables of hashes leave empty.
const SEEN_BYTES: usize = 64;
/// Of that memory, one part in so many is kept in buffers that wait to be used again.
const POOLED_PART: usize = 8;
/// Labels make lines longer by one part in so many, as a rule.
const LABELS: usize = 16;
/// Between two lines about one sensor's refused batches.
const QUIET: Duration = Duration::from_secs(60);

/// What bounds a collector.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of batches that wait, and of what is remembered of events, in all.
    pub memory: usize,
    /// Bytes of the journal.
    pub journal: u64,
    /// Bytes of a body as it comes.
    pub body: usize,
    /// Bytes of its lines.
    pub lines: usize,
    /// What was taken is in the tables for good after so long.
    pub every: Duration,
}

impl Limits {
    /// How many events are remembered.
    pub fn remembered(&self) -> usize {
        (self.memory / 2 / SEEN_BYTES).max(10_000)
    }
}

/// What the threads share.
pub(crate) struct Shared {
    pub(crate) tallies: Tallies,
    pub(crate) pool: Pool,
    /// Up to where the tables have the journal for good.
    pub(crate) committed: AtomicU64,
    /// Whether the writer has ended, and why.
    ended: Mutex<Option<Option<String>>>,
    over: Condvar,
    complained: Mutex<Option<Instant>>,
}

impl Shared {
    fn of(tallies: Tallies, pooled: usize) -> Self {
        let committed = AtomicU64::new(0);
        Self {
            tallies,
            pool: Pool::of(pooled),
            committed,
            ended: Mutex::default(),
            over: Condvar::new(),
            complained: Mutex::default(),
        }
    }

    pub(crate) fn writer_ended(&self, why: Option<String>) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        self.over.notify_all();
    }

    pub(crate) fn wait_for_writer(&self) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // A panic in the wait leaves nothing to wait for.
        let _ended = self.over.wait_while(ended, |ended| ended.is_none());
    }

    fn failure(&self) -> Option<String> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone().flatten()
    }

    /// Says what is wrong with the journal, once a minute.
    pub(crate) fn complain(&self, why: &str) {
        let mut last = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= QUIET) {
            *last = Some(Instant::now());
            eprintln!("tapwire: nothing is taken from sensors, which keep it: {why}");
        }
    }
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// So many events are durable.
    Taken(u64),
    /// There is no room at this moment.
    Later,
    Refused(Refusal),
    Failed,
}

/// What became of events that came another way than over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// All of them are durable.
    Taken,
    /// None is, and they may be taken later.
    Later,
    /// None is, for that line, counted from 0, is none that is taken.
    Refused {
        /// Lines before it may be.
        line: usize,
        /// It will be one when this is upgraded.
        newer: bool,
    },
}

/// Why nobody is known by a token.
pub(crate) enum Stranger {
    /// Nobody has it.
    Unknown,
    /// The list of sensors cannot be read.
    Unreadable,
}

/// A batch on its way to the journal.
pub(crate) struct Parcel {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
    pub(crate) checked: Checked,
    pub(crate) room: Option<OwnedSemaphorePermit>,
    pub(crate) reply: oneshot::Sender<Answer>,
}

impl Parcel {
    pub(crate) fn answer(self, answer: Answer) {
        // Nobody may be waiting any more.
        let _gone = self.reply.send(answer);
    }
}

/// Where requests bring batches.
pub struct Desk {
    keeper: Arc<dyn Keeper>,
    limits: Limits,
    shared: Arc<Shared>,
    hasher: Hasher,
    room: Arc<Semaphore>,
    parcels: Mutex<Option<SyncSender<Parcel>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    sensors: Mutex<BTreeMap<String, Arc<Busy>>>,
}

/// What a sensor does at this moment.
#[derive(Default)]
struct Busy {
    batches: std::sync::atomic::AtomicU32,
    told: Mutex<Option<Instant>>,
    days: Mutex<Days>,
}

/// Days that a sensor's events are of, since the tables had the journal up to there.
#[derive(Default)]
struct Days {
    since: u64,
    of: BTreeSet<i64>,
}

impl Days {
    /// Takes more of them, unless these are too many at once.
    fn take(&mut self, more: BTreeSet<i64>, committed: u64) -> bool {
        if self.since != committed {
            *self = Self { since: committed, of: BTreeSet::new() };
        }
        let fits = self.of.union(&more).count() <= MOST_DAYS;
        if fits {
            self.of.extend(more);
        }
        fits
    }
}

/// A place among a sensor's batches; free again when it is dropped.
pub(crate) struct Turn(Arc<Busy>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.batches.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A collector that is being opened: what a former process left is read before anything new is taken.
pub struct Opening {
    spools: Spools,
    limits: Limits,
    hasher: Hasher,
    seen: Seen,
    recovered: Recovered,
}

impl Opening {
    /// What a former process left in the journal.
    pub const fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// How many events can be remembered.
    pub fn remembers(&self) -> usize {
        self.limits.remembered()
    }

    /// Takes an event that the tables have as one that came before: any, or only such as the journal has, too.
    pub fn know(&mut self, tenant: Option<&str>, uid: &str, ms: i64, any: bool) {
        let key = self.hasher.key(tenant, uid);
        if any || self.recovered.keys.contains(&key) {
            let _known = self.seen.take("", key, ms);
        }
    }

    /// Brings what a former process left into the tables, and opens.
    ///
    /// # Errors
    /// The journal's or the tables' reason, in a line.
    pub fn open(
        self,
        keeper: Arc<dyn Keeper>,
        tallies: Tallies,
        tables: Box<dyn Tables>,
    ) -> Result<Desk, String> {
        let Self { spools, limits, hasher, seen, .. } = self;
        let told = |error: StoreError| error.to_string();
        let mut spool = spools.open(JOURNAL, limits.journal).map_err(told)?;
        let shared = Arc::new(Shared::of(tallies, limits.memory / POOLED_PART));
        let most = (limits.remembered() / 2) as u64;
        let every = limits.every;
        let mut writer = Writer {
            tables,
            seen,
            shared: Arc::clone(&shared),
            every,
            most,
            since: None,
            events: 0,
            until: 0,
        };
        recover(&mut spool, &mut writer, limits.lines, &hasher)?;
        writer.commit()?;
        let until = spool.end();
        spool.acknowledge(until).map_err(told)?;
        let (to_writer, works) = channel();
        let (to_journal, parcels) = sync_channel(WAITING);
        let journal =
            Journal { spool, shared: Arc::clone(&shared), works: Some(to_writer), acknowledged: until };
        let start = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(work).map_err(|error| error.to_string())
        };
        let threads = vec![
            start("tables", Box::new(move || writer.run(&works)))?,
            start("journal", Box::new(move || journal.run(&parcels)))?,
        ];
        Ok(Desk {
            keeper,
            limits,
            shared,
            hasher,
            room: Arc::new(Semaphore::new(limits.memory / 2 / UNIT)),
            parcels: Mutex::new(Some(to_journal)),
            threads: Mutex::new(threads),
            sensors: Mutex::default(),
        })
    }
}

/// Hands on what is in the journal, and tells what is not or cannot be.
fn recover(spool: &mut Spool, writer: &mut Writer, lines: usize, hasher: &Hasher) -> Result<(), String> {
    let (mut refused, mut reason) = (0, String::new());
    while let Some(entry) = spool.read().map_err(|error| error.to_string())? {
        let until = entry.offset + entry.events;
        match journal::read(&entry, lines, hasher) {
            Ok((head, checked)) => {
                writer.take(Work { sensor: head.place.name, checked, until, _room: None })?;
            }
            Err(why) => (refused, reason) = (refused + entry.events, why),
        }
    }
    if refused > 0 {
        eprintln!("tapwire: {refused} events of the journal cannot go into the tables: {reason}");
    }
    // What a kill cut off was acknowledged to nobody.
    for damage in spool.take_damage().into_iter().filter(|damage| damage.events > 0) {
        let path = damage.path.display();
        eprintln!("tapwire: {path}: {} events of the journal cannot be read", damage.events);
    }
    Ok(())
}

impl Desk {
    /// Begins to open the collector whose journal stands among those spools.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn opening(spools: Spools, limits: Limits) -> Result<Opening, StoreError> {
        let hasher = Hasher::default();
        let recovered = journal::look(&mut spools.open(JOURNAL, limits.journal)?, limits.lines, &hasher)?;
        Ok(Opening { spools, limits, hasher, seen: Seen::of(limits.remembered()), recovered })
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Who has that token, and how they stand.
    pub(crate) fn who(&self, token: &str) -> Result<(Place, Standing), Stranger> {
        let roll = self.keeper.roll().ok_or(Stranger::Unreadable)?;
        roll.find(token, now_ms()).ok_or(Stranger::Unknown)
    }

    /// Counters by sensor.
    pub fn tallies(&self) -> &Tallies {
        &self.shared.tallies
    }

    /// Why the tables take nothing more, where they do not.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure()
    }

    /// What that sensor does at this moment.
    fn busy(&self, sensor: &str) -> Arc<Busy> {
        let mut sensors = self.sensors.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sensors.entry(sensor.to_owned()).or_default())
    }

    /// A sensor's turn, unless it sends too much at once.
    pub(crate) fn turn(&self, sensor: &str) -> Option<Turn> {
        let busy = self.busy(sensor);
        let turn = Turn(Arc::clone(&busy));
        let before = busy.batches.fetch_add(1, Ordering::AcqRel);
        (before < MOST_OF_SENSOR).then_some(turn)
    }

    /// Room for so many bytes that wait.
    pub(crate) fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(units).ok()
    }

    /// That room, made as large as what turned out to be needed.
    fn fitted(&self, mut room: OwnedSemaphorePermit, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let (held, needed) = (room.num_permits(), bytes.div_ceil(UNIT));
        if needed > held {
            room.merge(self.room((needed - held) * UNIT)?);
        } else {
            drop(room.split(held - needed));
        }
        Some(room)
    }

    /// Checks a batch and hands it to the journal; what becomes of it is told there. Takes as long as its lines are.
    pub(crate) fn submit(
        &self,
        place: Place,
        body: Bytes,
        gzip: bool,
    ) -> Result<oneshot::Receiver<Answer>, Answer> {
        let now = now_ms();
        let (hasher, pool) = (&self.hasher, &self.shared.pool);
        // First, or where room is scarce most of what is checked would be checked in vain.
        let plain = batch::expected(&body, gzip).min(self.limits.lines).min(self.limits.memory / 4);
        let room = self.room(plain + plain / LABELS + body.len()).ok_or(Answer::Later)?;
        let way = Way { gzip, most: self.limits.lines, place: &place, now_ms: Some(now), hasher, pool };
        let checked = check(&body, &way).map_err(Answer::Refused)?;
        if place.name != ITSELF {
            self.shared.tallies.count(&place.name, |tally| tally.last_ms = now);
        }
        let (reply, answer) = oneshot::channel();
        let Some(span) = checked.span() else {
            // Nothing is durable at once.
            let _waits = reply.send(Answer::Taken(0));
            return Ok(answer);
        };
        let busy = self.busy(&place.name);
        let mut days = busy.days.lock().unwrap_or_else(PoisonError::into_inner);
        if !days.take(checked.days(), self.shared.committed.load(Ordering::Acquire)) {
            return Err(Answer::Later);
        }
        drop(days);
        let room = self.fitted(room, checked.text.len() + body.len()).ok_or(Answer::Later)?;
        let head = Head { place, gzip, span };
        let parcel = Parcel { head, body, checked, room: Some(room), reply };
        let parcels = self.parcels.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(parcels) = parcels.as_ref() else { return Err(Answer::Failed) };
        match parcels.try_send(parcel) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(Answer::Later),
            Err(TrySendError::Disconnected(_)) => Err(Answer::Failed),
        }
    }

    /// Takes events of a sensor, one a line, and waits until they are durable. Whoever brings them knows who they are from.
    pub fn deliver(&self, sensor: &str, lines: Vec<u8>) -> Delivered {
        let place = self.keeper.roll().and_then(|roll| roll.named(sensor));
        let Some(place) = place else { return Delivered::Later };
        let answer = match self.submit(place, lines.into(), false) {
            Ok(reply) => reply.blocking_recv().unwrap_or(Answer::Failed),
            Err(answer) => answer,
        };
        match answer {
            Answer::Taken(_) => Delivered::Taken,
            Answer::Failed => Delivered::Later,
            Answer::Later => {
                self.shared.tallies.count(sensor, |tally| tally.later += 1);
                Delivered::Later
            }
            Answer::Refused(refusal) => {
                let (line, newer) = match refusal {
                    Refusal::Line(line, fault) => (line.saturating_sub(1), fault == Fault::NewSchema),
                    Refusal::Large | Refusal::Coding => (0, false),
                };
                // Those before it come again without it.
                if line == 0 {
                    self.refused(sensor, &refusal.to_string());
                }
                Delivered::Refused { line: usize::try_from(line).unwrap_or(usize::MAX), newer }
            }
        }
    }

    /// Counts an event that is none, and says why on standard error, a line a minute for each sensor.
    pub fn refuse(&self, sensor: &str, why: &str) {
        self.refused(sensor, why);
    }

    /// Takes an event of the collector itself, a line.
    pub fn say(&self, event: String) {
        let place = Place { name: ITSELF.into(), ..Place::default() };
        // Where there is no room for it, its line on standard error has said it.
        let _answer = self.submit(place, event.into(), false);
    }

    /// Counts a batch that was not taken, and says why on standard error, a line a minute for each sensor.
    pub(crate) fn refused(&self, sensor: &str, why: &str) {
        let now = now_ms();
        self.shared.tallies.count(sensor, |tally| {
            tally.refused += 1;
            tally.reason = why.to_owned();
            tally.refused_ms = now;
        });
        let busy = self.busy(sensor);
        let mut told = busy.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= QUIET) {
            *told = Some(Instant::now());
            eprintln!("tapwire: sensor {sensor}: a batch was refused: {why}");
        }
    }

    /// Takes nothing more, brings into the tables what was taken, and waits until that is done.
    ///
    /// # Errors
    /// The tables' reason, in a line. What is not there for good is in the journal.
    pub fn close(&self) -> Result<(), String> {
        drop(self.parcels.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                return Err("a thread of the collector broke off".into());
            }
        }
        self.failure().map_or(Ok(()), Err)
    }
}

/// Milliseconds since 1970-01-01 UTC.
#[allow(
    clippy::disallowed_methods,
    reason = "how old a token or an event is, is a question to the wall clock"
)]
fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_a_sensor_are_bounded_until_the_tables_have_them() {
        let batch = |first: i64| (first..first + 16).collect::<BTreeSet<i64>>();
        let mut days = Days::default();
        assert!(days.take(batch(0), 0) && days.take(batch(16), 0) && !days.take(batch(32), 0));
        assert!(days.take(batch(8), 0), "days that are there already");
        assert!(days.take(batch(32), 7) && days.take(batch(48), 7) && !days.take(batch(0), 7));
    }
}
