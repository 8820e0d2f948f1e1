//! The two scores of endpoints, as JSON, for people, and explained.

use crate::paper::{Paper, plain};
use serde_json::{Value, json};
use tapwire_inventory::{Endpoint, FACTORS, Factor, Rated, Risks, Score};

/// Both scores of an endpoint.
pub(crate) fn both(risks: &Risks<'_>, endpoint: &Endpoint) -> [(Score, Rated); 2] {
    [(Score::Exposure, risks.exposure(endpoint)), (Score::Threat, risks.threat(endpoint))]
}

/// Adds the scores and their reasons.
pub(crate) fn add_to(object: &mut Value, risks: &Risks<'_>, endpoint: &Endpoint) {
    for (score, rated) in both(risks, endpoint) {
        let reasons = rated.reasons.iter().map(
            |reason| json!({"reason": reason.factor.name, "points": reason.points, "seen": reason.seen}),
        );
        object[format!("{}_reasons", score.name())] = reasons.collect();
        object[score.name()] = rated.points.into();
    }
}

/// Writes both scores with what makes them up.
pub(crate) fn page(risks: &Risks<'_>, endpoint: &Endpoint, paper: &mut Paper) {
    for (score, rated) in both(risks, endpoint) {
        let reasons = rated.reasons.iter();
        let reasons = reasons.map(|reason| (reason.factor.name, reason.points.into(), reason.seen.as_str()));
        one(score, rated.points.into(), reasons, paper);
    }
}

/// Writes a score with the names of what adds to it, the points of each, and what was seen.
pub(crate) fn one<'r>(
    score: Score,
    points: u64,
    reasons: impl Iterator<Item = (&'r str, u64, &'r str)>,
    paper: &mut Paper,
) {
    paper.row(score.name(), &format!("{points} of 100"));
    for (name, points, seen) in reasons {
        let lead = format!("  {:>13} {points:>3}  {:<26} ", "", plain(name));
        paper.hang(&lead, &plain(seen));
    }
}

/// Writes what a score is and what adds to it.
pub(crate) fn explain(score: Score, paper: &mut Paper) {
    let title = paper.strong(score.name());
    paper.line(&format!("{title}, a score of endpoints from 0 to 100"));
    paper.hang("  ", &format!("It says {}.", score.meaning()));
    paper.heading("What adds to it");
    for factor in FACTORS.iter().filter(|factor| factor.score == score) {
        paper.hang(&format!("  {:>3}  {:<26} ", factor.most, factor.name), factor.meaning);
    }
    paper.line("");
    paper.hang(
        "  ",
        "Points are added up and cut at 100. tapwire inventory --endpoint shows those of an endpoint.",
    );
}

/// Writes what a factor is.
pub(crate) fn explain_factor(factor: &Factor, paper: &mut Paper) {
    let title = paper.strong(factor.name);
    paper.line(&format!(
        "{title} adds at most {} points to the {} of an endpoint",
        factor.most,
        factor.score.name()
    ));
    paper.hang("  ", factor.meaning);
}
