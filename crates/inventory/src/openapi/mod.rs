//! What descriptions say beforehand: the templates of paths that they describe, which endpoints are documented, and how
//! what was seen differs from them.

mod compare;
mod described;
mod fields;
mod pattern;
mod prior;
mod routes;
mod states;
mod values;

pub use compare::{Difference, DifferenceKind, FieldStep, Side, Spot};
pub(crate) use prior::{Described, Prior, Scope};
pub use prior::{Documented, Given};
pub use states::{Orphan, State, StateSet, States};

#[cfg(test)]
mod tests;
