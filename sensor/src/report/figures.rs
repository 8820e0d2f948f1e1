//! The figures of a month, and how they changed.

use super::{ALL, Month, mark};
use crate::kpis::{goal, number, scope_name, today, told};
use crate::size::{count, counted};
use tapwire_detect::{Incident, Posture};
use tapwire_event::{Change, Figure, Mark, Redactor, Row};
use tapwire_inventory::Inventory;
use tapwire_inventory::kpis::{Better, By, KPIS, Kpi, Kpis, Scope, Target, Unit, Value, target_of};

/// Columns of the table by owner, where they are judged.
const COLUMNS: [&str; 6] = [
    "inventory-coverage",
    "authentication-coverage",
    "unauthenticated-sensitive",
    "credential-hygiene",
    "tls-coverage",
    "server-errors",
];
/// Its lines.
const ROWS: usize = 20;

/// What a report looks at.
pub(super) struct Looked<'a> {
    pub(super) inventory: &'a Inventory,
    /// What policies say, worst first.
    pub(super) postures: &'a [Posture],
    /// Those of the month, worst first.
    pub(super) incidents: Vec<&'a Incident>,
    pub(super) kpis: &'a Kpis,
    pub(super) targets: &'a [Target],
    pub(super) month: Month,
    pub(super) redactor: &'a mut Redactor,
}

impl Looked<'_> {
    /// What is judged, what misses its target first.
    pub(super) fn figures(&self) -> Vec<Figure> {
        let judged = KPIS.iter().filter(|kpi| !kpi.is_blind_spot());
        sorted(judged.filter_map(|kpi| self.figure(kpi)).collect())
    }

    pub(super) fn blind_spots(&self) -> Vec<Figure> {
        sorted(KPIS.iter().filter(|kpi| kpi.is_blind_spot()).filter_map(|kpi| self.figure(kpi)).collect())
    }

    /// Names and reasons, by reason.
    pub(super) fn not_judged(&self) -> Vec<(String, String)> {
        let mut reasons: Vec<(String, String)> = Vec::new();
        for kpi in KPIS {
            let Value::NotJudged(why) = self.value(kpi, &ALL) else { continue };
            match reasons.iter_mut().find(|(_, known)| known == why) {
                Some((names, _)) => names.push_str(&format!(", {}", kpi.title)),
                None => reasons.push((kpi.title.to_owned(), why.to_owned())),
            }
        }
        reasons
    }

    /// How many targets for everything are met, of how many that can be judged.
    pub(super) fn targets_met(&self) -> (usize, usize) {
        let marks = KPIS.iter().map(|kpi| self.mark(kpi, &ALL));
        let judged: Vec<Mark> = marks.filter(|mark| *mark != Mark::None).collect();
        (judged.iter().filter(|mark| **mark == Mark::Met).count(), judged.len())
    }

    /// Calls to endpoints in the month.
    pub(super) fn calls(&self) -> Option<u64> {
        let all = Kpi::named("zombie-traffic")?;
        self.value(all, &ALL).part().map(|part| part.denominator)
    }

    /// The figure of the month. What the run says of the sensor is not kept by day: it is of the run that ends in it.
    pub(super) fn value(&self, kpi: &Kpi, scope: &Scope) -> Value {
        let (first, last) = self.month.days();
        if !kpi.is_blind_spot() {
            return self.inventory.series().between(first, last, kpi, scope);
        }
        if self.month.has(today(self.inventory)) {
            return self.kpis.value(kpi, scope);
        }
        Value::NotJudged("it is counted for a run as a whole, and this one ended later")
    }

    pub(super) fn mark(&self, kpi: &Kpi, scope: &Scope) -> Mark {
        let figure = self.value(kpi, scope).part().map(|part| kpi.figure(part));
        mark(target_of(self.targets, kpi, scope), figure, today(self.inventory))
    }

    fn figure(&self, kpi: &Kpi) -> Option<Figure> {
        let part = self.value(kpi, &ALL).part()?;
        let target = target_of(self.targets, kpi, &ALL);
        let now = kpi.figure(part);
        let of = match kpi.unit {
            Unit::Percent => format!("{} of {} {}", count(part.numerator), count(part.denominator), kpi.of),
            Unit::PerDay => format!("{} in {}", count(part.numerator), counted(part.denominator, "day")),
            Unit::PerWeek => format!("on {}", kpi.of),
            Unit::Seconds => format!("of {} {}", count(part.denominator), kpi.of),
        };
        Some(Figure {
            title: kpi.title.into(),
            name: kpi.name.into(),
            now: told(kpi, part),
            of,
            share: (kpi.unit == Unit::Percent).then_some(now / 100.0),
            change: self.change(kpi, now),
            target: target.map(goal).unwrap_or_default(),
            mark: self.mark(kpi, &ALL),
            trend: if kpi.is_blind_spot() { Vec::new() } else { self.trend(kpi) },
        })
    }

    fn change(&self, kpi: &Kpi, now: f64) -> Change {
        let before = self.month.before().map(Month::days).filter(|_| !kpi.is_blind_spot());
        let before =
            before.and_then(|(first, last)| self.inventory.series().between(first, last, kpi, &ALL).part());
        let Some(before) = before.map(|part| kpi.figure(part)) else {
            let text = if kpi.is_blind_spot() { "not kept by day" } else { "no figure before" };
            return Change { text: text.into(), better: None };
        };
        let step = now - before;
        if step.abs() < 0.05 {
            return Change { text: "unchanged".into(), better: None };
        }
        let unit = if kpi.unit == Unit::Percent { "points" } else { kpi.unit.name() };
        let sign = if step > 0.0 { '+' } else { '−' };
        Change {
            text: format!("{sign}{} {unit}", number(step.abs())),
            better: Some((step > 0.0) == (kpi.better == Better::More)),
        }
    }

    fn trend(&self, kpi: &Kpi) -> Vec<Option<f64>> {
        let (first, last) = self.month.days();
        let last = last.min(today(self.inventory));
        let on = |day| self.inventory.series().on(day, kpi, &ALL).part().map(|part| kpi.figure(part));
        let days: Vec<Option<f64>> = (first..=last).map(on).collect();
        let most = match kpi.unit {
            Unit::Percent => 100.0,
            _ => days.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max),
        };
        days.into_iter().map(|day| day.map(|value| value / most)).collect()
    }

    /// Columns, by what it is divided, and lines: by owner where owners are known, else by service.
    pub(super) fn division(&mut self) -> (Vec<String>, &'static str, Vec<Row>) {
        let by = if self.inventory.context().has_owners() { By::Owner } else { By::Service };
        let judged = |kpi: &&Kpi| self.value(kpi, &ALL).part().is_some();
        let columns: Vec<&Kpi> = COLUMNS.into_iter().filter_map(Kpi::named).filter(judged).collect();
        let mut scopes: Vec<Scope> = self.kpis.scopes(by).cloned().collect();
        // What misses most stands first.
        scopes.sort_by_key(|scope| {
            let missed = |kpi: &&&Kpi| matches!(self.mark(kpi, scope), Mark::Missed | Mark::Overdue);
            std::cmp::Reverse(columns.iter().filter(missed).count())
        });
        let mut rows = Vec::new();
        for scope in scopes.iter().take(ROWS) {
            let cells = columns.iter().map(|kpi| {
                let figure = self.value(kpi, scope).part().map_or_else(|| "–".into(), |part| told(kpi, part));
                (figure, self.mark(kpi, scope))
            });
            let cells = cells.collect();
            rows.push(Row { name: self.name_of(scope), cells });
        }
        let more = scopes.len().saturating_sub(ROWS);
        if more > 0 {
            rows.push(Row { name: format!("and {more} more"), cells: Vec::new() });
        }
        let titles = columns.iter().map(|kpi| kpi.title.to_owned()).collect();
        (titles, if by == By::Owner { "owner" } else { "service" }, rows)
    }

    fn name_of(&mut self, scope: &Scope) -> String {
        match scope {
            Scope::Owner(Some(owner)) => crate::paper::plain(owner),
            Scope::Owner(None) => "nobody".into(),
            other => scope_name(other, self.redactor),
        }
    }
}

fn sorted(mut figures: Vec<Figure>) -> Vec<Figure> {
    figures.sort_by_key(|figure| match figure.mark {
        Mark::Overdue => 0,
        Mark::Missed => 1,
        Mark::Met => 2,
        Mark::None => 3,
    });
    figures
}
