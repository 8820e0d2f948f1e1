//! `collect`, and the sensors that send to it.

mod enrol;
mod files;
#[cfg(feature = "lake")]
mod inventory;
#[cfg(feature = "lake")]
mod kafka;
#[cfg(feature = "lake")]
mod receive;
#[cfg(feature = "lake")]
mod said;
#[cfg(feature = "lake")]
mod table;
#[cfg(feature = "lake")]
mod tables;
#[cfg(feature = "lake")]
mod warn;

pub(crate) use enrol::sensor;
#[cfg(feature = "lake")]
pub(crate) use inventory::{inventory, object};
#[cfg(feature = "lake")]
pub(crate) use receive::collect;
#[cfg(feature = "lake")]
pub(crate) use said::Said;

use crate::cli::LearnArgs;
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use tapwire_store::Directories;

#[cfg(not(feature = "lake"))]
pub(crate) fn collect(_args: &crate::cli::CollectArgs) -> Result<crate::failure::Exit, Failure> {
    Err(Failure::new(
        "collect: this build has no lake: packages have it, or build with `cargo build --release --features lake`",
    ))
}

#[cfg(not(feature = "lake"))]
pub(crate) fn inventory(
    _data: &Path,
    _args: &crate::cli::InventoryArgs,
) -> Result<crate::failure::Exit, Failure> {
    Err(Failure::new(
        "inventory: that of a collector is in its tables, and this build has none: packages have them, or build with \
         `cargo build --release --features lake`",
    ))
}

/// The directory that is asked, where it is a collector's in which nothing was learned.
pub(crate) fn collected(args: &LearnArgs) -> Option<PathBuf> {
    let data =
        args.data.clone().or_else(|| Directories::from_env().data).filter(|_| args.paths.is_empty())?;
    (is_collectors(&data) && !data.join("state/inventory").exists()).then_some(data)
}

/// The directory or store whose sums of calls are asked, instead of what was learned.
pub(crate) fn summed(args: &LearnArgs) -> Option<PathBuf> {
    let stored = || args.data.clone().filter(|data| crate::lake::is_in_store(data) && args.paths.is_empty());
    collected(args).or_else(stored)
}

/// Whether events of other sensors are kept there.
pub(crate) fn is_collectors(data: &Path) -> bool {
    files::sensors(data).is_file()
}

/// The collector's directory.
fn directory(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let data = given.or_else(|| Directories::from_env().data);
    let data =
        data.ok_or_else(|| Failure::new("there is no place for the collector's data: give --data DIR"))?;
    tapwire_store::is_here(&data)?;
    Ok(data)
}

/// Milliseconds since 1970-01-01 UTC.
#[allow(clippy::disallowed_methods, reason = "how old a token is, is a question to the wall clock")]
fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
