//! Findings as they were stored under `--data`.

use crate::cli::FindingsArgs;
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, plain, print};
use crate::size::counted;
use crate::summary::milliseconds;
use memchr::memmem;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use tapwire_store::{Day, DayReader, Directories, Piece, Reader, StoreError};

/// Findings that are shown; the rest is counted.
const SHOWN: usize = 1_000;

/// `tapwire findings` of what a run stored.
pub(crate) fn findings(args: &FindingsArgs) -> Result<Exit, Failure> {
    let data = directory(args.learn.data.clone())?;
    let mut worst = Worst::default();
    let lost = each(&Reader::open(&data)?, b"\"class_uid\":2004", |event| worst.add(event))?;
    let exit = if lost.say() { Exit::Operator } else { Exit::Done };
    if worst.all.is_empty() && exit == Exit::Done && !args.json {
        print(&format!("No findings are stored in {}.\n", data.display()), true)?;
        return Ok(Exit::Done);
    }
    let text = if args.json { worst.all.values().map(line).collect() } else { worst.page() };
    print(&text, true)?;
    Ok(exit)
}

/// The directory that is read.
pub(crate) fn directory(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let data = given.or_else(|| Directories::from_env().data);
    data.ok_or_else(|| Failure::new("name captures to learn from, or --data DIR of a run"))
}

/// Whoever would read, change and write something of a data directory waits while another does: of two that read before either
/// wrote, one would be lost. Until what it gives is dropped.
pub(crate) fn alone(data: &Path) -> Result<File, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", data.display()));
    // The directory itself: it is there whenever there is something to change.
    let directory = File::open(data).map_err(failed)?;
    directory.lock().map_err(failed)?;
    Ok(directory)
}

/// Hands out every stored event whose line has that text in it, day by day; what of them could not be read.
pub(crate) fn each(reader: &Reader, text: &[u8], mut take: impl FnMut(Value)) -> Result<Lost, Failure> {
    let finder = memmem::Finder::new(text);
    lines(reader, |lines| {
        for line in lines.split(|byte| *byte == b'\n').filter(|line| finder.find(line).is_some()) {
            serde_json::from_slice::<Value>(line).into_iter().for_each(&mut take);
        }
    })
}

/// Hands out all stored lines, day by day; what of them could not be read.
pub(crate) fn lines(reader: &Reader, take: impl FnMut(&[u8])) -> Result<Lost, Failure> {
    pieces(reader, |day| reader.day(day), take)
}

/// The same of pieces of them in which one may name a uid that begins so.
pub(crate) fn lines_naming(reader: &Reader, uid: &str, take: impl FnMut(&[u8])) -> Result<Lost, Failure> {
    pieces(reader, |day| reader.day_naming(day, uid), take)
}

fn pieces(
    reader: &Reader,
    open: impl Fn(Day) -> Result<DayReader, StoreError>,
    mut take: impl FnMut(&[u8]),
) -> Result<Lost, Failure> {
    let mut lost = Lost::default();
    for day in reader.days()? {
        let pieces = open(day.day)?;
        let path = pieces.path().to_owned();
        for piece in pieces {
            match piece? {
                Piece::Lines(lines) => take(&lines),
                Piece::Unreadable { at, bytes, at_end } => lost.add(&path, at, bytes, at_end),
            }
        }
    }
    Ok(lost)
}

/// Stored events that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    damaged: Vec<String>,
    /// At the ends of files: a kill left them, or a run writes them now.
    torn: Vec<String>,
}

impl Lost {
    fn add(&mut self, path: &Path, at: u64, bytes: u64, at_end: bool) {
        let (bytes, path) = (counted(bytes, "byte"), path.display());
        match at_end {
            true => self.torn.push(format!("{path}: {bytes} at its end are torn")),
            false => self.damaged.push(format!("{path}: is damaged: {bytes} from {at} on cannot be read")),
        }
    }

    /// Whether there is damage. It is said, as are torn ends, which are nobody's fault.
    pub(crate) fn say(&self) -> bool {
        for what in self.damaged.iter().chain(&self.torn) {
            eprintln!("tapwire: {what}; events in them are missing here");
        }
        !self.damaged.is_empty()
    }

    /// All of it, as the end of a sentence.
    pub(crate) fn told(&self) -> String {
        self.damaged.iter().chain(&self.torn).map(|what| format!("; {what}")).collect()
    }
}

/// The worst of them, the earliest first among equals; an event that was sent twice counts once.
#[derive(Default)]
struct Worst {
    all: BTreeMap<(Reverse<i64>, i64, String), Value>,
    more: u64,
}

impl Worst {
    fn add(&mut self, event: Value) {
        let number = |name: &str| event.get(name).and_then(Value::as_i64).unwrap_or_default();
        let uid = event.pointer("/finding_info/uid").and_then(Value::as_str).unwrap_or_default();
        let key = (Reverse(number("severity_id")), number("time"), uid.to_owned());
        self.all.insert(key, event);
        if self.all.len() > SHOWN {
            self.all.pop_last();
            self.more += 1;
        }
    }

    fn page(&self) -> String {
        let mut paper = Paper::new(true);
        paper.heading("Findings");
        for event in self.all.values() {
            let text =
                |path: &str| plain(event.pointer(path).and_then(Value::as_str).unwrap_or("not stored"));
            let time =
                event.get("time").and_then(Value::as_i64).map_or_else(|| "no time".into(), milliseconds);
            let what = format!(
                "{time} {}: {}, {}",
                text("/unmapped/detector"),
                text("/unmapped/outcome"),
                text("/unmapped/reason")
            );
            paper.row(&text("/severity"), &what);
        }
        if self.more > 0 {
            paper.line(&format!("  and {}: the worst are shown", counted(self.more, "more finding")));
        }
        paper.into_text()
    }
}

/// A finding as `tapwire findings PATH --json` has it.
fn line(event: &Value) -> String {
    let at = |path: &str| event.pointer(path).cloned().unwrap_or(Value::Null);
    let evidence = |path: &str| event.pointer(&format!("/evidences/0{path}")).cloned().unwrap_or(Value::Null);
    let time = event.get("time").and_then(Value::as_i64).map(milliseconds);
    let value = json!({
        "uid": at("/finding_info/uid"), "time": time, "detector": at("/unmapped/detector"),
        "severity": at("/severity"), "confidence": at("/confidence_score"), "outcome": at("/unmapped/outcome"),
        "reason": at("/unmapped/reason"), "incident": at("/unmapped/incident"),
        "endpoint": {
            "method": evidence("/http_request/http_method"), "service": evidence("/api/service/name"),
            "template": at("/unmapped/endpoint/template"),
        },
        "exchanges": at("/unmapped/exchanges"),
    });
    format!("{value}\n")
}
