//! `--openapi`: descriptions of APIs, from files and folders.

use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tapwire_inventory::{Given, Inventory};
use tapwire_openapi::{Fault, Reader, Reading};

/// Faults of one argument that are printed; the others are counted.
const SHOWN: usize = 5;
/// Folders within folders.
const MAX_DEPTH: usize = 16;
/// Files of one folder.
const MAX_FILES: usize = 4096;

/// Reads what arguments name, each `FILE`, `FOLDER` or `SERVICE=FILE`. What cannot be read of one is said and left out, unless
/// nothing is left.
pub(crate) fn load<'a>(arguments: impl IntoIterator<Item = &'a String>) -> Result<Vec<Given>, Failure> {
    let (mut given, mut faults) = (Vec::new(), Vec::new());
    for argument in arguments {
        let (service, path) = split(argument);
        let reading = read(&path)?;
        if reading.descriptions.is_empty() && reading.faults.is_empty() {
            return Err(Failure::new(format!("--openapi {argument}: no file in it is an API description")));
        }
        faults.push(reading.faults);
        given.extend(reading.descriptions.into_iter().map(|description| Given {
            description: Arc::new(description),
            service: service.as_deref().map(Arc::from),
        }));
    }
    if let (Some(fault), true) = (faults.iter().flatten().next(), given.is_empty()) {
        let what = "none of the descriptions could be read; the first";
        return Err(Failure::new(format!("--openapi: {what}: {fault}")));
    }
    faults.iter().for_each(|faults| tell(faults));
    Ok(given)
}

/// Says which descriptions nothing of what was seen is in, and what to do about it.
pub(crate) fn tell_unmet(inventory: Option<&Inventory>) {
    let unmet = inventory.map(Inventory::unmet_descriptions).unwrap_or_default();
    for given in unmet.iter().take(SHOWN) {
        let file = &given.description.file;
        let hosts = given.description.servers.iter().filter_map(|server| server.host.as_deref());
        let hosts = hosts.take(SHOWN).collect::<Vec<_>>().join(", ");
        let lives = if hosts.is_empty() { String::new() } else { format!(" (it names {hosts})") };
        eprintln!(
            "tapwire: --openapi {file}: nothing that was seen is in it{lives}; where clients use another name than the \
             mirror shows, try --openapi SERVICE={file}"
        );
    }
    if let Some(more) = unmet.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        eprintln!("tapwire: --openapi: and {more} more of that kind");
    }
}

/// What describes one service, for comparing.
pub(crate) fn of_service(argument: &str, service: &str) -> Result<Vec<Given>, Failure> {
    let reading = read(Path::new(argument))?;
    if reading.descriptions.is_empty() {
        let none = || "no file in it is an API description".to_owned();
        let why = reading.faults.first().map_or_else(none, ToString::to_string);
        return Err(Failure::new(format!("--diff {argument}: {why}")));
    }
    tell(&reading.faults);
    let given = |description| Given { description: Arc::new(description), service: Some(service.into()) };
    Ok(reading.descriptions.into_iter().map(given).collect())
}

/// `SERVICE=FILE`, unless there is a file of that very name.
fn split(argument: &str) -> (Option<String>, PathBuf) {
    match argument.split_once('=') {
        Some((service, path)) if !Path::new(argument).exists() && !service.is_empty() => {
            (Some(service.to_ascii_lowercase()), path.into())
        }
        _ => (None, argument.into()),
    }
}

fn read(path: &Path) -> Result<Reading, Failure> {
    let mut reader = Reader::default();
    if path.is_dir() {
        for file in files_below(path)? {
            reader.add_any(&name(&file), &bytes(&file)?);
        }
    } else {
        reader.add(&name(path), &bytes(path)?);
    }
    // What files refer to; each round names fewer, since none is asked for twice.
    loop {
        let missing = reader.missing();
        if missing.is_empty() {
            return Ok(reader.finish());
        }
        for name in missing {
            match std::fs::read(&name) {
                Ok(bytes) => reader.add(&name, &bytes),
                Err(_) => reader.absent(&name),
            }
        }
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::new(format!("--openapi {}: {error}", path.display())))
}

/// JSON and YAML files of a folder, sorted.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed =
        |path: &Path, error: std::io::Error| Failure::new(format!("--openapi {}: {error}", path.display()));
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| failed(&folder, error))? {
            let path = entry.map_err(|error| failed(&folder, error))?.path();
            if path.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else if is_description(&path) {
                found.push(path);
            }
        }
    }
    if found.len() > MAX_FILES {
        return Err(Failure::new(format!("--openapi {}: more than {MAX_FILES} files", folder.display())));
    }
    found.sort();
    Ok(found)
}

fn is_description(path: &Path) -> bool {
    let kind = path.extension().map(|kind| kind.to_string_lossy().to_ascii_lowercase());
    matches!(kind.as_deref(), Some("json" | "yaml" | "yml"))
}

fn tell(faults: &[Fault]) {
    for fault in faults.iter().take(SHOWN) {
        let left_out = if fault.whole { "; this file is left out" } else { "" };
        eprintln!("tapwire: --openapi {fault}{left_out}");
    }
    if let Some(more) = faults.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        eprintln!("tapwire: --openapi: and {more} more of that kind");
    }
}
