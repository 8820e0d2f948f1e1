//! How well the endpoints of an inventory are those that are true.
//!
//! Each request goes to the most specific template of its host and method that matches its path; the groups that
//! arise are compared with the true ones. A request counts when its group is exactly the true one.

use std::collections::{BTreeMap, BTreeSet};

/// A request with what is true of it; without template it is noise.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub host: String,
    pub method: String,
    pub path: String,
    pub template: Option<String>,
}

/// What is reported.
#[derive(Debug, Default)]
pub(crate) struct Score {
    pub requests: usize,
    pub exact: usize,
    pub true_templates: usize,
    pub templates: usize,
    /// Templates that only noise matches.
    pub of_noise: usize,
    /// The largest groups that are not exact: requests, host, method, true template, templates they went to.
    pub wrong: Vec<(usize, String)>,
}

impl Score {
    pub(crate) fn accuracy(&self) -> f64 {
        self.exact as f64 / self.requests.max(1) as f64
    }

    pub(crate) fn inflation(&self) -> f64 {
        self.templates as f64 / self.true_templates.max(1) as f64
    }
}

type Place = (String, String);

/// Scores templates, given as host, method and template.
pub(crate) fn score(rows: &[Truth], templates: impl IntoIterator<Item = (String, String, String)>) -> Score {
    let mut known: BTreeMap<Place, Vec<String>> = BTreeMap::new();
    let hosts: BTreeSet<&str> = rows.iter().map(|row| row.host.as_str()).collect();
    let mut score = Score::default();
    for (host, method, template) in templates {
        if hosts.contains(host.as_str()) {
            score.templates += 1;
            known.entry((host, method)).or_default().push(template);
        }
    }
    let mut truth: BTreeMap<(Place, &str), BTreeMap<String, usize>> = BTreeMap::new();
    let mut said: BTreeMap<(Place, String), BTreeSet<&str>> = BTreeMap::new();
    let mut used: BTreeMap<(Place, String), bool> = BTreeMap::new();
    for row in rows {
        let place = (row.host.clone(), row.method.clone());
        let hit = known.get(&place).and_then(|templates| assign(templates, &row.path));
        if let Some(hit) = &hit {
            *used.entry((place.clone(), hit.clone())).or_default() |= row.template.is_some();
        }
        let Some(template) = &row.template else { continue };
        let group = hit.unwrap_or_else(|| format!("not covered: {}", row.path));
        *truth.entry((place.clone(), template)).or_default().entry(group.clone()).or_default() += 1;
        said.entry((place, group)).or_default().insert(template);
    }
    score.of_noise = used.values().filter(|real| !**real).count();
    score.true_templates = truth.len();
    for ((place, template), groups) in &truth {
        let size: usize = groups.values().sum();
        score.requests += size;
        let (group, _) = groups.first_key_value().expect("a group has requests");
        let mates = &said[&(place.clone(), group.clone())];
        if groups.len() == 1 && mates.len() == 1 && !group.starts_with("not covered") {
            score.exact += size;
            continue;
        }
        let into: Vec<&String> = groups.keys().take(4).collect();
        let line = format!(
            "{} {} {template}: {} groups {into:?} with {:?}",
            place.0,
            place.1,
            groups.len(),
            mates.iter().take(3).collect::<Vec<_>>()
        );
        score.wrong.push((size, line));
    }
    score.wrong.sort_by(|a, b| b.cmp(a));
    score
}

/// The most specific template that matches a path.
fn assign(templates: &[String], path: &str) -> Option<String> {
    let path = trim(path);
    let matching = templates.iter().filter_map(|template| Some((rank(trim(template), path)?, template)));
    matching.min().map(|(_, template)| template.clone())
}

fn trim(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    if path.is_empty() { "/" } else { path }
}

/// How many segments are parameters, and which, where the template matches.
fn rank(template: &str, path: &str) -> Option<(usize, Vec<u8>)> {
    if template.matches('/').count() != path.matches('/').count() {
        return None;
    }
    let mut ranks = Vec::new();
    for (pattern, segment) in template.split('/').zip(path.split('/')) {
        ranks.push(match pattern.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            None if pattern == segment => 0,
            Some((_, "")) if !segment.is_empty() => 2,
            Some((_, ending)) if segment.len() > ending.len() && segment.ends_with(ending) => 1,
            _ => return None,
        });
    }
    Some((ranks.iter().filter(|rank| **rank > 0).count(), ranks))
}
