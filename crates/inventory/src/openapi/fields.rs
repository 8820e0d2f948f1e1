//! Fields of bodies against described schemas.

use super::compare::{Comparison, DifferenceKind, FieldStep, Side, Spot, words};
use crate::{BodySchema, Node};
use tapwire_inspect::fields;
use tapwire_openapi::{Kinds, Look, SchemaId, Step};

impl Comparison<'_> {
    /// Compares every field. What lies in one that is not described, or that may hold anything, is not looked at.
    pub(super) fn fields(&mut self, side: Side, body: &BodySchema, schemas: &[SchemaId]) {
        let nodes = body.schema.nodes();
        let mut paths: Vec<Option<Vec<FieldStep>>> = Vec::with_capacity(nodes.len());
        for (at, node) in nodes.iter().enumerate() {
            let parent = usize::from(node.parent);
            let path = if at == parent {
                Some(Vec::new())
            } else {
                let parent_is_map = nodes.get(parent).is_some_and(|parent| parent.is_map);
                paths.get(parent).cloned().flatten().and_then(|mut path: Vec<FieldStep>| {
                    path.push(step(node, parent_is_map)?);
                    Some(path)
                })
            };
            let Some(path) = path else {
                paths.push(None);
                continue;
            };
            let goes_on = self.field(side, body, (at, node), &path, schemas);
            paths.push(goes_on.then_some(path));
        }
    }

    /// Compares one field; whether those in it are worth a look.
    fn field(
        &mut self,
        side: Side,
        body: &BodySchema,
        (at, node): (usize, &Node),
        path: &[FieldStep],
        schemas: &[SchemaId],
    ) -> bool {
        let steps = || {
            path.iter().map(|step| match step {
                FieldStep::Key(name) => Step::Key(name),
                FieldStep::Value => Step::Value,
                FieldStep::Item => Step::Item,
            })
        };
        let described = &self.description.schemas;
        let looks = schemas.iter().map(|schema| described.look(*schema, steps()));
        let spot = || Spot::Field(side, path.to_vec());
        match looks.fold(Look::Missing, wider) {
            Look::Open => false,
            Look::Missing => {
                self.add(DifferenceKind::UndocumentedField, spot(), ("", &seen(node, body)), node.bodies);
                false
            }
            Look::Known { kinds, deprecated } => {
                let wrong = mismatch(node, body.is_typed(), kinds).filter(|_| !body.schema.is_repeated(node));
                if let Some(wrong) = wrong {
                    let kind = DifferenceKind::TypeMismatch;
                    self.add(kind, spot(), (&words(kinds), &wrong), node.bodies);
                }
                if deprecated {
                    self.add(DifferenceKind::DeprecatedUsed, spot(), ("", ""), node.bodies);
                }
                let limits = described.limits(schemas, &steps().collect::<Vec<_>>());
                if !body.schema.is_repeated(node) {
                    self.values(&spot(), node, body.is_typed(), &limits);
                }
                if matches!(side, Side::Response(_)) && body.is_typed() {
                    self.missing(side, &body.schema, at, path, &limits);
                }
                true
            }
        }
    }
}

fn step(node: &Node, parent_is_map: bool) -> Option<FieldStep> {
    match node.step {
        fields::Step::Member if parent_is_map => Some(FieldStep::Value),
        fields::Step::Member => Some(FieldStep::Key(node.name().into())),
        fields::Step::Element => Some(FieldStep::Item),
        _ => None,
    }
}

/// What one of several schemas allows is allowed.
fn wider(one: Look, other: Look) -> Look {
    match (one, other) {
        (Look::Open, _) | (_, Look::Open) => Look::Open,
        (Look::Missing, known) | (known, Look::Missing) => known,
        (Look::Known { kinds, deprecated }, Look::Known { kinds: more, deprecated: too }) => {
            let any = kinds.is_empty() || more.is_empty();
            let kinds = if any { Kinds::NONE } else { kinds.with(more) };
            Look::Known { kinds, deprecated: deprecated && too }
        }
    }
}

/// Its types, with the data classes that it is tagged with.
fn seen(node: &Node, body: &BodySchema) -> String {
    let types = node.types(body.is_typed()).join(" or ");
    let classes: Vec<&str> =
        node.data_classes().filter_map(|class| class.builtin()).map(|class| class.name).collect();
    if classes.is_empty() { types } else { format!("{types} ({})", classes.join(", ")) }
}

/// The types that came and are not among the described ones. Where everything is text, a text may be of any type that it
/// looks like, and of what has parts nothing can be said.
pub(super) fn mismatch(node: &Node, typed: bool, described: Kinds) -> Option<String> {
    if described.is_empty() {
        return None;
    }
    let types = node.types(typed);
    let parts = [Kinds::STRING, Kinds::ARRAY, Kinds::OBJECT];
    if !typed && parts.iter().any(|kind| described.contains(*kind)) {
        return None;
    }
    let all = types.iter().fold(Kinds::NONE, |sum, name| sum.with(of(name)));
    let all = if node.is_nullable() && typed { all.with(Kinds::NULL) } else { all };
    let wrong = all.without(described);
    (!wrong.is_empty()).then(|| words(wrong))
}

fn of(name: &str) -> Kinds {
    match name {
        "boolean" => Kinds::BOOLEAN,
        "integer" => Kinds::INTEGER,
        "number" => Kinds::NUMBER,
        "string" => Kinds::STRING,
        "array" => Kinds::ARRAY,
        "object" => Kinds::OBJECT,
        _ => Kinds::NONE,
    }
}
