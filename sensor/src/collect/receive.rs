//! `collect`: receives events of sensors.

use super::files::{Watched, change_roll, counts, keep_counts};
use super::kafka::{self, Topics};
use super::tables::Kept;
use super::warn::Warner;
use super::{directory, is_collectors};
use crate::cli::{CollectArgs, KeyArgs, LearnArgs};
use crate::failure::{Exit, Failure};
use crate::lake::{Keeper as LakeKeeper, Keeping};
use crate::memory::{COLLECTED, COLLECTED_ROWS};
use crate::sandbox::{Reach, confine_and_tell};
use crate::serve::{Beside as Console, Running, bind};
use crate::settings::{Effective, size_of_key};
use crate::size::counted;
use crate::watch::catch_signals;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tapwire_collect::{Desk, Keeper, Limits, Opening, PATH, Public, Tallies, Tls};
use tapwire_inspect::TokenKey;
use tapwire_lake::known_files;
use tapwire_store::{Directories, Store, token_key};

/// How often signals are looked for, and how often counters are written down.
const PULSE: Duration = Duration::from_millis(100);
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Two sensors may see one exchange so far apart.
const APART_MS: i64 = 5_000;
/// Bytes of a body as it comes, and of its lines.
const BODY: usize = 4 << 20;
const LINES: usize = 16 << 20;

/// `tapwire collect`.
pub(crate) fn collect(args: &CollectArgs) -> Result<Exit, Failure> {
    let effective = Effective::load(&args.config)?;
    let data = directory(args.data.clone())?;
    let limits = limits(&effective)?;
    let keeping = Keeping::of(&effective)?;
    let tls = tls(args)?;
    let listener = bind("--listen", &args.listen)?;
    let address = listener.local_addr()?;
    Public::check(address, tls.as_ref()).map_err(|public| Failure::new(format!("--listen: {public}")))?;
    let console = args.serve.as_deref().map(Console::bind).transpose()?;
    let consumer = args.kafka.as_deref().map(|url| kafka::open(url, &effective.settings.sink)).transpose()?;
    let store = Store::open(&data)?;
    begin(&data)?;
    let key = token_key(args.token_key.as_deref(), Some(&data), &Directories::from_env())?;
    confine_and_tell(effective.settings.sandbox, &Reach::collecting(args, &effective, &data), args.quiet);
    let stop = catch_signals()?;
    let keeper: Arc<dyn Keeper> = Arc::new(Watched::open(&data)?);
    let desk = Arc::new(open(&data, store, limits, &keeper, effective.memory()?, args.quiet)?);
    let tables = keeping.and_then(|keeping| LakeKeeper::start(&data, keeping));
    let topics = consumer.map(|consumer| Topics::start(consumer, &data, &desk, Arc::clone(&keeper)));
    let topics = topics.transpose()?;
    let beside = Beside::start(&data, &desk, keeper, TokenKey::new(*key.bytes()))?;
    if !args.quiet {
        let scheme = if tls.is_some() { "https" } else { "http" };
        eprintln!("tapwire: sensors send to {scheme}://{address}{PATH} (Ctrl-C ends it)");
    }
    let console =
        console.map(|listener| Console::start(listener, shown(args, &data), Running::default(), args.quiet));
    let console = console.transpose()?;
    let (watched, asked) = (Arc::clone(&desk), Arc::clone(&stop));
    let over = async move {
        while !asked.load(Ordering::Relaxed) && watched.failure().is_none() {
            tapwire_collect::pause(PULSE).await;
        }
    };
    tapwire_collect::serve(listener, Arc::clone(&desk), tls.as_ref(), Box::pin(over))?;
    drop((topics, console, beside, tables));
    let closed = desk.close();
    keep_counts(&data, &desk.tallies().all())?;
    closed.map(|()| Exit::Done).map_err(|why| {
        Failure::new(format!("collect: {why}; what was acknowledged is in the journal, and goes into the tables when it is started again"))
    })
}

/// Makes the directory a collector's.
fn begin(data: &Path) -> Result<(), Failure> {
    if is_collectors(data) { Ok(()) } else { change_roll(data, |_| Ok(())) }
}

/// What the console shows.
fn shown(args: &CollectArgs, data: &Path) -> LearnArgs {
    LearnArgs {
        paths: Vec::new(),
        data: Some(data.to_owned()),
        bpf: None,
        openapi: Vec::new(),
        keys: KeyArgs::default(),
        token_key: args.token_key.clone(),
        config: args.config.clone(),
    }
}

fn limits(effective: &Effective) -> Result<Limits, Failure> {
    let settings = &effective.settings.collect;
    if settings.commit == 0 {
        return Err(Failure::new(
            "collect.commit: 0 seconds would write a file for each batch; give 1 or more",
        ));
    }
    let journal = size_of_key("collect.journal", &settings.journal)? as u64;
    if journal < 4 * (LINES as u64) {
        return Err(Failure::new(format!(
            "collect.journal: {} is too little; give at least 64MiB",
            settings.journal
        )));
    }
    let every = Duration::from_secs(settings.commit.into());
    Ok(Limits { memory: COLLECTED.bytes(effective.memory()?), journal, body: BODY, lines: LINES, every })
}

fn tls(args: &CollectArgs) -> Result<Option<Tls>, Failure> {
    let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    };
    let authorities = args.client_ca.as_ref().map(read).transpose()?;
    let tls = Tls::of(&read(chain)?, &read(key)?, authorities.as_deref());
    tls.map(Some).map_err(|why| Failure::new(format!("--tls-cert, --tls-key, --client-ca: {why}")))
}

/// Opens the collector: what a former one left in its journal goes into the tables first.
fn open(
    data: &Path,
    store: Store,
    limits: Limits,
    keeper: &Arc<dyn Keeper>,
    memory: usize,
    quiet: bool,
) -> Result<Desk, Failure> {
    let mut opening = Desk::opening(store.spools(), limits)?;
    know(data, &mut opening).map_err(|error| Failure::new(format!("lake: {error}")))?;
    let left = opening.recovered().events;
    if left > 0 && !quiet {
        eprintln!("tapwire: {} of the journal go into the tables", counted(left, "event"));
    }
    let tables = Kept::open(store, COLLECTED_ROWS.bytes(memory))
        .map_err(|error| Failure::new(format!("lake: {error}")))?;
    let tallies = Tallies::of(counts(data));
    opening.open(Arc::clone(keeper), tallies, Box::new(tables)).map_err(Failure::new)
}

/// Of files with so many rows, the newest last, the places of those that have room: the newest are remembered last. A large
/// one among them is left out, and not all before it.
fn newest(rows: &[u64], mut left: u64) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for (at, rows) in rows.iter().enumerate().rev() {
        if let Some(rest) = left.checked_sub(*rows) {
            left = rest;
            places.push(at);
        }
    }
    places.reverse();
    places
}

/// Tells which events the tables have: those with the latest times, and those of the journal, wherever they are.
fn know(data: &Path, opening: &mut Opening) -> Result<(), tapwire_lake::LakeError> {
    let mut files = known_files(data)?;
    files.sort_by_key(|file| file.times.1);
    let rows: Vec<u64> = files.iter().map(|file| file.rows).collect();
    let lately = newest(&rows, opening.remembers() as u64 / 2);
    for file in lately.iter().filter_map(|at| files.get(*at)) {
        file.events(&mut |tenant, uid, ms| opening.know(tenant, uid, ms, true))?;
    }
    let Some((first, last)) = opening.recovered().span else { return Ok(()) };
    let touches = |(from, until): (i64, i64)| from <= last + APART_MS && until >= first - APART_MS;
    for file in files.iter().filter(|file| touches(file.times)) {
        file.events(&mut |tenant, uid, ms| opening.know(tenant, uid, ms, false))?;
    }
    Ok(())
}

/// What goes on beside: counters are written down, and tokens that end are warned of. Ends when it is dropped.
struct Beside {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    fn start(data: &Path, desk: &Arc<Desk>, keeper: Arc<dyn Keeper>, key: TokenKey) -> Result<Self, Failure> {
        let over = Arc::new(AtomicBool::new(false));
        let (data, desk, asked) = (data.to_owned(), Arc::clone(desk), Arc::clone(&over));
        let mut warner = Warner::new(key);
        let work = move || {
            let mut written = None::<Instant>;
            let mut last = desk.tallies().all();
            while !asked.load(Ordering::Relaxed) {
                if written.is_none_or(|written| written.elapsed() >= WRITE_EVERY) {
                    written = Some(Instant::now());
                    warn(&desk, keeper.as_ref(), &mut warner);
                    let now = desk.tallies().all();
                    if now != last
                        && let Err(failure) = keep_counts(&data, &now)
                    {
                        eprintln!("tapwire: {failure}");
                    }
                    last = now;
                }
                std::thread::sleep(PULSE);
            }
        };
        let thread = std::thread::Builder::new().name("collect-beside".into()).spawn(work)?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A panic there was reported on standard error.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn warn(desk: &Desk, keeper: &dyn Keeper, warner: &mut Warner) {
    let Some(roll) = keeper.roll() else { return };
    for (line, event) in warner.due(&roll) {
        eprintln!("tapwire: {line}");
        desk.say(event);
    }
}

#[cfg(test)]
mod tests {
    use super::newest;

    #[test]
    fn a_large_file_keeps_no_others_from_being_remembered() {
        assert_eq!(newest(&[5, 4, 3, 100, 2], 10), [1, 2, 4]);
        assert_eq!(newest(&[5, 4, 3, 2, 100], 10), [1, 2, 3]);
        assert_eq!(newest(&[], 10), [0_usize; 0]);
    }
}
