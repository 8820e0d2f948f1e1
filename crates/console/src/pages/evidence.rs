//! What is typed in a terminal to have the evidence of an incident.

use super::incidents::strings;
use crate::books::{Incident, Snapshot};
use maud::{Markup, html};
use serde_json::Value;

/// What stands where a file with secrets of TLS is to be named.
const KEYS: &str = " --keylog KEYS";
/// The same of users' rules.
const RULES: &str = " --rules RULES";

pub(super) fn commands(snapshot: &Snapshot, incident: &Incident) -> Markup {
    let (uid, evidence) = (&incident.uid, &snapshot.evidence);
    let keys = if lacks_keys(snapshot, incident) { KEYS } else { "" };
    let rules = if is_of_rules(incident) { RULES } else { "" };
    let short = uid.get(..12).unwrap_or(uid);
    html! {
        pre tabindex="0" { code {
            "tapwire show " (uid) (evidence) "\n"
            "tapwire carve " (uid) (evidence) (keys) " -w incident-" (short) ".pcapng\n"
            "tapwire blast-radius " (uid) (evidence) (keys) "\n"
            "tapwire case export " (uid) (evidence) (snapshot.described) (rules) (keys) " -w incident-" (short) ".tar --sign case.key"
        } }
        p.of {
            "The last line hands the incident on as one signed file, with packets, rules and configuration, which anybody can check. It is made in a terminal: "
            "the incident is derived anew by other processes, and the console may start none."
        }
        @if !snapshot.has_packets {
            p.of { "No packets are kept here (" code { "packets.budget" } "): give the captures that show it in the place of " code { "--data" } "; " code { "show" } " needs none." }
        }
        @if !rules.is_empty() {
            p.of { "A user's rule found it: " code { "RULES" } " is where the rules are, unless the configuration names them." }
        }
        @if !keys.is_empty() {
            p.of { "Its exchanges were inside TLS: " code { "KEYS" } " is the key log by which they were read. Without it nothing of them is found in the packets." }
        }
    }
}

/// Whether users' rules have a part in it.
fn is_of_rules(incident: &Incident) -> bool {
    let moments = incident.whole.get("timeline").and_then(Value::as_array).into_iter().flatten();
    moments.filter_map(|moment| moment.pointer("/rule/id")).any(Value::is_string)
}

/// Whether packets show it only to who has keys, and the console was given none.
pub(super) fn lacks_keys(snapshot: &Snapshot, incident: &Incident) -> bool {
    let has_keys = ["--keylog", "--rsa-key"].iter().any(|option| snapshot.evidence.contains(option));
    !strings(&incident.whole, "ja4").is_empty() && !has_keys
}
