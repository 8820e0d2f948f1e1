//! Callers and sessions as a checkpoint has them.

use super::Principals;
use super::record::{Known, Session};
use crate::state::{Unfit, put_some, take_all};
use tapwire_inspect::Token;

impl Principals {
    pub(crate) fn save_callers(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        put_some(self.callers.entries(from), |_| 1, out)
    }

    pub(crate) fn save_sessions(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        put_some(self.sessions.entries(from), |_| 1, out)
    }

    pub(crate) fn save_grants(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        put_some(self.grants.all.iter().skip(from), |grants| 1 + words(grants), out)
    }

    /// Where the tables look for room.
    pub(crate) const fn hands(&self) -> (usize, usize) {
        (self.callers.hand(), self.sessions.hand())
    }

    /// They look there next.
    pub(crate) fn set_hands(&mut self, (callers, sessions): (usize, usize)) {
        self.callers.set_hand(callers);
        self.sessions.set_hand(sessions);
    }

    /// Takes callers; how many found no room.
    pub(crate) fn load_callers(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        let Self { callers, crowds, .. } = self;
        take_all(entries, |(token, known, uses): (Token, Known, u8)| {
            let room = callers.restore(token, known, uses);
            if room {
                crowds.restore(&known);
            }
            room
        })
    }

    /// Takes sessions, likewise.
    pub(crate) fn load_sessions(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        let sessions = &mut self.sessions;
        take_all(entries, |(token, session, uses): (Token, Session, u8)| {
            sessions.restore(token, session, uses)
        })
    }

    pub(crate) fn save_prints(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        self.prints.save(from, out)
    }

    /// Takes fingerprints of TLS, likewise.
    pub(crate) fn load_prints(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        self.prints.load(entries)
    }

    /// Takes sets of roles and scopes, likewise.
    pub(crate) fn load_grants(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        take_all(entries, |grants| self.grants.restore(grants))
    }
}

fn words(grants: &tapwire_inspect::Grants) -> usize {
    grants.roles.len() + grants.scopes.len()
}
