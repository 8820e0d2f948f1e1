//! Values that are called much more than a parameter's others. `/documents/{documentId}` shares its calls among documents, but
//! `/documents/recent-changes` has those of an operation: it is a word of its own, unless answers repeat it as an identifier.

use super::node::{Label, NodeId};
use super::words::{self, Standing};
use super::{Answer, Path, Templates, text};
use crate::state::{Unfit, put_some, take_all};

/// Words that are counted, of all parameters: those that come once make room for each other.
const COUNTED: usize = 1 << 14;
/// Parameters whose favourites are known: a newer one takes an older one's place.
const PARAMETERS: usize = 1 << 12;
/// Favourites of one parameter.
const FAVOURITES: usize = 4;

/// How many times the calls of the third of its others a word needs to stand out: operations come side by side. Where further
/// segments follow, more is at stake. Chosen on the tuning half of published descriptions, also with values of which the
/// first has a quarter of all calls: below these, such values were taken for operations.
const TIMES: u32 = 10;
const TIMES_WITHIN: u32 = 15;
const COMPARED: usize = 2;

/// A word with its successful calls.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Counted {
    mark: u32,
    calls: u32,
}

/// A word that a parameter has often.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Favourite {
    word: Counted,
    /// An answer repeated it: it is a value for good.
    is_value: bool,
}

/// The favourites of one parameter, those with most calls first.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Favoured {
    parameter: NodeId,
    /// The word that came last: calls of one word in a row count once, for one caller may make them all.
    last: u32,
    words: [Favourite; FAVOURITES],
}

/// How often words stand for values.
#[derive(Debug, Default)]
pub(super) struct Favourites {
    counted: Vec<Counted>,
    favoured: Vec<Favoured>,
}

impl Favourites {
    /// Counts a call of a word.
    fn count(&mut self, parameter: NodeId, key: u64) {
        let (at, mark) = place(key);
        let Some(favoured) = self.of(parameter) else { return };
        if std::mem::replace(&mut favoured.last, mark) == mark {
            return;
        }
        self.counted.resize(COUNTED, Counted::default());
        let Some(slot) = self.counted.get_mut(at) else { return };
        if slot.mark != mark {
            slot.calls = slot.calls.saturating_sub(1);
            if slot.calls > 0 {
                return;
            }
            *slot = Counted { mark, calls: 0 };
        }
        slot.calls = slot.calls.saturating_add(1);
        let word = *slot;
        self.favour(parameter, word);
    }

    fn favour(&mut self, parameter: NodeId, word: Counted) {
        let Some(favoured) = self.of(parameter) else { return };
        let known = favoured.words.iter().position(|one| one.word.mark == word.mark);
        let Some(slot) = favoured.words.get_mut(known.unwrap_or(FAVOURITES - 1)) else { return };
        if known.is_none() {
            if slot.word.calls >= word.calls {
                return;
            }
            slot.is_value = false;
        }
        slot.word = word;
        favoured.words.sort_by_key(|one| std::cmp::Reverse(one.word.calls));
    }

    fn of(&mut self, parameter: NodeId) -> Option<&mut Favoured> {
        self.favoured.resize(PARAMETERS, Favoured::default());
        let favoured = self.favoured.get_mut(parameter.0 as usize % PARAMETERS)?;
        if favoured.parameter != parameter {
            *favoured = Favoured { parameter, ..Favoured::default() };
        }
        Some(favoured)
    }

    /// Whether a word has so many times the calls of others that it is no value, as far as calls tell.
    fn stands_out(&mut self, parameter: NodeId, key: u64, times: u32) -> bool {
        let (_, mark) = place(key);
        let Some(favoured) = self.of(parameter) else { return false };
        let words = &favoured.words;
        let Some(own) = words.iter().find(|one| one.word.mark == mark) else { return false };
        let other = words.iter().filter(|one| one.word.mark != mark).nth(COMPARED);
        let other = other.map_or(0, |one| one.word.calls).max(1);
        !own.is_value && own.word.calls >= other.saturating_mul(times)
    }

    /// A word is a value, whatever its calls are.
    fn settle(&mut self, parameter: NodeId, key: u64) {
        let (_, mark) = place(key);
        let words = self.of(parameter).map(|favoured| favoured.words.iter_mut());
        words.into_iter().flatten().filter(|one| one.word.mark == mark).for_each(|one| one.is_value = true);
    }

    /// A word is none of a parameter's.
    fn forget(&mut self, parameter: NodeId, key: u64) {
        let (at, mark) = place(key);
        self.counted.get_mut(at).into_iter().filter(|one| one.mark == mark).for_each(|one| one.calls = 0);
        let Some(favoured) = self.of(parameter) else { return };
        for one in favoured.words.iter_mut().filter(|one| one.word.mark == mark) {
            *one = Favourite::default();
        }
        favoured.words.sort_by_key(|one| std::cmp::Reverse(one.word.calls));
    }

    /// A parameter is no more.
    pub(super) fn leave(&mut self, parameter: NodeId) {
        let favoured = self.favoured.get_mut(parameter.0 as usize % PARAMETERS);
        let known = favoured.filter(|one| one.parameter == parameter);
        known.into_iter().for_each(|one| *one = Favoured::default());
    }

    /// Bytes on the heap.
    pub(super) const fn bytes(&self) -> usize {
        self.counted.capacity() * size_of::<Counted>() + self.favoured.capacity() * size_of::<Favoured>()
    }
}

/// As a checkpoint has them: what was never counted is left out.
impl Favourites {
    /// Writes words from that place among them on; how many, `None` when they were the last.
    pub(super) fn save_counted(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        let counted = (0_u32..).zip(&self.counted).filter(|(_, one)| one.calls > 0);
        put_some(counted.skip(from), |_| 1, out)
    }

    /// Writes the favourites of parameters.
    pub(super) fn save_favoured(&self, from: usize, out: &mut Vec<u8>) -> Option<usize> {
        let favoured = self.favoured.iter().filter(|one| one.parameter != NodeId::default());
        put_some(favoured.skip(from), |_| FAVOURITES, out)
    }

    /// Takes words; how many were none.
    pub(super) fn load_counted(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        self.counted.resize(COUNTED, Counted::default());
        take_all(entries, |(at, word): (u32, Counted)| {
            let slot = self.counted.get_mut(at as usize);
            slot.map(|slot| *slot = word).is_some()
        })
    }

    /// Takes the favourites of parameters.
    pub(super) fn load_favoured(&mut self, entries: &[u8]) -> Result<u64, Unfit> {
        take_all(entries, |favoured: Favoured| {
            self.of(favoured.parameter).map(|known| *known = favoured).is_some()
        })
    }
}

impl Templates {
    /// Notes the words of a call that stand for values. One that stands out becomes a word of its own, unless the answer
    /// repeats it: later calls find it.
    pub(crate) fn see_values(
        &mut self,
        at: NodeId,
        path: Path<'_>,
        answer: &Answer<'_>,
        is_repeated: impl Fn(&str) -> bool,
    ) {
        if !answer.is_success() {
            return;
        }
        let (mut next, mut times) = (at, TIMES);
        for segment in path.segments.iter().rev() {
            let node = self.node(next);
            let parent = node.parent;
            if matches!(node.label, Label::Parameter(..)) && !segment.kind.is_parameter() {
                let word = text::canonical(path.bytes(*segment));
                self.see_value(parent, next, &word, times, &is_repeated);
            }
            (next, times) = (parent, TIMES_WITHIN);
        }
    }

    fn see_value(
        &mut self,
        parent: NodeId,
        parameter: NodeId,
        word: &str,
        times: u32,
        is_repeated: impl Fn(&str) -> bool,
    ) {
        let key = self.key(parameter, word.as_bytes());
        self.favourites.count(parameter, key);
        if words::is_value_like(word) || !self.favourites.stands_out(parameter, key, times) {
            return;
        }
        if is_repeated(word) {
            self.favourites.settle(parameter, key);
        } else if self.new_word(parent, word, Standing::Fixed).is_some() {
            self.favourites.forget(parameter, key);
        }
    }
}

/// Where a word is counted, and what stands there for it.
#[allow(clippy::cast_possible_truncation, reason = "both halves of a hash are hashes")]
const fn place(key: u64) -> (usize, u32) {
    (key as usize % COUNTED, (key >> 32) as u32 | 1)
}
