//! Landlock: which files and ports can be reached.

use super::Reach;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use std::path::Path;

/// What is asked for where the kernel has it. Version 3 knows truncation, 4 ports.
const ASKED: ABI = ABI::V4;

/// Version 1 would forbid every move of a file from one folder to another, within `--data`, too.
const LEAST: &str = "landlock needs Linux 5.19, switched on";

/// Confines the thread. Answers with landlock's version.
pub(super) fn confine(reach: &Reach) -> Result<String, String> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)
        .map_err(|_| LEAST.to_owned())?;
    restrict(ruleset, reach).map_err(|error| error.to_string())?
}

fn restrict(ruleset: Ruleset, reach: &Reach) -> Result<Result<String, String>, RulesetError> {
    let mut ruleset = ruleset
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ASKED))?
        .handle_access(AccessNet::BindTcp)?;
    if reach.ports().is_some() {
        ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut created = ruleset.create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    reach.readable().for_each(|path| allow(&mut created, path, read));
    // No programs, no devices.
    let write = AccessFs::from_all(ASKED) & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock);
    reach.writable().for_each(|path| allow(&mut created, path, write));
    for port in reach.ports().unwrap_or_default() {
        created = created.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    let status = created.restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::NotEnforced => Err(LEAST.to_owned()),
        _ => Ok(ABI::from(status.landlock).to_string()),
    })
}

/// What is not there, or cannot be opened by this user, cannot be read later either.
fn allow(created: &mut RulesetCreated, path: &Path, access: BitFlags<AccessFs>) {
    if let Ok(place) = PathFd::new(path) {
        // A pipe takes no rule, and needs none.
        let _unfit = created.add_rule(PathBeneath::new(place, access));
    }
}
