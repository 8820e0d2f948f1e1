//! What a collector's console says in the place of what only sensors learn. That it is not here is not that there is none.

use crate::table::escaped;
use maud::{Markup, html};

/// What sensors told of incidents, the latest first.
const INCIDENTS: &str = "SELECT time, severity, change, message, service, outcome, findings, uid\nFROM incidents ORDER BY time DESC LIMIT 100";
const CALLERS: &str = "SELECT * FROM top_callers LIMIT 100";
const DATA: &str = "SELECT * FROM unauthenticated_sensitive LIMIT 100";

pub(super) fn incidents() -> Markup {
    told("Sensors find incidents; a collector lists none, and has what they told in its tables: ", INCIDENTS)
}

pub(super) fn callers() -> Markup {
    told("Sensors learn who calls; a collector has the calls of each in its tables: ", CALLERS)
}

pub(super) fn data() -> Markup {
    told(
        "Sensors learn which fields are of which class; a collector has the calls that carried some in its tables: ",
        DATA,
    )
}

pub(super) fn policies() -> Markup {
    html! { p.empty { "Sensors judge policies and figures: their own consoles have them." } }
}

fn told(what: &str, query: &str) -> Markup {
    html! { p.empty { (what) a href=(format!("/hunt?query={}", escaped(query))) { "ask them" } "." } }
}
