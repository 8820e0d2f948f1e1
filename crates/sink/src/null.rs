//! Nowhere.

use crate::{Batch, Context, Counts, Notice, Opened, Reader, Sink, SinkError, SinkReport, Tally};

/// Takes events and keeps nothing. What only it would get is not even rendered, so that the cost of sensing shows.
#[derive(Debug, Default)]
pub struct NullSink {
    counts: Counts,
}

impl NullSink {
    pub(crate) fn open(_destination: &str, _context: &Context) -> Opened {
        Ok(Box::new(Self::default()))
    }
}

impl Sink for NullSink {
    fn discards(&self) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        let amount = Tally::of(batch.events(), batch.bytes().len());
        self.counts.accept(amount);
        self.counts.deliver(amount);
        Ok(Reader::Listening)
    }

    fn flush(&mut self) -> Result<Reader, SinkError> {
        Ok(Reader::Listening)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }

    fn report(&self) -> SinkReport {
        SinkReport { destination: "nowhere".into(), counts: self.counts, error: None }
    }

    fn finish(self: Box<Self>) -> SinkReport {
        self.report()
    }
}
