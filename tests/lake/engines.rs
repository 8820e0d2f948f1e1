//! Engines that are not ours read the same tables, and answer alike.

use crate::{fixture, replayed, rows};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tapwire_testkit::peers::{packages, skipped};
use tapwire_tests::{Tapwire, workspace};

/// The exit code of `engines.py` where an engine does not start.
const NOT_STARTED: i32 = 77;

/// Queries that every engine reads alike; `ms` of a time is its milliseconds.
pub(crate) const BASIC: [&str; 12] = [
    "SELECT count(*) AS n FROM exchanges",
    "SELECT service, operation, count(*) AS n, avg(latency) AS mean, max(latency) AS worst FROM exchanges \
     WHERE latency IS NOT NULL GROUP BY service, operation",
    "SELECT principal_kind, principal, count(*) AS n, sum(CASE WHEN status >= 400 THEN 1 ELSE 0 END) AS failures, \
     count(DISTINCT endpoint) AS endpoints, sum(response_length) AS bytes, ms(min(time)) AS first, \
     ms(max(time)) AS last FROM exchanges WHERE principal IS NOT NULL GROUP BY principal_kind, principal",
    "SELECT principal, service, template, count(DISTINCT path) AS paths FROM exchanges \
     GROUP BY principal, service, template",
    "SELECT uid, protocols, anomalies, ms(time) AS at, time_ns, decrypted, failed, extra FROM exchanges",
    "SELECT uid, data_classes FROM exchanges WHERE data_classes IS NOT NULL",
    "SELECT severity_id, severity, title, outcome, exchanges, evidences, extra FROM findings",
    "SELECT uid, change, revision, ms(start_time) AS first, ms(end_time) AS last, addresses, timeline FROM incidents",
    "SELECT service, principal, ms(time) AS at, sum(calls) AS calls, sum(response_bytes) AS bytes FROM usage \
     GROUP BY service, principal, time",
    "SELECT id, calls, states, exposure, auth, extra FROM endpoints",
    "SELECT name, service, owner, value, numerator, denominator, not_judged FROM kpis",
    "SELECT CAST(day AS VARCHAR) AS day, count(*) AS n FROM exchanges GROUP BY day",
];

/// Rows of an answer in an order, with numbers and lists spelled alike.
fn alike(rows: &[Value]) -> Vec<String> {
    fn cell(value: &Value) -> String {
        match value {
            // Our lists and truths are texts and numbers.
            Value::String(text) if text.starts_with('[') => {
                serde_json::from_str::<Value>(text).map_or_else(|_| text.clone(), |list| list.to_string())
            }
            Value::Bool(truth) => i64::from(*truth).to_string(),
            Value::Number(number) if number.is_f64() => format!("{:.6}", number.as_f64().unwrap_or_default()),
            other => other.to_string(),
        }
    }
    let row = |row: &Value| {
        let cells = row.as_object().expect("a row").iter();
        cells.map(|(name, value)| format!("{name}: {}", cell(value))).collect::<Vec<_>>().join(", ")
    };
    let mut lines: Vec<String> = rows.iter().map(row).collect();
    lines.sort();
    lines
}

/// Where engines are that are not ours; says what is skipped where there are none.
pub(crate) fn engines() -> Option<PathBuf> {
    packages("TAPWIRE_LAKE_ENGINES", "deltalake and duckdb")
}

/// The same of one that is many machines' work: Daft on Ray.
pub(crate) fn distributed() -> Option<PathBuf> {
    packages("TAPWIRE_LAKE_DISTRIBUTED", "daft and ray")
}

/// Asks an engine the queries that all read alike, and compares with what `tapwire sql` says of that data directory.
pub(crate) fn answers_alike(
    engine: &str,
    packages: &Path,
    lake: &Path,
    variables: &[(&str, String)],
    data: &Path,
) {
    let Some(answers) = asked(engine, packages, lake, variables, &BASIC) else { return };
    for (query, theirs) in BASIC.iter().zip(&answers) {
        let ours = alike(&rows(data, query));
        assert!(!ours.is_empty(), "{query}");
        assert_eq!(alike(theirs), ours, "{engine}: {query}");
    }
    assert_eq!(answers.len(), BASIC.len());
    println!("{engine} answers {} queries alike", answers.len());
}

/// What another engine answers over the tables in that folder, or at that URL with variables of the environment for it;
/// `None` where it does not start, which is said.
fn asked(
    engine: &str,
    packages: &Path,
    lake: &Path,
    variables: &[(&str, String)],
    queries: &[&str],
) -> Option<Vec<Vec<Value>>> {
    let script = workspace().join("tests/engines.py");
    let mut child = Command::new("python3")
        .args([script.as_os_str(), engine.as_ref(), lake.as_os_str()])
        .env("PYTHONPATH", packages)
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(serde_json::json!(queries).to_string().as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    if output.status.code() == Some(NOT_STARTED) {
        skipped(&format!("{engine} does not start here"));
        return None;
    }
    assert!(output.status.success(), "{engine}");
    Some(serde_json::from_slice(&output.stdout).expect("answers"))
}

/// Copies a folder.
fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copied(&from, &to) } else { fs::copy(from, to).map(|_| ()).expect("a copy") }
    }
}

#[test]
fn other_engines_see_columns_that_an_earlier_version_had_not() {
    let data = tempfile::tempdir().expect("a folder");
    let replay = |arguments: &[&str]| {
        let run = Tapwire::new(["replay", "-q", "--events", "null://", "--data"]).args([data.path()]);
        run.args([fixture("logins").path()]).args(["--again"]).args(arguments).run().ok("a run")
    };
    let _ran = replay(&["--set", "events.lake=false"]);
    copied(&workspace().join("fixtures/lake-before-site/exchanges"), &data.path().join("lake/exchanges"));
    let queries = ["SELECT count(*) AS n, count(site) AS sites, count(run) AS of_runs FROM exchanges"];
    let old = rows(data.path(), queries[0]);
    assert!(old[0]["n"].as_u64() > Some(0) && old[0]["of_runs"] == 0, "we read them as they are: {old:?}");
    let _ran = replay(&[]);
    let ours = rows(data.path(), queries[0]);
    assert!(ours[0]["of_runs"].as_u64() > Some(0) && ours[0]["of_runs"].as_u64() < ours[0]["n"].as_u64());
    let Some(packages) = engines() else { return };
    for engine in ["deltalake", "duckdb"] {
        assert_eq!(
            asked(engine, &packages, &data.path().join("lake"), &[], &queries).expect("it starts"),
            std::slice::from_ref(&ours),
            "{engine}"
        );
    }
}

#[test]
fn other_engines_answer_alike() {
    let Some(packages) = engines() else { return };
    // Enough runs for a checkpoint, and for files that are put together.
    let (data, _) = replayed("demo");
    let again = fixture("basic-rest").path();
    for _ in 0..20 {
        let run = Tapwire::new(["replay", "-q", "--events", "null://", "--again", "--data"])
            .args([data.path(), &again]);
        let _ran = run.run().ok("the next run");
    }
    let maintain = Tapwire::new(["lake", "maintain", "--json", "--set", "lake.days.exchanges=0", "--data"]);
    let done = maintain.args([data.path()]).run().ok("maintain").events();
    assert!(
        done[0]["checkpoints"].as_u64() > Some(0) && done[0]["into_files"].as_u64() > Some(0),
        "{done:?}"
    );
    for engine in ["deltalake", "duckdb"] {
        answers_alike(engine, &packages, &data.path().join("lake"), &[], data.path());
    }
}
