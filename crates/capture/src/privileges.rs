//! Gives up what opening an interface needed.

use caps::CapSet;
use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Gid, Uid, User, geteuid, setgroups, setresgid, setresuid};

use crate::SourceError;

/// The user that owns nothing, unless the operator names another.
const DEFAULT_USER: &str = "nobody";

/// What was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The user that the process runs as now, when that changed.
    pub user: Option<String>,
    /// Whether there were capabilities to clear.
    pub capabilities: bool,
}

/// Gives up root for `user`, by default `nobody`, and every capability, for good.
///
/// Call it after interfaces are open and before threads start: capabilities belong to threads. Files that are opened
/// later must be open to that user. A run on capture files needs no privileges and never calls this.
///
/// # Errors
/// When there is no such user, or the system refuses. The process should end then.
pub fn drop_privileges(user: Option<&str>) -> Result<Dropped, SourceError> {
    let root = geteuid().is_root();
    let capabilities =
        !caps::read(None, CapSet::Permitted).map_err(|error| failed("capabilities", &error))?.is_empty();
    let user = if root { Some(become_user(user.unwrap_or(DEFAULT_USER))?) } else { None };
    if capabilities {
        clear_capabilities()?;
    }
    set_no_new_privs().map_err(|error| failed("no_new_privs", &error))?;
    Ok(Dropped { user, capabilities })
}

/// Groups first: without root they could not be changed any more.
fn become_user(name: &str) -> Result<String, SourceError> {
    let user = User::from_name(name).map_err(|error| failed("users", &error))?;
    let user =
        user.ok_or_else(|| failed("user", &format!("there is no user {name}; name one that exists")))?;
    let (uid, gid): (Uid, Gid) = (user.uid, user.gid);
    setgroups(&[gid]).map_err(|error| failed("setgroups", &error))?;
    setresgid(gid, gid, gid).map_err(|error| failed("setresgid", &error))?;
    setresuid(uid, uid, uid).map_err(|error| failed("setresuid", &error))?;
    Ok(user.name)
}

/// The kernel clears them when root becomes another user; not for a program that got them by `setcap`.
fn clear_capabilities() -> Result<(), SourceError> {
    for set in [CapSet::Ambient, CapSet::Effective, CapSet::Inheritable, CapSet::Permitted] {
        caps::clear(None, set).map_err(|error| failed("capabilities", &error))?;
    }
    Ok(())
}

fn failed(what: &str, why: &dyn std::fmt::Display) -> SourceError {
    SourceError::Privileges { message: format!("{what}: {why}") }
}
