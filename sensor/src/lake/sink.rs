//! Fills the tables on a thread of its own, behind a bounded queue.

use super::keep::{Keeper, Keeping, now_ms, share};
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tapwire_capture::Pressure;
use tapwire_lake::{Lake, LakeError};
use tapwire_sink::{Batch, Counts, DropReason, Notice, Reader, Sink, SinkError, SinkReport, Tally};

/// Batches of about 128 KiB that wait: 8 MiB, or a hundredth of a small memory.
const WAITING: std::ops::RangeInclusive<usize> = 4..=64;

/// What was taken is part of the tables after so long, whatever else comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the thread did.
#[derive(Default)]
struct Done {
    delivered: Tally,
    failed: Tally,
    refused: Tally,
    error: Option<SinkError>,
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
    done: Arc<Mutex<Done>>,
    counts: Counts,
    error: Option<SinkError>,
    notice: Option<Notice>,
}

impl LakeSink {
    pub(super) fn open(
        data: &Path,
        memory: usize,
        keeping: Option<Keeping>,
        pressure: Pressure,
    ) -> Result<Self, Failure> {
        let lake = Lake::open(data, now_ms())
            .map(|lake| lake.bounded(share(memory)))
            .map(|lake| if pressure == Pressure::Block { lake.at_once() } else { lake })
            .map_err(|error| Failure::new(error.to_string()))?;
        let done = Arc::new(Mutex::new(Done::default()));
        let worker =
            Worker { lake, done: Arc::clone(&done), since: None, is_tap: pressure == Pressure::Shed };
        Ok(Self {
            worker: Some(worker),
            queue: None,
            thread: None,
            keeping,
            keeper: None,
            data: data.to_owned(),
            waiting: (memory / 100 / (128 << 10)).clamp(*WAITING.start(), *WAITING.end()),
            pressure,
            done,
            counts: Counts::default(),
            error: None,
            notice: None,
        })
    }

    fn start(&mut self, worker: Worker) {
        self.keeper = self.keeping.take().and_then(|keeping| Keeper::start(&self.data, keeping));
        let (queue, batches) = sync_channel(self.waiting);
        let started = std::thread::Builder::new().name("lake".into()).spawn(move || worker.run(&batches));
        match started {
            Ok(thread) => (self.queue, self.thread) = (Some(queue), Some(thread)),
            Err(error) => {
                let told = SinkError::Write { destination: "--data lake".into(), cause: error.to_string() };
                held(&self.done).error.get_or_insert(told);
            }
        }
    }

    /// Takes what the thread did into the counters.
    fn catch_up(&mut self) {
        let done = std::mem::take(&mut *held(&self.done));
        self.counts.deliver(done.delivered);
        self.counts.drop_for(DropReason::WriteFailed, done.failed);
        self.counts.drop_for(DropReason::Refused, done.refused);
        if let Some(error) = done.error
            && self.error.is_none()
        {
            self.notice = Some(Notice::Failing(error.clone()));
            self.error = Some(error);
        }
    }

    fn send(&mut self, batch: &Batch) {
        let amount = Tally::of(batch.events(), batch.bytes().len());
        let Some(queue) = &self.queue else { return self.counts.drop_for(DropReason::Stopped, amount) };
        let sent = match self.pressure {
            Pressure::Block => queue.send(batch.clone()).map_err(|_| DropReason::Stopped),
            Pressure::Shed => queue.try_send(batch.clone()).map_err(|error| match error {
                TrySendError::Full(_) => DropReason::QueueFull,
                TrySendError::Disconnected(_) => DropReason::Stopped,
            }),
        };
        if let Err(reason) = sent {
            self.counts.drop_for(reason, amount);
        }
    }
}

fn held(done: &Mutex<Done>) -> MutexGuard<'_, Done> {
    done.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink for LakeSink {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        self.counts.accept(Tally::of(batch.events(), batch.bytes().len()));
        if let Some(worker) = self.worker.take() {
            self.start(worker);
        }
        self.send(batch);
        self.catch_up();
        match &self.error {
            // A tap goes on sensing for its other outputs; what is lost here is counted.
            Some(error) if self.pressure == Pressure::Block => Err(error.clone()),
            _ => Ok(Reader::Listening),
        }
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.catch_up();
        self.notice.take()
    }

    fn report(&self) -> SinkReport {
        SinkReport {
            destination: "--data lake".into(),
            counts: self.counts,
            error: self.error.clone(),
            notices: Vec::new(),
        }
    }

    fn finish(mut self: Box<Self>) -> SinkReport {
        drop(self.keeper.take());
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported on standard error; its events stay uncounted as delivered.
            let _ = thread.join();
        }
        self.catch_up();
        self.report()
    }
}

/// The thread's side.
struct Worker {
    lake: Lake,
    done: Arc<Mutex<Done>>,
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
        let amount = Tally::of(batch.events(), batch.bytes().len());
        // Events are rendered as UTF-8; were one not, it would be refused as no event.
        let lines = String::from_utf8_lossy(batch.bytes());
        match self.lake.write(&lines) {
            Ok(taken) => {
                self.since.get_or_insert_with(Instant::now);
                let refused = u32::try_from(taken.refused).unwrap_or(u32::MAX).min(batch.events());
                let mut done = held(&self.done);
                done.refused.add(Tally::of(refused, 0));
                done.delivered.add(Tally::of(batch.events() - refused, batch.bytes().len()));
            }
            Err(error) => {
                held(&self.done).failed.add(amount);
                self.fail(&error);
            }
        }
    }

    fn commit(&mut self) {
        if self.since.take().is_some()
            && let Err(error) = self.lake.commit()
        {
            self.fail(&error);
        }
    }

    fn fail(&self, error: &LakeError) {
        let told = SinkError::Write { destination: "--data lake".into(), cause: error.to_string() };
        held(&self.done).error.get_or_insert(told);
    }
}
