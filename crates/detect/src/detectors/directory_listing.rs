//! Folders that are looked into.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{is_ok, method_is, network, path, status};
use crate::tally::{AtLeast, Stretch, Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inspect::Mark;
use tapwire_inventory::Call;

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "directory-listing",
    title: "Folders of the server are looked into (directory listing)",
    summary: "A server answered with the list of a folder that it makes itself; or four different folders and more were asked for within a day and refused \
              with 403, as servers do that make no lists. An API has no folders: whoever asks for one looks for files that were left there. That \
              lists are made at all is for a policy to say; here somebody reads them.",
    owasp: "API8:2023 Security Misconfiguration",
    cwe: "CWE-548",
    attack: ("T1083", "File and Directory Discovery"),
    severity: "Medium when a list was answered, Low when refused",
    scope: Scope::Service,
    warm_up: "none: one list, or 4 folders that were refused",
    next_steps: &["Turn generated lists off, and remove what stands in these folders."],
    unjudged: "no request was seen",
    needs: Needs::NOTHING,
    nature: Nature { of_the_service: true, ..Nature::USUAL },
    judges: |call| call.observation.path.is_some(),
    concerns: |call| call.observation.marks.contains(Mark::Listing) || is_refused_folder(call),
    state: StateKind::of::<DirectoryListing>(),
};

const REFUSED: u64 = 4;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct DirectoryListing {
    refused: AtLeast,
    told: Told,
    stretch: Stretch,
}

impl Detector for DirectoryListing {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let time = case.call.observation.exchange.started();
        if self.stretch.begins(time, 6 * 3_600, 86_400) {
            self.refused = AtLeast::default();
        }
        if is_ok(case.call) {
            let who = case.call.caller.address.map_or(1, |address| network(address.ip));
            if self.told.rises(who, 1, time) {
                let reason =
                    "A list of a folder was answered that servers make of what stands in it.".to_owned();
                out.push(case.finding(b"list", Severity::Medium, Outcome::Confirmed, 85, reason));
            }
            return;
        }
        let refused = self.refused.add(path(case.call));
        if refused >= REFUSED && self.told.rises(2, 1, time) {
            let reason = format!(
                "At least {} were asked for and refused with 403 within {}; expected none.",
                times(refused, "different folder"),
                self.stretch.words(),
            );
            out.push(case.finding(b"refused", Severity::Low, Outcome::Blocked, 65, reason));
        }
    }
}

/// Whether a path that ends as folders do was forbidden, where no endpoint is known.
fn is_refused_folder(call: &Call) -> bool {
    status(call) == Some(403)
        && method_is(call, &[b"GET", b"HEAD"])
        && call.observation.credentials.is_empty()
        && call.observation.exchange.request_head().zip(call.observation.path).is_some_and(|(head, range)| {
            let path = head.slice(range).bytes();
            path.len() > 1 && path.ends_with(b"/")
        })
}
