//! Learned schemas as JSON Schema 2020-12.
//!
//! No value of traffic is in it: choices only where each may leave as a name, bounds only as a sign, examples are made up.

use super::document::Document;
use super::names::Names;
use tapwire_inspect::fields::Step;
use tapwire_inventory::{BodySchema, Node, Schema};

/// Levels of a schema; what lies deeper is anything.
const MAX_DEPTH: usize = 32;
/// Values after which bounds say something.
const ENOUGH: u64 = 20;

/// What bodies look like; empty where they were not read.
pub(super) fn body(body: &BodySchema, names: &mut Names<'_>) -> Document {
    match body.schema.nodes().first() {
        Some(root) => Pen { schema: &body.schema, typed: body.is_typed(), names }.node(0, root, MAX_DEPTH),
        None => Document::map(),
    }
}

/// What a value without parts looks like, such as a parameter.
pub(super) fn value(schema: &Schema, node: &Node, typed: bool, names: &mut Names<'_>) -> Document {
    let mut pen = Pen { schema, typed, names };
    let mut document = pen.scalar(node);
    if schema.is_repeated(node) {
        document = Document::map().with("type", "array").with("items", document);
    }
    document
}

struct Pen<'p, 'r> {
    schema: &'p Schema,
    typed: bool,
    names: &'p mut Names<'r>,
}

impl Pen<'_, '_> {
    fn node(&mut self, at: usize, node: &Node, depth: usize) -> Document {
        let Some(depth) = depth.checked_sub(1) else { return Document::map() };
        let mut document = self.scalar(node);
        self.members(at, node, depth, &mut document);
        let items = self.schema.children(at).find(|(_, child)| child.step == Step::Element);
        if let Some((at, child)) = items {
            let items = self.node(at, child, depth);
            document.put("items", items);
        }
        if self.schema.is_repeated(node) {
            document = Document::map().with("type", "array").with("items", document);
        }
        document
    }

    fn members(&mut self, at: usize, node: &Node, depth: usize, document: &mut Document) {
        let (mut properties, mut required) = (Document::map(), Vec::new());
        let is_member = |child: &Node| matches!(child.step, Step::Member | Step::Attribute);
        let children: Vec<(usize, &Node)> =
            self.schema.children(at).filter(|(_, child)| is_member(child)).collect();
        for (at, child) in &children {
            let mut member = self.node(*at, child, depth);
            if node.is_map {
                return document.put("additionalProperties", member);
            }
            if child.step == Step::Attribute {
                member.put("xml", Document::map().with("attribute", true));
            }
            let name = self.names.name(child.name());
            if !properties.has(&name) {
                if self.schema.is_required(child) {
                    required.push(Document::Text(name.clone()));
                }
                properties.put(&name, member);
            }
        }
        if !properties.is_empty() {
            document.put("properties", properties);
        }
        if !required.is_empty() {
            document.put("required", required);
        }
    }

    /// Type, format, choices, data classes and an example.
    fn scalar(&mut self, node: &Node) -> Document {
        let mut document = Document::map();
        let types = node.types(self.typed);
        let mut all: Vec<Document> = types.iter().map(|name| Document::from(*name)).collect();
        if node.is_nullable() {
            all.push("null".into());
        }
        match all.len() {
            0 => {}
            1 => all.into_iter().for_each(|one| document.put("type", one)),
            _ => document.put("type", all),
        }
        let format = node.format(self.typed);
        if let Some(format) = format {
            document.put("format", format);
        }
        if let Some(choices) = self.choices(node) {
            document.put("enum", choices);
        }
        let numbers = types.as_slice() == ["integer"] || types.as_slice() == ["number"];
        if numbers && node.count >= ENOUGH && node.numbers.least >= 0.0 && !node.numbers.is_empty() {
            document.put("minimum", 0);
        }
        let classes: Vec<Document> =
            node.data_classes().filter_map(|class| class.builtin()).map(|class| class.name.into()).collect();
        if !classes.is_empty() {
            document.put("x-tapwire-data-classes", classes);
        }
        if let [one] = types.as_slice()
            && let Some(example) = example(one, format)
        {
            document.put("examples", vec![example]);
        }
        document
    }

    /// The choices, where all of them may leave and `null` is none of them.
    fn choices(&mut self, node: &Node) -> Option<Vec<Document>> {
        let plain = !node.is_nullable() && node.data_classes().next().is_none();
        let choices = node.choices(self.typed).filter(|_| plain)?;
        let open = choices.iter().all(|choice| !choice.is_empty() && self.names.name(choice) == *choice);
        open.then(|| choices.into_iter().map(Document::from).collect())
    }
}

/// A value as the type and format have them: of names and addresses those that are set aside for examples (RFC 2606, 3849,
/// 5737).
fn example(kind: &str, format: Option<&str>) -> Option<Document> {
    Some(match (kind, format) {
        ("integer", _) => Document::Count(1),
        ("number", _) => Document::Number("1.5".into()),
        ("boolean", _) => true.into(),
        ("string", Some("uuid")) => "00000000-0000-4000-8000-000000000000".into(),
        ("string", Some("date")) => "2000-01-31".into(),
        ("string", Some("date-time")) => "2000-01-31T12:00:00Z".into(),
        ("string", Some("email")) => "user@example.com".into(),
        ("string", Some("uri")) => "https://example.com/".into(),
        ("string", Some("ipv4")) => "192.0.2.1".into(),
        ("string", Some("ipv6")) => "2001:db8::1".into(),
        ("string", Some("hostname")) => "host.example.com".into(),
        ("string", Some("byte")) => "AA==".into(),
        _ => return None,
    })
}
