//! The command line.

mod carve;
mod collect;
mod console;
mod incidents;
mod inventory;
pub(crate) mod sql;

pub(crate) use carve::CarveArgs;
pub(crate) use collect::{CollectArgs, SensorAction, SensorAddArgs};
pub(crate) use console::{ServeAction, ServeArgs, UserAction};
pub(crate) use incidents::{BlastRadiusArgs, FeedbackArgs, FindingsArgs, IncidentsArgs, Verdict};
pub(crate) use inventory::InventoryArgs;
pub(crate) use sql::{LakeAction, SqlArgs};

use crate::case::CaseAction;
use crate::rules::{HuntArgs, RulesAction};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Listens to a copy of API traffic, understands every HTTP exchange in it, and says what is wrong.
#[derive(Debug, Parser)]
#[command(
    name = "tapwire",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "`tapwire -r FILE` is short for `tapwire replay FILE`, `tapwire -i IFACE` for `tapwire run -i IFACE`."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sense live traffic of a SPAN port, a tap, a cloud mirror or loopback
    Run(RunArgs),
    /// Sense captures: files, directories, or - for standard input
    Replay(ReplayArgs),
    /// Say whether this mirror is good, and if not, why and what to do
    Doctor(DoctorArgs),
    /// Show one exchange, finding or incident with its evidence
    Show(ShowArgs),
    /// List the services and endpoints of captures
    Inventory(InventoryArgs),
    /// Write OpenAPI 3.1 of what was seen of a service, or compare that with a description
    Openapi(OpenApiArgs),
    /// List who calls the APIs of captures, who calls most first
    Callers(CallersArgs),
    /// Tell what is wrong in captures, by who is behind it: one incident an actor, the worst first
    Incidents(IncidentsArgs),
    /// List what is wrong in captures, finding by finding, the worst first
    Findings(FindingsArgs),
    /// List limits that APIs advertise and quotas that are declared: used, exceeded, not enforced, and which limit would fit
    Quotas(QuotasArgs),
    /// Say whose records somebody got, by which endpoints, as far as captures or kept packets show it
    BlastRadius(BlastRadiusArgs),
    /// Say of an incident that it was an attack, that it was none, or that it is allowed
    Feedback(FeedbackArgs),
    /// Say how well APIs are known, protected and watched, in figures, against targets
    Kpis(KpisArgs),
    /// Write a month of KPIs as a printable page: now, change, targets, blind spots, what to do, by owner
    Report(ReportArgs),
    /// Ask the tables of what was seen, in SQL
    Sql(SqlArgs),
    /// Keep those tables: how long, how much, what is held
    #[command(subcommand)]
    Lake(LakeAction),
    /// Ask Sigma rules of the past: of the tables as far as these tell, else of kept packets or captures
    Hunt(HuntArgs),
    /// Show what was learned as pages in a browser
    Serve(ServeArgs),
    /// Receive events of other sensors, and keep them all together
    Collect(CollectArgs),
    /// Say which sensors may send to a collector
    Sensor {
        /// What to do
        #[command(subcommand)]
        action: SensorAction,
    },
    /// Write the packets of exchanges and findings as pcapng
    Carve(CarveArgs),
    /// Hand an incident on as one signed file, and check such a file
    Case {
        /// What to do with it
        #[command(subcommand)]
        action: CaseAction,
    },
    /// Send TLS secrets to a sensor on another machine
    Keys {
        /// What to do with them
        #[command(subcommand)]
        action: KeysAction,
    },
    /// Check, test, draft and try out Sigma rules
    Rules {
        /// What to do with them
        #[command(subcommand)]
        action: RulesAction,
    },
    /// Install rules, mutes, lists and data classes from one signed file, and take that back
    Content {
        /// What to do with it
        #[command(subcommand)]
        action: crate::content::ContentAction,
    },
    /// Say what a detector, anomaly, data class, KPI, ailment or field means
    Explain {
        /// Its name, as events and lists spell it
        name: String,
        /// Configuration file (TOML), whose policies and data classes are known, too
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// List what this build knows
    List {
        /// What to list
        what: Listing,
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
        /// Configuration file (TOML), whose policies and data classes are listed, too
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show or check the configuration
    Config {
        /// What to do with it
        action: ConfigAction,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Say which build this is, and what it was made of
    Version {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write the pages of every command into this folder instead, such as /usr/local/share/man/man1
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
}

/// What `keys` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Follow a key log and send its lines over mutual TLS to a sensor that listens with --keylog tls://:PORT
    Forward(ForwardArgs),
}

/// `tapwire keys forward`.
#[derive(Debug, Args)]
pub(crate) struct ForwardArgs {
    /// The key log: a file, followed as it grows, or fifo:PATH
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// The sensor
    #[arg(long, value_name = "tls://HOST:PORT")]
    pub(crate) to: String,
    /// Certificate to show the sensor (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: PathBuf,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Authority of the sensor's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
    /// Send what is there, and end when the sensor has it
    #[arg(long)]
    pub(crate) once: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What `list` can list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listing {
    /// Detectors
    Detectors,
    /// Wire protocols
    Protocols,
    /// Payload formats, and the styles of calls made in them
    Payloads,
    /// Kinds of sensitive data
    DataClasses,
    /// Key figures
    Kpis,
    /// What is judged of endpoints
    Policies,
    /// Outputs
    Sinks,
    /// Fields of --where and --fields, and those of endpoints
    Fields,
    /// Facts about bytes that events carry
    Anomalies,
    /// What `doctor` can find wrong with a mirror
    Ailments,
    /// Network interfaces of this machine
    Interfaces,
}

/// What `config` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigAction {
    /// Print the effective configuration, with where each value came from
    Show,
    /// Say whether the configuration is good
    Check,
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Set one key of the configuration, such as redact.fidelity=full
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// What is known of the network (repeatable): a file with [networks], [lists], [owners] and [tags], or a table of assets that ends in .csv
    #[arg(long, value_name = "FILE")]
    pub(crate) context: Vec<PathBuf>,
    /// Inspector threads; 0 runs everything on one thread, which only captures allow
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Bound of this process's memory, such as 1GiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
}

/// What opens encrypted traffic.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct KeyArgs {
    /// Secrets of TLS connections (repeatable): FILE, followed as it grows, fifo:PATH, unix:PATH, or tls://[HOST]:PORT for
    /// `tapwire keys forward` on other machines
    #[arg(long, value_name = "SOURCE")]
    pub(crate) keylog: Vec<String>,
    /// Private RSA key of a server, PEM (repeatable): opens TLS 1.2 and older without ephemeral keys
    #[arg(long, value_name = "FILE")]
    pub(crate) rsa_key: Vec<PathBuf>,
    /// Decrypt connections to this host only (repeatable), such as api.example.com or *.example.com
    #[arg(long, value_name = "HOST")]
    pub(crate) decrypt_host: Vec<String>,
}

/// What `run`, `replay` and `doctor` share.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SenseArgs {
    /// Where events go: - for standard output, null:// for nowhere, a path, or a URL (repeatable; see `tapwire list sinks`)
    #[arg(long, value_name = "DEST")]
    pub(crate) events: Vec<String>,
    /// Only these classes of events: exchanges, findings, incidents, endpoints, sensor; by default all of `run`, the first three of `replay`
    #[arg(long, value_name = "CLASS,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Format of events: ocsf, eve, ecs, cef, line, tsv
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Columns of tsv, such as time,method,path,status (see `tapwire list fields`)
    #[arg(long, value_name = "A,B,…")]
    pub(crate) fields: Option<String>,
    /// Only exchanges for which this holds, such as 'status >= 500 and method == "POST"'
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) filter: Option<String>,
    /// OCSF class of exchanges: api (6003) or http (4002)
    #[arg(long, value_name = "CLASS", default_value = "api")]
    pub(crate) class: String,
    /// How much an event tells: full, or lean (without headers)
    #[arg(long, value_name = "DETAIL", default_value = "full")]
    pub(crate) detail: String,
    /// Capture filter, in tcpdump's syntax
    #[arg(short = 'f', long = "filter", value_name = "BPF")]
    pub(crate) bpf: Option<String>,
    /// Stop after so many exchanges
    #[arg(short = 'c', long = "count", value_name = "N")]
    pub(crate) count: Option<u64>,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// off: exchanges only, no inspection, no learning and no detection
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub(crate) analysis: OnOff,
    /// Keep state and events here
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Key of all tokens: 32 bytes, raw or in hexadecimal
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    /// Names for the fields of gRPC's messages: a FileDescriptorSet, as protoc writes it (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) proto: Vec<PathBuf>,
    /// Descriptions of APIs (repeatable): an OpenAPI 2.0, 3.0 or 3.1 file, a folder of them, or SERVICE=FILE where the file
    /// does not name the host. Their paths are the templates of what they describe
    #[arg(long, value_name = "FILE")]
    pub(crate) openapi: Vec<String>,
    /// Sigma rules to judge calls by (repeatable): a file, or a folder of them
    #[arg(long, value_name = "PATH")]
    pub(crate) rules: Vec<PathBuf>,
    /// Exit with 1 when there is a finding of this severity or worse: informational, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<String>,
    /// The summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress and no summary
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// More: every counter in the summary
    #[arg(short, long)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OnOff {
    /// On.
    #[default]
    On,
    /// Off.
    Off,
}

/// `tapwire run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Interface to listen on (repeatable: the two ports of a tap feed one flow table)
    #[arg(short = 'i', long = "interface", value_name = "IFACE", required = true)]
    pub(crate) interfaces: Vec<String>,
    #[command(flatten)]
    pub(crate) sense: SenseArgs,
    /// Serve the console here while the run goes on, on loopback: what it shows is what was kept under --data last
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) serve: Option<String>,
    /// Capture filter, in tcpdump's syntax; the same as -f
    #[arg(value_name = "BPF")]
    pub(crate) bpf_words: Vec<String>,
}

/// `tapwire replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Capture files, directories of them, or - for standard input
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Follow a directory that captures are rotated in: those that are there, and those to come, until interrupted
    #[arg(long)]
    pub(crate) follow: bool,
    /// Read all captures twice: learn from all of them, then judge each call by what was learned
    #[arg(long, conflicts_with = "follow")]
    pub(crate) two_pass: bool,
    /// Learn from these captures first, and tell nothing of them (repeatable)
    #[arg(long, value_name = "PATH")]
    pub(crate) learn_from: Vec<PathBuf>,
    /// Take captures in that --data has already: all of it counts twice then
    #[arg(long)]
    pub(crate) again: bool,
    #[command(flatten)]
    pub(crate) sense: SenseArgs,
}

/// `tapwire doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Interface to look at (repeatable)
    #[arg(short = 'i', long = "interface", value_name = "IFACE")]
    pub(crate) interfaces: Vec<String>,
    /// Capture files or directories to look at
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How long to look at interfaces, in seconds; by default 10, with --size 60
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
    /// Say which cores, memory and disk this site needs, too
    #[arg(long)]
    pub(crate) size: bool,
    /// Capture filter, in tcpdump's syntax
    #[arg(short = 'f', long = "filter", value_name = "BPF")]
    pub(crate) bpf: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `tapwire show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The uid of an exchange, finding or incident, or its first 6 or more digits
    pub(crate) uid: String,
    /// Captures to look in; without any, the events kept under --data
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Find it as `replay --two-pass` does: with findings that only a second look gives
    #[arg(long, requires = "paths")]
    pub(crate) two_pass: bool,
    /// Find what these rules find, too, as `replay --rules PATH` does (repeatable)
    #[arg(long, value_name = "PATH", requires = "paths")]
    pub(crate) rules: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// Where state and events are kept
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Key of all tokens
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// What is learned from: captures, and what is known of their APIs beforehand.
#[derive(Debug, Args)]
pub(crate) struct LearnArgs {
    /// Captures to learn from: files, directories, or - for standard input; without any, what was learned under --data
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Where a run keeps what it learned
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    pub(crate) data: Option<PathBuf>,
    /// Capture filter, in tcpdump's syntax
    #[arg(short = 'f', long = "filter", value_name = "BPF", requires = "paths")]
    pub(crate) bpf: Option<String>,
    /// Descriptions of APIs (repeatable): an OpenAPI 2.0, 3.0 or 3.1 file, a folder of them, or SERVICE=FILE where the file
    /// does not name the host. Their paths are the templates of what they describe
    #[arg(long, value_name = "FILE")]
    pub(crate) openapi: Vec<String>,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// Key of all tokens
    #[arg(long, value_name = "FILE")]
    pub(crate) token_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// `tapwire openapi`.
#[derive(Debug, Args)]
pub(crate) struct OpenApiArgs {
    /// The service, as `tapwire inventory` names it
    pub(crate) service: String,
    #[command(flatten)]
    pub(crate) learn: LearnArgs,
    /// As YAML
    #[arg(long, conflicts_with = "diff")]
    pub(crate) yaml: bool,
    /// Say how the service differs from this description, a file or a folder
    #[arg(long, value_name = "SPEC")]
    pub(crate) diff: Option<String>,
    /// Differences as JSON, one object a line; a description is JSON by itself
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit with 1 when there is a difference of this severity or worse: informational, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", requires = "diff")]
    pub(crate) fail_on: Option<String>,
}

/// `tapwire callers`.
#[derive(Debug, Args)]
pub(crate) struct CallersArgs {
    #[command(flatten)]
    pub(crate) learn: LearnArgs,
    /// Sessions, too: which login handed their credentials out, what renewed and what ended them
    #[arg(long)]
    pub(crate) sessions: bool,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tapwire quotas`.
#[derive(Debug, Args)]
pub(crate) struct QuotasArgs {
    #[command(flatten)]
    pub(crate) learn: LearnArgs,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tapwire kpis`.
#[derive(Debug, Args)]
pub(crate) struct KpisArgs {
    #[command(flatten)]
    pub(crate) learn: LearnArgs,
    /// For each of them, rather than for everything together
    #[arg(long, value_name = "service|owner|tag")]
    pub(crate) by: Option<ScopeSort>,
    /// Day by day, in packet time and UTC
    #[arg(long)]
    pub(crate) series: bool,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `tapwire report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) learn: LearnArgs,
    /// The month, such as 2026-11 (UTC); by default that of the last call
    #[arg(long, value_name = "MONTH")]
    pub(crate) month: Option<String>,
    /// Write here, as one file of HTML; - for standard output
    #[arg(short = 'w', long = "write", value_name = "OUT", required = true)]
    pub(crate) out: PathBuf,
}

/// Into what `kpis` divides everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeSort {
    /// Services
    Service,
    /// Owners, by the table of assets
    Owner,
    /// Tags
    Tag,
}

/// Puts the command in where only its option was typed: `-r FILE` is `replay FILE`, `-i IFACE` is `run -i IFACE`.
pub(crate) fn spell_out(mut args: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let option = |arg: &std::ffi::OsString, name: &str| arg.to_str().is_some_and(|arg| arg == name);
    let starts_with_option =
        args.get(1).is_some_and(|arg| arg.to_str().is_some_and(|arg| arg.starts_with('-')));
    if !starts_with_option {
        return args;
    }
    if let Some(at) = args.iter().position(|arg| option(arg, "-r")) {
        args.remove(at);
        // The file stands where the option was.
        if args.get(at + 1).is_some_and(|arg| option(arg, "sql")) {
            args.remove(at + 1);
            args.insert(1, "sql".into());
            args.insert(at + 1, "--on".into());
        } else {
            args.insert(1, "replay".into());
        }
    } else if args.iter().any(|arg| option(arg, "-i")) {
        args.insert(1, "run".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn spelled(line: &str) -> String {
        let args = line.split(' ').map(std::ffi::OsString::from).collect();
        let spelled = spell_out(args);
        spelled.iter().filter_map(|arg| arg.to_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn short_forms_are_spelled_out() {
        assert_eq!(spelled("tapwire -r a.pcap --json"), "tapwire replay a.pcap --json");
        assert_eq!(spelled("tapwire -q -r a.pcap"), "tapwire replay -q a.pcap");
        assert_eq!(spelled("tapwire -i eth0 port 80"), "tapwire run -i eth0 port 80");
        assert_eq!(spelled("tapwire -r a.pcap sql \\d"), "tapwire sql --on a.pcap \\d");
        assert_eq!(spelled("tapwire -r sql sql \\d"), "tapwire sql --on sql \\d");
        assert_eq!(spelled("tapwire run -i eth0"), "tapwire run -i eth0");
        assert_eq!(spelled("tapwire --help"), "tapwire --help");
    }
}
