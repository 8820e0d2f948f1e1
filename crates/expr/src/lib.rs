//! Text to a predicate over named fields: the one expression language of `--where`, filters, muting and policies.
//!
//! A pure crate that knows no other. [`parse`] reads `status >= 500 and not service in ["a", "b"]` against the fields
//! that [`FieldNames`] knows, and [`Expr::matches`] asks a closure for their values. Logic has three values: a
//! comparison with a field that is unknown is itself unknown, `not` leaves it unknown, and an expression that is
//! unknown as a whole does not match.
//!
//! ```text
//! or      = and ("or" and)*
//! and     = not ("and" not)*
//! not     = "not" not | "(" or ")" | test
//! test    = FIELD [operator literal]               a bare field: it is known, not false and not empty
//! operator = == != < <= > >= ~ !~ in contains starts_with ends_with
//! literal = "text" | 'text' | 42 | 10ms | 3K | true | 10.0.0.0/8 | word | [literal, …]
//! ```
//!
//! Literals are read as the kind of their field, so `method == GET`, `latency > 10ms` and `client in 10.0.0.0/8` need no
//! quotes. Text is compared byte for byte; `~` takes a regular expression, in which `(?i)` ignores case.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod error;
mod expr;
mod lex;
mod literal;
mod parse;
mod pattern;
mod value;

pub use error::ParseError;
pub use expr::Expr;
pub use literal::time;
pub use parse::parse;
pub use value::{FieldId, FieldNames, Kind, Value};

/// The name that is nearest to a mistyped one, when one is near: fewest insertions, deletions and changes.
pub fn nearest<'n>(typed: &str, names: &[&'n str]) -> Option<&'n str> {
    let near = |name: &&'n str| {
        Some(distance(typed.as_bytes(), name.as_bytes())).filter(|d| *d <= 1 + typed.len() / 3)
    };
    names.iter().filter_map(|name| Some((near(name)?, *name))).min().map(|(_, name)| name)
}

/// Levenshtein distance, over at most 64 bytes of each.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let (a, b) = (a.get(..64).unwrap_or(a), b.get(..64).unwrap_or(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, y) in row.iter_mut().skip(1).zip(b) {
            let change = diagonal + usize::from(!x.eq_ignore_ascii_case(y));
            diagonal = *slot;
            *slot = change.min(left + 1).min(*slot + 1);
            left = *slot;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
