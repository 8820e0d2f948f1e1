//! `version`: which build this is, and what it was made of.

use crate::failure::{Exit, Failure};
use crate::paper::{Paper, print};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Every crate that may be in the program, with its sum: the list of components is made of the same file.
const LOCK: &[u8] = include_bytes!("../../Cargo.lock");

/// What a build may have or lack.
const FEATURES: [(&str, bool); 2] = [("lake", cfg!(feature = "lake")), ("sigma", cfg!(feature = "sigma"))];

/// `tapwire version`.
pub(crate) fn version(as_json: bool) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let features: Vec<&str> = FEATURES.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let lock = crate::case::hex(&Sha256::digest(LOCK));
    if as_json {
        let line = json!({"version": version, "features": features, "target": target, "lock_sha256": lock});
        print(&format!("{line}\n"), true)?;
        return Ok(Exit::Done);
    }
    let mut paper = Paper::new(true);
    paper.row("tapwire", version);
    paper.row("features", &if features.is_empty() { "none".to_owned() } else { features.join(", ") });
    paper.row("for", &target);
    paper.row("made of", &format!("Cargo.lock with SHA-256 {lock}"));
    print(&paper.into_text(), true)?;
    Ok(Exit::Done)
}
