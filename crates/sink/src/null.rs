//! Nowhere.

use crate::{Batch, Context, Counts, Opened, Reader, Sink, SinkError, SinkReport, Tally};

/// Takes events and keeps nothing. What only it would get is not even rendered, so that the cost of sensing shows.
#[derive(Debug, Default)]
pub struct NullSink {
    counts: Counts,
    weighs: bool,
}

impl NullSink {
    /// One that is given every event all the same, to count its bytes.
    pub fn weighing() -> Self {
        Self { weighs: true, ..Self::default() }
    }

    pub(crate) fn open(_destination: &str, _context: &Context) -> Opened {
        Ok(Box::new(Self::default()))
    }
}

impl Sink for NullSink {
    fn discards(&self) -> bool {
        !self.weighs
    }

    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        let amount = Tally::of(batch.events(), batch.bytes().len());
        self.counts.accept(amount);
        self.counts.deliver(amount);
        Ok(Reader::Listening)
    }

    fn report(&self) -> SinkReport {
        SinkReport {
            destination: "nowhere".into(),
            counts: self.counts,
            error: None,
            lapse: None,
            notices: Vec::new(),
        }
    }
}
