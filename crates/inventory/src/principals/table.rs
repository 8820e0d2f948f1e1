//! A bounded table of records by keyed token.

use hashbrown::HashTable;
use tapwire_inspect::Token;

/// Entries of one piece of memory: growing never moves what is there.
const CHUNK: usize = 1024;
/// Entries that are looked at for the one that makes room: the time for a new one is bounded.
const LOOKED_AT: usize = 32;
/// Entries that a new one looks at for one that is over: a table whose entries end is gone through several times before it doubles.
const SWEPT: usize = 4;
/// A key that comes again stays that many rounds of the hand longer.
const MOST_USES: u8 = 3;

/// Records by token, at most so many. What was used least lately makes room: keys that came once go first, so that a flood of
/// new ones drives out few that are used.
pub(crate) struct Table<R> {
    chunks: Vec<Vec<Entry<R>>>,
    index: HashTable<u32>,
    most: usize,
    /// Where the search for room goes on.
    hand: usize,
    /// Where the search for what is over goes on.
    broom: usize,
    evicted: u64,
    /// What made room last, until it is asked for.
    fallen: Option<R>,
}

struct Entry<R> {
    token: Token,
    record: R,
    uses: u8,
}

impl<R> Table<R> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            chunks: Vec::new(),
            index: HashTable::new(),
            most: most.max(1),
            hand: 0,
            broom: 0,
            evicted: 0,
            fallen: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Records that made room for others.
    pub(crate) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The record that made room last, once.
    pub(crate) fn take_fallen(&mut self) -> Option<R> {
        self.fallen.take()
    }

    /// Bytes held, about: the index has five for each of up to twice as many places.
    pub(crate) fn held(&self) -> usize {
        let entries: usize = self.chunks.iter().map(Vec::capacity).sum();
        entries * size_of::<Entry<R>>() + self.index.capacity() * 8 / 7 * 5
    }

    /// Every record, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Token, &R)> {
        self.chunks.iter().flatten().map(|entry| (entry.token, &entry.record))
    }

    /// The entries from that place on, each with how often its key came again lately.
    pub(crate) fn entries(&self, from: usize) -> impl Iterator<Item = (Token, &R, u8)> {
        let all = (from..self.len()).map_while(|at| entry_of(&self.chunks, u32::try_from(at).ok()?));
        all.map(|entry| (entry.token, &entry.record, entry.uses))
    }

    /// Where the search for room goes on.
    pub(crate) const fn hand(&self) -> usize {
        self.hand
    }

    /// The search goes on there.
    pub(crate) fn set_hand(&mut self, hand: usize) {
        self.hand = if hand < self.len() { hand } else { 0 };
    }

    /// Adds an entry as it was, unless there is no room or one of its key.
    pub(crate) fn restore(&mut self, token: Token, record: R, uses: u8) -> bool {
        let room = self.len() < self.most && self.find(token).is_none();
        if room && self.insert(token, record, None).is_some() {
            let last = self.len() - 1;
            self.entry_mut(last).into_iter().for_each(|entry| entry.uses = uses.min(MOST_USES));
        }
        room
    }

    /// A record, as it is.
    pub(crate) fn get(&self, token: Token) -> Option<&R> {
        self.find(token).and_then(|at| self.entry(at)).map(|entry| &entry.record)
    }

    /// A record that is used now.
    pub(crate) fn used(&mut self, token: Token) -> Option<&mut R> {
        let at = self.find(token)?;
        let entry = self.entry_mut(at)?;
        entry.uses = (entry.uses + 1).min(MOST_USES);
        Some(&mut entry.record)
    }

    /// A record that is used now, made where there is none.
    pub(crate) fn used_or(&mut self, token: Token, new: impl FnOnce() -> R) -> Option<&mut R> {
        self.used_or_instead(token, new, |_| false)
    }

    /// The same; a new one takes the place of one that is over, so that a table of what ends is as large as what has not.
    pub(crate) fn used_or_instead(
        &mut self,
        token: Token,
        new: impl FnOnce() -> R,
        is_over: impl Fn(&R) -> bool,
    ) -> Option<&mut R> {
        match self.find(token) {
            Some(_) => self.used(token),
            None => {
                let over = self.sweep(is_over);
                self.insert(token, new(), over)
            }
        }
    }

    /// An entry that is over, of the next few.
    fn sweep(&mut self, is_over: impl Fn(&R) -> bool) -> Option<usize> {
        for _ in 0..SWEPT {
            self.broom = if self.broom + 1 < self.len() { self.broom + 1 } else { 0 };
            if is_over(&self.entry(self.broom)?.record) {
                return Some(self.broom);
            }
        }
        None
    }

    fn insert(&mut self, token: Token, record: R, over: Option<usize>) -> Option<&mut R> {
        let entry = Entry { token, record, uses: 0 };
        let at = match over {
            Some(at) => {
                self.put(at, entry)?;
                at
            }
            None if self.len() < self.most => self.push(entry),
            None => self.replace(entry)?,
        };
        let Self { index, chunks, .. } = self;
        let at_32 = u32::try_from(at).ok()?;
        index.insert_unique(hash(token), at_32, |at| {
            entry_of(chunks, *at).map_or(0, |entry| hash(entry.token))
        });
        self.entry_mut(at).map(|entry| &mut entry.record)
    }

    fn push(&mut self, entry: Entry<R>) -> usize {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK.min(self.most)));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let Some(chunk) = self.chunks.last_mut() else { return before };
        chunk.push(entry);
        before + chunk.len() - 1
    }

    /// Puts the entry in the place of the first that the hand finds unused, else of the least used of those it looked at.
    fn replace(&mut self, new: Entry<R>) -> Option<usize> {
        let (mut at, mut least) = (self.hand, u8::MAX);
        for _ in 0..LOOKED_AT {
            self.hand = if self.hand + 1 < self.len() { self.hand + 1 } else { 0 };
            let hand = self.hand;
            let entry = self.entry_mut(hand)?;
            if entry.uses < least {
                (at, least) = (hand, entry.uses);
            }
            if least == 0 {
                break;
            }
            entry.uses -= 1;
        }
        self.fallen = Some(self.put(at, new)?);
        self.evicted += 1;
        Some(at)
    }

    /// Puts an entry in the place of another, whose record comes back; the index does not have it yet.
    fn put(&mut self, at: usize, new: Entry<R>) -> Option<R> {
        let index = u32::try_from(at).ok()?;
        let old = std::mem::replace(self.entry_mut(at)?, new);
        if let Ok(found) = self.index.find_entry(hash(old.token), |at| *at == index) {
            found.remove();
        }
        Some(old.record)
    }

    fn find(&self, token: Token) -> Option<usize> {
        let is_it = |at: &u32| entry_of(&self.chunks, *at).is_some_and(|entry| entry.token == token);
        self.index.find(hash(token), is_it).map(|at| *at as usize)
    }

    fn entry(&self, at: usize) -> Option<&Entry<R>> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    fn entry_mut(&mut self, at: usize) -> Option<&mut Entry<R>> {
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }
}

fn entry_of<R>(chunks: &[Vec<Entry<R>>], at: u32) -> Option<&Entry<R>> {
    chunks.get(at as usize / CHUNK)?.get(at as usize % CHUNK)
}

/// Tokens are keyed hashes already.
fn hash(token: Token) -> u64 {
    token.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapwire_inspect::{Domain, TokenKey};

    fn token(number: u32) -> Token {
        TokenKey::new([7; 32]).token(Domain::Value, &number.to_be_bytes())
    }

    #[test]
    fn a_flood_of_new_keys_is_counted_and_drives_out_few_that_are_used() {
        let mut table = Table::new(5000);
        for number in 0..100_000_u32 {
            // A hundred keys that come again and again among ever new ones.
            let key = if number % 10 == 0 { number / 10 % 100 } else { 1000 + number };
            *table.used_or(token(key), || 0).unwrap() += 1;
        }
        assert_eq!((table.len(), table.iter().count()), (5000, 5000));
        assert!(table.evicted() > 84_000, "{}", table.evicted());
        let kept = (0..100).filter(|key| table.get(token(*key)).is_some_and(|calls| *calls == 100)).count();
        assert_eq!(kept, 100);
    }

    #[test]
    fn a_table_of_what_ends_is_as_large_as_what_has_not() {
        let mut table = Table::new(100_000);
        let lives = 1000;
        for number in 0..50_000_u32 {
            table.used_or_instead(token(number), || number, |begun| begun + lives < number).unwrap();
            assert!(
                (number.saturating_sub(lives)..=number)
                    .all(|key| key % 100 != 0 || table.get(token(key)).is_some())
            );
        }
        assert!(table.len() <= 1500, "{}", table.len());
        assert_eq!((table.len(), table.evicted()), (table.iter().count(), 0));
        assert!(table.iter().all(|(key, begun)| key == token(*begun)), "each has its own key");
    }

    #[test]
    fn every_record_is_found_by_its_own_key_only() {
        let mut table = Table::new(64);
        for number in 0..1000 {
            *table.used_or(token(number), || 0).unwrap() = number;
            assert_eq!(table.get(token(number)), Some(&number));
        }
        let found: Vec<u32> = (0..1000).filter(|number| table.get(token(*number)).is_some()).collect();
        assert_eq!(found.len(), 64);
        assert!(found.iter().all(|number| table.get(token(*number)) == Some(number)));
        assert_eq!(table.evicted(), 936);
    }
}
