//! The configuration: defaults, then the file, then `--set`, then options, each value with where it came from.

mod console;
mod data;
mod mute;
mod output;
mod place;
mod tap;

pub(crate) use console::{Console, Hunt, Look};
pub(crate) use data::{Collect, Events, Keep, Lake, Packets, State, Streams};
pub(crate) use mute::UserMute;
pub(crate) use output::{Output, RedactProfile};
pub(crate) use tap::{Capture, Heartbeat};

use crate::cli::ConfigArgs;
use crate::content::ContentSettings;
use crate::context::{ContextSettings, Labels, Lists, Networks};
use crate::failure::Failure;
use crate::kpis::KpiSettings;
use crate::sandbox::Sandbox;
use crate::size::parse_bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tapwire_inspect::Descriptors;
use tapwire_inspect::classes::{Classes, UserClass};
use toml::{Table, Value};

/// Every key that can be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Bound of this process's memory; the capture ring is outside it.
    pub(crate) memory: String,
    /// Inspector threads; -1 takes the machine's cores less two, at least one, and none where there is nothing to inspect.
    pub(crate) threads: i64,
    /// Whether the process gives up, once it has opened what it needs, to reach other files and to make calls that it does not need.
    pub(crate) sandbox: Sandbox,
    /// This sensor's name, as events carry it; empty for none.
    pub(crate) sensor: String,
    /// The tenant that events name; empty for none.
    pub(crate) tenant: String,
    /// Descriptions of APIs, as `--openapi` takes them.
    pub(crate) openapi: Vec<String>,
    /// Users' rules, files and folders, as `--rules` takes them.
    pub(crate) rules: Vec<PathBuf>,
    /// What leaves, and how.
    pub(crate) redact: Redact,
    /// Interfaces.
    pub(crate) capture: Capture,
    /// Tunnels, tenants and IP fragments.
    pub(crate) wire: tapwire_wire::Config,
    /// The packet ring.
    pub(crate) packets: Packets,
    /// What a sensor says when nothing else happens.
    pub(crate) heartbeat: Heartbeat,
    /// Timeouts and reassembly.
    pub(crate) flow: tapwire_flow::Config,
    /// Bodies.
    pub(crate) body: Body,
    /// Streams that go on.
    pub(crate) streams: Streams,
    /// Events under `--data`.
    pub(crate) events: Events,
    /// How long tables are kept, and how much of them.
    pub(crate) lake: Lake,
    /// Events of other sensors.
    pub(crate) collect: Collect,
    /// What was learned, under `--data`.
    pub(crate) state: State,
    /// What is known of payloads beforehand.
    pub(crate) inspect: Inspect,
    /// Data classes of one's own.
    pub(crate) data_class: Vec<UserClass>,
    /// When policies are judged.
    pub(crate) policies: tapwire_detect::policies::Settings,
    /// Policies of one's own, and what is to be different of those that are built in.
    pub(crate) policy: Vec<tapwire_detect::policies::UserPolicy>,
    /// Detectors.
    pub(crate) detect: DetectSettings,
    /// What callers may do within an hour.
    pub(crate) quota: Vec<crate::quotas::QuotaSettings>,
    /// Findings of posture that somebody takes responsibility for.
    pub(crate) accept: Vec<tapwire_detect::policies::UserAcceptance>,
    /// Findings that are not told for a while.
    pub(crate) mute: Vec<UserMute>,
    /// What was installed with `tapwire content`.
    pub(crate) content: ContentSettings,
    /// What is known of the network.
    pub(crate) context: ContextSettings,
    /// Networks by what they are; context files add to them.
    pub(crate) networks: Networks,
    /// Lists that calls are held against; context files add to them.
    pub(crate) lists: Lists,
    /// Who answers for what: hosts, paths of a host, networks. Goes before the owners of assets.
    pub(crate) owners: Labels,
    /// Tags of hosts, paths of a host, networks.
    pub(crate) tags: Labels,
    /// What KPIs should be.
    pub(crate) kpi: KpiSettings,
    /// Outputs.
    pub(crate) sink: tapwire_sink::Config,
    /// Outputs with a filter, a format and a redaction of their own.
    pub(crate) output: Vec<Output>,
    /// Secrets that others send.
    pub(crate) keys: Keys,
    /// The console.
    pub(crate) console: Console,
}

/// `[keys]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Keys {
    /// Certificates of `--keylog tls://…`.
    pub(crate) tls: tapwire_keys::Tls,
}

/// `[redact]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Redact {
    /// `default`: identities and credentials are tokens, bodies stay here. `full`: everything leaves as it was sent.
    pub(crate) fidelity: Fidelity,
    /// Header names whose values leave in clear, beside the built-in list.
    pub(crate) clear_headers: Vec<String>,
    /// Profiles that outputs name.
    pub(crate) profile: BTreeMap<String, RedactProfile>,
}

/// How much leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fidelity {
    /// Redacted.
    #[default]
    Default,
    /// Everything.
    Full,
}

/// `[body]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Body {
    /// Bytes of one body that are decoded from its content coding.
    pub(crate) max_decoded: String,
    /// Decoded bytes for each coded byte, beyond the first 64 KiB; more is a bomb.
    pub(crate) max_ratio: u64,
}

impl Default for Body {
    fn default() -> Self {
        Self { max_decoded: "8MiB".into(), max_ratio: 100 }
    }
}

/// `[inspect]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Inspect {
    /// Descriptions of gRPC's messages: files that `protoc --include_imports --descriptor_set_out` wrote.
    pub(crate) proto: Vec<PathBuf>,
    /// Countries whose national numbers are data classes, in lower case, such as ["de", "fr"]; "*": all that are known.
    pub(crate) regions: Vec<String>,
    /// Whether addresses of crypto currencies are a data class.
    pub(crate) crypto_addresses: bool,
}

impl Default for Inspect {
    fn default() -> Self {
        let tapwire_inspect::classes::Settings { regions, crypto_addresses, .. } = Default::default();
        Self { proto: Vec::new(), regions, crypto_addresses }
    }
}

impl Inspect {
    /// What those files and further ones describe.
    pub(crate) fn descriptors(&self, more: &[PathBuf]) -> Result<Descriptors, Failure> {
        let mut descriptors = Descriptors::default();
        for path in self.proto.iter().chain(more) {
            let failed =
                |why: &dyn std::fmt::Display| Failure::new(format!("--proto {}: {why}", path.display()));
            let set = std::fs::read(path).map_err(|error| failed(&error))?;
            descriptors.add(&set).map_err(|error| failed(&error))?;
        }
        Ok(descriptors)
    }
}

/// Detectors.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DetectSettings {
    /// Findings a day of packet time by what is unusual alone, and against no rule; what comes beyond them is counted.
    pub(crate) behaviour_findings_a_day: u32,
}

impl Default for DetectSettings {
    fn default() -> Self {
        let detect = tapwire_detect::Config::default();
        Self { behaviour_findings_a_day: detect.behaviour_findings_a_day }
    }
}

impl Settings {
    /// The data classes that are looked for.
    fn classes(&self) -> Result<Classes, Failure> {
        let settings = tapwire_inspect::classes::Settings {
            regions: self.inspect.regions.clone(),
            crypto_addresses: self.inspect.crypto_addresses,
            data_class: self.data_class.clone(),
        };
        Classes::new(&settings).map_err(|bad| Failure::new(format!("configuration: {bad}")))
    }

    /// The policies that are judged.
    pub(crate) fn rules(&self) -> Result<tapwire_detect::policies::Rules, Failure> {
        tapwire_detect::policies::Rules::new(&self.policy, &self.accept)
            .map_err(|bad| Failure::new(format!("configuration: {bad}")))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory: "1GiB".into(),
            threads: -1,
            sandbox: Sandbox::default(),
            sensor: String::new(),
            tenant: String::new(),
            openapi: Vec::new(),
            rules: Vec::new(),
            redact: Redact::default(),
            capture: Capture::default(),
            wire: tapwire_wire::Config::default(),
            packets: Packets::default(),
            heartbeat: Heartbeat::default(),
            flow: tapwire_flow::Config::default(),
            body: Body::default(),
            streams: Streams::default(),
            events: Events::default(),
            lake: Lake::default(),
            collect: Collect::default(),
            state: State::default(),
            inspect: Inspect::default(),
            data_class: Vec::new(),
            policies: tapwire_detect::policies::Settings::default(),
            policy: Vec::new(),
            accept: Vec::new(),
            detect: DetectSettings::default(),
            quota: Vec::new(),
            mute: Vec::new(),
            content: ContentSettings::default(),
            context: ContextSettings::default(),
            networks: Networks::default(),
            lists: Lists::default(),
            owners: Labels::default(),
            tags: Labels::default(),
            kpi: KpiSettings::default(),
            sink: tapwire_sink::Config::default(),
            output: Vec::new(),
            keys: Keys::default(),
            console: Console::default(),
        }
    }
}

/// The effective settings, and where values other than the defaults came from.
#[derive(Debug)]
pub(crate) struct Effective {
    /// The settings.
    pub(crate) settings: Settings,
    /// The data classes that are looked for.
    pub(crate) classes: Arc<Classes>,
    origins: BTreeMap<String, String>,
}

/// Below this the shares of the stages hold nothing.
const LEAST_MEMORY: usize = 64 << 20;

/// A smaller ring holds moments.
const LEAST_PACKETS: u64 = 64 << 20;
/// As many sockets share an interface at most.
const MOST_LANES: usize = 64;

/// More inspector threads than any machine of today can use for one mirror port.
const MOST_THREADS: usize = 256;

impl Effective {
    /// Reads what `args` name, and adds what is installed.
    pub(crate) fn load(args: &ConfigArgs) -> Result<Self, Failure> {
        let mut effective = Self::without_content(args)?;
        if let Some((version, keys)) = crate::content::apply(&mut effective.settings)? {
            let origin = format!("content {version}");
            effective.origins.extend(keys.into_iter().map(|key| (key.to_owned(), origin.clone())));
            effective.classes = Arc::new(effective.settings.classes()?);
        }
        Ok(effective)
    }

    /// Of settings that somebody put together.
    pub(crate) fn of(settings: Settings) -> Result<Self, Failure> {
        Ok(Self { classes: Arc::new(settings.classes()?), settings, origins: BTreeMap::new() })
    }

    /// Reads what `args` name.
    pub(crate) fn without_content(args: &ConfigArgs) -> Result<Self, Failure> {
        let mut merged = Table::new();
        let mut origins = BTreeMap::new();
        if let Some(path) = file_of(args) {
            let overlay = place::read(&path)?;
            merge(&mut merged, overlay, "", &path.display().to_string(), &mut origins);
        }
        for setting in &args.set {
            let overlay = one_setting(setting)?;
            let origin = format!("--set {}", setting.split('=').next().unwrap_or_default());
            check(&overlay, &origin)?;
            merge(&mut merged, overlay, "", "--set", &mut origins);
        }
        for (option, overlay) in options(args) {
            merge(&mut merged, overlay, "", option, &mut origins);
        }
        let settings = check(&merged, "configuration")?;
        let classes = Arc::new(settings.classes()?);
        Ok(Self { settings, classes, origins })
    }

    /// The effective configuration as TOML, each value that is not the default with its origin.
    pub(crate) fn show(&self) -> Result<String, Failure> {
        let table = Table::try_from(&self.settings).map_err(|error| Failure::new(error.to_string()))?;
        let mut text = String::new();
        write_table(&table, "", &self.origins, &mut text);
        Ok(text)
    }

    /// The memory bound in bytes.
    pub(crate) fn memory(&self) -> Result<usize, Failure> {
        let origin = self.origins.get("memory").map(String::as_str);
        let key = origin.filter(|origin| *origin == "--memory").unwrap_or("memory");
        let bytes = size_of_key(key, &self.settings.memory)?;
        if bytes < LEAST_MEMORY {
            return Err(Failure::new(format!(
                "{key}: {} is too little to sense with; give at least 64MiB",
                self.settings.memory
            )));
        }
        Ok(bytes)
    }

    /// Bytes of the packet ring; `None` where none is kept.
    pub(crate) fn packet_budget(&self) -> Result<Option<u64>, Failure> {
        let text = &self.settings.packets.budget;
        match size_of_key("packets.budget", text)? as u64 {
            0 => Ok(None),
            budget if budget < LEAST_PACKETS => Err(Failure::new(format!(
                "packets.budget: {text} is too little to be of use; give at least 64MiB, or 0 to keep no packets"
            ))),
            budget => Ok(Some(budget)),
        }
    }

    /// How many capture threads an interface has.
    pub(crate) fn lanes(&self) -> Result<usize, Failure> {
        match self.settings.capture.lanes {
            2.. if self.packet_budget()?.is_some() => Err(Failure::new(
                "packets.budget: only one lane keeps packets; set capture.lanes=1 or packets.budget=0",
            )),
            lanes @ 1..=MOST_LANES => Ok(lanes),
            other => Err(Failure::new(format!(
                "capture.lanes: {other} is no number of lanes; give 1 to {MOST_LANES}"
            ))),
        }
    }

    /// How many inspector threads, where somebody said so.
    pub(crate) fn threads(&self) -> Result<Option<usize>, Failure> {
        match usize::try_from(self.settings.threads) {
            Ok(count) if count > MOST_THREADS => {
                Err(Failure::new(format!("threads: {count} are too many; give 0 to {MOST_THREADS}")))
            }
            count => Ok(count.ok()),
        }
    }

    /// Whether a tap can run so: on one thread it would have to drop packets where it could leave out work.
    pub(crate) fn suits_a_tap(&self) -> Result<(), Failure> {
        if self.threads()? != Some(0) {
            return Ok(());
        }
        let key =
            self.origins.get("threads").filter(|origin| *origin == "--threads").map_or("threads", |key| key);
        Err(Failure::new(format!(
            "{key} 0: a tap needs an inspector thread beside the capture thread, to shed work before it loses packets; \
             give 1 or more, or leave it out"
        )))
    }
}

/// Reads a size, naming its key when it is none.
pub(crate) fn size_of_key(key: &str, text: &str) -> Result<usize, Failure> {
    parse_bytes(text)
        .ok_or_else(|| Failure::new(format!("{key}: '{text}' is no size; write it like 512MiB or 2GiB")))
}

/// What options of their own set.
fn options(args: &ConfigArgs) -> Vec<(&'static str, Table)> {
    let one = |key: &str, value: Value| Table::from_iter([(key.to_owned(), value)]);
    let memory = args.memory.iter().map(|size| ("--memory", one("memory", Value::String(size.clone()))));
    let threads = args.threads.iter().map(|count| {
        ("--threads", one("threads", Value::Integer(i64::try_from(*count).unwrap_or(i64::MAX))))
    });
    let files = args.context.iter().map(|path| Value::String(path.display().to_string())).collect::<Vec<_>>();
    let files = Table::from_iter([("files".to_owned(), Value::Array(files))]);
    let context = (!args.context.is_empty()).then(|| ("--context", one("context", Value::Table(files))));
    memory.chain(threads).chain(context).collect()
}

/// The configuration file that counts, if any.
pub(crate) fn file_of(args: &ConfigArgs) -> Option<PathBuf> {
    args.config.clone().or_else(system_file)
}

fn system_file() -> Option<PathBuf> {
    let path = PathBuf::from("/etc/tapwire/tapwire.toml");
    path.exists().then_some(path)
}

/// `a.b=c` as a table. A value that is not TOML is a string, so that nobody needs to quote twice.
fn one_setting(setting: &str) -> Result<Table, Failure> {
    let Some((key, value)) = setting.split_once('=') else {
        return Err(Failure::new(format!(
            "--set {setting}: write it as key=value, such as redact.fidelity=full"
        )));
    };
    let key = key.trim();
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(Failure::new(format!("--set {setting}: '{key}' is no key")));
    }
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
    let mut value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
    let mut parts = key.split('.').rev();
    let first = parts.next().unwrap_or(key);
    for part in std::iter::once(first).chain(parts) {
        value = Value::Table(Table::from_iter([(part.to_owned(), value)]));
    }
    match value {
        Value::Table(table) => Ok(table),
        _ => Err(Failure::new(format!("--set {setting}: '{key}' is no key"))),
    }
}

/// Whether every key of `overlay` is known and of its type; the nearest known key is named where not.
fn check(overlay: &Table, origin: &str) -> Result<Settings, Failure> {
    Value::Table(overlay.clone())
        .try_into::<Settings>()
        .map_err(|error| Failure::new(format!("{origin}: {}", place::told(&error))))
}

fn merge(
    into: &mut Table,
    overlay: Table,
    prefix: &str,
    origin: &str,
    origins: &mut BTreeMap<String, String>,
) {
    for (key, value) in overlay {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (into.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(more)) => merge(below, more, &path, origin, origins),
            (None, Value::Table(more)) => {
                let mut below = Table::new();
                merge(&mut below, more, &path, origin, origins);
                into.insert(key, Value::Table(below));
            }
            (_, value) => {
                origins.insert(path, origin.to_owned());
                into.insert(key, value);
            }
        }
    }
}

fn write_table(table: &Table, prefix: &str, origins: &BTreeMap<String, String>, out: &mut String) {
    for (key, value) in table.iter().filter(|(_, value)| !value.is_table()) {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        let origin = origins.get(&path).map_or("default", String::as_str);
        out.push_str(&format!("{:<40} # {origin}\n", format!("{key} = {value}")));
    }
    for (key, value) in table {
        if let Value::Table(below) = value {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            out.push_str(&format!("\n[{path}]\n"));
            write_table(below, &path, origins, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(settings: &[&str]) -> Result<Effective, Failure> {
        Effective::load(&ConfigArgs {
            set: settings.iter().map(|s| (*s).to_owned()).collect(),
            ..ConfigArgs::default()
        })
    }

    #[test]
    fn a_setting_needs_no_quotes_and_keeps_its_neighbours() {
        let effective = load(&["redact.fidelity=full", "flow.idle_timeout=60"]).unwrap();
        assert_eq!(effective.settings.redact.fidelity, Fidelity::Full);
        assert_eq!(effective.settings.flow.idle_timeout, 60);
        assert_eq!(effective.settings.flow.open_timeout, 900);
        assert!(effective.show().unwrap().contains("idle_timeout = 60"));
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = load(&["flow.idle_timout=60"]).unwrap_err().to_string();
        assert!(error.contains("unknown key 'idle_timout'") && error.contains("'idle_timeout'"), "{error}");
    }

    #[test]
    fn a_wrong_type_is_said() {
        assert!(load(&["threads=many"]).unwrap_err().to_string().starts_with("--set threads:"));
    }
}
