//! Which fields rules ask for, so that others can say whether they have them.

use rsigma_parser::{
    CorrelationCondition, CorrelationRule, Detection, DetectionItem, Detections, FilterRule,
    FilterRuleTarget, Modifier, SigmaRule, SigmaValue,
};
use std::collections::{BTreeMap, BTreeSet};

/// What stands for words that are looked for in a request without the name of a field.
pub const KEYWORDS: &str = "keywords";

/// The fields of every rule and correlation, by id; filters count for the rules that they are for.
#[derive(Debug, Default)]
pub(crate) struct Reads(BTreeMap<String, BTreeSet<String>>);

impl Reads {
    /// Of rules and filters first, then of correlations, each behind those that it counts.
    pub(crate) fn of<'a>(
        rules: impl Iterator<Item = &'a SigmaRule>,
        filters: impl Iterator<Item = &'a FilterRule>,
        correlations: impl Iterator<Item = &'a CorrelationRule>,
    ) -> Self {
        let mut reads = Self::default();
        for rule in rules {
            let fields = reads.0.entry(rule.id.clone().unwrap_or_default()).or_default();
            of_detections(&rule.detection, fields);
        }
        for filter in filters {
            let mut fields = BTreeSet::new();
            of_detections(&filter.detection, &mut fields);
            let is_for = |id: &String| match &filter.rules {
                FilterRuleTarget::Any => true,
                FilterRuleTarget::Specific(ids) => ids.contains(id),
            };
            let concerned = reads.0.iter_mut().filter(|(id, _)| is_for(id));
            concerned.for_each(|(_, known)| known.extend(fields.iter().cloned()));
        }
        for rule in correlations {
            let fields = reads.of_correlation(rule);
            reads.0.insert(rule.id.clone().unwrap_or_default(), fields);
        }
        reads
    }

    fn of_correlation(&self, rule: &CorrelationRule) -> BTreeSet<String> {
        let alias = |name: &&String| rule.aliases.iter().any(|alias| alias.alias == **name);
        let counted = rule.rules.iter().filter_map(|id| self.0.get(id)).flatten();
        let grouped = rule.group_by.iter().filter(|name| !alias(name));
        let mapped = rule.aliases.iter().flat_map(|alias| alias.mapping.values());
        let reckoned = match &rule.condition {
            CorrelationCondition::Threshold { field: Some(fields), .. } => fields.as_slice(),
            _ => &[],
        };
        counted.chain(grouped).chain(mapped).chain(reckoned).cloned().collect()
    }

    /// Those of one rule, sorted.
    pub(crate) fn get(&self, id: &str) -> Vec<String> {
        self.0.get(id).into_iter().flatten().cloned().collect()
    }
}

fn of_detections(detections: &Detections, out: &mut BTreeSet<String>) {
    detections.named.values().for_each(|one| of_detection(one, false, out));
}

/// `within` a list of a field, what has no name is an element.
fn of_detection(detection: &Detection, within: bool, out: &mut BTreeSet<String>) {
    match detection {
        Detection::AllOf(items) => items.iter().for_each(|item| of_item(item, within, out)),
        Detection::AnyOf(all) | Detection::And(all) => {
            all.iter().for_each(|one| of_detection(one, within, out));
        }
        Detection::Keywords(_) => {
            out.extend((!within).then(|| KEYWORDS.to_owned()));
        }
        Detection::ArrayMatch { field, body, .. } => {
            out.insert(field.clone());
            of_detection(body, true, out);
        }
        Detection::Conditional { named, .. } => {
            named.values().for_each(|one| of_detection(one, within, out));
        }
    }
}

fn of_item(item: &DetectionItem, within: bool, out: &mut BTreeSet<String>) {
    match &item.field.name {
        Some(name) => out.extend([name.clone()]),
        None => out.extend((!within).then(|| KEYWORDS.to_owned())),
    }
    if item.field.has_modifier(Modifier::FieldRef) {
        let named = item.values.iter().filter_map(|value| match value {
            SigmaValue::String(text) => text.as_plain(),
            _ => None,
        });
        out.extend(named);
    }
}
