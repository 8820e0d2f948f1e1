//! `tapwire lake info`.

use super::keep::{held_line, now_ms, policy, told};
use super::store::tables;
use crate::cli::sql::LakeInfoArgs;
use crate::failure::{Exit, Failure};
use crate::paper::{self, Paper};
use crate::settings::Effective;
use crate::size::{bytes, count, counted};
use crate::stored;
use serde_json::{Value, json};
use std::path::Path;
use tapwire_lake::{Info, Place, Policy, TableInfo};

pub(super) fn info(args: &LakeInfoArgs) -> Result<Exit, Failure> {
    let policy = policy(&Effective::load(&args.config)?.settings.lake)?;
    let data = stored::directory(args.data.clone())?;
    let place = tables(&data).map_err(|error| told(&error))?;
    let free = if let Place::Data(data) = &place { free(data) } else { None };
    let info = Info::of(place, now_ms()).map_err(|error| told(&error))?;
    let text = if args.json { line(&info, &policy, free) } else { page(&info, &policy, free) };
    paper::print(&text, true)?;
    Ok(Exit::Done)
}

/// Bytes that are free where the tables are, for those who are not root.
fn free(data: &Path) -> Option<u64> {
    let about = nix::sys::statvfs::statvfs(data).ok()?;
    let (blocks, size): (u64, u64) = (about.blocks_available(), about.fragment_size());
    blocks.checked_mul(size)
}

fn page(info: &Info, policy: &Policy, free: Option<u64>) -> String {
    let mut paper = Paper::new(true);
    paper.line(&format!(
        "{:<12} {:>14} {:>8} {:>11}  {:<10}  {:<10}  {}",
        "table", "rows", "files", "bytes", "oldest", "newest", "kept"
    ));
    for table in &info.tables {
        let (oldest, newest) = days(table);
        let kept = match policy.days.get(table.name) {
            Some(days) if *days > 0 => counted(u64::from(*days), "day"),
            _ => "for good".into(),
        };
        paper.line(&format!(
            "{:<12} {:>14} {:>8} {:>11}  {oldest:<10}  {newest:<10}  {kept}",
            table.name,
            count(table.rows),
            count(table.files),
            bytes(table.bytes)
        ));
    }
    let waiting: u64 = info.tables.iter().map(|table| table.waiting_bytes).sum();
    let waiting = if waiting > 0 { format!(", and {} to be deleted", bytes(waiting)) } else { String::new() };
    paper.line(&format!("\nin all: {}{waiting}", bytes(info.bytes())));
    let Some(rate) = info.bytes_a_day else {
        paper.line("rate: not known: less than an hour of the last 7 days is there");
        held(&mut paper, info);
        return paper.into_text();
    };
    paper.line(&format!("rate: {} a day, by the last 7 days", bytes(rate)));
    if policy.bytes > 0 {
        let lasts = lasts(info, policy.bytes);
        paper.line(&format!("limit: {} hold {lasts} at this rate", bytes(policy.bytes)));
    }
    if let Some(free) = free {
        paper.line(&format!("disk: {} free last {} at this rate", bytes(free), lasts(info, free)));
    }
    held(&mut paper, info);
    paper.into_text()
}

fn lasts(info: &Info, bytes: u64) -> String {
    match info.days_of(bytes) {
        Some(0) => "less than a day".into(),
        Some(days) => counted(days, "day"),
        None => "for good".into(),
    }
}

fn held(paper: &mut Paper, info: &Info) {
    info.holds.iter().for_each(|one| paper.line(&format!("held: {}", held_line(one))));
}

fn days(table: &TableInfo) -> (&str, &str) {
    table.days.as_ref().map_or(("none", "none"), |(oldest, newest)| (oldest, newest))
}

fn line(info: &Info, policy: &Policy, free: Option<u64>) -> String {
    let tables = info.tables.iter().map(|table| {
        json!({
            "table": table.name, "rows": table.rows, "files": table.files, "bytes": table.bytes,
            "oldest": table.days.as_ref().map(|days| &days.0), "newest": table.days.as_ref().map(|days| &days.1),
            "days_kept": policy.days.get(table.name).filter(|days| **days > 0), "waiting_bytes": table.waiting_bytes,
            "commits_since_checkpoint": table.commits,
        })
    });
    let holds = info.holds.iter();
    let holds = holds
        .map(|one| json!({"name": one.name, "from": one.from, "until": one.until, "incident": one.incident}));
    let limit = (policy.bytes > 0).then_some(policy.bytes);
    let value: Value = json!({
        "tables": tables.collect::<Vec<_>>(), "bytes": info.bytes(), "bytes_a_day": info.bytes_a_day,
        "limit_bytes": limit, "limit_days": limit.and_then(|bytes| info.days_of(bytes)),
        "free_bytes": free, "free_days": free.and_then(|bytes| info.days_of(bytes)),
        "holds": holds.collect::<Vec<_>>(),
    });
    format!("{value}\n")
}
