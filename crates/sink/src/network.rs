//! What all network outputs share: the runtime, and the sink in front of the task that delivers.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tapwire_store::Spool;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::courier::{Carrier, Courier};
use crate::queue::{Limits, Queue};
use crate::{Batch, Config, Context, Notice, Opened, Pressure, Reader, Sink, SinkError, SinkReport, Watched};

/// The tokio runtime of all network sinks: one thread, started by the first sink. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Network(Arc<OnceLock<Running>>);

#[derive(Debug)]
struct Running(Option<Runtime>);

impl Drop for Running {
    /// An address look-up that hangs in the resolver must not keep the program from ending.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Network {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> io::Result<JoinHandle<()>> {
        let running = match self.0.get() {
            Some(running) => running,
            None => {
                let started = Self::start()?;
                self.0.get_or_init(|| started)
            }
        };
        let runtime = running.0.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        Ok(runtime.spawn(task))
    }

    fn start() -> io::Result<Running> {
        let built = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(4)
            .thread_name("tapwire-net")
            .enable_io()
            .enable_time()
            .build()?;
        Ok(Running(Some(built)))
    }
}

/// Hands batches to the task that delivers them, by way of memory or a spool on disk.
pub(crate) struct NetworkSink {
    queue: Arc<Queue>,
    /// Waits until the sink is first used: threads that start when privileges are given up and the process is confined are
    /// so, too.
    courier: Option<Courier>,
    task: Option<JoinHandle<()>>,
    pressure: Pressure,
    finish: Duration,
    /// Keeps the delivery task's runtime alive.
    network: Network,
}

impl NetworkSink {
    /// A sink for what `carrier` reaches. `shown` is the destination without credentials, `place` what tells it from others;
    /// `most` bounds the events of one request where the receiver wants few.
    pub(crate) fn open(shown: String, place: &str, most: u32, carrier: Carrier, context: &Context) -> Opened {
        let http = &context.config.http;
        let spool = context.spool(&shown, place)?;
        let name = context.name.clone().unwrap_or_else(|| shown.clone());
        let queue = Queue::new(shown, limits(&context.config, most), context.pressure, spool);
        let queue = Arc::new(queue);
        context.outputs.watch(name, &queue);
        let courier = Courier::new(carrier, http.clone(), Arc::clone(&queue), context.pressure);
        Ok(Box::new(Self {
            queue,
            courier: Some(courier),
            task: None,
            pressure: context.pressure,
            finish: Duration::from_millis(http.finish_ms),
            network: context.network.clone(),
        }))
    }

    /// Begins to deliver. Without a thread nothing is, which ends the sink.
    fn start(&mut self) {
        let Some(courier) = self.courier.take() else { return };
        match self.network.spawn(courier.run()) {
            Ok(task) => self.task = Some(task),
            Err(error) => self.queue.stop(SinkError::BadDestination {
                destination: "network".into(),
                reason: format!("its thread cannot be started: {error}"),
            }),
        }
    }
}

fn limits(config: &Config, most: u32) -> Limits {
    let http = &config.http;
    Limits {
        request_bytes: http.batch_bytes.max(1),
        request_events: http.batch_events.clamp(1, most.max(1)),
        delay: Duration::from_millis(http.batch_ms),
        queue_bytes: http.queue_bytes.max(1),
        spool_bytes: config.spool.bytes,
    }
}

impl Context {
    /// The spool of a destination, where there is a directory for one and it is to have one.
    fn spool(&self, shown: &str, place: &str) -> Result<Option<Spool>, SinkError> {
        let Some(spools) = self.spools.as_ref().filter(|_| self.config.spool.bytes > 0) else {
            return Ok(None);
        };
        let name = self.name.clone().unwrap_or_else(|| spool_name(shown, place));
        let opened = spools.open(&name, self.config.spool.bytes);
        let failed = |e: tapwire_store::StoreError| SinkError::BadDestination {
            destination: shown.to_owned(),
            reason: e.to_string(),
        };
        opened.map(Some).map_err(failed)
    }
}

/// A directory's name for a destination: what people recognise of it, and a hash that tells destinations apart.
fn spool_name(shown: &str, place: &str) -> String {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = place.bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let readable: String = shown.chars().take(60).map(letter).collect();
    format!("{}-{hash:016x}", readable.trim_matches('-'))
}

impl Sink for NetworkSink {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        self.start();
        self.queue.push(batch)?;
        Ok(Reader::Listening)
    }

    fn flush(&mut self) -> Result<Reader, SinkError> {
        self.start();
        self.queue.flush()?;
        Ok(Reader::Listening)
    }

    fn next_sequence(&self) -> Option<u64> {
        self.queue.next_sequence()
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.start();
        self.queue.poll_notice()
    }

    fn report(&self) -> SinkReport {
        self.queue.report()
    }

    fn finish(mut self: Box<Self>) -> SinkReport {
        self.start();
        // Behind a file delivery ends by itself: each request has bounded tries, and the first failure stops it.
        let limit = (self.pressure == Pressure::Shed).then_some(self.finish);
        self.queue.finish(limit);
        let notices = std::iter::from_fn(|| self.queue.poll_notice()).collect();
        SinkReport { notices, ..self.queue.report() }
    }
}

impl Drop for NetworkSink {
    /// A sink that is dropped without `finish` leaves no task behind.
    fn drop(&mut self) {
        self.queue.finish(Some(Duration::ZERO));
        self.task.iter().for_each(JoinHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spools_have_names_that_people_recognise() {
        let named = |place: &str| spool_name(place.split('?').next().unwrap(), place);
        let name = named("https://Collector.example:9000/in");
        assert!(name.starts_with("https---collector-example-9000-in-"), "{name}");
        assert_ne!(name, named("https://collector-example:9000/in"));
        let keyed = named("https://Collector.example:9000/in?key=s3cret");
        assert!(keyed != name && !keyed.contains("s3cret"), "{keyed}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
    }
}
