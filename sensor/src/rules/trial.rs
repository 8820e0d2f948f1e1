//! `rules test`: rules tried on the events and captures of the test files beside them.

use super::args::RulesTestArgs;
use super::files::{self, TESTS, text_of};
use super::past::Past;
use crate::cli::ConfigArgs;
use crate::failure::{Exit, Failure};
use crate::paper::{plain, print};
use crate::size::counted;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tapwire_detect::{CallRules, Finding, RuleCounters};
use tapwire_inventory::Call;
use tapwire_rules::{Case, NONE_JUDGED, RuleFile, TestFile, load};

/// `tapwire rules test`.
pub(super) fn test(args: &RulesTestArgs) -> Result<Exit, Failure> {
    let mut tried = Tried::default();
    for path in files::named(&args.paths)? {
        let tests = beside(&path);
        if tests.exists() {
            tried.file(&path, &tests)?;
        } else {
            tried.untested += 1;
        }
    }
    if tried.passed + tried.failed == 0 {
        return Err(Failure::new("no tests: write them to NAME.test.yml beside NAME.yml (docs/rules.md)"));
    }
    let sums = (counted(tried.passed, "test"), tried.failed, counted(tried.untested, "file"));
    print(&format!("{}{} passed, {} failed; {} without tests\n", tried.text, sums.0, sums.1, sums.2), true)?;
    Ok(if tried.failed == 0 { Exit::Done } else { Exit::Operator })
}

fn beside(rules: &Path) -> PathBuf {
    let name = rules.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    rules.with_file_name(name + TESTS)
}

#[derive(Default)]
struct Tried {
    passed: u64,
    failed: u64,
    untested: u64,
    /// What failed, a line each.
    text: String,
}

impl Tried {
    fn file(&mut self, rules: &Path, tests: &Path) -> Result<(), Failure> {
        let read =
            |path: &Path| text_of(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())));
        let text = read(tests)?;
        let file = match TestFile::read(&text) {
            Ok(file) => file,
            Err(what) => return Err(Failure::new(format!("{}: {}", tests.display(), plain(&what)))),
        };
        let rules = [RuleFile { name: rules.display().to_string(), text: read(rules)? }];
        for fault in load(&rules).faults {
            self.fail(&format!("{}:{}: {}", fault.file, fault.line, plain(&fault.what)));
        }
        for case in &file.tests {
            let outcome = match &case.capture {
                Some(capture) => tried_on(&tests.with_file_name(capture), case, file.rule.as_deref(), &rules),
                None => case.run(file.rule.as_deref(), &rules),
            };
            match outcome {
                Ok(()) => self.passed += 1,
                Err(what) => self.fail(&format!("{}: {}: {what}", tests.display(), plain(&case.name))),
            }
        }
        Ok(())
    }

    fn fail(&mut self, line: &str) {
        self.failed += 1;
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// Whether findings of the rule name exactly the exchanges that the case names.
fn tried_on(capture: &Path, case: &Case, rule: Option<&str>, rules: &[RuleFile]) -> Result<(), String> {
    let captures = [capture.to_owned()];
    let past = Past { captures: &captures, data: None, token_key: None, config: &ConfigArgs::default() };
    let uids = Arc::new(Mutex::new(BTreeSet::new()));
    let loaded = load(rules);
    if loaded.applied.is_empty() {
        return Err(NONE_JUDGED.into());
    }
    if let Some(rule) = rule.filter(|rule| loaded.applied.iter().all(|entry| entry.id != **rule)) {
        return Err(format!("no rule that is judged has the id {rule}"));
    }
    let rule = rule.map(str::to_owned);
    let collecting = Collecting { inner: Box::new(loaded.judge), rule, uids: Arc::clone(&uids) };
    past.run(Box::new(collecting), true).map_err(|error| error.to_string())?;
    let found = std::mem::take(&mut *uids.lock().unwrap_or_else(PoisonError::into_inner));
    let expected: BTreeSet<String> = case.uids.iter().cloned().collect();
    let list =
        |uids: Vec<&String>| uids.into_iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    let (more, missing) =
        (list(found.difference(&expected).collect()), list(expected.difference(&found).collect()));
    match (more.is_empty(), missing.is_empty()) {
        (true, true) => Ok(()),
        (false, _) => Err(format!("the rule holds for {more}, too")),
        (true, false) => Err(format!("the rule does not hold for {missing}")),
    }
}

/// Rules of which it is noted what they name: incidents tell the same thing once only.
#[derive(Debug)]
struct Collecting {
    inner: Box<dyn CallRules>,
    rule: Option<String>,
    uids: Arc<Mutex<BTreeSet<String>>>,
}

impl CallRules for Collecting {
    fn judge(&mut self, call: &Call, out: &mut Vec<Finding>) {
        let before = out.len();
        self.inner.judge(call, out);
        let mut uids = self.uids.lock().unwrap_or_else(PoisonError::into_inner);
        for finding in out.drain(before..) {
            let id = finding.rule.as_ref().map(|rule| &rule.id);
            if self.rule.is_none() || id == self.rule.as_ref() {
                uids.extend(finding.exchanges.iter().map(ToString::to_string));
            }
        }
    }

    fn counters(&self) -> RuleCounters {
        self.inner.counters()
    }
}
