//! What to type next, in the operator's own words: paths and interfaces as they were given.

use crate::cli::LearnArgs;
use crate::feedback::Feedback;
use crate::paper::Paper;
use crate::size;
use std::path::PathBuf;
use tapwire_pipeline::Report;
use tapwire_protocol::Kind;

/// What the operator asked for, as far as it goes into the commands that follow.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Captures, as typed; none for a tap.
    pub(crate) paths: Vec<String>,
    /// Interfaces; none for captures.
    pub(crate) interfaces: Vec<String>,
    /// `--data`, as typed.
    pub(crate) data: Option<String>,
    /// What people said of incidents in runs before.
    pub(crate) feedback: Feedback,
    /// Whether exchanges and findings are kept, so that `show` finds them.
    pub(crate) kept: bool,
    /// Event files, as typed.
    pub(crate) files: Vec<String>,
}

impl Asked {
    /// Standard input cannot be read a second time.
    fn captures(&self) -> Option<String> {
        let again = !self.paths.is_empty() && self.paths.iter().all(|path| path != "-");
        again.then(|| quoted(&self.paths))
    }

    fn doctor(&self) -> Option<String> {
        if self.interfaces.is_empty() {
            return Some(format!("tapwire doctor {}", self.captures()?));
        }
        let options: Vec<String> = self.interfaces.iter().map(|name| format!("-i {}", quote(name))).collect();
        Some(format!("tapwire doctor {}", options.join(" ")))
    }

    fn show(&self, uid: &str) -> Option<String> {
        match (&self.data, self.captures()) {
            (Some(data), _) if self.kept => Some(format!("tapwire show {uid} --data {}", quote(data))),
            (None, _) if self.kept => Some(format!("tapwire show {uid}")),
            (_, Some(captures)) => Some(format!("tapwire show {uid} {captures}")),
            _ => None,
        }
    }

    fn json(&self) -> Option<String> {
        // What went to a device is not there to be read.
        match self.files.iter().find(|file| !file.starts_with("/dev/")) {
            Some(file) => Some(format!("jq . {}", quote(file))),
            None if self.paths.len() == 1 => Some(format!("tapwire -r {} | jq .", self.captures()?)),
            None => Some(format!("tapwire replay {} | jq .", self.captures()?)),
        }
    }
}

/// The options and captures by which `show` finds what was found with these, each with a space before it.
pub(crate) fn same_again(learn: &LearnArgs, rules: &[PathBuf], two_pass: bool) -> String {
    let mut line = String::new();
    let mut add = |option: &str, value: &str| {
        let option = if option.is_empty() { String::new() } else { format!(" {option}") };
        line.push_str(&format!("{option} {}", quote(value)));
    };
    let shown = |path: &PathBuf| path.display().to_string();
    for (option, paths) in [
        ("", learn.paths.as_slice()),
        ("--data", learn.data.as_slice()),
        ("--rules", rules),
        ("--token-key", learn.token_key.as_slice()),
        ("--rsa-key", learn.keys.rsa_key.as_slice()),
        ("--config", learn.config.config.as_slice()),
        ("--context", learn.config.context.as_slice()),
    ] {
        paths.iter().for_each(|path| add(option, &shown(path)));
    }
    for (option, values) in [
        ("--keylog", &learn.keys.keylog),
        ("--decrypt-host", &learn.keys.decrypt_host),
        ("--set", &learn.config.set),
    ] {
        values.iter().for_each(|value| add(option, value));
    }
    if two_pass {
        line.push_str(" --two-pass");
    }
    line
}

/// Writes the commands that this report suggests, each with what for.
pub(crate) fn next(report: &Report, asked: &Asked, paper: &mut Paper) {
    let mut steps: Vec<(&str, String)> = Vec::new();
    if is_doubtful(report) {
        steps
            .extend(asked.doctor().map(|command| ("why not all was seen, and what to do about it", command)));
    }
    if let Some(finding) = report.findings.first() {
        let uid = finding.exchanges.first().unwrap_or(&finding.uid).to_string();
        let short = uid.get(..12).unwrap_or(&uid);
        steps.extend(asked.show(short).map(|command| ("the exchange behind the first finding", command)));
        if finding.rule.is_none() {
            steps.push(("what this finding means", format!("tapwire explain {}", finding.detector)));
        }
    }
    if report.tally.reported > 0 {
        steps.extend(asked.json().map(|command| ("every event as JSON", command)));
    }
    if !steps.is_empty() {
        paper.heading("Next");
        write(&steps, paper);
    }
}

/// Whether a look at the mirror could explain what is missing.
fn is_doubtful(report: &Report) -> bool {
    let (flow, tally) = (&report.flow, &report.tally);
    tally.reported == 0
        || flow.missed_bytes > 0
        || report.wire.cut_packets > 0
        || report.source.dropped_kernel > 0
        || is_mostly_unread(report)
        || size::most(tally.requests_alone + tally.responses_alone, tally.reported)
}

fn is_mostly_unread(report: &Report) -> bool {
    let bytes = |kind: Kind| report.protocol.flow_bytes.get(kind as usize).copied().unwrap_or(0);
    let read = bytes(Kind::Http1) + bytes(Kind::Http2) + bytes(Kind::WebSocket);
    let all = report.protocol.flow_bytes.iter().sum::<u64>();
    size::most(all.saturating_sub(read), all)
}

/// Side by side where that fits, else the reason below its command.
fn write(steps: &[(&str, String)], paper: &mut Paper) {
    let command = steps.iter().map(|(_, command)| command.chars().count()).max().unwrap_or(0);
    let why = steps.iter().map(|(why, _)| why.len()).max().unwrap_or(0);
    let beside = 2 + command + 3 + why <= paper.width();
    for (why, text) in steps {
        let why = paper.faint(why);
        if beside {
            paper.line(&format!("  {text:<command$}   {why}"));
        } else {
            paper.line(&format!("  {text}"));
            paper.line(&format!("      {why}"));
        }
    }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// As a shell takes it for one word.
pub(crate) fn quote(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c) || !c.is_ascii();
    if !word.is_empty() && word.chars().all(safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(paths: &[&str]) -> Asked {
        Asked { paths: paths.iter().map(|path| (*path).to_owned()).collect(), ..Asked::default() }
    }

    #[test]
    fn paths_are_repeated_as_a_shell_takes_them() {
        assert_eq!(captures(&["a/in.pcap"]).json().unwrap(), "tapwire -r a/in.pcap | jq .");
        assert_eq!(
            captures(&["a.pcap", "my case.pcap"]).json().unwrap(),
            "tapwire replay a.pcap 'my case.pcap' | jq ."
        );
        assert_eq!(quote("it's"), "'it'\\''s'");
    }

    #[test]
    fn standard_input_is_not_read_again() {
        assert_eq!(captures(&["-"]).doctor(), None);
        assert_eq!(captures(&["-"]).show("43ee21967049"), None);
        assert_eq!(captures(&["-"]).json(), None);
    }

    #[test]
    fn a_tap_looks_into_what_it_kept() {
        let tap = Asked { interfaces: vec!["eth0".into(), "eth1".into()], kept: true, ..Asked::default() };
        assert_eq!(tap.doctor().unwrap(), "tapwire doctor -i eth0 -i eth1");
        assert_eq!(tap.show("43ee21967049").unwrap(), "tapwire show 43ee21967049");
        let elsewhere = Asked { data: Some("/srv/tap".into()), ..tap };
        assert_eq!(elsewhere.show("43ee21967049").unwrap(), "tapwire show 43ee21967049 --data /srv/tap");
    }
}
