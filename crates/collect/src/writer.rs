//! Leaves out what came before, and puts the rest into the tables.

use crate::batch::{Checked, Mark};
use crate::desk::Shared;
use crate::seen::Seen;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// Where events go.
pub trait Tables: Send {
    /// Takes events.
    ///
    /// # Errors
    /// Why they cannot be taken, in a line. Nothing more comes then.
    fn write(&mut self, fresh: &Fresh<'_>) -> Result<(), String>;

    /// Makes what was taken durable, and seen by readers.
    ///
    /// # Errors
    /// Why not, in a line. Nothing more comes then.
    fn commit(&mut self) -> Result<(), String>;
}

/// Events that did not come before.
#[derive(Debug)]
pub struct Fresh<'a> {
    /// All of them, one a line.
    pub lines: &'a str,
    /// Those that are no exchanges, with their times in milliseconds since 1970.
    pub others: &'a [(i64, &'a str)],
}

/// A batch that is in the journal.
pub(crate) struct Work {
    pub(crate) sensor: String,
    pub(crate) checked: Checked,
    /// The journal's offset behind it.
    pub(crate) until: u64,
    /// What it takes of the room for what waits.
    pub(crate) _room: Option<OwnedSemaphorePermit>,
}

/// The thread that fills the tables.
pub(crate) struct Writer {
    pub(crate) tables: Box<dyn Tables>,
    pub(crate) seen: Seen,
    pub(crate) shared: Arc<Shared>,
    /// What was taken is durable after so long.
    pub(crate) every: Duration,
    /// Or after so many events: no more than are remembered, so that after a kill it is known which of them are there.
    pub(crate) most: u64,
    /// When the first was taken that is not durable.
    pub(crate) since: Option<Instant>,
    pub(crate) events: u64,
    pub(crate) until: u64,
}

impl Writer {
    /// Takes batches until there are no more to come, or the tables fail.
    pub(crate) fn run(mut self, works: &Receiver<Work>) {
        let _ending = Ending(Arc::clone(&self.shared));
        let ended = loop {
            let waited = self.since.map_or(Duration::ZERO, |since| since.elapsed());
            let done = match works.recv_timeout(self.every.saturating_sub(waited)) {
                Ok(work) => self.take(work),
                Err(RecvTimeoutError::Timeout) => self.commit(),
                Err(RecvTimeoutError::Disconnected) => break self.commit(),
            };
            if done.is_err() {
                break done;
            }
        };
        self.shared.writer_ended(ended.err());
    }

    pub(crate) fn take(&mut self, work: Work) -> Result<(), String> {
        let Work { sensor, checked, until, _room } = work;
        let (lines, marks, known) = self.fresh(&sensor, &checked);
        if known > 0 {
            self.shared.tallies.count(&sensor, |tally| tally.duplicates += known);
        }
        self.tables.write(&Fresh { lines: &lines, others: &others(&lines, &marks) })?;
        drop((lines, marks));
        self.since.get_or_insert_with(Instant::now);
        self.events += checked.marks.len() as u64;
        self.until = until;
        self.shared.pool.give_text(checked.text);
        let is_due = self.since.is_some_and(|since| since.elapsed() >= self.every);
        if is_due || self.events >= self.most { self.commit() } else { Ok(()) }
    }

    /// The events that did not come before, and how many did.
    fn fresh<'c>(&mut self, sensor: &str, checked: &'c Checked) -> (Cow<'c, str>, Cow<'c, [Mark]>, u64) {
        let known: Vec<bool> =
            checked.marks.iter().map(|mark| self.seen.take(sensor, mark.key, mark.ms)).collect();
        let count = known.iter().filter(|known| **known).count() as u64;
        if count == 0 {
            return (checked.text.as_str().into(), checked.marks.as_slice().into(), 0);
        }
        let (mut lines, mut marks, mut begin) = (String::new(), Vec::new(), 0);
        for (mark, known) in checked.marks.iter().zip(known) {
            if !known {
                lines.push_str(checked.text.get(begin..mark.end).unwrap_or_default());
                marks.push(Mark { end: lines.len(), ..*mark });
            }
            begin = mark.end;
        }
        (lines.into(), marks.into(), count)
    }

    pub(crate) fn commit(&mut self) -> Result<(), String> {
        if self.since.take().is_some() {
            self.tables.commit()?;
            self.events = 0;
            self.shared.committed.store(self.until, Ordering::Release);
        }
        Ok(())
    }
}

/// Says that the thread ended, also where it broke off: others wait for its end.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.writer_ended(Some("the thread that fills the tables broke off".into()));
        }
    }
}

/// Those that are no exchanges.
fn others<'a>(lines: &'a str, marks: &[Mark]) -> Vec<(i64, &'a str)> {
    let mut begin = 0;
    let mut found = Vec::new();
    for mark in marks {
        if !mark.is_exchange {
            found.push((mark.ms, lines.get(begin..mark.end).unwrap_or_default()));
        }
        begin = mark.end;
    }
    found
}
