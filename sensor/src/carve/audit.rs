//! Who carved what, when and where to: one line for each file.

use super::choose::Chosen;
use super::write::Written;
use crate::cli::CarveArgs;
use crate::failure::Failure;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use tapwire_store::AuditLog;

/// Uids in a line; beyond that their number is enough.
const MAX_UIDS: usize = 100;

/// Where the line goes. What cannot be recorded is not disclosed.
pub(crate) enum Audit {
    /// A log that is open before anything leaves.
    Log(AuditLog),
    /// A log beside the file that is written, opened before that has its name: of a carving that fails before, none is left.
    Beside(PathBuf),
    /// The packets go to standard output, and there is no place beside it.
    StandardError,
}

impl Audit {
    pub(crate) fn open(args: &CarveArgs) -> Result<Self, Failure> {
        Ok(match &args.data {
            Some(data) => Self::Log(AuditLog::open(&data.join("audit.jsonl"))?),
            None if args.out.as_os_str() == "-" => Self::StandardError,
            None => Self::Beside(beside(&args.out)),
        })
    }

    /// Appends the line of what was written.
    pub(crate) fn record(
        self,
        args: &CarveArgs,
        chosen: &Chosen,
        sources: &[PathBuf],
        written: &Written,
    ) -> Result<(), Failure> {
        let uids: Vec<String> = chosen.spots.iter().take(MAX_UIDS).map(|spot| spot.uid.to_string()).collect();
        let user = nix::unistd::getuid();
        let line = json!({
            "time": jiff::Timestamp::now().to_string(),
            "action": "carve",
            "user_id": user.as_raw(),
            "user": nix::unistd::User::from_uid(user).ok().flatten().map(|user| user.name),
            "asked": args.words.iter().take(MAX_UIDS).collect::<Vec<_>>(),
            "where": args.filter,
            "exact": args.exact,
            "exchanges": chosen.spots.len(),
            "wordless_connections": chosen.wordless.connections.len(),
            "uids": uids,
            "sources": sources.iter().take(MAX_UIDS).map(|path| absolute(path)).collect::<Vec<_>>(),
            "output": absolute(&args.out),
            "packets": written.packets,
            "bytes": written.bytes,
            "sha256": written.sha256,
        });
        let line = format!("{line}\n");
        let recorded = match self {
            Self::Log(mut log) => log.append(line.as_bytes()),
            Self::Beside(path) => AuditLog::open(&path).and_then(|mut log| log.append(line.as_bytes())),
            Self::StandardError => return Ok(std::io::stderr().write_all(line.as_bytes())?),
        };
        recorded.map_err(|error| match args.out.as_os_str() == "-" {
            true => error.into(),
            false => {
                Failure::new(format!("{error}; what cannot be recorded is not kept, so nothing was carved"))
            }
        })
    }
}

fn beside(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".audit.jsonl");
    name.into()
}

fn absolute(path: &Path) -> String {
    let whole = if path.as_os_str() == "-" { Ok(path.to_owned()) } else { std::path::absolute(path) };
    whole.unwrap_or_else(|_| path.to_owned()).display().to_string()
}
