//! What was learned by runs before, as their checkpoints have it.

use crate::Config;
use std::path::PathBuf;
use std::time::Duration;
use tapwire_detect::policies::Cases;
use tapwire_detect::{Detectors, HeldGroups, Incidents};
use tapwire_inventory::Inventory;
use tapwire_inventory::state::{Restored, Unfit};
use tapwire_store::{Checkpoints, Loaded, Pieces, Reader, StoreError};

/// Where a run keeps what it learns.
pub struct State {
    /// Its directory.
    pub checkpoints: Checkpoints,
    /// How often it is written, beside the end of the run.
    pub every: Option<Duration>,
    /// What was learned before.
    pub learned: Learned,
}

/// What is kept of a run.
pub struct Learned {
    /// Services, endpoints and callers.
    pub inventory: Inventory,
    /// Detectors with their states.
    pub detectors: Detectors,
    /// What correlations of users' rules held, for the rules that go on with it.
    pub groups: HeldGroups,
    /// What actors did.
    pub incidents: Incidents,
    /// The lives of what policies found.
    pub cases: Cases,
}

/// A file of `state/` that is not used, and why.
#[derive(Debug)]
pub struct Unused {
    /// Where it is now.
    pub path: PathBuf,
    /// Of which kind the reason is.
    pub fault: Fault,
    /// In a phrase.
    pub why: String,
}

/// What is wrong with a file of `state/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its bytes are not those that were written, or cannot be read.
    Damaged,
    /// It is whole, and of another version's format.
    OtherVersion,
    /// It is whole, and its names are tokens of another key.
    OtherKey,
}

impl From<Unfit> for Fault {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Format { .. } => Self::OtherVersion,
            Unfit::Key => Self::OtherKey,
            Unfit::Unreadable => Self::Damaged,
        }
    }
}

/// What loading has to say.
#[derive(Debug, Default)]
pub struct Loads {
    /// Whether an inventory was loaded.
    pub found: bool,
    /// Files that could not be used.
    pub unused: Vec<Unused>,
    /// What was read and found no room, or nothing to belong to.
    pub left_out: u64,
    /// States of detectors that another version wrote, or of detectors that are gone.
    pub outdated: u64,
}

/// A file of `state/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Inventory,
    Detectors,
    Rules,
    Incidents,
    Policies,
}

impl Part {
    pub(crate) const ALL: [Self; 5] =
        [Self::Inventory, Self::Detectors, Self::Rules, Self::Incidents, Self::Policies];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Detectors => "detectors",
            Self::Rules => "rules",
            Self::Incidents => "incidents",
            Self::Policies => "policies",
        }
    }
}

/// Where checkpoints are looked for.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// Of a directory that is written: what cannot be used is set aside.
    Own(&'a Checkpoints),
    /// Of a directory that is read.
    Read(&'a Reader),
}

impl Learned {
    /// Nothing.
    pub fn new(config: &Config) -> Self {
        Self {
            inventory: Inventory::new(config.inventory.clone()),
            detectors: Detectors::new(config.detect),
            groups: HeldGroups::default(),
            incidents: Incidents::new(config.detect),
            cases: Cases::default(),
        }
    }

    /// What was kept in a directory that is written. What cannot be used is set aside, and the run begins without it.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn load(checkpoints: &Checkpoints, config: &Config) -> Result<(Self, Loads), StoreError> {
        Self::from(Place::Own(checkpoints), config)
    }

    /// What was kept in a directory that another process may write. What cannot be used stays where it is.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn read(reader: &Reader, config: &Config) -> Result<(Self, Loads), StoreError> {
        Self::from(Place::Read(reader), config)
    }

    fn from(place: Place<'_>, config: &Config) -> Result<(Self, Loads), StoreError> {
        let (mut learned, mut loads) = (Self::new(config), Loads::default());
        let inventory = place.pieces(Part::Inventory, &mut loads, |pieces| {
            let mut loading = tapwire_inventory::state::Loading::new(config.inventory.clone());
            feed(pieces, |piece| loading.take(piece))?;
            Ok(loading.finish()?)
        })?;
        loads.found = inventory.is_some();
        learned.inventory = inventory.unwrap_or(learned.inventory);
        let detectors = place.pieces(Part::Detectors, &mut loads, |pieces| {
            let key = config.inventory.token_key.clone();
            let mut loading = tapwire_detect::Loading::new(config.detect, key);
            feed(pieces, |piece| loading.take(piece))?;
            Ok(loading.finish()?)
        })?;
        learned.detectors = detectors.unwrap_or(learned.detectors);
        if let Place::Own(_) = place {
            let groups = place.pieces(Part::Rules, &mut loads, |pieces| {
                let mut held = HeldGroups::default();
                feed(pieces, |piece| held.take(piece, &config.inventory.token_key))?;
                Ok(held.finish()?)
            })?;
            learned.groups = groups.unwrap_or_default();
        }
        let incidents = place.pieces(Part::Incidents, &mut loads, |pieces| {
            let key = config.inventory.token_key.clone();
            let mut loading = tapwire_detect::incidents::Loading::new(config.detect, key);
            feed(pieces, |piece| loading.take(piece))?;
            Ok(loading.finish()?)
        })?;
        learned.incidents = incidents.unwrap_or(learned.incidents);
        let cases = place.pieces(Part::Policies, &mut loads, |pieces| {
            let mut loading = tapwire_detect::policies::Loading::new(config.inventory.token_key.clone());
            feed(pieces, |piece| loading.take(piece))?;
            Ok(loading.finish()?)
        })?;
        learned.cases = cases.unwrap_or(learned.cases);
        Ok((learned, loads))
    }
}

/// Why a checkpoint whose checksum is right cannot be used.
enum Trouble {
    Unfit(Unfit),
    Store(StoreError),
}

impl From<Unfit> for Trouble {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

fn feed(pieces: &mut Pieces, mut take: impl FnMut(&[u8]) -> Result<(), Unfit>) -> Result<(), Trouble> {
    while let Some(piece) = pieces.next_piece().map_err(Trouble::Store)? {
        take(piece)?;
    }
    Ok(())
}

impl Place<'_> {
    /// What `read` makes of the checkpoint of that part, where there is one that can be used.
    fn pieces<T>(
        self,
        part: Part,
        loads: &mut Loads,
        read: impl FnOnce(&mut Pieces) -> Result<(T, Restored), Trouble>,
    ) -> Result<Option<T>, StoreError> {
        let loaded = match self {
            Self::Own(checkpoints) => checkpoints.load(part.name())?,
            Self::Read(reader) => reader.load(part.name())?,
        };
        let (fault, why) = match loaded {
            Loaded::Absent => return Ok(None),
            Loaded::Damaged { path, why } => {
                loads.unused.push(Unused { path, fault: Fault::Damaged, why: why.to_owned() });
                return Ok(None);
            }
            Loaded::Whole(mut pieces) => match read(&mut pieces) {
                Ok((whole, restored)) => {
                    loads.left_out += restored.left_out;
                    loads.outdated += restored.outdated;
                    return Ok(Some(whole));
                }
                Err(Trouble::Unfit(unfit)) => (unfit.into(), unfit.to_string()),
                Err(Trouble::Store(error)) => (Fault::Damaged, error.to_string()),
            },
        };
        let path = match self {
            Self::Own(checkpoints) => checkpoints.set_aside(part.name())?,
            Self::Read(reader) => reader.directory().join("state").join(part.name()),
        };
        loads.unused.push(Unused { path, fault, why });
        Ok(None)
    }
}
