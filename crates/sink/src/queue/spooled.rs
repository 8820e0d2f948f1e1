//! The part of a queue's state that waits on disk.

use std::fs::File;
use std::time::Instant;

use tapwire_store::{Amount, Appended, Damage, Rank};

use super::load::split;
use super::{Limits, State};
use crate::{Batch, DropReason, Notice, SinkError, Tally};

impl State {
    /// Counts what a former run left.
    pub(super) fn resume(&mut self) {
        let Some(spool) = &mut self.spool else { return };
        let left = tally(spool.unread());
        let damage = spool.take_damage();
        (self.counts.resumed, self.held, self.ready) = (left, left, left);
        // What could not be read was not counted in.
        damage.into_iter().for_each(|damage| self.tell(damage));
    }

    /// Puts a batch where it waits, as far as there is room.
    pub(super) fn keep(&mut self, batch: &Batch, shown: &str, limits: &Limits) {
        if self.spool.is_none() {
            self.count_in(Tally::of(batch.events(), batch.bytes().len()));
            self.place += u64::from(batch.events());
            self.waiting.extend(split(batch, self.place, limits));
            self.stamp(batch, self.place);
            return;
        }
        let mut failed = None;
        for (rank, events, lines) in batch.runs() {
            let amount = Tally::of(events, lines.len());
            let rank = Rank::new(rank).unwrap_or(Rank::HIGHEST);
            let Some(spool) = self.spool.as_mut().filter(|_| failed.is_none()) else {
                self.drop_for(DropReason::WriteFailed, amount, failed.clone());
                self.skip(amount);
                continue;
            };
            match spool.append(rank, events.into(), lines) {
                Ok(Appended::Kept) => self.count_in(amount),
                Ok(Appended::NoRoom) => {
                    let error =
                        SinkError::SpoolFull { destination: shown.to_owned(), bytes: limits.spool_bytes };
                    self.drop_for(DropReason::SpoolFull, amount, Some(error));
                    self.skip(amount);
                }
                Err(error) => {
                    let error =
                        SinkError::Write { destination: "the spool".into(), cause: error.to_string() };
                    self.drop_for(DropReason::WriteFailed, amount, Some(error.clone()));
                    self.skip(amount);
                    failed = Some(error);
                }
            }
        }
        let end = self.spool.as_ref().map_or(0, |spool| spool.end());
        self.stamp(batch, end);
    }

    /// Follows a batch until the receiver has what stands before `until`.
    fn stamp(&mut self, batch: &Batch, until: u64) {
        if let Some(captured) = batch.captured {
            self.stamps.add(until, batch.events().into(), captured);
        }
    }

    /// What was lost on the way into the spool has numbers all the same: the receiver sees the gap.
    fn skip(&mut self, amount: Tally) {
        if let Some(spool) = &mut self.spool {
            spool.skip(amount.events);
        }
    }

    fn count_in(&mut self, amount: Tally) {
        self.held.add(amount);
        self.ready.add(amount);
        self.oldest.get_or_insert_with(Instant::now);
    }

    /// Reads of the spool what the next request may carry.
    pub(super) fn read_on(&mut self, limits: &Limits) {
        let Some(spool) = &mut self.spool else { return };
        let mut read = Tally::default();
        self.waiting.iter().for_each(|piece| read.add(piece.amount));
        while read.bytes < limits.request_bytes as u64 && read.events < u64::from(limits.request_events) {
            match spool.read() {
                Ok(Some(entry)) => {
                    self.unreadable = false;
                    let events = u32::try_from(entry.events).unwrap_or(u32::MAX);
                    read.add(Tally::of(events, entry.lines.len()));
                    let batch = Batch::new(entry.lines, events);
                    self.waiting.extend(split(&batch, entry.offset + entry.events, limits));
                }
                Ok(None) => break,
                Err(error) => {
                    let error = SinkError::Read { destination: "the spool".into(), cause: error.to_string() };
                    self.fail(error.clone());
                    // It is tried again with every batch.
                    if !std::mem::replace(&mut self.unreadable, true) {
                        self.notices.push_back(Notice::Told(error));
                    }
                    break;
                }
            }
        }
    }

    /// Counts what the spool dropped, and what it cannot read.
    pub(super) fn settle_spool(&mut self, shown: &str, cap: u64) {
        let Some(spool) = &mut self.spool else { return };
        let (dropped, damage) = (tally(spool.take_dropped()), spool.take_damage());
        if dropped.events > 0 {
            self.lose(dropped);
            let error = SinkError::SpoolFull { destination: shown.to_owned(), bytes: cap };
            self.drop_for(DropReason::SpoolFull, dropped, Some(error));
        }
        for damage in damage {
            let lost = Tally { events: damage.events, bytes: damage.bytes };
            if lost.events > 0 {
                self.lose(lost);
                self.drop_for(DropReason::Damaged, lost, None);
            }
            self.tell(damage);
        }
    }

    fn lose(&mut self, amount: Tally) {
        self.held = self.held.minus(amount);
        self.ready = self.ready.minus(amount);
    }

    fn tell(&mut self, damage: Damage) {
        let Damage { path, events, bytes } = damage;
        let told = SinkError::SpoolDamaged { path, events, bytes };
        if events > 0 {
            // Behind a file nobody asks for notices any more when it is delivered.
            self.fail(told.clone());
        }
        self.notices.push_back(Notice::Told(told));
    }

    /// The receiver has everything before that offset.
    pub(super) fn acknowledge(&mut self, until: u64) {
        let Some(spool) = self.spool.as_mut().filter(|_| until > 0) else { return };
        if let Err(error) = spool.acknowledge(until) {
            // Sent again after a restart, and known by its uid; nothing is lost.
            self.fail(SinkError::Write { destination: "the spool".into(), cause: error.to_string() });
        }
    }

    pub(super) fn unsynced(&mut self) -> Option<File> {
        self.spool.as_mut()?.take_unsynced()
    }
}

fn tally(amount: Amount) -> Tally {
    Tally { events: amount.events, bytes: amount.bytes }
}
