//! `run` and `replay`: opens the source and the outputs, runs the pipeline, says what came of it.

use crate::cli::{KeyArgs, LearnArgs, OnOff, ReplayArgs, RunArgs, SenseArgs};
use crate::context::{ContextFiles, Watcher};
use crate::descriptions;
use crate::failure::{Exit, Failure, visible};
use crate::feedback::Feedback;
use crate::handover::{become_user, unrotatable};
use crate::keys::{Keys, keep_to_oneself};
use crate::lessons::Lessons;
use crate::memory;
use crate::next::Asked;
use crate::outputs::{self, Plan};
use crate::paper::print;
use crate::sandbox::{Reach, confine_and_tell};
use crate::serve::{Beside, Running};
use crate::settings::{Effective, Fidelity, Keep, size_of_key};
use crate::size::counted;
use crate::summary::{Summary, rfc3339};
use crate::taken::Taken;
use crate::watch::{Live, Terminal, catch_all_signals, catch_signals};
use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tapwire_capture::{InterfaceSource, Pressure, Source, follow, open_files};
use tapwire_detect::Severity;
use tapwire_event::Redactor;
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Aside, Config, Learned, Report, State, Unused, run_with};
use tapwire_sink::{Lapse, Outputs};
use tapwire_store::{Directories, PacketRing, Reader, Store, token_key};
use tapwire_wire::Timestamp;

/// `tapwire replay`.
pub(crate) fn replay(args: &ReplayArgs) -> Result<Exit, Failure> {
    let effective = Effective::load(&args.sense.config)?;
    let plan = Plan::new(&args.sense, Pressure::Block)?;
    let lessons = Lessons::of(args)?;
    // A capture may bring secrets along: before its first byte is read.
    keep_to_oneself()?;
    let (mut source, files) = open_captures(args)?;
    let keys = match args.follow {
        true => Keys::of_a_tap(&args.sense.keys, &effective.settings.keys.tls, 1, args.sense.quiet)?,
        false => Keys::of_captures(&args.sense.keys)?,
    };
    let data = args.sense.data.clone();
    let asked = Asked {
        paths: args.paths.iter().map(|path| path.display().to_string()).collect(),
        ..asked(&args.sense, &effective, &plan, data.as_deref())
    };
    let captures = args.paths.iter().chain(&args.learn_from).cloned().collect();
    let files = Files { taken_in: files, again: args.again };
    let run = Run { args: &args.sense, effective, plan, data, asked, lessons, captures, files, serve: None };
    run.sense(&mut *source, keys)
}

/// What is read, and the files that are read whole.
fn open_captures(args: &ReplayArgs) -> Result<(Box<dyn Source>, Vec<PathBuf>), Failure> {
    let filter = args.sense.bpf.as_deref();
    if !args.follow {
        let source = open_files(&args.paths, filter)?;
        let mut files: Vec<PathBuf> = source.paths().map(Path::to_owned).collect();
        if !args.learn_from.is_empty() && args.sense.data.is_some() {
            files.extend(open_files(&args.learn_from, filter)?.paths().map(Path::to_owned));
        }
        return Ok((Box::new(source), files));
    }
    match args.paths.as_slice() {
        [directory] => Ok((Box::new(follow(directory, filter)?), Vec::new())),
        _ => Err(Failure::new("--follow: give one directory; follow others with a tapwire of their own")),
    }
}

/// `tapwire run`.
pub(crate) fn run_live(args: &RunArgs) -> Result<Exit, Failure> {
    let effective = Effective::load(&args.sense.config)?;
    let plan = Plan::new(&args.sense, Pressure::Shed)?;
    effective.suits_a_tap()?;
    let bpf = filter_of(args)?;
    let ring = size_of_key("capture.ring", &effective.settings.capture.ring)?;
    let lanes = effective.lanes()?;
    let mut source = InterfaceSource::open_lanes(&args.interfaces, bpf.as_deref(), ring, lanes)?;
    let data = args.sense.data.clone().or_else(|| Directories::from_env().data);
    let interfaces = args.interfaces.clone();
    let asked = Asked { interfaces, ..asked(&args.sense, &effective, &plan, data.as_deref()) };
    let keys = Keys::of_a_tap(&args.sense.keys, &effective.settings.keys.tls, lanes, args.sense.quiet)?;
    let lessons = Lessons::default();
    let serve = args.serve.as_deref().map(Beside::bind).transpose()?;
    let (captures, files) = (Vec::new(), Files::default());
    let run = Run { args: &args.sense, effective, plan, data, asked, lessons, captures, files, serve };
    run.sense(&mut source, keys)
}

fn asked(args: &SenseArgs, effective: &Effective, plan: &Plan, data: Option<&Path>) -> Asked {
    Asked {
        data: args.data.as_ref().map(|data| data.display().to_string()),
        feedback: data.map(Feedback::read).unwrap_or_default(),
        kept: data.is_some() && effective.settings.events.keep == Keep::All,
        files: plan.files().iter().map(|file| file.display().to_string()).collect(),
        ..Asked::default()
    }
}

fn filter_of(args: &RunArgs) -> Result<Option<String>, Failure> {
    match (&args.sense.bpf, args.bpf_words.is_empty()) {
        (Some(_), false) => {
            Err(Failure::new("two capture filters: give it once, with -f or behind the options"))
        }
        (Some(filter), true) => Ok(Some(filter.clone())),
        (None, true) => Ok(None),
        (None, false) => Ok(Some(args.bpf_words.join(" "))),
    }
}

/// Everything that was asked for, before anything is written.
struct Run<'a> {
    args: &'a SenseArgs,
    effective: Effective,
    plan: Plan,
    data: Option<PathBuf>,
    asked: Asked,
    lessons: Lessons,
    /// What is read beside, and learned from.
    captures: Vec<PathBuf>,
    /// What is taken in under `--data`.
    files: Files,
    /// Where the console is served meanwhile.
    serve: Option<TcpListener>,
}

/// Captures, each of which is taken in once, unless it is said that it is to be again.
#[derive(Default)]
struct Files {
    taken_in: Vec<PathBuf>,
    again: bool,
}

impl Run<'_> {
    fn sense(self, source: &mut dyn Source, mut keys: Keys) -> Result<Exit, Failure> {
        let Self { args, effective, plan, data, lessons, .. } = &self;
        let pressure = source.pressure();
        let threshold = args.fail_on.as_deref().map(severity).transpose()?;
        let store = data.as_deref().map(Store::open).transpose()?;
        let taken = |data: &PathBuf| Taken::open(data, &self.files.taken_in, self.files.again);
        let mut taken = data.as_ref().map(taken).transpose()?.unwrap_or_default();
        let ring = self.ring(store.as_ref(), source)?;
        let key = load_key(args.token_key.as_deref(), store.as_ref())?;
        let mut config = pipeline_config(effective, args, key.clone(), pressure)?;
        config.secrets = std::mem::take(&mut keys.secrets);
        config.mutes.extend(data.as_deref().map(crate::serve::mutes).unwrap_or_default());
        let tls = &mut config.secrets.config;
        tls.waiting_bytes = tls.waiting_bytes.min(memory::WAITING_FOR_KEYS.bytes(config.flow.memory));
        if lessons.twice {
            lessons.share(&mut config);
        }
        let state = self.state(store.as_ref(), &config)?;
        let profiled = |profile: Option<&str>| profiled(effective, &key, profile);
        let watched = Outputs::default();
        let outlets = outputs::open(plan, args, effective, &profiled, pressure, store, &watched)?;
        if pressure == Pressure::Shed {
            self.give_up_privileges()?;
        }
        self.confine(pressure);
        keys.start()?;
        let watcher = source.is_endless().then(|| {
            Watcher::start(&args.config, key.clone(), &config, &args.rules, data.as_deref(), args.quiet)
        });
        let watcher = watcher.transpose()?;
        let vitals = Live::default();
        let console = self.console(watched, vitals.clone())?;
        let stop = if source.is_endless() { catch_signals()? } else { catch_all_signals()? };
        let mut terminal = Terminal::new(stop, args.quiet, pressure).with_vitals(vitals);
        let before = || self.learned(&config);
        let Some(taught) = lessons.learn(args.bpf.as_deref(), before, &config, &mut terminal)? else {
            terminal.finish();
            return Ok(Exit::Interrupted);
        };
        let feeds = std::mem::take(&mut keys.feeds);
        let aside = Aside { ring, feeds, state, learned: taught.learned, known: taught.known };
        taken.begin()?;
        let report = run_with(source, &config, outlets, &mut terminal, aside);
        terminal.finish();
        drop((watcher, console));
        self.tell_troubles(&report, &keys, source.is_endless());
        let nothing_read = !report.source_errors.is_empty() && report.wire.packets == 0;
        if nothing_read || is_whole(&report, args.count) {
            taken.end(nothing_read)?;
        }
        // Figures of nothing help nobody, nor do figures that nobody waits for.
        if !nothing_read && !report.reader_gone {
            self.tell_figures(&report, key)?;
        }
        Ok(exit(&report, pressure, threshold))
    }

    /// Says what went wrong.
    fn tell_troubles(&self, report: &Report, keys: &Keys, endless: bool) {
        let args = self.args;
        if let Some(line) = keys.told().filter(|_| !args.quiet) {
            eprintln!("tapwire: {line}");
        }
        report_errors(report, endless);
        tell_useless_keys(&args.keys, report, endless);
        if !args.quiet {
            descriptions::tell_unmet(report.inventory.as_ref());
        }
    }

    /// Keeps what was learned as rows of tables, and says what came of the run.
    fn tell_figures(&self, report: &Report, key: TokenKey) -> Result<(), Failure> {
        let Self { args, effective, plan, data, asked, .. } = self;
        if let Some(data) = data {
            crate::lake::learned(data, effective, report, &mut redactor(effective, key.clone()))?;
        }
        if !args.quiet || args.json {
            let summary = Summary::new(report, asked, args.verbose, redactor(effective, key));
            let to_stdout = !plan.stdout_carries_events();
            print(&if args.json { summary.json() } else { summary.text(to_stdout) }, to_stdout)?;
        }
        Ok(())
    }

    /// The console over what the run keeps, where one was asked for.
    fn console(&self, outputs: Outputs, vitals: Live) -> Result<Option<Beside>, Failure> {
        let Some(listener) = &self.serve else { return Ok(None) };
        let data = self.data.clone();
        let learn = LearnArgs {
            paths: Vec::new(),
            data: Some(data.ok_or_else(|| Failure::new("--serve: shows what is kept: give --data DIR"))?),
            bpf: None,
            openapi: self.args.openapi.clone(),
            keys: KeyArgs::default(),
            token_key: self.args.token_key.clone(),
            config: self.args.config.clone(),
        };
        let run = Running { outputs, vitals };
        Beside::start(listener.try_clone()?, learn, run, self.args.quiet).map(Some)
    }

    /// What was learned before, once more and without a word.
    fn learned(&self, config: &Config) -> Result<Learned, Failure> {
        let Some(data) = &self.data else { return Ok(Learned::new(config)) };
        Ok(Learned::read(&Reader::open(data)?, config)?.0)
    }

    /// What was learned before, and where it is kept.
    fn state(&self, store: Option<&Store>, config: &Config) -> Result<Option<State>, Failure> {
        let Some(store) = store.filter(|_| config.analysis) else { return Ok(None) };
        let checkpoints = store.checkpoints();
        let (learned, loads) = Learned::load(&checkpoints, config)?;
        for Unused { path, why, .. } in &loads.unused {
            eprintln!("tapwire: {}: {why}; set aside, and the run begins without it", path.display());
        }
        if loads.left_out > 0 && !self.args.quiet {
            eprintln!(
                "tapwire: {}: {} entries of what was learned found no room, or nothing to belong to: more --memory has more room",
                store.reader().directory().display(),
                loads.left_out
            );
        }
        if loads.outdated > 0 && !self.args.quiet {
            eprintln!(
                "tapwire: {}: {} parts of what was learned are of another version, and begin anew",
                store.reader().directory().display(),
                loads.outdated
            );
        }
        Ok(Some(State { checkpoints, every: self.effective.settings.state.every(), learned }))
    }

    /// The packet ring, where the configuration asks for one.
    fn ring(&self, store: Option<&Store>, source: &dyn Source) -> Result<Option<PacketRing>, Failure> {
        // Without --data nothing is kept, packets neither.
        let (Some(budget), Some(store)) = (self.effective.packet_budget()?, store) else { return Ok(None) };
        Ok(Some(store.packet_ring(budget, &source.names().all())?))
    }

    /// Keeps what is still to be read and written within reach, and nothing else. Threads start after it.
    fn confine(&self, pressure: Pressure) {
        let Self { args, effective, plan, data, .. } = self;
        let reach = Reach::sensing(args, effective, data.as_deref(), plan.destinations());
        let reach = if self.serve.is_some() { reach.console() } else { reach };
        // A replay is over soon, and whoever asks for much is told.
        let quiet = args.quiet || pressure == Pressure::Block && !args.verbose;
        confine_and_tell(effective.settings.sandbox, &reach.captures(&self.captures), quiet);
    }

    /// Interfaces and outputs are open. Says, before the first packet, who the process is from here on.
    fn give_up_privileges(&self) -> Result<(), Failure> {
        let user = become_user(&self.effective.settings.capture.user, self.data.as_deref())?;
        let Some(user) = user else { return Ok(()) };
        if !self.args.quiet {
            eprintln!("tapwire: capturing; privileges dropped to user {user}");
        }
        let rotates = self.effective.settings.sink.rotate.bytes > 0;
        if let Some(file) = unrotatable(&self.plan.files()).filter(|_| rotates) {
            eprintln!(
                "tapwire: {}: user {user} may not rename files there, so when the file has reached its size events are \
                 dropped and counted: give the directory to {user}, name another user with --set capture.user=USER, or \
                 let it grow with --set sink.rotate.bytes=0",
                file.display()
            );
        }
        Ok(())
    }
}

/// The key of all tokens.
pub(crate) fn load_key(explicit: Option<&Path>, store: Option<&Store>) -> Result<TokenKey, Failure> {
    let directories = Directories::from_env();
    let key = token_key(explicit, store.map(|store| store.reader().directory()), &directories)?;
    if key.readable_by_others {
        eprintln!(
            "tapwire: {}: others can read the token key; make it private: chmod 600",
            key.path.display()
        );
    }
    Ok(TokenKey::new(*key.bytes()))
}

/// The redactor that the configuration asks for.
pub(crate) fn redactor(effective: &Effective, key: TokenKey) -> Redactor {
    let fidelity = match effective.settings.redact.fidelity {
        Fidelity::Default => tapwire_event::Fidelity::Default,
        Fidelity::Full => tapwire_event::Fidelity::Full,
    };
    Redactor::new(key, fidelity)
        .clear_headers(effective.settings.redact.clear_headers.clone())
        .classes(Arc::clone(&effective.classes))
}

/// The same with the profile of that name.
fn profiled(effective: &Effective, key: &TokenKey, profile: Option<&str>) -> Result<Redactor, Failure> {
    let Some(name) = profile else { return Ok(redactor(effective, key.clone())) };
    let profiles = &effective.settings.redact.profile;
    let settings = profiles.get(name).ok_or_else(|| {
        let known: Vec<&str> = profiles.keys().map(String::as_str).collect();
        Failure::new(format!(
            "no redaction profile '{name}'; [redact.profile.NAME] has: {}",
            known.join(", ")
        ))
    })?;
    let profile = settings.profile(name)?;
    let key = if profile.own_tokens { key.derived(name.as_bytes()) } else { key.clone() };
    let redactor = redactor(effective, key).profile(profile);
    let redactor = settings.generations(name)?.into_iter().fold(redactor, Redactor::generation);
    Ok(match settings.seal(name)? {
        Some(seal) => redactor.seal(seal),
        None => redactor,
    })
}

/// What the pipeline is built from.
pub(crate) fn pipeline_config(
    effective: &Effective,
    args: &SenseArgs,
    key: TokenKey,
    pressure: Pressure,
) -> Result<Config, Failure> {
    let settings = &effective.settings;
    let sensing = memory::sensing(effective.memory()?);
    let part = memory::part_of_usual(effective.memory()?);
    let analysis = args.analysis == OnOff::On;
    let flow = tapwire_flow::Config {
        memory: memory::FLOW.bytes(sensing),
        out_of_order_memory: memory::OUT_OF_ORDER.bytes(sensing),
        gap_after_ms: (pressure == Pressure::Shed).then_some(200),
        hash_seed: RandomState::new().hash_one(std::process::id()),
        ..settings.flow.clone()
    };
    let children_per_second = settings.streams.children_per_second;
    let mut protocol = tapwire_protocol::Config { children_per_second, ..Default::default() };
    if !analysis {
        protocol.body_bytes = 0;
    }
    let inspect = inspect_config(effective, args, key.clone())?;
    let inventory = inventory_config(effective, args, key, part)?;
    let mut detect = tapwire_detect::Config::default();
    detect.max_records = (detect.max_records * part.0 / part.1).max(100);
    let rule_feed = tapwire_pipeline::RuleFeed::default();
    let rules = crate::rules::Source::of(&settings.rules, &args.rules);
    if !analysis && !args.rules.is_empty() {
        return Err(Failure::new("--rules: calls are judged with --analysis on only"));
    }
    if analysis {
        rules.load(args.quiet)?.into_iter().for_each(|judge| rule_feed.put(Some(judge)));
    }
    detect.behaviour_findings_a_day = settings.detect.behaviour_findings_a_day;
    Ok(Config {
        threads: effective.threads()?.unwrap_or_else(|| usual_threads(analysis, pressure)),
        analysis,
        tells: true,
        max_exchanges: args.count,
        in_flight_bytes: memory::IN_FLIGHT.bytes(sensing),
        heartbeat: settings.heartbeat.pulse(),
        wire: settings.wire.clone(),
        flow,
        secrets: tapwire_pipeline::Secrets::default(),
        protocol,
        inspect,
        context: tapwire_pipeline::ContextFeed::default(),
        detect,
        rules: settings.rules()?,
        mutes: settings.mutes()?,
        mute_feed: tapwire_pipeline::MuteFeed::default(),
        radius: None,
        policies: settings.policies,
        policy_feed: tapwire_pipeline::PolicyFeed::default(),
        rule_feed,
        inventory,
    })
}

fn inspect_config(
    effective: &Effective,
    args: &SenseArgs,
    key: TokenKey,
) -> Result<tapwire_inspect::Config, Failure> {
    let settings = &effective.settings;
    let mut inspect = tapwire_inspect::Config::new(key);
    inspect.max_decoded_bytes = size_of_key("body.max_decoded", &settings.body.max_decoded)? as u64;
    inspect.max_ratio = settings.body.max_ratio;
    inspect.descriptors = Arc::new(settings.inspect.descriptors(&args.proto)?);
    inspect.classes = Arc::clone(&effective.classes);
    Ok(inspect)
}

/// With limits that are that part of the usual ones.
fn inventory_config(
    effective: &Effective,
    args: &SenseArgs,
    key: TokenKey,
    part: (usize, usize),
) -> Result<tapwire_inventory::Config, Failure> {
    let settings = &effective.settings;
    let mut inventory = tapwire_inventory::Config::new(key.clone());
    inventory.silence = settings.heartbeat.silence();
    inventory.classes = Arc::clone(&effective.classes);
    inventory.descriptions = descriptions::load(settings.openapi.iter().chain(&args.openapi))?;
    inventory.scale(part);
    inventory.quotas = crate::quotas::declared(&settings.quota)?;
    inventory.context = Arc::new(ContextFiles::of(effective, key).read()?);
    Ok(inventory)
}

/// A file without analysis leaves nothing to do for a second thread that is worth handing it over. A tap keeps its own
/// thread free of outputs.
fn usual_threads(analysis: bool, pressure: Pressure) -> usize {
    if !analysis && pressure == Pressure::Block {
        return 0;
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.saturating_sub(2).max(1)
}

pub(crate) fn severity(name: &str) -> Result<Severity, Failure> {
    let all = [Severity::Informational, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    all.into_iter().find(|severity| severity.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
        Failure::new(format!(
            "--fail-on {name}: no such severity; there are informational, low, medium, high, critical"
        ))
    })
}

/// Whether all of the captures is kept.
fn is_whole(report: &Report, count: Option<u64>) -> bool {
    let is_kept = report.state.iter().all(|state| state.error.is_none());
    let is_cut = report.interrupted || report.reader_gone || count.is_some();
    is_kept && !is_cut && report.source_errors.iter().all(|error| error.is_partial())
}

/// What a source without an end had to tell was told when it happened.
fn report_errors(report: &Report, endless: bool) {
    for error in report.source_errors.iter().filter(|_| !endless) {
        tell(error);
    }
    for error in report.packets.iter().filter_map(|packets| packets.error.as_ref()) {
        tell(error);
    }
    for error in report.state.iter().filter_map(|state| state.error.as_ref()) {
        tell(&format!("what was learned is not all kept: {error}"));
    }
    for sink in &report.sinks {
        let is_end = |told: &tapwire_sink::SinkError| sink.error.as_ref() == Some(told);
        let told = sink.notices.iter();
        for notice in
            told.filter(|notice| matches!(notice, tapwire_sink::Notice::Told(told) if !is_end(told)))
        {
            tell(notice);
        }
        sink.error.iter().for_each(|error| eprintln!("tapwire: {error}{}", over(sink.lapse)));
    }
}

/// That the last failure of an output is over, and when it was.
fn over(lapse: Option<Lapse>) -> String {
    match lapse {
        Some(Lapse { at, is_over: true }) => {
            let at = rfc3339(Timestamp::from_nanos(at));
            format!("; that was at {at}, and events were taken since")
        }
        _ => String::new(),
    }
}

/// Keys of other connections: on a tap those of these may be still to come.
fn tell_useless_keys(keys: &KeyArgs, report: &Report, endless: bool) {
    let named =
        keys.keylog.iter().map(String::as_str).chain(keys.rsa_key.first().and_then(|path| path.to_str()));
    if let (Some(first), 1.., 0, false) =
        (named.take(1).next(), report.tls.connections, report.tls.decrypted, endless)
    {
        let connections = counted(report.tls.connections, "TLS connection");
        tell(&format!("keys: {first}: opens none of {connections}: these keys are of others"));
    }
}

fn tell(what: &dyn std::fmt::Display) {
    eprintln!("tapwire: {}", visible(&what.to_string()));
}

/// Whether something was found that is as bad, and stands.
fn has_findings(report: &Report, least: Severity) -> bool {
    let mut standing = report.postures.iter().filter(|posture| posture.stage.stands());
    report.findings.iter().any(|finding| finding.severity >= least)
        || standing.any(|posture| posture.rule.severity >= least)
}

fn exit(report: &Report, pressure: Pressure, threshold: Option<Severity>) -> Exit {
    let nothing_read = !report.source_errors.is_empty() && report.wire.packets == 0;
    // On a tap what a collector refused is a counter; of a file it is a result that did not arrive.
    let refused = report.sinks.iter().any(|sink| sink.error.is_some())
        || report.packets.iter().any(|packets| packets.error.is_some())
        || report.state.iter().any(|state| state.error.is_some());
    let undelivered = pressure == Pressure::Block && refused;
    // What ends a run before its source does leaves the rest unread, whoever starts it again.
    let broken_off = report.source_errors.iter().any(|error| !error.is_partial());
    if nothing_read || undelivered || broken_off {
        Exit::Operator
    } else if report.interrupted {
        Exit::Interrupted
    } else if threshold.is_some_and(|least| has_findings(report, least)) {
        Exit::Findings
    } else {
        Exit::Done
    }
}
