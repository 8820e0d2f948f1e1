//! Standard output, or any writer.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use crate::error::reason;
use crate::{
    Batch, Context, Counts, DropReason, Notice, Pressure, Reader, Sink, SinkError, SinkReport, Tally, Trouble,
};

const BUFFER: usize = 64 << 10;
const NAME: &str = "standard output";

/// Writes to a stream that somebody may be reading. What waits in the buffer counts as queued.
pub struct StreamSink<W: Write + Send> {
    writer: W,
    buffer: Vec<u8>,
    buffered: Tally,
    pressure: Pressure,
    counts: Counts,
    reader: Reader,
    trouble: Trouble,
}

impl StreamSink<File> {
    pub(crate) fn open(_destination: &str, context: &Context) -> Result<Box<dyn Sink>, SinkError> {
        // The standard handle flushes at every line; the descriptor itself does not.
        let fd = io::stdout().as_fd().try_clone_to_owned();
        let fd = fd.map_err(|e| SinkError::Open { path: NAME.into(), cause: reason(&e) })?;
        Ok(Box::new(StreamSink::new(File::from(fd), context.pressure)))
    }
}

impl<W: Write + Send> StreamSink<W> {
    /// A sink over `writer`, which needs no buffer of its own.
    pub fn new(writer: W, pressure: Pressure) -> Self {
        Self {
            writer,
            buffer: Vec::with_capacity(BUFFER),
            buffered: Tally::default(),
            pressure,
            counts: Counts::default(),
            reader: Reader::Listening,
            trouble: Trouble::default(),
        }
    }

    fn write_through(&mut self) -> Result<Reader, SinkError> {
        let amount = std::mem::take(&mut self.buffered);
        let result = self.writer.write_all(&self.buffer).and_then(|()| self.writer.flush());
        self.buffer.clear();
        match result {
            Ok(()) => {
                self.counts.delivered.add(amount);
                self.trouble.worked(NAME);
            }
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.reader = Reader::Gone;
                self.counts.drop_for(DropReason::ReaderGone, amount);
            }
            Err(e) => {
                self.counts.drop_for(DropReason::WriteFailed, amount);
                return self.fail(&e, amount);
            }
        }
        Ok(self.reader)
    }

    fn fail(&mut self, cause: &io::Error, dropped: Tally) -> Result<Reader, SinkError> {
        let error = SinkError::Write { destination: NAME.into(), cause: reason(cause) };
        self.trouble.failed(error.clone(), dropped);
        match self.pressure {
            Pressure::Block => Err(error),
            Pressure::Shed => Ok(self.reader),
        }
    }
}

impl<W: Write + Send> Sink for StreamSink<W> {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        let amount = Tally::of(batch.events(), batch.bytes().len());
        self.counts.accepted.add(amount);
        if self.reader == Reader::Gone {
            self.counts.drop_for(DropReason::ReaderGone, amount);
            return Ok(Reader::Gone);
        }
        self.buffer.extend_from_slice(batch.bytes());
        self.buffered.add(amount);
        if self.buffer.len() < BUFFER { Ok(self.reader) } else { self.write_through() }
    }

    fn flush(&mut self) -> Result<Reader, SinkError> {
        if self.buffer.is_empty() { Ok(self.reader) } else { self.write_through() }
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.trouble.poll()
    }

    fn report(&self) -> SinkReport {
        SinkReport {
            destination: NAME.into(),
            counts: self.counts,
            error: self.trouble.error().cloned(),
            lapse: self.trouble.lapse(),
            notices: Vec::new(),
        }
    }

    fn finish(mut self: Box<Self>) -> SinkReport {
        // The outcome is in the report, and a reader that has gone is no failure.
        let _outcome = self.flush();
        self.report()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepts `room` bytes, then fails with `kind`.
    struct Bounded {
        room: usize,
        kind: io::ErrorKind,
    }

    impl Write for Bounded {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.room);
            self.room -= n;
            if n == 0 { Err(self.kind.into()) } else { Ok(n) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(n: u32) -> Batch {
        Batch::new(b"{\"a\":1}\n".repeat(n as usize), n)
    }

    #[test]
    fn a_reader_that_ends_is_no_failure() {
        let writer = Bounded { room: 100, kind: io::ErrorKind::BrokenPipe };
        let mut sink = Box::new(StreamSink::new(writer, Pressure::Block));
        let mut last = Reader::Listening;
        for _ in 0..3 {
            last = sink.write(&lines(10_000)).unwrap();
        }
        assert_eq!(last, Reader::Gone);
        let report = sink.finish();
        assert_eq!(report.error, None);
        assert_eq!(report.counts.accepted.events, 30_000);
        assert_eq!(report.counts.dropped(DropReason::ReaderGone).events, 30_000);
        assert_eq!(report.counts.queued(), Tally::default());
    }

    #[test]
    fn a_failing_stream_is_an_error_behind_a_file_and_a_counter_behind_a_tap() {
        let full = || Bounded { room: 0, kind: io::ErrorKind::StorageFull };
        let error = StreamSink::new(full(), Pressure::Block).write(&lines(10_000)).unwrap_err();
        assert_eq!(error.to_string(), "writing to standard output: the disk is full");
        let mut tap = StreamSink::new(full(), Pressure::Shed);
        assert_eq!(tap.write(&lines(10_000)), Ok(Reader::Listening));
        assert_eq!(tap.poll_notice(), Some(Notice::Failing(error)));
        assert_eq!(tap.poll_notice(), None);
        assert_eq!(tap.report().counts.dropped(DropReason::WriteFailed).events, 10_000);
    }

    /// Fails while that is set.
    struct Sick(std::sync::Arc<std::sync::atomic::AtomicBool>);

    impl Write for Sick {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.load(std::sync::atomic::Ordering::Relaxed) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(bytes.len()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_time_that_a_stream_fails_is_told_and_its_end() {
        let sick = std::sync::Arc::default();
        let mut tap = StreamSink::new(Sick(std::sync::Arc::clone(&sick)), Pressure::Shed);
        for _ in 0..2 {
            sick.store(true, std::sync::atomic::Ordering::Relaxed);
            for batch in 0..3 {
                let _shed = tap.write(&lines(10_000)).unwrap();
                assert_eq!(matches!(tap.poll_notice(), Some(Notice::Failing(_))), batch == 0);
            }
            sick.store(false, std::sync::atomic::Ordering::Relaxed);
            let _shed = tap.write(&lines(10_000)).unwrap();
            let dropped = Tally { events: 30_000, bytes: 240_000 };
            let destination = NAME.to_owned();
            assert_eq!(tap.poll_notice(), Some(Notice::Recovered { destination, dropped }));
        }
    }

    #[test]
    fn flush_hands_on_what_is_buffered() {
        let mut sink = StreamSink::new(Vec::new(), Pressure::Block);
        assert_eq!(sink.write(&lines(1)), Ok(Reader::Listening));
        assert!(sink.writer.is_empty());
        assert_eq!(sink.report().counts.queued().events, 1);
        assert_eq!(sink.flush(), Ok(Reader::Listening));
        assert_eq!(sink.report().counts.delivered.events, 1);
        assert_eq!(sink.writer, b"{\"a\":1}\n");
    }
}
