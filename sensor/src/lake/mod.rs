//! The lake: what goes into it, and SQL over it.

#[cfg(feature = "lake")]
mod print;
#[cfg(feature = "lake")]
mod query;
#[cfg(feature = "lake")]
mod sink;

use crate::cli::SqlArgs;
use crate::failure::{Exit, Failure};
use std::path::Path;
use tapwire_capture::Pressure;
use tapwire_sink::Sink;

/// The sink that fills the tables of that data directory; none in a build without them.
#[cfg(feature = "lake")]
pub(crate) fn sink(data: &Path, pressure: Pressure) -> Result<Option<Box<dyn Sink>>, Failure> {
    Ok(Some(Box::new(sink::LakeSink::open(data, pressure)?)))
}

#[cfg(not(feature = "lake"))]
pub(crate) fn sink(_data: &Path, _pressure: Pressure) -> Result<Option<Box<dyn Sink>>, Failure> {
    Ok(None)
}

/// `tapwire sql`.
#[cfg(feature = "lake")]
pub(crate) fn sql(args: &SqlArgs) -> Result<Exit, Failure> {
    query::sql(args)
}

#[cfg(not(feature = "lake"))]
pub(crate) fn sql(_args: &SqlArgs) -> Result<Exit, Failure> {
    Err(Failure::new(
        "sql: this build has no lake: packages have it, or build with `cargo build --release --features lake`",
    ))
}
