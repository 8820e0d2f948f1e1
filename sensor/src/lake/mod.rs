//! The lake: what goes into it, and SQL over it.

#[cfg(feature = "lake")]
mod copy;
#[cfg(feature = "lake")]
mod info;
#[cfg(feature = "lake")]
mod keep;
#[cfg(feature = "lake")]
mod learned;
#[cfg(feature = "lake")]
mod print;
#[cfg(feature = "lake")]
mod prompt;
#[cfg(feature = "lake")]
mod query;
#[cfg(feature = "lake")]
mod sink;
#[cfg(feature = "lake")]
mod store;

#[cfg(feature = "lake")]
pub(crate) use keep::{Keeper, Keeping, now_ms};
#[cfg(feature = "lake")]
pub(crate) use query::shown;
#[cfg(feature = "lake")]
pub(crate) use store::tables;

use crate::cli::{LakeAction, SqlArgs};
use crate::failure::{Exit, Failure};
#[cfg(feature = "lake")]
use crate::feedback::Feedback;
use crate::settings::Effective;
#[cfg(feature = "lake")]
use crate::settings::Keep;
use std::path::Path;
use tapwire_capture::Pressure;
use tapwire_event::Redactor;
use tapwire_pipeline::Report;
use tapwire_sink::{Outputs, Sink};

/// What the name of a place in a store begins with.
const SCHEME: &str = "s3://";

/// Whether that names a store instead of a data directory.
pub(crate) fn is_in_store(data: &Path) -> bool {
    data.to_str().is_some_and(|text| text.starts_with(SCHEME))
}

/// The sink that fills the tables of that data directory, watched among the outputs; none in a build without them.
#[cfg(feature = "lake")]
pub(crate) fn sink(
    data: &Path,
    effective: &Effective,
    pressure: Pressure,
    watched: &Outputs,
) -> Result<Option<Box<dyn Sink>>, Failure> {
    let keeping = match pressure {
        // What is replayed may be of any age: it is kept until somebody asks.
        Pressure::Block => None,
        Pressure::Shed => keep::Keeping::of(effective)?,
    };
    let sink = sink::LakeSink::open(data, effective.memory()?, keeping, pressure)?;
    watched.watch(sink::DESTINATION.into(), sink.books());
    Ok(Some(Box::new(sink)))
}

#[cfg(not(feature = "lake"))]
pub(crate) fn sink(
    _data: &Path,
    _effective: &Effective,
    _pressure: Pressure,
    _watched: &Outputs,
) -> Result<Option<Box<dyn Sink>>, Failure> {
    Ok(None)
}

/// Writes down what a run has learned, where its events become tables.
#[cfg(feature = "lake")]
pub(crate) fn learned(
    data: &Path,
    effective: &Effective,
    report: &Report,
    redactor: &mut Redactor,
) -> Result<(), Failure> {
    let settings = &effective.settings;
    if settings.events.lake && settings.events.keep != Keep::None {
        learned::write(data, report, Feedback::read(data), &settings.kpi, redactor)?;
    }
    Ok(())
}

#[cfg(not(feature = "lake"))]
pub(crate) fn learned(
    _data: &Path,
    _effective: &Effective,
    _report: &Report,
    _redactor: &mut Redactor,
) -> Result<(), Failure> {
    Ok(())
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
        LakeAction::Note(args) => learned::note(args),
        LakeAction::Copy(args) => copy::copy(args),
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
