//! Fills the tables on a thread of its own, behind a bounded queue.

use super::keep::{Keeper, Keeping, now_ms};
use crate::failure::Failure;
use crate::memory::{ROWS, WAITING_FOR_TABLES};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tapwire_capture::Pressure;
use tapwire_lake::{Amount, Lake, LakeError, Ledger};
use tapwire_sink::{
    Batch, Counts, DropReason, Notice, Reader, Sink, SinkError, SinkReport, Tally, Trouble, Watched,
};

/// What it is called where outputs are.
pub(super) const DESTINATION: &str = "--data lake";

/// Batches of about 128 KiB that wait: 8 MiB, or a hundredth of a small memory.
const WAITING: std::ops::RangeInclusive<usize> = 4..=64;

/// What was taken is part of the tables after so long, whatever else comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of the events, for all who look at it.
#[derive(Default)]
pub(super) struct Books(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    counts: Counts,
    trouble: Trouble,
}

impl Books {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells why so much was not written.
    fn failed(&self, cause: String, dropped: Tally) {
        self.lock().trouble.failed(SinkError::Write { destination: DESTINATION.into(), cause }, dropped);
    }
}

impl Watched for Books {
    fn report(&self) -> SinkReport {
        let entries = self.lock();
        let (counts, error) = (entries.counts, entries.trouble.error().cloned());
        SinkReport {
            destination: DESTINATION.into(),
            counts,
            error,
            lapse: entries.trouble.lapse(),
            notices: Vec::new(),
        }
    }
}

/// A sink whose events become rows.
pub(crate) struct LakeSink {
    /// What the thread begins with: it starts with the first batch, when privileges are given up, which belong to threads.
    worker: Option<Worker>,
    /// `None` before that, and when there is nothing more to come.
    queue: Option<SyncSender<Batch>>,
    thread: Option<JoinHandle<()>>,
    /// How the tables are kept meanwhile, and who does.
    keeping: Option<Keeping>,
    keeper: Option<Keeper>,
    data: PathBuf,
    /// Batches that may wait.
    waiting: usize,
    pressure: Pressure,
    books: Arc<Books>,
}

impl LakeSink {
    pub(super) fn open(
        data: &Path,
        memory: usize,
        keeping: Option<Keeping>,
        pressure: Pressure,
    ) -> Result<Self, Failure> {
        let lake = Lake::open(data, now_ms())
            .map(|lake| lake.bounded(ROWS.bytes(memory)).of_one_run())
            .map(|lake| if pressure == Pressure::Block { lake.at_once() } else { lake })
            .and_then(|mut lake| lake.catch_up().map(|unread| (lake, unread)))
            .map_err(|error| Failure::new(error.to_string()));
        let (lake, unread) = lake?;
        unread.iter().for_each(|error| eprintln!("tapwire: {error}: its calls are in no sum"));
        let books = Arc::new(Books::default());
        let worker = Worker {
            lake,
            books: Arc::clone(&books),
            told: Ledger::default(),
            since: None,
            is_tap: pressure == Pressure::Shed,
        };
        Ok(Self {
            worker: Some(worker),
            queue: None,
            thread: None,
            keeping,
            keeper: None,
            data: data.to_owned(),
            waiting: (WAITING_FOR_TABLES.bytes(memory) / (128 << 10)).clamp(*WAITING.start(), *WAITING.end()),
            pressure,
            books,
        })
    }

    /// What can be looked at while it works.
    pub(super) const fn books(&self) -> &Arc<Books> {
        &self.books
    }

    fn start(&mut self, worker: Worker) {
        self.keeper = self.keeping.take().and_then(|keeping| Keeper::start(&self.data, keeping));
        let (queue, batches) = sync_channel(self.waiting);
        let started = std::thread::Builder::new().name("lake".into()).spawn(move || worker.run(&batches));
        match started {
            Ok(thread) => (self.queue, self.thread) = (Some(queue), Some(thread)),
            Err(error) => self.books.failed(error.to_string(), Tally::default()),
        }
    }

    fn send(&mut self, batch: &Batch) {
        let amount = Tally::of(batch.events(), batch.bytes().len());
        let Some(queue) = &self.queue else {
            return self.books.lock().counts.drop_for(DropReason::Stopped, amount);
        };
        let sent = match self.pressure {
            Pressure::Block => queue.send(batch.clone()).map_err(|_| DropReason::Stopped),
            Pressure::Shed => queue.try_send(batch.clone()).map_err(|error| match error {
                TrySendError::Full(_) => DropReason::QueueFull,
                TrySendError::Disconnected(_) => DropReason::Stopped,
            }),
        };
        if let Err(reason) = sent {
            self.books.lock().counts.drop_for(reason, amount);
        }
    }
}

impl Sink for LakeSink {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        self.books.lock().counts.accept(Tally::of(batch.events(), batch.bytes().len()));
        if let Some(worker) = self.worker.take() {
            self.start(worker);
        }
        self.send(batch);
        match self.books.lock().trouble.error() {
            // A tap goes on sensing for its other outputs; what is lost here is counted.
            Some(error) if self.pressure == Pressure::Block => Err(error.clone()),
            _ => Ok(Reader::Listening),
        }
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.books.lock().trouble.poll()
    }

    fn report(&self) -> SinkReport {
        self.books.report()
    }

    fn finish(mut self: Box<Self>) -> SinkReport {
        drop(self.keeper.take());
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            // The panic itself was reported on standard error.
            let mut books = self.books.lock();
            let lost = books.counts.queued();
            books.counts.drop_for(DropReason::Stopped, lost);
        }
        self.report()
    }
}

/// The thread's side.
struct Worker {
    lake: Lake,
    books: Arc<Books>,
    /// What of the lake's ledger stands in the books.
    told: Ledger,
    /// When the first was taken that is not part of the tables.
    since: Option<Instant>,
    /// Somebody may ask while it runs.
    is_tap: bool,
}

impl Worker {
    fn run(mut self, batches: &Receiver<Batch>) {
        loop {
            let waited = self.since.filter(|_| self.is_tap).map_or(Duration::ZERO, |since| since.elapsed());
            match batches.recv_timeout(PATIENCE.saturating_sub(waited)) {
                Ok(batch) => self.take(&batch),
                Err(RecvTimeoutError::Timeout) => self.commit(),
                Err(RecvTimeoutError::Disconnected) => return self.commit(),
            }
        }
    }

    fn take(&mut self, batch: &Batch) {
        // Events are rendered as UTF-8; were one not, it would be refused as no event.
        let lines = String::from_utf8_lossy(batch.bytes());
        self.since.get_or_insert_with(Instant::now);
        let result = self.lake.write(&lines);
        self.tell(result.err());
    }

    fn commit(&mut self) {
        if self.since.take().is_some() {
            let result = self.lake.commit();
            self.tell(result.err());
        }
    }

    /// Carries what became of events over into the books.
    fn tell(&mut self, error: Option<LakeError>) {
        let (before, now) = (self.told, self.lake.ledger());
        self.told = now;
        let more = |now: Amount, before: Amount| {
            let Amount { events, bytes } = now.without(before);
            Tally { events, bytes }
        };
        let (committed, failed) = (more(now.committed, before.committed), more(now.failed, before.failed));
        let is_well = error.is_none() && committed.events > 0;
        if let Some(error) = error {
            self.books.failed(error.to_string(), failed);
        }
        let mut books = self.books.lock();
        books.counts.deliver(committed);
        books.counts.drop_for(DropReason::Refused, more(now.refused, before.refused));
        books.counts.drop_for(DropReason::WriteFailed, failed);
        if is_well {
            books.trouble.worked(DESTINATION);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn event(class: u32, ms: i64) -> String {
        format!("{{\"time\":{ms},\"class_uid\":{class}}}\n")
    }

    fn batch(lines: &[String]) -> Batch {
        Batch::new(lines.concat().into_bytes(), u32::try_from(lines.len()).unwrap())
    }

    #[test]
    fn what_a_file_does_not_take_is_told_as_failed_and_the_rest_as_delivered() {
        let data = tempfile::tempdir().unwrap();
        let mut sink = Box::new(LakeSink::open(data.path(), 1 << 30, None, Pressure::Shed).unwrap());
        let books = Arc::clone(sink.books());
        // One day of exchanges has a file where its folder would be.
        let table = data.path().join("lake/exchanges");
        fs::create_dir_all(&table).unwrap();
        fs::write(table.join("day=1970-01-02"), "").unwrap();
        let day = 86_400_000;
        let lines = [
            event(6003, 1),
            event(6003, day),
            event(6003, day + 1),
            event(2004, day),
            "nothing\n".to_owned(),
        ];
        let bytes = |at: &[usize]| at.iter().map(|at| lines[*at].len() as u64).sum::<u64>();
        assert!(sink.write(&batch(&lines)).is_ok());
        let before = books.report().counts;
        assert_eq!((before.accepted.events, before.delivered.events), (5, 0), "nothing is in a table yet");
        let report = Sink::finish(sink);
        let counts = report.counts;
        assert_eq!(counts.delivered, Tally { events: 2, bytes: bytes(&[0, 3]) });
        assert_eq!(counts.dropped(DropReason::WriteFailed), Tally { events: 2, bytes: bytes(&[1, 2]) });
        assert_eq!(counts.dropped(DropReason::Refused), Tally { events: 1, bytes: bytes(&[4]) });
        assert_eq!(counts.queued(), Tally::default());
        let told = report.error.unwrap().to_string();
        assert!(told.contains("day=1970-01-02") && told.contains(DESTINATION), "{told}");
        assert_eq!(books.report().counts, counts);
    }

    #[test]
    fn a_replay_ends_where_its_tables_cannot_be_written() {
        let data = tempfile::tempdir().unwrap();
        let mut sink = Box::new(LakeSink::open(data.path(), 1 << 30, None, Pressure::Block).unwrap());
        fs::write(data.path().join("lake/exchanges"), "").unwrap();
        let lines = [event(6003, 1)];
        let began = Instant::now();
        while sink.write(&batch(&lines)).is_ok() {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody tells that it fails");
        }
        let report = Sink::finish(sink);
        assert_eq!(report.counts.dropped(DropReason::WriteFailed).events, report.counts.accepted.events);
        assert!(report.error.is_some());
    }
}
