//! What was learned, as rows of tables: the inventory and the KPIs at one time.

use super::keep::{now_ms, told};
use crate::cli::sql::LakeNoteArgs;
use crate::cli::{KeyArgs, LearnArgs};
use crate::failure::{Exit, Failure};
use crate::feedback::Feedback;
use crate::kpis::{self, KpiSettings};
use crate::learn::{Learned, learn};
use crate::settings::Effective;
use crate::size::counted;
use crate::{inventory, stored};
use std::path::Path;
use tapwire_event::Redactor;
use tapwire_lake::Lake;
use tapwire_pipeline::Report;

/// Writes down what that report's inventory says; gives the rows.
pub(super) fn write(
    data: &Path,
    report: &Report,
    feedback: Feedback,
    settings: &KpiSettings,
    redactor: &mut Redactor,
) -> Result<u64, Failure> {
    let Some(inventory) = &report.inventory else { return Ok(0) };
    let last = inventory.endpoints().map(|endpoint| endpoint.last_seen).max();
    let Some(ms) = last.map(tapwire_wire::Timestamp::millis) else { return Ok(0) };
    let targets = kpis::targets(settings)?;
    let mut lake = Lake::open(data, now_ms()).map_err(|error| told(&error))?;
    let line = |mut object: serde_json::Value| {
        object["time"] = ms.into();
        object.to_string()
    };
    // One at a time: all of them take more than what was learned does.
    let risks = inventory.risks();
    let endpoints = inventory::objects(inventory, &risks, redactor).map(line);
    let mut rows = lake.put("endpoints", endpoints).map_err(|error| told(&error))?;
    let figures = kpis::Figures::of(inventory, report, feedback);
    let figures = figures.objects(&targets, redactor).map(line);
    rows += lake.put("kpis", figures).map_err(|error| told(&error))?;
    Ok(rows)
}

/// `tapwire lake note`.
pub(super) fn note(args: &LakeNoteArgs) -> Result<Exit, Failure> {
    let data = stored::directory(args.data.clone())?;
    let learn_args = LearnArgs {
        paths: Vec::new(),
        data: Some(data.clone()),
        bpf: None,
        openapi: Vec::new(),
        keys: KeyArgs::default(),
        token_key: args.token_key.clone(),
        config: args.config.clone(),
    };
    let learned = learn(&learn_args, true, |_| Ok(()))?;
    let exit = learned.exit();
    let Learned { report, mut redactor, .. } = learned;
    let settings = Effective::load(&args.config)?.settings.kpi;
    let rows = write(&data, &report, Feedback::of_run(&learn_args), &settings, &mut redactor)?;
    crate::paper::print(&format!("written down: {}\n", counted(rows, "row")), true)?;
    Ok(exit)
}
