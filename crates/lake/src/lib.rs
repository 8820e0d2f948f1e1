//! The lake: events as tables in an open format, and SQL over them.
//!
//! Each table is a directory in the format of Delta Lake: Parquet files, a directory for each UTC day, and a log that says
//! which of them are the table. A file is seen from the commit on that names it, so a kill leaves nothing half written.
//!
//! What comes in are events as they were rendered, one a line: they own their bytes, they are redacted already, and a
//! sensor and a collector hand over the same. Columns take the members that questions are about, `extra` takes the rest, and
//! [`join`] puts both together to the same event again.
//!
//! [`TABLES`] is there in every build. What reads and writes tables is behind the feature `lake`.

mod manual;
mod schema;

#[cfg(feature = "lake")]
mod batch;
#[cfg(feature = "lake")]
mod counts;
#[cfg(feature = "lake")]
mod error;
#[cfg(feature = "lake")]
mod file;
#[cfg(feature = "lake")]
mod keep;
#[cfg(feature = "lake")]
mod known;
#[cfg(feature = "lake")]
mod log;
#[cfg(feature = "lake")]
mod object;
#[cfg(feature = "lake")]
mod place;
#[cfg(feature = "lake")]
mod scan;
#[cfg(feature = "lake")]
mod seen;
#[cfg(feature = "lake")]
mod split;
#[cfg(feature = "lake")]
mod sql;
#[cfg(feature = "lake")]
mod table;
#[cfg(feature = "lake")]
mod time;
#[cfg(feature = "lake")]
mod usage;
#[cfg(feature = "lake")]
mod writer;

pub use manual::manual;
pub use schema::{Column, Kind, TABLES, Table, VIEWS, View, Worth};

#[cfg(feature = "lake")]
pub use error::LakeError;
#[cfg(feature = "lake")]
pub use keep::{
    Deleted, Gone, Held, Hold, Info, Maintained, Policy, Round, TableInfo, hold, holds, maintain, release,
};
#[cfg(feature = "lake")]
pub use known::{KnownFile, known_files};
#[cfg(feature = "lake")]
pub use log::{Content, Copied, Writable, copy};
#[cfg(feature = "lake")]
pub use place::{Objects, Place, Store};
#[cfg(feature = "lake")]
pub use seen::{NEVER, OwnWord, Seen, SeenEndpoint, Teller, Told, Wanted, Word, seen};
#[cfg(feature = "lake")]
pub use split::join;
#[cfg(feature = "lake")]
pub use sql::{Answer, Bounds, Cell, Reader, Statements};
#[cfg(feature = "lake")]
pub use writer::{Amount, Lake, Ledger, Taken};

/// The directory of the tables under `--data`.
pub const ROOM: &str = "lake";
