//! A copy of the tables in a store: whole whatever breaks off, and true to what becomes of the tables.
#![cfg(feature = "lake")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tapwire_lake::{
    Answer, Cell, Content, Copied, Info, Lake, LakeError, Objects, Place, Policy, Reader, Round, Writable,
    copy, maintain,
};

const DAY_MS: i64 = 86_400_000;

/// Objects in memory that break off after so many writes.
#[derive(Default)]
struct Memory {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    left: Mutex<Option<u32>>,
    /// Pieces that were asked for.
    parts: AtomicUsize,
}

impl Memory {
    fn breaks_after(&self, writes: u32) {
        *self.left.lock().unwrap() = Some(writes);
    }

    fn write(&self) -> Result<(), String> {
        match self.left.lock().unwrap().as_mut() {
            Some(0) => Err("broken".into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The copy as a directory.
    fn unpacked(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in self.objects.lock().unwrap().iter() {
            let path = folder.path().join("lake").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn count(&self) -> i64 {
        count(self.unpacked().path())
    }

    fn names(&self, of: &str) -> usize {
        self.objects.lock().unwrap().keys().filter(|name| name.contains(of)).count()
    }
}

impl Objects for Memory {
    fn list(&self, begin: &str) -> Result<Vec<(String, u64)>, String> {
        let objects = self.objects.lock().unwrap();
        let all = objects.iter().filter(|(name, _)| name.starts_with(begin));
        Ok(all.map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.objects.lock().unwrap().get(name).cloned())
    }

    fn part(&self, name: &str, from: u64, bytes: u64) -> Result<Option<Vec<u8>>, String> {
        self.parts.fetch_add(1, Ordering::Relaxed);
        let (from, bytes) = (usize::try_from(from).unwrap(), usize::try_from(bytes).unwrap());
        Ok(self.objects.lock().unwrap().get(name).map(|all| all[from..all.len().min(from + bytes)].to_vec()))
    }
}

impl Writable for Memory {
    fn put(&self, name: &str, content: Content<'_>) -> Result<bool, String> {
        self.write()?;
        let bytes = match content {
            Content::Bytes(bytes) => bytes.to_vec(),
            Content::File(path) => match fs::read(path) {
                Ok(bytes) => bytes,
                Err(_) => return Ok(false),
            },
        };
        self.objects.lock().unwrap().insert(name.to_owned(), bytes);
        Ok(true)
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<bool, String> {
        self.write()?;
        let is_free = !self.objects.lock().unwrap().contains_key(name);
        if is_free {
            self.objects.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
        }
        Ok(is_free)
    }

    fn delete(&self, name: &str) -> Result<(), String> {
        self.write()?;
        self.objects.lock().unwrap().remove(name);
        Ok(())
    }
}

fn count(data: &Path) -> i64 {
    let mut found = 0;
    let mut take = |piece: Answer<'_>| {
        if let Answer::Row([Cell::Int(number)]) = piece {
            found = *number;
        }
        ControlFlow::Continue(())
    };
    Reader::open(data).unwrap().query("SELECT count(*) FROM exchanges", &mut take).unwrap();
    found
}

/// Writes so many files of a row each.
fn write(data: &Path, from: i64, files: i64) {
    let mut lake = Lake::open(data, 1).unwrap();
    for number in from..from + files {
        lake.write(&format!("{{\"time\":{number},\"class_uid\":6003}}\n")).unwrap();
        lake.commit().unwrap();
    }
}

/// A round whose clock is far ahead, so that nothing has a period of grace.
fn tidy(data: &Path) {
    let policy = Policy { days: BTreeMap::new(), bytes: 0, grace_ms: 0 };
    let now_ms = 4_102_444_800_000;
    let round = Round { policy: &policy, now_ms, memory: 1 << 22, dry: false, stop: &|| false };
    let done = maintain(data, &round).unwrap();
    assert_eq!(done.faults, Vec::<String>::new());
}

#[test]
fn a_copy_follows_its_tables_through_all_that_becomes_of_them() {
    let (data, to) = (tempfile::tempdir().unwrap(), Memory::default());
    write(data.path(), 0, 3);
    let first = copy(data.path(), &to).unwrap();
    assert!(first.commits >= 4 && first.files >= 3, "{first:?}");
    assert_eq!(to.count(), 3);
    assert_eq!(copy(data.path(), &to).unwrap(), Copied::default(), "nothing is written twice");
    // Enough for a checkpoint, for files that are put together and deleted, and for a shorter log.
    write(data.path(), DAY_MS, 30);
    copy(data.path(), &to).unwrap();
    assert_eq!(to.count(), 33);
    tidy(data.path());
    let before = to.names("exchanges/day=");
    copy(data.path(), &to).unwrap();
    assert_eq!((to.count(), to.names("exchanges/day=") > before), (33, true), "who reads goes on reading");
    tidy(data.path());
    let third = copy(data.path(), &to).unwrap();
    assert!(third.deleted > 0 && to.names("exchanges/day=") < before, "{third:?}");
    assert_eq!((to.count(), to.names("_last_checkpoint") > 0), (33, true));
    let here = fs::read_dir(data.path().join("lake/exchanges/_delta_log")).unwrap().count();
    assert_eq!(to.names("exchanges/_delta_log/"), here);
}

#[test]
fn a_copy_that_was_left_behind_goes_on_at_a_checkpoint() {
    let (data, to) = (tempfile::tempdir().unwrap(), Memory::default());
    write(data.path(), 0, 3);
    copy(data.path(), &to).unwrap();
    write(data.path(), 10, 30);
    tidy(data.path());
    write(data.path(), 50, 2);
    copy(data.path(), &to).unwrap();
    assert_eq!(to.count(), 35);
    let fresh = Memory::default();
    copy(data.path(), &fresh).unwrap();
    assert_eq!(fresh.count(), 35);
}

#[test]
fn wherever_a_copy_breaks_off_readers_see_whole_tables_and_the_next_ends_it() {
    let data = tempfile::tempdir().unwrap();
    write(data.path(), 0, 30);
    tidy(data.path());
    write(data.path(), 50, 3);
    for writes in 0..200 {
        let to = Memory::default();
        to.breaks_after(writes);
        let copied = copy(data.path(), &to);
        // The table, or what of it was committed: each row group behind a commit is there.
        if to.names("exchanges/_delta_log/") > 0 {
            assert!([30, 31, 32, 33].contains(&to.count()), "{writes}");
        }
        *to.left.lock().unwrap() = None;
        copy(data.path(), &to).unwrap();
        assert_eq!(to.count(), 33, "{writes}");
        if copied.is_ok() {
            return assert!(writes > 5);
        }
    }
    panic!("a copy takes no two hundred writes");
}

#[test]
fn a_place_takes_one_lake() {
    let (one, other, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Memory::default());
    write(one.path(), 0, 1);
    copy(one.path(), &to).unwrap();
    let mut lake = Lake::open(other.path(), 2).unwrap();
    lake.write("{\"time\":1,\"class_uid\":6003}\n").unwrap();
    lake.commit().unwrap();
    let refused = copy(other.path(), &to).unwrap_err().to_string();
    assert!(refused.contains("is no copy of this one"), "{refused}");
    // Somebody writes a commit beside: it is not overwritten.
    write(one.path(), 5, 1);
    to.objects
        .lock()
        .unwrap()
        .insert("exchanges/_delta_log/00000000000000000002.json".into(), b"{}".to_vec());
    let refused = copy(one.path(), &to).unwrap_err().to_string();
    assert!(refused.contains("00000000000000000002.json there is another's"), "{refused}");
    let there = to.objects.lock().unwrap().get("exchanges/_delta_log/00000000000000000002.json").cloned();
    assert_eq!(there.as_deref(), Some(&b"{}"[..]));
    let missing = copy(&one.path().join("none"), &to).unwrap_err().to_string();
    assert!(missing.contains("no lake is kept there"), "{missing}");
}

fn rows_of(reader: &Reader, query: &str) -> Result<Vec<Vec<Cell>>, LakeError> {
    let mut rows = Vec::new();
    let mut take = |piece: Answer<'_>| {
        if let Answer::Row(cells) = piece {
            rows.push(cells.to_vec());
        }
        ControlFlow::Continue(())
    };
    reader.query(query, &mut take).map(|()| rows)
}

#[test]
fn tables_in_a_store_answer_like_those_of_the_directory() {
    let data = tempfile::tempdir().unwrap();
    let store = Arc::new(Memory::default());
    let place = || Place::Store(Arc::clone(&store) as _);
    let Err(nothing) = Reader::open(place()) else { panic!("nothing is there") };
    assert!(nothing.to_string().contains("no tables are there"), "{nothing}");
    write(data.path(), 0, 30);
    copy(data.path(), store.as_ref()).unwrap();
    // With a checkpoint, too.
    let log = || {
        let reader = Reader::open(place()).unwrap();
        for query in [
            "SELECT * FROM exchanges ORDER BY time",
            "SELECT * FROM usage ORDER BY time",
            "SELECT event FROM events",
        ] {
            let ours = rows_of(&Reader::open(data.path()).unwrap(), query).unwrap();
            assert!(!ours.is_empty(), "{query}");
            assert_eq!(rows_of(&reader, query).unwrap(), ours, "{query}");
        }
        let (there, here) = (Info::of(place(), DAY_MS).unwrap(), Info::of(data.path(), DAY_MS).unwrap());
        assert_eq!(there, here);
    };
    log();
    tidy(data.path());
    copy(data.path(), store.as_ref()).unwrap();
    log();
    // A small file is one request, whatever is asked of it.
    let files = i64::try_from(Info::of(place(), DAY_MS).unwrap().tables[0].files).unwrap();
    store.parts.store(0, Ordering::Relaxed);
    let all = rows_of(&Reader::open(place()).unwrap(), "SELECT * FROM exchanges").unwrap();
    assert_eq!((all.len(), i64::try_from(store.parts.load(Ordering::Relaxed)).unwrap()), (30, files));
}

#[test]
fn a_file_that_is_gone_from_a_store_is_told() {
    let data = tempfile::tempdir().unwrap();
    let store = Arc::new(Memory::default());
    write(data.path(), 0, 2);
    copy(data.path(), store.as_ref()).unwrap();
    let reader = Reader::open(Place::Store(Arc::clone(&store) as _)).unwrap();
    store.objects.lock().unwrap().retain(|name, _| !name.ends_with(".zstd.parquet"));
    let error = rows_of(&reader, "SELECT uid FROM exchanges").unwrap_err().to_string();
    assert!(error.contains("was taken out while it was read"), "{error}");
    let name = store
        .objects
        .lock()
        .unwrap()
        .keys()
        .find(|name| name.contains("exchanges/_delta_log/"))
        .unwrap()
        .clone();
    store.objects.lock().unwrap().insert(name, b"{\n".to_vec());
    assert!(Reader::open(Place::Store(store)).is_err());
}
