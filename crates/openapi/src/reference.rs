//! `$ref`: within a file and across files.

use crate::at::At;
use crate::fault::{Fault, Place};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// References that lead to further references.
const MAX_HOPS: usize = 32;
/// Faults that are kept of one file.
const MAX_FAULTS: usize = 100;

/// Every file that was read, by name, and what was wrong.
pub(crate) struct Documents<'d> {
    pub(crate) files: &'d [(String, Value)],
    by_name: BTreeMap<&'d str, usize>,
    faults: BTreeSet<Fault>,
}

impl<'d> Documents<'d> {
    pub(crate) fn new(files: &'d [(String, Value)]) -> Self {
        let by_name = files.iter().enumerate().map(|(index, (name, _))| (name.as_str(), index)).collect();
        Self { files, by_name, faults: BTreeSet::new() }
    }

    pub(crate) fn into_faults(self) -> BTreeSet<Fault> {
        self.faults
    }

    /// Notes what is wrong with a value.
    pub(crate) fn fault(&mut self, at: &At<'_>, what: impl Into<String>) {
        let file = self.name(at.file).to_owned();
        if self.faults.iter().filter(|fault| fault.file == file).count() < MAX_FAULTS {
            let place = Place::Pointer(at.pointer.clone());
            self.faults.insert(Fault { file, place, what: what.into(), whole: false });
        }
    }

    pub(crate) fn name(&self, file: usize) -> &'d str {
        self.files.get(file).map_or("", |(name, _)| name.as_str())
    }

    /// The value itself, or what it refers to. `None`, with a fault, where that is not there.
    pub(crate) fn resolve(&mut self, at: At<'d>) -> Option<At<'d>> {
        let mut next = at.clone();
        for _ in 0..MAX_HOPS {
            let Some(reference) = next.text("$ref") else { return Some(next) };
            match self.target(next.file, reference) {
                Ok(target) => next = target,
                Err(why) => {
                    self.fault(&next, format!("$ref {reference}: {why}"));
                    return None;
                }
            }
        }
        self.fault(&at, "$ref: leads in a circle");
        None
    }

    /// What a reference in a file leads to.
    pub(crate) fn target(&self, file: usize, reference: &str) -> Result<At<'d>, &'static str> {
        let (name, pointer) = split(reference);
        let file = match name {
            "" => file,
            remote if is_remote(remote) => return Err("on another host, which is not asked"),
            name => match self.by_name.get(join(self.name(file), name).as_str()) {
                Some(index) => *index,
                None => return Err("that file was not read"),
            },
        };
        let (_, root) = self.files.get(file).ok_or("that file was not read")?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err("anchors are not looked up; write a JSON pointer");
        }
        let pointer = decode(pointer);
        match root.pointer(&pointer) {
            Some(node) => Ok(At { file, node, pointer }),
            None => Err("there is nothing"),
        }
    }
}

/// The files a document refers to, by the names they would be given.
pub(crate) fn files_of(name: &str, root: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut stack = vec![root];
    while let Some(next) = stack.pop() {
        match next {
            Value::Array(items) => stack.extend(items),
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let (file, _) = split(reference);
                    if !file.is_empty() && !is_remote(file) {
                        found.insert(join(name, file));
                    }
                }
                stack.extend(members.values());
            }
            _ => {}
        }
    }
    found
}

fn split(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

fn is_remote(name: &str) -> bool {
    name.contains("://") || name.starts_with("//") || name.starts_with("urn:")
}

/// A name beside another, without `.` and `..` where that can be told.
fn join(beside: &str, name: &str) -> String {
    let folder = beside.rsplit_once('/').map_or("", |(folder, _)| folder);
    let rooted = name.starts_with('/') || name.is_empty() || beside.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    let all = if name.starts_with('/') { "" } else { folder };
    for part in all.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = decode(&parts.join("/"));
    if rooted { format!("/{joined}") } else { joined }
}

/// Percent-decoding, as fragments and file names in references have it (RFC 6901, 6).
fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|_| byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_as_files_are() {
        for (beside, name, expected) in [
            ("api/shop.yaml", "common.yaml", "api/common.yaml"),
            ("api/shop.yaml", "./parts/../common.yaml", "api/common.yaml"),
            ("api/shop.yaml", "../common.yaml", "common.yaml"),
            ("shop.yaml", "../common.yaml", "../common.yaml"),
            ("/etc/api/shop.yaml", "../common.yaml", "/etc/common.yaml"),
            ("shop.yaml", "my%20parts.yaml", "my parts.yaml"),
        ] {
            assert_eq!(join(beside, name), expected, "{beside} {name}");
        }
    }
}
