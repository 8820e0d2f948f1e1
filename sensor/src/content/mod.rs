//! `content`: rules, mutes, lists and data classes as one signed file, installed without a network, each version kept.
//!
//! What is installed counts as if the configuration said it: `Effective::load` adds it, so a tap takes a new version up as it takes
//! up a changed configuration.

mod args;
mod file;
mod shelf;

pub(crate) use args::ContentAction;

use crate::context::ContextFiles;
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, print};
use crate::rules;
use crate::settings::{Effective, Settings, UserMute};
use args::{InstallArgs, ListArgs, PackArgs, RollbackArgs};
use file::Content;
use serde::{Deserialize, Serialize};
use shelf::{Shelf, Version};
use std::path::{Path, PathBuf};
use tapwire_inspect::TokenKey;
use tapwire_inspect::classes::UserClass;
use tapwire_store::SigningKey;

/// Mutes and data classes, as they are written in a configuration.
const SETTINGS: &str = "content.toml";
/// Networks, lists, owners and tags, as in a context file.
const CONTEXT: &str = "lists.toml";
/// The folder of rules.
const RULES: &str = "rules";

/// `[content]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ContentSettings {
    /// Where `tapwire content install` keeps what it installs, and runs look for it; empty: nowhere.
    pub(crate) folder: PathBuf,
    /// The public key that content has to be signed with, 64 hexadecimal digits.
    pub(crate) key: String,
}

impl Default for ContentSettings {
    fn default() -> Self {
        Self { folder: "/etc/tapwire/content".into(), key: String::new() }
    }
}

impl ContentSettings {
    /// What a case is derived with: what was installed is in its configuration by name.
    pub(crate) fn nowhere() -> Self {
        Self { folder: PathBuf::new(), key: String::new() }
    }
}

/// What [`SETTINGS`] may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Own {
    mute: Vec<UserMute>,
    data_class: Vec<UserClass>,
}

/// Adds what is installed to what the configuration says. Answers with the keys that it added to, and whose word that is.
pub(crate) fn apply(settings: &mut Settings) -> Result<Option<(u64, Vec<&'static str>)>, Failure> {
    if settings.content.folder.as_os_str().is_empty() || is_hidden(&settings.content.folder) {
        return Ok(None);
    }
    let shelf = Shelf::at(&settings.content.folder);
    let Some(version) = shelf.current()? else { return Ok(None) };
    add(settings, &shelf.there(version)?).map(|keys| Some((version, keys)))
}

/// The file that says which version is in use.
pub(crate) fn current_file(settings: &ContentSettings) -> Option<PathBuf> {
    Some(&settings.folder)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| shelf::current_file(folder))
}

/// Whether it lies where packages let the sensor's user look and nobody else: other people's commands go by neither the
/// configuration nor the content there.
fn is_hidden(folder: &Path) -> bool {
    let denied = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    folder == ContentSettings::default().folder && std::fs::metadata(folder).is_err_and(denied)
}

/// Adds what stands in the folder of one version.
fn add(settings: &mut Settings, folder: &Path) -> Result<Vec<&'static str>, Failure> {
    let mut keys = Vec::new();
    let own = folder.join(SETTINGS);
    if own.is_file() {
        let failed = |why: String| Failure::new(format!("{}: {why}", own.display()));
        let text = std::fs::read_to_string(&own).map_err(|error| failed(error.to_string()))?;
        let said: Own = toml::from_str(&text).map_err(|error| failed(error.message().to_owned()))?;
        keys.extend((!said.mute.is_empty()).then_some("mute"));
        keys.extend((!said.data_class.is_empty()).then_some("data_class"));
        settings.mute.extend(said.mute);
        settings.data_class.extend(said.data_class);
    }
    let lists = folder.join(CONTEXT);
    if lists.is_file() {
        settings.context.files.push(lists);
        keys.push("context.files");
    }
    let rules = folder.join(RULES);
    // A build that judges by no rules takes the rest.
    if rules.is_dir() && cfg!(feature = "sigma") {
        settings.rules.push(rules);
        keys.push("rules");
    }
    Ok(keys)
}

/// `tapwire content`.
pub(crate) fn carry_out(action: &ContentAction) -> Result<Exit, Failure> {
    match action {
        ContentAction::Pack(args) => pack(args),
        ContentAction::Install(args) => install(args),
        ContentAction::List(args) => list(args),
        ContentAction::Rollback(args) => roll_back(args),
    }
}

fn pack(args: &PackArgs) -> Result<Exit, Failure> {
    let (content, left_out) = Content::of(&args.folder, &args.name, args.version)?;
    let (key, is_new) = SigningKey::open(&args.sign)?;
    if args.out.exists() && !args.force {
        return Err(Failure::new(format!("{}: exists; --force replaces it", args.out.display())));
    }
    let failed = |error| Failure::new(format!("{}: {error}", args.out.display()));
    std::fs::write(&args.out, content.signed(&key)?).map_err(failed)?;
    if !left_out.is_empty() {
        eprintln!(
            "tapwire: {}: left out, since it is no content: {}",
            args.folder.display(),
            left_out.join(", ")
        );
    }
    if is_new {
        eprintln!("tapwire: {}: made; keep it to yourself", args.sign.display());
    }
    let public = crate::case::hex(key.public_key());
    eprintln!(
        "tapwire: {} {} in {}; public key {public}",
        content.name(),
        content.version(),
        args.out.display()
    );
    Ok(Exit::Done)
}

fn install(args: &InstallArgs) -> Result<Exit, Failure> {
    // What is installed and broken must not keep what mends it away.
    let settings = Effective::without_content(&args.config)?.settings;
    let key = match (&args.key, settings.content.key.as_str()) {
        (Some(key), _) => key.clone(),
        (None, "") => {
            return Err(Failure::new(
                "content install: by whom? give their public key: --key HEX, or content.key in the configuration",
            ));
        }
        (None, key) => key.to_owned(),
    };
    let shelf = shelf(&settings)?;
    let bytes = file::bytes_of(&args.file)?;
    let named = |error: Failure| Failure::new(format!("{}: {error}", args.file.display()));
    let content = Content::read(&bytes, &key).map_err(named)?;
    let before = shelf.current()?;
    if let Some(current) = before.filter(|current| content.version() <= *current && !args.force) {
        return Err(named(Failure::new(format!(
            "version {} is not newer than {current}, which is installed; --force installs it all the same",
            content.version()
        ))));
    }
    shelf.put(&content, &bytes, &|folder| check(&settings, folder)).map_err(named)?;
    shelf.choose(content.version(), "install")?;
    eprintln!(
        "tapwire: {} {} is installed in {}; a tap takes it up by itself",
        content.name(),
        content.version(),
        shelf.folder().display()
    );
    Ok(Exit::Done)
}

/// Whether everything in it can be used with this configuration, before it counts.
fn check(settings: &Settings, folder: &Path) -> Result<(), Failure> {
    let mut settings = settings.clone();
    add(&mut settings, folder)?;
    settings.mutes()?;
    let effective = Effective::of(settings)?;
    ContextFiles::of(&effective, TokenKey::new([0; 32])).read()?;
    let rules = folder.join(RULES);
    let own = rules.is_dir().then_some(rules);
    match rules::Source::of(own.as_slice(), &[]).fault()? {
        Some(fault) => Err(Failure::new(fault)),
        None => Ok(()),
    }
}

fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let settings = Effective::without_content(&args.config)?.settings;
    let shelf = shelf(&settings)?;
    let (versions, current) = (shelf.versions(&settings.content.key)?, shelf.current()?);
    let mut paper = Paper::new(true);
    for Version { number, name, files, changed } in &versions {
        let is_used = current == Some(*number);
        if args.json {
            let line = serde_json::json!({
                "version": number, "name": name, "files": files, "in_use": is_used, "changed": changed,
            });
            paper.line(&line.to_string());
            continue;
        }
        let mut told = vec![format!("{name}, {}", crate::size::counted(*files as u64, "file"))];
        told.extend(is_used.then(|| "in use".to_owned()));
        told.extend(changed.as_ref().map(|file| format!("CHANGED since it was signed: {file}")));
        paper.row(&number.to_string(), &told.join("; "));
    }
    if versions.is_empty() && !args.json {
        paper.line(&format!("no content is installed in {}", shelf.folder().display()));
    }
    print(&paper.into_text(), true)?;
    if let Some(current) = current {
        shelf.there(current)?;
    }
    let is_whole = versions.iter().all(|version| version.changed.is_none());
    Ok(if is_whole { Exit::Done } else { Exit::Refuted })
}

fn roll_back(args: &RollbackArgs) -> Result<Exit, Failure> {
    let settings = Effective::without_content(&args.config)?.settings;
    let shelf = shelf(&settings)?;
    let current = shelf.current()?.ok_or_else(|| Failure::new("content rollback: nothing is installed"))?;
    let versions = shelf.versions(&settings.content.key)?;
    let wanted = match args.to {
        Some(wanted) => versions.iter().find(|version| version.number == wanted),
        None => versions.iter().rev().find(|version| version.number < current),
    };
    let Version { number: wanted, changed, .. } = wanted.ok_or_else(|| {
        let kept: Vec<String> = versions.iter().map(|version| version.number.to_string()).collect();
        Failure::new(format!("content rollback: no such version; kept are {}", kept.join(", ")))
    })?;
    let wanted = *wanted;
    if let Some(file) = changed {
        return Err(Failure::new(format!(
            "content rollback: version {wanted} was changed since it was signed: {file}; `tapwire content install --force` takes its \
             signed file anew"
        )));
    }
    check(&settings, &shelf.folder_of(wanted))?;
    shelf.choose(wanted, "rollback")?;
    eprintln!("tapwire: version {wanted} is used again instead of {current}");
    Ok(Exit::Done)
}

fn shelf(settings: &Settings) -> Result<Shelf, Failure> {
    match settings.content.folder.as_os_str().is_empty() {
        true => Err(Failure::new("content.folder is empty: set it to where content is kept")),
        false => Ok(Shelf::at(&settings.content.folder)),
    }
}
