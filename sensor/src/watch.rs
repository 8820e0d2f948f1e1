//! What a person sees while a run goes on, and how they end it.

use crate::failure::{Failure, visible};
use crate::size;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tapwire_capture::{LinkNotice, Pressure, SourceError};
use tapwire_pipeline::{Control, Notice, ShedLevel, Snapshot, Vitals, Watch};

/// A replay that is shorter than this shows no bar.
const BAR_AFTER: Duration = Duration::from_millis(500);

/// Set by SIGINT and SIGTERM; a second one ends the process at once.
pub(crate) fn catch_signals() -> Result<Arc<AtomicBool>, Failure> {
    stopped_by(&[SIGINT, SIGTERM])
}

/// The same, and by SIGHUP: what reads no files anew ends when its terminal goes, and keeps what it has.
pub(crate) fn catch_all_signals() -> Result<Arc<AtomicBool>, Failure> {
    stopped_by(&[SIGINT, SIGTERM, SIGHUP])
}

fn stopped_by(signals: &[i32]) -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in signals.iter().copied() {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Set by SIGHUP: a tap outlives the terminal, and reads its files again when it is asked to.
pub(crate) fn catch_hangup() -> Result<Arc<AtomicBool>, Failure> {
    let asked = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, Arc::clone(&asked))?;
    Ok(asked)
}

/// Progress on a terminal, warnings everywhere.
pub(crate) struct Terminal {
    stop: Arc<AtomicBool>,
    bar: Option<ProgressBar>,
    started: Instant,
    shedding: ShedLevel,
    shows_bar: bool,
    deadline: Option<Instant>,
    /// How the tap stands, for the console beside it.
    vitals: Live,
}

/// How a tap stands, to be read by other threads; nothing before it has begun.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(Arc<Mutex<Option<Vitals>>>);

impl Live {
    pub(crate) fn get(&self) -> Option<Vitals> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, vitals: Vitals) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(vitals);
    }
}

impl Terminal {
    /// A bar is shown for files, when standard error is a terminal and nobody asked for quiet.
    pub(crate) fn new(stop: Arc<AtomicBool>, quiet: bool, pressure: Pressure) -> Self {
        let shows_bar = !quiet && pressure == Pressure::Block && std::io::stderr().is_terminal();
        Self {
            stop,
            bar: None,
            started: Instant::now(),
            shedding: ShedLevel::None,
            shows_bar,
            deadline: None,
            vitals: Live::default(),
        }
    }

    /// Tells `vitals` how the tap stands.
    pub(crate) fn with_vitals(mut self, vitals: Live) -> Self {
        self.vitals = vitals;
        self
    }

    /// Ends the run after so long.
    pub(crate) fn with_deadline(mut self, seconds: u64) -> Self {
        self.deadline = Some(self.started + Duration::from_secs(seconds));
        self
    }

    /// Ends the run at that moment, where there is one.
    pub(crate) fn until(mut self, end: Option<Instant>) -> Self {
        self.deadline = end;
        self
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn draw(&mut self, snapshot: Snapshot) {
        let Some(progress) =
            snapshot.progress.filter(|_| self.shows_bar && self.started.elapsed() > BAR_AFTER)
        else {
            return;
        };
        let bar = self.bar.get_or_insert_with(|| new_bar(progress.bytes_total));
        bar.set_position(progress.bytes_read);
        bar.set_message(format!(
            "{} packets, {} exchanges",
            size::count(snapshot.packets),
            size::count(snapshot.exchanges)
        ));
    }

    fn say(&self, line: &str) {
        let line = visible(line);
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }
}

fn new_bar(total: Option<u64>) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    let template = match total {
        Some(_) => "{bar:30} {percent:>3} %  {msg}  {binary_bytes_per_sec}, {eta} left",
        None => "{spinner} {msg}  {binary_bytes_per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar
}

impl Watch for Terminal {
    fn tick(&mut self, snapshot: Snapshot) -> Control {
        if snapshot.shedding != self.shedding {
            self.shedding = snapshot.shedding;
            match snapshot.shedding {
                ShedLevel::None => self.say("tapwire: keeping up again: nothing is shed"),
                level => {
                    self.say(&format!("tapwire: falling behind: shedding {} from here on", level.name()))
                }
            }
        }
        self.draw(snapshot);
        let over = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if over || self.stop.load(Ordering::Relaxed) { Control::Stop } else { Control::Continue }
    }

    fn notice(&mut self, notice: &Notice) {
        self.say(&format!("tapwire: {notice}"));
    }

    fn link(&mut self, notice: &LinkNotice) {
        self.say(&format!("tapwire: {notice}"));
    }

    fn vitals(&mut self, vitals: &Vitals) {
        self.vitals.set(*vitals);
    }

    fn trouble(&mut self, error: &SourceError) {
        self.say(&format!("tapwire: {error}"));
    }
}
