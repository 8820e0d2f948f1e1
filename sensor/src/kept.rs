//! Events kept under `--data`, by day of their own time.

use memchr::memmem;
use tapwire_capture::Pressure;
use tapwire_sink::{Batch, Counts, DropReason, Notice, Reader, Sink, SinkError, SinkReport, Tally};
use tapwire_store::{Day, Store};

/// Appended in pieces of this size: each becomes one compressed member.
const PIECE: usize = 1 << 20;

/// A sink that appends to the store's day files.
pub(crate) struct KeptEvents {
    store: Store,
    pressure: Pressure,
    pending: Vec<u8>,
    /// What is in `pending`.
    amount: Tally,
    day: Option<Day>,
    counts: Counts,
    error: Option<SinkError>,
    notice: Option<Notice>,
}

impl KeptEvents {
    /// Into that store.
    pub(crate) fn new(store: Store, pressure: Pressure) -> Self {
        Self {
            store,
            pressure,
            pending: Vec::new(),
            amount: Tally::default(),
            day: None,
            counts: Counts::default(),
            error: None,
            notice: None,
        }
    }

    fn append(&mut self) -> Result<(), SinkError> {
        let (Some(day), false) = (self.day, self.pending.is_empty()) else {
            return Ok(());
        };
        let result = self.store.append_events(day, &self.pending);
        self.pending.clear();
        let amount = std::mem::take(&mut self.amount);
        match result {
            Ok(recovered) => {
                self.counts.deliver(amount);
                if let Some(cut) = recovered {
                    eprintln!(
                        "tapwire: events of {}: cut off {} bytes that a kill left torn",
                        cut.day, cut.cut_bytes
                    );
                }
                Ok(())
            }
            Err(error) => {
                self.counts.drop_for(DropReason::WriteFailed, amount);
                Err(SinkError::Write { destination: "--data".into(), cause: error.to_string() })
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), SinkError> {
        let day = time_of(line).map(Day::from_unix_ms).or(self.day);
        let mut result = Ok(());
        if day != self.day || self.pending.len() >= PIECE {
            result = self.append();
            self.day = day;
        }
        self.pending.extend_from_slice(line);
        self.amount.add(Tally::of(1, line.len()));
        result
    }

    fn note(&mut self, result: Result<(), SinkError>) -> Result<Reader, SinkError> {
        match result {
            Ok(()) => Ok(Reader::Listening),
            Err(error) => {
                if self.error.replace(error.clone()).is_none() {
                    self.notice = Some(Notice::Failing(error.clone()));
                }
                // A tap goes on sensing for its other outputs; what is lost here is counted.
                if self.pressure == Pressure::Shed { Ok(Reader::Listening) } else { Err(error) }
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
        self.counts.accept(Tally::of(batch.events(), batch.bytes().len()));
        let mut result = Ok(());
        for line in batch.bytes().split_inclusive(|byte| *byte == b'\n') {
            result = result.and(self.line(line));
        }
        self.note(result)
    }

    fn flush(&mut self) -> Result<Reader, SinkError> {
        let result = self.append();
        self.note(result)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    fn report(&self) -> SinkReport {
        SinkReport { destination: "--data".into(), counts: self.counts, error: self.error.clone() }
    }

    fn finish(mut self: Box<Self>) -> SinkReport {
        let result = self.append().and_then(|()| {
            self.store
                .sync()
                .map_err(|error| SinkError::Write { destination: "--data".into(), cause: error.to_string() })
        });
        let _ = self.note(result);
        self.report()
    }
}
