//! Findings' lives as bytes, and back: pieces as the inventory's are.

use super::case::{Case, Cases, MAX_CASES};
use tapwire_inspect::TokenKey;
use tapwire_inventory::state::{Restored, Unfit, behind_preface, preface, put_some, take_all};

/// The format of all pieces. A change of what is remembered raises it.
const FORMAT: u32 = 1;

/// Where a checkpoint goes on: behind the head, and behind the case of that policy and service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    begun: bool,
    last: Option<(Box<str>, Box<str>)>,
    ended: bool,
}

impl Cases {
    /// Replaces `piece` with the next piece of a checkpoint that begins with `Cursor::default()`; `false` when there was none
    /// left. Findings may be told in between.
    pub fn save(&self, key: &TokenKey, cursor: &mut Cursor, piece: &mut Vec<u8>) -> bool {
        piece.clear();
        if cursor.ended {
            return false;
        }
        if !cursor.begun {
            piece.extend_from_slice(&preface(FORMAT, key));
            cursor.begun = true;
            return true;
        }
        let last = cursor.last.take();
        let rest = || {
            let last = last.as_ref().map(|(policy, service)| (&**policy, &**service));
            self.iter().skip_while(move |(policy, service, _)| Some((*policy, *service)) <= last)
        };
        match put_some(rest(), |(.., case)| 1 + case.endpoints.len() / 8, piece) {
            Some(written) => {
                let last = rest().nth(written.saturating_sub(1));
                cursor.last = last.map(|(policy, service, _)| (policy.into(), service.into()));
            }
            None => cursor.ended = true,
        }
        true
    }
}

/// Takes the pieces of a checkpoint, in their order.
pub struct Loading {
    key: TokenKey,
    cases: Option<Cases>,
    left_out: u64,
}

impl Loading {
    /// For that token key.
    pub const fn new(key: TokenKey) -> Self {
        Self { key, cases: None, left_out: 0 }
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// It is of another version or key, or none.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), Unfit> {
        let Some(cases) = &mut self.cases else {
            behind_preface(piece, FORMAT, &self.key)?;
            self.cases = Some(Cases::default());
            return Ok(());
        };
        self.left_out += take_all(piece, |(policy, service, case): (Box<str>, Box<str>, Case)| {
            let room = cases.len() < MAX_CASES;
            if room {
                cases.put(policy, service, case.checked());
            }
            room
        })?;
        Ok(())
    }

    /// What is remembered of findings.
    ///
    /// # Errors
    /// No piece was a checkpoint's first.
    pub fn finish(self) -> Result<(Cases, Restored), Unfit> {
        let cases = self.cases.ok_or(Unfit::Unreadable)?;
        Ok((cases, Restored { left_out: self.left_out, ..Restored::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::Stage;
    use super::*;

    const KEY: TokenKey = TokenKey::new([7; 32]);

    fn cases(count: u32) -> Cases {
        let mut cases = Cases::default();
        for number in 0..count {
            let (policy, service) = (format!("p{}", number % 7), format!("s{number}"));
            let case = cases.open(&policy, &service, i64::from(number)).unwrap();
            (case.stage, case.told, case.total) = (Stage::Regressed, number, number.into());
            case.endpoints = vec![number.into(); 20];
        }
        cases
    }

    fn pieces(cases: &Cases) -> Vec<Vec<u8>> {
        let (mut cursor, mut piece, mut all) = (Cursor::default(), Vec::new(), Vec::new());
        while cases.save(&KEY, &mut cursor, &mut piece) {
            all.push(piece.clone());
        }
        all
    }

    fn load(key: TokenKey, pieces: &[Vec<u8>]) -> Result<(Cases, Restored), Unfit> {
        let mut loading = Loading::new(key);
        pieces.iter().try_for_each(|piece| loading.take(piece))?;
        loading.finish()
    }

    #[test]
    fn what_is_remembered_comes_back_in_small_pieces() {
        for count in [0, 1, 5_000] {
            let known = cases(count);
            let all = pieces(&known);
            assert!(all.iter().all(|piece| piece.len() < 300_000));
            assert!(count < 5_000 || all.len() > 5, "{} pieces", all.len());
            assert_eq!(load(KEY, &all), Ok((known, Restored::default())));
        }
    }

    #[test]
    fn another_key_or_version_or_nothing_is_said() {
        let mut all = pieces(&cases(3));
        assert_eq!(load(TokenKey::new([8; 32]), &all).err(), Some(Unfit::Key));
        assert_eq!(load(KEY, &[]).err(), Some(Unfit::Unreadable));
        all[0][0] = 9;
        assert_eq!(load(KEY, &all).err(), Some(Unfit::Format { found: 9, known: FORMAT }));
    }

    #[test]
    fn more_than_there_is_room_for_is_counted() {
        let mut all = pieces(&cases(15_000));
        let mut more = Cases::default();
        (0..6_000).for_each(|number| more.put("q".into(), number.to_string().into(), Case::new(0)));
        all.extend(pieces(&more).split_off(1));
        let (cases, restored) = load(KEY, &all).unwrap();
        assert_eq!((cases.len(), restored.left_out), (MAX_CASES, 1_000));
    }

    #[test]
    fn bytes_that_nobody_wrote_do_no_harm() {
        let all = pieces(&cases(5));
        for (piece, at) in (0..all.len()).flat_map(|piece| (0..all[piece].len()).map(move |at| (piece, at))) {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut hostile = all.clone();
                hostile[piece][at] = byte;
                let _ = load(KEY, &hostile).is_ok();
                hostile[piece].truncate(at);
                let _ = load(KEY, &hostile).is_ok();
            }
        }
    }
}
