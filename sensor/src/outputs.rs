//! Which events go where, in which format.

use crate::cli::SenseArgs;
use crate::failure::Failure;
use crate::kept::KeptEvents;
use crate::settings::Effective;
use std::io::IsTerminal;
use tapwire_capture::Pressure;
use tapwire_event::{Class, Detail, ExchangeFields, Format, Options, Redactor, Renderer, choose};
use tapwire_expr::Expr;
use tapwire_pipeline::{Classes, Outlet};
use tapwire_sink::{Context, Sink};
use tapwire_store::Store;

/// What the options ask for, before anything is opened.
pub struct Plan {
    /// Destinations that share the chosen format.
    destinations: Vec<String>,
    options: Options,
    classes: Classes,
    filter: Option<Expr>,
}

impl Plan {
    /// Reads the options. Without `--events`, events go to standard output when that is a pipe or a format was asked for,
    /// and `run` prints a line an exchange on a terminal.
    pub fn new(args: &SenseArgs, pressure: Pressure) -> Result<Self, Failure> {
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
            fields: args.fields.as_deref().map(choose).transpose().map_err(|error| {
                Failure::new(format!("--fields: {error} `tapwire list fields` has them all"))
            })?.unwrap_or_default(),
            colour: to_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            version: env!("CARGO_PKG_VERSION").into(),
            ..Options::default()
        };
        Ok(Self {
            destinations,
            options,
            classes: classes(&args.only)?,
            filter: args.filter.as_deref().map(expression).transpose()?,
        })
    }

    /// Whether events are written to standard output, so that nothing else may be.
    pub fn stdout_carries_events(&self) -> bool {
        self.destinations.iter().any(|destination| destination == "-")
    }
}

/// Opens every destination.
pub fn open(
    plan: &Plan,
    args: &SenseArgs,
    effective: &Effective,
    redactor: &dyn Fn() -> Redactor,
    pressure: Pressure,
    store: Option<Store>,
) -> Result<Vec<Outlet>, Failure> {
    let context = Context {
        config: effective.settings.sink.clone(),
        ..Context::new(match pressure {
            Pressure::Block => tapwire_sink::Pressure::Block,
            Pressure::Shed => tapwire_sink::Pressure::Shed,
        })
    };
    let sinks = plan.destinations.iter().map(|destination| tapwire_sink::open(destination, &context));
    let sinks: Vec<Box<dyn Sink>> = sinks.collect::<Result<_, _>>()?;
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let options = Options {
        tenant: named(&effective.settings.tenant),
        reporter: named(&effective.settings.sensor),
        ..plan.options.clone()
    };
    let filter = plan.filter.clone();
    let mut outlets = Vec::new();
    if let Some(store) = store {
        let ocsf = Options { format: Format::Ocsf, colour: false, ..options.clone() };
        let kept: Box<dyn Sink> = Box::new(KeptEvents::new(store));
        outlets.push(Outlet::new(
            Renderer::new(ocsf, redactor()),
            Classes::default(),
            filter.clone(),
            vec![kept],
        ));
    }
    // Without any destination the filter still decides what -c and the summary count.
    if !sinks.is_empty() || filter.is_some() && args.data.is_none() {
        outlets.push(Outlet::new(Renderer::new(options, redactor()), plan.classes, filter, sinks));
    }
    Ok(outlets)
}

fn format(name: &str) -> Result<Format, Failure> {
    Format::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Format::ALL.iter().map(|(_, name, _)| *name).collect();
        Failure::new(format!("--format {name}: no such format; there are {}", names.join(", ")))
    })
}

fn classes(only: &[String]) -> Result<Classes, Failure> {
    if only.is_empty() {
        return Ok(Classes::default());
    }
    let mut classes = Classes { exchanges: false, findings: false, sensor: false };
    for name in only {
        match name.trim() {
            "exchanges" => classes.exchanges = true,
            "findings" => classes.findings = true,
            "sensor" => classes.sensor = true,
            other => {
                return Err(Failure::new(format!(
                    "--only {other}: no such class; there are exchanges, findings, sensor"
                )));
            }
        }
    }
    Ok(classes)
}

/// An expression over exchanges; its error points at the place.
pub fn expression(text: &str) -> Result<Expr, Failure> {
    tapwire_expr::parse(text, &ExchangeFields).map_err(|error| {
        let caret = " ".repeat(text.get(..error.offset).unwrap_or(text).chars().count());
        Failure::new(format!("--where: {error}\n    {text}\n    {caret}^"))
    })
}
