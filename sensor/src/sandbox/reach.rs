//! What a command still needs when it runs.

#[cfg(feature = "lake")]
use crate::cli::CollectArgs;
use crate::cli::{ConfigArgs, KeyArgs, LearnArgs, SenseArgs};
use crate::settings::{Effective, file_of};
use nix::unistd::geteuid;
use std::path::{Path, PathBuf};
use tapwire_keys::Address;
use tapwire_sink::Reach as SinkReach;
use tapwire_store::Directories;

/// What the C library and the runtime read: shared libraries of name look-ups, processors, limits, interfaces.
const SYSTEM: &[&str] = &[
    "/usr",
    "/lib",
    "/lib64",
    "/proc",
    "/sys/class/net",
    "/sys/devices",
    "/sys/fs/cgroup",
    "/dev/null",
    "/dev/urandom",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/nix/store",
    "/gnu/store",
];

/// What root may read of /etc. Other users may read there what is open to them, so that files that are replaced stay readable:
/// landlock knows files, not names.
const NAMES: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/passwd",
    "/etc/group",
    "/etc/tapwire",
];

/// Folders under `--data`.
const ROOMS: &[&str] = &["events", "lake", "packets", "spool", "state"];

/// DNS, where an answer is too long for a datagram.
const DNS: u16 = 53;

/// Files and ports that stay within reach, beside those of the system.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    network: Network,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Network {
    #[default]
    None,
    Ports(Vec<u16>),
    Any,
}

impl Reach {
    /// Of `run` and `replay`: `destinations` are those of the command line.
    pub(crate) fn sensing(
        args: &SenseArgs,
        effective: &Effective,
        data: Option<&Path>,
        destinations: &[String],
    ) -> Self {
        let settings = &effective.settings;
        let mut reach = Self::looking(&args.config, effective).keys(&args.keys).data(data);
        reach.read.extend(args.rules.iter().chain(&args.proto).map(|path| folder(path)));
        args.openapi.iter().for_each(|given| reach.describe(given));
        reach.read.extend(args.token_key.clone());
        for destination in destinations.iter().chain(settings.output.iter().map(|output| &output.to)) {
            reach.output(destination);
        }
        reach
    }

    /// Of `serve`: what a run keeps is read again and again, and people carve, mute and judge.
    pub(crate) fn serving(args: &LearnArgs, effective: &Effective, data: Option<&Path>) -> Self {
        let mut reach = Self::looking(&args.config, effective).keys(&args.keys).data(data);
        args.openapi.iter().for_each(|given| reach.describe(given));
        reach.read.extend(args.token_key.clone());
        reach.captures(&args.paths).console()
    }

    /// Of what reads captures, or what a run kept, once.
    pub(crate) fn reading(
        args: &ConfigArgs,
        keys: &KeyArgs,
        effective: &Effective,
        data: Option<&Path>,
    ) -> Self {
        Self::looking(args, effective).keys(keys).data(data)
    }

    /// With this file to be written, and what is written beside it.
    pub(crate) fn writing(mut self, file: &Path) -> Self {
        self.write.push(folder(file));
        self
    }

    /// Of `collect`: sensors are enrolled and revoked in its directory while it goes on.
    #[cfg(feature = "lake")]
    pub(crate) fn collecting(args: &CollectArgs, effective: &Effective, data: &Path) -> Self {
        let mut reach = Self::looking(&args.config, effective).data(Some(data));
        reach.read.extend(args.token_key.clone());
        args.kafka.iter().for_each(|url| reach.output(url));
        reach.console()
    }

    /// Of `doctor`, and of everything else: what the configuration names.
    pub(crate) fn looking(args: &ConfigArgs, effective: &Effective) -> Self {
        let mut reach = Self::default();
        let settings = &effective.settings;
        let file = file_of(args);
        let named = file.iter().chain(&settings.context.files).chain(&settings.rules);
        reach.read.extend(named.chain(&settings.inspect.proto).map(|path| folder(path)));
        // Versions to come are taken up while it runs, the first one, too.
        let content = Some(&settings.content.folder).filter(|folder| !folder.as_os_str().is_empty());
        reach.read.extend(content.map(|content| folder(content)));
        settings.openapi.iter().for_each(|given| reach.describe(given));
        reach
    }

    /// With the console beside it, which looks for the token key where a run does.
    pub(crate) fn console(mut self) -> Self {
        self.read.extend(Directories::from_env().config);
        self
    }

    /// With these captures, and the targets of links in their folders.
    pub(crate) fn captures(mut self, paths: &[PathBuf]) -> Self {
        for path in paths {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
            self.read.extend(entries.filter(|entry| entry.is_symlink()));
            self.read.push(path.clone());
        }
        self
    }

    /// With that directory, also where a room of it is a link to another disk.
    fn data(mut self, data: Option<&Path>) -> Self {
        let rooms = data.into_iter().flat_map(|data| ROOMS.iter().map(|room| data.join(room)));
        self.write.extend(rooms.filter(|room| room.is_symlink() && room.is_dir()));
        self.write.extend(data.map(Path::to_owned));
        self
    }

    fn keys(mut self, args: &KeyArgs) -> Self {
        self.read.extend(args.rsa_key.iter().cloned());
        for address in args.keylog.iter().filter_map(|text| text.parse().ok()) {
            match address {
                Address::File(path) | Address::Fifo(path) => self.read.push(folder(&path)),
                // It is removed at the end.
                Address::Unix(path) => self.write.push(folder(&path)),
                Address::Tls(..) => {}
            }
        }
        self
    }

    /// `FILE`, `FOLDER` or `SERVICE=FILE`.
    fn describe(&mut self, given: &str) {
        let file = given.split_once('=').map(|(_, file)| file);
        self.read.extend([Some(given), file].into_iter().flatten().map(|path| folder(Path::new(path))));
    }

    fn output(&mut self, destination: &str) {
        match crate::outputs::file_of(destination) {
            // It is open; what else is done there is to put it aside and begin anew.
            Some(file) => self.write.push(folder(&file)),
            None => match tapwire_sink::reach(destination) {
                Ok(SinkReach::Port(port)) => self.network.add(port),
                Ok(SinkReach::Any) => self.network = Network::Any,
                Ok(SinkReach::None) if destination.starts_with("syslog") => self.network.add(DNS),
                Ok(SinkReach::None) | Err(_) => {}
            },
        }
    }

    pub(super) fn readable(&self) -> impl Iterator<Item = &Path> {
        let names = if geteuid().is_root() { NAMES } else { &["/etc"] };
        let system = SYSTEM.iter().chain(names).map(Path::new);
        system.chain(self.read.iter().map(PathBuf::as_path))
    }

    pub(super) fn writable(&self) -> impl Iterator<Item = &Path> {
        self.write.iter().map(PathBuf::as_path).chain([Path::new("/dev/null")])
    }

    /// To which connections may go; `None`: to all.
    pub(super) fn ports(&self) -> Option<&[u16]> {
        match &self.network {
            Network::None => Some(&[]),
            Network::Ports(ports) => Some(ports),
            Network::Any => None,
        }
    }

    #[cfg(test)]
    pub(super) fn of_folders(read: &[PathBuf], write: &[PathBuf]) -> Self {
        Self { read: read.to_vec(), write: write.to_vec(), network: Network::None }
    }

    #[cfg(test)]
    pub(super) fn of_ports(ports: &[u16]) -> Self {
        Self { network: Network::Ports(ports.to_vec()), ..Self::default() }
    }

    pub(super) fn has_network(&self) -> bool {
        self.network != Network::None
    }
}

impl Network {
    fn add(&mut self, port: u16) {
        match self {
            Self::None => *self = Self::Ports(vec![DNS, port]),
            Self::Ports(ports) => ports.push(port),
            Self::Any => {}
        }
    }
}

/// The folder in which a file is replaced when somebody edits it; never all of the file system.
fn folder(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if parent == Path::new("/") => path.to_owned(),
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_reached_in_its_folder() {
        let folders =
            ["/etc/tapwire/rules.yml", "rules.yml", "/rules.yml", "/usr"].map(|path| folder(Path::new(path)));
        assert_eq!(folders, ["/etc/tapwire", ".", "/rules.yml", "/usr"].map(PathBuf::from));
    }

    #[test]
    fn a_room_on_another_disk_is_within_reach() {
        let (data, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let data = data.path();
        for name in ["lake", "other"] {
            std::os::unix::fs::symlink(disk.path(), data.join(name)).unwrap();
        }
        std::fs::create_dir(data.join("events")).unwrap();
        let reach = Reach::default().data(Some(data));
        let written: Vec<&Path> = reach.writable().collect();
        assert_eq!(written, [data.join("lake").as_path(), data, Path::new("/dev/null")]);
    }

    #[test]
    fn ports_are_those_of_outputs() {
        let ports = |destinations: &[&str]| {
            let mut reach = Reach::default();
            destinations.iter().for_each(|destination| reach.output(destination));
            reach.ports().map(<[u16]>::to_vec)
        };
        assert_eq!(ports(&["-", "events.ndjson", "null://"]), Some(vec![]));
        assert_eq!(ports(&["https://siem.test/in", "syslog+tls://log.test"]), Some(vec![53, 443, 6514]));
        assert_eq!(ports(&["syslog+udp://log.test"]), Some(vec![53, 53]));
        assert_eq!(ports(&["hec+http://siem.test:8088", "kafka://broker.test/t"]), None);
    }
}
