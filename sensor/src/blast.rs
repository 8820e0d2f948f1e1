//! `blast-radius`: whose records somebody got, by which endpoints, and what of it was not seen.

mod left;

use crate::carve::RingSource;
use crate::cli::{BlastRadiusArgs, OnOff, SenseArgs};
use crate::failure::{Exit, Failure};
use crate::keys::Keys;
use crate::lessons::Lessons;
use crate::paper::print;
use crate::sense::{load_key, pipeline_config, redactor};
use crate::settings::Effective;
use crate::stored::directory;
use crate::watch::{Terminal, catch_signals};
use crate::whom::{MIN_DIGITS, Named};
use left::Left;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tapwire_capture::{Pressure, Source, open_files};
use tapwire_detect::radius::{MAX_IDS, Radius, Target};
use tapwire_detect::{Incident, Incidents};
use tapwire_event::Redactor;
use tapwire_inspect::{Token, TokenKey};
use tapwire_inventory::Inventory;
use tapwire_pipeline::{Aside, Config, Learned, Report, run_with};
use tapwire_store::Reader;

/// `tapwire blast-radius`.
pub(crate) fn blast_radius(args: &BlastRadiusArgs) -> Result<Exit, Failure> {
    let looking = Looking::new(args, Effective::load(&args.config)?, catch_signals()?)?;
    let told = looking.told(&args.who, |left, redactor| {
        if args.json { format!("{}\n", left.json(redactor)) } else { left.page(redactor) }
    })?;
    let Some((text, nothing_read)) = told else { return Ok(Exit::Interrupted) };
    print(&text, true)?;
    Ok(if nothing_read { Exit::Operator } else { Exit::Done })
}

/// What a look that somebody waits for may take, and what captures were read with beside what the command is given.
pub(crate) struct Bounds<'b> {
    /// In bytes, as settings have it.
    pub(crate) memory: &'b str,
    pub(crate) end: Instant,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) openapi: &'b [String],
    pub(crate) bpf: Option<&'b str>,
}

/// The same as with `--json`, within bounds; `None` where these, or whoever ends the process, ended it.
pub(crate) fn within(args: &BlastRadiusArgs, bounds: Bounds<'_>) -> Result<Option<Value>, Failure> {
    let mut effective = Effective::load(&args.config)?;
    bounds.memory.clone_into(&mut effective.settings.memory);
    effective.settings.openapi.extend(bounds.openapi.iter().cloned());
    let looking = Looking::new(args, effective, bounds.stop)?;
    let looking = Looking { end: Some(bounds.end), bpf: bounds.bpf.map(str::to_owned), ..looking };
    Ok(looking.told(&args.who, |left, redactor| left.json(redactor))?.map(|(value, _)| value))
}

/// Who was asked for.
struct Who {
    asked: String,
    /// The caller, or the incident where the name leaves that open.
    named: Named,
    may_be_incident: bool,
}

impl Who {
    fn of(asked: &str) -> Result<Self, Failure> {
        let named = Named::of(asked).map_err(|_| {
            Failure::new(format!(
                "blast-radius {asked}: give at least {MIN_DIGITS} hexadecimal digits of an incident's uid, or of a caller's \
                 token, as user~… or tok:… or alone: `tapwire incidents` and `tapwire callers` have them"
            ))
        })?;
        Ok(Self { asked: asked.to_owned(), named, may_be_incident: !asked.contains(['~', ':']) })
    }

    /// What that means among these incidents and callers, in words and by whose calls; `None`: nobody.
    fn among(
        &self,
        incidents: &Incidents,
        inventory: &Inventory,
    ) -> Result<Option<(String, Target)>, Failure> {
        let Self { asked, named, may_be_incident } = self;
        let is_meant = |one: &&Incident| *may_be_incident && one.uid.to_string().starts_with(&named.digits);
        let found: Vec<&Incident> = incidents.all().iter().filter(is_meant).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(Some((format!("incident {}", one.uid), Target::incident(one)))),
            many => {
                let many = many.len();
                return Err(Failure::new(format!("{asked}: {many} incidents begin so; give more digits")));
            }
        }
        let callers = inventory.principals().callers();
        let mut callers = callers.iter().filter(|caller| {
            hex(caller.principal.token).starts_with(&named.digits)
                && named.kind.is_none_or(|kind| caller.principal.kind.name() == kind)
        });
        match (callers.next(), callers.next()) {
            (Some(one), None) => {
                let token = hex(one.principal.token);
                let name = format!("{}~{}", one.principal.kind.name(), token.get(..16).unwrap_or(&token));
                Ok(Some((name, Target::caller(one.principal.token))))
            }
            (Some(_), Some(_)) => {
                Err(Failure::new(format!("{asked}: several callers begin so; give more digits")))
            }
            (None, _) => Ok(None),
        }
    }
}

fn hex(token: Token) -> String {
    token.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who is meant, and what was learned meanwhile.
struct Meant {
    name: String,
    target: Target,
    inventory: Inventory,
    /// What of it had no room.
    left_out: u64,
}

/// Where packets come from, and how they are read.
struct Looking {
    paths: Vec<PathBuf>,
    data: Option<PathBuf>,
    lessons: Lessons,
    effective: Effective,
    key: TokenKey,
    config: Config,
    quiet: bool,
    /// Capture filter, in tcpdump's syntax.
    bpf: Option<String>,
    stop: Arc<AtomicBool>,
    /// When whoever waits for it has waited long enough.
    end: Option<Instant>,
}

impl Looking {
    fn new(args: &BlastRadiusArgs, effective: Effective, stop: Arc<AtomicBool>) -> Result<Self, Failure> {
        let lessons = Lessons::new(&args.paths, args.two_pass, &args.learn_from)?;
        let data = args.paths.is_empty().then(|| directory(args.data.clone())).transpose()?;
        let key = match (&args.token_key, &data) {
            (None, Some(data)) => TokenKey::new(*Reader::open(data)?.token_key()?.bytes()),
            (explicit, _) => load_key(explicit.as_deref(), None)?,
        };
        let rules = args.rules.clone();
        let sense = SenseArgs { analysis: OnOff::On, rules, quiet: args.json, ..SenseArgs::default() };
        let mut config = pipeline_config(&effective, &sense, key.clone(), Pressure::Block)?;
        config.secrets = Keys::of_captures(&args.keys)?.secrets;
        if lessons.twice {
            lessons.share(&mut config);
        }
        let (paths, quiet) = (args.paths.clone(), args.json);
        Ok(Self { paths, data, lessons, effective, key, config, quiet, bpf: None, stop, end: None })
    }

    /// What left, as `tell` has it, and whether no packet could be read; `None` where it was interrupted.
    fn told<T>(
        &self,
        who: &str,
        tell: impl FnOnce(&Left<'_>, &mut Redactor) -> T,
    ) -> Result<Option<(T, bool)>, Failure> {
        let Some(meant) = self.meant(&Who::of(who)?)? else { return Ok(None) };
        let mut config = self.config.clone();
        config.inspect.max_ids = MAX_IDS;
        config.radius = Some(Radius::new(meant.target));
        // Endpoints have the names by which the incident knows them.
        let learned = Learned { inventory: meant.inventory, ..Learned::new(&config) };
        let seen = self.pass(&config, Aside { learned: Some(learned), ..Aside::default() })?;
        let (Some(radius), Some(inventory), false) =
            (&seen.radius, seen.inventory.as_ref(), seen.interrupted)
        else {
            return Ok(None);
        };
        let unread = seen.source_errors.iter().map(ToString::to_string).collect();
        let left = Left::new(meant.name, radius, inventory, unread, meant.left_out);
        let nothing_read = !seen.source_errors.is_empty() && seen.wire.packets == 0;
        Ok(Some((tell(&left, &mut redactor(&self.effective, self.key.clone())), nothing_read)))
    }

    /// Who is meant; `None` where looking for that was interrupted.
    fn meant(&self, who: &Who) -> Result<Option<Meant>, Failure> {
        if let Some(kept) = self.kept(who)? {
            return Ok(Some(kept));
        }
        let Some(report) = self.detect()? else { return Ok(None) };
        let Some(inventory) = report.inventory else { return Ok(None) };
        match who.among(&report.incidents, &inventory)? {
            Some((name, target)) => Ok(Some(Meant { name, target, inventory, left_out: 0 })),
            None => Err(Failure::new(format!(
                "{}: neither an incident nor a caller of these packets begins so; both are those of the token key \
                 (--token-key FILE), and incidents those of how they were found (--two-pass, --learn-from, --rules)",
                who.asked
            ))),
        }
    }

    /// Who is meant, by what a run keeps.
    fn kept(&self, who: &Who) -> Result<Option<Meant>, Failure> {
        let Some(data) = &self.data else { return Ok(None) };
        let (learned, loads) = Learned::read(&Reader::open(data)?, &self.config)?;
        for unused in &loads.unused {
            eprintln!("tapwire: {}: {}; not used", unused.path.display(), unused.why);
        }
        let found = who.among(&learned.incidents, &learned.inventory)?;
        let left_out = loads.left_out;
        Ok(found.map(|(name, target)| Meant { name, target, inventory: learned.inventory, left_out }))
    }

    /// Finds the incidents of the packets; `None` where that was interrupted.
    fn detect(&self) -> Result<Option<Report>, Failure> {
        let mut terminal = self.terminal();
        let before = || Ok(Learned::new(&self.config));
        let taught = self.lessons.learn(self.bpf.as_deref(), before, &self.config, &mut terminal)?;
        terminal.finish();
        let Some(taught) = taught else { return Ok(None) };
        let aside = Aside { learned: taught.learned, known: taught.known, ..Aside::default() };
        let report = self.pass(&self.config, aside)?;
        Ok((!report.interrupted).then_some(report))
    }

    fn pass(&self, config: &Config, aside: Aside) -> Result<Report, Failure> {
        let mut source: Box<dyn Source> = match &self.data {
            Some(data) => Box::new(RingSource::open(data, None)?),
            None => Box::new(open_files(&self.paths, self.bpf.as_deref())?),
        };
        let mut terminal = self.terminal();
        let report = run_with(source.as_mut(), config, Vec::new(), &mut terminal, aside);
        terminal.finish();
        report.source_errors.iter().for_each(|error| eprintln!("tapwire: {error}"));
        Ok(report)
    }

    fn terminal(&self) -> Terminal {
        Terminal::new(Arc::clone(&self.stop), self.quiet, Pressure::Block).until(self.end)
    }
}
