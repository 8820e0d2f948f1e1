//! What was learned as bytes, and back.
//!
//! A checkpoint is a row of pieces, each small enough to be written between two calls: [`Inventory::save`] gives one after the
//! other, [`Loading`] takes them. Calls may come in between, so that pieces are of slightly different moments; what
//! refers to something that is not there any more, or not yet, is put right or left out as it is read, and counted.
//!
//! What is not written: exchanges that go on, the rhythm of services of the last minutes, the counters of a run, what files
//! say, and what is only there to be found faster.
//!
//! What others refer to has the version of the whole; what stands alone has one of its own in each piece, so that it may change
//! and begin anew while the rest goes on.

mod loading;
pub(crate) mod names;
mod piece;

pub(crate) use loading::ClassMap;
pub use loading::{Loading, Restored};
pub(crate) use piece::{PLACES, Stretch};
pub use piece::{put, put_some, take, take_all};

use crate::{Config, Inventory};
use tapwire_inspect::TokenKey;
use tapwire_inspect::classes::ClassId;

/// The format of all pieces. A change of any struct that is written raises it, but of those in sections with a version.
const FORMAT: u32 = 6;
/// The oldest that is read: those behind it only have more sections.
const OLDEST: u32 = 3;
/// The version of hours, their groups and quotas, of callers that ask for what does not exist, of words that stand for values, of
/// clients that knock at ports, and of fingerprints of TLS.
const HOURS: u8 = 0;
const PROBING: u8 = 0;
const FAVOURITES: u8 = 0;
const KNOCKING: u8 = 0;
const PRINTS: u8 = 0;

/// Where a checkpoint goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The section's place.
    section: usize,
    /// The entry in it.
    at: usize,
}

/// Why pieces cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Written by another version.
    Format {
        /// Its format.
        found: u32,
        /// The one that is read.
        known: u32,
    },
    /// Its names are tokens of another key, which nothing that comes can meet.
    Key,
    /// No checkpoint, or a damaged one.
    Unreadable,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Format { found, known } => {
                write!(f, "it was written by another version (format {found}, this one has {known})")
            }
            Self::Key => f.write_str("it was written with another token key"),
            Self::Unreadable => f.write_str("it cannot be read"),
        }
    }
}

impl std::error::Error for Unfit {}

/// Sections, in the order in which they are written. What refers to a list that only grows stands before it, so that what it
/// refers to is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Section {
    Head,
    Callers,
    Sessions,
    Grants,
    Endpoints,
    Nodes,
    Merges,
    Pending,
    Methods,
    Services,
    Days,
    Servers,
    Models,
    Values,
    Relations,
    Quotas,
    Hours,
    Groups,
    Probing,
    Counted,
    Favoured,
    Knocking,
    Prints,
}

impl Section {
    const ALL: [Self; 23] = [
        Self::Head,
        Self::Callers,
        Self::Sessions,
        Self::Grants,
        Self::Endpoints,
        Self::Nodes,
        Self::Merges,
        Self::Pending,
        Self::Methods,
        Self::Services,
        Self::Days,
        Self::Servers,
        Self::Models,
        Self::Values,
        Self::Relations,
        Self::Quotas,
        Self::Hours,
        Self::Groups,
        Self::Probing,
        Self::Counted,
        Self::Favoured,
        Self::Knocking,
        Self::Prints,
    ];

    /// The version of a section that stands alone; of relations each table has one.
    const fn version(self) -> Option<u8> {
        match self {
            Self::Quotas | Self::Hours | Self::Groups => Some(HOURS),
            Self::Probing => Some(PROBING),
            Self::Counted | Self::Favoured => Some(FAVOURITES),
            Self::Knocking => Some(KNOCKING),
            Self::Prints => Some(PRINTS),
            _ => None,
        }
    }

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|section| *section as u8 == number)
    }
}

/// What the other pieces need to be read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Head {
    /// Data classes by their numbers.
    classes: Vec<String>,
    /// Where the tables of callers and sessions look for room.
    hands: (usize, usize),
}

/// The first bytes of a checkpoint, whatever its format: that, and the name of the token key.
pub fn preface(format: u32, key: &TokenKey) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (format.to_le_bytes(), key.id());
    [a, b, c, d, e, f, g, h]
}

/// What follows the preface, where it is that of this format and key.
///
/// # Errors
/// It is another's.
pub fn behind_preface<'p>(piece: &'p [u8], format: u32, key: &TokenKey) -> Result<&'p [u8], Unfit> {
    let (found, rest) = piece.split_first_chunk::<4>().ok_or(Unfit::Unreadable)?;
    let (named, rest) = rest.split_first_chunk::<4>().ok_or(Unfit::Unreadable)?;
    match u32::from_le_bytes(*found) {
        found if found != format => Err(Unfit::Format { found, known: format }),
        _ if *named != key.id() => Err(Unfit::Key),
        _ => Ok(rest),
    }
}

/// The names of data classes, by number.
fn class_names(config: &Config) -> impl Iterator<Item = &str> {
    let all = (0..).map_while(ClassId::from_number).map(|class| config.classes.name(class));
    all.take_while(|name| !name.is_empty())
}

impl Inventory {
    /// Replaces `piece` with the next piece of a checkpoint that begins with `Cursor::default()`; `false` when there was none
    /// left. Its size is bounded by the number of its entries, so that it takes less than a few milliseconds.
    pub fn save(&self, cursor: &mut Cursor, piece: &mut Vec<u8>) -> bool {
        piece.clear();
        let Some(section) = Section::ALL.get(cursor.section).copied() else { return false };
        piece.push(section as u8);
        piece.extend(section.version());
        match self.write(section, cursor.at, piece) {
            Some(written) => cursor.at += written,
            None => *cursor = Cursor { section: cursor.section + 1, at: 0 },
        }
        true
    }

    /// Writes entries from `at` on; how many, `None` when they were the last.
    fn write(&self, section: Section, at: usize, out: &mut Vec<u8>) -> Option<usize> {
        let endpoints = &self.endpoints;
        match section {
            Section::Head => {
                out.extend_from_slice(&preface(FORMAT, &self.config.token_key));
                let classes = class_names(&self.config).map(str::to_owned).collect();
                put(&Head { classes, hands: self.principals.hands() }, out);
                None
            }
            Section::Callers => self.principals.save_callers(at, out),
            Section::Sessions => self.principals.save_sessions(at, out),
            Section::Grants => self.principals.save_grants(at, out),
            Section::Endpoints => endpoints.save_endpoints(at, out),
            Section::Nodes => endpoints.save_nodes(at, out),
            Section::Merges => endpoints.save_merges(at, out),
            Section::Pending => endpoints.save_pending(out),
            Section::Methods => endpoints.save_methods(out),
            Section::Services => {
                let all = self.services.iter().zip(&self.roots).skip(at);
                put_some(all, |_| 1, out)
            }
            Section::Days => self.series.save(at, out),
            Section::Servers => self.agents.save_servers(at, out),
            Section::Models => self.agents.save_models(at, out),
            Section::Values => endpoints.save_values(at, out),
            Section::Relations => self.related.save(at, out),
            Section::Quotas => self.hours.save_quotas(at, out),
            Section::Hours => self.hours.save_cells(at, out),
            Section::Groups => self.hours.save_groups(at, out),
            Section::Probing => self.probing.save(out),
            Section::Counted => endpoints.save_counted(at, out),
            Section::Favoured => endpoints.save_favoured(at, out),
            Section::Knocking => self.knocking.save(at, out),
            Section::Prints => self.principals.save_prints(at, out),
        }
    }
}

#[cfg(test)]
mod tests;
