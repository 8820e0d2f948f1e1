//! What the tests of the whole product share: where things are, and how the real binary is run.

mod following;

pub use following::Following;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

/// 32 bytes in hexadecimal that protect nothing: whoever has the tree has the tokens of its fixtures.
const TOKEN_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

/// The root of the workspace.
///
/// # Panics
/// When this package has been moved out of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in a folder of the workspace")
}

/// Every file below `folder` that `keep` accepts, sorted, so that a test reads them in one order everywhere.
///
/// # Panics
/// When a folder cannot be read.
#[must_use]
pub fn files_below(folder: &Path, keep: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = std::fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display()));
        for entry in entries {
            let path = entry.expect("an entry of a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if keep(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The `tapwire` that the same build made: it stands beside the folder of the running test.
///
/// # Panics
/// When it has not been built; the message says how.
#[must_use]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test");
    let folder = test.parent().and_then(Path::parent).expect("a test runs from PROFILE/deps");
    let found = folder.join("tapwire");
    assert!(found.is_file(), "{} is missing; build it first: cargo build --workspace", found.display());
    found
}

/// One capture of `fixtures/`, with what is expected of it.
#[derive(Debug)]
pub struct Fixture {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The capture's file name within the folder.
    pub capture: String,
}

impl Fixture {
    /// The capture.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.capture)
    }

    /// Further arguments of every replay, one a line of the folder's file `args`: paths in them are within the folder.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("args")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The events that a replay of the capture gives, byte for byte.
    #[must_use]
    pub fn expected(&self) -> PathBuf {
        self.folder.join("expected.jsonl")
    }
}

/// Every folder of `fixtures/` that holds a capture.
///
/// # Panics
/// When there is none, which would make every test over them pass.
#[must_use]
pub fn fixtures() -> Vec<Fixture> {
    let is_capture = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("in.pcap")
    };
    let found: Vec<Fixture> = files_below(&workspace().join("fixtures"), &is_capture)
        .into_iter()
        .map(|path| {
            let folder = path.parent().expect("a file stands in a folder").to_owned();
            Fixture { name: text(folder.file_name()), capture: text(path.file_name()), folder }
        })
        .collect();
    assert!(!found.is_empty(), "fixtures/ holds no capture");
    found
}

fn text(name: Option<&std::ffi::OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// Writes the key that the expected events were made with into a folder, readable by nobody else.
///
/// # Panics
/// When it cannot be written.
#[must_use]
pub fn token_key(folder: &Path) -> PathBuf {
    let path = folder.join("token.key");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&path).expect("a file for the key");
    file.write_all(TOKEN_KEY.as_bytes()).expect("the key can be written");
    path
}

/// A run of the real binary in a home of its own, with the tests' token key.
#[derive(Debug)]
pub struct Tapwire {
    home: tempfile::TempDir,
    command: Command,
}

/// A replay of standard input into a data directory, which goes on until the pipe is closed.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn replay_of_a_pipe(data: &Path) -> (Child, ChildStdin) {
    let mut command = Command::new(binary());
    command.args(["replay", "-", "-q", "--events", "null://", "--data"]).arg(data).env("HOME", data);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("tapwire can be started");
    let input = child.stdin.take().expect("a pipe");
    (child, input)
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
    /// The run's own folder, removed with this value.
    pub home: tempfile::TempDir,
}

impl Tapwire {
    /// The binary with these arguments.
    ///
    /// # Panics
    /// When the binary is missing, or no folder can be made.
    #[must_use]
    pub fn new<I: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = I>) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        Self { home, command }
    }

    /// A replay of a fixture, run from its folder, so that no path of this machine is in the events.
    #[must_use]
    pub fn replay(fixture: &Fixture) -> Self {
        Self::new(["replay", &fixture.capture]).key().within(fixture)
    }

    /// In a fixture's folder, with its further arguments.
    #[must_use]
    pub fn within(mut self, fixture: &Fixture) -> Self {
        self.command.args(fixture.arguments());
        self.folder(&fixture.folder)
    }

    /// With that working directory.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// With the key that the expected events were made with.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn key(self) -> Self {
        let key = token_key(self.home.path());
        self.args(["--token-key".as_ref(), key.as_os_str()])
    }

    /// With more arguments.
    #[must_use]
    pub fn args<I: AsRef<std::ffi::OsStr>>(mut self, arguments: impl IntoIterator<Item = I>) -> Self {
        self.command.args(arguments);
        self
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With a file as its standard input.
    ///
    /// # Panics
    /// When the file cannot be opened.
    #[must_use]
    pub fn input(mut self, file: &Path) -> Self {
        self.command.stdin(std::fs::File::open(file).expect("the input can be opened"));
        self
    }

    /// The run's own folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(mut self) -> Ran {
        let Output { status, stdout, stderr } = self.command.output().expect("tapwire can be started");
        Ran {
            code: status.code(),
            stdout,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            home: self.home,
        }
    }
}

impl Ran {
    /// The same, for a run that has to succeed.
    ///
    /// # Panics
    /// When it did not end with exit code 0; the message shows standard error.
    #[must_use]
    pub fn ok(self, what: &str) -> Self {
        assert_eq!(self.code, Some(0), "{what}: {}", self.stderr);
        self
    }

    /// Standard output as JSON, one value a line.
    ///
    /// # Panics
    /// When a line is not JSON.
    #[must_use]
    pub fn events(&self) -> Vec<serde_json::Value> {
        let text = std::str::from_utf8(&self.stdout).expect("events are UTF-8");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}
