//! KPIs for people.

use super::targets::date;
use super::{Line, goal, told};
use crate::paper::{Paper, plain};
use crate::size::{count, counted};
use tapwire_event::Redactor;
use tapwire_inventory::kpis::{KPIS, Kpi, Scope, Series, Standing, Unit, Value};

/// Days of a series that a line has room for: the last ones.
const DRAWN: usize = 30;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A line of the table.
struct Row {
    name: &'static str,
    figure: String,
    of: String,
    target: String,
}

/// A block for each scope: figures, what misses its target first, then what is not judged, by reason.
pub(super) fn table(lines: &[Line<'_>], redactor: &mut Redactor) -> String {
    let mut paper = Paper::new(true);
    let mut rest = lines;
    while let Some(first) = rest.first() {
        let (mine, others) = rest.split_at(rest.iter().take_while(|line| line.scope == first.scope).count());
        rest = others;
        let title = scope_name(first.scope, redactor);
        paper.heading(&title);
        block(mine, &mut paper);
    }
    if lines.is_empty() {
        paper.line("nothing of that sort was seen");
    }
    paper.into_text().trim_start_matches('\n').to_owned()
}

fn block(lines: &[Line<'_>], paper: &mut Paper) {
    let rows: Vec<Row> = lines.iter().filter_map(row).collect();
    let widest =
        |of: fn(&Row) -> &str| rows.iter().map(|row| console::measure_text_width(of(row))).max().unwrap_or(0);
    let (name, figure, of) = (widest(|row| row.name), widest(|row| &row.figure), widest(|row| &row.of));
    for row in &rows {
        paper.line(&format!(
            "  {:<name$}  {:>figure$}  {:<of$}  {}",
            row.name, row.figure, row.of, row.target
        ));
    }
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        let Value::NotJudged(why) = line.value else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(line.kpi.name),
            None => reasons.push((why, vec![line.kpi.name])),
        }
    }
    if !reasons.is_empty() {
        paper.line("  not judged");
    }
    for (why, names) in reasons {
        paper.hang("    ", &format!("{}: {why}", names.join(", ")));
    }
}

fn row(line: &Line<'_>) -> Option<Row> {
    let part = line.value.part()?;
    let kpi = line.kpi;
    let of = match kpi.unit {
        Unit::Percent => {
            format!("{} of {} {}", count(part.numerator), count(part.denominator), kpi.of)
        }
        Unit::PerDay => format!("{} in {}", count(part.numerator), counted(part.denominator, "day")),
        Unit::PerWeek => format!("on {}", kpi.of),
        Unit::Seconds => format!("of {} {}", count(part.denominator), kpi.of),
    };
    let target = line.target.map(|target| {
        let standing = match line.standing {
            Some(Standing::Met) => "meets",
            Some(Standing::Overdue) => "OVERDUE:",
            Some(Standing::Missed) => "misses",
            None => "target",
        };
        format!("{standing} {}", goal(target))
    });
    Some(Row { name: kpi.name, figure: told(kpi, part), of, target: target.unwrap_or_default() })
}

/// What a scope is called.
pub(crate) fn scope_name(scope: &Scope, redactor: &mut Redactor) -> String {
    match scope {
        Scope::All => "everything".into(),
        Scope::Service(name) => plain(&redactor.shown_host(name)),
        Scope::Owner(Some(owner)) => format!("owner {}", plain(owner)),
        Scope::Owner(None) => "nobody's".into(),
        Scope::Tag(tag) => format!("tag {}", plain(tag)),
    }
}

/// A line for each KPI and scope: first day, bars, last day.
pub(super) fn series(series: &Series, scopes: &[Scope], redactor: &mut Redactor) -> String {
    let mut paper = Paper::new(true);
    let days: Vec<i64> = series.days().collect();
    let days = days.get(days.len().saturating_sub(DRAWN)..).unwrap_or_default();
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return "no call was seen\n".to_owned();
    };
    paper.line(&format!(
        "{} to {}, {} with calls; --json has the figures",
        date(*first),
        date(*last),
        counted(days.len() as u64, "day")
    ));
    for scope in scopes {
        let title = scope_name(scope, redactor);
        paper.heading(&title);
        let drawn: Vec<_> = KPIS
            .iter()
            .filter(|kpi| !kpi.is_blind_spot())
            .filter_map(|kpi| Some((kpi, drawn(series, kpi, scope, days)?)))
            .collect();
        let name = drawn.iter().map(|(kpi, _)| kpi.name.len()).max().unwrap_or(0);
        let begin = drawn.iter().map(|(_, (begin, ..))| begin.chars().count()).max().unwrap_or(0);
        for (kpi, (begin_figure, bars, end_figure)) in &drawn {
            paper.line(&format!("  {:<name$}  {begin_figure:>begin$}  {bars}  {end_figure}", kpi.name));
        }
    }
    paper.into_text()
}

/// The first figure, a bar for each day (a gap where it is not judged), the last figure.
fn drawn(series: &Series, kpi: &Kpi, scope: &Scope, days: &[i64]) -> Option<(String, String, String)> {
    let parts: Vec<_> = days.iter().map(|day| series.on(*day, kpi, scope).part()).collect();
    let figures = || parts.iter().flatten().map(|part| kpi.figure(*part));
    let largest = if kpi.unit == Unit::Percent { 100.0 } else { figures().fold(0.0, f64::max) };
    let bar = |part: &Option<_>| part.map_or(' ', |part| bar(kpi.figure(part), largest));
    let bars: String = parts.iter().map(bar).collect();
    let (first, last) = (parts.iter().flatten().next()?, parts.iter().flatten().next_back()?);
    Some((told(kpi, *first), bars, told(kpi, *last)))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
fn bar(figure: f64, largest: f64) -> char {
    let step = if largest > 0.0 { (figure / largest * 7.0).round().clamp(0.0, 7.0) } else { 0.0 };
    BARS.get(step as usize).copied().unwrap_or('█')
}
