//! `feedback`: what people say of incidents, kept under `--data` and counted.

use crate::cli::{FeedbackArgs, LearnArgs, Verdict};
use crate::failure::{Exit, Failure};
use crate::paper::print;
use crate::size::counted;
use crate::stored::{directory, each};
use crate::whom::{MIN_DIGITS, is_beginning};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use tapwire_inventory::kpis::Part;
use tapwire_store::{AuditLog, Reader};

/// The file under `--data`.
pub(crate) const FILE: &str = "feedback.jsonl";
/// What is said to why, in bytes: this is a note, and no report.
const MAX_WHY: usize = 1_000;

/// What people said of incidents: the last word on each counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Feedback {
    /// Attacks.
    pub(crate) right: u64,
    /// Nothing of the kind happened.
    pub(crate) wrong: u64,
    /// It happened, and is allowed.
    pub(crate) benign: u64,
    /// Lines of the file that nobody wrote so.
    pub(crate) unreadable: u64,
}

impl Feedback {
    /// What was said of incidents under a data directory; nothing where nobody said anything.
    pub(crate) fn read(data: &Path) -> Self {
        Self::of(&kept_or_told(data))
    }

    /// The same of what a command reads; captures have none.
    pub(crate) fn of_run(args: &LearnArgs) -> Self {
        let directory = args.paths.is_empty().then(|| directory(args.data.clone()).ok()).flatten();
        directory.map(|data| Self::read(&data)).unwrap_or_default()
    }

    fn of(bytes: &[u8]) -> Self {
        let (last, unreadable) = said(bytes);
        let mut feedback = Self { unreadable, ..Self::default() };
        for verdict in last.values() {
            match verdict {
                Verdict::True => feedback.right += 1,
                Verdict::False => feedback.wrong += 1,
                Verdict::Benign => feedback.benign += 1,
            }
        }
        feedback
    }

    /// Incidents of which something was said.
    pub(crate) const fn judged(&self) -> u64 {
        self.right + self.wrong + self.benign
    }

    /// Incidents that were right to tell, of all that people judged.
    pub(crate) fn precision(&self) -> Part {
        Part::of(self.right, self.judged())
    }

    /// In words; `None` where nothing was said.
    pub(crate) fn told(&self) -> Option<String> {
        let rest = match self.unreadable {
            0 => String::new(),
            lines => format!("; {} of {FILE} cannot be read", counted(lines, "line")),
        };
        (self.judged() + self.unreadable > 0).then(|| {
            format!(
                "{} judged by people: {} true, {} false, {} benign{rest}",
                counted(self.judged(), "incident"),
                self.right,
                self.wrong,
                self.benign
            )
        })
    }

    pub(crate) fn json(&self) -> Value {
        json!({"true": self.right, "false": self.wrong, "benign": self.benign})
    }
}

/// `tapwire feedback`.
pub(crate) fn feedback(args: &FeedbackArgs) -> Result<Exit, Failure> {
    let data = directory(args.data.clone())?;
    let uid = the_one(&data, &args.incident)?;
    let why = args.why.as_deref().unwrap_or_default();
    if why.len() > MAX_WHY {
        return Err(Failure::new(format!("--why: at most {MAX_WHY} bytes")));
    }
    keep(&data, &uid, args.verdict, why, None)?;
    let told = Feedback::of(&kept(&data)?).told().unwrap_or_default();
    print(&format!("{uid}: {}. {told}\n", args.verdict.meaning()), true)?;
    Ok(Exit::Done)
}

/// Keeps what was said of an incident, and by which user of the console.
pub(crate) fn keep(
    data: &Path,
    uid: &str,
    verdict: Verdict,
    why: &str,
    by: Option<&str>,
) -> Result<(), Failure> {
    let time = jiff::Timestamp::now().to_string();
    let mut line = json!({"time": time, "incident": uid, "verdict": verdict.name(), "why": why});
    by.into_iter().for_each(|by| line["by"] = by.into());
    AuditLog::open(&data.join(FILE))?.append(format!("{line}\n").as_bytes())?;
    Ok(())
}

/// The last word on each incident.
pub(crate) fn last_words(data: &Path) -> BTreeMap<String, Verdict> {
    said(&kept_or_told(data)).0
}

/// The file; nothing where there is none, and where it cannot be read, which is told on standard error.
fn kept_or_told(data: &Path) -> Vec<u8> {
    kept(data).unwrap_or_else(|failure| {
        eprintln!("tapwire: {failure}; what people said of incidents is not counted");
        Vec::new()
    })
}

fn kept(data: &Path) -> Result<Vec<u8>, Failure> {
    let path = data.join(FILE);
    match std::fs::read(&path) {
        // That a file stands in the directory's place is told by whoever opens that.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        read => read.map_err(|error| Failure::new(format!("{}: {error}", path.display()))),
    }
}

/// The last word on each incident, and lines that nobody wrote so.
fn said(bytes: &[u8]) -> (BTreeMap<String, Verdict>, u64) {
    let (mut last, mut unreadable) = (BTreeMap::new(), 0);
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let said = serde_json::from_slice::<Value>(line).ok();
        let word = |name: &str| Some(said.as_ref()?.get(name)?.as_str()?.to_owned());
        match (word("incident"), word("verdict").as_deref().and_then(Verdict::of)) {
            (Some(incident), Some(verdict)) => {
                last.insert(incident, verdict);
            }
            _ => unreadable += 1,
        }
    }
    (last, unreadable)
}

/// The only incident under `data` that begins so.
fn the_one(data: &Path, prefix: &str) -> Result<String, Failure> {
    let prefix = prefix.to_ascii_lowercase();
    if !is_beginning(&prefix) {
        return Err(Failure::new(format!(
            "feedback {prefix}: give at least {MIN_DIGITS} hexadecimal digits of an incident, as `tapwire incidents` has it"
        )));
    }
    let mut found: BTreeSet<String> = BTreeSet::new();
    let lost = each(&Reader::open(data)?, format!("\"incident\":\"{prefix}").as_bytes(), |event| {
        let uid = event.pointer("/unmapped/incident").and_then(Value::as_str);
        found.extend(uid.filter(|uid| uid.starts_with(&prefix)).map(str::to_owned));
    })?;
    lost.say();
    let many = found.len();
    match (found.pop_first(), many) {
        (Some(one), 1) => Ok(one),
        (Some(_), _) => Err(Failure::new(format!("{prefix}: {many} incidents begin so; give more digits"))),
        (None, _) => Err(Failure::new(format!(
            "{prefix}: no incident that begins so is stored in {}; `tapwire incidents --data {0}` lists them",
            data.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_each_incident_counts() {
        let text = b"\xff\xfe broken\n{\"incident\":\"a\",\"verdict\":\"true\"}\n{\"incident\":\"a\",\"verdict\":\"false\"}\n\
                    {\"incident\":\"b\",\"verdict\":\"benign\"}\n{\"incident\":\"c\",\"verdict\":\"true\"}\n\
                    {\"incident\":\"c\",\"verdict\":\"perhaps\"}\ntorn";
        let feedback = Feedback::of(text);
        assert_eq!(feedback, Feedback { right: 1, wrong: 1, benign: 1, unreadable: 3 });
        assert_eq!(feedback.precision(), Part::of(1, 3));
        assert_eq!(Feedback::default().told(), None);
    }
}
