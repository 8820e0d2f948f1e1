//! HTTP collectors: newline-delimited JSON, batched, compressed, tried again.
//!
//! `write` puts batches into a queue bounded in bytes; one task per collector takes requests from it, one at a
//! time, so that order holds. Delivery is at least once while the process lives: a request whose answer is lost is
//! sent again, and receivers know its events by their uid.

mod connection;
mod delivery;
mod queue;
mod target;
mod tls;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::{Batch, Config, Context, Notice, Pressure, Reader, Secret, Sink, SinkError, SinkReport, error};
use delivery::Delivery;
use queue::{Limits, Queue};
use target::Target;

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

/// Sends batches to an HTTP or HTTPS collector.
pub struct HttpSink {
    queue: Arc<Queue>,
    task: JoinHandle<()>,
    pressure: Pressure,
    finish: Duration,
    // Keeps the delivery task's runtime alive.
    _network: Network,
}

impl HttpSink {
    pub(crate) fn open(destination: &str, context: &Context) -> Result<Box<dyn Sink>, SinkError> {
        let http = &context.config.http;
        let target = Target::parse(destination)?;
        let token = bearer(&context.config, std::env::var_os(&http.token_env))?;
        let tls = if target.secure { Some(tls::client(http)?) } else { None };
        let limits = Limits {
            request_bytes: http.batch_bytes.max(1),
            request_events: http.batch_events.max(1),
            delay: Duration::from_millis(http.batch_ms),
            queue_bytes: http.queue_bytes.max(1),
        };
        let queue = Arc::new(Queue::new(target.shown.clone(), limits, context.pressure));
        let delivery = Delivery::new(target, token, tls, http.clone(), Arc::clone(&queue))?;
        let failed = |e: io::Error| SinkError::BadDestination {
            destination: "network".into(),
            reason: format!("its thread cannot be started: {e}"),
        };
        let task = context.network.spawn(delivery.run()).map_err(failed)?;
        Ok(Box::new(Self {
            queue,
            task,
            pressure: context.pressure,
            finish: Duration::from_millis(http.finish_ms),
            _network: context.network.clone(),
        }))
    }
}

impl Sink for HttpSink {
    fn write(&mut self, batch: &Batch) -> Result<Reader, SinkError> {
        self.queue.push(batch)?;
        Ok(Reader::Listening)
    }

    fn flush(&mut self) -> Result<Reader, SinkError> {
        self.queue.flush()?;
        Ok(Reader::Listening)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.queue.poll_notice()
    }

    fn report(&self) -> SinkReport {
        self.queue.report()
    }

    fn finish(self: Box<Self>) -> SinkReport {
        // Behind a file delivery ends by itself: each request has bounded tries, and the first failure stops it.
        let limit = (self.pressure == Pressure::Shed).then_some(self.finish);
        self.queue.finish(limit);
        self.queue.report()
    }
}

impl Drop for HttpSink {
    /// A sink that is dropped without `finish` leaves no task behind.
    fn drop(&mut self) {
        self.queue.finish(Some(Duration::ZERO));
        self.task.abort();
    }
}

/// The token, from the first of: the option, the file, the environment.
fn bearer(config: &Config, environment: Option<std::ffi::OsString>) -> Result<Option<Secret>, SinkError> {
    let http = &config.http;
    let (key, token) = match (&http.token, &http.token_file, environment) {
        (Some(token), _, _) => ("sink.http.token", token.expose().to_owned()),
        (None, Some(path), _) => ("sink.http.token_file", first_line(path)?),
        (None, None, Some(value)) => ("sink.http.token_env", value.to_string_lossy().into_owned()),
        (None, None, None) => return Ok(None),
    };
    let token = token.trim();
    let printable = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    let cause = || "is no bearer token: one line of visible ASCII characters is expected".to_owned();
    printable.then(|| Some(Secret::new(token))).ok_or_else(|| SinkError::Setting { key, cause: cause() })
}

fn first_line(path: &std::path::Path) -> Result<String, SinkError> {
    let text = std::fs::read_to_string(path).map_err(|e| SinkError::Setting {
        key: "sink.http.token_file",
        cause: format!("{}: {}", path.display(), error::reason(&e)),
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_comes_from_option_file_environment_in_this_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "from-file\n").unwrap();
        let mut config = Config::default();
        let environment = || Some("from-environment".into());
        let token = |c: &Config| bearer(c, environment()).unwrap().unwrap().expose().to_owned();
        assert_eq!(token(&config), "from-environment");
        config.http.token_file = Some(path);
        assert_eq!(token(&config), "from-file");
        config.http.token = Some(Secret::new("from-option"));
        assert_eq!(token(&config), "from-option");
        assert_eq!(bearer(&Config::default(), None), Ok(None));
    }

    #[test]
    fn a_bad_token_is_refused_without_showing_it() {
        let config = Config::default();
        let error = bearer(&config, Some("se cret".into())).unwrap_err().to_string();
        assert!(error.starts_with("sink.http.token_env: is no bearer token"), "{error}");
        assert!(!error.contains("se cret"));
        let mut config = Config::default();
        config.http.token = Some(Secret::new("hidden-token"));
        assert!(!format!("{config:?}").contains("hidden"));
    }
}
