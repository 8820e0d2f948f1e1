//! Traffic that is there already: captures, or the packets under `--data`, run past something that looks at every call.

use crate::carve::ring::RingSource;
use crate::cli::{ConfigArgs, OnOff, SenseArgs};
use crate::failure::Failure;
use crate::sense::{load_key, pipeline_config, redactor};
use crate::settings::Effective;
use crate::watch::{Terminal, catch_signals};
use std::path::{Path, PathBuf};
use tapwire_capture::{Pressure, Source, open_files};
use tapwire_detect::CallRules;
use tapwire_event::Redactor;
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Report, run};
use tapwire_store::{Directories, Reader};

/// Where the traffic comes from.
pub(super) struct Past<'a> {
    pub(super) captures: &'a [PathBuf],
    pub(super) data: Option<&'a Path>,
    /// The key of its tokens, where the data directory has none.
    pub(super) token_key: Option<&'a Path>,
    pub(super) config: &'a ConfigArgs,
}

impl Past<'_> {
    /// Runs it past `rules`, with no others; gives the report, and what redacts.
    pub(super) fn run(&self, rules: Box<dyn CallRules>, quiet: bool) -> Result<(Report, Redactor), Failure> {
        let effective = Effective::load(self.config)?;
        let (mut source, key) = self.open()?;
        let sense = SenseArgs { analysis: OnOff::On, quiet: true, ..SenseArgs::default() };
        let config = pipeline_config(&effective, &sense, key.clone(), Pressure::Block)?;
        config.rule_feed.put(Some(rules));
        let mut terminal = Terminal::new(catch_signals()?, quiet, Pressure::Block);
        let report = run(source.as_mut(), &config, Vec::new(), &mut terminal);
        terminal.finish();
        report.source_errors.iter().for_each(|error| eprintln!("tapwire: {error}"));
        if report.wire.packets == 0 {
            return Err(Failure::new("no packet could be read there"));
        }
        Ok((report, redactor(&effective, key)))
    }

    fn open(&self) -> Result<(Box<dyn Source>, TokenKey), Failure> {
        if !self.captures.is_empty() {
            // Callers are called as what is kept there calls them.
            let key = match self.data.filter(|_| self.token_key.is_none()) {
                Some(data) => kept_key(data)?,
                None => load_key(self.token_key, None)?,
            };
            return Ok((Box::new(open_files(self.captures, None)?), key));
        }
        let data = self.data.map(Path::to_owned).or_else(|| Directories::from_env().data);
        let data =
            data.ok_or_else(|| Failure::new("name captures, or --data DIR of a run that keeps packets"))?;
        let key = self.token_key.map_or_else(|| kept_key(&data), |file| load_key(Some(file), None))?;
        Ok((Box::new(RingSource::open(&data, None)?), key))
    }
}

/// The key by which a run there called callers.
fn kept_key(data: &Path) -> Result<TokenKey, Failure> {
    Ok(TokenKey::new(*Reader::open(data)?.token_key()?.bytes()))
}
