//! `case export`: an incident, its packets, and all that it takes to derive it again.

use super::args::ExportArgs;
use super::derive::{Found, Wanted, arguments, derive, run};
use super::manifest::{Derivation, Exported, FORMAT, Manifest, hex};
use super::pack::pack;
use super::report::Report;
use super::stage::{MANIFEST, PACKETS, SIGNATURE, Stage, TOKEN_KEY};
use crate::carve::Output;
use crate::failure::{Exit, Failure};
use crate::settings::{Effective, Settings};
use crate::size::{bytes, counted};
use crate::whom::{MIN_DIGITS, is_beginning};
use std::path::{Path, PathBuf};
use tapwire_store::{AuditLog, Directories, SigningKey, token_key};

/// Exchanges that are carved one by one.
const MOST_CARVED: usize = 1_000;
pub(super) fn export(args: &ExportArgs) -> Result<Exit, Failure> {
    check(args)?;
    Output::check(&args.out, args.force)?;
    if args.sign.exists() {
        // Whether it is one is said before the work; where there is none it is made when the case stands.
        SigningKey::open(&args.sign)?;
    }
    let mut stage = Stage::beside(&args.out)?;
    let (how, settings) = collect(args, &mut stage)?;
    stage.configure(&settings)?;
    stage.make_key()?;
    let (found, known_as) = find(args, &stage, &how)?;
    carve(&stage, &how, &found)?;
    let (seal, is_new) = SigningKey::open(&args.sign)?;
    let now = jiff::Timestamp::now();
    let mut manifest = Manifest {
        format: FORMAT,
        tapwire: env!("CARGO_PKG_VERSION").into(),
        incident: found.uid.clone(),
        known_as,
        exported: exported(args, now),
        derivation: how,
        inputs: stage.inputs().to_vec(),
        files: stage.sums()?,
        public_key: hex(seal.public_key()),
    };
    let by_hand = arguments(&manifest.derivation, Path::new(TOKEN_KEY), "events-again.jsonl").join(" ");
    let report = Report::of(&found, &manifest, &format!("tapwire {by_hand}"));
    stage.write("report.md", report.markdown().as_bytes())?;
    stage.write("report.html", report.html().as_bytes())?;
    manifest.files = stage.sums()?;
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| Failure::new(error.to_string()))?;
    stage.write(MANIFEST, text.as_bytes())?;
    stage.write(SIGNATURE, hex(&seal.sign(text.as_bytes())).as_bytes())?;
    let mut out = Output::create(&args.out)?;
    pack(stage.path(), &manifest, &mut out, seconds(now))
        .map_err(|error| crate::carve::failed(&args.out, &error))?;
    let (size, sha256) = (out.bytes(), out.sha256());
    record(args, &manifest, &sha256)?;
    out.keep(args.force)?;
    if is_new {
        eprintln!("tapwire: {}: made; keep it to yourself", args.sign.display());
    }
    eprintln!(
        "tapwire: incident {} with {} in {} ({}); public key {}",
        found.uid.get(..12).unwrap_or(&found.uid),
        counted(found.events, "event"),
        args.out.display(),
        bytes(size),
        manifest.public_key
    );
    Ok(Exit::Done)
}

/// When the files of a case say that they were changed.
pub(super) fn seconds(exported: jiff::Timestamp) -> u64 {
    u64::try_from(exported.as_second()).unwrap_or_default()
}

fn check(args: &ExportArgs) -> Result<(), Failure> {
    let digits = &args.incident;
    if !is_beginning(digits) {
        return Err(Failure::new(format!(
            "case export {digits}: give at least {MIN_DIGITS} hexadecimal digits of an incident's uid: `tapwire incidents` has them"
        )));
    }
    if args.out.as_os_str() == "-" {
        return Err(Failure::new("-w -: a case is a file that stays; name one"));
    }
    if !args.keys.rsa_key.is_empty() {
        return Err(Failure::new(
            "--rsa-key: a case would give the server's private key away; export the connections' secrets with --keylog",
        ));
    }
    Ok(())
}

/// Puts in what the incident comes out of.
fn collect(args: &ExportArgs, stage: &mut Stage) -> Result<(Derivation, Settings), Failure> {
    let mut settings = Effective::load(&args.config)?.settings;
    let mut all = |role: &str, paths: &[PathBuf]| -> Result<Vec<String>, Failure> {
        paths.iter().map(|path| stage.take(role, path)).collect()
    };
    let mut captures = all("captures", &args.paths)?;
    if let (true, Some(data)) = (captures.is_empty(), &args.data) {
        captures.push(stage.take_ring("captures", data)?);
    }
    let mut all = |role: &str, paths: &[PathBuf]| -> Result<Vec<String>, Failure> {
        paths.iter().map(|path| stage.take(role, path)).collect()
    };
    let how = Derivation {
        captures,
        two_pass: args.two_pass,
        learn_from: all("learned", &args.learn_from)?,
        keylogs: all("secrets", &args.keys.keylog.iter().map(PathBuf::from).collect::<Vec<_>>())?,
        decrypt_host: args.keys.decrypt_host.clone(),
    };
    settings.rules.extend(args.rules.iter().cloned());
    for (role, paths) in [
        ("rules", &mut settings.rules),
        ("context", &mut settings.context.files),
        ("proto", &mut settings.inspect.proto),
    ] {
        *paths = all(role, paths)?.into_iter().map(PathBuf::from).collect();
    }
    settings.openapi.extend(args.openapi.iter().cloned());
    for named in &mut settings.openapi {
        let (service, path) = match named.split_once('=') {
            Some((service, path)) if !Path::new(named.as_str()).exists() => (format!("{service}="), path),
            _ => (String::new(), named.as_str()),
        };
        *named = format!("{service}{}", stage.take("openapi", Path::new(path))?);
    }
    Ok((how, settings))
}

/// Derives the incident with the case's own key. Where its uid is another one by that, it is found with the operator's key
/// first, and recognised by what it began with. The uid that it was asked for by comes with it.
fn find(args: &ExportArgs, stage: &Stage, how: &Derivation) -> Result<(Found, String), Failure> {
    let (room, own) = (stage.path(), Path::new(TOKEN_KEY));
    let asked = Wanted::Uid(args.incident.to_ascii_lowercase());
    if let Ok(found) = derive(room, how, own, &asked) {
        let uid = found.uid.clone();
        return Ok((found, uid));
    }
    let key = token_key(args.token_key.as_deref(), args.data.as_deref(), &Directories::from_env())?;
    let path = std::path::absolute(&key.path)?;
    let named = |error: Failure| {
        Failure::new(format!("case export {}: {error}{}", args.incident, beyond_keys(stage, how)))
    };
    let known = derive(room, how, &path, &asked).map_err(named)?;
    let wanted = Wanted::Beginning(Box::new(known.beginning));
    Ok((derive(room, how, own, &wanted).map_err(named)?, known.uid))
}

/// Whether it may be that the incident does not come out because what shows it was inside TLS; where keys were given, the
/// replay has said what it could not open.
fn beyond_keys(stage: &Stage, how: &Derivation) -> String {
    if !how.keylogs.is_empty() {
        return String::new();
    }
    let captures: Vec<PathBuf> = how.captures.iter().map(|path| stage.path().join(path)).collect();
    match crate::carve::sealed(&captures) {
        Ok(sealed @ 1..) => crate::carve::inside_tls(sealed, false),
        // What is wrong with captures was said when they were replayed.
        Ok(0) | Err(_) => String::new(),
    }
}

/// The connections that the incident's findings show.
fn carve(stage: &Stage, how: &Derivation, found: &Found) -> Result<(), Failure> {
    let mut line: Vec<String> = vec!["carve".into()];
    line.extend(found.exchanges.iter().take(MOST_CARVED).cloned());
    line.extend(how.captures.iter().cloned());
    let options =
        [("--write", PACKETS), ("--token-key", TOKEN_KEY), ("--config", super::stage::CONFIGURATION)];
    line.extend(options.iter().flat_map(|(option, value)| [(*option).to_owned(), (*value).to_owned()]));
    for (option, values) in [("--keylog", &how.keylogs), ("--decrypt-host", &how.decrypt_host)] {
        line.extend(values.iter().flat_map(|value| [option.to_owned(), value.clone()]));
    }
    line.push("--quiet".into());
    run(stage.path(), &line)?;
    // The case has a record of its own.
    let _ = std::fs::remove_file(stage.path().join(format!("{PACKETS}.audit.jsonl")));
    Ok(())
}

fn exported(args: &ExportArgs, now: jiff::Timestamp) -> Exported {
    let user = nix::unistd::getuid();
    let name = || nix::unistd::User::from_uid(user).ok().flatten().map(|user| user.name);
    let command = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    Exported {
        time: now.to_string(),
        by: args.by.clone().or_else(name).unwrap_or_else(|| "unknown".into()),
        user_id: user.as_raw(),
        command: std::iter::once("tapwire".to_owned()).chain(without_settings(command)).collect(),
    }
}

/// Settings may hold tokens of receivers: their names stay, and what matters of them is in the configuration beside.
fn without_settings(command: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let mut is_setting = false;
    command.map(move |argument| {
        let setting = if is_setting { Some(argument.as_str()) } else { argument.strip_prefix("--set=") };
        let named = setting.and_then(|setting| setting.split_once('=')).map(|(name, _)| name);
        let told = match named {
            Some(name) if is_setting => format!("{name}=…"),
            Some(name) => format!("--set={name}=…"),
            None => argument.clone(),
        };
        is_setting = argument == "--set";
        told
    })
}

/// Packets leave with it: that is recorded beside it, as of what is carved.
fn record(args: &ExportArgs, manifest: &Manifest, sha256: &str) -> Result<(), Failure> {
    let mut beside = args.out.as_os_str().to_owned();
    beside.push(".audit.jsonl");
    let Exported { time, by, user_id, .. } = &manifest.exported;
    let line = serde_json::json!({
        "time": time, "action": "case export", "user_id": user_id, "by": by, "incident": manifest.known_as,
        "output": std::path::absolute(&args.out)?.display().to_string(), "sha256": sha256,
    });
    Ok(AuditLog::open(&PathBuf::from(beside))?.append(format!("{line}\n").as_bytes())?)
}
