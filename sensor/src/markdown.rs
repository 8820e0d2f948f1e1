//! `incidents --markdown`: incidents and posture as Markdown, for a ticket or a wiki. No text of traffic is markup in it.

use crate::incidents::{Reading, headline, title_of, value};
use crate::paper::plain;
use crate::posture;
use crate::suggestions;
use serde_json::Value;
use std::fmt::Write;
use tapwire_detect::{Incident, Posture};
use tapwire_pipeline::Report;

/// The whole page.
pub(crate) fn page(all: &[&Incident], report: &Report, reading: &mut Reading<'_>) -> String {
    let mut text = "# Incidents\n\n".to_owned();
    if all.is_empty() {
        text.push_str("None.\n\n");
    }
    for incident in all {
        tell(incident, reading, &mut text);
    }
    text.push_str("# Posture\n\n");
    if report.postures.is_empty() {
        text.push_str("Nothing is wrong, by the policies that could be judged.\n\n");
    }
    for posture in &report.postures {
        stand(posture, reading, &mut text);
    }
    unjudged(report, &mut text);
    text
}

/// Writing to a text does not fail.
macro_rules! put {
    ($text:expr, $($what:tt)*) => {{ let _ = writeln!($text, $($what)*); }};
}

fn tell(incident: &Incident, reading: &mut Reading<'_>, text: &mut String) {
    let line = headline(incident, reading);
    let whole = value(incident, reading);
    put!(text, "## {}: {}\n", incident.worst.severity.name(), escaped(title_of(incident)));
    put!(text, "{}.\n", escaped(&line));
    put!(text, "| | |\n|---|---|");
    put!(text, "| Incident | `{}` |", incident.uid);
    for (name, path) in
        [("Callers", "callers"), ("Addresses", "addresses"), ("JA4", "ja4"), ("Zones", "zones")]
    {
        let list = words(&whole, path);
        if !list.is_empty() {
            put!(text, "| {name} | {} |", list.join(", "));
        }
    }
    endpoints(&whole, text);
    put!(text, "\n### Timeline\n");
    put!(text, "| Time | What | Severity | Outcome | Why |\n|---|---|---|---|---|");
    for moment in items(&whole, "timeline") {
        let found_by = match moment.pointer("/rule/title").and_then(Value::as_str) {
            Some(title) => title,
            None => of(moment, "detector"),
        };
        let cells = [
            of(moment, "time"),
            found_by,
            of(moment, "severity"),
            of(moment, "outcome"),
            of(moment, "reason"),
        ];
        put!(text, "| {} |", cells.map(escaped).join(" | "));
    }
    listed("What to do", words(&whole, "next_steps"), text);
    let could = suggestions::lines(items(&whole, "suggestions"));
    let could = could.iter().map(|(what, whom)| format!("{}. {}", escaped(what), escaped(whom)));
    listed("What could be done", could.collect(), text);
    text.push('\n');
}

fn endpoints(whole: &Value, text: &mut String) {
    for endpoint in items(whole, "endpoints") {
        let place =
            format!("{} {}{}", of(endpoint, "method"), of(endpoint, "service"), of(endpoint, "template"));
        let classes = words(endpoint, "data_classes");
        let classes = if classes.is_empty() { String::new() } else { format!(": {}", classes.join(", ")) };
        let owner = match of(endpoint, "owner") {
            "" => String::new(),
            owner => format!(", owner {}", escaped(owner)),
        };
        put!(text, "| Endpoint | {}{classes}{owner} |", escaped(&place));
    }
}

fn stand(posture: &Posture, reading: &mut Reading<'_>, text: &mut String) {
    let rule = &posture.rule;
    let service = reading.redactor.shown_host(&posture.service);
    put!(text, "## {}: {} ({})\n", rule.severity.name(), escaped(&rule.title), escaped(&service));
    put!(text, "{}\n", escaped(&reading.redactor.shown_sentence(&posture.reason)));
    let names = posture.endpoints.iter().map(|offence| escaped(&posture::name(offence, reading.redactor)));
    let mut names: Vec<String> = names.collect();
    let more = posture.total.saturating_sub(names.len() as u64);
    names.extend((more > 0).then(|| format!("and {more} more")));
    put!(text, "State: {}.", posture.stage.name());
    listed("Endpoints", names, text);
    if !rule.fix.is_empty() {
        put!(text, "\n**Fix:** {}", escaped(&rule.fix));
    }
    text.push('\n');
}

/// What could not be judged is no less a part of it.
fn unjudged(report: &Report, text: &mut String) {
    let detectors = report.not_judged.iter().map(|one| format!("{}: {}", one.detector, escaped(&one.reason)));
    let policies = report.unjudged_policies.iter();
    let policies = policies.map(|one| format!("{}: {}", one.policies.join(", "), escaped(one.reason)));
    let all: Vec<String> = detectors.chain(policies).collect();
    if !all.is_empty() {
        text.push_str("# Not judged");
        listed("", all, text);
    }
}

fn listed(title: &str, all: Vec<String>, text: &mut String) {
    if all.is_empty() {
        return;
    }
    if title.is_empty() {
        text.push_str("\n\n");
    } else {
        put!(text, "\n### {title}\n");
    }
    for one in all {
        put!(text, "- {one}");
    }
}

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn words(value: &Value, name: &str) -> Vec<String> {
    items(value, name).filter_map(Value::as_str).map(escaped).collect()
}

fn of<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Text that is no markup, neither of Markdown nor of HTML, in a table or outside of one.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        if c.is_ascii_punctuation()
            && !matches!(c, '.' | ',' | ':' | ';' | '/' | '-' | '?' | '%' | '\'' | '"' | '=')
        {
            out.push('\\');
        }
        out.push(c);
    }
    // What a page would make a link of by itself.
    out.replace("://", ":\\/\\/").replace("www.", "www\\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        let hostile = "<img src=x> [a](http://b.test) | `c` *d* _e_ # f www.g.test\n- h";
        let safe = escaped(hostile);
        assert_eq!(
            safe,
            "\\<img src=x\\> \\[a\\]\\(http:\\/\\/b.test\\) \\| \\`c\\` \\*d\\* \\_e\\_ \\# f www\\.g.test\u{fffd}- h"
        );
    }
}
