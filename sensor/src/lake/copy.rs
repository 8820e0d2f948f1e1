//! `tapwire lake copy`: the tables in a store of objects, for engines elsewhere.

use super::keep::told;
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
use tapwire_lake::{Content, Copied, Objects};
use tapwire_objects::{Access, Body, Bucket, ObjectsError, Place};

/// How often signals are looked for.
const PULSE: Duration = Duration::from_millis(100);

pub(super) fn copy(args: &LakeCopyArgs) -> Result<Exit, Failure> {
    let failed = |error: ObjectsError| Failure::new(format!("lake: {error}"));
    let place = Place::read(&args.to).map_err(failed)?;
    let data = stored::directory(args.data.clone())?;
    let store = Store(Bucket::open(place, access()?).map_err(failed)?);
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

/// Who asks, by the variables that tools for such stores read. They stand in no file of ours, and on no command line.
fn access() -> Result<Access, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(key), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) else {
        return Err(Failure::new(
            "lake: no credentials for the store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
        ));
    };
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    Ok(Access {
        endpoint: variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL")),
        region: region.unwrap_or_else(|| "us-east-1".into()),
        key,
        secret,
        token: variable("AWS_SESSION_TOKEN"),
    })
}

/// The store as the lake sees it.
struct Store(Bucket);

impl Objects for Store {
    fn list(&self, begin: &str) -> Result<Vec<(String, u64)>, String> {
        let found = self.0.list(begin).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|object| (object.name, object.bytes)).collect())
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.get(name).map_err(|error| error.to_string())
    }

    fn put(&self, name: &str, content: Content<'_>) -> Result<bool, String> {
        let body = match content {
            Content::Bytes(bytes) => Body::Bytes(bytes),
            Content::File(path) => Body::File(path),
        };
        match self.0.put(name, body) {
            Ok(()) => Ok(true),
            Err(ObjectsError::File { is_gone: true, .. }) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<bool, String> {
        self.0.put_new(name, bytes).map_err(|error| error.to_string())
    }

    fn delete(&self, name: &str) -> Result<(), String> {
        self.0.delete(name).map_err(|error| error.to_string())
    }
}
