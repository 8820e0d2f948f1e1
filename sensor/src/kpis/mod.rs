//! `kpis`: how well APIs are known, protected and watched, in figures.

mod object;
mod page;
mod sensed;
mod targets;

pub(crate) use page::scope_name;
pub(crate) use targets::{KpiSettings, date, day_of, targets};

use crate::cli::{KpisArgs, ScopeSort};
use crate::failure::{Exit, Failure};
use crate::feedback::Feedback;
use crate::learn::{Learned, learn};
use crate::paper::print;
use crate::settings::Effective;
use tapwire_inventory::Inventory;
use tapwire_inventory::kpis::{By, KPIS, Kpi, Kpis, Part, Scope, Standing, Target, Value, target_of};

pub(crate) use sensed::sensed;

/// A KPI in a scope, with its target.
pub(crate) struct Line<'a> {
    pub(crate) kpi: &'static Kpi,
    pub(crate) scope: &'a Scope,
    pub(crate) value: Value,
    pub(crate) target: Option<&'a Target>,
    /// How it stands to its target, where both are there.
    pub(crate) standing: Option<Standing>,
}

/// `tapwire kpis`.
pub(crate) fn kpis(args: &KpisArgs) -> Result<Exit, Failure> {
    let targets = targets(&Effective::load(&args.learn.config)?.settings.kpi)?;
    let mut learned = learn(&args.learn, args.json, |_| Ok(()))?;
    let Learned { report, redactor, .. } = &mut learned;
    let text = match &report.inventory {
        None => String::new(),
        Some(inventory) => {
            let kpis = Kpis::new(inventory, &sensed(report, Feedback::of_run(&args.learn)));
            let scopes = scopes(&kpis, args.by);
            match (args.series, args.json) {
                (false, false) => page::table(&lines(&kpis, &scopes, &targets, today(inventory)), redactor),
                (false, true) => object::lines(&lines(&kpis, &scopes, &targets, today(inventory)), redactor),
                (true, false) => page::series(inventory.series(), &scopes, redactor),
                (true, true) => object::series(inventory.series(), &scopes, redactor),
            }
        }
    };
    print(&text, true)?;
    Ok(learned.exit())
}

/// Every KPI of everything, of each service, owner and tag.
#[cfg(feature = "lake")]
pub(crate) struct Figures {
    kpis: Kpis,
    scopes: Vec<Scope>,
    today: i64,
}

#[cfg(feature = "lake")]
impl Figures {
    pub(crate) fn of(inventory: &Inventory, report: &tapwire_pipeline::Report, feedback: Feedback) -> Self {
        let kpis = Kpis::new(inventory, &sensed(report, feedback));
        let sorts = [None, Some(ScopeSort::Service), Some(ScopeSort::Owner), Some(ScopeSort::Tag)];
        let scopes = sorts.into_iter().flat_map(|sort| scopes(&kpis, sort)).collect();
        Self { kpis, scopes, today: today(inventory) }
    }

    /// An object each, made one by one: of ten thousand services they are many.
    pub(crate) fn objects(
        &self,
        targets: &[Target],
        redactor: &mut tapwire_event::Redactor,
    ) -> impl Iterator<Item = serde_json::Value> {
        self.scopes.iter().flat_map(move |scope| {
            let lines = lines(&self.kpis, std::slice::from_ref(scope), targets, self.today);
            lines.iter().map(|line| object::object(line, redactor)).collect::<Vec<_>>()
        })
    }
}

/// Everything, or the scopes of one sort.
fn scopes(kpis: &Kpis, by: Option<ScopeSort>) -> Vec<Scope> {
    match by {
        None => vec![Scope::All],
        Some(sort) => kpis.scopes(sort.into()).cloned().collect(),
    }
}

/// Every KPI of every scope, in that order of scopes; within a scope what misses its target first.
fn lines<'a>(kpis: &Kpis, scopes: &'a [Scope], targets: &'a [Target], today: i64) -> Vec<Line<'a>> {
    let mut all = Vec::new();
    for scope in scopes {
        let mut mine: Vec<Line<'a>> = KPIS.iter().map(|kpi| line(kpis, kpi, scope, targets, today)).collect();
        mine.sort_by_key(|line| (line.value.part().is_none(), line.standing.map_or(UNASKED, rank)));
        all.append(&mut mine);
    }
    all
}

/// Where a KPI without target stands among those that have one.
const UNASKED: u8 = 2;

const fn rank(standing: Standing) -> u8 {
    match standing {
        Standing::Overdue => 0,
        Standing::Missed => 1,
        Standing::Met => 3,
    }
}

/// One KPI of one scope.
pub(crate) fn line<'a>(
    kpis: &Kpis,
    kpi: &'static Kpi,
    scope: &'a Scope,
    targets: &'a [Target],
    today: i64,
) -> Line<'a> {
    let value = kpis.value(kpi, scope);
    let target = target_of(targets, kpi, scope);
    let figure = value.part().map(|part| kpi.figure(part));
    let standing = figure.zip(target).map(|(figure, target)| target.standing(figure, today));
    Line { kpi, scope, value, target, standing }
}

/// The day of the last call, by number.
pub(crate) fn today(inventory: &Inventory) -> i64 {
    inventory.series().days().next_back().unwrap_or(i64::MIN)
}

/// A figure with its unit, for people.
pub(crate) fn told(kpi: &Kpi, part: Part) -> String {
    use tapwire_inventory::kpis::Unit;
    match kpi.unit {
        Unit::Percent => crate::size::share(part.numerator, part.denominator),
        Unit::PerWeek | Unit::PerDay => number(kpi.figure(part)) + " " + kpi.unit.name(),
        Unit::Seconds => match part.numerator {
            0 => "< 1 ms".into(),
            _ => crate::size::duration(nanos(kpi.figure(part))),
        },
    }
}

#[allow(clippy::cast_possible_truncation, reason = "seconds of one call")]
fn nanos(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}

/// A number with at most one digit behind the point.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A target with its unit, for people.
pub(crate) fn goal(target: &Target) -> String {
    use tapwire_inventory::kpis::Better;
    let way = match target.kpi.better {
        Better::More => "at least",
        Better::Less => "at most",
    };
    format!("{way} {} {} by {}", number(target.value), target.kpi.unit.name(), targets::date(target.by))
}

impl From<ScopeSort> for By {
    fn from(sort: ScopeSort) -> Self {
        match sort {
            ScopeSort::Service => Self::Service,
            ScopeSort::Owner => Self::Owner,
            ScopeSort::Tag => Self::Tag,
        }
    }
}
