//! Looks at values: which classes they are of.

use super::form::{FORMS, Form, LONGEST, Value};
use super::hits::{Hit, Hits, REPORTED};
use super::said::Said;
use super::scan::{self, Scan};
use super::settings::{BadClass, Own, Settings};
use super::words::{self, Words};
use super::{ClassId, DATA_CLASSES, DataClass, Evidence, Strength, card};
use crate::made::Made;

/// Slots for phrases; a power of two, several times as many as there are.
const PLACES: usize = 8192;
/// Classes that a set has room for.
pub(super) const MOST_CLASSES: usize = 128;

/// The class of secrets that nothing but their name tells.
const GENERAL: &str = "api-key";

/// A set of classes, by their place in [`DATA_CLASSES`].
type Set = u128;

/// A value to look at.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Its text, decoded, or the beginning of it.
    pub(crate) text: &'a [u8],
    /// What that is made of.
    pub(crate) made: Made,
    /// Whether it is a number of JSON.
    pub(crate) is_number: bool,
    /// Its whole length in bytes.
    pub(crate) len: u64,
}

/// What the names around the values of a field say, with which classes these may be of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taking {
    pub(crate) clues: Clues,
    taken: Set,
    /// Those that parts of a value may be of, whatever stands before them.
    around: Set,
    /// Whether classes of the configuration are to be asked.
    own: bool,
    /// For each form the lengths, as bits, of values that no class takes whatever they begin with: of texts, and of numbers.
    quiet: [[u64; 2]; FORMS],
}

impl Taking {
    /// Whether a value is of no class by its form and length alone, as most values are.
    #[inline]
    pub(crate) fn is_quiet(&self, seen: &Seen<'_>) -> bool {
        let Seen { text, made, is_number, len } = *seen;
        let [texts, numbers] = self.quiet.get(Form::of_made(made) as usize).copied().unwrap_or_default();
        let quiet = if is_number { numbers } else { texts };
        let white = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
        len < 64
            && text.len() as u64 == len
            && quiet >> len & 1 == 1
            && !(made.has(Made::SPACE | Made::MARK) && (white(text.first()) || white(text.last())))
    }
}

/// Words that a value began with, of which none is anything, and what they say of the word behind them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lead {
    text: [u8; scan::LONGEST_LEAD],
    /// 0: there is none.
    len: u8,
    taken: Set,
}

impl Lead {
    fn text(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A text without white space around it, and what it is made of.
fn trimmed(text: &[u8], made: Made) -> (&[u8], Made) {
    let white = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
    if white(text.first()) || white(text.last()) {
        let text = text.trim_ascii();
        return (text, Made::of(text));
    }
    (text, made)
}

/// Names of other numbers, which look like those of people now and then.
const OTHERS: &[&str] = &[
    "order",
    "tracking",
    "timestamp",
    "time",
    "ts",
    "hash",
    "checksum",
    "digest",
    "version",
    "sku",
    "uuid",
    "guid",
    "etag",
    "build",
    "commit",
    "sha",
    "md5",
    "revision",
    "invoice",
    "trace",
    "span",
    "nonce",
    "counter",
    "sequence",
    "build number",
    "semver",
    "serial",
    "batch",
    "shipment",
    "parcel",
    "ticket",
    "correlation",
    "request id",
    "trace id",
    "transaction id",
    "session id",
];

/// What the names around a value say of it: made once for a field, used for all of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clues {
    /// Classes that its own name speaks for.
    own: Set,
    /// Classes that the name of what holds it speaks for.
    near: Set,
    /// Classes of the configuration that its names speak for.
    configured: u64,
    /// Whether it is named like other numbers.
    against: bool,
}

impl Clues {
    /// What either of two says.
    pub(super) const fn or(self, other: Self) -> Self {
        Self {
            own: self.own | other.own,
            near: self.near | other.near,
            configured: self.configured | other.configured,
            against: self.against | other.against,
        }
    }
}

/// The data classes that a sensor looks for.
#[derive(Debug)]
pub struct Classes {
    /// Which classes take a value of that form, by its length; the last place is for all that are longer.
    gates: Box<[[Set; LONGEST + 2]; FORMS]>,
    /// Which classes take a value with that first byte.
    first: Box<[Set; 256]>,
    /// Those that no number of JSON is of.
    texts: Set,
    /// Those that count without a clue, if only as candidates.
    unnamed: Set,
    /// Those that only count where no other does.
    general: Set,
    /// Glued phrases with the classes that they speak for.
    phrases: Vec<Phrase>,
    /// Their places plus one, by their hash; 0 is free.
    places: Box<[u16; PLACES]>,
    own: Vec<Own>,
    /// Classes of the configuration that need no name.
    unnamed_own: u64,
}

#[derive(Debug)]
struct Phrase {
    glued: Vec<u8>,
    set: Set,
    configured: u64,
    against: bool,
}

impl Default for Classes {
    /// Those of every region, without crypto addresses.
    fn default() -> Self {
        Self::build(&Settings::default(), Vec::new())
    }
}

impl Classes {
    /// The classes of a configuration.
    ///
    /// # Errors
    /// The first region that no class is of, and the first class whose pattern, validator or examples are wrong.
    pub fn new(settings: &Settings) -> Result<Self, BadClass> {
        settings.check_regions()?;
        Ok(Self::build(settings, Own::all(&settings.data_class)?))
    }

    fn build(settings: &Settings, own: Vec<Own>) -> Self {
        let mut classes = Self {
            gates: Box::new([[0; LONGEST + 2]; FORMS]),
            first: Box::new([0; 256]),
            texts: 0,
            unnamed: 0,
            general: 0,
            phrases: Vec::new(),
            places: Box::new([0; PLACES]),
            unnamed_own: 0,
            own,
        };
        for (at, class) in DATA_CLASSES.iter().enumerate().take(MOST_CLASSES) {
            if settings.wants(class) {
                classes.enable(1 << at, class);
            }
        }
        classes.add_own();
        OTHERS.iter().for_each(|phrase| classes.phrase(phrase, 0, 0, true));
        classes
    }

    fn enable(&mut self, bit: Set, class: &DataClass) {
        let gate = &class.gate;
        for (form, lengths) in self.gates.iter_mut().enumerate().filter(|(form, _)| gate.forms.has(*form)) {
            let _ = form;
            let taken = lengths.iter_mut().take(gate.most.saturating_add(1)).skip(gate.least);
            taken.for_each(|set| *set |= bit);
        }
        for (byte, set) in (0_u8..=255).zip(self.first.iter_mut()) {
            if gate.first.is_empty() || gate.first.contains(&byte) {
                *set |= bit;
            }
        }
        if gate.texts_only {
            self.texts |= bit;
        }
        if class.strength != Strength::Named {
            self.unnamed |= bit;
        }
        if class.name == GENERAL {
            self.general |= bit;
        }
        class.keys.iter().for_each(|phrase| self.phrase(phrase, bit, 0, false));
    }

    fn add_own(&mut self) {
        let own = std::mem::take(&mut self.own);
        for (at, class) in own.iter().enumerate() {
            let bit = 1 << at;
            class.keys.iter().for_each(|key| self.phrase(key, 0, bit, false));
            if class.keys.is_empty() {
                self.unnamed_own |= bit;
            }
        }
        self.own = own;
    }

    fn phrase(&mut self, phrase: &str, set: Set, configured: u64, against: bool) {
        let glued = words::glued(phrase);
        let at = self.place(&glued).unwrap_or_else(|slot| {
            self.phrases.push(Phrase { glued, set: 0, configured: 0, against: false });
            if let Some(slot) = self.places.get_mut(slot) {
                *slot = u16::try_from(self.phrases.len()).unwrap_or_default();
            }
            self.phrases.len() - 1
        });
        if let Some(known) = self.phrases.get_mut(at) {
            known.set |= set;
            known.configured |= configured;
            known.against |= against;
        }
    }

    /// The place of a phrase, or the slot where it would stand. There are always free slots: most keys are the program's own, and
    /// those of the configuration are bounded.
    fn place(&self, glued: &[u8]) -> Result<usize, usize> {
        let mut slot = hash(glued);
        loop {
            slot %= PLACES;
            let Some(at) = self.places.get(slot).and_then(|at| at.checked_sub(1)).map(usize::from) else {
                return Err(slot);
            };
            if self.phrases.get(at).is_some_and(|known| known.glued == glued) {
                return Ok(at);
            }
            slot += 1;
        }
    }

    /// What the name of a value and the name of what holds it say: a key and its parent, a header's name, a path segment and the one
    /// before it.
    pub fn clues(&self, parent: &[u8], key: &[u8]) -> Clues {
        let mut clues = Clues::default();
        Words::of(parent, key).runs(|run, is_own| {
            let Ok(at) = self.place(run) else { return };
            let Some(found) = self.phrases.get(at) else { return };
            if is_own {
                clues.own |= found.set;
            }
            clues.near |= found.set;
            clues.configured |= found.configured;
            clues.against |= found.against && is_own;
        });
        clues
    }

    /// The classes of a value. `text` is its text, decoded, or the beginning of it; `len` is its whole length in bytes; `is_number` says
    /// that it is a number of JSON.
    pub fn look(&self, clues: &Clues, is_number: bool, text: &[u8], len: u64) -> Hits {
        let seen = Seen { text, made: Made::of(text), is_number, len };
        self.look_at(clues, &seen, &mut Said::default())
    }

    /// What names say, made ready for the values of a field.
    pub(crate) fn taking(&self, clues: Clues) -> Taking {
        let taken = self.unnamed | clues.own | clues.near;
        let own = clues.configured | self.unnamed_own != 0;
        let mut quiet = [[0; 2]; FORMS];
        // Texts of several words and addresses of mail are looked through, whatever their length.
        let told = |form: usize| !own && form != Form::Text as usize && form != Form::Mail as usize;
        for (_, (lengths, quiet)) in
            self.gates.iter().zip(&mut quiet).enumerate().filter(|(form, _)| told(*form))
        {
            for (len, set) in lengths.iter().enumerate().take(64) {
                let none = |set: Set| u64::from(set & taken == 0) << len;
                let [texts, numbers] = quiet;
                *texts |= none(*set);
                *numbers |= none(*set & !self.texts);
            }
        }
        Taking { clues, taken, around: self.unnamed, own, quiet }
    }

    /// Whether a value may be of a class at all. What is not is not looked at, as nearly all values are. `lead` is what a
    /// value began with that was nothing.
    #[inline]
    pub(crate) fn may_take(&self, taking: &Taking, seen: &Seen<'_>, lead: Option<&Lead>) -> bool {
        let Seen { text, made, is_number, len } = *seen;
        let white = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_whitespace);
        let odd = taking.own
            || text.len() as u64 != len
            || text.len() >= scan::LEAST
            || white(text.first())
            || white(text.last());
        let form = Form::of_made(made);
        odd || match form {
            Form::Text if self.gate(form, is_number, text) & taking.taken != 0 => true,
            Form::Text => {
                scan::may_find(made, text) && !lead.is_some_and(|lead| self.is_lead(lead, taking, text))
            }
            Form::Mail => true,
            _ => self.gate(form, is_number, text) & taking.taken != 0,
        }
    }

    /// Whether a text is a lead and one word behind it that is nothing, as in `item 17`.
    fn is_lead(&self, lead: &Lead, taking: &Taking, text: &[u8]) -> bool {
        let Some(word) = text.strip_prefix(lead.text()).filter(|word| !word.is_empty()) else { return false };
        let made = Made::of(word);
        let plain = !made.has(Made::BREAK | Made::GROUPS | Made::MARK | Made::SPACE);
        plain
            && lead.len > 0
            && (word.len() < 3
                || self.gate(Form::of_made(made), false, word) & (taking.around | lead.taken) == 0)
    }

    /// What a text of several words leads its last one with, where that is all that is judged of it.
    pub(crate) fn lead(&self, said: &mut Said, text: &[u8]) -> Lead {
        let len = scan::lead_len(text);
        let clues = said.of(self, text.get(..len).unwrap_or_default());
        let mut lead = Lead::default();
        if let Some(kept) = lead.text.get_mut(..len)
            && clues.configured == 0
        {
            kept.copy_from_slice(text.get(..len).unwrap_or_default());
            (lead.len, lead.taken) = (u8::try_from(len).unwrap_or(0), clues.own | clues.near);
        }
        lead
    }

    /// The same of a text of which is known what it is made of.
    pub(crate) fn look_at(&self, clues: &Clues, seen: &Seen<'_>, said: &mut Said) -> Hits {
        let mut hits = Hits::default();
        let whole = seen.text.len() as u64 == seen.len;
        let (text, made) = trimmed(seen.text, seen.made);
        if text.len() < 3 {
            return hits;
        }
        let form = Form::of_made(made);
        if whole {
            self.one(clues, form, seen.is_number, text, &mut hits);
        }
        if !hits.any_reported()
            && (matches!(form, Form::Text | Form::Mail) || !whole || text.len() >= scan::LEAST)
        {
            scan::text(&mut Scan { classes: self, clues, said }, form, made, text, &mut hits);
        }
        hits
    }

    /// What the names around a text say of a part of it: nothing of classes that count by their name only.
    pub(super) const fn around(&self, clues: &Clues) -> Clues {
        Clues { own: clues.own & self.unnamed, near: clues.near & self.unnamed, ..*clues }
    }

    /// The classes of a text that is one thing.
    pub(super) fn one(&self, clues: &Clues, form: Form, is_number: bool, text: &[u8], hits: &mut Hits) {
        let asked = self.asked(clues, form, is_number, text);
        let configured = clues.configured | self.unnamed_own;
        // Most values are asked nothing at all.
        if asked != 0 || configured != 0 {
            self.ask_sets(asked, configured, clues, &Value::new(text), hits);
        }
    }

    #[inline(never)]
    fn ask_sets(&self, asked: Set, configured: u64, clues: &Clues, value: &Value<'_>, hits: &mut Hits) {
        // What the name says goes before what the value looks like, and the general behind the particular.
        let particular = asked & !self.general;
        for set in [particular & clues.own, particular & !clues.own, asked & self.general] {
            if set != 0 && !hits.any_reported() {
                self.ask_all(set, clues, value, hits);
            }
        }
        if configured != 0 {
            self.ask_own(configured, value.text, hits);
        }
    }

    /// Whether a text that is one thing is asked nothing, whatever its name is, as far as those of `clues` go.
    pub(super) fn asks_nothing(&self, clues: &Clues, form: Form, text: &[u8]) -> bool {
        clues.configured | self.unnamed_own == 0 && self.asked(clues, form, false, text) == 0
    }

    fn ask_all(&self, set: Set, clues: &Clues, value: &Value<'_>, hits: &mut Hits) {
        let mut rest = set;
        while rest != 0 {
            self.ask(rest.trailing_zeros(), clues, value, hits);
            rest &= rest - 1;
        }
    }

    /// The classes whose gate lets a text in that is one thing.
    #[inline]
    fn gate(&self, form: Form, is_number: bool, text: &[u8]) -> Set {
        let of_form =
            self.gates.get(form as usize).and_then(|lengths| lengths.get(text.len().min(LONGEST + 1)));
        let of_first = text.first().and_then(|byte| self.first.get(usize::from(*byte)));
        let set = of_form.zip(of_first).map_or(0, |(a, b)| a & b);
        if is_number { set & !self.texts } else { set }
    }

    #[inline]
    fn asked(&self, clues: &Clues, form: Form, is_number: bool, text: &[u8]) -> Set {
        self.gate(form, is_number, text) & (self.unnamed | clues.own | clues.near)
    }

    fn ask(&self, at: u32, clues: &Clues, value: &Value<'_>, hits: &mut Hits) {
        let Some((id, class)) =
            u8::try_from(at).ok().and_then(|at| Some((at, DATA_CLASSES.get(usize::from(at))?)))
        else {
            return;
        };
        let Some(evidence) = (class.check)(value) else { return };
        let bit: Set = 1 << at;
        let score =
            score(evidence, clues.own & bit != 0, clues.near & bit != 0, clues.against && clues.own == 0);
        let counts =
            score >= REPORTED || (evidence >= Evidence::Checked && class.strength != Strength::Named);
        if counts {
            let is_test = id == card::PLACE && card::is_for_tests(value.digits());
            hits.push(Hit { class: ClassId(id), score, is_test });
        }
    }

    fn ask_own(&self, configured: u64, text: &[u8], hits: &mut Hits) {
        for (at, class) in self.own.iter().enumerate().filter(|(at, _)| configured >> at & 1 == 1) {
            if class.is(text)
                && let Ok(id) = u8::try_from(DATA_CLASSES.len() + at)
            {
                hits.push(Hit { class: ClassId(id), score: 90, is_test: false });
            }
        }
    }

    /// Whether the configuration has classes of its own.
    pub const fn own(&self) -> bool {
        !self.own.is_empty()
    }

    /// The name of a class.
    pub fn name(&self, class: ClassId) -> &str {
        let own = || usize::from(class.0).checked_sub(DATA_CLASSES.len()).and_then(|at| self.own.get(at));
        match class.builtin() {
            Some(class) => class.name,
            None => own().map_or("", |class| class.name.as_str()),
        }
    }
}

/// FNV-1a: phrases are short, and chosen by nobody who attacks.
fn hash(text: &[u8]) -> usize {
    let hash =
        text.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    usize::try_from(hash ^ hash >> 15).unwrap_or_default()
}

const fn score(evidence: Evidence, own: bool, near: bool, against: bool) -> u8 {
    let points = match evidence {
        Evidence::Shape => 32,
        Evidence::Checked => 45,
        Evidence::Layout => 72,
        Evidence::Sure => 90,
    };
    let named: u8 = match (own, near) {
        (true, _) => 40,
        (false, true) => 25,
        (false, false) => 0,
    };
    let against: u8 = if against && !own && !near { 20 } else { 0 };
    let points: u8 = points + named - against;
    if points > 100 { 100 } else { points }
}
