//! Names of fields, found quickly: rules ask for them by text, many times a call.

use crate::{FIELDS, RuleField, Subject, Taxonomy};
use tapwire_event::FieldInfo;
use tapwire_expr::Value;

/// Fields of exchanges that rules cannot ask for: they are not known when a call is judged.
const NOT_GIVEN: &[&str] = &["source"];

/// A field that a name stands for.
#[derive(Debug, Clone, Copy)]
pub enum Lookup {
    /// One of [`FIELDS`].
    Own(&'static RuleField),
    /// One of `tapwire list fields`.
    Exchange(&'static FieldInfo),
}

impl Lookup {
    /// The field's value.
    pub fn value<'s>(&self, subject: &'s Subject<'_>) -> Value<'s> {
        match self {
            Self::Own(field) => (field.get)(subject),
            Self::Exchange(field) => field.value(&subject.view()),
        }
    }

    /// Whether rules of a log source can use it. What Tapwire alone sees, all can.
    pub fn is_of(&self, taxonomy: Taxonomy) -> bool {
        match self {
            Self::Own(field) => {
                field.taxonomies.contains(&taxonomy) || field.taxonomies.contains(&Taxonomy::Api)
            }
            Self::Exchange(_) => true,
        }
    }
}

/// Every name, sorted.
#[derive(Debug)]
pub struct Names(Vec<(&'static str, Lookup)>);

impl Default for Names {
    fn default() -> Self {
        let own = FIELDS.iter().map(|field| (field.name, Lookup::Own(field)));
        let exchanges = tapwire_event::FIELDS.iter().filter(|field| !NOT_GIVEN.contains(&field.name));
        let exchanges = exchanges.map(|field| (field.name, Lookup::Exchange(field)));
        let mut all: Vec<_> = own.chain(exchanges).collect();
        all.sort_by_key(|(name, _)| *name);
        Self(all)
    }
}

impl Names {
    /// The field of that name.
    pub fn find(&self, name: &str) -> Option<&Lookup> {
        let at = self.0.binary_search_by_key(&name, |(known, _)| known).ok()?;
        self.0.get(at).map(|(_, lookup)| lookup)
    }

    /// The names that rules of a log source can use.
    pub fn of(&self, taxonomy: Taxonomy) -> Vec<&'static str> {
        self.0.iter().filter(|(_, lookup)| lookup.is_of(taxonomy)).map(|(name, _)| *name).collect()
    }
}
