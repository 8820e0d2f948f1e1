//! Programs and packages of others that tests are held against, and what is said where there are none.
//!
//! `./dev test` installs them and sets `TAPWIRE_REQUIRED=1`: then a peer that is missing fails its test, so that no test passes
//! for years without having run. Without that word the test says that it is skipped, and passes.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Programs of Debian that `./dev test` installs; what else is missing is a skipped test everywhere.
const INSTALLED: &[&str] =
    &["ip", "tcpdump", "curl", "python3", "nginx", "strace", "chromedriver", "openssl", "zstd"];

/// Says that a test, or a part of it, does not run here, where no installing would help: rights, a kernel, a corpus.
pub fn skipped(why: &str) {
    // Not by a macro: what those print of a test that passes is not shown.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// Says that a peer is missing which `./dev test` installs; where peers are required, that is a failure.
pub fn missing(peer: &str) {
    let required = std::env::var_os("TAPWIRE_REQUIRED").is_some_and(|word| word == "1");
    assert!(!required, "{peer}, and TAPWIRE_REQUIRED=1 asks for it; `./dev test` installs it");
    skipped(peer);
}

/// The folder of packages that a variable of the environment names; `None`, with a word, where it names none with `what`.
#[must_use]
pub fn packages(variable: &str, what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        missing(&format!("{variable} names no folder with {what}"));
    }
    folder
}

/// Whether a program is installed; says so where not.
#[must_use]
pub fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
    });
    if !found {
        lacks(program);
    }
    found
}

/// Says that a program could not be started because it is not installed.
pub fn lacks(program: &str) {
    let why = format!("{program} is not installed");
    if INSTALLED.contains(&program) { missing(&why) } else { skipped(&why) }
}
