//! Which events go where, in which format.

mod configured;

use crate::cli::SenseArgs;
use crate::failure::Failure;
use crate::kept::KeptEvents;
use crate::settings::{Effective, Keep};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use tapwire_capture::Pressure;
use tapwire_event::{Class, Detail, ExchangeFields, Format, Options, Redactor, Renderer, choose};
use tapwire_expr::Expr;
use tapwire_pipeline::{Classes, Outlet};
use tapwire_sink::{Context, Outputs, Sink, SinkInfo};
use tapwire_store::{Spools, Store};

/// What the options ask for, before anything is opened.
pub(crate) struct Plan {
    /// Destinations that share the chosen format.
    destinations: Vec<String>,
    options: Options,
    classes: Classes,
    filter: Option<Expr>,
}

impl Plan {
    /// Reads the options. Without `--events`, events go to standard output when that is a pipe or a format was asked for,
    /// and `run` prints a line an exchange on a terminal.
    pub(crate) fn new(args: &SenseArgs, pressure: Pressure) -> Result<Self, Failure> {
        agree(args)?;
        let terminal = std::io::stdout().is_terminal();
        let live = pressure == Pressure::Shed;
        let asked = args.format.is_some() || args.fields.is_some() || !args.only.is_empty();
        let mut destinations = args.events.clone();
        if destinations.is_empty() && (live || asked || !terminal) && !(args.json && !asked && !live) {
            destinations.push("-".into());
        }
        let to_terminal = terminal && destinations.iter().any(|destination| destination == "-");
        let format = match args.format.as_deref() {
            Some(name) => format(name)?,
            None if args.fields.is_some() => Format::Tsv,
            None if to_terminal && live => Format::Line,
            None => Format::Ocsf,
        };
        let options = Options {
            format,
            class: Class::parse(&args.class)
                .ok_or_else(|| Failure::new(format!("--class {}: there are api and http", args.class)))?,
            detail: Detail::parse(&args.detail)
                .ok_or_else(|| Failure::new(format!("--detail {}: there are full and lean", args.detail)))?,
            fields: args
                .fields
                .as_deref()
                .map(choose)
                .transpose()
                .map_err(|error| {
                    Failure::new(format!("--fields: {error} `tapwire list fields` has them all"))
                })?
                .unwrap_or_default(),
            colour: to_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            version: env!("CARGO_PKG_VERSION").into(),
            ..Options::default()
        };
        Ok(Self {
            destinations,
            options,
            classes: classes(&args.only, live)?,
            filter: args.filter.as_deref().map(expression).transpose()?,
        })
    }

    /// Whether events are written to standard output, so that nothing else may be.
    pub(crate) fn stdout_carries_events(&self) -> bool {
        self.destinations.iter().any(|destination| destination == "-")
    }

    /// Where events go, as typed.
    pub(crate) fn destinations(&self) -> &[String] {
        &self.destinations
    }

    /// Destinations that are files, as typed.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.destinations.iter().filter_map(|destination| file_of(destination)).collect()
    }
}

/// Options that contradict each other.
fn agree(args: &SenseArgs) -> Result<(), Failure> {
    if args.count == Some(0) {
        return Err(Failure::new(
            "-c 0: no exchange would be reported; give the number to stop after, 1 or more",
        ));
    }
    let tsv = args.format.as_deref().map_or(args.fields.is_some(), |format| format == "tsv");
    if args.fields.is_some() && !tsv {
        return Err(Failure::new("--fields are the columns of --format tsv, and no other format has any"));
    }
    if tsv && !args.only.is_empty() && args.only.iter().all(|class| class.trim() != "exchanges") {
        return Err(Failure::new(
            "--format tsv has columns for exchanges only: leave --only out, or take another format",
        ));
    }
    let mut seen: Vec<String> = Vec::new();
    for destination in &args.events {
        let place = place(destination);
        if seen.contains(&place) {
            return Err(Failure::new(format!(
                "--events {destination}: given twice; each event is written there once"
            )));
        }
        seen.push(place);
    }
    Ok(())
}

/// The path of a destination that is a file.
pub(crate) fn file_of(destination: &str) -> Option<PathBuf> {
    let path = destination.strip_prefix("file://").unwrap_or(destination);
    (destination != "-" && !path.contains("://")).then(|| PathBuf::from(path))
}

/// One name for each destination, however it is spelled.
fn place(destination: &str) -> String {
    let Some(path) = file_of(destination) else {
        return tapwire_sink::place(destination).unwrap_or_else(|_| destination.to_owned());
    };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let whole = path.canonicalize().unwrap_or_else(|_| folder.join(path.file_name().unwrap_or_default()));
    whole.display().to_string()
}

/// Who keeps events under the data directory: as they are, and as rows of tables.
fn kept(
    store: Store,
    effective: &Effective,
    pressure: Pressure,
    watched: &Outputs,
) -> Result<Vec<Box<dyn Sink>>, Failure> {
    let tables = match effective.settings.events.lake {
        true => crate::lake::sink(store.reader().directory(), effective, pressure, watched)?,
        false => None,
    };
    let events: Box<dyn Sink> = Box::new(KeptEvents::new(store, pressure));
    Ok(std::iter::once(events).chain(tables).collect())
}

/// Opens every destination.
pub(crate) fn open(
    plan: &Plan,
    args: &SenseArgs,
    effective: &Effective,
    redactor: &dyn Fn(Option<&str>) -> Result<Redactor, Failure>,
    pressure: Pressure,
    store: Option<Store>,
    watched: &Outputs,
) -> Result<Vec<Outlet>, Failure> {
    let context = context(effective, pressure, store.as_ref(), watched);
    let (mut sinks, callers) = named_destinations(plan, args, &context)?;
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let options = Options {
        tenant: named(&effective.settings.tenant),
        reporter: named(&effective.settings.sensor),
        ..plan.options.clone()
    };
    let filter = plan.filter.clone();
    let mut outlets = Vec::new();
    if let Some(store) = store {
        let classes = kept_classes(effective.settings.events.keep, pressure == Pressure::Shed);
        let kept = kept(store, effective, pressure, watched)?;
        let ocsf = as_kept(&options);
        let is_alike =
            (options.format, options.detail, options.class) == (ocsf.format, ocsf.detail, ocsf.class);
        if is_alike && classes == plan.classes {
            // Both want the same bytes, which are rendered once.
            sinks.extend(kept);
        } else {
            let renderer = Renderer::new(ocsf, redactor(None)?);
            outlets.push(Outlet::new(renderer, classes, filter.clone(), kept));
        }
    }
    // Without any destination the filter still decides what -c and the summary count.
    if !sinks.is_empty() || filter.is_some() && args.data.is_none() {
        for alike in by_sequence(sinks) {
            let renderer = Renderer::new(options.clone(), redactor(None)?);
            outlets.push(Outlet::new(renderer, plan.classes, filter.clone(), alike));
        }
    }
    if !callers.is_empty() {
        let renderer = Renderer::new(options.clone(), redactor(None)?);
        outlets.push(Outlet::new(renderer, INCIDENTS, plan.filter.clone(), callers));
    }
    if pressure == Pressure::Shed || args.config.config.is_some() {
        let more = configured::open(effective, &context, &options, &plan.destinations, pressure, redactor)?;
        outlets.extend(more);
    }
    if let Some(spools) = context.spools.filter(|_| !args.quiet) {
        tell_left_behind(&spools);
    }
    Ok(outlets)
}

/// What all outputs are opened with.
fn context(effective: &Effective, pressure: Pressure, store: Option<&Store>, watched: &Outputs) -> Context {
    Context {
        config: named_sensor(effective.settings.sink.clone(), effective),
        spools: store.map(Store::spools),
        outputs: watched.clone(),
        ..Context::new(match pressure {
            Pressure::Block => tapwire_sink::Pressure::Block,
            Pressure::Shed => tapwire_sink::Pressure::Shed,
        })
    }
}

type Sinks = Vec<Box<dyn Sink>>;

/// Opens what options name: outputs of what was asked for, and those that want incidents whatever else they are sent.
fn named_destinations(plan: &Plan, args: &SenseArgs, context: &Context) -> Result<(Sinks, Sinks), Failure> {
    let (mut sinks, mut callers) = (Sinks::new(), Sinks::new());
    for destination in &plan.destinations {
        let info = tapwire_sink::check(destination)?;
        suits(info, plan.options.format)?;
        let sink = tapwire_sink::open(destination, context)?;
        if info.incidents && args.only.is_empty() { callers.push(sink) } else { sinks.push(sink) }
    }
    Ok((sinks, callers))
}

/// How events are kept: those of the filter whole, whatever leaves, for questions that come later are about all of them.
fn as_kept(options: &Options) -> Options {
    let whole = Options::default();
    Options {
        format: Format::Ocsf,
        colour: false,
        detail: whole.detail,
        class: whole.class,
        ..options.clone()
    }
}

/// Events that wait for an output which this run has not: it was renamed or taken out.
fn tell_left_behind(spools: &Spools) {
    for (path, left) in spools.left_behind() {
        let name = path.file_name().unwrap_or_default().display().to_string();
        eprintln!(
            "tapwire: {}: {} events ({}) wait, and no output of this run takes them: name an [[output]] '{name}' to send \
             them, or remove the directory",
            path.display(),
            left.events,
            crate::size::bytes(left.bytes)
        );
    }
}

/// Sinks whose numbers go on alike share their bytes; those that any number suits join the first. At least one group.
fn by_sequence(sinks: Vec<Box<dyn Sink>>) -> Vec<Vec<Box<dyn Sink>>> {
    let first = sinks.iter().find_map(|sink| sink.next_sequence());
    let mut groups = vec![(first, Vec::new())];
    for sink in sinks {
        let next = sink.next_sequence().or(first);
        match groups.iter_mut().find(|(one, _)| *one == next) {
            Some((_, group)) => group.push(sink),
            None => groups.push((next, vec![sink])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// What a webhook is called for: once when an incident opens, when it grows, and when it is over.
const INCIDENTS: Classes = Classes { incidents: true, ..Classes::NONE };

/// Whether receivers of that kind understand the format.
fn suits(info: &SinkInfo, wanted: Format) -> Result<(), Failure> {
    let name = Format::ALL.iter().find(|(format, ..)| *format == wanted).map_or("", |(_, name, _)| *name);
    if info.formats.is_empty() || info.formats.contains(&name) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{}:// takes events in the format {}, not {name}: leave the format out for this output",
        info.scheme,
        info.formats.join(" or ")
    )))
}

/// Syslog messages carry the sensor's name, unless they are to carry another one.
fn named_sensor(mut config: tapwire_sink::Config, effective: &Effective) -> tapwire_sink::Config {
    if config.syslog.hostname.is_empty() {
        config.syslog.hostname.clone_from(&effective.settings.sensor);
    }
    config
}

/// Checks what `[[output]]` and `[redact.profile]` say; nothing is opened.
pub(crate) fn check(effective: &Effective) -> Result<(), Failure> {
    configured::check(effective)
}

/// Which events are kept under `--data`.
const fn kept_classes(keep: Keep, live: bool) -> Classes {
    match keep {
        Keep::All => usual_classes(live),
        Keep::Findings => Classes { exchanges: false, ..usual_classes(live) },
        Keep::None => Classes::NONE,
    }
}

fn format(name: &str) -> Result<Format, Failure> {
    Format::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Format::ALL.iter().map(|(_, name, _)| *name).collect();
        Failure::new(format!("--format {name}: no such format; there are {}", names.join(", ")))
    })
}

/// What a tap says about itself goes with its events. Of a capture it is in the summary, and the events stay those of the
/// capture alone.
fn classes(only: &[String], live: bool) -> Result<Classes, Failure> {
    if only.is_empty() {
        return Ok(usual_classes(live));
    }
    let mut classes = Classes::NONE;
    for name in only {
        match name.trim() {
            "exchanges" => classes.exchanges = true,
            "findings" => classes.findings = true,
            "incidents" => classes.incidents = true,
            "endpoints" => classes.endpoints = true,
            "sensor" => classes.sensor = true,
            other => {
                return Err(Failure::new(format!(
                    "--only {other}: no such class; there are exchanges, findings, incidents, endpoints, sensor"
                )));
            }
        }
    }
    Ok(classes)
}

const fn usual_classes(live: bool) -> Classes {
    Classes { exchanges: true, findings: true, incidents: true, endpoints: live, sensor: live }
}

/// An expression over exchanges; its error points at the place.
pub(crate) fn expression(text: &str) -> Result<Expr, Failure> {
    tapwire_expr::parse(text, &ExchangeFields).map_err(|error| {
        let caret = " ".repeat(text.get(..error.offset).unwrap_or(text).chars().count());
        Failure::new(format!("--where: {error}\n    {text}\n    {caret}^"))
    })
}
