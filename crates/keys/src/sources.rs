//! All sources of a run.

use crate::feed::{Feed, Feeder, feeds};
use crate::file::{Tail, open_ending_fifo, open_fifo};
use crate::lines::{Batch, Cut};
use crate::{Address, KeyError, Tls, listen, tls};
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// How often a file is looked at: bytes of a connection wait two seconds for their keys.
const EVERY: Duration = Duration::from_millis(20);
/// Looks at a file's name go with every tenth look at the file.
const LOOKS_PER_NAME: u32 = 10;
/// Refusals that are told; all are counted.
const TOLD: u64 = 20;

/// Of a key log that is longer, the end is read: what a tap sees began a short time ago, a capture may be of any time.
const MOST_OF_A_RUN: u64 = 16 << 20;
const MOST_OF_A_REPLAY: u64 = 256 << 20;

/// Lines of key logs that are known from the beginning.
pub type Log = Arc<Zeroizing<Vec<u8>>>;

/// Says a line to the operator.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// What came of all sources so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Lines taken.
    pub lines: u64,
    /// Of those, neither a line of a key log nor a remark.
    pub foreign: u64,
    /// Lines left out because they were too long to be of a key log.
    pub too_long: u64,
    /// Senders that connected with a good certificate.
    pub senders: u64,
    /// Senders that were refused.
    pub refused: u64,
}

#[derive(Default)]
pub(crate) struct Counted {
    lines: AtomicU64,
    foreign: AtomicU64,
    too_long: AtomicU64,
    pub(crate) senders: AtomicU64,
    refused: AtomicU64,
}

/// What the threads of all sources share.
pub(crate) struct Shared {
    over: AtomicBool,
    pub(crate) present: AtomicU64,
    pub(crate) counters: Counted,
    tell: Tell,
}

impl Shared {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Counts what came from `source`; the first time that some of it is of no use, the operator is told.
    pub(crate) fn count(&self, source: &dyn fmt::Display, cut: Cut) {
        let counters = &self.counters;
        counters.lines.fetch_add(cut.lines, Ordering::Relaxed);
        let before = counters.foreign.fetch_add(cut.foreign, Ordering::Relaxed)
            + counters.too_long.fetch_add(cut.too_long, Ordering::Relaxed);
        if before == 0 && cut.odd() > 0 {
            (self.tell)(&format!("keys: {source}: {} {FORMAT}", told(cut)));
        }
    }

    pub(crate) fn refuse(&self, line: &str) {
        if self.counters.refused.fetch_add(1, Ordering::Relaxed) < TOLD {
            (self.tell)(line);
        }
    }
}

/// Sources that are open; their threads end with this value.
pub struct Sources {
    shared: Arc<Shared>,
    /// Sockets that were made here.
    sockets: Vec<PathBuf>,
    /// Sources by their names that are not followed yet.
    open: Vec<(String, Open, Feeder)>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

impl Sources {
    /// Opens every source and reads what files hold already, at most 16 MiB of each one's end. A feed for each of `lanes`
    /// capture threads, for what comes from [`Self::start`] on.
    ///
    /// # Errors
    /// When one cannot be opened, or the certificates for `tls://` cannot be used.
    pub fn follow(
        addresses: &[Address],
        files: &Tls,
        lanes: usize,
        tell: Tell,
    ) -> Result<(Self, Log, Vec<Feed>), KeyError> {
        let mut sources = Self::new(tell);
        let mut log = room_for(addresses, MOST_OF_A_RUN);
        let (feeder, feeds) = feeds(lanes);
        for address in addresses {
            let source = sources.open(address, files, &mut log)?;
            sources.open.push((address.to_string(), source, feeder.clone()));
        }
        Ok((sources, Arc::new(log), feeds))
    }

    /// Follows what is open, on a thread each. Privileges and confinement belong to threads: call it when the process has what
    /// it is to keep.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(&mut self) -> Result<(), KeyError> {
        for (name, source, feeder) in self.open.drain(..) {
            let shared = Arc::clone(&self.shared);
            std::thread::Builder::new()
                .name("keys".into())
                .spawn(move || source.run(&feeder, &shared))
                .map_err(|error| KeyError::open(&name, error))?;
        }
        Ok(())
    }

    /// Reads files, and FIFOs until their writers close them, to their ends: what a capture is replayed with. Tells of those
    /// that hold no key, or something else.
    ///
    /// # Errors
    /// When one cannot be read, or has no end.
    pub fn read(addresses: &[Address], tell: &Tell) -> Result<Log, KeyError> {
        let mut all = room_for(addresses, MOST_OF_A_REPLAY);
        for address in addresses {
            let mut tail = match address {
                Address::File(path) => Tail::open(path, MOST_OF_A_REPLAY)?,
                Address::Fifo(path) => open_ending_fifo(path)?,
                Address::Unix(_) | Address::Tls(..) => {
                    let cause = "senders have no end; a replay takes FILE and fifo:PATH, unless it follows a directory";
                    return Err(KeyError::open(address, cause));
                }
            };
            let mut cut = tail.read_all(&mut all).map_err(|error| KeyError::open(address, error))?;
            let (last, end) = tail.end();
            all.extend_from_slice(&last);
            cut.add(end);
            if cut.odd() > 0 || cut.good() == 0 {
                tell(&format!("keys: {address}: {} {FORMAT}", told(cut)));
            }
        }
        Ok(Arc::new(all))
    }

    /// What came so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let Counted { lines, foreign, too_long, senders, refused } = &self.shared.counters;
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counters {
            lines: now(lines),
            foreign: now(foreign),
            too_long: now(too_long),
            senders: now(senders),
            refused: now(refused),
        }
    }

    fn new(tell: Tell) -> Self {
        let shared = Shared {
            over: AtomicBool::new(false),
            present: AtomicU64::new(0),
            counters: Counted::default(),
            tell,
        };
        Self { shared: Arc::new(shared), sockets: Vec::new(), open: Vec::new() }
    }

    fn open(&mut self, address: &Address, files: &Tls, log: &mut Batch) -> Result<Open, KeyError> {
        Ok(match address {
            Address::File(path) => {
                let mut tail = Tail::open(path, MOST_OF_A_RUN)?;
                let cut = tail.read_all(log).map_err(|error| KeyError::open(address, error))?;
                self.shared.count(address, cut);
                Open::File(tail)
            }
            Address::Fifo(path) => Open::File(open_fifo(path)?),
            Address::Unix(path) => {
                let listener = local(path).map_err(|cause| KeyError::open(address, cause))?;
                self.sockets.push(path.clone());
                Open::Local(listener)
            }
            Address::Tls(host, port) => {
                let config = tls::server(files, &tls::SETTINGS)?;
                let listener = port_of(host, *port)
                    .map_err(|error| KeyError::open(address, crate::error::reason(&error)))?;
                Open::Remote(listener, config)
            }
        })
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for socket in &self.sockets {
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// What an operator compares a file with.
const FORMAT: &str = "(a line is LABEL CLIENT_RANDOM SECRET, as SSLKEYLOGFILE names the file)";

fn told(cut: Cut) -> String {
    match (cut.good(), cut.odd()) {
        (0, 0) => "no line of a key log is in it".into(),
        (0, odd) => format!("no line of a key log is in it, but {odd} other lines"),
        (good, odd) => format!("{odd} lines are none of a key log, {good} are"),
    }
}

/// Does not grow while files are read into it, which would leave copies behind.
fn room_for(addresses: &[Address], most: u64) -> Batch {
    let length = |address: &Address| match address {
        Address::File(path) => path.metadata().map_or(0, |metadata| metadata.len().min(most) + 1),
        _ => 0,
    };
    let room = usize::try_from(addresses.iter().map(length).sum::<u64>()).unwrap_or(0);
    Zeroizing::new(Vec::with_capacity(room))
}

enum Open {
    File(Tail),
    Local(UnixListener),
    Remote(TcpListener, Arc<rustls::ServerConfig>),
}

impl Open {
    fn run(self, feeder: &Feeder, shared: &Arc<Shared>) {
        match self {
            Self::File(tail) => follow(tail, feeder, shared),
            Self::Local(listener) => listen::local(&listener, feeder, shared),
            Self::Remote(listener, config) => listen::remote(&listener, &config, feeder, shared),
        }
    }
}

/// Reads a file as it grows, until the run is over.
fn follow(mut tail: Tail, feeder: &Feeder, shared: &Shared) {
    let (mut looks, mut trouble) = (0, false);
    while !shared.is_over() {
        match tail.read() {
            Ok(Some((batch, cut))) => {
                shared.count(&tail.name(), cut);
                if !feeder.give(batch) {
                    return;
                }
                continue;
            }
            Ok(None) if looks < LOOKS_PER_NAME => looks += 1,
            Ok(None) | Err(_) => {
                looks = 0;
                let failed = tail.follow_name().err();
                if let Some(error) = failed.as_ref().filter(|_| !trouble) {
                    (shared.tell)(&format!(
                        "keys: {} was replaced and cannot be opened: {}",
                        tail.name(),
                        crate::error::reason(error)
                    ));
                }
                trouble = failed.is_some();
            }
        }
        std::thread::sleep(EVERY);
    }
}

/// A socket for its owner only. One that nobody listens at any more is removed first.
fn local(path: &Path) -> Result<UnixListener, String> {
    let reason = |error: io::Error| crate::error::reason(&error);
    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err("something else is there; name a path that is free".into());
        }
        if UnixStream::connect(path).is_ok() {
            return Err("another program listens there".into());
        }
        std::fs::remove_file(path).map_err(reason)?;
    }
    let listener = UnixListener::bind(path).map_err(reason)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(reason)?;
    listener.set_nonblocking(true).map_err(reason)?;
    Ok(listener)
}

fn port_of(host: &str, port: u16) -> io::Result<TcpListener> {
    let listener = match host {
        // Both families where there are two.
        "" => TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)))?,
        host => TcpListener::bind((host, port))?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}
