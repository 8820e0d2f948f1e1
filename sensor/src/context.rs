//! Context files: read at the start, and by a tap again when they change or when it is asked to (SIGHUP), as are the policies and
//! acceptances of the configuration.

use crate::cli::ConfigArgs;
use crate::failure::Failure;
use crate::rules::Source;
use crate::settings::{Effective, file_of};
use crate::size::counted;
use crate::watch::catch_hangup;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tapwire_detect::policies::{Settings as PolicySettings, UserAcceptance, UserPolicy};
use tapwire_inspect::TokenKey;
use tapwire_inventory::context::{Context, Reading, Trouble};
use tapwire_pipeline::{Config, ContextFeed, Mute, MuteFeed, PolicyFeed, RuleFeed};

/// How often a tap looks whether it was asked to read again; files are looked at every eighth time.
const TICK: Duration = Duration::from_millis(250);
const TICKS: u32 = 8;
/// Lines of one file that are named when they cannot be used; the others are counted.
const NAMED: usize = 10;
/// A larger file is none that a person wrote.
const LARGEST: u64 = 256 << 20;

/// `[context]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ContextSettings {
    /// Files with `[networks]`, `[lists]`, `[owners]` and `[tags]`, and tables of assets (`.csv`). `run` reads them again when they change.
    pub(crate) files: Vec<PathBuf>,
}

/// `[networks]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Networks {
    /// One's own.
    pub(crate) internal: Vec<String>,
    /// Partners'.
    pub(crate) partner: Vec<String>,
    /// What counts as public.
    pub(crate) public: Vec<String>,
    /// Proxies whose word on a client's address counts.
    pub(crate) proxies: Vec<String>,
    /// Gateways that calls should come through.
    pub(crate) gateways: Vec<String>,
}

/// `[lists]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Lists {
    /// Client addresses and networks.
    pub(crate) addresses: Vec<String>,
    /// Fingerprints of TLS clients.
    pub(crate) ja4: Vec<String>,
    /// Hosts that are asked, with those below them.
    pub(crate) domains: Vec<String>,
    /// Users, by login name or subject.
    pub(crate) users: Vec<String>,
}

/// `[owners]` and `[tags]`: what is said, and the hosts, paths and networks of which.
pub(crate) type Labels = BTreeMap<String, Vec<String>>;

/// Where context comes from.
pub(crate) struct ContextFiles {
    files: Vec<PathBuf>,
    /// Section, key and value of what stands in the configuration itself.
    own: Vec<(&'static str, String, String)>,
    key: TokenKey,
}

impl ContextFiles {
    /// What the configuration says and names.
    pub(crate) fn of(effective: &Effective, key: TokenKey) -> Self {
        let (networks, lists) = (&effective.settings.networks, &effective.settings.lists);
        let fixed = [
            ("networks", "internal", &networks.internal),
            ("networks", "partner", &networks.partner),
            ("networks", "public", &networks.public),
            ("networks", "proxies", &networks.proxies),
            ("networks", "gateways", &networks.gateways),
            ("lists", "addresses", &lists.addresses),
            ("lists", "ja4", &lists.ja4),
            ("lists", "domains", &lists.domains),
            ("lists", "users", &lists.users),
        ];
        let fixed = fixed.into_iter().map(|(section, name, values)| (section, name.to_owned(), values));
        let labels = [("owners", &effective.settings.owners), ("tags", &effective.settings.tags)];
        let labels = labels.into_iter().flat_map(|(section, labels)| {
            labels.iter().map(move |(label, places)| (section, label.clone(), places))
        });
        let own = fixed.chain(labels).flat_map(|(section, name, values)| {
            values.iter().map(move |value| (section, name.clone(), value.clone()))
        });
        let own = own.collect();
        Self { files: effective.settings.context.files.clone(), own, key }
    }

    /// Reads all of it. Lines that cannot be used are said and passed over; a file that cannot be read is an error.
    pub(crate) fn read(&self) -> Result<Context, Failure> {
        let mut reading = Reading::new(self.key.clone());
        for (section, name, value) in &self.own {
            reading
                .add(section, name, value)
                .map_err(|what| Failure::new(format!("{section}.{name}: {what}")))?;
        }
        for path in &self.files {
            let text = text_of(path)?;
            let is_table = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
            let troubles = if is_table { reading.assets(&text) } else { reading.sections(&text) };
            let lines =
                text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
            if !troubles.is_empty() && troubles.len() >= lines.count() {
                return Err(no_context(path, &troubles));
            }
            say(path, &troubles);
        }
        Ok(reading.finish())
    }

    /// What was read, with the age of each file.
    fn told(&self) -> String {
        let files: Vec<String> =
            self.files.iter().map(|path| format!("{} ({})", path.display(), age(path))).collect();
        files.join(", ")
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let failed = |why: &dyn std::fmt::Display| Failure::new(format!("context {}: {why}", path.display()));
    let about = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(failed(&"this is no file of at most 256 MiB"));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|_| failed(&"this is no text in UTF-8"))
}

/// A file of something else: that of every line is the same.
fn no_context(path: &Path, troubles: &[Trouble]) -> Failure {
    let first =
        troubles.first().map(|first| format!(" (line {}: {})", first.line, first.what)).unwrap_or_default();
    Failure::new(format!(
        "context {}: no line of it can be used{first}; it takes sections [networks], [lists], [owners] and [tags], or a table \
         of assets that ends in .csv",
        path.display()
    ))
}

fn say(path: &Path, troubles: &[Trouble]) {
    for trouble in troubles.iter().take(NAMED) {
        eprintln!("tapwire: {}:{}: {}; the line is not used", path.display(), trouble.line, trouble.what);
    }
    let more = troubles.len().saturating_sub(NAMED);
    if more > 0 {
        eprintln!("tapwire: {}: {more} more lines are not used", path.display());
    }
}

/// How long ago a file was changed.
fn age(path: &Path) -> String {
    let changed = std::fs::metadata(path).and_then(|about| about.modified());
    match changed.ok().and_then(|time| time.elapsed().ok()).map(|age| age.as_secs()) {
        None => "changed just now".into(),
        Some(seconds @ ..120) => format!("changed {seconds} s ago"),
        Some(seconds @ ..7_200) => format!("changed {} min ago", seconds / 60),
        Some(seconds @ ..172_800) => format!("changed {} h ago", seconds / 3_600),
        Some(seconds) => format!("changed {} days ago", seconds / 86_400),
    }
}

/// Reads everything for `tapwire config check`, and says how old it is.
pub(crate) fn check(effective: &Effective) -> Result<(), Failure> {
    let files = ContextFiles::of(effective, TokenKey::new([0; 32]));
    files.read()?;
    if !files.files.is_empty() {
        eprintln!("tapwire: context: {}", files.told());
    }
    Ok(())
}

/// What a file looked like: it is read again when that changes.
type Look = Vec<Option<(SystemTime, u64)>>;

/// Reads context again while a run goes on. Ends when it is dropped.
pub(crate) struct Watcher {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Begins to watch, and to listen for SIGHUP. Started when privileges were given up: what is read later is read by who
    /// the process is then.
    pub(crate) fn start(
        args: &ConfigArgs,
        key: TokenKey,
        config: &Config,
        rules: &[PathBuf],
        data: Option<&Path>,
        quiet: bool,
    ) -> Result<Self, Failure> {
        let effective = Effective::load(args)?;
        let files = ContextFiles::of(&effective, key.clone());
        if !quiet && !files.files.is_empty() {
            eprintln!("tapwire: context: {}", files.told());
        }
        let asked = catch_hangup()?;
        let over = Arc::new(AtomicBool::new(false));
        let mut watch = Watch {
            args: args.clone(),
            key,
            context: config.context.clone(),
            policies: config.policy_feed.clone(),
            rules: config.rule_feed.clone(),
            rule_paths: rules.to_vec(),
            mutes: config.mute_feed.clone(),
            known_mutes: config.mutes.clone(),
            data: data.map(Path::to_owned),
            known: Policies::of(&effective),
            quiet,
            asked,
            over: Arc::clone(&over),
        };
        let thread = std::thread::Builder::new().name("context".into()).spawn(move || watch.run())?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A thread that ended early has said why.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Watch {
    args: ConfigArgs,
    key: TokenKey,
    context: ContextFeed,
    policies: PolicyFeed,
    rules: RuleFeed,
    /// Rules that the command line names.
    rule_paths: Vec<PathBuf>,
    mutes: MuteFeed,
    known_mutes: Vec<Mute>,
    /// Where people mute kinds of incidents in the console.
    data: Option<PathBuf>,
    /// What the run goes by.
    known: Policies,
    quiet: bool,
    asked: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

/// What the configuration says of policies.
#[derive(PartialEq)]
struct Policies {
    own: Vec<UserPolicy>,
    accepted: Vec<UserAcceptance>,
    settings: PolicySettings,
}

impl Policies {
    fn of(effective: &Effective) -> Self {
        let settings = &effective.settings;
        Self { own: settings.policy.clone(), accepted: settings.accept.clone(), settings: settings.policies }
    }
}

/// The files that a configuration has things from, itself among them.
fn named(args: &ConfigArgs, rule_paths: &[PathBuf]) -> Vec<PathBuf> {
    let read = Effective::load(args).map(|effective| {
        let rules = Source::of(&effective.settings.rules, rule_paths).files();
        let content = crate::content::current_file(&effective.settings.content);
        effective.settings.context.files.into_iter().chain(rules).chain(content).collect::<Vec<_>>()
    });
    file_of(args).into_iter().chain(read.unwrap_or_default()).collect()
}

impl Watch {
    fn run(&mut self) {
        let mut before = self.look();
        let mut ticks = 0;
        while !self.over.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            ticks += 1;
            let asked = self.asked.swap(false, Ordering::Relaxed);
            if !asked && ticks % TICKS != 0 {
                continue;
            }
            let now = self.look();
            if asked || now != before {
                before = now;
                self.read_again();
            }
        }
    }

    fn look(&self) -> Look {
        let said = self.data.as_deref().map(crate::serve::mutes_file);
        let files = named(&self.args, &self.rule_paths).into_iter().chain(said);
        let look = |path: PathBuf| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        files.map(look).collect()
    }

    /// What cannot be read stays as it was.
    fn read_again(&mut self) {
        match Effective::load(&self.args) {
            Ok(effective) => {
                self.read_context(&effective);
                self.read_policies(&effective);
                self.read_rules(&effective);
                self.read_mutes(&effective);
            }
            Err(failure) => {
                eprintln!(
                    "tapwire: {failure}; the context stays as it was, and so do policies, rules and mutes"
                )
            }
        }
    }

    fn read_context(&self, effective: &Effective) {
        let files = ContextFiles::of(effective, self.key.clone());
        match files.read() {
            Ok(context) => {
                self.context.put(Arc::new(context));
                if !self.quiet && !files.files.is_empty() {
                    eprintln!("tapwire: context read again: {}", files.told());
                }
            }
            Err(failure) => eprintln!("tapwire: {failure}; the context stays as it was"),
        }
    }

    /// Rules are read again when somebody asks, or one of their files changed.
    fn read_rules(&mut self, effective: &Effective) {
        match Source::of(&effective.settings.rules, &self.rule_paths).load(self.quiet) {
            Ok(judge) => self.rules.put(judge),
            Err(failure) => eprintln!("tapwire: {failure}; rules stay as they were"),
        }
    }

    /// Those of the configuration, and those of the console.
    fn read_mutes(&mut self, effective: &Effective) {
        let mut mutes = match effective.settings.mutes() {
            Ok(mutes) => mutes,
            Err(failure) => return eprintln!("tapwire: {failure}; mutes stay as they were"),
        };
        mutes.extend(self.data.as_deref().map(crate::serve::mutes).unwrap_or_default());
        let known = &self.known_mutes;
        if mutes.len() == known.len() && mutes.iter().zip(known).all(|(one, other)| one.is(other)) {
            return;
        }
        self.mutes.put(mutes.clone());
        if !self.quiet {
            eprintln!("tapwire: mutes read again: {}", counted(mutes.len() as u64, "mute"));
        }
        self.known_mutes = mutes;
    }

    fn read_policies(&mut self, effective: &Effective) {
        let policies = Policies::of(effective);
        if policies == self.known {
            return;
        }
        match effective.settings.rules() {
            Ok(rules) => {
                if !self.quiet {
                    let judged = counted(rules.iter().count() as u64, "policy");
                    let accepted = counted(rules.acceptances() as u64, "acceptance");
                    eprintln!("tapwire: policies read again: {judged}, {accepted}");
                }
                self.policies.put((rules, policies.settings));
                self.known = policies;
            }
            Err(failure) => eprintln!("tapwire: {failure}; policies and acceptances stay as they were"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_looks_whether_other_content_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let args = |content: &Path| ConfigArgs {
            set: vec![format!("content.folder={}", content.display())],
            ..ConfigArgs::default()
        };
        // Content of mutes alone has no file of rules or lists that could change.
        assert!(named(&args(folder.path()), &[]).contains(&folder.path().join("current")));
        assert!(!named(&args(Path::new("")), &[]).contains(&PathBuf::from("current")));
    }
}
