//! Who looks for what there is.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::facts::{hash, is_ok, path, place, status, template};
use crate::tally::{Distinct, Steps, Stretch, Told, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{AgentFamily, Call};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "reconnaissance",
    title: "Paths are probed that do not exist (reconnaissance, scanner)",
    summary: "From one address twenty different paths or methods and more were asked for that do not exist, objects that are gone left out and the pictures of one folder counted once; or files that no client asks \
              for (.env, .git, actuator, backups); or the program says that it is a scanner. Where one of those files was answered, it is told as a success.",
    owasp: "API9:2023 Improper Inventory Management",
    cwe: "CWE-200",
    attack: ("T1595.003", "Wordlist Scanning"),
    severity: "Low; High when a file was answered that should not be reachable",
    scope: Scope::Address,
    warm_up: "none: 20 paths within ten minutes, or 3 such files",
    next_steps: &["Where a file was answered: remove it, and change the secrets in it."],
    unjudged: "no request was seen",
    needs: Needs::NOTHING,
    nature: Nature::USUAL,
    judges: |call| call.observation.path.is_some(),
    concerns: |call| {
        matches!(status(call), Some(404 | 405 | 501)) || sensitive(call).is_some() || is_scanner(call)
    },
    state: StateKind::of::<Reconnaissance>(),
};

/// Files and routes that only who looks for secrets asks for; the doors of one product are one, since its people use all of them.
const SENSITIVE: &[&[&str]] = &[
    &["/.env"],
    &["/.git/"],
    &["/.svn/"],
    &["/.aws/"],
    &["/.ssh/"],
    &["/actuator/env"],
    &["/actuator/heapdump"],
    &["/wp-login.php", "/wp-admin"],
    &["/phpmyadmin"],
    &["/phpinfo"],
    &["/server-status"],
    &["/id_rsa"],
    &["/backup."],
    &["/dump.sql"],
    &["/.htpasswd"],
    &["/web.config"],
    &["/.ds_store"],
    &["/manager/html"],
    &["/solr/admin"],
    &["/cgi-bin/"],
];

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Reconnaissance {
    missing: Distinct,
    sensitive: Distinct,
    steps: Steps,
    told_scanner: bool,
    told_sensitive: bool,
    told: Told,
    stretch: Stretch,
}

impl Detector for Reconnaissance {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        if self.stretch.begins(case.call.observation.exchange.started(), 600, 3_600) {
            *self = Self {
                stretch: self.stretch,
                told_scanner: self.told_scanner,
                told: std::mem::take(&mut self.told),
                ..Self::default()
            };
        }
        if let Some(kind) = sensitive(case.call) {
            self.sensitive(case, kind, out);
        }
        if is_scanner(case.call) && !std::mem::replace(&mut self.told_scanner, true) {
            let reason = "The User-Agent is that of a program that looks for holes (scanner).".to_owned();
            out.push(case.finding(b"scanner", Severity::Low, Outcome::Attempted, 80, reason));
        }
        if !is_ok(case.call) && !is_gone(case.call) {
            self.missing.add(missing(case.call));
        }
        let missing = self.missing.len() as u64;
        if missing >= 20 && self.steps.reaches(missing, 20) {
            let reason = format!(
                "{} that do not exist were asked for from one address within {} (probing).",
                times(missing, "different path"),
                self.stretch.words()
            );
            out.push(case.finding(b"paths", Severity::Low, Outcome::Attempted, 75, reason));
        }
    }
}

impl Reconnaissance {
    fn sensitive(&mut self, case: &Case<'_>, kind: usize, out: &mut Vec<Finding>) {
        let path = path(case.call);
        let is_product = SENSITIVE.get(kind).is_some_and(|names| names.len() > 1);
        self.sensitive.add(if is_product { hash(kind.to_le_bytes().into_iter()) } else { path });
        let page =
            case.call.observation.exchange.response_head().and_then(|head| head.header(b"content-type"));
        // An application that answers every path with its own page gives nothing away.
        let is_page = page.is_some_and(|kind| kind.bytes().to_ascii_lowercase().starts_with(b"text/html"));
        let time = case.call.observation.exchange.started();
        let gives =
            case.call.observation.exchange.response.as_deref().is_some_and(|response| response.body.len > 0);
        if is_ok(case.call) && !is_page && gives {
            if !self.told.rises(path, 1, time) {
                return;
            }
            let reason = "A file or route was answered that only who looks for secrets asks for.".to_owned();
            out.push(case.finding(&path.to_le_bytes(), Severity::High, Outcome::Confirmed, 75, reason));
        } else if self.sensitive.len() >= 3 && !std::mem::replace(&mut self.told_sensitive, true) {
            let reason = format!(
                "{} that only who looks for secrets asks for.",
                times(self.sensitive.len() as u64, "different file or route")
            );
            out.push(case.finding(b"sensitive", Severity::Low, Outcome::Attempted, 75, reason));
        }
    }
}

/// Whether an object is not there at an endpoint that is: of the thousands behind one address many follow links that are old, and
/// whoever goes through objects is told by others.
fn is_gone(call: &Call) -> bool {
    status(call) == Some(404) && call.endpoint.is_some() && !call.discovered
}

/// Files that pages load by themselves, and that hold no secret.
const LOADED: &[&str] = &[
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".svg", ".ico", ".css", ".woff", ".woff2", ".ttf",
    ".mp3", ".mp4", ".webm",
];

/// What was looked for: the pictures of one folder, each with a name of its own, are one place.
fn missing(call: &Call) -> u64 {
    let name = template(call).to_ascii_lowercase();
    let is_loaded = LOADED.iter().any(|end| name.ends_with(end));
    let folder = name.rsplit_once('/').map(|(folder, _)| folder).filter(|_| is_loaded);
    folder.map_or_else(|| place(call), |folder| hash(folder.bytes()))
}

/// Programs that look for holes say so, unless they are told not to.
fn is_scanner(call: &Call) -> bool {
    call.caller.from.is_some_and(|from| from.agent == AgentFamily::Scanner as u8)
}

/// Which of them is asked for. Only of paths that are new: known endpoints are asked for by clients.
fn sensitive(call: &Call) -> Option<usize> {
    if call.endpoint.is_some() && !call.discovered {
        return None;
    }
    let (head, range) = call.observation.exchange.request_head().zip(call.observation.path)?;
    let path = head.slice(range).bytes();
    if path.len() > 200 || !path.iter().any(|byte| matches!(byte, b'.' | b'-' | b'_' | b'h' | b's' | b'p')) {
        return None;
    }
    let lower = path.to_ascii_lowercase();
    let is_in = |name: &str| memchr::memmem::find(&lower, name.as_bytes()).is_some();
    SENSITIVE.iter().position(|names| names.iter().any(|name| is_in(name)))
}
