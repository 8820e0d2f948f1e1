//! Gives what a tap writes to the user that it is about to become.

use crate::failure::Failure;
use nix::unistd::{AccessFlags, User, access, geteuid};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};
use tapwire_capture::drop_privileges;

/// Becomes `user` where the process is root, and gives up every capability. `data` and what is in it belong to that user
/// from then on, because its files are opened as days begin. Answers with the user's name when that changed.
pub(crate) fn become_user(user: &str, data: Option<&Path>) -> Result<Option<String>, Failure> {
    if let (true, Some(data)) = (geteuid().is_root(), data) {
        give(data, user)?;
    }
    let dropped = drop_privileges(Some(user))?;
    if let (Some(user), Some(data)) = (&dropped.user, data) {
        check_reach(data, user)?;
    }
    Ok(dropped.user)
}

/// Files that a rotation would have to rename where `user` may not: told at the start, not days later.
pub(crate) fn unrotatable(files: &[PathBuf]) -> Option<&PathBuf> {
    files.iter().find(|file| {
        let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        file.is_file() && access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_err()
    })
}

fn give(data: &Path, user: &str) -> Result<(), Failure> {
    let known = User::from_name(user).map_err(|error| Failure::new(format!("user {user}: {error}")))?;
    // An unknown name is said by whoever is asked to become it.
    let Some(known) = known else { return Ok(()) };
    give_all(data, known.uid.as_raw(), known.gid.as_raw())
        .map_err(|error| Failure::new(format!("{}: cannot be given to user {user}: {error}", data.display())))
}

/// Symbolic links are not followed, and a file with a second name is left alone: somebody who can write here must not get
/// at files elsewhere.
fn give_all(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let about = fs::symlink_metadata(path)?;
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            give_all(&entry?.path(), uid, gid)?;
        }
    }
    let ours = about.is_dir() || about.is_file() && about.nlink() == 1;
    if ours && (about.uid(), about.gid()) != (uid, gid) {
        lchown(path, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// A folder above may be closed to that user.
fn check_reach(data: &Path, user: &str) -> Result<(), Failure> {
    access(data, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK).map_err(|_| {
        let closed = data.ancestors().skip(1).filter(|folder| access(*folder, AccessFlags::X_OK).is_err()).last();
        let closed = closed.map_or(data, |folder| folder).display();
        Failure::new(format!(
            "--data {}: user {user}, which the sensor becomes, cannot get there: {closed} is closed to it. Choose another \
             directory, open it (chmod o+x {closed}), or name another user with --set capture.user=USER",
            data.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_out_of_the_directory_are_not_followed() {
        if !geteuid().is_root() {
            return;
        }
        let root = std::env::temp_dir().join(format!("tapwire-handover-{}", std::process::id()));
        let (data, outside) = (root.join("data"), root.join("outside"));
        fs::create_dir_all(data.join("events")).unwrap();
        fs::write(&outside, "").unwrap();
        fs::write(data.join("events/day"), "").unwrap();
        fs::write(data.join("alone"), "").unwrap();
        symlink(&outside, data.join("link")).unwrap();
        fs::hard_link(&outside, data.join("second-name")).unwrap();
        give_all(&data, 65_534, 65_534).unwrap();
        let owner = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
        let owners = ["", "events", "events/day", "alone"].map(|name| owner(&data.join(name)));
        let outside = owner(&outside);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(owners, [65_534; 4]);
        assert_eq!(outside, 0);
    }
}
