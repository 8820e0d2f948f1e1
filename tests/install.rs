//! What is installed, and how: the package, the list of what is in it, and the files of `docs/install`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tapwire_testkit::peers;
use tapwire_tests::{binary, workspace};

fn installed(name: &str) -> PathBuf {
    workspace().join("docs/install").join(name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What came from PyPI for checking; `None`, with a word, where it is not there.
fn checkers() -> Option<PathBuf> {
    peers::packages("TAPWIRE_CHECKERS", "cyclonedx and kubernetes_validate")
}

fn python(checkers: &Path, arguments: &[&str]) -> Output {
    Command::new("python3").env("PYTHONPATH", checkers).args(arguments).output().expect("python3")
}

fn bill() -> Option<String> {
    let mut command = Command::new(installed("sbom.py"));
    let made = command.env("CARGO_NET_OFFLINE", "true").stderr(Stdio::inherit()).output();
    made.ok().filter(|made| made.status.success()).map(|made| text(&made.stdout))
}

#[test]
fn what_it_is_made_of_is_listed() {
    let bill = bill().expect("docs/install/sbom.py");
    assert_eq!(Some(&bill), self::bill().as_ref(), "the same tree gives another list");
    let list: Value = serde_json::from_str(&bill).expect("JSON");
    let components = list["components"].as_array().expect("components");
    let part = |name: &str| components.iter().find(|part| part["name"] == name);
    let ring = part("ring").expect("ring is linked");
    assert!(ring["hashes"][0]["content"].as_str().is_some_and(|sum| sum.len() == 64), "{ring}");
    assert!(ring["licenses"][0]["expression"].is_string() && part("libpcap").is_some());
    assert!(part("tapwire-wire").is_some() && part("libsqlite3-sys").is_some());
    for only_tests in ["proptest", "jsonschema", "tapwire-testkit"] {
        assert!(part(only_tests).is_none(), "{only_tests} is in no program");
    }
    let told = Command::new(binary()).args(["version", "--json"]).output().expect("tapwire can be started");
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let properties = list["metadata"]["properties"].as_array().expect("properties");
    let lock = properties.iter().find(|one| one["name"] == "tapwire:lock-sha256").expect("what it is of");
    assert_eq!(lock["value"], told["lock_sha256"], "the program is made of other crates than the list");
    let Some(checkers) = checkers() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tapwire.cdx.json");
    fs::write(&file, bill).expect("a file");
    let check = "import sys\nfrom cyclonedx.schema import SchemaVersion\n\
                 from cyclonedx.validation.json import JsonStrictValidator\n\
                 sys.exit(JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read()) and str)";
    let checked = python(&checkers, &["-c", check, &file.display().to_string()]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

/// Runs in a namespace of its own, where the file system is this machine's with a layer above that nobody else sees.
const INSTALL: &str = r#"
set -eu
mount -t tmpfs tmpfs "$ROOM"
mkdir "$ROOM/up" "$ROOM/work" "$ROOM/all"
mount -t overlay overlay -o "lowerdir=/,upperdir=$ROOM/up,workdir=$ROOM/work" "$ROOM/all" || { echo 'no layers'; exit 0; }
cp "$PACKAGE" "$ROOM/all/tapwire.deb"
mount -t proc proc "$ROOM/all/proc"
mount --bind /dev "$ROOM/all/dev"
exec chroot "$ROOM/all" /bin/sh -eu -c "$INSIDE"
"#;

/// Installs, uses, upgrades, removes and purges, and says what it sees.
const INSIDE: &str = r#"
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
dpkg -s libpcap0.8 >/dev/null 2>&1 || dpkg -s libpcap0.8t64 >/dev/null 2>&1 || { echo 'no libpcap package'; exit 0; }
rm -rf /etc/tapwire /var/lib/tapwire
dpkg -i /tapwire.deb
/usr/bin/tapwire --version
echo "configuration: $(/usr/bin/tapwire config check --config /etc/tapwire/tapwire.toml)"
echo "others: $(HOME=/none setpriv --reuid nobody --regid nogroup --clear-groups /usr/bin/tapwire config check 2>&1)"
echo "folder: $(stat -c '%A %U %G' /etc/tapwire)"
echo "state: $(stat -c '%A %U %G' /var/lib/tapwire)"
echo "shell: $(getent passwd tapwire | cut -d: -f 7)"
test -f /usr/lib/systemd/system/tapwire.service
test -f /usr/lib/systemd/system/tapwire-copy.service
test -f /usr/share/man/man1/tapwire-replay.1.gz
test -f /usr/share/bash-completion/completions/tapwire
gzip -dc /usr/share/doc/tapwire/tapwire.cdx.json.gz | grep -m 1 CycloneDX
echo "changed: $(dpkg --verify tapwire | wc -l)"
# A unit is good when nothing is said of it; at most 1.9 of 10 is exposed.
unit=/usr/lib/systemd/system/tapwire.service
if command -v systemd-analyze >/dev/null; then
    copy=${unit%.service}-copy.service
    echo "unit: $(systemd-analyze verify --man=no "$unit" "$copy" 2>&1 && echo good)"
    systemd-analyze security --offline=true --threshold=19 "$unit" "$copy" >/dev/null && echo 'exposure: 1.9 at most'
else
    printf 'unit: good\nexposure: 1.9 at most\n'
fi
echo 'memory = "2GiB"' >> /etc/tapwire/tapwire.toml
echo kept > /var/lib/tapwire/token.key
dpkg -i /tapwire.deb >/dev/null
echo "own configuration: $(tail -n 1 /etc/tapwire/tapwire.toml)"
dpkg -r tapwire >/dev/null
test ! -e /usr/bin/tapwire && test -f /etc/tapwire/tapwire.toml && echo 'removed, configuration stays'
dpkg -P tapwire
test ! -e /etc/tapwire && echo 'purged'
cat /var/lib/tapwire/token.key
"#;

/// What Debian says of packages, where lintian is installed: nothing but that nobody can be written to.
fn is_as_debian_has_it(package: &str) {
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--suppress-tags", "bogus-mail-host,bogus-mail-host-in-debian-changelog"]);
    match lintian.args(["--fail-on", "error,warning"]).arg(package).output() {
        Ok(checked) => {
            assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
        }
        Err(_) => peers::lacks("lintian"),
    }
}

#[test]
fn a_package_is_installed_used_and_purged() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fast = [
        ("DPKG_DEB_COMPRESSOR_TYPE", "gzip"),
        ("DPKG_DEB_COMPRESSOR_LEVEL", "1"),
        ("CARGO_NET_OFFLINE", "true"),
    ];
    if !peers::has("dpkg-deb") {
        return;
    }
    let built = Command::new(installed("deb/build"))
        .arg(binary())
        .arg(folder.path())
        .envs(fast)
        .output()
        .expect("bash");
    assert!(built.status.success(), "{}", text(&built.stderr));
    let package = text(&built.stdout).trim().to_owned();
    let listed = Command::new("dpkg-deb").args(["-c", &package]).output().expect("dpkg-deb");
    let listed = text(&listed.stdout);
    assert!(listed.lines().all(|line| line.contains(" root/root ")), "{listed}");
    is_as_debian_has_it(&package);
    let room = folder.path().join("room");
    fs::create_dir(&room).expect("a folder");
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", INSTALL]);
    command.env("ROOM", &room).env("PACKAGE", &package).env("INSIDE", INSIDE);
    let ran = command.output().expect("unshare");
    let (said, errors) = (text(&ran.stdout), text(&ran.stderr));
    if said.contains("no layers") || said.contains("no libpcap package") || errors.contains("unshare failed")
    {
        return peers::skipped(&format!(
            "{said}{errors}: installing takes root, overlay and libpcap's package"
        ));
    }
    assert!(ran.status.success(), "{said}{errors}");
    for line in [
        &format!("tapwire {}", env!("CARGO_PKG_VERSION")),
        "configuration: the configuration is good",
        "others: the configuration is good",
        "folder: drwxr-x--- root tapwire",
        "state: drwx------ tapwire tapwire",
        "shell: /usr/sbin/nologin",
        "changed: 0",
        "unit: good",
        "exposure: 1.9 at most",
        "own configuration: memory = \"2GiB\"",
        "removed, configuration stays",
        "purged",
        "kept",
    ] {
        assert!(said.lines().any(|one| one == line), "{line} is missing:\n{said}{errors}");
    }
}

/// What `tapwire WORDS --help` makes of options: an unknown one, or one without its value, is an error before the help.
#[track_caller]
fn is_a_command(words: &[&str]) {
    let ran = Command::new(binary()).args(words).arg("--help").output().expect("tapwire can be started");
    assert!(ran.status.success() && !ran.stdout.is_empty(), "{words:?}: {}", text(&ran.stderr));
}

#[test]
fn the_service_calls_commands_that_there_are() {
    let called = |line: &str| {
        let (name, command) = line.split_once('=')?;
        let command = command.strip_prefix("/usr/bin/tapwire ").filter(|_| name.starts_with("Exec"))?;
        Some(command.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    for (name, calls) in [("tapwire.service", 2), ("tapwire-copy.service", 1)] {
        let commands: Vec<Vec<String>> = read(&installed(name)).lines().filter_map(called).collect();
        assert_eq!(commands.len(), calls, "{commands:?}");
        for command in &commands {
            is_a_command(&command.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    let unit = read(&installed("tapwire.service"));
    let set = read(&installed("sensor.env"));
    for name in ["TAPWIRE_INTERFACE", "TAPWIRE_EVENTS"] {
        assert!(unit.contains(&format!("${{{name}}}")) && set.contains(&format!("\n{name}=")), "{name}");
    }
}

#[test]
fn the_daemon_set_is_one_that_kubernetes_takes() {
    let Some(checkers) = checkers() else { return };
    let file = installed("daemonset.yaml").display().to_string();
    let checked = python(&checkers, &["-m", "kubernetes_validate", "--strict", &file]);
    let said = text(&checked.stdout) + &text(&checked.stderr);
    assert!(checked.status.success() && said.matches(" passed ").count() == 2, "{said}");
    let load = "import json, sys, yaml\njson.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)";
    let loaded = python(&checkers, &["-c", load, &file]);
    let parts: Value = serde_json::from_slice(&loaded.stdout).expect("YAML");
    let container = &parts[1]["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().expect("arguments");
    let arguments: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
    is_a_command(&arguments);
    let set = arguments.iter().filter(|argument| argument.starts_with("--set="));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("tapwire.toml");
    fs::write(&config, parts[0]["data"]["tapwire.toml"].as_str().expect("a configuration")).expect("a file");
    let checked = Command::new(binary()).args(["config", "check", "--config"]).arg(config).args(set).output();
    let checked = checked.expect("tapwire can be started");
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

#[test]
fn the_container_file_is_read_as_one() {
    let known = ["FROM", "RUN", "WORKDIR", "COPY", "VOLUME", "ENTRYPOINT", "CMD"];
    let file = read(&installed("Dockerfile"));
    let lines = file.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let lines = lines.replace("\\\n", " ");
    let mut program = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let (name, rest) = line.split_once(' ').expect("an instruction and its arguments");
        assert!(known.contains(&name), "{line}");
        if ["ENTRYPOINT", "CMD"].contains(&name) {
            let words: Vec<String> = serde_json::from_str(rest).expect("a list of words");
            program.extend(words);
        }
        // What is built is what packages have.
        if rest.contains("cargo build") {
            assert!(rest.contains("--locked") && rest.contains("--features sigma,lake"), "{line}");
        }
    }
    assert_eq!(program, ["/usr/bin/tapwire", "--help"]);
    let stages: Vec<&str> = lines.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert!(stages.len() == 2 && lines.contains("COPY --from=build "), "{stages:?}");
}

fn openssl(folder: &Path, line: &str) -> Output {
    let words = line.split_whitespace();
    Command::new("openssl").args(words).current_dir(folder).output().expect("openssl")
}

#[test]
fn a_release_is_checked_by_its_signature() {
    if !peers::has("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (room, released) = (folder.path(), folder.path().join("released"));
    fs::create_dir(&released).expect("a folder");
    fs::write(released.join("tapwire_0.1.0_amd64.deb"), "a package").expect("a file");
    fs::write(released.join("tapwire.cdx.json"), "a list").expect("a file");
    assert!(openssl(room, "genpkey -algorithm ed25519 -out release.key").status.success());
    let sign = |key: &str| {
        let mut command = Command::new(installed("sign"));
        command.arg(&released).arg(key).current_dir(room).output().expect("bash")
    };
    // As docs/install/README.md has it.
    let verify = || {
        let line = "pkeyutl -verify -pubin -inkey release.pub -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig";
        let mut sums = Command::new("sha256sum");
        let sums = sums.args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&released).output();
        (openssl(&released, line).status.success(), sums.expect("sha256sum").status.success())
    };
    let signed = sign("release.key");
    assert!(signed.status.success(), "{}", text(&signed.stderr));
    assert_eq!(verify(), (true, true));
    let sums = read(&released.join("SHA256SUMS"));
    assert!(sums.lines().count() == 2 && sums.contains("  tapwire_0.1.0_amd64.deb"), "{sums}");
    fs::write(released.join("tapwire_0.1.0_amd64.deb"), "b package").expect("a file");
    assert_eq!(verify(), (true, false), "a changed package");
    fs::write(released.join("SHA256SUMS"), sums.replace("  tapwire.cdx", "  other.cdx")).expect("a file");
    assert!(!verify().0, "changed sums");
    let unsigned = sign("");
    assert!(unsigned.status.success() && text(&unsigned.stderr).contains("not signed: TAPWIRE_SIGN=KEY"));
    assert!(!released.join("SHA256SUMS.sig").exists(), "an old signature stays");
    fs::write(room.join("other.key"), "no key").expect("a file");
    let refused = sign("other.key");
    assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains("no private Ed25519 key"));
}
