//! Files in, descriptions and faults out.

use crate::at::At;
use crate::document;
use crate::fault::Fault;
use crate::model::{Description, Dialect};
use crate::operation::{Shared, texts};
use crate::reference::{self, Documents};
use crate::schema::SchemaReader;
use crate::security;
use crate::server::Server;
use serde_json::Value;
use std::collections::BTreeSet;

/// Files of one reading.
const MAX_FILES: usize = 4096;
/// Paths of one description.
const MAX_PATHS: usize = 100_000;

/// What was read.
#[derive(Debug, Default)]
pub struct Reading {
    /// In the order of their files.
    pub descriptions: Vec<Description>,
    /// What could not be read, by file and place.
    pub faults: Vec<Fault>,
}

/// Takes files, and reads the descriptions among them.
///
/// A file may refer to others: ask [`Reader::missing`] for them and add what there is, until it names none, then
/// [`Reader::finish`].
#[derive(Default)]
pub struct Reader {
    files: Vec<(String, Value)>,
    faults: Vec<Fault>,
    /// Names that were added, found or not.
    asked: BTreeSet<String>,
    /// Of these, those that need not be descriptions.
    any: BTreeSet<String>,
    wanted: BTreeSet<String>,
}

impl Reader {
    /// Adds a file of a folder, which need not be a description.
    pub fn add_any(&mut self, name: &str, bytes: &[u8]) {
        self.any.insert(name.to_owned());
        self.add(name, bytes);
    }

    /// Adds a file by its name, with `/` between folders.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        if !self.take(name) {
            return;
        }
        match document::parse(name, bytes) {
            Ok(root) => {
                self.wanted.extend(reference::files_of(name, &root));
                self.files.push((name.to_owned(), root));
            }
            Err(fault) => self.faults.push(fault),
        }
    }

    /// Says that a file which others refer to cannot be read; each reference to it becomes a fault.
    pub fn absent(&mut self, name: &str) {
        self.take(name);
    }

    /// Files that others refer to and that were not added, sorted.
    pub fn missing(&self) -> Vec<String> {
        if self.asked.len() >= MAX_FILES {
            return Vec::new();
        }
        self.wanted.difference(&self.asked).cloned().collect()
    }

    /// Reads every description among the files. A file that is none serves references only.
    pub fn finish(self) -> Reading {
        let mut reading = Reading { descriptions: Vec::new(), faults: self.faults };
        let mut faults = BTreeSet::new();
        for (index, (name, root)) in self.files.iter().enumerate() {
            let at = At::root(index, root);
            match dialect(&at) {
                Ok(Some(dialect)) => {
                    let (description, more) = read(&at, dialect, &self.files);
                    reading.descriptions.push(description);
                    faults.extend(more);
                }
                Ok(None) if self.wanted.contains(name) || self.any.contains(name) => {}
                Ok(None) => {
                    reading
                        .faults
                        .push(Fault::file(name, "no API description: `openapi` or `swagger` is not there"));
                }
                Err(what) => reading.faults.push(Fault::file(name, what)),
            }
        }
        reading.faults.extend(faults);
        reading.faults.sort();
        reading
    }

    fn take(&mut self, name: &str) -> bool {
        self.asked.len() < MAX_FILES && self.asked.insert(name.to_owned())
    }
}

/// The version a file is written in, if it is a description.
fn dialect(at: &At<'_>) -> Result<Option<Dialect>, String> {
    let version = |key: &str| match at.node.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    if let Some(version) = version("openapi") {
        return match version.as_str() {
            version if version.starts_with("3.0") => Ok(Some(Dialect::V30)),
            version if version.starts_with("3.") => Ok(Some(Dialect::V31)),
            _ => Err("openapi: no version that is known; there are 2.0, 3.0 and 3.1".into()),
        };
    }
    match version("swagger") {
        Some(version) if version.starts_with('2') => Ok(Some(Dialect::V2)),
        Some(_) => Err("swagger: no version that is known; there are 2.0, 3.0 and 3.1".into()),
        None => Ok(None),
    }
}

fn read<'d>(at: &At<'d>, dialect: Dialect, files: &'d [(String, Value)]) -> (Description, BTreeSet<Fault>) {
    let list = |key: &str| at.get(key).map(|list| texts(&list)).unwrap_or_default();
    let mut shared = Shared {
        dialect,
        security: at.get("security").map(|own| security::requirements(&own)).unwrap_or_default(),
        consumes: list("consumes"),
        produces: list("produces"),
        documents: Documents::new(files),
        schemas: SchemaReader::default(),
    };
    let mut paths = Vec::new();
    match at.get("paths") {
        Some(all) => {
            let items = all.members().filter(|(template, _)| !template.starts_with("x-"));
            for (template, item) in items.take(MAX_PATHS) {
                if template.starts_with('/') {
                    paths.extend(shared.path_item(template, item));
                } else {
                    shared.documents.fault(&item, "a path has to begin with a slash");
                }
            }
        }
        None if dialect == Dialect::V31 => {}
        None => shared.documents.fault(at, "`paths` is not there"),
    }
    let schemes = match dialect {
        Dialect::V2 => at.get("securityDefinitions"),
        Dialect::V30 | Dialect::V31 => at.get("components").and_then(|all| all.get("securitySchemes")),
    };
    let Shared { mut documents, schemas, .. } = shared;
    let security_schemes = security::schemes(schemes.as_ref(), &mut documents);
    let info = |key: &str| at.node.get("info").and_then(|info| info.get(key)?.as_str()).unwrap_or_default();
    let description = Description {
        file: documents.name(at.file).to_owned(),
        title: info("title").to_owned(),
        version: info("version").to_owned(),
        dialect,
        servers: servers(at, dialect),
        paths,
        security_schemes,
        schemas: schemas.finish(&mut documents),
    };
    (description, documents.into_faults())
}

fn servers(at: &At<'_>, dialect: Dialect) -> Vec<Server> {
    if dialect == Dialect::V2 {
        return vec![Server::of_swagger(at)];
    }
    let list = at.get("servers");
    let mut all: Vec<Server> = list
        .iter()
        .flat_map(|list| list.items().collect::<Vec<_>>())
        .flat_map(|one| Server::read(&one))
        .collect();
    if all.is_empty() {
        all.push(Server::default());
    }
    all
}
