//! `report`: a month of APIs as one printable page.

mod figures;
mod month;
mod tasks;

use crate::cli::ReportArgs;
use crate::failure::{Exit, Failure};
use crate::feedback::Feedback;
use crate::kpis::{date, sensed, targets};
use crate::learn::{Learned, learn};
use crate::paper::print;
use crate::settings::Effective;
use crate::size::{count, counted};
use figures::Looked;
use month::Month;
use std::io::Write;
use std::path::Path;
use tapwire_event::{Mark, MonthReport};
use tapwire_inventory::Inventory;
use tapwire_inventory::kpis::{Kpis, Scope, Standing, Target};

/// `tapwire report`.
pub(crate) fn report(args: &ReportArgs) -> Result<Exit, Failure> {
    let month = args.month.as_deref().map(Month::parse).transpose()?;
    let targets = targets(&Effective::load(&args.learn.config)?.settings.kpi)?;
    let mut learned = learn(&args.learn, args.out.as_os_str() == "-", |_| Ok(()))?;
    let exit = learned.exit();
    let Learned { report, redactor, .. } = &mut learned;
    let inventory = report.inventory.as_ref().ok_or_else(|| Failure::new("nothing was learned"))?;
    let month = chosen(inventory, month)?;
    let kpis = Kpis::new(inventory, &sensed(report, Feedback::of_run(&args.learn)));
    let postures = &report.postures;
    let incidents = report.incidents.worst_first();
    let incidents = incidents.into_iter().filter(|one| month.has_any(one.first.time, one.last)).collect();
    let mut looked =
        Looked { inventory, postures, incidents, kpis: &kpis, targets: &targets, month, redactor };
    let page = page(&mut looked, &report.sources).html();
    write(&args.out, &page)?;
    Ok(exit)
}

/// The month that was asked for, else that of the last call; an error where nothing was called in it.
fn chosen(inventory: &Inventory, month: Option<Month>) -> Result<Month, Failure> {
    let days: Vec<i64> = inventory.series().days().collect();
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Err(Failure::new("report: no call was seen; `tapwire doctor` says why"));
    };
    let month = month.or_else(|| Month::of(*last)).ok_or_else(|| Failure::new("report: no date is known"))?;
    if !days.iter().any(|day| month.has(*day)) {
        let (first, last) = (date(*first), date(*last));
        return Err(Failure::new(format!(
            "--month {}: no call was seen then; there are calls from {first} to {last}",
            month.code()
        )));
    }
    Ok(month)
}

fn page(looked: &mut Looked<'_>, sources: &[String]) -> MonthReport {
    let figures = looked.figures();
    let (met, judged) = looked.targets_met();
    let (columns, divided_by, rows) = looked.division();
    let tiles = vec![
        (count(looked.inventory.services().count() as u64), "services".to_owned()),
        (count(looked.inventory.endpoints().count() as u64), "endpoints".to_owned()),
        (looked.calls().map_or_else(|| "not seen".into(), count), "calls in the month".to_owned()),
        match judged {
            0 => ("none".into(), "targets set".to_owned()),
            _ => (format!("{met} of {judged}"), "targets met".to_owned()),
        },
    ];
    MonthReport {
        month: looked.month.name(),
        seen: seen(looked),
        tiles,
        figures,
        blind_spots: looked.blind_spots(),
        not_judged: looked.not_judged(),
        tasks: looked.tasks(),
        divided_by,
        columns,
        rows,
        made: format!(
            "Made by tapwire {} from {}.",
            env!("CARGO_PKG_VERSION"),
            counted(sources.len() as u64, "source")
        ),
    }
}

fn seen(looked: &Looked<'_>) -> String {
    let days: Vec<i64> = looked.inventory.series().days().filter(|day| looked.month.has(*day)).collect();
    match (days.first(), days.last()) {
        (Some(first), Some(last)) if first == last => format!("Calls were seen on {} (UTC).", date(*first)),
        (Some(first), Some(last)) => format!(
            "Calls were seen on {} from {} to {} (UTC).",
            counted(days.len() as u64, "day"),
            date(*first),
            date(*last)
        ),
        _ => "No call was seen.".into(),
    }
}

/// Writes beside the file and renames, so that nobody reads half a page.
fn write(path: &Path, page: &str) -> Result<(), Failure> {
    if path.as_os_str() == "-" {
        return print(page, true);
    }
    let failed = |error: std::io::Error| Failure::new(format!("-w {}: {error}", path.display()));
    let mut name =
        path.file_name().ok_or_else(|| failed(std::io::ErrorKind::IsADirectory.into()))?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = std::fs::File::create(&part).and_then(|mut file| file.write_all(page.as_bytes()));
    let done = written.and_then(|()| std::fs::rename(&part, path));
    if done.is_err() {
        // What could not be written is of no use; the error that is told is the first one.
        let _ = std::fs::remove_file(&part);
    }
    done.map_err(failed)
}

/// How a figure stands to a target.
fn mark(target: Option<&Target>, figure: Option<f64>, today: i64) -> Mark {
    match target.zip(figure).map(|(target, figure)| target.standing(figure, today)) {
        Some(Standing::Overdue) => Mark::Overdue,
        Some(Standing::Missed) => Mark::Missed,
        Some(Standing::Met) => Mark::Met,
        None => Mark::None,
    }
}

/// Where everything is.
const ALL: Scope = Scope::All;
