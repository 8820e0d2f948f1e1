//! `serve`: the console over what was learned.

mod rows;

use crate::callers;
use crate::cli::{LearnArgs, ServeArgs};
use crate::failure::{Exit, Failure};
use crate::inventory;
use crate::learn::{Learned, learn};
use crate::settings::Effective;
use crate::watch::catch_signals;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tapwire_console::{Books, Snapshot};
use tapwire_event::describe;
use tapwire_inventory::kpis::Target;
use tapwire_store::Directories;

/// How often files are looked at for something new, and signals for the end.
const LOOK: Duration = Duration::from_secs(2);
const PULSE: Duration = Duration::from_millis(100);

/// `tapwire serve`.
pub(crate) fn serve(args: ServeArgs) -> Result<Exit, Failure> {
    let address: SocketAddr = args.listen.parse().map_err(|_| {
        Failure::new(format!(
            "--listen {}: this is no address and port; write it like 127.0.0.1:8470",
            args.listen
        ))
    })?;
    // A place that is taken is told before captures are read for minutes.
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure::new(format!("--listen {address}: {error}; another port is given like 127.0.0.1:8471"))
    })?;
    let shelf = Shelf::open(args.learn)?;
    let stop = catch_signals()?;
    let address = listener.local_addr()?;
    eprintln!("tapwire: the console is at http://{address}/ (Ctrl-C ends it)");
    tapwire_console::serve(listener, Arc::new(shelf), stopped(stop))
        .map_err(|bad| Failure::new(bad.to_string()))?;
    Ok(Exit::Done)
}

/// Done when a signal came.
async fn stopped(stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        tapwire_console::pause(PULSE).await;
    }
}

/// What was learned, read anew when a run has kept more.
struct Shelf {
    args: LearnArgs,
    targets: Vec<Target>,
    /// The file that a run keeps up to date, where none was learned from captures.
    kept: Option<PathBuf>,
    held: Mutex<Held>,
}

struct Held {
    learned: Learned,
    snapshot: Arc<Snapshot>,
    stamp: Option<SystemTime>,
    looked: Instant,
}

impl Shelf {
    fn open(args: LearnArgs) -> Result<Self, Failure> {
        let targets = crate::kpis::targets(&Effective::load(&args.config)?.settings.kpi)?;
        let data = args.data.clone().or_else(|| Directories::from_env().data);
        let kept = data.filter(|_| args.paths.is_empty()).map(|data| data.join("state/inventory"));
        let stamp = kept.as_ref().and_then(stamp);
        let mut learned = learn(&args, false, |_| Ok(()))?;
        let snapshot = Arc::new(rows::snapshot(&mut learned, &targets, &args, 1));
        let held = Mutex::new(Held { learned, snapshot, stamp, looked: Instant::now() });
        Ok(Self { args, targets, kept, held })
    }

    /// What is held; read again first, where the run has written since.
    fn held(&self) -> MutexGuard<'_, Held> {
        // Whoever panicked while holding it has left it whole: it is replaced in one piece.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = self.kept.as_ref().filter(|_| held.looked.elapsed() > LOOK) {
            held.looked = Instant::now();
            let now = stamp(path);
            if now != held.stamp {
                self.renew(&mut held);
                held.stamp = now;
            }
        }
        held
    }

    fn renew(&self, held: &mut Held) {
        match learn(&self.args, true, |_| Ok(())) {
            Ok(mut learned) => {
                let version = held.snapshot.version + 1;
                held.snapshot = Arc::new(rows::snapshot(&mut learned, &self.targets, &self.args, version));
                held.learned = learned;
            }
            // What was read before stays; the next look tries again.
            Err(failure) => eprintln!("tapwire: {failure}"),
        }
    }
}

fn stamp(path: &PathBuf) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|known| known.modified()).ok()
}

impl Books for Shelf {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.held().snapshot)
    }

    fn endpoint(&self, id: &str) -> Option<Value> {
        let mut held = self.held();
        let Learned { report, redactor } = &mut held.learned;
        let inventory = report.inventory.as_ref()?;
        let wanted = inventory.endpoints().find(|endpoint| inventory::endpoint_id(endpoint.id) == id)?;
        Some(inventory::object(inventory, wanted, &inventory.risks(), redactor))
    }

    fn caller(&self, name: &str) -> Option<Value> {
        let mut held = self.held();
        let Learned { report, redactor } = &mut held.learned;
        let inventory = report.inventory.as_ref()?;
        let known = inventory.principals().callers();
        let known = known.iter().find(|known| callers::name(&known.principal) == name)?;
        let mut whole = callers::object(inventory, known, redactor);
        let sessions = inventory.principals().sessions();
        let own = sessions.iter().filter(|session| session.owner.as_ref() == Some(&known.principal));
        whole["known_sessions"] = own.map(callers::session_object).collect();
        Some(whole)
    }

    fn openapi(&self, service: &str) -> Option<String> {
        let mut held = self.held();
        let Learned { report, redactor } = &mut held.learned;
        let inventory = report.inventory.as_ref()?;
        // What pages show went through redaction, so a service is looked for by what is shown of it.
        let name = inventory
            .services()
            .map(|known| &known.name)
            .find(|name| redactor.shown_host(name) == service)?;
        describe(inventory, name, redactor).map(|document| document.json())
    }
}
