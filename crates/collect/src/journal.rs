//! What was acknowledged and is not in the tables for good: on disk, in the order it came.

use crate::batch::{Checked, Pool, Way, check};
use crate::desk::{Answer, Parcel, Shared};
use crate::roll::{ITSELF, Place};
use crate::seen::Hasher;
use crate::writer::Work;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;
use tapwire_store::{Appended, Entry, Rank, Spool, StoreError};

/// Bytes of batches that are written to the disk at once.
const GROUP: usize = 8 << 20;
/// How often it looks whether the tables have more for good.
const PULSE: Duration = Duration::from_millis(200);

/// What stands before a body in the journal, in a line of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) place: Place,
    pub(crate) gzip: bool,
    /// The first and the last time of its events.
    pub(crate) span: (i64, i64),
}

impl Head {
    /// As it is written, with the body.
    pub(crate) fn with(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(body);
        bytes
    }

    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let at = memchr::memchr(b'\n', bytes)?;
        let (head, body) = bytes.split_at_checked(at)?;
        Some((serde_json::from_slice(head).ok()?, body.get(1..)?))
    }
}

/// What a former process took and did not bring into the tables for good.
#[derive(Debug, Default)]
pub struct Recovered {
    pub(crate) keys: HashSet<u64>,
    /// The first and the last time of its events.
    pub span: Option<(i64, i64)>,
    /// Events.
    pub events: u64,
}

/// Reads what a former process left. The spool is at its end then: it has to be opened again to be read again.
pub(crate) fn look(spool: &mut Spool, most: usize, hasher: &Hasher) -> Result<Recovered, StoreError> {
    let mut found = Recovered::default();
    while let Some(entry) = spool.read()? {
        let Ok((head, checked)) = read(&entry, most, hasher) else { continue };
        let (first, last) = head.span;
        found.span = Some(found.span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
        found.events += checked.marks.len() as u64;
        found.keys.extend(checked.marks.iter().map(|mark| mark.key));
    }
    Ok(found)
}

/// A batch of the journal. It was checked when it came, perhaps by another version; the error is why it is none to this one.
pub(crate) fn read(entry: &Entry, most: usize, hasher: &Hasher) -> Result<(Head, Checked), String> {
    let (head, body) = Head::split(&entry.lines).ok_or("whose they are is not said")?;
    let pool = Pool::default();
    let way = Way { gzip: head.gzip, most, place: &head.place, now_ms: None, hasher, pool: &pool };
    let checked = check(body, &way).map_err(|refusal| refusal.to_string())?;
    Ok((head, checked))
}

/// The thread that writes the journal.
pub(crate) struct Journal {
    pub(crate) spool: Spool,
    pub(crate) shared: Arc<Shared>,
    /// `None` when nothing more comes.
    pub(crate) works: Option<Sender<Work>>,
    /// Up to where the spool may let go.
    pub(crate) acknowledged: u64,
}

impl Journal {
    /// Takes batches until there are no more to come.
    pub(crate) fn run(mut self, parcels: &Receiver<Parcel>) {
        loop {
            match parcels.recv_timeout(PULSE) {
                Ok(first) => {
                    let mut bytes = first.body.len();
                    let mut group = vec![first];
                    while bytes < GROUP
                        && let Ok(next) = parcels.try_recv()
                    {
                        bytes += next.body.len();
                        group.push(next);
                    }
                    self.write(group);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.let_go();
        }
        drop(self.works.take());
        // The writer ends with what it has.
        self.shared.wait_for_writer();
        self.let_go();
    }

    fn write(&mut self, group: Vec<Parcel>) {
        let mut kept = Vec::new();
        for parcel in group {
            let bytes = parcel.head.with(&parcel.body);
            let events = parcel.checked.marks.len() as u64;
            if !self.spool.has_room(bytes.len()) {
                parcel.answer(Answer::Later);
                continue;
            }
            match self.spool.append(Rank::HIGHEST, events, &bytes) {
                Ok(Appended::Kept) => kept.push((parcel, self.spool.end())),
                Ok(Appended::NoRoom) => parcel.answer(Answer::Later),
                Err(error) => {
                    self.shared.complain(&error.to_string());
                    parcel.answer(Answer::Failed);
                }
            }
        }
        if let Err(error) = self.spool.sync() {
            self.shared.complain(&error.to_string());
            kept.into_iter().for_each(|(parcel, _)| parcel.answer(Answer::Failed));
            return;
        }
        for (parcel, until) in kept {
            let Parcel { head, checked, room, reply, .. } = parcel;
            let events = checked.marks.len() as u64;
            let sensor = head.place.name;
            if sensor != ITSELF {
                self.shared.tallies.count(&sensor, |tally| tally.events += events);
            }
            // Who does not wait for the answer any more sends it again, and it will be known then.
            let _gone = reply.send(Answer::Taken(events));
            // A writer that failed has said why, and the collector ends.
            let work = Work { sensor, checked, until, _room: room };
            let _failed = self.works.as_ref().map(|works| works.send(work));
        }
    }

    fn let_go(&mut self) {
        let until = self.shared.committed.load(Ordering::Acquire);
        if until > self.acknowledged {
            self.acknowledged = until;
            if let Err(error) = self.spool.acknowledge(until) {
                self.shared.complain(&error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(head: &Head, body: &str) -> Entry {
        Entry { offset: 0, events: 1, lines: head.with(body.as_bytes()) }
    }

    #[test]
    fn what_was_acknowledged_is_no_matter_of_versions_and_clocks() {
        let place = Place { name: "north-1".into(), ..Place::default() };
        let head = Head { place, gzip: false, span: (0, 0) };
        let hasher = Hasher::default();
        let event = |version: &str| {
            format!(
                "{{\"time\":9000000000000,\"class_uid\":6003,\"metadata\":{{\"version\":\"{version}\",\"uid\":\"ab\"}}}}\n"
            )
        };
        for version in ["1.0.0", "1.8.0", "9.0.0"] {
            let (_, checked) = read(&entry(&head, &event(version)), 1 << 20, &hasher).unwrap();
            assert_eq!(checked.marks.len(), 1, "{version}");
        }
        // What is no event at all is told.
        let why = read(&entry(&head, "{}\n"), 1 << 20, &hasher).map(|(_, checked)| checked.marks.len());
        assert!(why.is_err_and(|why| why.starts_with("line 1: ")));
        let nobodys = Entry { offset: 0, events: 1, lines: b"{}\n".to_vec() };
        assert!(read(&nobodys, 1 << 20, &hasher).is_err());
    }
}
