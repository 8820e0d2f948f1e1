use super::*;

/// Reads files given by name.
fn read(files: &[(&str, &str)]) -> Reading {
    let mut reader = Reader::default();
    files.iter().for_each(|(name, text)| reader.add(name, text.as_bytes()));
    while let Some(name) = reader.missing().first() {
        reader.absent(name);
    }
    reader.finish()
}

#[track_caller]
fn one(name: &str, text: &str) -> Description {
    let mut reading = read(&[(name, text)]);
    assert_eq!(reading.faults, []);
    reading.descriptions.pop().unwrap()
}

fn operation<'d>(description: &'d Description, method: &str, template: &str) -> &'d Operation {
    let item = description.paths.iter().find(|item| item.template == template).unwrap();
    item.operations.iter().find(|operation| operation.method == method).unwrap()
}

/// The same API in three versions; `$` stands for what differs.
const SHOP_V2: &str = r##"
swagger: "2.0"
info: {title: Shop, version: "1"}
host: shop.example
basePath: /v1
schemes: [https]
consumes: [application/json]
produces: [application/json]
securityDefinitions:
  key: {type: apiKey, in: header, name: X-Key}
security: [{key: []}]
paths:
  /orders/{orderId}:
    parameters:
      - {in: path, name: orderId, type: integer, required: true}
    get:
      operationId: getOrder
      parameters: [{in: query, name: expand, type: string}]
      responses:
        200: {description: ok, schema: {$ref: "#/definitions/Order"}}
        default: {description: no}
    put:
      deprecated: true
      security: []
      parameters: [{in: body, name: body, required: true, schema: {$ref: "#/definitions/Order"}}]
      responses: {"204": {description: done}}
  /upload:
    post:
      parameters: [{in: formData, name: file, type: file, required: true}, {in: formData, name: note, type: string}]
      responses: {"201": {description: done}}
"##;

const SHOP_V30: &str = r##"{
  "openapi": "3.0.3", "info": {"title": "Shop", "version": "1"},
  "servers": [{"url": "https://shop.example/v1"}],
  "security": [{"key": []}],
  "paths": {
    "/orders/{orderId}": {
      "parameters": [{"in": "path", "name": "orderId", "required": true, "schema": {"type": "integer"}}],
      "get": {"operationId": "getOrder",
        "parameters": [{"in": "query", "name": "expand", "schema": {"type": "string"}}],
        "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                      "default": {"description": "no"}}},
      "put": {"deprecated": true, "security": [],
        "requestBody": {"$ref": "#/components/requestBodies/Order"},
        "responses": {"204": {"description": "done"}}}},
    "/upload": {"post": {
      "requestBody": {"required": true, "content": {"multipart/form-data": {"schema": {"type": "object", "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}, "note": {"type": "string"}}}}}},
      "responses": {"201": {"description": "done"}}}}
  },
  "components": {
    "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    "requestBodies": {"Order": {"required": true, "content": {"application/json; charset=utf-8": {"schema": {"$ref": "#/components/schemas/Order"}}}}},
    "schemas": {
      "Order": {"type": "object", "required": ["id"], "properties": {
        "id": {"type": "integer", "format": "int64"}, "note": {"type": "string", "nullable": true},
        "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
        "parent": {"$ref": "#/components/schemas/Order"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}}}},
      "Line": {"allOf": [{"type": "object", "properties": {"sku": {"type": "string"}}},
                         {"type": "object", "properties": {"price": {"type": "number"}}}]}}}
}"##;

/// The schemas of the shop in YAML: how a note may be null, where references lead, and how deep the text stands.
fn shop_schemas(note: &str, root: &str, indent: &str) -> String {
    let text = r##"
Order:
  type: object
  required: [id]
  properties:
    id: {type: integer, format: int64}
    note: {$note}
    lines: {type: array, items: {$ref: "$root/Line"}}
    parent: {$ref: "$root/Order"}
    labels: {type: object, additionalProperties: {type: string}}
Line:
  allOf:
    - {type: object, properties: {sku: {type: string}}}
    - {type: object, properties: {price: {type: number}}}
"##;
    let text = text.replace("$note", note).replace("$root", root);
    text.lines().map(|line| format!("{indent}{line}\n")).collect()
}

fn shop_v2() -> String {
    let schemas = shop_schemas("type: string, x-nullable: true", "#/definitions", "  ");
    format!("{SHOP_V2}definitions:{schemas}")
}

/// The second as version 3.1 in YAML, spread over two files.
fn shop_v31() -> [(&'static str, String); 2] {
    let main = r##"
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers: [{url: "https://shop.example/v1"}]
security: [{key: []}]
paths:
  /orders/{orderId}: {$ref: "parts/order.yaml#/item"}
  /upload:
    post:
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema:
              type: object
              required: [file]
              properties: {file: {type: string}, note: {type: string}}
      responses: {"201": {description: done}}
components:
  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}
"##;
    let part = r##"
item:
  parameters: [&id {in: path, name: orderId, required: true, schema: {type: integer}}]
  get:
    operationId: getOrder
    parameters: [{in: query, name: expand, schema: {type: string}}]
    responses:
      "200": {description: ok, content: {application/json: {schema: {$ref: "#/Order"}}}}
      default: {description: no}
  put:
    deprecated: true
    security: []
    requestBody: {required: true, content: {application/json: {schema: {$ref: "#/Order"}}}}
    responses: {"204": {description: done}}
"##;
    [
        ("shop.yaml", main.to_owned()),
        ("parts/order.yaml", format!("{part}{}", shop_schemas(r#"type: [string, "null"]"#, "#", ""))),
    ]
}

fn shops() -> Vec<Description> {
    let [main, part] = shop_v31();
    let mut reading = read(&[(main.0, &main.1), (part.0, &part.1)]);
    assert_eq!(reading.faults, []);
    vec![one("a.yaml", &shop_v2()), one("b.json", SHOP_V30), reading.descriptions.remove(0)]
}

#[test]
fn all_versions_say_the_same() {
    for shop in shops() {
        let what = format!("{:?}", shop.dialect);
        assert_eq!((shop.title.as_str(), shop.version.as_str()), ("Shop", "1"), "{what}");
        assert_eq!(
            shop.servers,
            [Server { host: Some("shop.example".into()), base: "/v1".into() }],
            "{what}"
        );
        let get = operation(&shop, "GET", "/orders/{orderId}");
        assert_eq!(get.id.as_deref(), Some("getOrder"));
        assert!(get.needs_proof() && !get.deprecated, "{what}");
        assert!(get.parameter(ParameterPlace::Path, "orderId").unwrap().required, "{what}");
        assert!(!get.parameter(ParameterPlace::Query, "expand").unwrap().required, "{what}");
        let put = operation(&shop, "PUT", "/orders/{orderId}");
        assert!(put.deprecated && !put.needs_proof(), "{what}");
        let body = put.request.as_ref().unwrap();
        assert!(body.required && body.content[0].is("application/json"), "{what}");
        assert!(body.content[0].schema.is_some(), "{what}");
        let key = SecurityScheme::ApiKey(ParameterPlace::Header, "X-Key".into());
        assert_eq!(shop.security_schemes["key"], key, "{what}");
        let upload = operation(&shop, "POST", "/upload").request.as_ref().unwrap();
        let form = upload.content.iter().find(|content| content.is("multipart/form-data")).unwrap();
        let required = shop.schemas.required(form.schema.unwrap());
        assert_eq!(required.into_iter().collect::<Vec<_>>(), ["file"], "{what}");
    }
}

#[test]
fn paths_into_answers_are_looked_up_in_circles_and_compositions() {
    let known = |kinds| Look::Known { kinds, deprecated: false };
    for shop in shops() {
        let response = operation(&shop, "GET", "/orders/{orderId}").response(200).unwrap();
        let order = response.content[0].schema.unwrap();
        let look = |path: &[Step<'_>]| shop.schemas.look(order, path.iter().copied());
        let (key, item) = (|key: &'static str| Step::Key(key), Step::Item);
        assert_eq!(look(&[key("id")]), known(Kinds::INTEGER));
        assert_eq!(look(&[key("note")]), known(Kinds::STRING.with(Kinds::NULL)));
        assert_eq!(look(&[key("lines"), item, key("price")]), known(Kinds::NUMBER));
        assert_eq!(look(&[key("parent"), key("parent"), key("id")]), known(Kinds::INTEGER));
        assert_eq!(look(&[key("labels"), key("anything")]), known(Kinds::STRING));
        assert_eq!(look(&[key("labels"), Step::Value]), known(Kinds::STRING));
        assert_eq!(look(&[key("secret")]), Look::Missing);
        assert_eq!(look(&[key("lines"), item, key("cost")]), Look::Missing);
        assert_eq!(look(&[key("id"), key("deeper")]), Look::Missing);
    }
}

#[test]
fn answers_are_found_by_status_class_and_default() {
    let text = r#"{"openapi": "3.1.0", "info": {}, "paths": {"/a": {"get": {"responses":
        {"200": {}, "4XX": {"content": {"text/*": {}}}, "default": {}}}}}}"#;
    let description = one("a.json", text);
    let get = operation(&description, "GET", "/a");
    let status = |code| get.response(code).unwrap().status;
    assert_eq!(status(200), StatusRange::Code(200));
    assert_eq!(status(404), StatusRange::Class(4));
    assert_eq!(status(500), StatusRange::Default);
    assert!(get.response(404).unwrap().content[0].is("text/html"));
}

#[test]
fn objects_are_open_where_nothing_is_said_of_members() {
    let text = r#"{"openapi": "3.0.0", "info": {}, "paths": {"/a": {"get": {"responses": {"200": {"content": {"application/json":
        {"schema": {"type": "object", "properties": {
            "any": {}, "bag": {"type": "object"}, "list": {"type": "array"},
            "open": {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": true},
            "sub": {"type": "object", "properties": {"kind": {"type": "string"}}, "discriminator": {"propertyName": "kind"}},
            "old": {"type": "string", "deprecated": true}}}}}}}}}}}"#;
    let description = one("a.json", text);
    let root = operation(&description, "GET", "/a").responses[0].content[0].schema.unwrap();
    let look = |path: &[Step<'_>]| description.schemas.look(root, path.iter().copied());
    for key in ["any", "bag", "open", "sub"] {
        assert_eq!(look(&[Step::Key(key), Step::Key("y")]), Look::Open, "{key}");
    }
    assert_eq!(look(&[Step::Key("list"), Step::Item]), Look::Open);
    assert_eq!(look(&[Step::Key("old")]), Look::Known { kinds: Kinds::STRING, deprecated: true });
}

/// The faults of a file that stands beside a good one, which has to stay.
#[track_caller]
fn faults(name: &str, text: &str) -> Vec<String> {
    let reading = read(&[(name, text), ("good.json", SHOP_V30)]);
    assert!(reading.descriptions.iter().any(|one| one.file == "good.json"), "{name} took the good one along");
    reading.faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_bad_file_says_where_and_the_others_stay() {
    let cases: [(&str, &str, &str); 12] = [
        ("a.json", "{\"openapi\": \"3.0.0\",\n  nope}", "a.json:2:3: no JSON: key must be a string"),
        ("a.yaml", "openapi: 3.0.0\npaths:\n  /a: [\n", "a.yaml:4:1: no YAML: "),
        ("a.yaml", "", "a.yaml: empty"),
        ("a.yaml", "hello: there\n", "a.yaml: no API description: `openapi` or `swagger` is not there"),
        (
            "a.yaml",
            "openapi: 4.0.0\n",
            "a.yaml: openapi: no version that is known; there are 2.0, 3.0 and 3.1",
        ),
        ("a.yaml", "swagger: 1.2\n", "a.yaml: swagger: no version that is known"),
        ("a.yaml", "openapi: 3.0.0\n", "a.yaml#: `paths` is not there"),
        (
            "a.yaml",
            "openapi: 3.0.0\npaths: {orders: {}}\n",
            "a.yaml#/paths/orders: a path has to begin with a slash",
        ),
        ("a.yaml", "openapi: 3.0.0\npaths: {/a: 7}\n", "a.yaml#/paths/~1a: no path item"),
        (
            "a.yaml",
            "openapi: 3.0.0\npaths: {/a: {get: {responses: {nope: {}}}}}\n",
            "a.yaml#/paths/~1a/get/responses/nope: no status",
        ),
        (
            "a.yaml",
            "openapi: 3.0.0\npaths: {/a: {$ref: 'b.yaml#/c'}}\n",
            "a.yaml#/paths/~1a: $ref b.yaml#/c: that file was not read",
        ),
        (
            "a.yaml",
            "openapi: 3.0.0\npaths: {/a: {get: {parameters: [{$ref: '#/x'}]}}}\nx: {$ref: '#/x'}\n",
            "a.yaml#/paths/~1a/get/parameters/0: $ref: leads in a circle",
        ),
    ];
    for (name, text, expected) in cases {
        let faults = faults(name, text);
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{expected}\n{faults:?}");
        assert!(!faults[0].contains('\n'));
    }
}

#[test]
fn bombs_are_refused() {
    let laughs = (0..12).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        let before = format!("*a{level}, ").repeat(9);
        format!("{text}a{0}: &a{0} [{before}]\n", level + 1)
    });
    assert!(faults("a.yaml", &laughs)[0].contains("repeat more than 200,000 values"));
    let brackets = &faults("a.yaml", &"[".repeat(100_000))[0];
    assert!(brackets.contains("deeper") || brackets.contains("recursion limit"), "{brackets}");
    assert!(faults("a.json", &"[".repeat(100_000))[0].contains("recursion limit"));
    let deep =
        format!("a: &a {}1{}\nb: {}*a{}\n", "[".repeat(90), "]".repeat(90), "[".repeat(90), "]".repeat(90));
    assert!(faults("a.yaml", &deep)[0].contains("nested deeper than 128 levels"));
    assert!(!faults("a.yaml", "a: &a {b: *a}\n").is_empty());
}

#[test]
fn yaml_is_read_by_its_core_schema() {
    let value =
        yaml::parse("a", "a: 1\nb: 1.5\nc: ~\nd: yes\ne: '1'\nf: 0x1f\n7: x\nm: {<<: {x: 1, y: 1}, y: 2}\n")
            .unwrap();
    let expected = r#"{"a":1,"b":1.5,"c":null,"d":"yes","e":"1","f":31,"7":"x","m":{"x":1,"y":2}}"#;
    // The merge key stands first and loses all the same.
    assert_eq!(value, serde_json::from_str::<serde_json::Value>(expected).unwrap());
}

/// Every description that these tests have, as they stand and damaged at some places.
fn damaged(which: usize, damage: &[(usize, u8, bool)]) -> (&'static str, Vec<u8>) {
    let [main, part] = shop_v31();
    let (name, text) = match which {
        0 => ("a.yaml", shop_v2()),
        1 => ("b.json", SHOP_V30.to_owned()),
        2 => main,
        _ => part,
    };
    let mut bytes = text.into_bytes();
    for (place, byte, inserts) in damage {
        let place = place % bytes.len();
        if *inserts { bytes.insert(place, *byte) } else { bytes[place] = *byte }
    }
    (name, bytes)
}

proptest::proptest! {
    /// Whatever a file holds, every fault is one line, every schema that is named is there, and reading it again says the same.
    #[test]
    fn any_file_is_read_or_says_why(
        which in 0_usize..4,
        damage in proptest::collection::vec((0_usize..10_000, proptest::prelude::any::<u8>(), proptest::prelude::any::<bool>()), 0..6),
    ) {
        let (name, bytes) = damaged(which, &damage);
        let read = || {
            let mut reader = Reader::default();
            reader.add(name, &bytes);
            reader.missing().iter().for_each(|other| reader.absent(other));
            reader.finish()
        };
        let reading = read();
        for fault in &reading.faults {
            proptest::prop_assert!(!fault.to_string().contains('\n'), "{fault}");
            proptest::prop_assert_eq!(&fault.file, name);
        }
        for description in &reading.descriptions {
            let operations = description.paths.iter().flat_map(|item| &item.operations);
            for content in operations.flat_map(|operation| operation.responses.iter().flat_map(|one| &one.content)) {
                let named = content.schema.is_none_or(|schema| description.schemas.get(schema).is_some());
                proptest::prop_assert!(named);
            }
        }
        proptest::prop_assert_eq!(format!("{:?}", reading), format!("{:?}", read()));
    }
}
