//! Correlations over percentiles, judged: the engine reckons the value and takes any for one that holds.

use rsigma_eval::EvaluationResult;
use rsigma_parser::{ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType};
use std::collections::BTreeMap;

/// Groups of which it is known when they were told of.
const MOST_TOLD: usize = 20_000;

/// What percentiles have to be, and of which groups that was told.
#[derive(Debug, Default)]
pub(crate) struct Percentiles {
    wanted: BTreeMap<String, Wanted>,
    /// By correlation and group: when, in seconds.
    told: BTreeMap<(String, String), i64>,
}

#[derive(Debug)]
struct Wanted {
    predicates: Vec<(ConditionOperator, u64)>,
    seconds: u64,
}

impl Percentiles {
    pub(crate) fn of(rules: &[CorrelationRule]) -> Self {
        let wanted = rules.iter().filter_map(|rule| {
            let CorrelationCondition::Threshold { predicates, .. } = &rule.condition else { return None };
            let wanted = Wanted { predicates: predicates.clone(), seconds: rule.timespan.seconds };
            (rule.correlation_type == CorrelationType::ValuePercentile).then_some((rule.id.clone()?, wanted))
        });
        Self { wanted: wanted.collect(), told: BTreeMap::new() }
    }

    /// Whether a result stands: all but percentiles do, and these where their value is as wanted and was not told lately.
    pub(crate) fn hold(&mut self, result: &EvaluationResult, now: i64) -> bool {
        let wanted = result.header.rule_id.as_ref().and_then(|id| Some((id, self.wanted.get(id)?)));
        let (Some((id, wanted)), Some(body)) = (wanted, result.as_correlation()) else { return true };
        let holds = wanted
            .predicates
            .iter()
            .all(|(operator, value)| compare(*operator, body.aggregated_value, *value));
        let group = (id.clone(), format!("{:?}", body.group_key));
        let silent = self
            .told
            .get(&group)
            .is_some_and(|told| now.saturating_sub(*told).unsigned_abs() < wanted.seconds);
        if holds && !silent {
            self.make_room(now);
            self.told.insert(group, now);
        }
        holds && !silent
    }

    /// What was told: by correlation and group when.
    pub(crate) fn told(&self) -> impl Iterator<Item = (&(String, String), &i64)> {
        self.told.iter()
    }

    /// Takes what a run before told.
    pub(crate) fn remember(&mut self, rule: String, group: String, at: i64) {
        self.make_room(at);
        self.told.insert((rule, group), at);
    }

    /// Forgets what was told longest ago, half of all at once.
    fn make_room(&mut self, now: i64) {
        if self.told.len() < MOST_TOLD {
            return;
        }
        let mut times: Vec<i64> = self.told.values().copied().collect();
        times.sort_unstable();
        let middle = times.get(MOST_TOLD / 2).copied().unwrap_or(now);
        self.told.retain(|_, told| *told > middle);
    }
}

fn compare(operator: ConditionOperator, value: f64, wanted: u64) -> bool {
    let wanted = wanted as f64;
    match operator {
        ConditionOperator::Lt => value < wanted,
        ConditionOperator::Lte => value <= wanted,
        ConditionOperator::Gt => value > wanted,
        ConditionOperator::Gte => value >= wanted,
        ConditionOperator::Eq => value == wanted,
        ConditionOperator::Neq => value != wanted,
    }
}
