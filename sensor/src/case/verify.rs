//! `case verify`: was anything changed, and does the incident come out again?

use super::args::VerifyArgs;
use super::derive::{Wanted, derive};
use super::export::seconds;
use super::manifest::{FORMAT, Manifest, Sum, from_hex};
use super::pack::{Wrong, is_as_packed, unpack};
use super::stage::{CONFIGURATION, EVENTS, Stage, TOKEN_KEY, is_within};
use crate::cli::ConfigArgs;
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, print};
use crate::settings::Effective;
use crate::size::counted;
use std::path::Path;
use tapwire_store::is_signed;

pub(super) fn verify(args: &VerifyArgs) -> Result<Exit, Failure> {
    if let Some(key) =
        args.key.as_deref().filter(|key| from_hex(key.trim()).is_none_or(|key| key.len() != 32))
    {
        return Err(Failure::new(format!(
            "--key {}: no public key: 64 hexadecimal digits, as `tapwire case export` prints them",
            key.escape_debug()
        )));
    }
    let stage = Stage::in_temporary()?;
    let mut paper = Paper::new(true);
    let (bytes, signature, manifest) = match unpack(&args.case, stage.path()) {
        Ok(unpacked) => unpacked,
        Err(Wrong::Unread(failure)) => return Err(failure),
        Err(Wrong::Changed(what)) => {
            paper.row("files", &format!("CHANGED: {what}"));
            return refuted(paper);
        }
    };
    if manifest.format != FORMAT {
        return Err(Failure::new(format!(
            "{}: a case of form {}; this build reads form {FORMAT}: use tapwire {}",
            args.case.display(),
            manifest.format,
            manifest.tapwire.escape_debug()
        )));
    }
    let case = Case { manifest, stage };
    let checks: [(&str, Result<String, String>); 2] = [
        ("signature", case.signature(&bytes, &signature, args.key.as_deref())),
        ("files", case.files(&args.case)?),
    ];
    let mut is_good = true;
    for (name, check) in checks {
        is_good &= check.is_ok();
        paper.row(name, &check.unwrap_or_else(|why| format!("CHANGED: {why}")));
    }
    if !is_good {
        return refuted(paper);
    }
    match case.again() {
        Ok(told) => paper.row("derived again", &told),
        Err(why) => {
            paper.row("derived again", &format!("DIFFERENT: {why}"));
            return refuted(paper);
        }
    }
    let exported = &case.manifest.exported;
    paper.row("exported", &format!("by {} at {}", exported.by.escape_debug(), exported.time.escape_debug()));
    print(&paper.into_text(), true)?;
    Ok(Exit::Done)
}

fn refuted(mut paper: Paper) -> Result<Exit, Failure> {
    paper.row("verdict", "this case does not hold");
    print(&paper.into_text(), true)?;
    Ok(Exit::Refuted)
}

struct Case {
    manifest: Manifest,
    stage: Stage,
}

impl Case {
    /// Whose word it is.
    fn signature(&self, bytes: &[u8], signature: &str, given: Option<&str>) -> Result<String, String> {
        let key = &self.manifest.public_key;
        let (Some(public), Some(signature)) = (from_hex(key), from_hex(signature.trim())) else {
            return Err("the signature cannot be read".into());
        };
        if !is_signed(&public, bytes, &signature) {
            return Err("the manifest is not what was signed".into());
        }
        match given.map(str::trim) {
            None => Ok(format!("good, by {}; whose key that is, --key compares", key.escape_debug())),
            Some(given) if given.eq_ignore_ascii_case(key) => Ok("good, by the key that was given".into()),
            Some(_) => Err(format!("by another key: {}", key.escape_debug())),
        }
    }

    /// Whether each is what the manifest says.
    fn files(&self, archive: &Path) -> Result<Result<String, String>, Failure> {
        for (name, sum) in &self.manifest.files {
            if Sum::of(&self.stage.path().join(name))? != *sum {
                return Ok(Err(format!("{name}: has another SHA-256")));
            }
        }
        let exported: Option<jiff::Timestamp> = self.manifest.exported.time.parse().ok();
        let packed = |at| is_as_packed(archive, self.stage.path(), &self.manifest, seconds(at));
        if !exported.map(packed).transpose()?.unwrap_or_default() {
            return Ok(Err(
                "the archive has more, or other, than these files as `tapwire case export` packs them".into(),
            ));
        }
        Ok(Ok(format!("{}, each with its SHA-256", counted(self.manifest.files.len() as u64, "file"))))
    }

    /// Whether the events of the incident come out of the packets again, byte for byte.
    fn again(&self) -> Result<String, String> {
        let room = self.stage.path();
        let said = |error: Failure| error.to_string();
        // Whoever wrote the case does not say where events go, nor which files of this machine are read.
        let config = ConfigArgs { config: Some(room.join(CONFIGURATION)), ..ConfigArgs::default() };
        let settings = Effective::load(&config).map_err(said)?.settings;
        let how = &self.manifest.derivation;
        if !is_within(&settings, how, &self.manifest)
            || how.decrypt_host.iter().any(|host| host.starts_with('-'))
        {
            return Err("the configuration names files that are not in the case".into());
        }
        self.stage.configure(&settings).map_err(said)?;
        let read = |name: &str| std::fs::read(room.join(name)).map_err(|error| error.to_string());
        let before = read(EVENTS)?;
        let wanted = Wanted::Uid(self.manifest.incident.clone());
        let found = derive(room, how, Path::new(TOKEN_KEY), &wanted).map_err(said)?;
        if read(EVENTS)? != before {
            return Err(format!(
                "the events of incident {} are not those of the case{}",
                found.uid,
                self.other_build()
            ));
        }
        let events = counted(found.events, "event");
        Ok(format!("incident {}, {events}, byte for byte, from the packets in the case", found.uid))
    }

    /// Another build may learn and judge otherwise.
    fn other_build(&self) -> String {
        match self.manifest.tapwire == env!("CARGO_PKG_VERSION") {
            true => String::new(),
            false => format!(
                "; it was exported by tapwire {}, and this is {}",
                self.manifest.tapwire.escape_debug(),
                env!("CARGO_PKG_VERSION")
            ),
        }
    }
}
