//! Pages that are made from the registries: what they say is what the build knows.

use std::fmt::Write;
use tapwire_detect::{DETECTORS, Needs, POLICIES, policies};
use tapwire_inspect::classes::DATA_CLASSES;
use tapwire_inspect::{PAYLOADS, STYLES};
use tapwire_inventory::kpis::{KPIS, Span};
use tapwire_inventory::{FACTORS, Score};
use tapwire_protocol::PROTOCOLS;
use tapwire_tests::workspace;

const BEGIN: &str =
    "<!-- made from the registries: UPDATE=1 cargo test -p tapwire-tests --test generated -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn page_of_protocols_is_up_to_date() {
    up_to_date("docs/protocols.md", &tables());
}

#[test]
fn page_of_data_classes_is_up_to_date() {
    up_to_date("docs/data-classes.md", &classes());
}

#[test]
fn page_of_policies_is_up_to_date() {
    up_to_date("docs/policies.md", &policy_tables());
}

#[test]
fn page_of_detectors_is_up_to_date() {
    up_to_date("docs/detectors.md", &detectors());
}

#[test]
fn page_of_rules_is_up_to_date() {
    up_to_date("docs/rules.md", &rule_fields());
}

#[test]
fn page_of_kpis_is_up_to_date() {
    up_to_date("docs/kpis.md", &kpis());
}

#[test]
fn page_of_risk_is_up_to_date() {
    up_to_date("docs/risk.md", &risk());
}

#[test]
fn page_of_the_lake_is_up_to_date() {
    up_to_date("docs/lake.md", &format!("\n{}\n", tapwire_lake::manual()));
}

#[track_caller]
fn up_to_date(name: &str, expected: &str) {
    let path = workspace().join(name);
    let page = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("the beginning of what is made");
    let (made, after) = rest.split_once(END).expect("its end");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, [before, BEGIN, expected, END, after].concat())
            .expect("a page that can be written");
    } else {
        assert_eq!(made, expected, "{name}: {}", BEGIN.trim());
    }
}

fn classes() -> String {
    let mut page = String::from(
        "\n| name | what it is | sort, sensitivity | region | counts | how it is told |\n|---|---|---|---|---|---|\n",
    );
    for class in DATA_CLASSES {
        let (region, counts) = (class.region.unwrap_or("any"), class.strength.meaning());
        let sort = format!("{}, {}", class.kind.name(), class.sensitivity.name());
        let (title, summary) = (cell(class.title), cell(class.summary));
        writeln!(page, "| `{}` | {title} | {sort} | {region} | {counts} | {summary} |", class.name)
            .expect("text");
    }
    page.push('\n');
    page
}

fn detectors() -> String {
    let mut page = String::new();
    for detector in DETECTORS {
        let (number, technique) = detector.attack;
        writeln!(page, "\n## {}\n\n**{}**\n\n{}\n", detector.name, detector.title, detector.summary)
            .expect("text");
        page.push_str("| | |\n|---|---|\n");
        for (name, value) in [
            ("OWASP API Security 2023", detector.owasp.to_owned()),
            ("CWE", detector.cwe.to_owned()),
            ("ATT&CK", format!("{number} {technique}")),
            ("severity", detector.severity.to_owned()),
            ("keeps a state for each", detector.scope.name().to_owned()),
            ("warm-up", detector.warm_up.to_owned()),
            ("needs", needs(&detector.needs)),
            ("not judged when", detector.unjudged.to_owned()),
        ] {
            writeln!(page, "| {name} | {} |", cell(&value)).expect("text");
        }
        page.push_str("\nWhat to do:\n\n");
        for step in detector.next_steps {
            writeln!(page, "- {step}").expect("text");
        }
    }
    page.push('\n');
    page
}

fn needs(needs: &Needs) -> String {
    match needs.least {
        0 => "nothing: it judges from the first call on".to_owned(),
        least => format!("{least} {}", needs.of),
    }
}

fn policy_tables() -> String {
    let mut page =
        String::from("\n| policy | endpoints that … | severity | by itself | see |\n|---|---|---|---|---|\n");
    for policy in POLICIES {
        let on = if policy.on { "on" } else { "off" };
        let (says, severity) = (cell(policy.says), policy.severity.name());
        let references = policy.references.join(", ");
        writeln!(page, "| `{}` | {says} | {severity} | {on} | {references} |", policy.id).expect("text");
    }
    page.push_str("\n## Fields of endpoints\n\n| field | holds | what it means |\n|---|---|---|\n");
    for field in policies::FIELDS {
        writeln!(page, "| `{}` | {} | {} |", field.name, field.kind.name(), cell(field.doc)).expect("text");
    }
    page.push('\n');
    page
}

fn rule_fields() -> String {
    let mut page = String::from("\n| field | rules of | holds | what it means |\n|---|---|---|---|\n");
    for field in tapwire_rules::FIELDS {
        let (name, kind, meaning) = (field.name, field.kind.name(), cell(field.doc));
        let of = field.taxonomies.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
        writeln!(page, "| `{name}` | {of} | {kind} | {meaning} |").expect("text");
    }
    page.push('\n');
    page
}

fn kpis() -> String {
    let mut page = String::from(
        "\n| name | unit | better | told of | formula | not judged where |\n|---|---|---|---|---|---|\n",
    );
    for kpi in KPIS {
        let span = match kpi.span {
            Span::State => "the end of a time",
            Span::Flow => "what came in a time",
        };
        let (unit, better) = (kpi.unit.name(), kpi.better.name());
        let (formula, unjudged) = (cell(kpi.formula), cell(kpi.unjudged));
        writeln!(page, "| `{}` | {unit} | {better} | {span} | {formula} | {unjudged} |", kpi.name)
            .expect("text");
    }
    page.push('\n');
    page
}

fn risk() -> String {
    let mut page = String::new();
    for score in Score::ALL {
        let (title, meaning) = (title(score.name()), score.meaning());
        writeln!(page, "\n## {title}\n\nIt says {meaning}.\n\n| reason | points | when |\n|---|---|---|")
            .expect("text");
        for factor in FACTORS.iter().filter(|factor| factor.score == score) {
            writeln!(page, "| `{}` | {} | {} |", factor.name, factor.most, cell(factor.meaning))
                .expect("text");
        }
    }
    page.push('\n');
    page
}

/// With a capital letter.
fn title(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

fn tables() -> String {
    let mut page = String::from("\n## Wire protocols\n\n| name | what is read |\n|---|---|\n");
    for protocol in PROTOCOLS {
        writeln!(page, "| `{}` | {} |", protocol.name, cell(protocol.summary)).expect("text");
    }
    page.push_str("\n## Payload formats\n\n| name | media types | what is read |\n|---|---|---|\n");
    for format in PAYLOADS {
        let types = format.media_types.join("`, `");
        writeln!(page, "| `{}` | `{types}` | {} |", format.name, cell(format.summary)).expect("text");
    }
    page.push_str("\n## Styles of calls\n\n| name | told by | what is read |\n|---|---|---|\n");
    for style in STYLES {
        writeln!(page, "| `{}` | {} | {} |", style.name, cell(style.told_by), cell(style.summary))
            .expect("text");
    }
    page.push('\n');
    page
}

/// Text as a table's cell holds it.
fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|").replace('\n', " ")
}
