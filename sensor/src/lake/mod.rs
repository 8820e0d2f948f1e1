//! The lake: what goes into it, and SQL over it.

#[cfg(feature = "lake")]
mod info;
#[cfg(feature = "lake")]
mod keep;
#[cfg(feature = "lake")]
mod print;
#[cfg(feature = "lake")]
mod query;
#[cfg(feature = "lake")]
mod sink;

use crate::cli::{LakeAction, SqlArgs};
use crate::failure::{Exit, Failure};
use crate::settings::Effective;
use std::path::Path;
use tapwire_capture::Pressure;
use tapwire_sink::Sink;

/// The sink that fills the tables of that data directory; none in a build without them.
#[cfg(feature = "lake")]
pub(crate) fn sink(
    data: &Path,
    effective: &Effective,
    pressure: Pressure,
) -> Result<Option<Box<dyn Sink>>, Failure> {
    let keeping = match pressure {
        // What is replayed may be of any age: it is kept until somebody asks.
        Pressure::Block => None,
        Pressure::Shed => keep::Keeping::of(effective)?,
    };
    Ok(Some(Box::new(sink::LakeSink::open(data, keeping, pressure)?)))
}

#[cfg(not(feature = "lake"))]
pub(crate) fn sink(
    _data: &Path,
    _effective: &Effective,
    _pressure: Pressure,
) -> Result<Option<Box<dyn Sink>>, Failure> {
    Ok(None)
}

/// `tapwire sql`.
#[cfg(feature = "lake")]
pub(crate) fn sql(args: &SqlArgs) -> Result<Exit, Failure> {
    query::sql(args)
}

/// `tapwire lake`.
#[cfg(feature = "lake")]
pub(crate) fn carry_out(action: &LakeAction) -> Result<Exit, Failure> {
    match action {
        LakeAction::Info(args) => info::info(args),
        LakeAction::Maintain(args) => keep::maintain(args),
        LakeAction::Hold(args) => keep::hold(args),
        LakeAction::Release(args) => keep::release(args),
    }
}

#[cfg(not(feature = "lake"))]
pub(crate) fn sql(_args: &SqlArgs) -> Result<Exit, Failure> {
    Err(missing("sql"))
}

#[cfg(not(feature = "lake"))]
pub(crate) fn carry_out(_action: &LakeAction) -> Result<Exit, Failure> {
    Err(missing("lake"))
}

#[cfg(not(feature = "lake"))]
fn missing(command: &str) -> Failure {
    Failure::new(format!(
        "{command}: this build has no lake: packages have it, or build with `cargo build --release --features lake`"
    ))
}
