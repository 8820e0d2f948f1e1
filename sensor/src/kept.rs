//! Events kept under `--data`, by day of their own time.

use memchr::memmem;
use tapwire_sink::{Batch, Counts, DropReason, Reader, Sink, SinkError, SinkReport, Tally};
use tapwire_store::{Day, Store};

/// Appended in pieces of this size: each becomes one compressed member.
const PIECE: usize = 1 << 20;

/// A sink that appends to the store's day files.
pub struct KeptEvents {
    store: Store,
    pending: Vec<u8>,
    day: Option<Day>,
    counts: Counts,
    error: Option<SinkError>,
}

impl KeptEvents {
    /// Into that store.
    pub fn new(store: Store) -> Self {
        Self { store, pending: Vec::new(), day: None, counts: Counts::default(), error: None }
    }

    fn append(&mut self) -> Result<(), SinkError> {
        let (Some(day), false) = (self.day, self.pending.is_empty()) else {
            return Ok(());
        };
        let result = self.store.append_events(day, &self.pending);
        self.pending.clear();
        match result {
            Ok(recovered) => {
                if let Some(cut) = recovered {
                    eprintln!("tapwire: events of {}: cut off {} bytes that a kill left torn", cut.day, cut.cut_bytes);
                }
                Ok(())
            }
            Err(error) => Err(SinkError::Write { destination: "--data".into(), cause: error.to_string() }),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), SinkError> {
        let day = time_of(line).map(Day::from_unix_ms).or(self.day);
        if day != self.day || self.pending.len() >= PIECE {
            self.append()?;
            self.day = day;
        }
        self.pending.extend_from_slice(line);
        Ok(())
    }

    fn note(&mut self, result: Result<(), SinkError>) -> Result<Reader, SinkError> {
        match result {
            Ok(()) => Ok(Reader::Listening),
            Err(error) => {
                self.error = Some(error.clone());
                Err(error)
            }
        }
    }
}

/// The event's own `time`, in milliseconds.
fn time_of(line: &[u8]) -> Option<i64> {
    let key = b"\"time\":";
    let from = memmem::find(line, key)? + key.len();
    let digits = line.get(from..)?.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    std::str::from_utf8(line.get(from..from + digits)?).ok()?.parse().ok()
}

impl Sink for KeptEvents {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        let tally = Tally::of(batch.events(), batch.bytes().len());
        self.counts.accept(tally);
        let result = batch.bytes().split_inclusive(|byte| *byte == b'\n').try_for_each(|line| self.line(line));
        match &result {
            Ok(()) => self.counts.deliver(tally),
            Err(_) => self.counts.drop_for(DropReason::WriteFailed, tally),
        }
        self.note(result)
    }

    fn flush(&mut self) -> Result<Reader, SinkError> {
        let result = self.append();
        self.note(result)
    }

    fn poll_notice(&mut self) -> Option<tapwire_sink::Notice> {
        None
    }

    fn report(&self) -> SinkReport {
        SinkReport { destination: "--data".into(), counts: self.counts, error: self.error.clone() }
    }

    fn finish(mut self: Box<Self>) -> SinkReport {
        let result = self.append().and_then(|()| {
            self.store.sync().map_err(|error| SinkError::Write { destination: "--data".into(), cause: error.to_string() })
        });
        let _ = self.note(result);
        self.report()
    }
}
