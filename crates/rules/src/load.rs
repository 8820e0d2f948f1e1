//! Rule files, read: what applies, what does not and why, what is broken and where.

use crate::applies;
use crate::documents::{Document, documents};
use crate::judge::{Judge, Known, MAX_EXCHANGES};
use crate::percentiles::Percentiles;
use crate::reads::Reads;
use crate::{Names, Taxonomy};
use rsigma_eval::{CorrelationConfig, CorrelationEngine, CorrelationEventMode, Engine, compile_rule};
use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, FilterRule, FilterRuleTarget,
    Level, SigmaCollection, SigmaRule, Status,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tapwire_detect::{RuleInfo, Severity};

/// Rules of all files together.
const MAX_RULES: usize = 20_000;
/// Moments that a group of a count keeps at the most, and values that one of another kind keeps.
const MAX_MOMENTS: u64 = 100_000;
const VALUES: u64 = 512;
/// Moments for each rule that comes about in time with others: only the latest matter. An order is looked for among all of
/// them, so that the number of rules in one counts in powers.
const MOMENTS_IN_TIME: u64 = 16;
const RULES_IN_ORDER: usize = 5;

/// A file with rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Its name, as reports give it.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Kinds of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Judges one call.
    Rule,
    /// Counts calls that rules hold for.
    Correlation,
    /// Adds conditions to rules.
    Filter,
}

impl Kind {
    /// As reports spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Correlation => "correlation",
            Self::Filter => "filter",
        }
    }
}

/// A rule that is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its id; made of its title where it has none.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How bad what it finds is.
    pub severity: Severity,
    /// Where it stands.
    pub file: String,
    /// The line it begins on.
    pub line: usize,
    /// Fields it asks for, those of the rules that it counts and of filters with them, sorted.
    pub reads: Vec<String>,
}

/// A rule that is sound but not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where it stands.
    pub file: String,
    /// The line it begins on.
    pub line: usize,
    /// Its title.
    pub title: String,
    /// Why.
    pub reason: String,
}

/// Something broken in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub file: String,
    /// The line it is about, as far as that can be told.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// What files came to.
#[derive(Debug)]
pub struct Loaded {
    /// Judges calls by what applies.
    pub judge: Judge,
    /// What applies, in the order of the files.
    pub applied: Vec<Entry>,
    /// What does not apply.
    pub skipped: Vec<Skipped>,
    /// What is broken; the rest stands.
    pub faults: Vec<Fault>,
}

/// Reads rule files. Nothing in them fails the others.
pub fn load(files: &[RuleFile]) -> Loaded {
    let mut loading = Loading::default();
    for file in files {
        for document in documents(&file.text) {
            loading.document(&file.name, &document);
        }
    }
    loading.correlations();
    loading.leave_out_what_serves_nothing();
    loading.filters();
    loading.finish()
}

/// Where a rule stands.
#[derive(Debug, Clone)]
struct Place {
    file: String,
    line: usize,
}

#[derive(Default)]
struct Loading {
    names: Names,
    rules: Vec<(SigmaRule, Place)>,
    correlations: Vec<(CorrelationRule, Place)>,
    waiting: Vec<(CorrelationRule, Place)>,
    filters: Vec<(FilterRule, Place)>,
    waiting_filters: Vec<(FilterRule, Place)>,
    /// By id and by name: the id.
    ids: BTreeMap<String, String>,
    /// Where an id stands.
    places: BTreeMap<String, Place>,
    skipped: Vec<Skipped>,
    faults: Vec<Fault>,
}

impl Loading {
    fn document(&mut self, file: &str, document: &Document<'_>) {
        let (collection, wrong) = document.read();
        let faults = wrong.into_iter().map(|one| Fault { file: file.into(), line: one.line, what: one.what });
        self.faults.extend(faults);
        let place = |title: &str| Place { file: file.into(), line: document.line_of_title(title) };
        for rule in collection.rules {
            let at = place(&rule.title);
            self.rule(rule, at, document);
        }
        for correlation in collection.correlations {
            let at = place(&correlation.title);
            self.waiting.push((correlation, at));
        }
        for filter in collection.filters {
            let at = place(&filter.title);
            self.waiting_filters.push((filter, at));
        }
    }

    fn rule(&mut self, mut rule: SigmaRule, place: Place, document: &Document<'_>) {
        let taxonomy = applies::taxonomy(&rule.logsource);
        let fits = applies::by_status(rule.status).and(taxonomy).and_then(|taxonomy| {
            let one = SigmaCollection { rules: vec![rule.clone()], ..SigmaCollection::default() };
            applies::fields(&one, taxonomy, &self.names)
        });
        if let Err(reason) = fits {
            return self.skip(&place, &rule.title, reason);
        }
        if let Err(error) = compile_rule(&rule) {
            let wrong = document.wrong(error.to_string());
            return self.faults.push(Fault { file: place.file, line: wrong.line, what: wrong.what });
        }
        let id = rule.id.clone().unwrap_or_else(|| slug(&rule.title));
        if self.take_id(&id, rule.name.as_deref(), &place) {
            rule.id = Some(id);
            // What a rule says to another engine would be taken for all.
            rule.custom_attributes.clear();
            self.rules.push((rule, place));
        }
    }

    /// Takes an id, and the name beside it; that it is free is said where it is not.
    fn take_id(&mut self, id: &str, name: Option<&str>, place: &Place) -> bool {
        let full = self.places.len() >= MAX_RULES;
        let taken = |key: &str| self.places.get(self.ids.get(key)?);
        let named = name.and_then(|name| Some(("name", name, taken(name)?)));
        let what = match taken(id).map(|other| ("id", id, other)).or(named) {
            Some((kind, key, other)) => format!("the {kind} {key} is taken by {}:{}", other.file, other.line),
            None if full => format!("there are more than {MAX_RULES} rules"),
            None => {
                self.places.insert(id.into(), place.clone());
                for key in [Some(id), name].into_iter().flatten() {
                    self.ids.insert(key.into(), id.into());
                }
                return true;
            }
        };
        self.faults.push(Fault { file: place.file.clone(), line: place.line, what });
        false
    }

    fn skip(&mut self, place: &Place, title: &str, reason: String) {
        let (file, line, title) = (place.file.clone(), place.line, plain(title));
        self.skipped.push(Skipped { file, line, title, reason });
    }

    /// Takes correlations whose rules are all known, until no further one is.
    fn correlations(&mut self) {
        loop {
            let waiting = std::mem::take(&mut self.waiting);
            let before = waiting.len();
            for (correlation, place) in waiting {
                match correlation.rules.iter().all(|rule| self.ids.contains_key(rule)) {
                    true => self.correlation(correlation, place),
                    false => self.waiting.push((correlation, place)),
                }
            }
            if self.waiting.len() == before {
                break;
            }
        }
        for (correlation, place) in std::mem::take(&mut self.waiting) {
            let missing = correlation.rules.iter().find(|rule| !self.ids.contains_key(*rule));
            let missing = missing.map_or("", String::as_str);
            let reason = format!("it counts {missing}, which is no rule that is judged");
            self.skip(&place, &correlation.title, reason);
            // What it alone counts serves nothing; see below.
            self.correlations.push((correlation, Place { line: 0, ..place }));
        }
    }

    fn correlation(&mut self, mut rule: CorrelationRule, place: Place) {
        let fits = applies::by_status(rule.status)
            .and_then(|()| applies::correlation(&rule, &self.names))
            .and_then(|()| self.counts_no_percentile(&rule))
            .and_then(|()| bound(&mut rule));
        if let Err(reason) = fits {
            self.skip(&place, &rule.title, reason);
            return self.correlations.push((rule, Place { line: 0, ..place }));
        }
        let id = rule.id.clone().unwrap_or_else(|| slug(&rule.title));
        if !self.take_id(&id, rule.name.as_deref(), &place) {
            return;
        }
        self.by_id(&mut rule);
        rule.id = Some(id);
        self.correlations.push((rule, place));
    }

    /// What the engine takes for a percentile that holds is judged once more, after it has told others.
    fn counts_no_percentile(&self, rule: &CorrelationRule) -> Result<(), String> {
        let ids: Vec<&String> = rule.rules.iter().filter_map(|name| self.ids.get(name)).collect();
        let percentiles = self.correlations.iter().filter(|(one, place)| {
            place.line > 0 && one.correlation_type == CorrelationType::ValuePercentile
        });
        let mut counted = percentiles.filter_map(|(one, _)| one.id.as_ref()).filter(|id| ids.contains(id));
        counted
            .next()
            .map_or(Ok(()), |id| Err(format!("it counts {id}, a percentile, which is not counted further")))
    }

    /// Names the rules that a correlation counts by their ids: what fires is known by its id alone.
    fn by_id(&self, rule: &mut CorrelationRule) {
        let id = |name: &String| self.ids.get(name).unwrap_or(name).clone();
        let names = std::mem::take(&mut rule.rules);
        rule.rules = names.iter().map(id).collect();
        for alias in &mut rule.aliases {
            let mapping = std::mem::take(&mut alias.mapping);
            alias.mapping = mapping.into_iter().map(|(name, field)| (id(&name), field)).collect();
        }
        if let CorrelationCondition::Extended(expression) = &mut rule.condition {
            rename(expression, &self.ids);
        }
    }

    /// A rule that is there to be counted is no rule of its own where what counts it is not judged.
    fn leave_out_what_serves_nothing(&mut self) {
        let id = |name: &String| self.ids.get(name).unwrap_or(name).clone();
        let counted = |judged: bool| {
            let all = self
                .correlations
                .iter()
                .filter(move |(rule, place)| (place.line > 0) == judged && !rule.generate);
            all.flat_map(|(rule, _)| rule.rules.iter().map(id)).collect::<BTreeSet<String>>()
        };
        let (serving, idle) = (counted(true), counted(false));
        self.correlations.retain(|(_, place)| place.line > 0);
        let (stay, go): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.rules).into_iter().partition(|(rule, _)| {
                rule.id.as_ref().is_none_or(|id| serving.contains(id) || !idle.contains(id))
            });
        self.rules = stay;
        for (rule, place) in go {
            self.skip(&place, &rule.title, "the correlation that counts it is not judged".into());
        }
    }

    fn filters(&mut self) {
        for (mut filter, place) in std::mem::take(&mut self.waiting_filters) {
            let of = |name: &String| self.ids.get(name).cloned();
            let known = match &mut filter.rules {
                FilterRuleTarget::Any => true,
                FilterRuleTarget::Specific(names) => {
                    *names = names.iter().filter_map(of).collect();
                    !names.is_empty()
                }
            };
            let one = SigmaCollection { filters: vec![filter.clone()], ..SigmaCollection::default() };
            let taxonomy = filter.logsource.as_ref().map_or(Ok(Taxonomy::Webserver), applies::taxonomy);
            let fits = taxonomy.and_then(|taxonomy| applies::fields(&one, taxonomy, &self.names));
            let fits = if known { fits } else { Err("none of the rules it is for is judged".into()) };
            match fits.map(|()| Engine::new().apply_filter(&filter)) {
                Err(reason) => self.skip(&place, &filter.title, reason),
                Ok(Err(error)) => {
                    self.faults.push(Fault { file: place.file, line: place.line, what: error.to_string() });
                }
                Ok(Ok(())) => self.filters.push((filter, place)),
            }
        }
    }

    fn finish(mut self) -> Loaded {
        let (mut applied, mut known) = (Vec::new(), BTreeMap::new());
        let reads = Reads::of(
            self.rules.iter().map(|(rule, _)| rule),
            self.filters.iter().map(|(filter, _)| filter),
            self.correlations.iter().map(|(rule, _)| rule),
        );
        for (rule, place) in &self.rules {
            let about =
                about(rule.id.as_deref(), &rule.title, &rule.description, &rule.tags, &rule.falsepositives);
            add(Kind::Rule, about, (rule.level, rule.status), place, &mut applied, &mut known);
        }
        for (rule, place) in &self.correlations {
            let about =
                about(rule.id.as_deref(), &rule.title, &rule.description, &rule.tags, &rule.falsepositives);
            add(Kind::Correlation, about, (rule.level, rule.status), place, &mut applied, &mut known);
        }
        for (filter, place) in &self.filters {
            let about = about(filter.id.as_deref(), &filter.title, &None, &[], &[]);
            add(Kind::Filter, about, (None, None), place, &mut applied, &mut BTreeMap::new());
        }
        applied.iter_mut().for_each(|entry: &mut Entry| entry.reads = reads.get(&entry.id));
        let reckoning = self.correlations.iter().map(|(rule, _)| (id_of(rule), reckoning(rule))).collect();
        let collection = SigmaCollection {
            rules: self.rules.into_iter().map(|(rule, _)| rule).collect(),
            correlations: self.correlations.into_iter().map(|(rule, _)| rule).collect(),
            filters: self.filters.into_iter().map(|(filter, _)| filter).collect(),
            errors: Vec::new(),
        };
        let mut engine = CorrelationEngine::new(config());
        if let Err(error) = engine.add_collection(&collection) {
            // Each was tried alone; what is left is a fault of all of them together.
            self.faults.push(Fault { file: "all rules".into(), line: 0, what: error.to_string() });
        }
        let percentiles = Percentiles::of(&collection.correlations);
        let numbers = numbers(&collection.correlations);
        let judge = Judge::new(engine, known, reckoning, percentiles, numbers);
        Loaded { judge, applied, skipped: self.skipped, faults: self.faults }
    }
}

fn add(
    kind: Kind,
    info: RuleInfo,
    (level, status): (Option<Level>, Option<Status>),
    place: &Place,
    applied: &mut Vec<Entry>,
    known: &mut BTreeMap<String, Known>,
) {
    let (id, title, severity) = (info.id.clone(), info.title.clone(), severity(level));
    let (file, line, reads) = (place.file.clone(), place.line, Vec::new());
    applied.push(Entry { kind, id: id.clone(), title, severity, file, line, reads });
    known.insert(id, Known { info: Arc::new(info), severity, confidence: confidence(status) });
}

fn about(
    id: Option<&str>,
    title: &str,
    description: &Option<String>,
    tags: &[String],
    false_positives: &[String],
) -> RuleInfo {
    let techniques = tags.iter().filter_map(|tag| {
        let number = tag.to_ascii_lowercase().strip_prefix("attack.t")?.to_owned();
        number.starts_with(|first: char| first.is_ascii_digit()).then(|| format!("T{number}"))
    });
    RuleInfo {
        id: id.map_or_else(|| slug(title), plain),
        title: plain(title),
        description: description.as_deref().map(plain),
        tags: tags.iter().map(|tag| plain(tag)).collect(),
        techniques: techniques.collect(),
        false_positives: false_positives.iter().map(|text| plain(text)).collect(),
    }
}

/// One line without control characters.
fn plain(text: &str) -> String {
    let spaced = text.trim().chars().map(|one| if one.is_control() { ' ' } else { one });
    spaced.collect()
}

/// An id of a title.
fn slug(title: &str) -> String {
    let low = title.chars().map(|one| if one.is_alphanumeric() { one.to_ascii_lowercase() } else { '-' });
    let words = low.collect::<String>();
    words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

fn id_of(rule: &CorrelationRule) -> String {
    rule.id.clone().unwrap_or_default()
}

/// What a correlation reckons, to tell whether its groups can be gone on with.
fn reckoning(rule: &CorrelationRule) -> String {
    let (window, gap, timespan) = (rule.window, &rule.gap, &rule.timespan);
    format!(
        "{:?}",
        (rule.correlation_type, &rule.rules, &rule.group_by, timespan, window, gap, &rule.condition)
    )
}

/// The fields that correlations reckon with, and do not only tell apart.
fn numbers(rules: &[CorrelationRule]) -> BTreeSet<String> {
    let reckons = |rule: &&CorrelationRule| {
        use CorrelationType::{ValueAvg, ValueMedian, ValuePercentile, ValueSum};
        matches!(rule.correlation_type, ValueSum | ValueAvg | ValuePercentile | ValueMedian)
    };
    let fields = rules.iter().filter(reckons).filter_map(|rule| match &rule.condition {
        CorrelationCondition::Threshold { field, .. } => field.clone(),
        CorrelationCondition::Extended(_) => None,
    });
    fields.flatten().collect()
}

const fn severity(level: Option<Level>) -> Severity {
    match level {
        Some(Level::Informational) => Severity::Informational,
        Some(Level::Low) => Severity::Low,
        Some(Level::Medium) | None => Severity::Medium,
        Some(Level::High) => Severity::High,
        Some(Level::Critical) => Severity::Critical,
    }
}

const fn confidence(status: Option<Status>) -> u8 {
    match status {
        Some(Status::Stable) => 80,
        Some(Status::Test) => 60,
        _ => 40,
    }
}

/// Names what an expression is about by ids.
fn rename(expression: &mut rsigma_parser::ConditionExpr, ids: &BTreeMap<String, String>) {
    use rsigma_parser::ConditionExpr;
    match expression {
        ConditionExpr::Identifier(name) => *name = ids.get(name).unwrap_or(name).clone(),
        ConditionExpr::And(all) | ConditionExpr::Or(all) => all.iter_mut().for_each(|one| rename(one, ids)),
        ConditionExpr::Not(one) => rename(one, ids),
        ConditionExpr::Selector { .. } => {}
    }
}

/// Gives a correlation the bounds of what it keeps. Once it has told of a group it is silent for its timespan, unless it
/// says otherwise.
fn bound(rule: &mut CorrelationRule) -> Result<(), String> {
    let most = match &rule.condition {
        CorrelationCondition::Threshold { predicates, .. } => {
            predicates.iter().map(|(_, value)| *value).max().unwrap_or(0)
        }
        CorrelationCondition::Extended(_) => 0,
    };
    let entries = match rule.correlation_type {
        CorrelationType::EventCount if most >= MAX_MOMENTS => {
            return Err(format!("it counts to {most}, and at most {MAX_MOMENTS} calls of a group are kept"));
        }
        CorrelationType::EventCount => most + 1,
        CorrelationType::ValueCount => VALUES.max(most.saturating_mul(4)).min(MAX_MOMENTS),
        CorrelationType::Temporal | CorrelationType::TemporalOrdered => MOMENTS_IN_TIME,
        _ => VALUES,
    };
    if rule.correlation_type == CorrelationType::TemporalOrdered && rule.rules.len() > RULES_IN_ORDER {
        return Err(format!("an order of more than {RULES_IN_ORDER} rules is not looked for"));
    }
    all_of_them(rule);
    let own = &mut rule.custom_attributes;
    own.insert("rsigma.max_group_entries".into(), entries.to_string().into());
    own.insert("rsigma.max_correlation_events".into(), MAX_EXCHANGES.to_string().into());
    own.insert("rsigma.correlation_event_mode".into(), "refs".into());
    let silence = format!("{}s", rule.timespan.seconds);
    own.entry("rsigma.suppress".into()).or_insert_with(|| silence.into());
    // Said of each, since what one says the engine takes for all that say nothing.
    own.entry("rsigma.action".into()).or_insert_with(|| "alert".into());
    if rule.correlation_type == CorrelationType::ValuePercentile {
        // The engine holds it for true whatever the value: `percentiles` judges, and keeps silent.
        own.insert("rsigma.suppress".into(), "0s".into());
    }
    Ok(())
}

/// A correlation in time without a condition wants all of its rules; the parser has it want one.
fn all_of_them(rule: &mut CorrelationRule) {
    let count = rule.rules.len() as u64;
    if let (CorrelationType::Temporal, CorrelationCondition::Threshold { predicates, .. }) =
        (rule.correlation_type, &mut rule.condition)
        && *predicates == [(ConditionOperator::Gte, 1)]
    {
        *predicates = vec![(ConditionOperator::Gte, count)];
    }
}

fn config() -> CorrelationConfig {
    CorrelationConfig {
        timestamp_fields: Vec::new(),
        // Bounded by `groups`: what the engine would evict by itself depends on the order of a hash table.
        max_state_entries: usize::MAX,
        emit_detections: false,
        correlation_event_mode: CorrelationEventMode::Refs,
        ..CorrelationConfig::default()
    }
}
