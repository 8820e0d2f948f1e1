//! Small drawings in SVG. Colours come from the style sheet, and everything that is drawn is told in words beside it.

use crate::text::{count, percent};
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

/// Calls a day as columns, each with its date and number.
#[allow(clippy::cast_precision_loss, reason = "the height of a column")]
pub(crate) fn days(days: &[(String, u64)]) -> Markup {
    let top = days.iter().map(|(_, calls)| *calls).max().unwrap_or(0).max(1);
    let most = top as f64;
    let width = 600.0 / days.len().max(1) as f64;
    let label = format!("Calls a day, at most {}", count(top));
    html! {
        svg.days viewBox="0 0 600 90" preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (at, (day, calls)) in days.iter().enumerate() {
                @let height = 88.0 * *calls as f64 / most;
                rect x=(format!("{:.1}", at as f64 * width + width * 0.1)) y=(format!("{:.1}", 90.0 - height))
                    width=(format!("{:.1}", (width * 0.8).min(48.0))) height=(format!("{height:.1}")) {
                    title { (day) ": " (count(*calls)) " calls" }
                }
            }
        }
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
    let mut from = 0.0;
    html! {
        span.answers title=(told.join(", ")) {
            svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label=(told.join(", ")) {
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
        assert!(!days(&[]).into_string().contains("rect"));
        assert!(answers(&[0; 6]).into_string().contains("0 %"));
    }
}
