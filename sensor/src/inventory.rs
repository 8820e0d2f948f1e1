//! `inventory`: the services and endpoints of captures.

use crate::agents;
use crate::apis;
use crate::behind;
use crate::cli::InventoryArgs;
use crate::egress;
use crate::failure::{Exit, Failure};
use crate::learn::{Learned, learn};
use crate::paper::{Paper, print};
use crate::risk;
use crate::schema;
use crate::summary::rfc3339;
use crate::usage;
use serde_json::{Value, json};
use tapwire_event::Redactor;
use tapwire_inventory::context::About;
use tapwire_inventory::{Endpoint, EndpointId, Inventory, Orphan, Risks, State};
use tapwire_protocol::tls::Services;

/// `tapwire inventory`.
pub(crate) fn inventory(args: &InventoryArgs) -> Result<Exit, Failure> {
    if let Some(data) = crate::collect::summed(&args.learn) {
        return crate::collect::inventory(&data, args);
    }
    if args.site.is_some() || args.tenant.is_some() {
        return Err(Failure::new(
            "--site, --tenant: sensors have sites and tenants where a collector knows them: give --data DIR of `tapwire collect`, or the copy of its tables in a store",
        ));
    }
    let mut learned = learn(&args.learn, args.json, |_| Ok(()))?;
    let Learned { report, redactor, .. } = &mut learned;
    let text = match (&report.inventory, &args.endpoint) {
        (Some(inventory), _) if args.mcp && args.json => agents::server_lines(inventory, redactor),
        (Some(inventory), _) if args.mcp => agents::servers(inventory, redactor),
        (Some(inventory), _) if args.llm && args.json => agents::model_lines(inventory, redactor),
        (Some(inventory), _) if args.llm => agents::models(inventory, redactor),
        (Some(inventory), _) if args.egress && args.json => egress::lines(inventory, redactor),
        (Some(inventory), _) if args.egress => egress::page(inventory, redactor),
        (Some(inventory), Some(wanted)) => chosen(inventory, wanted, args.json, redactor)?,
        (Some(inventory), None) if args.json => lines(inventory, &report.behind_tls, redactor),
        (Some(inventory), None) => table(inventory, &report.behind_tls, redactor),
        (None, _) => String::new(),
    };
    print(&text, true)?;
    if let Some(beyond) = behind::beyond(&report.behind_tls).filter(|_| args.json) {
        eprintln!("tapwire: behind TLS: {beyond}");
    }
    Ok(learned.exit())
}

fn table(inventory: &Inventory, behind_tls: &Services, redactor: &mut Redactor) -> String {
    let mut paper = Paper::new(true);
    apis::all(inventory, redactor, &mut paper);
    behind::page(behind_tls, redactor, &mut paper);
    agents::hint(inventory, &mut paper);
    paper.into_text()
}

/// An object a line: endpoints sorted by service, template and method, then those that were merged, then services behind
/// TLS and QUIC of which something was not decrypted.
fn lines(inventory: &Inventory, behind_tls: &Services, redactor: &mut Redactor) -> String {
    let mut text = String::new();
    objects(inventory, &inventory.risks(), redactor).for_each(|object| text.push_str(&format!("{object}\n")));
    for (old, new) in inventory.merged() {
        text.push_str(&format!("{}\n", json!({"id": endpoint_id(old), "merged_into": endpoint_id(new)})));
    }
    behind::json(behind_tls, redactor).iter().for_each(|service| text.push_str(&format!("{service}\n")));
    text
}

/// Endpoints, seen and only described.
pub(crate) fn objects<'a>(
    inventory: &'a Inventory,
    risks: &'a Risks<'_>,
    redactor: &'a mut Redactor,
) -> impl Iterator<Item = Value> + 'a {
    let seen = inventory.endpoints().map(Ok);
    seen.chain(inventory.orphans().into_iter().map(Err)).map(move |one| match one {
        Ok(endpoint) => object(inventory, endpoint, risks, redactor),
        Err(orphan) => unseen(inventory, &orphan, redactor),
    })
}

/// The endpoints of that id, or of that method and template: of several services there may be some.
fn chosen(
    inventory: &Inventory,
    wanted: &str,
    as_json: bool,
    redactor: &mut Redactor,
) -> Result<String, Failure> {
    let is_wanted = |endpoint: &&Endpoint| {
        let name = format!("{} {}", endpoint.method, endpoint.template);
        endpoint_id(endpoint.id) == wanted || name == wanted
    };
    let merged = inventory.merged().into_iter().find(|(old, _)| endpoint_id(*old) == wanted);
    let merged = merged.and_then(|(_, new)| inventory.endpoint(new));
    let found: Vec<&Endpoint> = inventory.endpoints().filter(is_wanted).chain(merged).collect();
    if found.is_empty() {
        return Err(Failure::new(format!(
            "--endpoint {wanted}: there is none; tapwire inventory lists them, with --json by id"
        )));
    }
    let mut paper = Paper::new(true);
    let risks = inventory.risks();
    if as_json {
        for endpoint in found {
            paper.line(&object(inventory, endpoint, &risks, redactor).to_string());
        }
    } else {
        found.iter().for_each(|endpoint| schema::page(inventory, endpoint, &risks, redactor, &mut paper));
    }
    Ok(paper.into_text())
}

pub(crate) fn object(
    inventory: &Inventory,
    endpoint: &Endpoint,
    risks: &Risks<'_>,
    redactor: &mut Redactor,
) -> Value {
    let mut object = json!({
        "id": endpoint_id(endpoint.id),
        "service": redactor.shown_host(&endpoint.service),
        "method": redactor.shown_method(&endpoint.method),
        "template": redactor.shown_path(&endpoint.template),
        "protocols": endpoint.protocols,
        "first_seen": rfc3339(endpoint.first_seen),
        "last_seen": rfc3339(endpoint.last_seen),
        "calls": endpoint.calls,
        "callers": endpoint.callers.count().0,
        "status": status(endpoint),
        "auth": auth(endpoint),
        "parameters": path_parameters(&endpoint.template),
        "states": risks.states(endpoint).iter().map(State::name).collect::<Vec<_>>(),
    });
    add_about(&mut object, &inventory.about(endpoint));
    risk::add_to(&mut object, risks, endpoint);
    usage::add_to(&mut object, inventory, endpoint);
    schema::add_to(&mut object, endpoint, redactor);
    if endpoint.callers.count().1 {
        object["callers_at_least"] = true.into();
    }
    if let Some(operation) = &endpoint.operation {
        object["operation"] = redactor.shown_operation(operation).into();
    }
    object
}

/// What is described and was not seen.
fn unseen(inventory: &Inventory, orphan: &Orphan, redactor: &mut Redactor) -> Value {
    let mut object = json!({
        "id": endpoint_id(orphan.id),
        "service": redactor.shown_host(&orphan.service),
        "method": &orphan.method,
        "template": &*orphan.template,
        "calls": 0,
        "parameters": path_parameters(&orphan.template),
        "states": orphan.states().map(State::name),
    });
    add_about(&mut object, &inventory.about_path(&orphan.service, &orphan.template));
    object
}

/// What files say of it. These words are the operator's, not traffic's.
fn add_about(object: &mut Value, about: &About) {
    for (name, text) in about.texts() {
        object[name] = text.into();
    }
    if !about.tags.is_empty() {
        object["tags"] = about.tags.iter().map(|tag| &**tag).collect();
    }
}

/// An id as it is written.
pub(crate) fn endpoint_id(id: EndpointId) -> String {
    format!("{:016x}", id.0)
}

/// Classes of status with their calls; those that did not come are left out.
fn status(endpoint: &Endpoint) -> Value {
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(endpoint.status.classes);
    let all = classes.chain([("not_seen", endpoint.status.unseen)]);
    all.filter(|(_, calls)| *calls > 0).map(|(name, calls)| (name.to_owned(), Value::from(calls))).collect()
}

/// Kinds of credentials with the share of calls that had one; a call may have several.
fn auth(endpoint: &Endpoint) -> Value {
    let kinds = endpoint.auth.iter().map(|(kind, calls)| (kind.name(), calls));
    let all = kinds.chain([("none", endpoint.auth.none)]).filter(|(_, calls)| *calls > 0);
    #[allow(clippy::cast_precision_loss, reason = "a share with three digits")]
    let share = |calls: u64| (calls as f64 / endpoint.calls.max(1) as f64 * 1000.0).round() / 1000.0;
    all.map(|(name, calls)| (name.to_owned(), Value::from(share(calls)))).collect()
}

/// The parameters of a path, by name alone.
fn path_parameters(template: &str) -> Vec<Value> {
    let names = template.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    names.map(|(name, _)| json!({"in": "path", "name": name})).collect()
}

/// The name that a template gives the segment of that number, counted from 0.
pub(crate) fn parameter_name<'t>(template: &'t str, number: &str) -> Option<&'t str> {
    let segment = template.split('/').filter(|one| !one.is_empty()).nth(number.parse().ok()?)?;
    Some(segment.split_once('{')?.1.split_once('}')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_template() {
        let names: Vec<_> =
            path_parameters("/a/{aId}/b/{bId}.json").iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["aId", "bId"]);
        assert!(path_parameters("/a").is_empty());
        assert_eq!(parameter_name("/a/{aId}/b/{bId}.json", "3"), Some("bId"));
        assert_eq!(parameter_name("/a/{aId}", "0"), None);
    }
}
