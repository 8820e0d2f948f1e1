//! What is learned of the messages of an endpoint, as JSON and as a page for people.

use crate::inventory::{endpoint_id, parameter_name};
use crate::paper::{Paper, fit, plain};
use crate::risk;
use crate::size::{self, counted};
use crate::usage;
use serde_json::{Map, Value, json};
use tapwire_event::Redactor;
use tapwire_inspect::fields::Step;
use tapwire_inventory::context::About;
use tapwire_inventory::{BodySchema, Endpoint, Inventory, Node, Risks, Schema, Schemas};

/// Where parameters stand, as OpenAPI spells it, in the order in which they are shown.
const PLACES: [(Step, &str); 4] =
    [(Step::Segment, "path"), (Step::Query, "query"), (Step::Header, "header"), (Step::Cookie, "cookie")];

/// Widest columns of a page: paths and types.
const WIDEST: [usize; 2] = [44, 24];

/// Adds what is learned of an endpoint's messages to its object.
pub(crate) fn add_to(object: &mut Value, endpoint: &Endpoint, redactor: &mut Redactor) {
    let Some(schemas) = endpoint.schemas() else { return };
    object["parameters"] = parameters(endpoint, schemas, redactor).into();
    if !schemas.requests().is_empty() {
        let requests = schemas.requests().iter();
        object["request"] = requests.map(|one| body(one, redactor)).collect::<Vec<_>>().into();
    }
    let answers = schemas.answers().iter().map(|one| {
        let mut answer = body(&one.body, redactor);
        answer["status"] = class(one.class).into();
        answer
    });
    object["responses"] = answers.collect::<Vec<_>>().into();
    let codes = schemas.codes().iter().map(|one| (one.code.to_string(), Value::from(one.calls)));
    object["status_codes"] = codes.collect::<Map<_, _>>().into();
}

fn class(class: u8) -> String {
    if class == 0 { "not_seen".to_owned() } else { format!("{class}xx") }
}

fn parameters(endpoint: &Endpoint, schemas: &Schemas, redactor: &mut Redactor) -> Vec<Value> {
    let schema = schemas.parameters();
    let mut all = Vec::new();
    for (node, place, name) in placed(endpoint, schema, redactor) {
        let mut parameter = described(schema, node, false, redactor);
        parameter.insert("in".into(), place.into());
        parameter.insert("name".into(), name.into());
        all.push(parameter.into());
    }
    all
}

/// Parameters with their places and shown names, those of the path first.
fn placed<'s>(
    endpoint: &Endpoint,
    schema: &'s Schema,
    redactor: &mut Redactor,
) -> Vec<(&'s Node, &'static str, String)> {
    let mut all = Vec::new();
    for (step, place) in PLACES {
        for node in schema.nodes().iter().filter(|node| node.step == step) {
            let name = match step {
                Step::Segment => match parameter_name(&endpoint.template, node.name()) {
                    Some(name) => name.to_owned(),
                    None => continue,
                },
                _ => redactor.shown_name(node.name()),
            };
            all.push((node, place, name));
        }
    }
    all
}

fn body(body: &BodySchema, redactor: &mut Redactor) -> Value {
    let typed = body.is_typed();
    let fields = body.schema.nodes().iter().map(|node| {
        let mut field = described(&body.schema, node, typed, redactor);
        let path = body.schema.path_with(node, |name| redactor.shown_name(name));
        field.insert("path".into(), path.into());
        Value::from(field)
    });
    let fields: Vec<Value> = fields.collect();
    let mut object =
        json!({"media_type": &*body.media_type, "bodies": body.schema.bodies(), "fields": fields});
    if body.schema.left_out() > 0 {
        object["left_out"] = body.schema.left_out().into();
    }
    object
}

/// A node in the words of JSON Schema.
fn described(schema: &Schema, node: &Node, typed: bool, redactor: &mut Redactor) -> Map<String, Value> {
    let mut object = Map::new();
    match node.types(typed).as_slice() {
        [] => {}
        [one] => drop(object.insert("type".into(), (*one).into())),
        several => drop(object.insert("type".into(), several.into())),
    }
    let mut add = |name: &str, value: Value| drop(object.insert(name.into(), value));
    node.format(typed).into_iter().for_each(|format| add("format", format.into()));
    if !matches!(node.step, Step::Document | Step::Element) {
        add("required", schema.is_required(node).into());
    }
    for (name, holds) in
        [("nullable", node.is_nullable()), ("map", node.is_map), ("repeated", schema.is_repeated(node))]
    {
        if holds {
            add(name, true.into());
        }
    }
    if let Some(choices) = choices(node, typed, redactor) {
        add("enum", choices.into());
    } else if !node.lengths.is_empty()
        && node.format(typed).is_none()
        && node.types(typed).contains(&"string")
    {
        add("min_length", node.lengths.least.into());
        add("max_length", node.lengths.most.into());
    }
    if let Some([least, most]) = numbers(node, typed, redactor) {
        add("minimum", least);
        add("maximum", most);
    }
    if !node.items.is_empty() {
        add("min_items", node.items.least.into());
        add("max_items", node.items.most.into());
    }
    add("count", node.count.into());
    object
}

/// The smallest and the largest of its numbers, where they may leave: those of a data class may not, nor what its name says
/// is a secret or a person.
fn numbers(node: &Node, typed: bool, redactor: &mut Redactor) -> Option<[Value; 2]> {
    let is_number = node.types(typed).iter().any(|one| matches!(*one, "integer" | "number"));
    let is_of_class = node.classes.iter().any(|class| class.values > 0);
    if node.numbers.is_empty() || !is_number || is_of_class {
        return None;
    }
    let bounds = [number(node.numbers.least), number(node.numbers.most)];
    let whole = [node.numbers.least, node.numbers.most].map(|bound| format!("{:.0}", bound.trunc()));
    whole.iter().all(|bound| redactor.shown_choice(node.name(), bound).is_some()).then_some(bounds)
}

/// A number as JSON writes it: whole ones without a fraction.
fn number(number: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "whole, and less than what 53 bits hold")]
    if number.fract() == 0.0 && number.abs() < 9e15 {
        Value::from(number as i64)
    } else {
        Value::from(number)
    }
}

/// The texts it is one of, where each of them may leave.
fn choices(node: &Node, typed: bool, redactor: &mut Redactor) -> Option<Vec<String>> {
    let choices = node.choices(typed)?;
    choices.into_iter().map(|choice| redactor.shown_choice(node.name(), choice)).collect()
}

/// Writes the page of one endpoint.
pub(crate) fn page(
    inventory: &Inventory,
    endpoint: &Endpoint,
    risks: &Risks<'_>,
    redactor: &mut Redactor,
    paper: &mut Paper,
) {
    let method = plain(&redactor.shown_method(&endpoint.method));
    let template = plain(&redactor.shown_path(&endpoint.template));
    paper.heading(&format!("{method} {template}"));
    paper.row("service", &plain(&redactor.shown_host(&endpoint.service)));
    if let Some(operation) = &endpoint.operation {
        paper.row("operation", &plain(&redactor.shown_operation(operation)));
    }
    paper.row("id", &endpoint_id(endpoint.id));
    for (name, what) in about(&inventory.about(endpoint)) {
        paper.row(name, &what);
    }
    paper.row("calls", &calls(endpoint));
    usage::page(inventory, endpoint, paper);
    risk::page(risks, endpoint, paper);
    let Some(schemas) = endpoint.schemas() else {
        paper.row("schemas", "no room was left to learn them (--memory)");
        return;
    };
    let rows: Vec<Row> = placed(endpoint, schemas.parameters(), redactor)
        .into_iter()
        .map(|(node, place, name)| {
            Row::of(&format!("{place:<6} {}", plain(&name)), schemas.parameters(), node, false, redactor)
        })
        .collect();
    table("Parameters", &rows, paper);
    for request in schemas.requests() {
        section("Request", request, redactor, paper);
    }
    for answer in schemas.answers() {
        section(&format!("Answers {}", class(answer.class).replace('_', " ")), &answer.body, redactor, paper);
    }
    let rows: Vec<Row> = schemas
        .headers()
        .nodes()
        .iter()
        .map(|node| {
            let place = if node.step == Step::Cookie { "cookie" } else { "header" };
            let name = plain(&redactor.shown_name(node.name()));
            Row::of(&format!("{place:<6} {name}"), schemas.headers(), node, false, redactor)
        })
        .collect();
    table("Header fields of answers", &rows, paper);
}

/// What files say, by name, as people read it.
pub(crate) fn about(about: &About) -> Vec<(&'static str, String)> {
    let tags = about.tags.join(", ");
    let all = [
        ("owner", about.owner.as_deref()),
        ("zone", about.zone.as_deref()),
        ("criticality", about.criticality.as_deref()),
        ("asset", about.asset.as_deref()),
        ("tags", Some(tags.as_str()).filter(|tags| !tags.is_empty())),
    ];
    all.into_iter().filter_map(|(name, text)| Some((name, plain(text?)))).collect()
}

fn calls(endpoint: &Endpoint) -> String {
    let codes = endpoint.schemas().map(Schemas::codes).unwrap_or_default();
    let codes: Vec<_> = codes.iter().map(|one| format!("{} {}", size::count(one.calls), one.code)).collect();
    let (callers, more) = endpoint.callers.count();
    let callers = counted(callers as u64, "caller");
    let callers = if more { format!("at least {callers}") } else { callers };
    format!("{} of {callers}: {}", size::count(endpoint.calls), codes.join(", "))
}

fn section(title: &str, body: &BodySchema, redactor: &mut Redactor, paper: &mut Paper) {
    let media_type = if body.media_type.is_empty() { "no media type" } else { &body.media_type };
    let bodies = size::count(body.schema.bodies());
    if body.schema.nodes().is_empty() {
        paper.heading(&format!("{title}  {}  {bodies} without fields", plain(media_type)));
        return;
    }
    let typed = body.is_typed();
    let rows: Vec<Row> = body
        .schema
        .nodes()
        .iter()
        .map(|node| {
            let path = body.schema.path_with(node, |name| plain(&redactor.shown_name(name)));
            Row::of(&path, &body.schema, node, typed, redactor)
        })
        .collect();
    table(&format!("{title}  {}  {bodies} learned", plain(media_type)), &rows, paper);
    if body.schema.left_out() > 0 {
        paper.line(&format!("    {} found no room", counted(body.schema.left_out(), "more field")));
    }
}

/// A line of a table of fields.
struct Row {
    path: String,
    kind: String,
    more: String,
}

impl Row {
    fn of(path: &str, schema: &Schema, node: &Node, typed: bool, redactor: &mut Redactor) -> Self {
        let kinds = node.types(typed);
        let mut kind = if kinds.is_empty() { "-".to_owned() } else { kinds.join(" or ") };
        if node.is_map {
            kind = kind.replace("object", "map");
        }
        if let Some(format) = node.format(typed) {
            kind = format!("{kind} {format}");
        }
        if node.is_nullable() {
            kind.push_str(" or null");
        }
        let mut more = Vec::new();
        if let Some((came, could)) = schema.presence(node).filter(|(came, could)| came < could) {
            more.push(format!("in {} of {}", size::count(came), size::count(could)));
        }
        if schema.is_repeated(node) {
            more.push("repeated".into());
        }
        more.extend(bounds(node, typed, redactor));
        Self { path: path.to_owned(), kind, more: more.join(", ") }
    }
}

fn bounds(node: &Node, typed: bool, redactor: &mut Redactor) -> Option<String> {
    let range =
        |least: String, most: String| if least == most { least } else { format!("{least} to {most}") };
    let kinds = node.types(typed);
    match () {
        () if !node.items.is_empty() => {
            Some(format!("{} elements", range(node.items.least.to_string(), node.items.most.to_string())))
        }
        () if !node.numbers.is_empty() && kinds.iter().any(|kind| matches!(*kind, "integer" | "number")) => {
            let [least, most] = numbers(node, typed, redactor)?;
            Some(range(least.to_string(), most.to_string()))
        }
        () if kinds.contains(&"string") && !node.lengths.is_empty() => {
            if let Some(choices) = choices(node, typed, redactor) {
                return Some(plain(&choices.join(" | ")));
            }
            let free = node.format(typed).is_none_or(|format| format == "binary");
            let lengths = range(node.lengths.least.to_string(), node.lengths.most.to_string());
            let unit = if node.format(typed) == Some("binary") { "byte" } else { "character" };
            let plural = if lengths == "1" { "" } else { "s" };
            free.then(|| format!("{lengths} {unit}{plural}"))
        }
        () => None,
    }
}

fn table(title: &str, rows: &[Row], paper: &mut Paper) {
    if rows.is_empty() {
        return;
    }
    paper.heading(title);
    let widest = |of: fn(&Row) -> &str, most: usize| {
        rows.iter().map(|row| console::measure_text_width(of(row))).max().unwrap_or(0).min(most)
    };
    let [path, kind] = [widest(|row| &row.path, WIDEST[0]), widest(|row| &row.kind, WIDEST[1])];
    let pad = |text: &str, width: usize| {
        console::pad_str(&fit(text, width), width, console::Alignment::Left, None).into_owned()
    };
    for row in rows {
        paper.hang(&format!("  {}  {}  ", pad(&row.path, path), pad(&row.kind, kind)), &row.more);
    }
}
