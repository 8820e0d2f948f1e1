//! Small drawings: a bar for a share, a line for the days of a month.

use maud::{Markup, html};
use std::fmt::Write;

/// Size of a line, in the units of its own coordinates.
const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 22.0;
/// Room for the stroke and the dot.
const EDGE: f64 = 2.5;

/// A share as a bar.
pub(super) fn bar(share: f64, class: &str) -> Markup {
    let width = format!("{:.1}", 100.0 * share.clamp(0.0, 1.0));
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
            rect.rail x="0" y="0" width="100" height="6" {}
            rect class=(format!("fill {class}")) x="0" y="0" width=(width) height="6" {}
        }
    }
}

/// A month's days as a line with a dot at the last; days without a value are passed over.
#[allow(clippy::cast_precision_loss, reason = "days of a month")]
pub(super) fn line(days: &[Option<f64>]) -> Markup {
    let last = days.len().saturating_sub(1).max(1) as f64;
    let at = |(day, value): (usize, &Option<f64>)| {
        let value = (*value)?.clamp(0.0, 1.0);
        let across = EDGE + day as f64 / last * (WIDTH - 2.0 * EDGE);
        Some((across, HEIGHT - EDGE - value * (HEIGHT - 2.0 * EDGE)))
    };
    let points: Vec<(f64, f64)> = days.iter().enumerate().filter_map(at).collect();
    let mut path = String::new();
    for (x, y) in &points {
        // Text grows without failing.
        let _ = write!(path, "{x:.1},{y:.1} ");
    }
    html! {
        svg.line viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-hidden="true" {
            line.base x1=(EDGE) y1=(HEIGHT - EDGE) x2=(WIDTH - EDGE) y2=(HEIGHT - EDGE) {}
            @if points.len() > 1 { polyline points=(path.trim_end()) {} }
            @if let Some((x, y)) = points.last() {
                circle cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="2.2" {}
            }
        }
    }
}
