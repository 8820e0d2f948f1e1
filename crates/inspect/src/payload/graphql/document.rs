//! What GraphQL documents say of themselves, and which of their operations a request means.

use crate::style::Name;

/// Bytes kept of a name: one that long may have been cut, and names nothing for certain.
pub(super) const MAX_NAME: usize = 128;
/// Operations that are kept until it is known which is meant; distinct root fields, and variables, of one.
pub(super) const MAX_OPERATIONS: usize = 64;
pub(super) const MAX_ROOT_FIELDS: usize = 32;
pub(super) const MAX_VARIABLES: usize = 32;
/// Fragments that are kept, and spreads of one selection.
pub(super) const MAX_FRAGMENTS: usize = 32;
/// Names of all kinds in one document.
pub(super) const MAX_NAMES: usize = 1024;
/// Distinct operations of a request that are kept.
const MAX_MEANT: usize = 16;

/// An operation of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Defined {
    pub(crate) kind: &'static str,
    pub(crate) name: Option<Name>,
    /// Distinct fields of the outermost selection, without aliases, in the order written; behind them those that fragments
    /// bring in.
    pub(crate) root_fields: Vec<Name>,
    /// Fragments that are spread there.
    pub(super) spreads: Vec<Name>,
    /// Variables with their types as written: `id` and `ID!`.
    pub(crate) variables: Vec<(Name, Name)>,
}

/// A fragment: what it selects where it is spread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fragment {
    pub(super) name: Option<Name>,
    pub(super) fields: Vec<Name>,
    pub(super) spreads: Vec<Name>,
}

/// What a document says of itself. Counts are of the text: a fragment counts once, wherever it is spread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Document {
    /// At most 64.
    pub(crate) operations: Vec<Defined>,
    pub(crate) depth: u32,
    pub(crate) fields: u32,
    pub(crate) aliases: u32,
    pub(crate) directives: u32,
    pub(crate) fragments: u32,
    /// Whether `__schema` or `__type` is asked for.
    pub(crate) introspection: bool,
    /// Whether there are operations, root fields, variables or spreads that are not kept.
    pub(crate) more: bool,
    pub(super) kept: Vec<Fragment>,
    /// Names that are held.
    pub(super) names: usize,
}

impl Document {
    /// Adds what fragments bring into the outermost selections. A fragment counts once, so that circles end.
    pub(super) fn resolve(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        let left_out = self.fragments as usize > kept.len();
        for operation in &mut self.operations {
            let mut spreads = std::mem::take(&mut operation.spreads);
            let mut next = 0;
            while let Some(name) = spreads.get(next).cloned() {
                next += 1;
                let Some(fragment) = kept.iter().find(|fragment| fragment.name.as_ref() == Some(&name))
                else {
                    self.more |= left_out;
                    continue;
                };
                for field in &fragment.fields {
                    self.more |= !keep(&mut operation.root_fields, field.clone(), MAX_ROOT_FIELDS);
                }
                for spread in &fragment.spreads {
                    self.more |= !keep(&mut spreads, spread.clone(), MAX_FRAGMENTS);
                }
            }
        }
    }

    /// Counts a name that is to be kept, where there is room for one.
    pub(super) const fn has_room(&mut self) -> bool {
        let has_room = self.names < MAX_NAMES;
        self.names += has_room as usize;
        self.more |= !has_room;
        has_room
    }

    /// Bytes that it holds at most.
    pub(crate) const fn held(&self) -> usize {
        let lists = self.operations.len() * size_of::<Defined>() + self.kept.len() * size_of::<Fragment>();
        size_of::<Self>() + lists + self.names * (size_of::<Name>() + MAX_NAME)
    }

    /// The operation that is meant (GraphQL, 6.1): the one of that name, else the only one.
    fn meant(&mut self, meant: &Meant) -> Option<Defined> {
        let name = match meant {
            Meant::Named(name) if !name.as_str().is_empty() => name,
            _ => return (self.operations.len() == 1).then(|| self.operations.pop()).flatten(),
        };
        let uncut = name.as_str().len() < MAX_NAME;
        let is_meant = |operation: &Defined| uncut && operation.name.as_ref() == Some(name);
        let at = self.operations.iter().position(is_meant)?;
        Some(self.operations.swap_remove(at))
    }
}

/// Which of a document's operations a request means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Meant {
    /// The only one.
    #[default]
    Only,
    /// The one of that name; an empty name is none.
    Named(Name),
    /// The one of a name that is not known.
    Unclear,
}

/// The documents of a request, of which there are several in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Asked {
    /// Operations that are asked for: documents, and hashes that stand for one.
    pub(crate) batch: u64,
    /// Distinct operations that are meant, at most 16.
    pub(crate) operations: Vec<Defined>,
    /// Names, else hashes, of persisted queries, at most 16.
    pub(crate) persisted: Vec<Name>,
    /// A name that no operation has.
    pub(crate) unmatched: Option<Name>,
    pub(crate) depth: u32,
    pub(crate) fields: u64,
    pub(crate) aliases: u64,
    pub(crate) directives: u64,
    pub(crate) fragments: u64,
    pub(crate) introspection: bool,
    /// Whether a document that has begun could not be read to its end.
    pub(crate) broken: bool,
    /// Whether there are operations that are not kept.
    pub(crate) more: bool,
}

impl Asked {
    /// Adds a document, and keeps the operation of it that is meant.
    pub(crate) fn add(&mut self, mut document: Document, meant: &Meant) {
        self.batch += 1;
        self.depth = self.depth.max(document.depth);
        self.fields += u64::from(document.fields);
        self.aliases += u64::from(document.aliases);
        self.directives += u64::from(document.directives);
        self.fragments += u64::from(document.fragments);
        self.introspection |= document.introspection;
        self.more |= document.more;
        match document.meant(meant) {
            Some(operation) => self.more |= !keep(&mut self.operations, operation, MAX_MEANT),
            None => {
                self.more = true;
                if let (Meant::Named(name), None) = (meant, &self.unmatched) {
                    self.unmatched = Some(name.clone());
                }
            }
        }
    }

    /// Adds a query that the server knows by its hash.
    pub(crate) fn add_persisted(&mut self, hash: &[u8], meant: &Meant) {
        self.batch += 1;
        let name = match meant {
            Meant::Named(name) if !name.as_str().is_empty() => name.clone(),
            // A SHA-256, of which the beginning is enough.
            _ => Name::new(hash.get(..16).unwrap_or(hash)),
        };
        self.more |= !keep(&mut self.persisted, name, MAX_MEANT);
    }

    /// Bytes that it holds at most.
    pub(crate) fn held(&self) -> usize {
        let names = self.operations.iter().map(|one| 1 + one.root_fields.len() + 2 * one.variables.len());
        let names = names.sum::<usize>() + self.persisted.len();
        size_of::<Self>()
            + self.operations.len() * size_of::<Defined>()
            + names * (size_of::<Name>() + MAX_NAME)
    }
}

/// Keeps what is new, where there is room; says whether it is kept.
fn keep<T: PartialEq>(kept: &mut Vec<T>, new: T, most: usize) -> bool {
    let known = kept.contains(&new);
    let has_room = kept.len() < most;
    if !known && has_room {
        kept.push(new);
    }
    known || has_room
}
