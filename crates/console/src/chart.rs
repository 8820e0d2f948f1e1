//! Small drawings in SVG. Colours come from the style sheet, and everything that is drawn is told in words beside it.

use crate::text::{count, counted, figure, percent};
use maud::{Markup, html};
use std::fmt::Write;

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 22.0;
/// Room for the stroke and the dot.
const EDGE: f64 = 2.5;

/// Values from 0 to 1 as a line with a dot at the last; `None` is passed over.
#[allow(clippy::cast_precision_loss, reason = "days of a year")]
pub(crate) fn line(values: &[Option<f64>]) -> Markup {
    let last = values.len().saturating_sub(1).max(1) as f64;
    let at = |(index, value): (usize, &Option<f64>)| {
        let value = (*value)?.clamp(0.0, 1.0);
        let across = EDGE + index as f64 / last * (WIDTH - 2.0 * EDGE);
        Some((across, HEIGHT - EDGE - value * (HEIGHT - 2.0 * EDGE)))
    };
    let points: Vec<(f64, f64)> = values.iter().enumerate().filter_map(at).collect();
    let mut path = String::new();
    for (x, y) in &points {
        // Text grows without failing.
        let _ = write!(path, "{x:.1},{y:.1} ");
    }
    html! {
        svg.line viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-hidden="true" {
            @if points.len() > 1 { polyline points=(path.trim_end()) {} }
            @if let Some((x, y)) = points.last() {
                circle cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="2.2" {}
            }
        }
    }
}

/// Calls a day or an hour as columns, each with its date and number, on an axis that is told in words.
#[allow(clippy::cast_precision_loss, reason = "the height of a column")]
pub(crate) fn days(days: &[(String, u64)], each: &str) -> Markup {
    let top = days.iter().map(|(_, calls)| *calls).max().unwrap_or(0).max(1);
    let most = top as f64;
    let width = 600.0 / days.len().max(1) as f64;
    let label = format!("Calls by {each}, at most {}", count(top));
    html! {
        figure.days {
            span.of.top { (count(top)) " calls" }
            svg.days viewBox="0 0 600 90" preserveAspectRatio="none" role="img" aria-label=(label) {
                @for (at, (day, calls)) in days.iter().enumerate() {
                    @let height = 88.0 * *calls as f64 / most;
                    @let thick = (width * 0.8).min(48.0);
                    rect x=(format!("{:.1}", at as f64 * width + (width - thick) / 2.0)) y=(format!("{:.1}", 90.0 - height))
                        width=(format!("{thick:.1}")) height=(format!("{height:.1}")) {
                        title { (day) ": " (counted(*calls, "call")) }
                    }
                }
            }
            @if let (Some((first, _)), Some((last, _))) = (days.first(), days.last()) {
                figcaption.of.single[days.len() == 1] { span { (first) } @if days.len() > 1 { span { (last) } } }
            }
        }
    }
}

/// Rows of a query as bars; where there are more rows than are drawn, that is said.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the length of a bar"
)]
pub(crate) fn columns(points: &[(String, f64)], rows: usize) -> Markup {
    let most = points.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let length = |value: f64| (value.max(0.0) / most * 10_000.0) as u64;
    let bar = |(name, value): &'_ (String, f64)| (name.clone(), length(*value), figure(*value));
    let all: Vec<(String, u64, String)> = points.iter().map(bar).collect();
    let bars_of: Vec<Bar<'_>> = all
        .iter()
        .map(|(name, length, told)| Bar {
            name,
            address: None,
            length: *length,
            told: told.clone(),
            class: "fill",
        })
        .collect();
    html! {
        (bars(&bars_of))
        @if points.len() < rows { p.of { "the first " (count(points.len() as u64)) " of " (count(rows as u64)) " rows" } }
    }
}

/// Points of a query as a line between the least and the most, which are told in words.
#[allow(clippy::cast_precision_loss, reason = "a place in a drawing")]
pub(crate) fn series(title: &str, points: &[(String, f64)], rows: usize) -> Markup {
    let values = || points.iter().map(|(_, value)| *value);
    // Numbers that are never below 0 are drawn from 0 on, so that the height is the number.
    let (low, high) = (values().fold(0.0, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let (span, last) = ((high - low).max(f64::MIN_POSITIVE), points.len().saturating_sub(1).max(1) as f64);
    let place = |(at, (_, value)): (usize, &(String, f64))| {
        format!("{:.1},{:.1}", 4.0 + at as f64 / last * 592.0, 116.0 - (value - low) / span * 112.0)
    };
    let line: Vec<String> = points.iter().enumerate().map(place).collect();
    let (Some((first, _)), Some((end, _))) = (points.first(), points.last()) else { return html! {} };
    let label = format!(
        "{title} from {first} to {end}: between {} and {}",
        figure(values().fold(f64::INFINITY, f64::min)),
        figure(high)
    );
    html! {
        figure.days {
            span.of.top { (figure(high)) }
            svg.plot viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label=(label) {
                @match line.as_slice() {
                    [_] => { line x1="4" x2="596" y1="4" y2="4" {} }
                    several => { polyline points=(several.join(" ")) {} }
                }
            }
            figcaption.of { span { (first) } @if points.len() > 1 { span { (end) } } }
        }
        @if points.len() < rows { p.of { "the first " (count(points.len() as u64)) " of " (count(rows as u64)) " rows" } }
    }
}

/// Names with numbers as bars, the longest of which fills the row; each leads somewhere, where it has an address.
pub(crate) fn bars(rows: &[Bar<'_>]) -> Markup {
    let most = rows.iter().map(|row| row.length).max().unwrap_or(0);
    html! {
        ol.bars {
            @for row in rows {
                li {
                    span.what { @match &row.address { Some(address) => { a href=(address) { (row.name) } } None => (row.name) } }
                    svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                        rect.rail width="100" height="8" {}
                        rect class=(row.class) width=(format!("{:.2}", share(row.length, most))) height="8" {}
                    }
                    span.told { (row.told) }
                }
            }
        }
    }
}

/// A row of [`bars`].
pub(crate) struct Bar<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: Option<String>,
    /// In any unit that all rows share.
    pub(crate) length: u64,
    /// The number in words.
    pub(crate) told: String,
    /// Its colour, as the style sheet names it.
    pub(crate) class: &'static str,
}

/// A ribbon of [`flows`]: from, to, how many.
pub(crate) type Ribbon = (String, String, u64);

const FLOW_WIDTH: f64 = 640.0;
const FLOW_GAP: f64 = 12.0;
/// A node of few is still seen.
const FLOW_LEAST: f64 = 14.0;
const FLOW_SIDE: f64 = 190.0;

/// What goes where: names on the left, names on the right, and ribbons as thick as their numbers.
#[allow(clippy::cast_precision_loss, reason = "the width of a ribbon")]
pub(crate) fn flows(ribbons: &[Ribbon]) -> Markup {
    let sums = |side: fn(&Ribbon) -> &String| {
        let mut sums: Vec<(String, u64)> = Vec::new();
        for ribbon in ribbons {
            match sums.iter_mut().find(|(name, _)| name == side(ribbon)) {
                Some((_, sum)) => *sum += ribbon.2,
                None => sums.push((side(ribbon).clone(), ribbon.2)),
            }
        }
        sums
    };
    let most = ribbons.iter().map(|ribbon| ribbon.2).sum::<u64>().max(1) as f64;
    let scale = 220.0 / most;
    let left = placed(&sums(|ribbon| &ribbon.0), scale);
    let right = placed(&sums(|ribbon| &ribbon.1), scale);
    let height =
        left.last().into_iter().chain(right.last()).map(|node| node.y + node.height).fold(0.0, f64::max);
    let (mut from, mut to) = (vec![0.0; left.len()], vec![0.0; right.len()]);
    html! {
        svg.flows viewBox=(format!("0 0 {FLOW_WIDTH} {height:.0}")) aria-hidden="true" {
            @for (one, other, number) in ribbons {
                @let thick = *number as f64 * scale;
                @if let (Some(a), Some(b)) = (turn(&left, &mut from, one, thick), turn(&right, &mut to, other, thick)) {
                    path.ribbon d=(curve(a, b)) stroke-width=(format!("{:.1}", thick.max(1.0))) { title { (one) " → " (other) ": " (count(*number)) } }
                }
            }
            @for node in &left { (label(node, FLOW_SIDE, "end")) }
            @for node in &right { (label(node, FLOW_WIDTH - FLOW_SIDE, "start")) }
        }
    }
}

struct Node {
    name: String,
    y: f64,
    height: f64,
}

#[allow(clippy::cast_precision_loss, reason = "the height of a node")]
fn placed(sums: &[(String, u64)], scale: f64) -> Vec<Node> {
    let mut y = 0.0;
    let place = |(name, sum): &(String, u64)| {
        let node = Node { name: name.clone(), y, height: (*sum as f64 * scale).max(FLOW_LEAST) };
        y += node.height + FLOW_GAP;
        node
    };
    sums.iter().map(place).collect()
}

/// The middle of the next ribbon at a node.
fn turn(nodes: &[Node], used: &mut [f64], name: &str, thick: f64) -> Option<f64> {
    let at = nodes.iter().position(|node| node.name == name)?;
    let (node, used) = (nodes.get(at)?, used.get_mut(at)?);
    let middle = node.y + *used + thick / 2.0;
    *used += thick;
    Some(middle)
}

fn curve(from: f64, to: f64) -> String {
    let (left, right, half) = (FLOW_SIDE + 6.0, FLOW_WIDTH - FLOW_SIDE - 6.0, FLOW_WIDTH / 2.0);
    format!("M{left:.1} {from:.1} C{half:.1} {from:.1} {half:.1} {to:.1} {right:.1} {to:.1}")
}

fn label(node: &Node, x: f64, anchor: &str) -> Markup {
    let aside = if anchor == "end" { x - 8.0 } else { x + 8.0 };
    let rail = if anchor == "end" { x } else { x - 6.0 };
    html! {
        rect.node x=(format!("{rail:.1}")) y=(format!("{:.1}", node.y)) width="6" height=(format!("{:.1}", node.height)) {}
        text x=(format!("{aside:.1}")) y=(format!("{:.1}", node.y + node.height / 2.0 + 4.0)) text-anchor=(anchor) { (node.name) }
    }
}

/// A score of 0 to 100 as a number on a rail.
pub(crate) fn score(points: u8) -> Markup {
    let class = match points {
        70.. => "bad",
        40.. => "warn",
        1.. => "some",
        0 => "none",
    };
    html! {
        span class=(format!("score {class}")) {
            (points)
            svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
                rect.rail width="100" height="6" {}
                rect.fill width=(points.min(100)) height="6" {}
            }
        }
    }
}

/// Answers by class as one bar in parts.
pub(crate) fn answers(status: &[u64; 6]) -> Markup {
    const NAMES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "not seen"];
    let all: u64 = status.iter().sum();
    let parts: Vec<(usize, u64)> =
        status.iter().copied().enumerate().filter(|(_, calls)| *calls > 0).collect();
    let told: Vec<String> = parts
        .iter()
        .filter_map(|(at, calls)| Some(format!("{} {}", count(*calls), NAMES.get(*at)?)))
        .collect();
    let told = if told.is_empty() { "no call".to_owned() } else { told.join(", ") };
    let mut from = 0.0;
    html! {
        span.answers title=(told) {
            svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label=(told) {
                @for (at, calls) in parts {
                    @let width = share(calls, all);
                    rect class=(format!("s{at}")) x=(format!("{from:.2}")) width=(format!("{width:.2}")) height="8" {}
                    ({ from += width; "" })
                }
            }
            span.of { (percent(status.get(3..5).map_or(0, |bad| bad.iter().sum()), all)) " %" }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "the width of a bar")]
fn share(part: u64, all: u64) -> f64 {
    100.0 * part as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_parts() {
        let text = answers(&[0, 75, 0, 20, 5, 0]).into_string();
        assert!(
            text.contains("x=\"75.00\" width=\"20.00\"") && text.contains("75 2xx, 20 4xx, 5 5xx"),
            "{text}"
        );
        assert!(text.contains("25 %"), "{text}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(!line(&[]).into_string().contains("polyline"));
        assert!(!days(&[], "day").into_string().contains("rect"));
        assert!(!flows(&[]).into_string().contains("path"));
        assert!(!bars(&[]).into_string().contains("rect"));
        assert!(answers(&[0; 6]).into_string().contains("0 %"));
    }
}
