//! Files for receivers: each is parsed, and what it names is what Tapwire sends.

use crate::recipe;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use tapwire_tests::{Tapwire, fixtures, workspace};

fn text(name: &str) -> String {
    fs::read_to_string(recipe(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What the demo gives in a format, a line each.
fn lines(format: &str) -> Vec<String> {
    let demo = fixtures().into_iter().find(|fixture| fixture.name == "demo").expect("the demo's capture");
    let ran = Tapwire::replay(&demo).args(["-q", "--format", format, "--events", "-"]).run().ok(format);
    String::from_utf8(ran.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

fn events(format: &str) -> Vec<Value> {
    lines(format).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Stanzas of a file with `[name]` and `key = value`, or `key value` where there is no `=`.
fn stanzas(name: &str, parting: &[char]) -> Vec<(String, Vec<(String, String)>)> {
    let mut all: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for line in text(name).lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            all.push((title.to_owned(), Vec::new()));
            continue;
        }
        let (key, value) = line.split_once(parting).unwrap_or_else(|| panic!("{name}: {line}"));
        let (_, entries) = all.last_mut().unwrap_or_else(|| panic!("{name}: {line} stands in no stanza"));
        entries.push((key.trim().to_owned(), value.trim().to_owned()));
    }
    all
}

fn has(events: &[Value], dotted: &str) -> bool {
    let pointer = format!("/{}", dotted.replace('.', "/"));
    events.iter().any(|event| event.pointer(&pointer).is_some())
}

#[test]
fn splunk_aliases_are_of_fields_that_events_have() {
    let events = events("ocsf");
    let props = stanzas("splunk/props.conf", &['=']);
    let [(source_type, entries)] = props.as_slice() else { panic!("one source type: {props:?}") };
    let aliases: Vec<_> = entries.iter().filter(|(key, _)| key.starts_with("FIELDALIAS-")).collect();
    for (key, alias) in &aliases {
        let (field, name) = alias.split_once(" AS ").expect("FIELD AS NAME");
        assert!(has(&events, field) && !name.contains(' '), "{key}: no event has {field}");
    }
    assert!(aliases.len() >= 10);
    let transforms: BTreeSet<String> =
        stanzas("splunk/transforms.conf", &['=']).into_iter().map(|(name, _)| name).collect();
    for (key, name) in entries.iter().filter(|(key, _)| key.starts_with("REPORT-")) {
        assert!(transforms.contains(name), "{key}");
    }
    let types = stanzas("splunk/eventtypes.conf", &['=']);
    assert!(types.iter().all(|(_, entries)| entries[0].1.contains(&format!("sourcetype=\"{source_type}\""))));
    for (title, _) in stanzas("splunk/tags.conf", &['=']) {
        let name = title.strip_prefix("eventtype=").expect("an event type");
        assert!(types.iter().any(|(known, _)| known == name), "{name}");
    }
}

/// Paths of all properties, with their types.
fn properties(mapping: &Value, before: &str, out: &mut Vec<(String, String)>) {
    for (name, field) in mapping["properties"].as_object().into_iter().flatten() {
        let path = format!("{before}{name}");
        match field["type"].as_str() {
            Some(kind) => out.push((path, kind.to_owned())),
            None => properties(field, &format!("{path}."), out),
        }
    }
}

#[test]
fn elastic_templates_map_fields_that_documents_have() {
    for (name, format) in
        [("elastic/index-template-ecs.json", "ecs"), ("elastic/index-template-ocsf.json", "ocsf")]
    {
        let template: Value = serde_json::from_str(&text(name)).expect("JSON");
        let mut all = Vec::new();
        properties(&template["template"]["mappings"], "", &mut all);
        let mut events = events(format);
        if format == "ocsf" {
            // What the pipeline adds.
            events.iter_mut().for_each(|event| event["@timestamp"] = event["time"].clone());
        }
        assert!(all.len() > 5, "{name}");
        for (path, kind) in all {
            assert!(has(&events, &path), "{name}: no document has {path}");
            let pointer = format!("/{}", path.replace('.', "/"));
            let wrong =
                events.iter().filter_map(|event| event.pointer(&pointer)).find(|value| match &*kind {
                    "long" | "integer" => value.as_i64().is_none(),
                    "ip" => value.as_str().is_none_or(|text| text.parse::<std::net::IpAddr>().is_err()),
                    _ => value.is_object(),
                });
            assert_eq!(wrong, None, "{name}: {path} is no {kind}");
        }
    }
    let pipeline: Value = serde_json::from_str(&text("elastic/pipeline-ocsf.json")).expect("JSON");
    let template: Value = serde_json::from_str(&text("elastic/index-template-ocsf.json")).expect("JSON");
    assert_eq!(pipeline["processors"][0]["date"]["field"], "time");
    assert_eq!(template["template"]["settings"]["index.default_pipeline"], "tapwire");
}

/// Columns of `CommonSecurityLog` by the CEF key they are made of; those of the header and of Azure have none.
const COLUMNS: &[(&str, &str)] = &[
    ("ExternalID", "externalId="),
    ("DeviceCustomNumber1", "cn1="),
    ("SourceIP", "src="),
    ("SourcePort", "spt="),
    ("SourceUserName", "suser="),
    ("DestinationIP", "dst="),
    ("DestinationPort", "dpt="),
    ("DestinationHostName", "dhost="),
    ("RequestURL", "request="),
    ("RequestMethod", "requestMethod="),
    ("RequestClientApplication", "requestClientApplication="),
    ("DeviceVendor", "CEF:0|Tapwire|"),
    ("DeviceProduct", "|Tapwire|"),
    ("DeviceEventClassID", "|exchange|"),
    ("TimeGenerated", "rt="),
];

#[test]
fn sentinel_reads_columns_that_cef_fills() {
    let query = text("sentinel/vimWebSessionTapwire.kql");
    let lines = lines("cef");
    let (_, projected) = query.split_once("| project").expect("a projection");
    let mut names = BTreeSet::new();
    for item in projected.split(",\n").map(str::trim).filter(|item| !item.is_empty()) {
        let (name, from) =
            item.split_once('=').map_or((item, item), |(name, from)| (name.trim(), from.trim()));
        assert!(names.insert(name.to_owned()), "{name} twice");
        let is_text = from.starts_with('"') || from == "int(1)";
        let column = COLUMNS.iter().find(|(column, _)| from.contains(column));
        assert!(is_text || column.is_some(), "{item}: no such column");
        if let Some((column, key)) = column.filter(|_| !is_text) {
            assert!(lines.iter().any(|line| line.contains(key)), "{column}: no line has {key}");
        }
    }
    assert!(names.len() > 15 && query.matches('(').count() == query.matches(')').count());
}

#[test]
fn vector_components_are_wired_to_each_other() {
    let config: toml::Table = text("vector/vector.toml").parse().expect("TOML");
    let of = |kind: &str| config[kind].as_table().expect("components").clone();
    let mut outputs: BTreeSet<String> = of("sources").keys().cloned().collect();
    let transforms = of("transforms");
    for (name, transform) in &transforms {
        outputs.insert(name.clone());
        let routes = transform.get("route").and_then(toml::Value::as_table);
        outputs.extend(
            routes.into_iter().flat_map(|all| all.keys().map(move |route| format!("{name}.{route}"))),
        );
    }
    let events = events("ocsf");
    for (name, component) in transforms.iter().chain(&of("sinks")) {
        assert!(component["type"].is_str(), "{name}");
        for input in component["inputs"].as_array().expect("inputs") {
            assert!(outputs.contains(input.as_str().expect("a name")), "{name}: no component gives {input}");
        }
    }
    let fields = &transforms["once"]["fields"]["match"];
    assert!(has(&events, fields[0].as_str().expect("a field")));
    assert!(has(&events, of("sinks")["everything"]["key_field"].as_str().expect("a field")));
}

#[test]
fn fluent_bit_answers_as_the_output_wants_and_hands_on_what_it_takes() {
    let sections = stanzas("fluent-bit/fluent-bit.conf", &[' ']);
    let of = |title: &str, key: &str| {
        let (_, entries) = sections.iter().find(|(name, _)| name == title).expect("the section");
        entries.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    };
    assert_eq!(of("INPUT", "name").as_deref(), Some("splunk"));
    assert_eq!(of("INPUT", "successful_response_code").as_deref(), Some("200"));
    assert_eq!(of("INPUT", "tag"), of("OUTPUT", "match"));
}

#[test]
fn the_page_of_outputs_names_every_recipe() {
    let page = fs::read_to_string(workspace().join("docs/outputs.md")).expect("the page");
    for folder in ["splunk", "elastic", "sentinel", "vector", "fluent-bit"] {
        for file in fs::read_dir(recipe(folder)).expect("a folder") {
            let name = file.expect("a file").file_name().to_string_lossy().into_owned();
            assert!(page.contains(&format!("(recipes/{folder}/{name})")), "{folder}/{name}");
        }
    }
    for name in ["nginx-deny.py", "ticket.py", "jira.json", "servicenow.json"] {
        assert!(page.contains(&format!("(recipes/{name})")), "{name}");
    }
}
