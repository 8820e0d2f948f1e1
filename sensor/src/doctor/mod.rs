//! `doctor`: is this mirror good, and if not, why, and what to do about it.

mod ailment;
mod arrival;
mod copies;
mod damage;
mod look;
mod loss;
mod observed;
mod page;
mod sizing;
mod unread;

pub(crate) use ailment::{Ailment, ailments};

use crate::cli::{DoctorArgs, OnOff, SenseArgs};
use crate::failure::{Exit, Failure};
use crate::paper::print;
use crate::sandbox::{Reach, confine_and_tell};
use crate::sense::{pipeline_config, redactor};
use crate::settings::{Effective, size_of_key};
use crate::watch::{Terminal, catch_signals};
use ailment::{Case, diagnose};
use look::Look;
use observed::{Observed, Refused};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tapwire_capture::{
    Filter, InterfaceSource, Pressure, SMALLEST_RING, Source, drop_privileges, open_files,
};
use tapwire_inspect::TokenKey;
use tapwire_pipeline::{Report, run};
use tapwire_wire::LinkType;

/// `tapwire doctor`.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<Exit, Failure> {
    let effective = Effective::load(&args.config)?;
    let stop = catch_signals()?;
    let visit = Visit { args, effective: &effective, stop };
    let examined = match (args.interfaces.is_empty(), args.paths.is_empty()) {
        (true, true) => return Err(Failure::new("doctor: name a capture, or an interface with -i IFACE")),
        (false, false) => return Err(Failure::new("doctor: give either interfaces or captures, not both")),
        (true, false) => visit.captures()?,
        (false, true) => visit.interfaces()?,
    };
    let report = &examined.report;
    for error in &report.source_errors {
        eprintln!("tapwire: {error}");
    }
    if !report.source_errors.is_empty() && report.wire.packets == 0 {
        return Ok(Exit::Operator);
    }
    let case = examined.case(args.bpf.as_deref());
    let found = diagnose(&case);
    let needs = if args.size { sizing::needs(&case) } else { None };
    let needs = needs.as_ref();
    let page = if args.json { page::json(&case, &found, needs) } else { page::text(&case, &found, needs) };
    print(&page, true)?;
    Ok(Exit::Done)
}

/// What was asked for.
struct Visit<'a> {
    args: &'a DoctorArgs,
    effective: &'a Effective,
    stop: Arc<AtomicBool>,
}

/// What was seen.
struct Examined {
    report: Report,
    look: Look,
    refused: Option<Refused>,
    pressure: Pressure,
    ring: u64,
}

impl Examined {
    fn case<'a>(&'a self, filter: Option<&'a str>) -> Case<'a> {
        let Self { report, look, refused, pressure, ring } = self;
        Case { report, look, refused: refused.as_ref(), filter, pressure: *pressure, ring: *ring }
    }
}

/// How long is looked at what the filter keeps away.
const SECOND_LOOK: Duration = Duration::from_secs(1);

impl Visit<'_> {
    /// The filter works here and not in the source, so that what it refuses is seen.
    fn captures(&self) -> Result<Examined, Failure> {
        // A capture may bring secrets along.
        crate::keys::keep_to_oneself()?;
        let mut source = open_files(&self.args.paths, None)?;
        self.confine(true);
        let terminal = Terminal::new(Arc::clone(&self.stop), self.args.json, Pressure::Block);
        self.examine(&mut source, self.args.bpf.as_deref(), terminal)
    }

    fn interfaces(&self) -> Result<Examined, Failure> {
        let (args, settings) = (self.args, &self.effective.settings);
        if args.seconds == Some(0) {
            return Err(Failure::new("--seconds 0: nothing can be seen in no time; give 1 or more"));
        }
        self.effective.suits_a_tap()?;
        let ring = size_of_key("capture.ring", &settings.capture.ring)?;
        let mut source = InterfaceSource::open_many(&args.interfaces, args.bpf.as_deref(), ring)?;
        // Opened now, while that is allowed; what it kept is a sample of the same time.
        let unfiltered = args.bpf.as_ref().map(|_| InterfaceSource::open_many(&args.interfaces, None, 0));
        let unfiltered = unfiltered.transpose()?;
        drop_privileges(Some(settings.capture.user.as_str()))?;
        self.confine(args.json);
        let seconds = args.seconds.unwrap_or(if args.size { 60 } else { 10 });
        eprintln!("tapwire: listening for {seconds} s on {}", args.interfaces.join(", "));
        let terminal = Terminal::new(Arc::clone(&self.stop), true, Pressure::Shed).with_deadline(seconds);
        let mut examined = self.examine(&mut source, None, terminal)?;
        examined.ring = ring.max(SMALLEST_RING) as u64;
        if let Some((mut unfiltered, filter)) = unfiltered.zip(args.bpf.as_deref()) {
            examined.refused = Some(self.second_look(&mut unfiltered, filter)?);
        }
        Ok(examined)
    }

    /// What a run is confined by on this machine is said with it.
    fn confine(&self, quiet: bool) {
        let reach = Reach::looking(&self.args.config, self.effective).captures(&self.args.paths);
        confine_and_tell(self.effective.settings.sandbox, &reach, quiet);
    }

    fn examine(
        &self,
        source: &mut dyn Source,
        filter: Option<&str>,
        mut terminal: Terminal,
    ) -> Result<Examined, Failure> {
        let pressure = source.pressure();
        // What is sized for is what `run` does by default.
        let analysis = if self.args.size { OnOff::On } else { OnOff::Off };
        let args = SenseArgs { analysis, ..SenseArgs::default() };
        // Nothing that needs a token leaves, so no key is looked for and none is made.
        let key = TokenKey::new([0; 32]);
        let config = pipeline_config(self.effective, &args, key.clone(), pressure)?;
        let scale = self.args.size.then(|| sizing::scale(redactor(self.effective, key)));
        let mut observed = Observed::new(source, filter, &config.wire)?;
        let report = run(&mut observed, &config, scale.into_iter().collect(), &mut terminal);
        terminal.finish();
        let (look, refused) = observed.finish();
        Ok(Examined { report, look, refused, pressure, ring: 0 })
    }

    /// What comes without the filter, and would not come with it.
    fn second_look(&self, source: &mut InterfaceSource, filter: &str) -> Result<Refused, Failure> {
        let mut refused = Refused::new(&self.effective.settings.wire);
        let mut filter = Filter::new(filter, LinkType::ETHERNET)?;
        let until = Instant::now() + SECOND_LOOK;
        while Instant::now() < until {
            source.dispatch(&mut |packet| {
                if !filter.accepts(&packet).unwrap_or(true) {
                    refused.packet(&packet, &mut filter);
                }
            })?;
        }
        Ok(refused)
    }
}
