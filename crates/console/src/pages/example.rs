//! A message as one of an endpoint could look, made up from what was learned of its fields: nothing in it was sent by anybody.

use serde_json::{Map, Value, json};

/// Deeper, a body is cut off.
const DEPTH: usize = 12;

/// A body of such fields, each with its path like `$.items[].id`; `None` where no field is known.
pub(super) fn body(fields: &[Value]) -> Option<Value> {
    let text = |field: &Value, name: &str| field.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut root = Value::Null;
    for field in fields {
        let path = text(field, "path")?;
        put(&mut root, &steps(&path), &made_up(field));
    }
    (!root.is_null()).then_some(root)
}

/// The parts of a path; `[]` stands for an element.
fn steps(path: &str) -> Vec<&str> {
    let parts = path.strip_prefix('$').unwrap_or(path).split('.').filter(|part| !part.is_empty());
    parts
        .flat_map(|part| {
            let name = part.split('[').next().unwrap_or_default();
            let elements = part.matches("[]").count();
            (!name.is_empty()).then_some(name).into_iter().chain(std::iter::repeat_n("[]", elements))
        })
        .take(DEPTH)
        .collect()
}

fn put(place: &mut Value, steps: &[&str], value: &Value) {
    match steps {
        [] if place.is_null() => *place = value.clone(),
        [] => {}
        ["[]", rest @ ..] => {
            if !place.is_array() {
                *place = json!([]);
            }
            let Some(elements) = place.as_array_mut() else { return };
            if elements.is_empty() {
                elements.push(Value::Null);
            }
            elements.iter_mut().for_each(|element| put(element, rest, value));
        }
        [name, rest @ ..] => {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let Some(members) = place.as_object_mut() else { return };
            put(members.entry((*name).to_owned()).or_insert(Value::Null), rest, value);
        }
    }
}

/// A value of the type, from the bounds and choices that may be shown.
fn made_up(field: &Value) -> Value {
    if let Some(choice) = field.get("enum").and_then(Value::as_array).and_then(|all| all.first()) {
        return choice.clone();
    }
    let kind = match field.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or("string"),
        Some(Value::String(kind)) => kind,
        _ => "string",
    };
    match kind {
        "object" => json!({}),
        "array" => json!([]),
        "integer" => field.get("minimum").cloned().unwrap_or(json!(1)),
        "number" => field.get("minimum").cloned().unwrap_or(json!(1.5)),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => text(field.get("format").and_then(Value::as_str).unwrap_or_default()).into(),
    }
}

fn text(format: &str) -> &'static str {
    match format {
        "email" => "name@example.com",
        "date" => "2026-01-31",
        "date-time" => "2026-01-31T12:00:00Z",
        "uuid" => "00000000-0000-4000-8000-000000000000",
        "uri" => "https://example.com/",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        _ => "…",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_shape_of_its_fields() {
        let field = |path: &str, kind: &str| json!({"path": path, "type": kind});
        let fields = [
            field("$", "array"),
            field("$[]", "object"),
            json!({"path": "$[].mail", "type": "string", "format": "email"}),
            json!({"path": "$[].state", "enum": ["open", "paid"]}),
            field("$[].lines", "array"),
            json!({"path": "$[].lines[].count", "type": "integer", "minimum": 3}),
        ];
        let made = body(&fields).unwrap();
        assert_eq!(made, json!([{"mail": "name@example.com", "state": "open", "lines": [{"count": 3}]}]));
        assert_eq!(body(&[]), None);
    }

    #[test]
    fn a_path_without_end_is_cut_off() {
        let fields = [json!({"path": format!("${}", ".a".repeat(500)), "type": "string"})];
        let mut depth = 0;
        let mut at = &body(&fields).unwrap();
        while let Some(below) = at.get("a") {
            (at, depth) = (below, depth + 1);
        }
        assert_eq!(depth, DEPTH);
    }
}
