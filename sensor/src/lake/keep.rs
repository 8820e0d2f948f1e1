//! Keeping the tables: by hand, and beside a tap.

use crate::cli::sql::{LakeHoldArgs, LakeMaintainArgs, LakeReleaseArgs};
use crate::failure::{Exit, Failure};
use crate::memory::ROWS;
use crate::paper::{self, Paper, plain};
use crate::settings::{Effective, Lake, size_of_key};
use crate::size::{bytes, count, counted};
use crate::stored;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tapwire_lake::{Gone, Held, Hold, LakeError, Maintained, Policy, Round};

/// Milliseconds since 1970-01-01 UTC.
#[allow(clippy::disallowed_methods, reason = "how old something is, is a question to the wall clock")]
pub(crate) fn now_ms() -> i64 {
    // A clock before 1970 deletes nothing: everything is younger than it.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// What a round by hand may take: nothing is sensed beside it.
const MEMORY: usize = 64 << 20;

pub(super) fn told(error: &LakeError) -> Failure {
    Failure::new(format!("lake: {error}"))
}

/// What settings ask for.
pub(super) fn policy(settings: &Lake) -> Result<Policy, Failure> {
    let days = &settings.days;
    let days = [
        ("exchanges", days.exchanges),
        ("findings", days.findings),
        ("incidents", days.incidents),
        ("usage", days.usage),
        ("endpoints", days.endpoints),
        ("kpis", days.kpis),
        ("sensors", days.sensors),
    ];
    Ok(Policy {
        days: BTreeMap::from(days),
        bytes: size_of_key("lake.bytes", &settings.bytes)? as u64,
        grace_ms: i64::from(settings.grace_minutes) * 60_000,
    })
}

/// `tapwire lake maintain`.
pub(super) fn maintain(args: &LakeMaintainArgs) -> Result<Exit, Failure> {
    let policy = policy(&Effective::load(&args.config)?.settings.lake)?;
    let data = stored::directory(args.data.clone())?;
    let round =
        Round { policy: &policy, now_ms: now_ms(), memory: MEMORY, dry: args.dry_run, stop: &|| false };
    let done = tapwire_lake::maintain(&data, &round).map_err(|error| told(&error))?;
    let text = if args.json { line(&done) } else { page(&done, args.dry_run) };
    paper::print(&text, true)?;
    Ok(Exit::Done)
}

fn page(done: &Maintained, dry: bool) -> String {
    let mut paper = Paper::new(true);
    if dry {
        paper.line("Nothing was done: this is what would be.");
    }
    done.gone.iter().for_each(|gone| paper.line(&format!("taken out: {}", said(gone))));
    if done.gone.is_empty() {
        paper.line("taken out: nothing; everything is within days and bytes");
    }
    if done.held > 0 {
        paper.line(&format!("held: {} that would go otherwise", counted(done.held, "file")));
    }
    if done.over > 0 {
        paper.line(&format!("over the limit by {}: what is left may not go for it", bytes(done.over)));
    }
    if done.compacted > 0 {
        paper.line(&format!("put together: {} into {}", counted(done.compacted, "file"), count(done.into)));
    }
    if done.deleted.files > 0 {
        let files = counted(done.deleted.files, "file");
        paper.line(&format!("deleted from the disk: {files}, {}", bytes(done.deleted.bytes)));
    }
    if done.checkpoints + done.log_files > 0 {
        let files = counted(done.log_files, "file");
        paper.line(&format!("logs: {}, {files} deleted", counted(done.checkpoints, "checkpoint")));
    }
    done.faults.iter().for_each(|fault| paper.line(&format!("could not be put together: {}", plain(fault))));
    paper.into_text()
}

fn said(gone: &Gone) -> String {
    let why = if gone.by_age { "older than is kept" } else { "beyond the limit of bytes" };
    let (from, until) = &gone.days;
    let (rows, size) = (counted(gone.rows, "row"), bytes(gone.bytes));
    format!("{} of {from} to {until}, {rows}, {size}: {why}", gone.table)
}

fn line(done: &Maintained) -> String {
    let gone = done.gone.iter().map(|gone| {
        json!({
            "table": gone.table, "from": gone.days.0, "until": gone.days.1, "files": gone.files, "rows": gone.rows,
            "bytes": gone.bytes, "why": if gone.by_age { "days" } else { "bytes" },
        })
    });
    let value = json!({
        "taken_out": gone.collect::<Vec<_>>(), "held_files": done.held, "over_bytes": done.over,
        "compacted_files": done.compacted, "into_files": done.into,
        "deleted_files": done.deleted.files, "deleted_bytes": done.deleted.bytes,
        "checkpoints": done.checkpoints, "deleted_log_files": done.log_files, "faults": done.faults,
    });
    format!("{value}\n")
}

/// `tapwire lake hold`.
pub(super) fn hold(args: &LakeHoldArgs) -> Result<Exit, Failure> {
    let data = stored::directory(args.data.clone())?;
    let held = match (&args.incident, &args.from, &args.until) {
        (Some(uid), ..) => Held::Incident(uid.clone()),
        (None, Some(from), Some(until)) => Held::Days(from.clone(), until.clone()),
        _ => return Err(Failure::new("lake hold: give --from and --until, or --incident")),
    };
    let one = tapwire_lake::hold(&data, &args.name, &held, now_ms()).map_err(|error| told(&error))?;
    paper::print(&format!("held: {}\n", held_line(&one)), true)?;
    Ok(Exit::Done)
}

/// `tapwire lake release`.
pub(super) fn release(args: &LakeReleaseArgs) -> Result<Exit, Failure> {
    let data = stored::directory(args.data.clone())?;
    let one = tapwire_lake::release(&data, &args.name).map_err(|error| told(&error))?;
    paper::print(&format!("released: {}\n", held_line(&one)), true)?;
    Ok(Exit::Done)
}

/// A hold for people.
pub(super) fn held_line(one: &Hold) -> String {
    let about = one.incident.as_ref().map(|uid| format!(", incident {}", plain(uid))).unwrap_or_default();
    format!("{}: all tables of {} to {}{about}", plain(&one.name), one.from, one.until)
}

/// How a tap's tables are kept.
#[derive(Debug, Clone)]
pub(crate) struct Keeping {
    pub(super) policy: Policy,
    /// Between two rounds.
    pub(super) every: Duration,
    /// Bytes for putting files together.
    pub(super) memory: usize,
}

impl Keeping {
    /// As settings ask for; `None` where they say that the tap does not.
    pub(crate) fn of(effective: &Effective) -> Result<Option<Self>, Failure> {
        let settings = &effective.settings.lake;
        let policy = policy(settings)?;
        let every = Duration::from_secs(settings.every.into());
        let memory = ROWS.bytes(effective.memory()?);
        Ok((settings.every > 0).then_some(Self { policy, every, memory }))
    }
}

/// A thread that keeps the tables while a tap writes them. It ends when this is dropped, after the file that it is at.
pub(crate) struct Keeper {
    stop: Arc<AtomicBool>,
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts it. Without a thread the tables only grow, and that is said.
    pub(crate) fn start(data: &Path, keeping: Keeping) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (wake, waiting) = channel();
        let (data, asked) = (data.to_owned(), Arc::clone(&stop));
        let rounds = move || {
            while let Err(RecvTimeoutError::Timeout) = waiting.recv_timeout(keeping.every) {
                one_round(&data, &keeping, &asked);
            }
        };
        match std::thread::Builder::new().name("lake-keeper".into()).spawn(rounds) {
            Ok(thread) => Some(Self { stop, wake: Some(wake), thread: Some(thread) }),
            Err(error) => {
                eprintln!("tapwire: lake: the tables are not maintained: no thread for it: {error}");
                None
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported on standard error.
            let _ = thread.join();
        }
    }
}

fn one_round(data: &Path, keeping: &Keeping, stop: &AtomicBool) {
    let stop = || stop.load(Ordering::Relaxed);
    let Keeping { policy, memory, .. } = keeping;
    let round = Round { policy, now_ms: now_ms(), memory: *memory, dry: false, stop: &stop };
    match tapwire_lake::maintain(data, &round) {
        Ok(done) => {
            done.gone.iter().for_each(|gone| eprintln!("tapwire: lake: took out {}", said(gone)));
            done.faults.iter().for_each(|fault| eprintln!("tapwire: lake: {fault}"));
            if done.over > 0 {
                let over = bytes(done.over);
                eprintln!("tapwire: lake: over lake.bytes by {over}, and nothing more may go for it");
            }
        }
        // Somebody maintains it by hand.
        Err(LakeError::Busy { .. }) => {}
        Err(error) => eprintln!("tapwire: lake: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use tapwire_lake::Lake;

    #[test]
    fn every_table_has_its_days() {
        let policy = policy(&crate::settings::Lake::default()).unwrap();
        let mut tables: Vec<&str> = tapwire_lake::TABLES.iter().map(|table| table.name).collect();
        tables.sort_unstable();
        assert_eq!(policy.days.into_keys().collect::<Vec<_>>(), tables);
    }

    #[test]
    fn a_tap_keeps_its_tables() {
        let data = tempfile::tempdir().unwrap();
        let mut lake = Lake::open(data.path(), 0).unwrap();
        lake.write("{\"time\":1700000000000,\"class_uid\":6003}\n").unwrap();
        lake.commit().unwrap();
        let folder = data.path().join("lake/exchanges/day=2023-11-14");
        let files = || std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(files(), 1);
        let policy = Policy { days: BTreeMap::from([("exchanges", 14)]), bytes: 0, grace_ms: 0 };
        let keeper =
            Keeper::start(data.path(), Keeping { policy, every: Duration::from_millis(10), memory: 1 << 22 });
        let began = Instant::now();
        while files() > 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing was taken out");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(keeper);
    }
}
