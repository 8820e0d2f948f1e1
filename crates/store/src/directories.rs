//! Where things are kept when the operator does not say.

use std::ffi::OsString;
use std::path::PathBuf;

/// The default places of this user. The XDG base directory specification, systemd's `STATE_DIRECTORY`, and for
/// root the system's own place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directories {
    /// State and events of `run`.
    pub data: Option<PathBuf>,
    /// The user's token key and configuration.
    pub config: Option<PathBuf>,
    /// What a person did, such as queries that were asked.
    pub state: Option<PathBuf>,
}

impl Directories {
    /// Those of the process's user and environment.
    pub fn from_env() -> Self {
        Self::resolve(nix::unistd::geteuid().is_root(), |name| std::env::var_os(name))
    }

    fn resolve(root: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        // The specification: a path that is not absolute is to be ignored.
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let home = absolute("HOME");
        let in_home = |xdg: &str, usual: &str| {
            let base = absolute(xdg).or_else(|| home.as_ref().map(|h| h.join(usual)));
            base.map(|b| b.join("tapwire"))
        };
        let system = root.then(|| PathBuf::from("/var/lib/tapwire"));
        let user = || in_home("XDG_DATA_HOME", ".local/share");
        Self {
            data: service_directory(variable("STATE_DIRECTORY")).or(system).or_else(user),
            config: in_home("XDG_CONFIG_HOME", ".config"),
            state: in_home("XDG_STATE_HOME", ".local/state"),
        }
    }
}

/// systemd lists several, with colons between.
fn service_directory(list: Option<OsString>) -> Option<PathBuf> {
    let list = list?.into_string().ok()?;
    list.split(':').map(PathBuf::from).find(|p| p.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(root: bool, variables: &[(&str, &str)]) -> (String, String) {
        let given = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
        let found = Directories::resolve(root, given);
        let text = |p: Option<PathBuf>| p.map_or("none".into(), |p| p.display().to_string());
        (text(found.data), text(found.config))
    }

    #[test]
    fn the_specified_places_in_their_order() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let home = ("HOME", "/home/ann");
        let user = pair("/home/ann/.local/share/tapwire", "/home/ann/.config/tapwire");
        assert_eq!(resolve(false, &[home]), user);
        let xdg = [home, ("XDG_DATA_HOME", "/d"), ("XDG_CONFIG_HOME", "/c")];
        assert_eq!(resolve(false, &xdg), pair("/d/tapwire", "/c/tapwire"));
        assert_eq!(resolve(false, &[home, ("XDG_DATA_HOME", "relative")]), user);
        assert_eq!(resolve(true, &[home]), pair("/var/lib/tapwire", "/home/ann/.config/tapwire"));
        assert_eq!(resolve(false, &[("STATE_DIRECTORY", "/var/lib/t:/b")]), pair("/var/lib/t", "none"));
        assert_eq!(resolve(false, &[]), pair("none", "none"));
    }
}
