//! `serve`: the console over what was learned.

#[cfg(feature = "lake")]
mod collected;
mod keeper;
mod looks;
mod outputs;
mod rows;
mod said;
mod tables;
mod users;

pub(crate) use said::{mutes, mutes_file};

use self::collected::Collected;
use self::looks::Looking;
use crate::callers;
use crate::carve;
use crate::cli::{CarveArgs, LearnArgs, ServeAction, ServeArgs};
use crate::failure::{Exit, Failure};
use crate::feedback;
use crate::inventory;
use crate::learn::{Learned, learn};
use crate::sandbox::{Reach, confine_and_tell};
use crate::settings::{Effective, Hunt, Look};
use crate::watch::{Live, catch_signals};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tapwire_console::{
    Access, Action, Books, Exchange, Incident, Output, Snapshot, Tables, Tap, Tls, Verdict,
};
use tapwire_event::describe;
use tapwire_inventory::kpis::Target;
use tapwire_sink::Outputs;
use tapwire_store::Directories;

/// How often files are looked at for something new, and signals for the end.
const LOOK: Duration = Duration::from_secs(2);
const PULSE: Duration = Duration::from_millis(100);
/// What is said where a collector keeps its events.
const COLLECTED: &str = "what sensors told a collector";
/// Reading what a collector keeps takes at most one part in so many of the time.
const READ_PART: u32 = 10;
/// What files with carved packets are called, before the number of the process.
const CARVED: &str = "carved-";

/// `tapwire serve`.
pub(crate) fn serve(args: ServeArgs) -> Result<Exit, Failure> {
    if let Some(ServeAction::User { action }) = args.action {
        return users::carry_out(action);
    }
    kept(&args.learn).iter().try_for_each(|data| tapwire_store::is_here(data))?;
    let listener = match &args.listen {
        Some(address) => bind("--listen", address)?,
        None => bind("console.listen", &Effective::load(&args.learn.config)?.settings.console.listen)?,
    };
    let access = Access { keeper: Arc::new(keeper::Files::open(kept(&args.learn))?), tls: tls(&args)? };
    let address = listener.local_addr()?;
    access.suits(address).map_err(|bad| Failure::new(bad.to_string()))?;
    let effective = Effective::load(&args.learn.config)?;
    let reach = Reach::serving(&args.learn, &effective, kept(&args.learn).as_deref());
    let shelf = Shelf::open(args.learn)?;
    confine_and_tell(effective.settings.sandbox, &reach, false);
    let stop = catch_signals()?;
    let shelf = Shelf { over: Arc::clone(&stop), ..shelf };
    let scheme = if access.tls.is_some() { "https" } else { "http" };
    eprintln!("tapwire: the console is at {scheme}://{address}/ (Ctrl-C ends it)");
    tapwire_console::serve(listener, Arc::new(shelf), access, stopped(stop))
        .map_err(|bad| Failure::new(bad.to_string()))?;
    Ok(Exit::Done)
}

/// A place that is taken is told before captures are read for minutes.
pub(crate) fn bind(option: &str, text: &str) -> Result<TcpListener, Failure> {
    let address: SocketAddr = text.parse().map_err(|_| {
        Failure::new(format!("{option} {text}: this is no address and port; write it like 127.0.0.1:8470"))
    })?;
    TcpListener::bind(address).map_err(|error| {
        Failure::new(format!("{option} {address}: {error}; another port is given like 127.0.0.1:8471"))
    })
}

fn tls(args: &ServeArgs) -> Result<Option<Tls>, Failure> {
    let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    };
    let tls = Tls::of(&read(chain)?, &read(key)?);
    tls.map(Some).map_err(|why| Failure::new(format!("{}, {}: {why}", chain.display(), key.display())))
}

/// The directory that is read, where no captures are.
fn kept(args: &LearnArgs) -> Option<PathBuf> {
    args.data.clone().or_else(|| Directories::from_env().data).filter(|_| args.paths.is_empty())
}

/// The console beside a run, over what that keeps: the analysis does not wait for it. Ends when it is dropped.
pub(crate) struct Beside {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    /// Takes the address, which a process that gives up its privileges may not later.
    pub(crate) fn bind(text: &str) -> Result<TcpListener, Failure> {
        let listener = bind("--serve", text)?;
        match listener.local_addr()?.ip().is_loopback() {
            true => Ok(listener),
            false => Err(Failure::new(format!(
                "--serve {text}: a run serves on loopback only; for others run `tapwire serve` with --tls-cert on the same --data"
            ))),
        }
    }

    /// Begins to serve.
    pub(crate) fn start(
        listener: TcpListener,
        args: LearnArgs,
        run: Running,
        quiet: bool,
    ) -> Result<Self, Failure> {
        let files = keeper::Files::open(args.data.clone())?;
        let over = Arc::new(AtomicBool::new(false));
        let shelf = Shelf { run, over: Arc::clone(&over), ..Shelf::waiting(args)? };
        if !quiet {
            eprintln!("tapwire: the console is at http://{}/", listener.local_addr()?);
        }
        let stop = stopped(Arc::clone(&over));
        let serve = move || {
            let access = Access { keeper: Arc::new(files), tls: None };
            if let Err(bad) = tapwire_console::serve(listener, Arc::new(shelf), access, stop) {
                eprintln!("tapwire: {bad}; the run goes on without it");
            }
        };
        let thread = std::thread::Builder::new().name("console".into()).spawn(serve)?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A thread that ended early has said why.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Done when a signal came.
async fn stopped(stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        tapwire_console::pause(PULSE).await;
    }
}

/// What was learned, read anew when a run has kept more: on a thread of its own, while what was read before is shown.
/// What a run tells the console beside it, as it stands.
#[derive(Default)]
pub(crate) struct Running {
    pub(crate) outputs: Outputs,
    pub(crate) vitals: Live,
}

struct Shelf {
    shared: Arc<Shared>,
    /// The run beside which it serves.
    run: Running,
    /// Set when it is to end.
    over: Arc<AtomicBool>,
}

#[cfg_attr(not(feature = "lake"), expect(dead_code, reason = "without tables there are no queries"))]
struct Shared {
    args: LearnArgs,
    targets: Vec<Target>,
    /// Where a run keeps it, where none was learned from captures.
    data: Option<PathBuf>,
    held: Mutex<Held>,
    /// Names of files that packets are carved into.
    carved: AtomicU64,
    /// What a query of the console may take.
    hunt: Hunt,
    /// What looking again at what was captured may take.
    look: Look,
}

struct Held {
    /// Nothing, before a run has kept something for the first time.
    learned: Option<Learned>,
    /// What sensors told, where it is a collector's directory.
    collected: Collected,
    /// How long reading that took.
    took: Duration,
    snapshot: Arc<Snapshot>,
    stamp: Stamp,
    looked: Instant,
    /// Whether it is being read anew.
    renews: bool,
    /// Why it could not be read at the last look.
    failed: Option<String>,
}

/// A build without tables has none of a collector's either.
#[cfg(not(feature = "lake"))]
mod collected {
    use serde_json::Value;
    use std::path::Path;
    use tapwire_console::Snapshot;

    #[derive(Default)]
    pub(super) struct Collected;

    impl Collected {
        pub(super) fn read(_data: &Path) -> Result<Self, String> {
            Ok(Self)
        }

        pub(super) fn snapshot(&self) -> Snapshot {
            Snapshot { source: super::COLLECTED.into(), ..Snapshot::default() }
        }

        pub(super) fn endpoint(&self, _id: &str) -> Option<Value> {
            None
        }
    }
}

/// When what is kept was changed last.
type Stamp = [Option<SystemTime>; 3];

impl Shelf {
    fn open(args: LearnArgs) -> Result<Self, Failure> {
        let shelf = Self::waiting(args)?;
        let stamp = shelf.shared.stamps();
        if let Some(data) = crate::collect::collected(&shelf.shared.args) {
            eprintln!(
                "tapwire: {}: {COLLECTED}: /apis and /hunt have it; what only a sensor learns is on no page",
                data.display()
            );
            shelf.shared.renew(stamp);
            return Ok(shelf);
        }
        let learned = learn(&shelf.shared.args, false, |_| Ok(()))?;
        shelf.shared.put(learned, stamp);
        Ok(shelf)
    }

    /// One that has nothing yet.
    fn waiting(args: LearnArgs) -> Result<Self, Failure> {
        let settings = Effective::load(&args.config)?.settings;
        let targets = crate::kpis::targets(&settings.kpi)?;
        let (hunt, look) = (settings.console.hunt, settings.console.look);
        hunt.check()?;
        look.check()?;
        let data = kept(&args);
        data.iter().for_each(|data| sweep(data));
        let stamp = data.as_deref().map(stamps).unwrap_or_default();
        let is_collectors = data.as_deref().is_some_and(crate::collect::is_collectors);
        let snapshot = Arc::new(Snapshot {
            keeps: data.is_some(),
            is_collectors,
            has_tables: data.as_deref().is_some_and(tables::are_kept),
            source: if is_collectors { COLLECTED.into() } else { String::new() },
            ..Snapshot::default()
        });
        let looked = Instant::now();
        let held = Held {
            learned: None,
            collected: Collected::default(),
            took: Duration::ZERO,
            snapshot,
            // What a collector has is read at the first look.
            stamp: if is_collectors { Stamp::default() } else { stamp },
            looked,
            renews: false,
            failed: None,
        };
        let held = Mutex::new(held);
        let carved = AtomicU64::new(0);
        let shared = Arc::new(Shared { args, targets, data, held, carved, hunt, look });
        Ok(Self { shared, run: Running::default(), over: Arc::default() })
    }

    /// What is held. Where the run has written since, it is read again for those that ask later.
    fn held(&self) -> MutexGuard<'_, Held> {
        let mut held = self.shared.locked();
        let rest = LOOK.max(held.took * READ_PART);
        if self.shared.data.is_some() && !held.renews && held.looked.elapsed() > rest {
            held.looked = Instant::now();
            let now = self.shared.stamps();
            if now != held.stamp && now[0].is_some() {
                let shared = Arc::clone(&self.shared);
                let renew = move || shared.renew(now);
                held.renews = std::thread::Builder::new().name("console-read".into()).spawn(renew).is_ok();
            }
        }
        held
    }
}

impl Shelf {
    /// Whether a service is shown under that name which has another.
    fn is_redacted(&self, service: &str) -> bool {
        let mut held = self.held();
        let Some(Learned { report, redactor, .. }) = held.learned.as_mut() else { return false };
        let names =
            report.inventory.iter().flat_map(|inventory| inventory.services()).map(|known| &known.name);
        names.into_iter().any(|name| **name != *service && redactor.shown_host(name) == service)
    }
}

/// While it is held, what is held is being read anew; however that ends, it may be read again.
struct Renewing<'s>(&'s Shared);

impl Drop for Renewing<'_> {
    fn drop(&mut self) {
        self.0.locked().renews = false;
    }
}

impl Shared {
    fn stamps(&self) -> Stamp {
        self.data.as_deref().map(stamps).unwrap_or_default()
    }

    /// Shows what was learned of files that were so before they were read.
    fn put(&self, mut learned: Learned, stamp: Stamp) {
        let mut snapshot = rows::snapshot(&mut learned, &self.targets, &self.args, 0);
        if let Some(data) = &self.data {
            snapshot.keeps = true;
            snapshot.has_packets = are_packets_kept(data);
            snapshot.has_tables = tables::are_kept(data);
            snapshot.hours = tables::hours(data, &snapshot.last);
            said::mark(data, &mut snapshot.incidents);
        }
        let mut held = self.locked();
        snapshot.version = held.snapshot.version + 1;
        held.snapshot = Arc::new(snapshot);
        let before = held.learned.replace(learned);
        (held.stamp, held.failed) = (stamp, None);
        drop(held);
        // It is large, and nobody waits for it.
        drop(before);
    }

    fn locked(&self) -> MutexGuard<'_, Held> {
        // Whoever panicked while holding it has left it whole: it is replaced in one piece.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what sensors told a collector.
    fn collect(&self, data: &Path, stamp: Stamp) -> Result<(), String> {
        let begun = Instant::now();
        let collected = Collected::read(data)?;
        let mut snapshot = collected.snapshot();
        (snapshot.keeps, snapshot.is_collectors) = (true, true);
        snapshot.has_tables = tables::are_kept(data);
        snapshot.hours = tables::hours(data, &snapshot.last);
        let mut held = self.locked();
        snapshot.version = held.snapshot.version + 1;
        held.snapshot = Arc::new(snapshot);
        (held.collected, held.took) = (collected, begun.elapsed());
        (held.stamp, held.failed) = (stamp, None);
        Ok(())
    }

    fn renew(&self, stamp: Stamp) {
        let _renewing = Renewing(self);
        let done = match crate::collect::collected(&self.args) {
            Some(data) => self.collect(&data, stamp),
            None => learn(&self.args, true, |_| Ok(()))
                .map(|learned| self.put(learned, stamp))
                .map_err(|failure| failure.to_string()),
        };
        let failed = done.err();
        let mut held = self.locked();
        // What was read before stays; the next look tries again, and says it only if it is something else.
        if let Some(why) = failed.filter(|why| held.failed.as_ref() != Some(why)) {
            eprintln!("tapwire: {why}");
            held.failed = Some(why);
        }
    }

    fn incident(&self, uid: &str) -> Option<Incident> {
        self.locked().snapshot.incidents.iter().find(|incident| incident.uid == uid).cloned()
    }

    fn keeping(&self) -> Result<&PathBuf, String> {
        self.data.as_ref().ok_or_else(|| "this is kept under --data: tapwire serve --data DIR".to_owned())
    }
}

/// Whether there are packets of the ring.
fn are_packets_kept(data: &Path) -> bool {
    let packets = tapwire_store::Reader::open(data).and_then(|reader| reader.packets());
    packets.is_ok_and(|packets| !packets.segments().is_empty())
}

/// Removes packets that a process was carving when it was killed: they are clear, and nobody fetches them any more.
fn sweep(data: &Path) {
    let entries = std::fs::read_dir(data).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let process =
            name.strip_prefix(CARVED).and_then(|rest| rest.split_once('-')).map(|(number, _)| number);
        let gone = process
            .and_then(|number| number.parse::<u32>().ok())
            .is_some_and(|number| !Path::new(&format!("/proc/{number}")).exists());
        if gone {
            // Whoever may not remove it has no part in it.
            let _stays = std::fs::remove_file(&path);
        }
    }
}

/// Of the inventory first; of a collector's, which has none, of the logs of its sums and of what sensors say.
fn stamps(data: &Path) -> Stamp {
    let learned = data.join("state/inventory");
    let first = match crate::collect::is_collectors(data) && !learned.exists() {
        true => ["usage", "sensors"]
            .iter()
            .filter_map(|table| stamp(&data.join("lake").join(table).join("_delta_log")))
            .max(),
        false => stamp(&learned),
    };
    [first, stamp(&data.join(feedback::FILE)), stamp(&data.join(said::MUTES))]
}

fn stamp(path: &PathBuf) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|known| known.modified()).ok()
}

impl Books for Shelf {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.held().snapshot)
    }

    fn outputs(&self) -> Vec<Output> {
        outputs::standing(&self.run.outputs)
    }

    fn tap(&self) -> Option<Tap> {
        self.run.vitals.get().map(outputs::tap)
    }

    fn tables(&self) -> Result<Arc<dyn Tables>, String> {
        tables::open(&self.shared)
    }

    fn endpoint(&self, id: &str) -> Option<Value> {
        let mut held = self.held();
        if held.learned.is_none() {
            return held.collected.endpoint(id);
        }
        let Learned { report, redactor, .. } = held.learned.as_mut()?;
        let inventory = report.inventory.as_ref()?;
        let wanted = inventory.endpoints().find(|endpoint| inventory::endpoint_id(endpoint.id) == id)?;
        let mut whole = inventory::object(inventory, wanted, &inventory.risks(), redactor);
        let callers = inventory.principals().callers();
        let those = callers.iter().filter(|known| wanted.callers.has(&known.principal));
        whole["known_callers"] = those.map(|known| callers::name(&known.principal)).collect();
        Some(whole)
    }

    fn caller(&self, name: &str) -> Option<Value> {
        let mut held = self.held();
        let Learned { report, redactor, .. } = held.learned.as_mut()?;
        let inventory = report.inventory.as_ref()?;
        let known = inventory.principals().callers();
        let known = known.iter().find(|known| callers::name(&known.principal) == name)?;
        let mut whole = callers::object(inventory, known, redactor);
        let sessions = inventory.principals().sessions();
        let own = sessions.iter().filter(|session| session.owner.as_ref() == Some(&known.principal));
        whole["known_sessions"] = own.map(callers::session_object).collect();
        let touched = inventory.endpoints().filter(|endpoint| endpoint.callers.has(&known.principal));
        whole["known_endpoints"] = touched.map(|endpoint| inventory::endpoint_id(endpoint.id)).collect();
        Some(whole)
    }

    fn openapi(&self, service: &str) -> Option<String> {
        let mut held = self.held();
        let Learned { report, redactor, .. } = held.learned.as_mut()?;
        let inventory = report.inventory.as_ref()?;
        // What pages show went through redaction, so a service is looked for by what is shown of it.
        let name = inventory
            .services()
            .map(|known| &known.name)
            .find(|name| redactor.shown_host(name) == service)?;
        describe(inventory, name, redactor).map(|document| document.json())
    }

    fn act(&self, uid: &str, by: &str, action: &Action) -> Result<(), String> {
        let data = self.shared.keeping()?;
        let incident =
            self.shared.incident(uid).ok_or_else(|| "there is no incident of that id".to_owned())?;
        let done = match action {
            Action::Feedback { verdict, why } => {
                feedback::keep(data, uid, verdict_of(*verdict), why, Some(by))
            }
            Action::Mute { days, why } => {
                said::mute(data, &incident, self.is_redacted(&incident.service), by, *days, why)
            }
            Action::Unmute { why } => said::unmute(data, &incident, by, why),
        };
        done.map_err(|failure| failure.to_string())?;
        // Whoever did it sees it at once: what was said is written on what is held.
        let mut held = self.shared.locked();
        let mut snapshot = (*held.snapshot).clone();
        snapshot.version += 1;
        said::mark(data, &mut snapshot.incidents);
        held.snapshot = Arc::new(snapshot);
        Ok(())
    }

    fn exchange(&self, uid: &str, day: Option<&str>) -> Result<Option<Exchange>, String> {
        Looking::begin(&self.shared, &self.over).exchange(uid, day)
    }

    fn radius(&self, whose: &str) -> Result<Value, String> {
        Looking::begin(&self.shared, &self.over).radius(whose)
    }

    fn carve(&self, uid: &str) -> Result<Vec<u8>, String> {
        let data = self.shared.keeping()?;
        let incident =
            self.shared.incident(uid).ok_or_else(|| "there is no incident of that id".to_owned())?;
        let moments = incident.whole["timeline"].as_array().into_iter().flatten();
        let exchanges: BTreeSet<&str> = moments.filter_map(|one| one["exchange"].as_str()).collect();
        let words = exchanges.into_iter().map(str::to_owned).collect();
        // Two may ask for the same at once.
        let number = self.shared.carved.fetch_add(1, Ordering::Relaxed);
        let out = data.join(format!("{CARVED}{}-{number}.pcapng", std::process::id()));
        let args = CarveArgs {
            words,
            filter: None,
            out: out.clone(),
            keys: self.shared.args.keys.clone(),
            exact: false,
            force: true,
            data: Some(data.clone()),
            token_key: self.shared.args.token_key.clone(),
            quiet: true,
            config: self.shared.args.config.clone(),
        };
        let bytes = match carve::into(&args, Arc::clone(&self.over)) {
            Ok(Exit::Interrupted) => Err("the console is ending".to_owned()),
            Ok(_) => std::fs::read(&out).map_err(|error| error.to_string()),
            Err(failure) => Err(failure.to_string()),
        };
        // What was carved goes to whoever asked and stays nowhere.
        let _gone = std::fs::remove_file(&out);
        bytes
    }
}

const fn verdict_of(verdict: Verdict) -> crate::cli::Verdict {
    match verdict {
        Verdict::True => crate::cli::Verdict::True,
        Verdict::False => crate::cli::Verdict::False,
        Verdict::Benign => crate::cli::Verdict::Benign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_a_killed_process_left_are_removed() {
        let data = tempfile::tempdir().unwrap();
        // Numbers of processes end at 2^22.
        let own = format!("{CARVED}{}-0.pcapng", std::process::id());
        for name in [&own, "carved-4194305-0.pcapng.4194305.new", "carved-4194305-1.pcapng", "users.json"] {
            std::fs::write(data.path().join(name), "").unwrap();
        }
        sweep(data.path());
        let left: BTreeSet<String> = std::fs::read_dir(data.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, BTreeSet::from([own, "users.json".to_owned()]));
    }
}
