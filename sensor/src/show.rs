//! `show`: one exchange, finding or incident with its evidence.

use crate::cli::{KeyArgs, OnOff, SenseArgs, ShowArgs};
use crate::failure::{Exit, Failure};
use crate::lessons::Lessons;
use crate::page;
use crate::paper::print;
use crate::sandbox::{Reach, confine};
use crate::sense::{load_key, pipeline_config, redactor};
use crate::settings::Effective;
use crate::stored::{Lost, lines_naming};
use crate::watch::{Terminal, catch_signals};
use crate::whom::{MIN_DIGITS, is_beginning};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tapwire_capture::{Pressure, open_files};
use tapwire_event::{Options, Renderer};
use tapwire_pipeline::{Aside, Classes, Learned, Outlet, run_with};
use tapwire_sink::{Batch, Reader as Listener, Sink, SinkError, SinkReport};
use tapwire_store::{Directories, Reader};

/// Matches that are shown; more means that the uid was cut too short.
const MAX_MATCHES: usize = 16;

/// Findings of an incident, and what was told of it.
const MAX_STORY: usize = 2_000;

/// `tapwire show`.
pub(crate) fn show(args: &ShowArgs) -> Result<Exit, Failure> {
    let uid = args.uid.to_ascii_lowercase();
    if !is_beginning(&uid) {
        return Err(Failure::new(format!(
            "show {}: give at least {MIN_DIGITS} hexadecimal digits of a uid, as metadata.uid has it",
            args.uid
        )));
    }
    let (matches, lost) = match args.paths.is_empty() {
        true => from_data(args, &uid)?,
        false => (from_captures(args, &uid)?, Lost::default()),
    };
    if matches.is_empty() {
        return Err(Failure::new(format!(
            "{}: no exchange, finding or incident has this uid in what was searched{}",
            args.uid,
            lost.told()
        )));
    }
    let exit = if lost.say() { Exit::Operator } else { Exit::Done };
    let text = if args.json {
        matches.iter().map(|event| format!("{event}\n")).collect()
    } else {
        page::pages(&matches)
    };
    print(&text, true)?;
    Ok(exit)
}

/// Keeps the events that mention a uid.
pub(crate) struct Matching {
    uid: String,
    found: Arc<Mutex<Vec<Value>>>,
}

impl Matching {
    pub(crate) fn new(uid: &str) -> Self {
        Self { uid: uid.to_owned(), found: Arc::default() }
    }

    /// What was found so far.
    pub(crate) fn found(&self) -> Vec<Value> {
        self.found.lock().map(|found| found.clone()).unwrap_or_default()
    }

    pub(crate) fn take(&self, lines: &[u8]) {
        let Ok(mut found) = self.found.lock() else {
            return;
        };
        for line in lines.split(|byte| *byte == b'\n') {
            if memchr::memmem::find(line, self.uid.as_bytes()).is_none() {
                continue;
            }
            let Ok(event) = serde_json::from_slice::<Value>(line) else { continue };
            let most = if is_of_incident(&event, &self.uid) { MAX_STORY } else { MAX_MATCHES };
            if found.len() < most && (most == MAX_STORY || mentions(&event, &self.uid)) {
                found.push(event);
            }
        }
    }
}

impl Sink for Matching {
    fn write(&mut self, batch: &Batch) -> Result<Listener, SinkError> {
        self.take(batch.bytes());
        Ok(Listener::Listening)
    }

    fn report(&self) -> SinkReport {
        SinkReport {
            destination: "show".into(),
            counts: Default::default(),
            error: None,
            lapse: None,
            notices: Vec::new(),
        }
    }
}

fn from_captures(args: &ShowArgs, uid: &str) -> Result<Vec<Value>, Failure> {
    let effective = Effective::load(&args.config)?;
    let captures = Captures {
        paths: &args.paths,
        bpf: None,
        keys: &args.keys,
        token_key: args.token_key.as_deref(),
        rules: &args.rules,
        openapi: &[],
        two_pass: args.two_pass,
    };
    let mut terminal = Terminal::new(catch_signals()?, args.json, Pressure::Block);
    // A capture is somebody else's; what can be done by it is little.
    let reach = Reach::reading(&args.config, &args.keys, &effective, None).captures(&args.paths);
    let ready = || _ = confine(effective.settings.sandbox, &reach);
    Ok(captures.events(uid, &effective, &mut terminal, ready)?.0)
}

/// Captures in which something is looked for, with what it takes to find it there again.
pub(crate) struct Captures<'a> {
    pub(crate) paths: &'a [PathBuf],
    pub(crate) bpf: Option<&'a str>,
    pub(crate) keys: &'a KeyArgs,
    pub(crate) token_key: Option<&'a Path>,
    pub(crate) rules: &'a [PathBuf],
    pub(crate) openapi: &'a [String],
    pub(crate) two_pass: bool,
}

impl Captures<'_> {
    /// The events that mention a uid, and whether it was ended before all were read. `ready` is called when everything is open.
    pub(crate) fn events(
        &self,
        uid: &str,
        effective: &Effective,
        terminal: &mut Terminal,
        ready: impl FnOnce(),
    ) -> Result<(Vec<Value>, bool), Failure> {
        let key = load_key(self.token_key, None)?;
        let mut source = open_files(self.paths, self.bpf)?;
        let sense = SenseArgs {
            analysis: OnOff::On,
            rules: self.rules.to_vec(),
            openapi: self.openapi.to_vec(),
            quiet: true,
            ..SenseArgs::default()
        };
        let mut config = pipeline_config(effective, &sense, key.clone(), Pressure::Block)?;
        config.secrets = crate::keys::Keys::of_captures(self.keys)?.secrets;
        let lessons = Lessons::new(self.paths, self.two_pass, &[])?;
        if self.two_pass {
            lessons.share(&mut config);
        }
        let matching = Matching::new(uid);
        let found = Arc::clone(&matching.found);
        let options = Options { version: env!("CARGO_PKG_VERSION").into(), ..Options::default() };
        let renderer = Renderer::new(options, redactor(effective, key));
        let outlet = Outlet::new(renderer, Classes::default(), None, vec![Box::new(matching)]);
        ready();
        let empty = || Ok(Learned::new(&config));
        let taught = lessons.learn(self.bpf, empty, &config, terminal)?.unwrap_or_default();
        let aside = Aside { known: taught.known, ..Aside::default() };
        let report = run_with(&mut source, &config, vec![outlet], terminal, aside);
        terminal.finish();
        for error in &report.source_errors {
            eprintln!("tapwire: {error}");
        }
        let events = found.lock().map(|found| found.clone()).unwrap_or_default();
        Ok((events, report.interrupted))
    }
}

fn from_data(args: &ShowArgs, uid: &str) -> Result<(Vec<Value>, Lost), Failure> {
    let data = args.data.clone().or_else(|| Directories::from_env().data);
    let Some(data) = data else {
        return Err(Failure::new("show: name captures to look in, or --data DIR"));
    };
    let reader = Reader::open(&data)?;
    let matching = Matching::new(uid);
    let lost = lines_naming(&reader, uid, |lines| matching.take(lines))?;
    Ok((matching.found(), lost))
}

fn text<'a>(event: &'a Value, path: &str) -> Option<&'a str> {
    event.pointer(path).and_then(Value::as_str)
}

/// Whether the event is about that incident, or a finding that belongs to it.
pub(crate) fn is_of_incident(event: &Value, uid: &str) -> bool {
    text(event, "/unmapped/incident").is_some_and(|incident| incident.starts_with(uid))
}

/// Whether the event is the one with that uid.
fn names_itself(event: &Value, uid: &str) -> bool {
    ["/metadata/uid", "/finding_info/uid"]
        .iter()
        .any(|path| text(event, path).is_some_and(|own| own.starts_with(uid)))
}

/// Whether the event is that one, or a finding about that exchange.
fn mentions(event: &Value, uid: &str) -> bool {
    let exchanges = event.pointer("/unmapped/exchanges").and_then(Value::as_array);
    names_itself(event, uid)
        || exchanges.into_iter().flatten().filter_map(Value::as_str).any(|exchange| exchange.starts_with(uid))
}
