//! How well services were seen, in words and figures.

use tapwire_inventory::{Interval, SeenShare};

/// One phrase for people: `98.3 % of 1,312 exchanges (98.1–99.1 %), 12 more by one half`, `all of 1,312 exchanges`, `not seen`.
pub fn seen_share(seen: &SeenShare) -> String {
    let known = seen.pairs + seen.halves;
    if !seen.is_any() {
        return format!("not seen: {} without a trace of what they said", exchanges(seen.unseen.likely));
    }
    if seen.is_all() {
        return format!("all of {}", exchanges(number(known)));
    }
    let Interval { low, likely, high } = seen.share;
    // Rounded outwards: an interval that is printed must hold what the exact one holds. And what is not all is not 100 %.
    let (below, above) = (|share: f64| (1000.0 * share).floor() / 10.0, (1000.0 * high).ceil() / 10.0);
    let likely = if likely < 1.0 { likely.min(0.9994) } else { likely };
    let all = exchanges(number(known) + seen.unseen.likely);
    let halves = match seen.halves {
        0 => String::new(),
        halves => format!(", {} more by one half", grouped(number(halves))),
    };
    format!("{:.1} % of {all} ({:.1}–{above:.1} %){halves}", 100.0 * likely, below(low))
}

fn exchanges(count: f64) -> String {
    match count.round() {
        1.0 => "1 exchange".to_owned(),
        count => format!("{} exchanges", grouped(count)),
    }
}

/// `12,345`, of a whole number.
fn grouped(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[allow(clippy::cast_precision_loss, reason = "counts of exchanges are far below 2^52")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pairs: u64, halves: u64, unseen: f64, share: [f64; 3]) -> SeenShare {
        let [low, likely, high] = share;
        SeenShare {
            pairs,
            uncertain: 0,
            halves,
            unseen: Interval { low: unseen, likely: unseen, high: unseen },
            share: Interval { low, likely, high },
        }
    }

    #[test]
    fn a_share_is_told_in_one_phrase() {
        let part = seen(1_290, 12, 10.0, [0.98149, 0.98323, 0.99041]);
        assert_eq!(seen_share(&part), "98.3 % of 1,312 exchanges (98.1–99.1 %), 12 more by one half");
        assert_eq!(seen_share(&seen(1, 0, 0.0, [1.0; 3])), "all of 1 exchange");
        assert_eq!(
            seen_share(&seen(0, 0, 3.2, [0.0; 3])),
            "not seen: 3 exchanges without a trace of what they said"
        );
    }
}
