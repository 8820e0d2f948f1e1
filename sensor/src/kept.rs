//! Events kept under `--data`, by day of their own time.

use memchr::memmem;
use tapwire_capture::Pressure;
use tapwire_sink::{Batch, Counts, DropReason, Notice, Reader, Sink, SinkError, SinkReport, Tally, Trouble};
use tapwire_store::{Day, Store};

const DESTINATION: &str = "--data";

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
    trouble: Trouble,
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
            trouble: Trouble::default(),
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
                self.trouble.worked(DESTINATION);
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
                Err(self.failed(error.to_string(), amount))
            }
        }
    }

    fn failed(&mut self, cause: String, dropped: Tally) -> SinkError {
        let error = SinkError::Write { destination: DESTINATION.into(), cause };
        self.trouble.failed(error.clone(), dropped);
        error
    }

    /// Takes whole lines of one day.
    fn take(&mut self, lines: &[u8], amount: Tally) {
        self.pending.extend_from_slice(lines);
        self.amount.add(amount);
    }

    /// Takes the lines of a batch, those of one day together.
    fn lines(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        let mut result = Ok(());
        let (mut begin, mut at, mut count) = (0, 0, 0);
        let mut run = |kept: &mut Self, to: usize, count: u32| {
            let lines = bytes.get(begin..to).unwrap_or_default();
            kept.take(lines, Tally::of(count, lines.len()));
            begin = to;
        };
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let day = time_of(rest.get(..end).unwrap_or_default()).map(Day::from_unix_ms).or(self.day);
            if day != self.day {
                run(self, at, std::mem::take(&mut count));
                result = result.and(self.append());
                self.day = day;
            }
            (at, count) = (at + end, count + 1);
        }
        run(self, at, count);
        if self.pending.len() >= PIECE {
            result = result.and(self.append());
        }
        result
    }

    /// A tap goes on sensing for its other outputs; what is lost here is counted.
    fn outcome(&self, result: Result<(), SinkError>) -> Result<Reader, SinkError> {
        match result {
            Err(error) if self.pressure == Pressure::Block => Err(error),
            _ => Ok(Reader::Listening),
        }
    }
}

/// The event's own `time`, in milliseconds: mostly the first key.
fn time_of(line: &[u8]) -> Option<i64> {
    let key = b"\"time\":";
    let first = line.get(1..).is_some_and(|keys| keys.starts_with(key)).then_some(1);
    let from = first.or_else(|| memmem::find(line, key))? + key.len();
    let digits = line.get(from..)?.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    std::str::from_utf8(line.get(from..from + digits)?).ok()?.parse().ok()
}

impl Sink for KeptEvents {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        self.counts.accept(Tally::of(batch.events(), batch.bytes().len()));
        let result = self.lines(batch.bytes());
        self.outcome(result)
    }

    fn flush(&mut self) -> Result<Reader, SinkError> {
        let result = self.append();
        self.outcome(result)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.trouble.poll()
    }

    fn report(&self) -> SinkReport {
        SinkReport {
            destination: DESTINATION.into(),
            counts: self.counts,
            error: self.trouble.error().cloned(),
            lapse: self.trouble.lapse(),
            notices: Vec::new(),
        }
    }

    fn finish(mut self: Box<Self>) -> SinkReport {
        if self.append().is_ok()
            && let Err(error) = self.store.sync()
        {
            let _told = self.failed(error.to_string(), Tally::default());
        }
        self.report()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_store::Piece;

    fn line(time: i64) -> String {
        format!("{{\"time\":{time},\"other\":\"x\"}}\n")
    }

    fn lines_of(store: &tapwire_store::Reader, day: Day) -> String {
        let pieces = store.day(day).unwrap().map(|piece| match piece.unwrap() {
            Piece::Lines(lines) => String::from_utf8(lines).unwrap(),
            torn @ Piece::Unreadable { .. } => panic!("{torn:?}"),
        });
        pieces.collect()
    }

    #[test]
    fn each_line_goes_to_its_own_day_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let reader = store.reader().clone();
        let mut kept = Box::new(KeptEvents::new(store, Pressure::Block));
        let midnight = 1_795_219_200_000;
        let times = [midnight - 2, midnight - 1, midnight, midnight - 1, midnight + 5];
        let timeless = "{\"message\":\"goes with the line before\"}\n".to_owned();
        let batch: String = times.iter().map(|time| line(*time)).chain([timeless.clone()]).collect();
        let bytes = batch.len() as u64;
        let _ = kept.write(&Batch::new(batch.into_bytes(), 6)).unwrap();
        let delivered = kept.finish().counts.delivered;
        assert_eq!((delivered.events, delivered.bytes), (6, bytes));
        let day = Day::from_unix_ms;
        assert_eq!(lines_of(&reader, day(midnight - 1)), [times[0], times[1], times[3]].map(line).concat());
        assert_eq!(lines_of(&reader, day(midnight)), line(times[2]) + &line(times[4]) + &timeless);
    }
}
