//! What `tapwire inventory` learns of requests and answers, over captures of real software.

use serde_json::Value;
use std::path::PathBuf;
use tapwire_tests::{Tapwire, fixtures, workspace};

fn capture(name: &str) -> PathBuf {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("the fixture is in the tree").path()
}

/// The objects of the endpoints of that method and template.
fn endpoints(name: &str, endpoint: &str, more: &[&str]) -> Vec<Value> {
    let run = Tapwire::new(["inventory", "--json", "--endpoint", endpoint]).args(more).args([capture(name)]);
    run.key().run().ok(endpoint).events()
}

/// The endpoint of that operation.
fn operation(name: &str, endpoint: &str, operation: &str, more: &[&str]) -> Value {
    let mut all = endpoints(name, endpoint, more).into_iter();
    all.find(|one| one["operation"].as_str() == Some(operation)).expect("the operation")
}

/// A line for each field or parameter: its path or place, type, format, and whether it is optional.
fn lines(fields: &Value) -> Vec<String> {
    fields.as_array().expect("a list").iter().map(line).collect()
}

fn line(field: &Value) -> String {
    let text = |key: &str| field[key].as_str().unwrap_or_default();
    let mut line = match field["path"].as_str() {
        Some(path) => path.to_owned(),
        None => format!("{} {}", text("in"), text("name")),
    };
    for key in ["type", "format"] {
        if !field[key].is_null() {
            line.push_str(&format!(
                " {}",
                field[key].as_str().map_or_else(|| field[key].to_string(), str::to_owned)
            ));
        }
    }
    if field["required"] == false {
        line.push_str(" optional");
    }
    for key in ["nullable", "map", "repeated"] {
        if field[key] == true {
            line.push_str(&format!(" {key}"));
        }
    }
    line
}

/// The fields of answers of that class.
fn answers(endpoint: &Value, status: &str) -> Vec<String> {
    let all = endpoint["responses"].as_array().expect("answers");
    lines(&all.iter().find(|one| one["status"] == status).expect("the class")["fields"])
}

#[test]
fn json_of_a_shop() {
    let [order] = &endpoints("demo", "GET /orders/{orderId}", &[])[..] else { panic!("one endpoint") };
    assert_eq!(
        lines(&order["parameters"]),
        ["path orderId integer int32", "header x-exchange integer int32"]
    );
    assert_eq!(
        answers(order, "2xx"),
        [
            "$ object",
            "$.id integer int32",
            "$.state string",
            "$.customer integer int32",
            "$.lines array",
            "$.lines[] object",
            "$.lines[].sku string",
            "$.lines[].name string",
            "$.lines[].quantity integer int32",
            "$.lines[].price number double",
        ]
    );
    let [search] = &endpoints("demo", "GET /search", &[])[..] else { panic!("one endpoint") };
    let query = &search["parameters"][0];
    assert_eq!(query["enum"], serde_json::json!(["chair", "desk", "kettle", "lamp"]));
    assert_eq!(lines(&search["parameters"])[..2], ["query q string", "query page integer int32"]);
    assert_eq!(
        (&search["parameters"][1]["minimum"], &search["parameters"][1]["maximum"]),
        (&1.into(), &3.into())
    );
    let [user] = &endpoints("demo", "GET /users/{userId}", &[])[..] else { panic!("one endpoint") };
    assert!(answers(user, "2xx").contains(&"$.email string email".to_owned()), "{user}");
    assert_eq!(answers(user, "4xx"), ["$ object", "$.error string"]);
}

#[test]
fn requests_of_a_shop_show_no_card() {
    let [payments] = &endpoints("demo", "POST /payments", &[])[..] else { panic!("one endpoint") };
    let request = &payments["request"][0];
    assert_eq!(request["media_type"], "application/json");
    assert_eq!(
        lines(&request["fields"]),
        [
            "$ object",
            "$.order integer int32",
            "$.amount integer int32",
            "$.card object",
            "$.card.number string",
            "$.card.expires string",
            "$.card.holder string",
        ]
    );
    let number = &request["fields"][4];
    assert_eq!((&number["min_length"], &number["max_length"]), (&16.into(), &16.into()));
    assert!(number["enum"].is_null() && number["minimum"].is_null(), "{number}");
}

#[test]
fn variables_of_graphql() {
    let create = operation("graphql", "POST /graphql", "mutation Create {createOrder}", &[]);
    assert_eq!(
        lines(&create["request"][0]["fields"]),
        [
            "$ object",
            "$.query string",
            "$.variables object",
            "$.variables.o object",
            "$.variables.o.sku string",
            "$.variables.o.quantity integer int32",
        ]
    );
}

#[test]
fn forms_and_parts() {
    let [echo] = &endpoints("forms", "POST /echo", &[])[..] else { panic!("one endpoint") };
    let request = lines(&echo["request"][0]["fields"]);
    for expected in
        ["$.customer string email optional", "$.photo string binary optional", "$.photo.@type string"]
    {
        assert!(request.contains(&expected.to_owned()), "{expected}: {request:#?}");
    }
    let [login] = &endpoints("forms", "POST /login", &[])[..] else { panic!("one endpoint") };
    let request = &login["request"][0];
    assert_eq!(request["media_type"], "application/x-www-form-urlencoded");
    assert!(lines(&request["fields"]).contains(&"$.password string optional".to_owned()), "{request}");
}

#[test]
fn elements_of_soap() {
    let place = operation("soap", "POST /v1", "PlaceOrder", &[]);
    let request = lines(&place["request"][0]["fields"]);
    assert_eq!(
        request[3..7],
        [
            "$.Envelope.Body.PlaceOrder object",
            "$.Envelope.Body.PlaceOrder.customer string email",
            "$.Envelope.Body.PlaceOrder.item object",
            "$.Envelope.Body.PlaceOrder.item.sku string",
        ]
    );
    assert_eq!(
        answers(&operation("soap", "POST /v1", "GetOrder", &[]), "5xx")[4],
        "$.Envelope.Body.Fault.faultcode string"
    );
}

#[test]
fn messages_of_grpc_have_numbers_and_with_a_description_names() {
    let (template, name) = ("POST /shop.v1.Orders/GetOrder", "shop.v1.Orders/GetOrder");
    let fields = |more: &[&str]| answers(&operation("grpc", template, name, more), "2xx");
    assert_eq!(fields(&[])[..4], ["$ object", "$.1 integer int32", "$.2 integer int32", "$.3 object"]);
    let set = format!("inspect.proto=[\"{}\"]", workspace().join("fixtures/grpc/shop.desc").display());
    let named = fields(&["--set", &set]);
    assert_eq!(named[..2], ["$ object", "$.id integer int32"], "{named:#?}");
    assert!(named.contains(&"$.customer.email string email".to_owned()), "{named:#?}");
}

#[test]
fn one_endpoint_is_a_page_in_columns() {
    let run = Tapwire::new(["inventory", "--endpoint", "GET /search"]).args([capture("demo")]);
    let page = String::from_utf8(run.key().run().ok("inventory").stdout).expect("UTF-8");
    for expected in ["Parameters", "query  page", "chair | desk | kettle | lamp", "$.hits[].lines[].price"] {
        assert!(page.contains(expected), "\"{expected}\" is missing in\n{page}");
    }
    let column = |name: &str| {
        let line = page.lines().find(|line| line.trim_start().starts_with(name)).expect("a field");
        line.find("number").or_else(|| line.find("integer"))
    };
    assert_eq!(column("$.hits[].id"), column("$.hits[].lines[].price"), "{page}");
}

#[test]
fn an_endpoint_that_is_not_there_is_the_operators_error() {
    let run = Tapwire::new(["inventory", "--endpoint", "GET /nowhere"]).args([capture("demo")]).key().run();
    assert_eq!(run.code, Some(2));
    let line =
        "tapwire: --endpoint GET /nowhere: there is none; tapwire inventory lists them, with --json by id\n";
    assert_eq!(run.stderr, line);
}

#[test]
fn no_planted_secret_is_in_the_inventory() {
    let planted =
        std::fs::read_to_string(workspace().join("fixtures/secrets/planted.txt")).expect("the list");
    let planted: Vec<&str> = planted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert!(planted.len() > 5);
    for fixture in fixtures() {
        let run = Tapwire::new(["inventory", "--json"]).args([fixture.path()]).key().run();
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let leak = planted.iter().find(|secret| text.contains(**secret));
        assert_eq!(leak, None, "{}", fixture.name);
    }
}
