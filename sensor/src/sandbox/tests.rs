use super::*;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;

const FOLDER: &str = "TAPWIRE_TEST_SANDBOX";

/// Runs a test of this file in a process of its own: what is confined stays so.
fn alone(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["data", "rules", "other"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("file"), "kept").unwrap();
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("sandbox::tests::{test}"), "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&child.stderr)
    );
}

fn place(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER).unwrap()).join(name)
}

#[test]
fn files_outside_are_out_of_reach() {
    alone("confined_to_files");
}

#[test]
#[ignore = "run by files_outside_are_out_of_reach, in a process of its own"]
fn confined_to_files() {
    let reach = Reach::of_folders(&[place("rules")], &[place("data")]);
    let confined = confine(Sandbox::On, &reach).unwrap();
    if let Err(why) = &confined.files {
        return println!("skipped: {why}");
    }
    let denied = |kind: std::io::Result<File>| kind.unwrap_err().kind() == ErrorKind::PermissionDenied;
    let write = |name: &str| OpenOptions::new().write(true).create(true).truncate(false).open(place(name));
    assert_eq!(fs::read_to_string(place("rules/file")).unwrap(), "kept");
    assert!(denied(write("rules/file")) && denied(write("rules/new")));
    assert!(denied(File::open(place("other/file"))) && denied(write("other/new")));
    assert!(fs::remove_file(place("other/file")).is_err() && fs::read_dir(place("other")).is_err());
    assert!(fs::rename(place("other/file"), place("data/moved")).is_err());
    fs::create_dir(place("data/day")).unwrap();
    write("data/day/new").unwrap();
    fs::rename(place("data/day/new"), place("data/new")).unwrap();
    fs::remove_file(place("data/new")).unwrap();
    // Threads that are started later are no way out.
    let other = place("other/file");
    assert!(std::thread::spawn(move || denied(File::open(other))).join().unwrap());
    // Names are looked up, numbers of processors counted.
    assert!(fs::read("/etc/hosts").is_ok() && fs::read("/proc/self/cgroup").is_ok());
}

#[test]
fn calls_that_nothing_needs_are_refused() {
    alone("confined_to_calls");
}

#[test]
#[ignore = "run by calls_that_nothing_needs_are_refused, in a process of its own"]
fn confined_to_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Files are left as they are, so that nothing else can be why a program does not start.
    let before = std::thread::spawn(move || {
        std::thread::park();
        Command::new("/bin/true").status().is_err()
    });
    if let Err(why) = calls::confine(&Reach::default()) {
        return println!("skipped: {why}");
    }
    assert_eq!(Command::new("/bin/true").status().unwrap_err().kind(), ErrorKind::PermissionDenied);
    before.thread().unpark();
    assert!(before.join().unwrap(), "a thread that ran already starts a program");
    assert!(std::thread::spawn(|| 1 + 1).join().is_ok(), "threads still start");
    assert!(nix::unistd::setuid(nix::unistd::getuid()).is_err());
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::PermissionDenied);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
}

#[test]
fn connections_go_to_the_ports_of_outputs() {
    alone("confined_to_ports");
}

#[test]
#[ignore = "run by connections_go_to_the_ports_of_outputs, in a process of its own"]
fn confined_to_ports() {
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (known, other) = (listen(), listen());
    let reach = Reach::of_ports(&[known.local_addr().unwrap().port()]);
    let version = match confine(Sandbox::On, &reach).unwrap().files {
        Ok(version) => version.parse::<u32>().unwrap_or(u32::MAX),
        Err(why) => return println!("skipped: {why}"),
    };
    assert!(TcpStream::connect(known.local_addr().unwrap()).is_ok());
    if version < 4 {
        return println!("skipped: landlock {version} knows no ports");
    }
    assert!(TcpStream::connect(other.local_addr().unwrap()).is_err());
    assert!(TcpListener::bind("127.0.0.1:0").is_err());
}

#[test]
fn what_is_missing_is_said() {
    let told = |files: Result<&str, &str>, calls: Result<(), &str>| {
        let files = files.map(str::to_owned).map_err(str::to_owned);
        Confined { files, calls: calls.map_err(str::to_owned) }.to_string()
    };
    assert_eq!(told(Ok("7"), Ok(())), "sandbox: files by landlock 7, calls by seccomp");
    let neither = told(Err("too old"), Err("not on this processor"));
    assert_eq!(
        neither,
        "sandbox: files are not confined (too old), calls are not confined (not on this processor)"
    );
    assert!(confine(Sandbox::Off, &Reach::default()).is_none());
}
