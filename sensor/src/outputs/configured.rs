//! Outputs that the configuration describes.

use super::{INCIDENTS, classes, expression, format, named_sensor, place, suits};
use crate::failure::Failure;
use crate::settings::{Effective, Output};
use std::collections::BTreeSet;
use tapwire_capture::Pressure;
use tapwire_event::{Class, Detail, Format, Options, Redactor, Renderer, choose};
use tapwire_pipeline::{Classes, Outlet};
use tapwire_sink::Context;

/// Opens each `[[output]]`, beside the destinations that options name.
pub(super) fn open(
    effective: &Effective,
    context: &Context,
    named: &Options,
    options: &[String],
    pressure: Pressure,
    redactor: &dyn Fn(Option<&str>) -> Result<Redactor, Failure>,
) -> Result<Vec<Outlet>, Failure> {
    let mut names = BTreeSet::new();
    let mut places: BTreeSet<String> = options.iter().map(|destination| place(destination)).collect();
    let mut outlets = Vec::new();
    for output in &effective.settings.output {
        let told = |text: String| Failure::new(format!("output '{}': {text}", output.name));
        check_name(output)?;
        check_one(output, pressure).map_err(|e| told(e.to_string()))?;
        if !names.insert(&output.name) {
            return Err(told("two outputs have this name: their events would share a spool".into()));
        }
        if !places.insert(place(&output.to)) {
            return Err(told(format!("{} is given twice; each event is written there once", output.to)));
        }
        outlets.push(
            outlet(output, context, effective, named, pressure, redactor).map_err(|e| told(e.to_string()))?,
        );
    }
    Ok(outlets)
}

/// Checks every output and profile without opening or reading what they name.
pub(super) fn check(effective: &Effective) -> Result<(), Failure> {
    let settings = &effective.settings;
    for (name, profile) in &settings.redact.profile {
        profile.profile(name)?;
    }
    check_facility(&settings.sink)?;
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for output in &settings.output {
        let told = |text: String| Failure::new(format!("output '{}': {text}", output.name));
        check_name(output)?;
        check_one(output, Pressure::Shed).map_err(|e| told(e.to_string()))?;
        if let Some(name) = output.redact.as_ref().filter(|name| !settings.redact.profile.contains_key(*name))
        {
            return Err(told(format!("no redaction profile '{name}': write [redact.profile.{name}]")));
        }
        if !names.insert(&output.name) || !places.insert(place(&output.to)) {
            return Err(told("its name or its destination is given twice".into()));
        }
    }
    Ok(())
}

/// What an output says of itself.
fn check_one(output: &Output, pressure: Pressure) -> Result<(), Failure> {
    let info = tapwire_sink::check(&output.to)?;
    suits(info, options(output, &Options::default())?.format)?;
    output.filter.as_deref().map(expression).transpose()?;
    wanted(output, pressure)?;
    output.sink.as_ref().map_or(Ok(()), check_facility)
}

/// RFC 5424, table 1.
fn check_facility(config: &tapwire_sink::Config) -> Result<(), Failure> {
    match config.syslog.facility {
        0..=23 => Ok(()),
        other => Err(Failure::new(format!("sink.syslog.facility = {other}: facilities are 0 to 23"))),
    }
}

fn check_name(output: &Output) -> Result<(), Failure> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if output.name.is_empty() || !output.name.bytes().all(plain) {
        return Err(Failure::new(format!(
            "output '{}' to {}: give it a name of a-z, 0-9 and -",
            output.name, output.to
        )));
    }
    if output.to.is_empty() || output.to == "-" {
        return Err(Failure::new(format!(
            "output '{}': `to` names a path or a URL; standard output is given with --events -",
            output.name
        )));
    }
    Ok(())
}

fn outlet(
    output: &Output,
    context: &Context,
    effective: &Effective,
    named: &Options,
    pressure: Pressure,
    redactor: &dyn Fn(Option<&str>) -> Result<Redactor, Failure>,
) -> Result<Outlet, Failure> {
    let filter = output.filter.as_deref().map(expression).transpose()?;
    let renderer = Renderer::new(options(output, named)?, redactor(output.redact.as_deref())?);
    let context = Context {
        name: Some(output.name.clone()),
        config: output
            .sink
            .clone()
            .map_or_else(|| context.config.clone(), |own| named_sensor(own, effective)),
        ..context.clone()
    };
    let sink = tapwire_sink::open(&output.to, &context)?;
    Ok(Outlet::new(renderer, wanted(output, pressure)?, filter, vec![sink]))
}

fn wanted(output: &Output, pressure: Pressure) -> Result<Classes, Failure> {
    if output.only.is_empty() && tapwire_sink::check(&output.to)?.incidents {
        return Ok(INCIDENTS);
    }
    classes(&output.only, pressure == Pressure::Shed)
}

fn options(output: &Output, named: &Options) -> Result<Options, Failure> {
    let class = output.class.as_deref().unwrap_or("api");
    let detail = output.detail.as_deref().unwrap_or("full");
    let fields = output.fields.as_deref().map(choose).transpose();
    Ok(Options {
        format: match output.format.as_deref() {
            Some(name) => format(name)?,
            None if output.fields.is_some() => Format::Tsv,
            None => Format::Ocsf,
        },
        class: Class::parse(class)
            .ok_or_else(|| Failure::new(format!("class {class}: there are api and http")))?,
        detail: Detail::parse(detail)
            .ok_or_else(|| Failure::new(format!("detail {detail}: there are full and lean")))?,
        fields: fields.map_err(|error| Failure::new(format!("fields: {error}")))?.unwrap_or_default(),
        colour: false,
        ..named.clone()
    })
}
