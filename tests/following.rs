//! A run that goes on, with what it writes as it comes.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// How long something may take that is on its way.
const PATIENCE: Duration = Duration::from_secs(60);

/// `tapwire replay --follow`, until it is dropped.
#[derive(Debug)]
pub struct Following {
    child: Child,
    events: Receiver<String>,
    told: Receiver<String>,
}

impl Following {
    /// Follows a directory with these arguments, events on standard output.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(directory: &Path, arguments: &[&Path]) -> Self {
        let mut child = Command::new(crate::binary())
            .args(["replay", "--follow", "--events", "-"])
            .args(arguments)
            .arg(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tapwire can be started");
        let events = lines(child.stdout.take().expect("standard output"));
        let told = lines(child.stderr.take().expect("standard error"));
        Self { child, events, told }
    }

    /// Waits for the next event that is one.
    ///
    /// # Panics
    /// When none comes.
    pub fn event(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.events.recv_timeout(PATIENCE).expect("an event");
            let event: Value = serde_json::from_str(&line).expect("JSON");
            if is_it(&event) {
                return event;
            }
        }
    }

    /// Waits for the next line on standard error that contains a text.
    ///
    /// # Panics
    /// When none comes.
    pub fn wait_for(&self, text: &str) -> String {
        self.told_until(text).1
    }

    /// The same, with the lines that came before it.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn told_until(&self, text: &str) -> (Vec<String>, String) {
        let mut before = Vec::new();
        loop {
            let Ok(line) = self.told.recv_timeout(PATIENCE) else {
                panic!("\"{text}\" was not said, but: {before:?}")
            };
            if line.contains(text) {
                return (before, line);
            }
            before.push(line);
        }
    }

    /// Asks it to read its files again.
    ///
    /// # Panics
    /// When it is not there any more.
    pub fn hang_up(&self) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-HUP", &id]).status().expect("kill");
        assert!(asked.success());
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    receive
}
