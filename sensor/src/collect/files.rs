//! The sensors of a collector and what came of them, under `--data`.

use crate::failure::Failure;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tapwire_collect::{Keeper, Roll, Tally};
use tapwire_store::write_private;

const SENSORS: &str = "sensors.json";
const COUNTS: &str = "collected.json";

/// Where the sensors of that data directory are kept.
pub(super) fn sensors(data: &Path) -> PathBuf {
    data.join(SENSORS)
}

/// The sensors of that data directory; a file that cannot be read is no empty one.
pub(super) fn roll(data: &Path) -> Result<Roll, Failure> {
    let path = sensors(data);
    match fs::read_to_string(&path) {
        Ok(text) => Roll::of(&text).ok_or_else(|| {
            let path = path.display();
            Failure::new(format!(
                "{path}: this is no list of sensors; remove it and add them again: tapwire sensor add"
            ))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Roll::default()),
        Err(error) => Err(Failure::new(format!("{}: {error}", path.display()))),
    }
}

/// Changes them. Of two at once none is lost, or a sensor that was revoked could send again.
pub(super) fn change_roll<T>(
    data: &Path,
    change: impl FnOnce(&mut Roll) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let _alone = crate::stored::alone(data)?;
    let mut all = roll(data)?;
    let told = change(&mut all)?;
    keep_roll(data, &all)?;
    Ok(told)
}

/// Keeps them, in one piece, for the owner of the directory only.
fn keep_roll(data: &Path, roll: &Roll) -> Result<(), Failure> {
    Ok(write_private(&sensors(data), roll.text().as_bytes())?)
}

/// What came of each sensor, as the collector wrote it last.
pub(super) fn counts(data: &Path) -> BTreeMap<String, Tally> {
    let text = fs::read_to_string(data.join(COUNTS)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Writes it down.
#[cfg(feature = "lake")]
pub(super) fn keep_counts(data: &Path, counts: &BTreeMap<String, Tally>) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(counts).unwrap_or_default() + "\n";
    Ok(write_private(&data.join(COUNTS), text.as_bytes())?)
}

/// The sensors as they are kept now, read again where the file has changed.
#[cfg_attr(not(feature = "lake"), allow(dead_code, reason = "only a collector asks"))]
pub(super) struct Watched {
    data: PathBuf,
    held: Mutex<(Option<Mark>, Option<Arc<Roll>>)>,
}

/// What tells one state of the file from the next.
type Mark = (u64, i64, i64);

#[cfg_attr(not(feature = "lake"), allow(dead_code, reason = "only a collector asks"))]
impl Watched {
    pub(super) fn open(data: &Path) -> Result<Self, Failure> {
        let mark = mark(data);
        let roll = Arc::new(roll(data)?);
        Ok(Self { data: data.to_owned(), held: Mutex::new((mark, Some(roll))) })
    }
}

fn mark(data: &Path) -> Option<Mark> {
    let about = fs::metadata(sensors(data)).ok()?;
    Some((about.ino(), about.ctime(), about.ctime_nsec()))
}

impl Keeper for Watched {
    fn roll(&self) -> Option<Arc<Roll>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = mark(&self.data);
        if now != held.0 || held.1.is_none() {
            let read = roll(&self.data);
            // Said once, however many ask meanwhile.
            if let (Err(failure), Some(_)) = (&read, &held.1) {
                eprintln!("tapwire: {failure}; no sensor may send until it can be read");
            }
            *held = (now, read.ok().map(Arc::new));
        }
        held.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_collect::Place;

    fn add(data: &Path, name: &str) {
        let place = Place { name: name.into(), site: None, tenant: None };
        let enrol = |all: &mut Roll| Ok(all.enrol(place, 1, false, 0).is_ok());
        assert!(change_roll(data, enrol).unwrap());
    }

    #[test]
    fn of_two_who_change_sensors_at_once_none_is_lost() {
        let data = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let data = data.path();
                scope.spawn(move || (0..8).for_each(|at| add(data, &format!("s{thread}-{at}"))));
            }
        });
        assert_eq!(roll(data.path()).unwrap().iter(0).count(), 64);
    }

    #[test]
    fn sensors_are_those_that_are_kept_now() {
        let data = tempfile::tempdir().unwrap();
        let watched = Watched::open(data.path()).unwrap();
        let count = || watched.roll().map(|roll| roll.iter(0).count());
        assert_eq!(count(), Some(0));
        add(data.path(), "a");
        assert_eq!(count(), Some(1));
        add(data.path(), "b");
        assert_eq!(count(), Some(2));
        // Root may read every file, and no directory as one.
        fs::remove_file(data.path().join(SENSORS)).unwrap();
        fs::create_dir(data.path().join(SENSORS)).unwrap();
        assert_eq!((count(), count()), (None, None));
    }
}
