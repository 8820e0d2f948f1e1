//! What an operator reads when something is wrong: what, where, and what to try.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tapwire_capture::{InterfaceSource, SourceError, drop_privileges, open_files};
use tempfile::TempDir;

use crate::samples::{packets, plain};

/// The error of opening a file with these bytes.
fn refusal(bytes: &[u8], filter: Option<&str>) -> String {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("in.pcap");
    fs::write(&path, bytes).unwrap();
    let error = open_files(&[path], filter).err().unwrap();
    error.to_string().replace(&dir.path().display().to_string(), "DIR")
}

#[test]
fn no_such_file() {
    let error = open_files(&[PathBuf::from("/nowhere/x.pcap")], None).err().unwrap();
    assert_eq!(error.to_string(), "/nowhere/x.pcap: no such file or directory");
}

#[test]
fn not_a_capture_says_what_it_is() {
    let hint = "; give a pcap or pcapng file, plain, gzip or zstd";
    for (bytes, looks_like) in [
        (&b"{\"a\":1}"[..], "JSON"),
        (b"GET / HTTP/1.1\r\n", "text"),
        (b"", "an empty file"),
        (&crate::samples::zstd(b"text in zstd"), "text"),
        (&[0, 1, 2, 3, 4], "something else"),
        (&crate::samples::gzip(b"text in gzip"), "text"),
    ] {
        let expected = format!("DIR/in.pcap: not a capture file, it looks like {looks_like}{hint}");
        assert_eq!(refusal(bytes, None), expected);
    }
}

#[test]
fn a_directory_without_captures() {
    let dir = TempDir::new().unwrap();
    let error = open_files(&[dir.path().to_owned()], None).err().unwrap();
    assert!(matches!(error, SourceError::EmptyDirectory { .. }), "{error}");
}

#[test]
fn bad_filters_point_at_the_word() {
    let file = plain(&packets(1));
    for (filter, expected) in [
        ("tcp prot 80 or udp", "bad filter \"tcp prot 80 or udp\": syntax error, at \"prot 80 or udp\""),
        ("tcp port eighty", "bad filter \"tcp port eighty\": unknown port 'eighty', at \"eighty\""),
        ("blah", "bad filter \"blah\": syntax error, at \"blah\""),
        ("udp and (tcp or", "bad filter \"udp and (tcp or\": syntax error, at its end"),
        ("udp and prot 80", "bad filter \"udp and prot 80\": syntax error, at \"prot 80\""),
        ("udp and tcp", "bad filter \"udp and tcp\": expression rejects all packets"),
    ] {
        let refusal = refusal(&file, Some(filter));
        assert_eq!(refusal, expected);
    }
}

#[test]
fn cut_files_tell_the_packet_and_the_byte() {
    let error = SourceError::Truncated { path: "a.pcap".into(), frame: 3, offset: 180, packets: 2 };
    let expected = "a.pcap: cut in the middle of packet 3 at byte 180; the 2 packets before it were read";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn no_such_interface_lists_those_that_exist() {
    let error = InterfaceSource::open_many(&["nowhere0".to_owned()], None, 0).err().unwrap();
    match error {
        SourceError::NoSuchInterface { name, available } => {
            assert_eq!(name, "nowhere0");
            assert!(available.contains(&"lo".to_owned()), "{available:?}");
        }
        // Without privileges the system does not say whether it exists.
        other => assert!(matches!(other, SourceError::NoPermission { .. }), "{other}"),
    }
}

/// Runs one ignored test of this binary in a process of its own: privileges do not come back.
fn in_child(test: &str) {
    let exe = std::env::current_exe().unwrap();
    let output = Command::new(exe).args(["--ignored", "--exact", "--nocapture", test]).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn root_and_capabilities_go_for_good() {
    if !nix::unistd::geteuid().is_root() {
        tapwire_testkit::peers::skipped("only root has rights to give up");
        return;
    }
    in_child("operator::child_drops_privileges");
    in_child("operator::child_names_a_user_that_is_none");
}

#[test]
#[ignore = "runs in a child process of another test"]
fn child_drops_privileges() {
    let names = ["lo".to_owned()];
    let mut source = InterfaceSource::open_many(&names, None, 0).unwrap();
    let dropped = drop_privileges(None).unwrap();
    assert_eq!(dropped.user.as_deref(), Some("nobody"));
    assert!(!nix::unistd::geteuid().is_root());
    assert!(nix::unistd::setuid(nix::unistd::Uid::from_raw(0)).is_err());
    let permitted = caps::read(None, caps::CapSet::Permitted).unwrap();
    assert!(permitted.is_empty(), "{permitted:?}");
    // What is open goes on; nothing more can be opened.
    tapwire_capture::Source::dispatch(&mut source, &mut |_| ()).unwrap();
    let again = InterfaceSource::open_many(&names, None, 0).err().unwrap();
    assert!(matches!(again, SourceError::NoPermission { .. }), "{again}");
}

#[test]
#[ignore = "runs in a child process of another test"]
fn child_names_a_user_that_is_none() {
    let error = drop_privileges(Some("no-such-user-here")).err().unwrap();
    assert!(error.to_string().contains("there is no user no-such-user-here"), "{error}");
}
