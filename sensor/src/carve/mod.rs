//! `carve`: the packets of exchanges and findings as pcapng.
//!
//! The capture is read three times, each time through the same stages as in `replay`: once to find the exchanges, once to
//! find where their bytes lie, once to write; and once more in between where they came in fragments. Of packets only the
//! numbers of fragments are kept in between, so a capture may be of any size.

mod audit;
mod choose;
mod findings;
mod fragments;
mod kept;
mod locate;
mod output;
mod places;
pub(crate) mod ring;
mod wordless;
mod write;

use crate::cli::{CarveArgs, ConfigArgs, OnOff, SenseArgs};
use crate::failure::{Exit, Failure};
use crate::sandbox::{Reach, confine};
use crate::sense::pipeline_config;
use crate::settings::Effective;
use crate::size::{bytes, counted};
use crate::watch::{Terminal, catch_signals};
use audit::Audit;
use choose::{Answer, Chooser, Chosen, Wish};
use fragments::{Fragments, Gatherer};
use kept::Kept;
use locate::Locator;
pub(crate) use output::{Output, failed};
use places::Places;
pub(crate) use ring::RingSource;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tapwire_capture::{FileInterface, Pressure, Source, open_files};
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Config, Followed, Follower, Member, follow};
use tapwire_protocol::Exchange;
use tapwire_store::{Directories, Reader, token_key};
use tapwire_wire::Packet;
use write::Writer;

/// `tapwire carve`.
pub(crate) fn carve(args: &CarveArgs) -> Result<Exit, Failure> {
    let (wishes, paths) = Wish::read(args)?;
    Output::check(&args.out, args.force)?;
    let mut carving = Carving::new(args, paths, catch_signals()?)?;
    carving.confine(args);
    carving.carve(args, &wishes)
}

/// The same in a process that does other things too: that stays as it is confined, and `stop` ends this.
pub(crate) fn into(args: &CarveArgs, stop: Arc<AtomicBool>) -> Result<Exit, Failure> {
    let (wishes, paths) = Wish::read(args)?;
    Output::check(&args.out, args.force)?;
    Carving::new(args, paths, stop)?.carve(args, &wishes)
}

/// The end of a sentence that says that something is not there: where connections stay closed, it may be in them.
pub(crate) fn inside_tls(sealed: u64, has_keys: bool) -> String {
    let closed = format!("; {} there could not be read", counted(sealed, "TLS connection"));
    match has_keys {
        true => format!("{closed}: the keys that were given are of others"),
        false => format!("{closed}: what was inside TLS is found with its keys only: --keylog FILE"),
    }
}

/// Connections of TLS in these captures of which nothing can be read without keys.
pub(crate) fn sealed(paths: &[PathBuf]) -> Result<u64, Failure> {
    struct Deaf;
    impl Follower for Deaf {
        fn packet(&mut self, _: &Packet<'_>, _: &FileInterface, _: Option<Member<'_>>) {}
        fn exchange(&mut self, _: &Exchange, _: &str) {}
    }
    let effective = Effective::load(&ConfigArgs::default())?;
    let sense = SenseArgs { analysis: OnOff::Off, ..SenseArgs::default() };
    // No token leaves this.
    let config = pipeline_config(&effective, &sense, TokenKey::new([0; 32]), Pressure::Block)?;
    let mut terminal = Terminal::new(Arc::default(), true, Pressure::Block);
    Ok(follow(&mut open_files(paths, None)?, &config, &mut Deaf, &mut terminal).sealed)
}

/// What the packets are of; why there are more than exchanges have.
fn contents(chosen: &Chosen, exact: bool) -> String {
    let connections: BTreeSet<u64> = chosen.spots.iter().map(|spot| spot.connection).collect();
    let around = match exact {
        true => String::new(),
        false => format!(" and all else on {}", counted(connections.len() as u64, "connection")),
    };
    let exchanges = format!("{}{around}", counted(chosen.spots.len() as u64, "exchange"));
    let wordless = &chosen.wordless;
    let more = match wordless.left_out {
        0 => String::new(),
        more => format!(" (and not of {more} more)"),
    };
    let number = wordless.connections.len() as u64;
    let silent = format!("{} without a word{more}", counted(number, "connection"));
    let parts = [(!chosen.spots.is_empty(), exchanges), (number > 0, silent)];
    let parts: Vec<String> =
        parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, part)| part).collect();
    parts.join(", and of ")
}

/// What all passes share.
struct Carving {
    /// The captures; without any, the packet ring is carved.
    paths: Vec<PathBuf>,
    data: Option<PathBuf>,
    /// The connections that have to be read of the ring, where that is known.
    labels: Option<BTreeSet<u64>>,
    effective: Effective,
    key: TokenKey,
    config: Config,
    stop: Arc<AtomicBool>,
    quiet: bool,
    /// Whether keys of TLS were given.
    has_keys: bool,
}

impl Carving {
    fn new(args: &CarveArgs, paths: Vec<PathBuf>, stop: Arc<AtomicBool>) -> Result<Self, Failure> {
        paths.iter().try_for_each(|path| choose::readable_again(path))?;
        let effective = Effective::load(&args.config)?;
        let key = load_key(args)?;
        let sense = SenseArgs { analysis: OnOff::Off, ..SenseArgs::default() };
        let mut config = pipeline_config(&effective, &sense, key.clone(), Pressure::Block)?;
        config.secrets = crate::keys::Keys::of_captures(&args.keys)?.secrets;
        let data = args.data.clone().or_else(|| Directories::from_env().data);
        let (labels, quiet) = (None, args.quiet);
        let has_keys = !args.keys.keylog.is_empty() || !args.keys.rsa_key.is_empty();
        Ok(Self { paths, data, labels, effective, key, config, stop, quiet, has_keys })
    }

    /// A capture is somebody else's; what can be done by it is little.
    fn confine(&self, args: &CarveArgs) {
        let data = self.data.as_deref();
        let reach = Reach::reading(&args.config, &args.keys, &self.effective, data);
        let reach = reach.captures(&self.paths).writing(&args.out);
        let _said_by_runs = confine(self.effective.settings.sandbox, &reach);
    }

    fn carve(&mut self, args: &CarveArgs, wishes: &[Wish]) -> Result<Exit, Failure> {
        let chosen = match self.choose(wishes)? {
            Ok(chosen) => chosen,
            Err(interrupted) => return Ok(interrupted),
        };
        let mut locator = Locator::new(&chosen);
        if self.pass(&mut locator)?.interrupted {
            return Ok(Exit::Interrupted);
        }
        let in_fragments = locator.in_fragments();
        let places = locator.into_places(args.exact);
        let fragments = if in_fragments { self.fragments(places.clone())? } else { Some(Fragments::new()) };
        let Some(fragments) = fragments else { return Ok(Exit::Interrupted) };
        let audit = Audit::open(args)?;
        let mut writer = Writer::new(&args.out, places, fragments, self.names()?)?;
        if self.pass(&mut writer)?.interrupted {
            return Ok(Exit::Interrupted);
        }
        let written = writer.finish()?;
        audit.record(args, &chosen, &self.paths, &written)?;
        written.output.keep(args.force)?;
        if !args.quiet {
            eprintln!(
                "tapwire: {} of {} ({}) in {}",
                counted(written.packets, "packet"),
                contents(&chosen, args.exact),
                bytes(written.bytes),
                args.out.display()
            );
        }
        Ok(Exit::Done)
    }

    fn open(&self) -> Result<Box<dyn Source>, Failure> {
        match &self.data {
            _ if !self.paths.is_empty() => Ok(Box::new(open_files(&self.paths, None)?)),
            Some(data) => Ok(Box::new(RingSource::open(data, self.labels.clone())?)),
            None => Err(Failure::new("carve: name captures to carve from, or --data DIR")),
        }
    }

    fn names(&self) -> Result<Vec<String>, Failure> {
        let source = self.open()?;
        Ok(source.names().all())
    }

    fn terminal(&self) -> Terminal {
        Terminal::new(Arc::clone(&self.stop), self.quiet, Pressure::Block)
    }

    /// Reads the capture once.
    fn pass(&self, follower: &mut impl Follower) -> Result<Followed, Failure> {
        let mut source = self.open()?;
        let mut terminal = self.terminal();
        let followed = follow(source.as_mut(), &self.config, follower, &mut terminal);
        terminal.finish();
        Ok(followed)
    }

    /// The fragments of what is wanted; `None` when interrupted.
    fn fragments(&self, places: Places) -> Result<Option<Fragments>, Failure> {
        let mut gatherer = Gatherer::new(places);
        if self.pass(&mut gatherer)?.interrupted {
            return Ok(None);
        }
        gatherer.into_fragments().map(Some)
    }

    /// What is wished for; `Err` within when interrupted.
    fn choose(&mut self, wishes: &[Wish]) -> Result<Result<Chosen, Exit>, Failure> {
        if let (true, Some(data)) = (self.paths.is_empty(), &self.data) {
            let kept = Kept::look_up(data, wishes)?;
            self.labels = kept.labels;
            let found = self.choose_with(wishes, &kept.answers);
            if found.is_ok() || self.labels.take().is_none() {
                return found;
            }
        }
        self.choose_with(wishes, &[])
    }

    fn choose_with(&self, wishes: &[Wish], known: &[Answer]) -> Result<Result<Chosen, Exit>, Failure> {
        let mut chooser = Chooser::new(wishes);
        chooser.wish_for(known)?;
        let mut followed = if wishes.iter().any(Wish::needs_analysis) {
            Followed::default()
        } else {
            self.pass(&mut chooser)?
        };
        for error in &followed.errors {
            eprintln!("tapwire: {error}");
        }
        if followed.interrupted {
            return Ok(Err(Exit::Interrupted));
        }
        if let Some(more) = chooser.unfulfilled() {
            let Some(meant) = findings::meant_by(self, &more)? else { return Ok(Err(Exit::Interrupted)) };
            chooser.wish_for(&meant).map_err(|failure| self.beyond_keys(failure, followed.sealed))?;
            followed = self.pass(&mut chooser)?;
            if followed.interrupted {
                return Ok(Err(Exit::Interrupted));
            }
        }
        chooser.into_chosen().map(Ok).map_err(|failure| self.beyond_keys(failure, followed.sealed))
    }

    /// What is not found may be inside TLS.
    fn beyond_keys(&self, failure: Failure, sealed: u64) -> Failure {
        match sealed {
            0 => failure,
            sealed => Failure::new(format!("{failure}{}", inside_tls(sealed, self.has_keys))),
        }
    }
}

/// Tokens in expressions are those of the events: of the data directory, where one is given.
fn load_key(args: &CarveArgs) -> Result<TokenKey, Failure> {
    let data = args.data.as_deref().map(Reader::open).transpose()?;
    let data = data.as_ref().map(Reader::directory);
    let key = token_key(args.token_key.as_deref(), data, &Directories::from_env())?;
    Ok(TokenKey::new(*key.bytes()))
}
