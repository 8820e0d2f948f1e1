//! The key that turns identities into tokens.
//!
//! It is never random per run: one user has one token as long as the key stays. Making it is safe against a
//! second process that does the same: the key is written whole to a file of its own and then linked to its name,
//! which fails where the name is taken; both read what stands there.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{Directories, StoreError, files};

/// Its name, in the data directory and in the user's configuration directory.
pub(crate) const FILE: &str = "token.key";

const LENGTH: usize = 32;
/// More than any form of a key has.
const READ_MAX: u64 = 4096;

/// Where a key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `--token-key FILE`.
    Given,
    /// `token.key` in the data directory.
    Data,
    /// `token.key` in the user's configuration directory.
    User,
}

/// A key of 32 bytes. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey {
    bytes: [u8; LENGTH],
    /// Where it came from.
    pub origin: Origin,
    /// Its file.
    pub path: PathBuf,
    /// It was made just now.
    pub made: bool,
    /// Others than its owner can read the file: whoever has the key can test guesses against tokens.
    pub readable_by_others: bool,
}

impl TokenKey {
    /// The key itself, for the redaction only.
    pub fn bytes(&self) -> &[u8; LENGTH] {
        &self.bytes
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({:?}, {})", self.origin, self.path.display())
    }
}

/// The key in `given`; else that of the data directory, else that of the user. Of the last two one is made where
/// it is missing. `data` is made, for its owner only, where it does not exist.
///
/// # Errors
/// The file holds no key; it cannot be read or made; there is no place for one.
pub fn token_key(
    given: Option<&Path>,
    data: Option<&Path>,
    directories: &Directories,
) -> Result<TokenKey, StoreError> {
    if let Some(path) = given {
        return read(path, Origin::Given);
    }
    let (directory, origin) = match (data, &directories.config) {
        (Some(data), _) => (data, Origin::Data),
        (None, Some(config)) => (config.as_path(), Origin::User),
        (None, None) => return Err(StoreError::NoHome),
    };
    match read_or_make(directory, origin) {
        Err(cause) if origin == Origin::User => Err(StoreError::UserKey { cause: Box::new(cause) }),
        key => key,
    }
}

/// The key of a data directory. Where there is none, the runs that write there are given one.
pub(crate) fn of_directory(data: &Path) -> Result<TokenKey, StoreError> {
    let path = data.join(FILE);
    if path.exists() { read(&path, Origin::Data) } else { Err(StoreError::OtherKey { path }) }
}

fn read_or_make(directory: &Path, origin: Origin) -> Result<TokenKey, StoreError> {
    let path = directory.join(FILE);
    let made = !path.exists() && make(directory, &path)?;
    Ok(TokenKey { made, ..read(&path, origin)? })
}

fn read(path: &Path, origin: Origin) -> Result<TokenKey, StoreError> {
    let failed = |e: io::Error| StoreError::io("read the token key", path, &e);
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    let mut text = Vec::new();
    file.take(READ_MAX).read_to_end(&mut text).map_err(failed)?;
    let bytes = parse(&text, path)?;
    let path = path.to_owned();
    Ok(TokenKey { bytes, origin, path, made: false, readable_by_others: mode & 0o077 != 0 })
}

/// 32 raw bytes, or 64 hexadecimal digits with white space around.
fn parse(text: &[u8], path: &Path) -> Result<[u8; LENGTH], StoreError> {
    if let Ok(raw) = text.try_into() {
        return Ok(raw);
    }
    let digits = text.trim_ascii();
    if digits.len() != 2 * LENGTH {
        return Err(StoreError::KeyLength { path: path.to_owned(), found: text.len() as u64 });
    }
    let mut key = [0; LENGTH];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let value = pair.iter().try_fold(0, |value: u8, d| digit(*d).map(|d| value << 4 | d));
        *byte = value.ok_or_else(|| StoreError::KeyDigits { path: path.to_owned() })?;
    }
    Ok(key)
}

/// Whether it was this process that made the key.
fn make(directory: &Path, path: &Path) -> Result<bool, StoreError> {
    files::private_directory(directory)?;
    let failed = |e: &io::Error| StoreError::io("make the token key", path, e);
    let mut random = [0; LENGTH + 8];
    File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut random)).map_err(|e| failed(&e))?;
    let (key, own) = random.split_at(LENGTH);
    let unfinished = files::beside(path, &format!(".{}.new", hexadecimal(own)));
    let linked = write_new(&unfinished, &hexadecimal(key)).and_then(|()| fs::hard_link(&unfinished, path));
    // Left behind it would only be a key that nobody uses.
    let _removed = fs::remove_file(&unfinished);
    match linked {
        Ok(()) => files::sync_parent(path).map(|()| true).map_err(|e| failed(&e)),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.exists() => Ok(false),
        Err(e) => Err(failed(&e)),
    }
}

fn write_new(path: &Path, digits: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{digits}")?;
    file.sync_all()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn places(dir: &Path) -> Directories {
        Directories { config: Some(dir.join("config")), ..Directories::default() }
    }

    fn given(dir: &Path, content: &[u8]) -> Result<TokenKey, StoreError> {
        let path = dir.join("given");
        fs::write(&path, content).unwrap();
        token_key(Some(&path), None, &Directories::default())
    }

    #[test]
    fn a_given_key_is_64_digits_or_32_raw_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let raw: Vec<u8> = (0..32).collect();
        for content in [digits.as_bytes(), format!("{digits}\n").as_bytes(), &raw] {
            let key = given(dir.path(), content).unwrap();
            assert_eq!(
                (key.bytes().as_slice(), key.origin, key.made),
                (raw.as_slice(), Origin::Given, false)
            );
        }
    }

    #[test]
    fn what_is_no_key_is_named_with_its_length() {
        let dir = tempfile::tempdir().unwrap();
        for length in [0, 31, 33, 63, 65, 66] {
            let text = given(dir.path(), &vec![b'a'; length]).unwrap_err().to_string();
            assert!(text.contains(&format!("holds {length} bytes")), "{text}");
        }
        let text = given(dir.path(), &[b'x'; 64]).unwrap_err().to_string();
        assert!(text.contains("not all hexadecimal"), "{text}");
        assert!(token_key(Some(&dir.path().join("none")), None, &places(dir.path())).is_err());
    }

    #[test]
    fn a_missing_key_is_made_once_for_its_owner_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let user = token_key(None, None, &places(dir.path())).unwrap();
        assert_eq!((user.origin, user.made, user.readable_by_others), (Origin::User, true, false));
        let again = token_key(None, None, &places(dir.path())).unwrap();
        assert_eq!((again.bytes(), again.made), (user.bytes(), false));
        let data = token_key(None, Some(&dir.path().join("data")), &places(dir.path())).unwrap();
        assert_eq!((data.origin, data.made), (Origin::Data, true));
        assert_ne!(data.bytes(), user.bytes());
        for path in [user.path, data.path] {
            let directory = path.parent().unwrap().to_owned();
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is left beside the key");
            let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&directory), mode(&path)), (0o700, 0o600));
        }
    }

    #[test]
    fn processes_that_make_it_at_once_agree() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let places = places(dir.path());
            let keys: Vec<_> = std::thread::scope(|scope| {
                let start = || scope.spawn(|| token_key(None, None, &places).unwrap());
                let all: Vec<_> = (0..8).map(|_| start()).collect();
                all.into_iter().map(|t| t.join().unwrap()).collect()
            });
            assert_eq!(keys.iter().map(|k| *k.bytes()).collect::<HashSet<_>>().len(), 1);
            assert_eq!(keys.iter().filter(|k| k.made).count(), 1);
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_told_by_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        fs::write(&path, "0".repeat(64)).unwrap();
        for (mode, told) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let key = token_key(Some(&path), None, &Directories::default()).unwrap();
            assert_eq!(key.readable_by_others, told, "{mode:o}");
        }
    }

    #[test]
    fn without_a_home_it_says_what_to_give() {
        let text = token_key(None, None, &Directories::default()).unwrap_err().to_string();
        assert!(text.contains("--token-key") && text.contains("--data"), "{text}");
    }

    #[test]
    fn debug_shows_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let key = given(dir.path(), &[b'a'; 64]).unwrap();
        assert!(!format!("{key:?}").contains("170") && !format!("{key:?}").contains("aaaa"));
    }
}
