//! The house rules that no compiler checks: which crate may know which, what pure crates may not touch, and what may
//! stand in the tree. `docs/ARCHITECTURE.md` says why; here the rules are data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tapwire_tests::{files_below, workspace};

/// Each crate with the crates of this workspace that it may use. Arrows never point up, so a row names only rows above.
const ARROWS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("flow", &["wire"]),
    ("protocol", &["wire", "flow"]),
    ("inspect", &["wire", "flow", "protocol"]),
    // Descriptions of APIs are known before the first packet: below everything that learns, beside everything that senses.
    ("openapi", &[]),
    ("inventory", &["wire", "flow", "protocol", "inspect", "openapi"]),
    ("expr", &[]),
    ("detect", &["wire", "flow", "protocol", "inspect", "inventory", "expr"]),
    ("event", &["wire", "flow", "protocol", "inspect", "openapi", "inventory", "detect", "expr"]),
    // Beside what renders: a finding of a rule says of it what events need.
    ("rules", &["wire", "flow", "protocol", "inspect", "inventory", "detect", "expr", "event"]),
    ("capture", &["wire"]),
    ("store", &[]),
    // What waits for a receiver is kept on disk.
    ("sink", &["store"]),
    ("keys", &[]),
    // It takes rendered events: what they are about is nothing to it.
    ("lake", &[]),
    // Requests to a store: what the objects are is nothing to it.
    ("objects", &[]),
    ("console", &[]),
    // What is acknowledged is on the disk.
    ("collect", &["store"]),
    (
        "pipeline",
        &[
            "wire",
            "flow",
            "protocol",
            "inspect",
            "openapi",
            "inventory",
            "detect",
            "expr",
            "event",
            "capture",
            "store",
            "sink",
            "keys",
        ],
    ),
    (
        "sensor",
        &[
            "wire",
            "flow",
            "protocol",
            "inspect",
            "openapi",
            "inventory",
            "detect",
            "expr",
            "event",
            "rules",
            "capture",
            "store",
            "sink",
            "keys",
            "pipeline",
            "console",
            "collect",
            "lake",
            "objects",
        ],
    ),
    // Nothing but tests may use it: see `testkit_is_a_dev_dependency_only`.
    // Its fuzz bodies run the whole of it.
    (
        "testkit",
        &[
            "wire",
            "flow",
            "protocol",
            "inspect",
            "openapi",
            "inventory",
            "detect",
            "expr",
            "event",
            "capture",
            "sink",
            "keys",
            "pipeline",
        ],
    ),
];

/// Crates that see only data: no clock, threads, sockets, files, environment or global state.
const PURE: &[&str] =
    &["wire", "flow", "protocol", "inspect", "openapi", "inventory", "detect", "expr", "event", "rules"];

/// Outside crates that give a power, each with the crates that may have it.
const POWERS: &[(&str, &[&str])] = &[
    ("pcap", &["capture"]),
    ("tokio", &["sink", "console", "collect"]),
    ("axum", &["console"]),
    ("tokio-rustls", &["sink", "console", "collect"]),
    ("hyper", &["sink", "console", "collect"]),
    ("hyper-util", &["sink", "console", "collect"]),
    ("rustls", &["sink", "keys", "console", "collect", "testkit", "objects"]),
    ("ureq", &["objects"]),
    ("crossbeam-channel", &["pipeline", "sink", "keys"]),
    ("clap", &["sensor"]),
    ("toml", &["sensor"]),
    ("mimalloc", &["sensor"]),
    ("ring", &["sink", "store", "protocol", "console", "collect", "event", "objects"]),
    ("argon2", &["console"]),
    ("parquet", &["lake"]),
    ("rusqlite", &["lake"]),
    ("rsigma-eval", &["rules"]),
    ("rsigma-parser", &["rules"]),
    ("yaml_serde", &["rules"]),
];

/// Paths that a pure crate may not name, each with what to do instead.
const IMPURE: &[(&str, &str)] = &[
    ("std::thread", "threads live in pipeline"),
    ("std::fs", "files are read in capture, store and sensor"),
    ("std::env", "configuration comes in as a value"),
    ("std::process", "processes end in sensor"),
    ("std::net::Tcp", "sockets live in capture and sink"),
    ("std::net::Udp", "sockets live in capture and sink"),
    ("std::io::stdout", "output goes through a sink"),
    ("println!", "output goes through a sink"),
    ("Instant::now", "time comes in as data"),
    ("SystemTime::now", "time comes in as data"),
    ("Timestamp::now", "time comes in as data"),
    ("Zoned::now", "time comes in as data"),
    ("thread_local!", "state is owned by a value"),
    ("OnceLock", "state is owned by a value"),
    ("LazyLock", "state is owned by a value"),
    ("static mut", "state is owned by a value"),
    ("RandomState", "its order differs from run to run"),
    (
        "HashMap::new()",
        "its order differs from run to run: BTreeMap, or a seeded hasher whose order is never shown",
    ),
    (
        "HashSet::new()",
        "its order differs from run to run: BTreeSet, or a seeded hasher whose order is never shown",
    ),
    ("tokio::", "tokio lives in sink"),
    ("crossbeam", "channels live in pipeline"),
];

/// What each pure crate says in its first lines.
const PURE_LINTS: &[&str] = &[
    "#![forbid(unsafe_code)]",
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::panic",
    "clippy::indexing_slicing",
];

/// The top level, beside dotfiles and what a build leaves behind.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "crates",
    "dev",
    "docs",
    "fixtures",
    "sensor",
    "tests",
];

const LONGEST_FILE: usize = 600;

#[test]
fn every_crate_uses_only_the_crates_below_it() {
    let mut wrong = Vec::new();
    for (name, manifest) in manifests() {
        let Some(allowed) = row(&name) else {
            wrong.push(format!("{name}: has no row in ARROWS"));
            continue;
        };
        for used in dependencies(&manifest, &["dependencies", "build-dependencies"]) {
            let Some(used) = used.strip_prefix("tapwire-") else { continue };
            if !allowed.contains(&used) {
                wrong.push(format!("{name} uses {used}: that arrow points up"));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn the_table_itself_has_no_arrow_up_and_no_row_without_a_crate() {
    let present = manifests();
    let mut wrong = Vec::new();
    for (place, (name, allowed)) in ARROWS.iter().enumerate() {
        if !present.contains_key(*name) {
            wrong.push(format!("{name}: a row without a crate"));
        }
        let below: Vec<&str> = ARROWS.iter().take(place).map(|(name, _)| *name).collect();
        wrong.extend(
            allowed.iter().filter(|used| !below.contains(used)).map(|used| format!("{name} -> {used}")),
        );
    }
    nothing(&wrong);
}

#[test]
fn testkit_is_a_dev_dependency_only() {
    let users: Vec<String> = manifests()
        .into_iter()
        .filter(|(_, manifest)| {
            dependencies(manifest, &["dependencies", "build-dependencies"])
                .contains(&"tapwire-testkit".to_owned())
        })
        .map(|(name, _)| format!("{name} uses testkit outside its tests"))
        .collect();
    nothing(&users);
}

#[test]
fn a_power_stays_in_the_crates_that_own_it() {
    let mut wrong = Vec::new();
    for (name, manifest) in manifests() {
        let used = dependencies(&manifest, &["dependencies", "build-dependencies"]);
        for (power, owners) in POWERS {
            if used.iter().any(|used| used == power) && !owners.contains(&name.as_str()) {
                wrong.push(format!("{name} uses {power}, which belongs to {owners:?}"));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn pure_crates_touch_nothing_but_their_arguments() {
    let mut wrong = Vec::new();
    for file in pure_sources() {
        let text = read(&file);
        for (number, line) in product_lines(&text) {
            for (word, instead) in IMPURE.iter().filter(|(word, _)| names(line, word)) {
                wrong.push(format!("{}:{number}: {word}: {instead}", file.display()));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn pure_crates_forbid_unsafe_code_and_deny_panics() {
    let mut wrong = Vec::new();
    for name in PURE {
        let text = read(&workspace().join("crates").join(name).join("src/lib.rs"));
        let head: String = text.lines().take_while(|line| !line.starts_with("mod ")).collect();
        wrong.extend(
            PURE_LINTS
                .iter()
                .filter(|lint| !head.contains(*lint))
                .map(|lint| format!("{name}: lacks {lint}")),
        );
    }
    nothing(&wrong);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let lax = manifests().into_iter().filter(|(_, manifest)| {
        manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool)
            != Some(true)
    });
    nothing(&lax.map(|(name, _)| format!("{name}: lacks [lints] workspace = true")).collect::<Vec<_>>());
}

#[test]
fn the_top_level_holds_only_what_the_architecture_names() {
    let entries = std::fs::read_dir(workspace()).expect("the workspace can be read");
    let strange: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !name.starts_with("target") && !TOP.contains(&name.as_str()))
        .collect();
    nothing(&strange);
}

#[test]
fn no_source_file_is_too_long_to_read() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    nothing(&long);
}

/// Functions that are tests, and transcripts, by name.
fn tests_by_name() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in sources() {
        let text = read(&file);
        let lines = text.lines().map(str::trim);
        let mut marked = false;
        for line in lines {
            let word = |rest: &str, end: char| rest.split(end).next().unwrap_or_default().to_owned();
            match line.strip_prefix("fn ") {
                Some(rest) if marked => drop(found.insert(word(rest, '('))),
                _ if line.ends_with(": r\"") => drop(found.insert(word(line, ':'))),
                _ => {}
            }
            marked = line == "#[test]" || marked && line.starts_with("#[");
        }
    }
    found
}

/// What stands in the last column of the page's tables, between backticks.
fn tests_that_the_page_names(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next()).map(str::trim);
    let named = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    cells
        .filter(|cell| *cell != "tests")
        .flat_map(|cell| if named(cell).is_empty() { vec![cell.to_owned()] } else { named(cell) })
        .collect()
}

#[test]
fn the_page_on_evasion_names_tests_that_exist() {
    let known = tests_by_name();
    let page = read(&workspace().join("docs/evasion.md"));
    let named = tests_that_the_page_names(&page);
    assert!(named.len() > 60, "{named:?}");
    nothing(&named.iter().filter(|name| !known.contains(*name)).collect::<Vec<_>>());
    // The other way round: an attack that is built stands on the page.
    let built = ["tests/evasion.rs", "tests/bounded.rs"].map(|file| read(&workspace().join(file)));
    let built = built.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix("fn "));
    let built = built.map(|rest| rest.split('(').next().unwrap_or_default());
    let left_out = built.filter(|name| known.contains(*name) && !page.contains(name));
    nothing(&left_out.collect::<Vec<_>>());
}

#[test]
fn no_file_names_a_path_of_the_machine_it_was_written_on() {
    // In two halves, so that this file does not find itself.
    let paths =
        [concat!("/wo", "rk/"), concat!("/fa", "rm/"), concat!("/ro", "ot/"), concat!("/tmp/", "target")];
    let mut wrong = Vec::new();
    for file in texts() {
        for (number, line) in read(&file).lines().enumerate() {
            wrong.extend(
                paths
                    .iter()
                    .filter(|path| line.contains(*path))
                    .map(|path| format!("{}:{}: {path}", file.display(), number + 1)),
            );
        }
    }
    nothing(&wrong);
}

#[test]
fn product_lines_leave_out_comments_and_tests() {
    let text = "use a; // std::fs\n// std::fs\n#[cfg(test)]\nmod tests { use std::fs; }\n";
    assert_eq!(product_lines(text), [(1, "use a; ")]);
    assert!(names("use std::fs::File;", "std::fs"));
    assert!(names("use std::{env, fs};", "std::fs"));
    assert!(!names("use std::fmt;", "std::fs"));
    assert!(!names("use std::{fmt, net::IpAddr};", "std::fs"));
}

fn row(name: &str) -> Option<&'static [&'static str]> {
    ARROWS.iter().find(|(row, _)| *row == name).map(|(_, allowed)| *allowed)
}

/// The manifests of the product's crates by their folder's name.
fn manifests() -> BTreeMap<String, toml::Value> {
    let crates = std::fs::read_dir(workspace().join("crates")).expect("crates/ can be read");
    let mut folders: Vec<PathBuf> = crates.map(|entry| entry.expect("an entry").path()).collect();
    folders.push(workspace().join("sensor"));
    folders
        .into_iter()
        .map(|folder| {
            let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
            let text = read(&folder.join("Cargo.toml"));
            (name, toml::from_str(&text).expect("cargo reads this manifest too"))
        })
        .collect()
}

/// Package names in the given sections, those under `[target.….]` too.
fn dependencies(manifest: &toml::Value, sections: &[&str]) -> Vec<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = std::iter::once(manifest).chain(targets.into_iter().flat_map(|table| table.values()));
    tables
        .flat_map(|table| sections.iter().filter_map(|section| table.get(section)?.as_table()))
        .flat_map(|table| table.iter())
        .map(|(name, value)| {
            value.get("package").and_then(toml::Value::as_str).unwrap_or(name.as_str()).to_owned()
        })
        .collect()
}

/// Lines that end in the product, with their numbers: no comments, nothing from `#[cfg(test)]` on (tests stand last).
fn product_lines(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .map(|(number, line)| (number + 1, line.split("//").next().unwrap_or_default()))
        .filter(|(_, line)| !line.trim().is_empty())
        .collect()
}

/// Whether a line names `path`, written out or inside `use std::{…}`.
fn names(line: &str, path: &str) -> bool {
    let grouped = || {
        let (module, list) = (path.strip_prefix("std::")?, line.trim().strip_prefix("use std::{")?);
        let mut items = list.trim_end_matches(['}', ';']).split(',').map(str::trim);
        Some(items.any(|item| item == module || item.starts_with(&format!("{module}::"))))
    };
    line.contains(path) || grouped().unwrap_or(false)
}

fn pure_sources() -> Vec<PathBuf> {
    let below = |file: &Path| file.strip_prefix(workspace()).unwrap_or(file).to_owned();
    let is_test = |file: &Path| below(file).iter().any(|part| part == "tests" || part == "tests.rs");
    PURE.iter()
        .flat_map(|name| files_below(&workspace().join("crates").join(name).join("src"), &is_rust))
        .filter(|file| !is_test(file))
        .collect()
}

fn sources() -> Vec<PathBuf> {
    ["crates", "sensor", "tests"]
        .iter()
        .flat_map(|top| files_below(&workspace().join(top), &is_rust))
        .collect()
}

/// Everything a person may read, outside what a build leaves behind.
fn texts() -> Vec<PathBuf> {
    const KINDS: &[&str] = &["rs", "toml", "md", "sh", "py", "mjs", "conf", "jsonl", "json", "txt", "yaml"];
    let is_text =
        |file: &Path| file.extension().is_some_and(|kind| KINDS.contains(&kind.to_string_lossy().as_ref()));
    let tops = ["crates", "sensor", "tests", "docs", "fixtures", ".ci"];
    let mut found: Vec<PathBuf> =
        tops.iter().flat_map(|top| files_below(&workspace().join(top), &is_text)).collect();
    found.extend(["README.md", "dev", "Cargo.toml", ".ci/run"].iter().map(|name| workspace().join(name)));
    found
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|kind| kind == "rs")
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn nothing<T: std::fmt::Display>(wrong: &[T]) {
    let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "\n{}", lines.join("\n"));
}
