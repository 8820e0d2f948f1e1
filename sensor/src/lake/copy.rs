//! `tapwire lake copy`: the tables in a store of objects, for engines elsewhere.

use super::keep::told;
use super::store::{self, Store};
use crate::cli::sql::LakeCopyArgs;
use crate::failure::{Exit, Failure};
use crate::paper::print;
use crate::size::{bytes, counted};
use crate::stored;
use crate::watch::catch_signals;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tapwire_lake::Copied;

/// How often signals are looked for.
const PULSE: Duration = Duration::from_millis(100);

pub(super) fn copy(args: &LakeCopyArgs) -> Result<Exit, Failure> {
    let place = store::place(&args.to).map_err(|error| told(&error))?;
    let data = stored::directory(args.data.clone())?;
    let store = Store::open(place).map_err(|error| told(&error))?;
    if args.every == Some(0) {
        return Err(Failure::new("--every 0: give the seconds from one copy to the next, 1 or more"));
    }
    let stop = catch_signals()?;
    tell(&copied(&data, &store)?, args.json)?;
    let Some(every) = args.every.map(Duration::from_secs) else { return Ok(Exit::Done) };
    while waited(every, &stop) {
        // What fails is made up for by the next.
        match copied(&data, &store) {
            Ok(done) if done == Copied::default() => {}
            Ok(done) => tell(&done, args.json)?,
            Err(failure) => eprintln!("tapwire: {failure}"),
        }
    }
    Ok(Exit::Done)
}

fn copied(data: &Path, store: &Store) -> Result<Copied, Failure> {
    tapwire_lake::copy(data, store).map_err(|error| told(&error))
}

/// Waits so long; `false` where it is to end.
fn waited(every: Duration, stop: &AtomicBool) -> bool {
    let began = Instant::now();
    while began.elapsed() < every && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(PULSE);
    }
    !stop.load(Ordering::Relaxed)
}

fn tell(done: &Copied, as_json: bool) -> Result<(), Failure> {
    let Copied { files, bytes: size, commits, deleted } = done;
    let text = if as_json {
        format!("{}\n", json!({"files": files, "bytes": size, "commits": commits, "deleted": deleted}))
    } else {
        let (files, commits) = (counted(*files, "file"), counted(*commits, "commit"));
        format!("copied: {files} ({}), {commits}; deleted: {}\n", bytes(*size), counted(*deleted, "object"))
    };
    print(&text, true)
}
